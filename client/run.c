/* SPDX-License-Identifier: MIT */
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ARGS_MAX   16
#define OUTPUT_MAX ((size_t)1 << 20)

static int start(const char *const *argv, bool want_stderr, const int pipe_fds[2], pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    int wanted = want_stderr ? STDERR_FILENO : STDOUT_FILENO;
    int other = want_stderr ? STDOUT_FILENO : STDERR_FILENO;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, other, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], wanted);
    /* exec takes texts that it does not change, though not as const */
    char *args[ARGS_MAX] = { NULL };
    size_t count = 0;
    while (count < ARGS_MAX - 1 && argv[count]) {
        count++;
    }
    memcpy(args, argv, count * sizeof(args[0]));
    int r = posix_spawnp(ret, argv[0], &actions, NULL, args, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static void collect(int fd, struct deis_buf *out)
{
    for (;;) {
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        deis_buf_add(out, chunk, (size_t)n);
    }
}

int run_program(const char *const *argv, bool want_stderr, struct deis_buf *ret, int *ret_status,
                struct deis_err *err)
{
    int fds[2];
    pid_t pid = 0;
    int status = 0;

    deis_buf_init(ret, OUTPUT_MAX);
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return deis_err_errno(err, errno, "can't make a pipe");
    }
    int r = start(argv, want_stderr, fds, &pid);
    close(fds[1]);
    if (r != 0) {
        close(fds[0]);
        *ret_status = 127;
        return deis_err_errno(err, r, "can't run '%s'", argv[0]);
    }
    collect(fds[0], ret);
    close(fds[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}
