/* SPDX-License-Identifier: MIT */
#include "tests/support/program.h"

#include "lib/base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 60000 /* of a busy machine; only a failure takes so long */

static void give_up(const char *what)
{
    fprintf(stderr, "test support: %s: %s\n", what, strerror(errno));
    abort();
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

void program_start(struct program *p, const char *name, const char *const *argv)
{
    const char *bin = getenv("DEIS_BIN");
    char path[4096];
    char *args[64];
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/%s", bin ? bin : ".", name);
    args[n++] = path;
    while (*argv && n < DEIS_COUNT(args) - 1) {
        args[n++] = deis_strdup(*argv++);
    }
    args[n] = NULL;
    p->pid = fork();
    if (p->pid < 0) {
        give_up("fork");
    }
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(path, args);
        _exit(127);
    }
    for (size_t i = 1; i < n; i++) {
        free(args[i]);
    }
}

void program_wait_port(uint16_t port)
{
    const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
    uint64_t end = deis_now_ms() + WAIT_MS;

    for (;;) {
        struct sockaddr_in a = loopback(port);
        deis_autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
            return;
        }
        if (deis_now_ms() > end) {
            give_up("nobody listens");
        }
        nanosleep(&pause, NULL);
    }
}

int program_stop(struct program *p, int signal)
{
    int status = 0;

    if (p->pid > 0) {
        kill(p->pid, signal);
        if (waitpid(p->pid, &status, 0) < 0) {
            give_up("waitpid");
        }
        p->pid = 0;
    }
    return status;
}

char *program_temp_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = deis_asprintf("%s/deis-test.XXXXXX", base ? base : "/tmp");

    if (!mkdtemp(path)) {
        give_up("no temporary folder");
    }
    return path;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

void program_remove_folder(char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

char *program_write_key(const char *folder)
{
    char *path = deis_asprintf("%s/cluster.key", folder);
    deis_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char text[65];

    memset(text, 'a', 64);
    text[64] = '\n';
    if (fd < 0 || write(fd, text, sizeof(text)) != (ssize_t)sizeof(text)) {
        give_up("can't write the key");
    }
    return path;
}
