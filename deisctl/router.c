/* SPDX-License-Identifier: MIT */
/* deisctl router:set --control SOCKET HOST ADDR:PORT: change a backend of a router that runs from a
 * file. */
#include "deisctl/deisctl.h"

#include "lib/wire/url.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES 512
#define WAIT_S           10

static int connect_control(const char *path, int *ret_fd, struct deis_err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const struct timeval wait = { .tv_sec = WAIT_S };
    deis_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path)) {
        return deis_err_set(err, DEIS_INVALID, "the name of the control socket is too long");
    }
    memcpy(address.sun_path, path, strlen(path));
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        return deis_err_errno(err, errno, "no router answers at '%s'", path);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* One line; the router answers once all its workers use the change. */
static int read_answer(int fd, char answer[ANSWER_MAX_BYTES], struct deis_err *err)
{
    size_t len = 0;

    while (len < ANSWER_MAX_BYTES - 1 && !memchr(answer, '\n', len)) {
        ssize_t n = recv(fd, answer + len, ANSWER_MAX_BYTES - 1 - len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? deis_err_set(err, DEIS_PROTOCOL, "the router gave no answer")
                          : deis_err_errno(err, errno, "the router gave no answer");
        }
        len += (size_t)n;
    }
    answer[len] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return 0;
}

int command_router_set(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err)
{
    deis_autoclose int fd = -1;
    char answer[ANSWER_MAX_BYTES];
    struct deis_str host;
    uint16_t port;

    if (argc != 5 || strcmp(argv[1], "--control") != 0) {
        return deis_err_set(err, DEIS_INVALID,
                            "a control socket, a host and an address are needed");
    }
    if (strpbrk(argv[3], " \t\r\n") || argv[3][0] == '\0') {
        return deis_err_set(err, DEIS_INVALID, "'%.64s' is no host name", argv[3]);
    }
    int r = deis_addr_split(deis_str(argv[4]), &host, &port, err);
    if (r < 0 || (r = connect_control(argv[2], &fd, err)) < 0) {
        return r;
    }
    deis_autofree char *line = deis_asprintf("set %s %s\n", argv[3], argv[4]);
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line)) {
        return deis_err_errno(err, errno, "the router did not take the change");
    }
    r = read_answer(fd, answer, err);
    if (r == 0 && strcmp(answer, "ok") != 0) {
        const char *why = strncmp(answer, "error: ", 7) == 0 ? answer + 7 : answer;
        return deis_err_set(err, DEIS_CONFLICT, "%s", why);
    }
    return r;
}
