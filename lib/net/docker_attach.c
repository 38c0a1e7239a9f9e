/* SPDX-License-Identifier: MIT */
/* Streams over a socket of our own: attach needs a connection without framing, events the moment at
 * which the Engine has answered. */
#include "lib/base/clock.h"
#include "lib/net/docker_client.h"

#include <errno.h>
#include <event2/buffer.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_TIMEOUT_MS 30000u
#define READ_BYTES      16384
#define READS_PER_TURN  8

static int connect_socket(const char *socket_path, int *ret_fd, struct deis_err *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    if (strlen(socket_path) >= sizeof(addr.sun_path)) {
        return deis_err_set(err, DEIS_INVALID, "path of the Docker socket is too long");
    }
    memcpy(addr.sun_path, socket_path, strlen(socket_path) + 1);
    *ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*ret_fd < 0) {
        return deis_err_errno(err, errno, "can't make a socket");
    }
    /* A local socket connects at once or not at all. */
    if (connect(*ret_fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "Docker Engine at '%s': %s", socket_path,
                            strerrordesc_np(errno));
    }
    return DEIS_OK;
}

int docker_stream_open(const struct deis_docker *d, const char *method, const char *path,
                       bool upgrade, int *ret_fd, struct deis_err *err)
{
    deis_autofree char *head =
        deis_asprintf("%s " DOCKER_API "%s HTTP/1.1\r\nHost: docker\r\n%s%s\r\n", method, path,
                      upgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "",
                      strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
    deis_autoclose int fd = -1;
    size_t len = strlen(head);

    int rc = connect_socket(docker_socket(d), &fd, err);
    if (rc < 0) {
        return rc;
    }
    /* It fits into the empty buffer of the socket as a whole. */
    if (send(fd, head, len, MSG_NOSIGNAL) != (ssize_t)len) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "Docker Engine at '%s' takes no request",
                            docker_socket(d));
    }
    *ret_fd = fd;
    fd = -1;
    return DEIS_OK;
}

/* The stream is over without an answer that says so. */
static int ended_early(const struct docker_answer *a, struct deis_err *err)
{
    if (a->status >= 400) {
        return docker_refused(a->status, deis_buf_str(&a->refusal), err);
    }
    if (a->status == 0 || a->framing != DEIS_H1_UNTIL_CLOSE) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "Docker Engine closed the connection");
    }
    return DEIS_OK;
}

static char *container_path(const char *id, const char *rest)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(16 * 1024);

    deis_buf_add_cstr(&path, "/containers/");
    deis_buf_add_urlencoded(&path, deis_str(id), false);
    deis_buf_add_cstr(&path, rest);
    return deis_buf_take(&path, NULL);
}

static char *attach_path(const char *id)
{
    return container_path(id, "/attach?stream=1&stdout=1&stderr=1");
}

/* --- on the loop --- */

struct docker_stream {
    struct docker_stream_ops ops;
    void *arg;
    int fd; /* -1: over */
    struct event *readable;
    struct event *writable; /* made with the first byte that has to wait */
    struct evbuffer *out;   /* likewise */
    bool write_ends;
    bool write_over;
    bool paused;
    struct deis_timer *timer; /* until the head is there, or to tell that it could not begin */
    struct docker_answer answer;
    struct deis_err start_err;
    bool opened;
    bool busy;  /* in stream_take */
    bool freed; /* while busy */
};

static void stream_close(struct docker_stream *s)
{
    if (s->readable) {
        event_free(DEIS_TAKE(s->readable));
    }
    if (s->writable) {
        event_free(DEIS_TAKE(s->writable));
    }
    if (s->out) {
        evbuffer_free(DEIS_TAKE(s->out));
    }
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
    }
}

static void stream_end(struct docker_stream *s, const struct deis_err *err)
{
    stream_close(s);
    deis_timer_cancel(s->timer);
    s->ops.on_end(err, s->arg); /* s may be gone now */
}

