/* SPDX-License-Identifier: MIT */
#include "tests/support/loop_client.h"

#include "tests/support/test.h"

#include "lib/base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 30000 /* of a busy machine; only a failure takes so long */

static void turn(struct deis_loop *loop)
{
    struct timeval soon = { 0, 2000 };
    event_base_loopexit(deis_loop_base(loop), &soon);
    event_base_loop(deis_loop_base(loop), EVLOOP_ONCE);
}

void loop_until(struct deis_loop *loop, bool (*ready)(void *arg), void *arg)
{
    uint64_t end = deis_now_ms() + WAIT_MS;
    while (!ready(arg)) {
        if (deis_now_ms() > end) {
            fail_msg("waited for too long");
        }
        turn(loop);
    }
}

void loop_settle(struct deis_loop *loop)
{
    for (int i = 0; i < 40; i++) {
        event_base_loop(deis_loop_base(loop), EVLOOP_NONBLOCK);
        if (i == 20) {
            turn(loop); /* a busy kernel may still have the bytes on their way */
        }
    }
}

static void start(struct loop_client *c, struct deis_loop *loop, const struct sockaddr *address,
                  socklen_t len)
{
    *c = (struct loop_client){ .loop = loop };
    deis_buf_init(&c->got, (size_t)64 * 1024 * 1024);
    c->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    assert_int_equal(connect(c->fd, address, len), 0);
}

void client_open(struct loop_client *c, struct deis_loop *loop, uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    start(c, loop, (struct sockaddr *)&in, sizeof(in));
}

void client_open_unix(struct loop_client *c, struct deis_loop *loop, const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    memcpy(un.sun_path, path, strlen(path) + 1);
    start(c, loop, (struct sockaddr *)&un, sizeof(un));
}

size_t client_push(struct loop_client *c, const char *data, size_t len)
{
    ssize_t n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n > 0 ? (size_t)n : 0;
}

struct pushing {
    struct loop_client *c;
    const char *data;
    size_t left;
};

static bool pushed(void *arg)
{
    struct pushing *p = arg;
    size_t n = client_push(p->c, p->data, p->left);
    p->data += n;
    p->left -= n;
    return p->left == 0;
}

void client_send(struct loop_client *c, const char *data, size_t len)
{
    loop_until(c->loop, pushed, &(struct pushing){ c, data, len });
}

void client_say(struct loop_client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

void client_poll(struct loop_client *c)
{
    char *room = deis_buf_reserve(&c->got, 65536);
    assert_non_null(room);
    ssize_t n = c->ended ? 0 : recv(c->fd, room, 65536, MSG_DONTWAIT);
    if (n > 0) {
        deis_buf_added(&c->got, (size_t)n);
    } else if (n == 0) {
        c->ended = true;
    } else if (errno != EAGAIN) {
        c->ended = true;
        c->reset = true;
    }
}

struct expected {
    struct loop_client *c;
    const char *text;
    size_t count; /* of bytes: wanted, or looked at already */
};

static bool has_text(void *arg)
{
    struct expected *e = arg;
    client_poll(e->c);
    struct deis_str fresh = deis_str_skip(deis_buf_str(&e->c->got), e->count);
    bool there = memmem(fresh.ptr, fresh.len, e->text, strlen(e->text)) != NULL;
    /* A long answer is looked at once, not again with each piece. */
    if (!there && fresh.len >= strlen(e->text)) {
        e->count += fresh.len - strlen(e->text) + 1;
    }
    if (!there && e->c->ended) {
        fail_msg("'%s' expected, got the end after '%s'", e->text, e->c->got.data);
    }
    return there;
}

void client_expect(struct loop_client *c, const char *text)
{
    loop_until(c->loop, has_text, &(struct expected){ c, text, 0 });
}

static bool has_count(void *arg)
{
    struct expected *e = arg;
    client_poll(e->c);
    return e->c->got.len >= e->count;
}

void client_expect_bytes(struct loop_client *c, size_t count)
{
    loop_until(c->loop, has_count, &(struct expected){ c, "", count });
}

static bool has_ended(void *arg)
{
    struct loop_client *c = arg;
    client_poll(c);
    return c->ended;
}

void client_expect_end(struct loop_client *c)
{
    loop_until(c->loop, has_ended, c);
}

void client_forget(struct loop_client *c)
{
    deis_buf_reset(&c->got);
}

void client_close(struct loop_client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
    deis_buf_clear(&c->got);
}
