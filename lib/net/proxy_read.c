/* SPDX-License-Identifier: MIT */
#include "lib/net/proxy_read.h"

#include <errno.h>
#include <sys/socket.h>

struct deis_proxy_held {
    size_t len;
    char data[];
};

/* Bytes that were looked at are taken out of the socket. */
static bool take(int fd, char *data, size_t len)
{
    return recv(fd, data, len, MSG_DONTWAIT) == (ssize_t)len;
}

static void hold(struct deis_proxy_held **held, const char *data, size_t len)
{
    *held = deis_realloc_array(*held, sizeof(**held) + len, 1);
    (*held)->len = len;
    memcpy((*held)->data, data, len);
}

enum deis_proxy_result deis_proxy_read(int fd, struct deis_proxy_held **held,
                                       struct deis_proxy_head *ret, struct deis_err *err)
{
    char data[DEIS_PROXY_HEAD_MAX];
    size_t have = *held ? (*held)->len : 0;
    size_t used;

    if (have > 0) {
        memcpy(data, (*held)->data, have);
    }
    ssize_t n = recv(fd, data + have, sizeof(data) - have, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return DEIS_PROXY_MORE;
    }
    if (n <= 0) {
        deis_err_set(err, DEIS_PROTOCOL, "the connection ended before its PROXY header");
        return DEIS_PROXY_BAD;
    }
    enum deis_proxy_result result =
        deis_proxy_head_parse(deis_str_n(data, have + (size_t)n), ret, &used, err);
    /* What has come of a header that is not complete leaves the socket, too: it would be reported
     * as readable for ever. */
    size_t end = result == DEIS_PROXY_DONE ? used : have + (size_t)n;
    if (result != DEIS_PROXY_BAD && !take(fd, data + have, end - have)) {
        deis_err_set(err, DEIS_PROTOCOL, "the connection ended within its PROXY header");
        result = DEIS_PROXY_BAD;
    }
    if (result == DEIS_PROXY_MORE) {
        hold(held, data, end);
    } else {
        free(*held);
        *held = NULL;
    }
    return result;
}