/* false: s may be gone. */
static bool stream_take(struct docker_stream *s, struct deis_str input)
{
    struct deis_err err = DEIS_ERR_INIT;
    enum deis_h1_result r = DEIS_H1_MORE;

    s->busy = true;
    while (r == DEIS_H1_MORE && input.len > 0 && !s->freed) {
        struct deis_str data;
        r = docker_answer_feed(&s->answer, &input, &data, &err);
        if (!s->opened && s->answer.status > 0 && s->answer.status < 400) {
            s->opened = true;
            deis_timer_cancel(s->timer);
            s->ops.on_open(s->arg);
        }
        if (!s->freed && r != DEIS_H1_BAD && data.len > 0) {
            s->ops.on_data(data, s->arg);
        }
    }
    s->busy = false;
    if (s->freed) {
        docker_stream_free(s);
        return false;
    }
    if (r != DEIS_H1_MORE) {
        stream_end(s, r == DEIS_H1_BAD ? &err : NULL);
        return false;
    }
    return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct docker_stream *s = arg;
    char data[READ_BYTES];

    for (int i = 0; i < READS_PER_TURN && !s->paused; i++) {
        ssize_t n = read(fd, data, sizeof(data));
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            struct deis_err err = DEIS_ERR_INIT;
            int rc = ended_early(&s->answer, &err);
            stream_end(s, rc < 0 ? &err : NULL);
            return;
        }
        if (!stream_take(s, deis_str_n(data, (size_t)n))) {
            return;
        }
    }
}

static void on_timer(void *arg)
{
    struct docker_stream *s = arg;

    if (s->start_err.code == DEIS_OK) {
        deis_err_set(&s->start_err, DEIS_TIMEOUT, "Docker Engine does not answer");
    }
    const struct deis_err err = s->start_err;
    stream_end(s, &err);
}

struct docker_stream *docker_stream_start(const struct deis_docker *d, struct deis_loop *loop,
                                          const char *method, const char *path, bool upgrade,
                                          const struct docker_stream_ops *ops, void *arg)
{
    struct docker_stream *s = deis_alloc(sizeof(*s));

    s->ops = *ops;
    s->arg = arg;
    s->fd = -1;
    s->timer = deis_timer_new(loop, on_timer, s);
    docker_answer_init(&s->answer);
    if (docker_stream_open(d, method, path, upgrade, &s->fd, &s->start_err) < 0) {
        deis_timer_after(s->timer, 0);
        return s;
    }
    s->readable = event_new(deis_loop_base(loop), s->fd, EV_READ | EV_PERSIST, on_readable, s);
    if (!s->readable || event_add(s->readable, NULL) < 0) {
        abort();
    }
    deis_timer_after(s->timer, HEAD_TIMEOUT_MS);
    return s;
}

void docker_stream_free(struct docker_stream *s)
{
    if (!s) {
        return;
    }
    if (s->busy) {
        s->freed = true;
        return;
    }
    stream_close(s);
    deis_timer_free(s->timer);
    docker_answer_clear(&s->answer);
    free(s);
}

static void write_over(struct docker_stream *s)
{
    s->write_over = true;
    if (s->out) {
        evbuffer_drain(s->out, evbuffer_get_length(s->out));
    }
}

static void settle_write(struct docker_stream *s)
{
    if (s->write_ends && !s->write_over && docker_stream_unsent(s) == 0) {
        s->write_over = true;
        shutdown(s->fd, SHUT_WR);
    }
}

static void on_stream_writable(evutil_socket_t fd, short what, void *arg)
{
    struct docker_stream *s = arg;

    if (evbuffer_get_length(s->out) > 0 && evbuffer_write(s->out, fd) < 0 && errno != EAGAIN &&
        errno != EINTR) {
        write_over(s); /* what it had to say still comes */
    }
    if (docker_stream_unsent(s) > 0) {
        event_add(s->writable, NULL);
        return;
    }
    settle_write(s);
    if (s->ops.on_drained) {
        s->ops.on_drained(s->arg); /* s may be gone now */
    }
}

static void keep_for_later(struct docker_stream *s, struct deis_str data)
{
    if (!s->out) {
        s->out = evbuffer_new();
        s->writable =
            event_new(event_get_base(s->readable), s->fd, EV_WRITE, on_stream_writable, s);
    }
    if (!s->out || !s->writable || evbuffer_add(s->out, data.ptr, data.len) < 0 ||
        event_add(s->writable, NULL) < 0) {
        abort();
    }
}

bool docker_stream_write(struct docker_stream *s, struct deis_str data)
{
    if (s->fd < 0 || s->write_ends || s->write_over) {
        return false;
    }
    if (docker_stream_unsent(s) == 0 && data.len > 0) {
        ssize_t n = send(s->fd, data.ptr, data.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            write_over(s);
            return false;
        }
        data = deis_str_skip(data, n > 0 ? (size_t)n : 0);
    }
    if (data.len > 0) {
        keep_for_later(s, data);
    }
    return true;
}

size_t docker_stream_unsent(const struct docker_stream *s)
{
    return s->out ? evbuffer_get_length(s->out) : 0;
}

