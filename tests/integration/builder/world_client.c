/* SPDX-License-Identifier: MIT */
/* The developers' side of the world: programs, git, repositories. */
#include "builder/file.h"
#include "tests/integration/builder/world.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_MS 120000

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fail_msg("%s: %s", what, strerror(errno));
    }
}

static pid_t spawn(const char *folder, const char *const *argv, int *ret_fd)
{
    int fds[2];

    must(pipe2(fds, O_CLOEXEC), "pipe");
    pid_t pid = fork();
    must(pid, "fork");
    if (pid == 0) {
        setpgid(0, 0);
        signal(SIGPIPE, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        if (chdir(folder) == 0) {
            execvp(argv[0], (char *const *)(uintptr_t)argv);
        }
        _exit(127);
    }
    setpgid(pid, pid);
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

struct world_client world_spawn(const char *folder, const char *const *argv)
{
    struct world_client c = { .out = DEIS_BUF_INIT(8u << 20) };

    c.pid = spawn(folder, argv, &c.fd);
    return c;
}

/* One read; false at the end. */
static bool read_some(struct world_client *c, uint64_t deadline)
{
    char data[4096];
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    if (deis_now_ms() > deadline || poll(&p, 1, 1000) < 0) {
        kill(-c->pid, SIGKILL);
        fail_msg("no end in sight, output so far:\n%s", c->out.data);
    }
    if (!p.revents) {
        return true;
    }
    ssize_t n = read(c->fd, data, sizeof(data));
    if (n > 0) {
        deis_buf_add(&c->out, data, (size_t)n);
    }
    return n > 0;
}

void world_read_until(struct world_client *c, const char *text)
{
    uint64_t deadline = deis_now_ms() + RUN_MS;

    while (!strstr(c->out.data, text)) {
        if (!read_some(c, deadline)) {
            fail_msg("ended without '%s':\n%s", text, c->out.data);
        }
    }
}

int world_finish(struct world_client *c)
{
    uint64_t deadline = deis_now_ms() + RUN_MS;
    int status = 0;

    while (read_some(c, deadline)) {
    }
    close(c->fd);
    must(waitpid(c->pid, &status, 0), "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void world_client_clear(struct world_client *c)
{
    deis_buf_clear(&c->out);
}

int world_run(const char *folder, struct deis_buf *out, const char *const *argv)
{
    struct world_client c = world_spawn(folder, argv);
    int status = world_finish(&c);

    if (out) {
        deis_buf_reset(out);
        deis_buf_add(out, c.out.data, c.out.len);
    }
    world_client_clear(&c);
    return status;
}

void world_must_run(const char *folder, const char *const *argv)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);

    if (world_run(folder, &out, argv) != 0) {
        fail_msg("%s %s:\n%s", argv[0], argv[1], out.data);
    }
}

void world_new_repo(const struct world *w, const char *name, const char *app)
{
    deis_autofree char *path = deis_asprintf(WORLD_DIR "/%s", name);
    deis_autofree char *url = deis_asprintf("ssh://git@127.0.0.1:%u/%s.git", w->ssh_port, app);

    world_must_run(WORLD_DIR,
                   (const char *const[]){ "git", "init", "-q", "-b", "master", path, NULL });
    world_must_run(path, (const char *const[]){ "git", "remote", "add", "deis", url, NULL });
}

void world_commit(const char *name, ...)
{
    deis_autofree char *folder = deis_asprintf(WORLD_DIR "/%s", name);
    struct deis_err err = DEIS_ERR_INIT;
    va_list args;

    va_start(args, name);
    for (;;) {
        const char *file = va_arg(args, const char *);
        if (!file) {
            break;
        }
        deis_autofree char *path = deis_asprintf("%s/%s", folder, file);
        must(deis_file_replace(path, deis_str(va_arg(args, const char *)), 0600, &err), path);
    }
    va_end(args);
    world_must_run(folder, (const char *const[]){ "git", "add", "-A", ".", NULL });
    world_must_run(
        folder, (const char *const[]){ "git", "commit", "-q", "--allow-empty", "-m", "x", NULL });
}

const char *world_ref(const char *app, const char *branch)
{
    static char id[64];
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    deis_autofree char *repo = deis_asprintf(WORLD_DATA "/repos/%s.git", app);
    deis_autofree char *ref = deis_asprintf("refs/heads/%s", branch);

    id[0] = '\0';
    if (world_git(WORLD_DIR, &out, "-c", "safe.directory=*", "--git-dir", repo, "rev-parse",
                  "--verify", "-q", ref) == 0 &&
        out.len >= 40) {
        memcpy(id, out.data, 40);
        id[40] = '\0';
    }
    return id;
}
