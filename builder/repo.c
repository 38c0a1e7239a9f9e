/* SPDX-License-Identifier: MIT */
#include "builder/repo.h"

#include "builder/file.h"

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOCK_ATTEMPTS     5
#define DISK_FREE_PERCENT 3
#define GONE_PREFIX       "gone-" /* no app name can clash: it has no ".git" behind it */

static int git_fail(struct deis_err *err, const char *what)
{
    const git_error *e = git_error_last();

    return deis_err_set(err, DEIS_SYSTEM, "%s: %s", what, e ? e->message : "unknown");
}

char *repo_path(const struct settings *s, const char *app)
{
    return deis_asprintf("%s/repos/%s.git", s->data, app);
}

bool repo_exists(const struct settings *s, const char *app)
{
    deis_autofree char *path = repo_path(s, app);
    deis_autofree char *head = deis_asprintf("%s/HEAD", path);

    return access(head, F_OK) == 0;
}

int repo_has_room(const struct settings *s, struct deis_err *err)
{
    struct statvfs st;

    if (statvfs(s->data, &st) == 0 && st.f_blocks > 0 &&
        st.f_bavail * 100 / st.f_blocks < DISK_FREE_PERCENT) {
        return deis_err_set(
            err, DEIS_LIMIT,
            "the disk of the platform is full: builds are refused until an operator "
            "has made room");
    }
    return DEIS_OK;
}

/* The lock file may have been removed with its app between open and flock: then it is no lock. */
static bool is_current(int fd, const char *path)
{
    struct stat mine;
    struct stat there;

    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

/* One attempt: 0, DEIS_CONFLICT when it is taken, 1 to try again. */
static int try_lock(const char *app, const char *path, int *ret_fd, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open lock of '%s'", app);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK
                   ? deis_err_set(err, DEIS_CONFLICT, "Another git push is ongoing")
                   : deis_err_errno(err, errno, "can't lock '%s'", app);
    }
    if (!is_current(fd, path)) {
        return 1;
    }
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd < 0 ? deis_err_errno(err, errno, "can't keep lock of '%s'", app) : DEIS_OK;
}

int repo_lock(const struct settings *s, const char *app, int *ret_fd, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/locks/%s", s->data, app);

    for (int i = 0; i < LOCK_ATTEMPTS; i++) {
        int rc = try_lock(app, path, ret_fd, err);
        if (rc <= 0) {
            return rc;
        }
    }
    return deis_err_set(err, DEIS_CONFLICT, "Another git push is ongoing");
}

/* Made beside its place and moved there, so that a repository is whole or absent. */
static int create(const struct settings *s, const char *app, const char *path, struct deis_err *err)
{
    deis_autofree char *temporary = deis_asprintf("%s/repos/" GONE_PREFIX "%s.new", s->data, app);
    git_repository_init_options opts = GIT_REPOSITORY_INIT_OPTIONS_INIT;
    git_repository *repo = NULL;

    int rc = folder_remove(temporary, err);
    if (rc < 0) {
        return rc;
    }
    opts.flags =
        GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_NO_REINIT;
    opts.initial_head = "master";
    if (git_repository_init_ext(&repo, temporary, &opts) < 0) {
        return git_fail(err, "can't create repository");
    }
    git_repository_free(repo);
    rc = folder_remove(path, err);
    if (rc == DEIS_OK && rename(temporary, path) < 0) {
        rc = deis_err_errno(err, errno, "can't create repository of '%s'", app);
    }
    return rc;
}

struct sweep {
    const char *folder;
    bool locks; /* remove *.lock, else temporary objects */
};

static void sweep_entry(const char *name, void *arg)
{
    const struct sweep *w = arg;
    struct deis_str n = deis_str(name);
    bool stale = w->locks ? deis_str_ends(n, ".lock")
                          : deis_str_starts(n, "incoming-") || deis_str_starts(n, "tmp_");

    if (stale) {
        deis_autofree char *path = deis_asprintf("%s/%s", w->folder, name);
        struct deis_err err = DEIS_ERR_INIT;
        /* What can't be removed now is tried again at the next push. */
        (void)!folder_remove(path, &err);
    }
}

static void sweep_folder(const char *repo, const char *below, bool locks)
{
    deis_autofree char *folder = deis_asprintf("%s/%s", repo, below);
    struct sweep w = { folder, locks };

    folder_each(folder, sweep_entry, &w);
}

void repo_tidy(const struct settings *s, const char *app)
{
    deis_autofree char *path = repo_path(s, app);

    sweep_folder(path, "objects", false);
    sweep_folder(path, "objects/pack", false);
    sweep_folder(path, "refs/heads", true);
    sweep_folder(path, ".", true);
}

int repo_prepare(const struct settings *s, const char *app, struct deis_err *err)
{
    deis_autofree char *path = repo_path(s, app);

    if (!repo_exists(s, app)) {
        return create(s, app, path, err);
    }
    repo_tidy(s, app);
    return DEIS_OK;
}

void repo_fix_head(const struct settings *s, const char *app)
{
    deis_autofree char *path = repo_path(s, app);
    git_repository *repo = NULL;
    git_oid id;

    if (git_repository_open_bare(&repo, path) == 0 &&
        git_reference_name_to_id(&id, repo, "HEAD") == GIT_ENOTFOUND &&
        git_reference_name_to_id(&id, repo, "refs/heads/main") == 0) {
        git_repository_set_head(repo, "refs/heads/main");
    }
    git_repository_free(repo);
}

int repo_remove(const struct settings *s, const char *app, struct deis_err *err)
{
    deis_autofree char *path = repo_path(s, app);
    deis_autofree char *gone = deis_asprintf("%s/repos/" GONE_PREFIX "%s", s->data, app);
    deis_autofree char *lock = deis_asprintf("%s/locks/%s", s->data, app);

    int rc = folder_remove(gone, err);
    if (rc == DEIS_OK && rename(path, gone) < 0 && errno != ENOENT) {
        rc = deis_err_errno(err, errno, "can't remove repository of '%s'", app);
    }
    if (rc == DEIS_OK) {
        rc = folder_remove(gone, err);
    }
    if (rc == DEIS_OK) {
        unlink(lock);
    }
    return rc;
}

static void sweep_gone(const char *name, void *arg)
{
    const struct settings *s = arg;

    if (deis_str_starts(deis_str(name), GONE_PREFIX) && !deis_str_ends(deis_str(name), ".git")) {
        deis_autofree char *path = deis_asprintf("%s/repos/%s", s->data, name);
        struct deis_err err = DEIS_ERR_INIT;
        (void)!folder_remove(path, &err);
    }
}

void repo_sweep(const struct settings *s)
{
    deis_autofree char *repos = deis_asprintf("%s/repos", s->data);
    struct settings copy = *s;

    folder_each(repos, sweep_gone, &copy);
}

struct each {
    void (*fn)(const char *app, void *arg);
    void *arg;
};

static void each_repo(const char *name, void *arg)
{
    const struct each *e = arg;
    struct deis_str n = deis_str(name);

    if (deis_str_ends(n, ".git")) {
        deis_autofree char *app = deis_str_dup(deis_str_first(n, n.len - 4));
        e->fn(app, e->arg);
    }
}

void repo_each(const struct settings *s, void (*fn)(const char *app, void *arg), void *arg)
{
    deis_autofree char *repos = deis_asprintf("%s/repos", s->data);
    struct each e = { fn, arg };

    folder_each(repos, each_repo, &e);
}
