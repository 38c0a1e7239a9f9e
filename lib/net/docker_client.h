/* SPDX-License-Identifier: MIT */
/* What the files of the Docker client share. Inside lib/net only. */
#ifndef DEIS_NET_DOCKER_CLIENT_H
#define DEIS_NET_DOCKER_CLIENT_H

#include "lib/net/docker.h"
#include "lib/wire/h1.h"

#define DOCKER_API        "/v1.41"
#define DOCKER_LINE_MAX   (1024 * 1024)
#define DOCKER_REFUSE_MAX (64 * 1024) /* of the text of a refusal */

const char *docker_socket(const struct deis_docker *d);
/* deis_httpc_call() to the Engine; url and unix_socket are filled in here. path is below the API's
 * version. */
int docker_exchange(struct deis_docker *d, struct deis_httpc_request *req, const char *path,
                    struct deis_httpc_answer *ret, struct deis_err *err) deis_must_check;
/* What a status >= 400 and its body mean. Always returns an error. */
int docker_refused(int status, struct deis_str body, struct deis_err *err);

/* "?key=<value, encoded>" or "&key=..."; nothing when value is NULL. */
void docker_query(struct deis_buf *path, const char *key, const char *value);
void docker_query_json(struct deis_buf *path, const char *key, const json_t *value);
/* {"k":"v"} from "k=v" texts, NULL-terminated. Yours. */
json_t *docker_label_map(const char *const *labels);

/* Streams of JSON objects, one a line, cut anywhere. Lines that are no JSON object are left out. */
struct docker_lines {
    struct deis_buf line;
};

void docker_lines_init(struct docker_lines *l);
void docker_lines_clear(struct docker_lines *l);
/* DEIS_LIMIT: a line of more than DOCKER_LINE_MAX bytes. on_object may not call back into l. */
int docker_lines_feed(struct docker_lines *l, struct deis_str data,
                      void (*on_object)(const json_t *obj, void *arg), void *arg,
                      struct deis_err *err) deis_must_check;
/* The stream is over: the last line may lack its end. */
void docker_lines_end(struct docker_lines *l, void (*on_object)(const json_t *obj, void *arg),
                      void *arg);

/* An answer that comes over a socket of our own: pure. */
struct docker_answer {
    struct deis_buf head;
    size_t scanned;
    int status; /* 0 until the head is complete */
    enum deis_h1_framing framing;
    uint64_t left;
    struct deis_h1_chunked chunked;
    struct deis_buf refusal; /* body of a status >= 400 */
};

void docker_answer_init(struct docker_answer *a);
void docker_answer_clear(struct docker_answer *a);
/* Take bytes off *input; *ret_data gets body bytes (may be empty). MORE: all was used up, or
 * *ret_data is to be taken and the call repeated. DONE: the answer is complete, nothing more will
 * come. BAD: err is what the Engine refused with, or DEIS_PROTOCOL. */
enum deis_h1_result docker_answer_feed(struct docker_answer *a, struct deis_str *input,
                                       struct deis_str *ret_data, struct deis_err *err);

/* Connect and send a request whose answer is a stream; *ret_fd is yours. */
int docker_stream_open(const struct deis_docker *d, const char *method, const char *path,
                       bool upgrade, int *ret_fd, struct deis_err *err) deis_must_check;

/* The answer on the loop. thread: loop */
struct docker_stream_ops {
    void (*on_open)(void *arg); /* the head is there and says yes */
    void (*on_data)(struct deis_str data, void *arg);
    /* Once; err is NULL when the Engine ended the stream. */
    void (*on_end)(const struct deis_err *err, void *arg);
    /* All that was written has gone out. May be NULL. */
    void (*on_drained)(void *arg);
};
struct docker_stream;
/* on_end is never called from within start. */
struct docker_stream *docker_stream_start(const struct deis_docker *d, struct deis_loop *loop,
                                          const char *method, const char *path, bool upgrade,
                                          const struct docker_stream_ops *ops, void *arg);
void docker_stream_free(struct docker_stream *s); /* from its callbacks too; NULL is fine */
/* Bytes for the Engine once the stream is open; what the socket does not take waits. False: the
 * Engine takes no more. */
bool docker_stream_write(struct docker_stream *s, struct deis_str data);
size_t docker_stream_unsent(const struct docker_stream *s);
/* Nothing more is written; told to the Engine when all has gone out. */
void docker_stream_end_write(struct docker_stream *s);
/* Take nothing from the Engine for a while. */
void docker_stream_pause(struct docker_stream *s, bool paused);

#endif
