/* SPDX-License-Identifier: MIT */
/* A connection over TLS. */
#include "router/tls.h"
#include "router/tls_server.h"
#include "router/worker.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

enum { RECORD = 16384 };

struct tls_conn *tls_conn_new(struct tls_server *s, struct worker *w, int fd)
{
    const struct tls_snapshot *snapshot = tls_snapshot_of(w);
    struct tls_conn *c = deis_alloc(sizeof(*c));

    c->worker = w;
    c->fd = fd;
    c->ssl = SSL_new(snapshot ? snapshot->ctx : s->ctx);
    if (!c->ssl || !tls_bio_attach(s, c)) {
        tls_conn_free(c);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_app_data(c->ssl, c);
    SSL_set_accept_state(c->ssl);
    return c;
}

void tls_conn_free(struct tls_conn *c)
{
    if (c) {
        SSL_free(c->ssl);
        tls_cert_unref(c->cert);
        free(c->held);
        free(c);
    }
}

enum tls_result tls_handshake(struct tls_conn *c)
{
    c->drained = false;
    c->turn = 0;
    ERR_clear_error();
    int n = SSL_do_handshake(c->ssl);

    if (n == 1) {
        c->established = true;
        c->more = SSL_has_pending(c->ssl) == 1;
        SSL_certs_clear(c->ssl);
        tls_cert_unref(DEIS_TAKE(c->cert));
        return TLS_DONE;
    }
    switch (SSL_get_error(c->ssl, n)) {
    case SSL_ERROR_WANT_READ: return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_WANT_WRITE;
    default: c->broken = true; return TLS_FAILED;
    }
}

/* What a call that moved nothing is to return; errno is set. */
static ssize_t outcome(struct tls_conn *c, int n)
{
    switch (SSL_get_error(c->ssl, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default:
        c->broken = true;
        errno = ECONNRESET;
        return -1;
    }
}

ssize_t tls_recv(struct tls_conn *c, void *data, size_t len)
{
    char *p = data;
    size_t total = 0;

    c->turn = 0;
    do {
        size_t want = len - total < INT32_MAX ? len - total : INT32_MAX;
        ERR_clear_error();
        int n = SSL_read(c->ssl, p + total, (int)want);
        c->drained = false;
        if (n <= 0) {
            ssize_t r = outcome(c, n);
            c->more = r == 0 || errno != EAGAIN;
            return total > 0 ? (ssize_t)total : r;
        }
        total += (size_t)n;
        c->more = SSL_has_pending(c->ssl) == 1;
    } while (c->more && total < len);
    return (ssize_t)total;
}

ssize_t tls_send(struct tls_conn *c, const void *data, size_t len)
{
    const char *p = data;
    size_t total = 0;

    while (total < len) {
        size_t want = len - total < INT32_MAX ? len - total : INT32_MAX;
        ERR_clear_error();
        int n = SSL_write(c->ssl, p + total, (int)want);
        if (n <= 0) {
            ssize_t r = outcome(c, n);
            if (r == 0) {
                errno = EPIPE;
            }
            return total > 0 ? (ssize_t)total : -1;
        }
        total += (size_t)n;
    }
    return (ssize_t)total;
}

/* Small parts share a record; of large ones only the ends are copied. */
ssize_t tls_send_parts(struct tls_conn *c, const struct iovec *iov, int count)
{
    char record[RECORD];
    size_t off = 0;
    ssize_t total = 0;

    for (int i = 0; i < count;) {
        const char *data = (const char *)iov[i].iov_base + off;
        size_t len = iov[i].iov_len - off;
        if (i < count - 1 && len < RECORD) {
            len = 0;
            while (i < count && len < RECORD) {
                size_t room = RECORD - len;
                size_t part = iov[i].iov_len - off < room ? iov[i].iov_len - off : room;
                memcpy(record + len, (const char *)iov[i].iov_base + off, part);
                len += part;
                off += part;
                if (off == iov[i].iov_len) {
                    i++;
                    off = 0;
                }
            }
            data = record;
        } else if (i < count - 1) {
            len -= len % RECORD;
            off += len;
        } else {
            i++;
        }
        ssize_t n = tls_send(c, data, len);
        if (n < 0) {
            return total > 0 ? total : n;
        }
        total += n;
        if ((size_t)n < len) {
            return total;
        }
    }
    return total;
}

bool tls_speaks_h2(const struct tls_conn *c)
{
    const unsigned char *name;
    unsigned int len;

    SSL_get0_alpn_selected(c->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

bool tls_has_more(const struct tls_conn *c)
{
    return c->more;
}

void tls_last_write(struct tls_conn *c)
{
    c->last = true;
}

void tls_shut(struct tls_conn *c)
{
    if (c->established && !c->broken && !c->shut) {
        c->shut = true;
        c->last = true;
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl);
        (void)shutdown(c->fd, SHUT_WR);
    }
}
