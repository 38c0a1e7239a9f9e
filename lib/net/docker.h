/* SPDX-License-Identifier: MIT */
/*
 * Docker Engine API 1.41 over its unix socket: blocking calls, for worker threads, and streams on
 * the loop. Verbs are idempotent: "already started", "already gone" are success. DEIS_UNAVAILABLE:
 * the Engine does not answer, or failed itself. thread: any (a pool of connections inside) unless
 * said
 */
#ifndef DEIS_NET_DOCKER_H
#define DEIS_NET_DOCKER_H

#include "lib/net/httpc.h"
#include "lib/wire/json.h"

struct deis_docker;

struct deis_docker *deis_docker_new(const char *socket_path);
void deis_docker_free(struct deis_docker *d);

/* Any call: path below /v1.41 ("/containers/json?all=1"). body may be NULL. *ret_json (may be NULL)
 * gets the answer when it is JSON (yours). Status >= 400 becomes an error with the Engine's
 * message: 404 NOT_FOUND, 409 CONFLICT, 400 INVALID, else UNAVAILABLE. timeout_ms 0 = 30 s. */
int deis_docker_call(struct deis_docker *d, const char *method, const char *path,
                     const json_t *body, uint64_t timeout_ms, json_t **ret_json,
                     struct deis_err *err) deis_must_check;
int deis_docker_ping(struct deis_docker *d, struct deis_err *err) deis_must_check;

/* --- containers --- */
/* body as in the API. *ret_id is yours. DEIS_CONFLICT: the name is taken. DEIS_NOT_FOUND: no image.
 */
int deis_docker_create(struct deis_docker *d, const char *name, const json_t *body, char **ret_id,
                       struct deis_err *err) deis_must_check;
int deis_docker_start(struct deis_docker *d, const char *id, struct deis_err *err) deis_must_check;
/* SIGTERM, after grace_ms SIGKILL; returns when it has ended. */
int deis_docker_stop(struct deis_docker *d, const char *id, uint64_t grace_ms,
                     struct deis_err *err) deis_must_check;
/* With force and its anonymous volumes. */
int deis_docker_remove(struct deis_docker *d, const char *id, struct deis_err *err) deis_must_check;
int deis_docker_inspect(struct deis_docker *d, const char *id, json_t **ret,
                        struct deis_err *err) deis_must_check;
/* Containers, running or not, that have all these labels ("k=v" or "k", NULL-terminated). */
int deis_docker_list(struct deis_docker *d, const char *const *labels, json_t **ret,
                     struct deis_err *err) deis_must_check;

/* Follow stdout and stderr of a container without a TTY until it ends. Attach before start to lose
 * nothing: on_attached is called once the stream stands. on_end is called once, with NULL at the
 * end of the stream; an Engine that dies looks like an end, too: inspect. A reader that is slow
 * holds up the container. Stop it afterwards, too; from a callback is fine. ops is copied. thread:
 * loop */
struct deis_docker_attach_ops {
    void (*on_attached)(void *arg); /* may be NULL */
    void (*on_output)(int stream, struct deis_str data, void *arg);
    void (*on_end)(const struct deis_err *err, void *arg);
    void (*on_drained)(void *arg); /* all input has gone out; may be NULL */
};
struct deis_docker_attachment;
struct deis_docker_attachment *deis_docker_attach_start(struct deis_docker *d,
                                                        struct deis_loop *loop, const char *id,
                                                        const struct deis_docker_attach_ops *ops,
                                                        void *arg);
void deis_docker_attach_stop(struct deis_docker_attachment *at); /* NULL is fine */
/* With stdin, and for a container that has a TTY: its output is one stream, 1. */
struct deis_docker_attachment *deis_docker_attach_input(struct deis_docker *d,
                                                        struct deis_loop *loop, const char *id,
                                                        bool tty,
                                                        const struct deis_docker_attach_ops *ops,
                                                        void *arg);
/* The same from what the Engine has logged of a container without a TTY: from its first byte on, to
 * the end of the container. */
struct deis_docker_attachment *deis_docker_attach_log(struct deis_docker *d, struct deis_loop *loop,
                                                      const char *id,
                                                      const struct deis_docker_attach_ops *ops,
                                                      void *arg);
