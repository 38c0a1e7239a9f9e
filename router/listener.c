/* SPDX-License-Identifier: MIT */
#include "router/listener.h"

#include "router/core/route_table.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static void set(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int bind_one(const struct sockaddr *address, socklen_t len, bool share)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (share) {
        set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    /* Accepted sockets inherit these. */
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
    if (bind(fd, address, len) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int fail(const char *address, struct deis_err *err)
{
    return deis_err_errno(err, errno, "can't listen on '%s'", address);
}

struct address {
    struct sockaddr_storage sa;
    socklen_t len;
};

static bool parse(const char *text, struct address *ret)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    uint8_t ip[16] = { 0 };
    uint16_t port;
    bool is_v6;

    if (!route_address_parse(deis_str(text), ip, &is_v6, &port)) {
        return false;
    }
    memcpy(&v4.sin_addr, ip, 4);
    memcpy(&v6.sin6_addr, ip, 16);
    v4.sin_port = htons(port);
    v6.sin6_port = htons(port);
    memset(ret, 0, sizeof(*ret));
    ret->len = is_v6 ? sizeof(v6) : sizeof(v4);
    memcpy(&ret->sa, is_v6 ? (const void *)&v6 : (const void *)&v4, ret->len);
    return true;
}

/* Shared sockets would also be shared with another process: find out first. */
static int probe(const struct address *a)
{
    int fd = bind_one((const struct sockaddr *)&a->sa, a->len, false);
    int code = fd < 0 ? -1 : listen(fd, 1);
    int saved = errno;

    if (fd >= 0) {
        close(fd);
    }
    errno = saved;
    return code;
}

int listener_listen(int fd)
{
    return listen(fd, BACKLOG);
}

int listener_open(const char *address, unsigned count, bool join, int *ret_fds,
                  struct deis_err *err)
{
    struct address a;

    if (!parse(address, &a)) {
        return deis_err_set(err, DEIS_INVALID, "'%s' is no address like 0.0.0.0:80", address);
    }
    if (!join && probe(&a) < 0) {
        return fail(address, err);
    }
    for (unsigned i = 0; i < count; i++) {
        ret_fds[i] = bind_one((const struct sockaddr *)&a.sa, a.len, true);
        if (ret_fds[i] < 0 || (!join && listener_listen(ret_fds[i]) < 0)) {
            int code = fail(address, err);
            for (unsigned k = 0; k <= i; k++) {
                if (ret_fds[k] >= 0) {
                    close(ret_fds[k]);
                }
            }
            return code;
        }
    }
    return 0;
}

bool listener_is_at(int fd, const char *address)
{
    struct address want;
    struct address is = { .len = sizeof(is.sa) };
    const struct sockaddr_in *v4[2] = { (const void *)&want.sa, (const void *)&is.sa };
    const struct sockaddr_in6 *v6[2] = { (const void *)&want.sa, (const void *)&is.sa };
    int listening = 0;
    socklen_t len = sizeof(listening);

    if (!parse(address, &want) || getsockname(fd, (struct sockaddr *)&is.sa, &is.len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening ||
        want.sa.ss_family != is.sa.ss_family) {
        return false;
    }
    if (want.sa.ss_family == AF_INET) {
        return v4[0]->sin_port == v4[1]->sin_port &&
               v4[0]->sin_addr.s_addr == v4[1]->sin_addr.s_addr;
    }
    return v6[0]->sin6_port == v6[1]->sin6_port &&
           memcmp(&v6[0]->sin6_addr, &v6[1]->sin6_addr, sizeof(v6[0]->sin6_addr)) == 0;
}
