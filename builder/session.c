/* SPDX-License-Identifier: MIT */
/*
 * The forced command of a login: reads what the client asked for, asks the controller whether this
 * user may, takes the app's lock for a push, and becomes git. Nothing of the client reaches a
 * shell.
 */
#include "builder/control.h"
#include "builder/core/ssh_command.h"
#include "builder/repo.h"
#include "builder/roles.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define LOCK_PATIENCE_MS 10000
#define LOCK_RETRY_MS    200

#define NO_SUCH_APP                                                                                \
    "no such app, or you have no access to it (see 'deis apps' and 'deis perms:list')"

struct session {
    const char *settings_path;
    const char *user;
    struct settings settings;
    enum ssh_verb verb;
    char *app;
};

static int say(const char *text)
{
    fprintf(stderr, " !     %s\n", text);
    return 1;
}

/* Before git speaks: a packet that its client shows as "fatal: remote error: ...". */
static int refuse(const char *text)
{
    printf("%04zx%s%s\n", strlen(text) + 9, "ERR ", text);
    fflush(stdout);
    return 1;
}

static void on_wait(void)
{
    fputs("Waiting for the controller ...\n", stderr);
}

static int authorize(struct session *s)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct control *control = NULL;

    int rc = control_open(s->settings_path, &control, &err);
    if (rc == DEIS_OK) {
        const char *peer = getenv(ENV_PEER);
        rc = control_authorize(control, s->user, s->app, s->verb == SSH_PUSH ? "push" : "fetch",
                               peer ? peer : "", on_wait, &err);
    }
    control_free(control);
    switch (rc) {
    case DEIS_OK: return 0;
    case DEIS_DENIED:
    case DEIS_NOT_FOUND: return refuse(NO_SUCH_APP);
    case DEIS_UNAVAILABLE:
    case DEIS_TIMEOUT: return refuse("the controller does not answer, try again in a minute");
    default: return refuse(err.msg);
    }
}

/* Some patience: the daemon takes the lock while it tidies up after a push, which waits for the
 * Engine. */
static int take_lock(const struct session *s, int *ret_fd, struct deis_err *err)
{
    uint64_t deadline = deis_now_ms() + LOCK_PATIENCE_MS;

    for (;;) {
        int rc = repo_lock(&s->settings, s->app, ret_fd, err);
        if (rc != DEIS_CONFLICT || deis_now_ms() >= deadline) {
            return rc;
        }
        poll(NULL, 0, LOCK_RETRY_MS);
    }
}

static int prepare_push(const struct session *s)
{
    struct deis_err err = DEIS_ERR_INIT;
    int lock = -1;

    int rc = repo_has_room(&s->settings, &err);
    if (rc == DEIS_OK) {
        rc = take_lock(s, &lock, &err);
    }
    if (rc == DEIS_OK) {
        rc = repo_prepare(&s->settings, s->app, &err);
    }
    if (rc == DEIS_OK && fcntl(lock, F_SETFD, 0) < 0) {
        rc = deis_err_errno(&err, errno, "can't keep the lock");
    }
    /* The descriptor stays open: git and its hook inherit the lock. */
    return rc < 0 ? refuse(err.msg) : 0;
}

static int prepare_fetch(const struct session *s)
{
    if (!repo_exists(&s->settings, s->app)) {
        return refuse("nothing was pushed to this app yet");
    }
    repo_fix_head(&s->settings, s->app);
    return 0;
}

/* A small, known environment; of the client's only its wish for protocol version 2. */
static char **git_environment(const struct session *s)
{
    static char *list[16];
    size_t n = 0;
    const char *protocol = getenv("GIT_PROTOCOL");

    list[n++] = deis_strdup("PATH=/usr/bin:/bin");
    list[n++] = deis_strdup("LANG=C.UTF-8");
    list[n++] = deis_strdup("GIT_CONFIG_NOSYSTEM=1");
    list[n++] = deis_strdup("GIT_CONFIG_GLOBAL=/dev/null");
    list[n++] = deis_strdup(REPO_GIT_ALLOC);
    list[n++] = deis_asprintf("HOME=%s", s->settings.data);
    list[n++] = deis_asprintf(ENV_SETTINGS "=%s", s->settings_path);
    list[n++] = deis_asprintf(ENV_USER "=%s", s->user);
    list[n++] = deis_asprintf(ENV_APP "=%s", s->app);
    if (s->verb == SSH_PUSH) {
        /* The hook's own output goes through git: this one tells it that the client has gone. */
        list[n++] = deis_asprintf(ENV_CLIENT "=%d", dup(STDOUT_FILENO));
    }
    if (s->verb == SSH_FETCH && protocol && strcmp(protocol, "version=2") == 0) {
        list[n++] = deis_strdup("GIT_PROTOCOL=version=2");
    }
    list[n] = NULL;
    return list;
}

