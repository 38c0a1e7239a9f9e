/* SPDX-License-Identifier: MIT */
/*
 * Socket calls of the workers. The C library's are cancellation points, which in a program with
 * threads costs two atomic exchanges a call; no thread of ours is ever cancelled. Results as usual.
 * thread: any
 */
#ifndef DEIS_ROUTER_SOCK_H
#define DEIS_ROUTER_SOCK_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline ssize_t sock_recv(int fd, void *data, size_t len)
{
    return (ssize_t)syscall(SYS_recvfrom, fd, data, len, 0, NULL, NULL);
}

static inline ssize_t sock_send_more(int fd, const void *data, size_t len, bool more)
{
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);

    return (ssize_t)syscall(SYS_sendto, fd, data, len, flags, NULL, 0);
}

static inline ssize_t sock_send(int fd, const void *data, size_t len)
{
    return sock_send_more(fd, data, len, false);
}

static inline ssize_t sock_sendmsg(int fd, const struct msghdr *msg, bool more)
{
    return (ssize_t)syscall(SYS_sendmsg, fd, msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

/* Nothing is wrong: it would have blocked. */
static inline bool sock_would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Has the peer ended or reset the connection? Bytes of it may still be there to be read. fd -1: no.
 */
static inline bool sock_is_ended(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLRDHUP };

    return poll(&p, 1, 0) > 0;
}

#endif
