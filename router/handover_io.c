/* SPDX-License-Identifier: MIT */
#include "router/handover_io.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Room for the descriptors of one packet, aligned as unix(7) wants it. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(HANDOVER_FDS_MAX * sizeof(int))];
};

bool handover_path(char out[108], const char *data)
{
    int n = snprintf(out, 108, "%s/handover", data);

    return n > 0 && n < 108;
}

int handover_send(int s, const struct handover_msg *m, const int *fds, struct deis_err *err)
{
    char text[HANDOVER_PACKET_MAX];
    struct iovec part = { text, handover_write(text, m) };
    struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1 };
    union control c = { .bytes = { 0 } };

    if (fds) {
        size_t len = m->count * sizeof(int);
        h.msg_control = c.bytes;
        h.msg_controllen = CMSG_SPACE(len);
        c.header.cmsg_level = SOL_SOCKET;
        c.header.cmsg_type = SCM_RIGHTS;
        c.header.cmsg_len = CMSG_LEN(len);
        memcpy(CMSG_DATA(&c.header), fds, len);
    }
    return sendmsg(s, &h, MSG_NOSIGNAL | MSG_DONTWAIT) < 0
               ? deis_err_errno(err, errno, "can't write to the other process")
               : 0;
}

static void take_fds(struct msghdr *h, struct handover_packet *p)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            size_t len = c->cmsg_len - CMSG_LEN(0);
            memcpy(p->fds + p->fd_count, CMSG_DATA(c), len);
            p->fd_count += (unsigned)(len / sizeof(int));
        }
    }
}

static int check(const struct msghdr *h, ssize_t n, struct handover_packet *p, struct deis_err *err)
{
    if (h->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        return deis_err_set(err, DEIS_PROTOCOL, "the other process sent too much at once");
    }
    int code = handover_parse(deis_str_n(p->data, (size_t)n), &p->msg, err);
    if (code == 0 && p->fd_count != p->msg.count) {
        code = deis_err_set(err, DEIS_PROTOCOL, "%u sockets came where %u were named", p->fd_count,
                            p->msg.count);
    }
    return code;
}

int handover_recv(int s, struct handover_packet *ret, struct deis_err *err)
{
    struct iovec part = { ret->data, sizeof(ret->data) };
    union control c;
    struct msghdr h = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = c.bytes, .msg_controllen = sizeof(c.bytes)
    };
    ssize_t n = recvmsg(s, &h, MSG_CMSG_CLOEXEC);

    ret->fd_count = 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return deis_err_set(err, DEIS_NOT_FOUND, "nothing has come");
    }
    if (n <= 0) {
        return deis_err_set(err, DEIS_CANCELLED, "the other process has closed");
    }
    take_fds(&h, ret);
    int code = check(&h, n, ret, err);
    for (unsigned i = 0; code < 0 && i < ret->fd_count; i++) {
        close(ret->fds[i]);
    }
    return code;
}

int handover_check_peer(int s, struct deis_err *err)
{
    struct ucred who;
    socklen_t len = sizeof(who);

    if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
        return deis_err_errno(err, errno, "can't tell who the other process is");
    }
    return who.uid == geteuid()
               ? 0
               : deis_err_set(err, DEIS_DENIED, "the other process belongs to user %u", who.uid);
}