void docker_stream_end_write(struct docker_stream *s)
{
    if (s->fd >= 0) {
        s->write_ends = true;
        settle_write(s);
    }
}

void docker_stream_pause(struct docker_stream *s, bool paused)
{
    if (s->readable && paused != s->paused) {
        s->paused = paused;
        if (paused) {
            event_del(s->readable);
        } else {
            event_add(s->readable, NULL);
        }
    }
}

/* --- attach on the loop --- */

struct deis_docker_attachment {
    struct docker_stream *stream;
    struct deis_docker_demux demux;
    struct deis_docker_attach_ops ops;
    void *arg;
    bool raw;     /* no frames: a TTY's output */
    bool busy;    /* in on_attach_data */
    bool stopped; /* while busy */
};

static void on_attach_open(void *arg)
{
    const struct deis_docker_attachment *at = arg;
    if (at->ops.on_attached) {
        at->ops.on_attached(at->arg);
    }
}

static void on_attach_data(struct deis_str data, void *arg)
{
    struct deis_docker_attachment *at = arg;
    struct deis_str piece;
    int stream;

    at->busy = true;
    if (at->raw) {
        at->ops.on_output(1, data, at->arg);
    }
    while (!at->raw && !at->stopped && deis_docker_demux_feed(&at->demux, &data, &stream, &piece)) {
        at->ops.on_output(stream, piece, at->arg);
    }
    at->busy = false;
    if (at->stopped) {
        deis_docker_attach_stop(at);
    }
}

static void on_attach_end(const struct deis_err *err, void *arg)
{
    const struct deis_docker_attachment *at = arg;
    at->ops.on_end(err, at->arg);
}

static void on_attach_drained(void *arg)
{
    const struct deis_docker_attachment *at = arg;

    if (at->ops.on_drained) {
        at->ops.on_drained(at->arg);
    }
}

/* path is taken. */
static struct deis_docker_attachment *attachment_new(struct deis_docker *d, struct deis_loop *loop,
                                                     const char *method, char *path, bool raw,
                                                     const struct deis_docker_attach_ops *ops,
                                                     void *arg)
{
    static const struct docker_stream_ops stream_ops = {
        .on_open = on_attach_open,
        .on_data = on_attach_data,
        .on_end = on_attach_end,
        .on_drained = on_attach_drained,
    };
    struct deis_docker_attachment *at = deis_alloc(sizeof(*at));

    at->ops = *ops;
    at->arg = arg;
    at->raw = raw;
    at->stream =
        docker_stream_start(d, loop, method, path, strcmp(method, "POST") == 0, &stream_ops, at);
    free(path);
    return at;
}

struct deis_docker_attachment *deis_docker_attach_start(struct deis_docker *d,
                                                        struct deis_loop *loop, const char *id,
                                                        const struct deis_docker_attach_ops *ops,
                                                        void *arg)
{
    return attachment_new(d, loop, "POST", attach_path(id), false, ops, arg);
}

struct deis_docker_attachment *deis_docker_attach_input(struct deis_docker *d,
                                                        struct deis_loop *loop, const char *id,
                                                        bool tty,
                                                        const struct deis_docker_attach_ops *ops,
                                                        void *arg)
{
    return attachment_new(d, loop, "POST",
                          container_path(id, "/attach?stream=1&stdin=1&stdout=1&stderr=1"), tty,
                          ops, arg);
}

struct deis_docker_attachment *deis_docker_attach_log(struct deis_docker *d, struct deis_loop *loop,
                                                      const char *id,
                                                      const struct deis_docker_attach_ops *ops,
                                                      void *arg)
{
    return attachment_new(d, loop, "GET", container_path(id, "/logs?follow=1&stdout=1&stderr=1"),
                          false, ops, arg);
}

bool deis_docker_attach_write(struct deis_docker_attachment *at, struct deis_str data)
{
    return docker_stream_write(at->stream, data);
}

size_t deis_docker_attach_unsent(const struct deis_docker_attachment *at)
{
    return docker_stream_unsent(at->stream);
}

void deis_docker_attach_end_input(struct deis_docker_attachment *at)
{
    docker_stream_end_write(at->stream);
}

void deis_docker_attach_pause(struct deis_docker_attachment *at, bool paused)
{
    docker_stream_pause(at->stream, paused);
}

void deis_docker_attach_stop(struct deis_docker_attachment *at)
{
    if (!at) {
        return;
    }
    if (at->busy) {
        at->stopped = true;
        return;
    }
    docker_stream_free(at->stream);
    free(at);
}
