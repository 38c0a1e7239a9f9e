/* SPDX-License-Identifier: MIT */
#include "builder/upkeep.h"

#include "builder/file.h"
#include "builder/repo.h"

#include "lib/net/log.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* Objects are spread evenly over 256 folders: one of them tells of all. */
#define LOOSE_SAMPLE   "objects/17"
#define LOOSE_MANY     20 /* in the sample: about 5,000 in all */
#define PACK_FILES_MAX 80 /* each pack has two or three files */
#define GC_SECONDS     600

static void count_one(const char *name, void *arg)
{
    (*(unsigned *)arg)++;
}

static unsigned count_files(const char *repo, const char *below)
{
    deis_autofree char *folder = deis_asprintf("%s/%s", repo, below);
    unsigned n = 0;

    folder_each(folder, count_one, &n);
    return n;
}

void upkeep_start(const struct settings *s, const char *app, int lock)
{
    deis_autofree char *repo = repo_path(s, app);
    deis_autofree char *home = deis_asprintf("HOME=%s", s->data);
    /* No push is under way, and nobody fetches what no branch has: it may go at once. */
    char *const argv[] = { s->git,
                           "-c",
                           "gc.autoDetach=false",
                           "-c",
                           "gc.pruneExpire=now",
                           "-c",
                           REPO_GIT_STREAMED,
                           "-c",
                           REPO_GIT_WINDOW,
                           "-c",
                           REPO_GIT_THREADS,
                           "--git-dir",
                           repo,
                           "gc",
                           "--quiet",
                           NULL };
    char *const environment[] = { "PATH=/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM=1",
                                  "GIT_CONFIG_GLOBAL=/dev/null", home, NULL };

    if (count_files(repo, LOOSE_SAMPLE) < LOOSE_MANY &&
        count_files(repo, "objects/pack") < PACK_FILES_MAX) {
        return;
    }
    deis_info("repacking", KV_S("app", app));
    if (fork() == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        fcntl(lock, F_SETFD, 0);
        alarm(GC_SECONDS);
        execve(s->git, argv, environment);
        _exit(127);
    }
}
