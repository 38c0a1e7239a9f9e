/* SPDX-License-Identifier: MIT */
#include "controller/acme_client.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOOK_FD_NAME "DEIS_ACME_HOOK_FD"

enum {
    HOOK_FD = 3,
    OUTPUT_MAX = 16 * 1024,
    TICK_MS = 1000,
    RUN_MAX_MS = 5 * 60 * 1000,
    HOOK_WAIT_S = 60,
};

struct run {
    const struct acme_client *client;
    int hook;   /* our end of the socket */
    int output; /* -1: at its end */
    pid_t pid;
    struct deis_buf text;
};

/* --- the hook --- */

bool acme_hook_main(int argc, char **argv, int *ret_status)
{
    deis_autobuf struct deis_buf message = DEIS_BUF_INIT(AUTOCERT_HOOK_MAX);
    const char *fd = getenv(HOOK_FD_NAME);
    const struct timeval wait = { HOOK_WAIT_S, 0 };
    char answer = 'n';

    if (!fd || argc != 6) {
        return false;
    }
    for (int i = 1; i < argc; i++) {
        deis_buf_add(&message, argv[i], strlen(argv[i]) + 1);
    }
    *ret_status = 1;
    if (!deis_buf_failed(&message) &&
        setsockopt(HOOK_FD, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
        send(HOOK_FD, message.data, message.len, MSG_NOSIGNAL) == (ssize_t)message.len &&
        recv(HOOK_FD, &answer, 1, 0) == 1 && answer == 'y') {
        *ret_status = 0;
    }
    return true;
}

static void serve_hook(struct run *r)
{
    char message[AUTOCERT_HOOK_MAX];
    struct autocert_hook hook;
    ssize_t n = recv(r->hook, message, sizeof(message), MSG_DONTWAIT);

    if (n <= 0) {
        return;
    }
    bool ok =
        autocert_hook_parse(message, (size_t)n, &hook) && r->client->on_hook(&hook, r->client->arg);
    (void)send(r->hook, ok ? "y" : "n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- the child --- */

/* False: there is nothing more at present. */
static bool read_output(struct run *r)
{
    char part[1024];
    ssize_t n = read(r->output, part, sizeof(part));

    if (n > 0) {
        if (r->text.len + (size_t)n > OUTPUT_MAX) {
            deis_buf_drain(&r->text, r->text.len / 2); /* the end tells most */
        }
        deis_buf_add(&r->text, part, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(r->output);
        r->output = -1;
    }
    return n > 0;
}

static int spawn(struct run *r, char **argv, int hook, int output, struct deis_err *err)
{
    static char path[] = "PATH=/usr/bin:/bin";
    static char fd[] = HOOK_FD_NAME "=3";
    char *environment[] = { path, fd, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, defaults;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, hook, HOOK_FD);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    int e = posix_spawn(&r->pid, argv[0], &actions, &attr, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return e ? deis_err_errno(err, e, "can't start '%s'", argv[0]) : 0;
}

/* Its exit status, or -1 with err. */
static int reap(struct run *r, struct deis_err *err)
{
    int status = 0;

    (void)kill(-r->pid, SIGKILL); /* a hook that is left; the child itself has ended or is to */
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (err->code != DEIS_OK) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int await(struct run *r, struct deis_err *err)
{
    uint64_t until_ms = deis_now_ms() + RUN_MAX_MS;
    uint64_t asked_ms = deis_now_ms();
    siginfo_t info = { 0 };

    err->code = DEIS_OK;
    while (waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0) {
        /* The end of its output is the news that it has ended. */
        struct pollfd fds[] = { { r->hook, POLLIN, 0 }, { r->output, POLLIN, 0 } };
        uint64_t now_ms = deis_now_ms();
        if (now_ms >= until_ms) {
            deis_err_set(err, DEIS_TIMEOUT, "it took longer than %d s", RUN_MAX_MS / 1000);
            break;
        }
        if (now_ms >= asked_ms + TICK_MS) {
            asked_ms = now_ms;
            if (!r->client->go_on(r->client->arg)) {
                deis_err_set(err, DEIS_CANCELLED, "given up");
                break;
            }
        }
        (void)poll(fds, DEIS_COUNT(fds), r->output < 0 ? 10 : TICK_MS);
        if (fds[0].revents & POLLIN) {
            serve_hook(r);
        }
        if (r->output >= 0 && fds[1].revents) {
            (void)read_output(r);
        }
    }
    return reap(r, err);
}

static int finish(struct run *r, int status, struct deis_err *err)
{
    char reason[AUTOCERT_DETAIL_MAX + 1];

    while (r->output >= 0 && read_output(r)) {
    }
    if (status == 0 || status < 0) {
        return status < 0 ? (int)err->code : 0;
    }
    deis_debug("the ACME client failed", KV_V("said", deis_buf_str(&r->text)));
    autocert_reason(deis_buf_str(&r->text), reason);
    return deis_err_set(err, DEIS_INVALID, "%s", reason[0] ? reason : "it failed without a word");
}

int acme_client_run(const struct acme_client *c, const char *const *words, struct deis_err *err)
{
    char self[512];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *argv[7 + ACME_WORDS_MAX + 1] = { c->program,   "-c", c->dir, "-a",
                                                 c->directory, "-h", self };
    struct run r = { .client = c, .hook = -1, .output = -1, .text = DEIS_BUF_INIT(OUTPUT_MAX) };
    int hooks[2], pipes[2];

    if (len <= 0) {
        return deis_err_errno(err, errno, "can't find this program");
    }
    self[len] = '\0';
    for (size_t i = 0; words[i] && i < ACME_WORDS_MAX; i++) {
        argv[7 + i] = words[i];
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, hooks) < 0) {
        return deis_err_errno(err, errno, "can't make a socket");
    }
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        deis_err_errno(err, errno, "can't make a pipe");
        close(hooks[0]);
        close(hooks[1]);
        return err->code;
    }
    r.hook = hooks[0];
    r.output = pipes[0];
    (void)fcntl(r.output, F_SETFL, O_NONBLOCK);
    int code = spawn(&r, (char **)(uintptr_t)argv, hooks[1], pipes[1], err);
    close(hooks[1]);
    close(pipes[1]);
    if (code == 0) {
        code = finish(&r, await(&r, err), err);
    }
    close(r.hook);
    if (r.output >= 0) {
        close(r.output);
    }
    deis_buf_clear(&r.text);
    return code;
}