static const char *const push_options[] = {
    REPO_GIT_STREAMED,
    "receive.fsckObjects=true",
    "receive.denyDeletes=true",
    /* The hook sees to it that no commit is missing; git would refuse only after it. */
    "receive.shallowUpdate=true",
    "receive.autogc=false",
    "gc.auto=0",
    "maintenance.auto=false",
    /* Once a deploy has begun git must outlive its client, so that the ref follows the release. */
    "receive.keepAlive=0",
};

static const char *const fetch_options[] = {
    REPO_GIT_STREAMED,
    "uploadpack.allowFilter=false",
    REPO_GIT_THREADS,
    REPO_GIT_WINDOW,
};

#define GIT_ARGS_MAX 32

struct git_args {
    char *list[GIT_ARGS_MAX]; /* ends with NULL */
    size_t count;
};

/* Takes text over. */
static void add_arg(struct git_args *a, char *text)
{
    if (a->count < GIT_ARGS_MAX - 1) {
        a->list[a->count++] = text;
    }
}

static void add_options(struct git_args *a, const char *const *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_arg(a, deis_strdup("-c"));
        add_arg(a, deis_strdup(options[i]));
    }
}

static void fill_args(const struct session *s, struct git_args *a)
{
    deis_autofree char *hooks = deis_asprintf("core.hooksPath=%s/hooks", s->settings.data);
    deis_autofree char *limit =
        deis_asprintf("receive.maxInputSize=%llu", (unsigned long long)s->settings.push_max);
    const char *const own[] = { hooks, limit };

    add_arg(a, deis_strdup(s->settings.git));
    add_options(a, own, DEIS_COUNT(own));
    if (s->verb == SSH_PUSH) {
        add_options(a, push_options, DEIS_COUNT(push_options));
        add_arg(a, deis_strdup("receive-pack"));
    } else {
        add_options(a, fetch_options, DEIS_COUNT(fetch_options));
        add_arg(a, deis_strdup("upload-pack"));
        add_arg(a, deis_strdup("--strict"));
        add_arg(a, deis_strdup("--timeout=60"));
    }
    add_arg(a, repo_path(&s->settings, s->app));
}

static int become_git(const struct session *s)
{
    struct git_args args = { 0 };
    char **environment = git_environment(s);

    fill_args(s, &args);
    /* The alarm outlives exec: git can't wait for a silent client for ever. */
    alarm((unsigned)(s->settings.push_timeout_ms / 1000));
    signal(SIGPIPE, SIG_DFL);
    execve(s->settings.git, args.list, environment);
    return refuse("git can't be started");
}

static int run(struct session *s)
{
    int status = authorize(s);

    if (status == 0) {
        status = s->verb == SSH_PUSH ? prepare_push(s) : prepare_fetch(s);
    }
    return status == 0 ? become_git(s) : status;
}

int session_main(const char *self, int argc, char **argv)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct session s = { 0 };
    struct ssh_command command;

    if (argc != 3 || !ssh_user_ok(deis_str(argv[2]))) {
        return role_usage("session SETTINGS USER");
    }
    if (ssh_command_parse(deis_str(getenv("SSH_ORIGINAL_COMMAND")), &command, &err) < 0) {
        return say(err.msg);
    }
    if (command.verb == SSH_PING) {
        return puts("pong") < 0;
    }
    s.settings_path = argv[1];
    s.user = argv[2];
    s.verb = command.verb;
    s.app = deis_str_dup(command.app);
    int status;
    if (settings_load(s.settings_path, &s.settings, &err) < 0) {
        status = refuse("the builder is not ready, try again in a minute");
    } else {
        git_libgit2_init();
        status = run(&s);
        git_libgit2_shutdown();
        settings_clear(&s.settings);
    }
    free(s.app);
    return status;
}

/* What a login comes to while nobody can tell whose key it is. */
int away_main(const char *self, int argc, char **argv)
{
    static const char why[] =
        "the platform can't look your key up now, its controller or etcd does "
        "not answer: try again in a minute";
    struct ssh_command command;

    if (ssh_command_parse(deis_str(getenv("SSH_ORIGINAL_COMMAND")), &command, NULL) < 0 ||
        command.verb == SSH_PING) {
        return say(why);
    }
    return refuse(why);
}
