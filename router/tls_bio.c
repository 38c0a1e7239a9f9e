/* SPDX-License-Identifier: MIT */
/*
 * How a connection's records reach its socket. Session tickets of TLS 1.3 wait for what is written
 * next, and what is written last waits in the kernel for the closing alert and the end of the
 * stream: one segment each less.
 */
#include "router/sock.h"
#include "router/tls_server.h"

#include <sys/uio.h>

enum {
    HELD_MAX = 2048,
    TURN_MAX = 128 * 1024, /* bytes that are read before others get their turn */
};

static bool is_ticket(const struct tls_conn *c)
{
    return SSL_get_state(c->ssl) == TLS_ST_SW_SESSION_TICKET &&
           SSL_version(c->ssl) == TLS1_3_VERSION;
}

static void hold(struct tls_conn *c, const char *data, size_t len)
{
    c->held = deis_realloc_array(c->held, c->held_len + len, 1);
    memcpy(c->held + c->held_len, data, len);
    c->held_len += (uint32_t)len;
}

/* What is held, and data behind it; the bytes of data that went out, -1 with errno when none could.
 */
static ssize_t send_held(struct tls_conn *c, const char *data, size_t len)
{
    struct iovec iov[2] = { { c->held, c->held_len }, { (void *)(uintptr_t)data, len } };
    const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = len > 0 ? 2 : 1 };
    ssize_t n = sock_sendmsg(c->fd, &msg, c->last);

    if (n < 0) {
        return n;
    }
    if ((size_t)n < c->held_len) {
        c->held_len -= (uint32_t)n;
        memmove(c->held, c->held + n, c->held_len);
        errno = EAGAIN;
        return -1;
    }
    n -= (ssize_t)c->held_len;
    free(DEIS_TAKE(c->held));
    c->held_len = 0;
    if (n == 0 && len > 0) {
        errno = EAGAIN;
        return -1;
    }
    return n;
}

void tls_flush(struct tls_conn *c)
{
    if (c->held) { /* what the socket does not take now goes with the next write */
        (void)send_held(c, NULL, 0);
    }
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls_conn *c = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (is_ticket(c) && c->held_len + (size_t)len <= HELD_MAX) {
        hold(c, data, (size_t)len);
        return len;
    }
    ssize_t n = c->held ? send_held(c, data, (size_t)len)
                        : sock_send_more(c->fd, data, (size_t)len, c->last);
    if (n < 0 && sock_would_block()) {
        BIO_set_retry_write(bio);
    }
    return (int)n;
}

static int bio_read(BIO *bio, char *data, int len)
{
    struct tls_conn *c = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (c->flooded) {
        errno = ECONNRESET;
        return -1;
    }
    /* OpenSSL reads on as long as what comes is nothing for the reader. */
    if (c->drained || c->turn >= TURN_MAX) {
        BIO_set_retry_read(bio);
        return -1;
    }
    ssize_t n = sock_recv(c->fd, data, (size_t)len);
    c->turn += n > 0 ? (uint32_t)n : 0;
    if (n < 0 && sock_would_block()) {
        BIO_set_retry_read(bio);
    }
    c->drained = n != 0 && n < len;
    c->ended = n == 0;
    return (int)n;
}

static long bio_ctrl(BIO *bio, int what, long number, void *arg)
{
    const struct tls_conn *c = BIO_get_data(bio);

    switch (what) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return c && c->ended;
    default: return 0;
    }
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "router");

    if (m) {
        BIO_meth_set_write(m, bio_write);
        BIO_meth_set_read(m, bio_read);
        BIO_meth_set_ctrl(m, bio_ctrl);
    }
    return m;
}

bool tls_bio_attach(struct tls_server *s, struct tls_conn *c)
{
    BIO *bio = BIO_new(s->bio);

    if (!bio) {
        return false;
    }
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    return true;
}