/* Input, after on_attached; the caller bounds what is unsent. False: nothing more is taken. */
bool deis_docker_attach_write(struct deis_docker_attachment *at, struct deis_str data);
size_t deis_docker_attach_unsent(const struct deis_docker_attachment *at);
/* The end of the input, behind all that was written. */
void deis_docker_attach_end_input(struct deis_docker_attachment *at);
/* Take no output for a while: the container waits when it has filled the Engine's buffers. */
void deis_docker_attach_pause(struct deis_docker_attachment *at, bool paused);

/* --- images --- */
/* Build from a tar that read_tar gives (as read_body of httpc). Output goes to on_text as it comes,
 * with its line ends, in pieces that may be less than a line. *ret_image_id is yours. DEIS_INVALID:
 * the build failed, err has the Engine's text; DEIS_TIMEOUT: timeout_ms is over. labels: "k=v",
 * NULL-terminated. Closing (cancelled returns true) stops the build in the Engine too. */
struct deis_docker_build {
    const char *tag;        /* "127.0.0.1:5555/blog:git-1a2b3c4d", or NULL */
    const char *dockerfile; /* NULL = Dockerfile */
    const char *const *labels;
    const json_t *build_args; /* object of strings, or NULL */
    uint64_t memory_bytes;    /* of one step; 0 = unlimited */
    uint32_t pids_limit;      /* processes and threads of one step; 0 = unlimited, else at most
                               * 1000 steps. on_text is told when it can't be set */
    ptrdiff_t (*read_tar)(char *data, size_t cap, void *arg);
    void (*on_text)(struct deis_str text, void *arg);
    bool (*cancelled)(void *arg);
    void *arg;
    uint64_t timeout_ms;
};

int deis_docker_build(struct deis_docker *d, const struct deis_docker_build *b, char **ret_image_id,
                      struct deis_err *err) deis_must_check;

/* How an image is moved; all of it may be left out. */
struct deis_docker_transfer {
    const char *user; /* whom the registry knows; NULL: nobody in particular */
    const char *password;
    void (*on_text)(struct deis_str text, void *arg); /* gets a line for each step */
    bool (*cancelled)(void *arg);
    void *arg;
};

/* Push repo:tag. *ret_digest ("sha256:...") is yours. Errors inside the 200 stream are errors. t
 * may be NULL. */
int deis_docker_push(struct deis_docker *d, const char *repo, const char *tag,
                     const struct deis_docker_transfer *t, char **ret_digest,
                     struct deis_err *err) deis_must_check;
/* Pull a reference ("repo:tag" or "repo@sha256:..."). t may be NULL. */
int deis_docker_pull(struct deis_docker *d, const char *reference,
                     const struct deis_docker_transfer *t, struct deis_err *err) deis_must_check;
int deis_docker_image_inspect(struct deis_docker *d, const char *reference, json_t **ret,
                              struct deis_err *err) deis_must_check;
int deis_docker_image_remove(struct deis_docker *d, const char *reference,
                             struct deis_err *err) deis_must_check;

/* --- events --- */
/* Container events with this label ("k=v" or "k"), on the loop, for ever (reconnects). A hint only:
 * list is the truth; on_reconnected is called after every (re)connect, list then. Stop may be
 * called from the callbacks; d must outlive it. thread: loop */
struct deis_docker_events;
struct deis_docker_events *deis_docker_events_start(
    struct deis_docker *d, struct deis_loop *loop, const char *label,
    void (*on_event)(const char *action, const char *container_id, const json_t *attributes,
                     void *arg),
    void (*on_reconnected)(void *arg), void *arg);
void deis_docker_events_stop(struct deis_docker_events *ev);

/* Docker's stream framing, pure: take one frame's part off *input. stream 1 = stdout, 2 = stderr.
 * Zero the struct to start. Returns false when input is used up. */
struct deis_docker_demux {
    unsigned char header[8];
    unsigned have;
    uint32_t left;
};

bool deis_docker_demux_feed(struct deis_docker_demux *x, struct deis_str *input, int *ret_stream,
                            struct deis_str *ret_data);

#endif
