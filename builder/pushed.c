/* SPDX-License-Identifier: MIT */
#include "builder/pushed.h"

int pushed_git_fail(struct deis_err *err, const char *what)
{
    const git_error *e = git_error_last();

    return deis_err_set(err, DEIS_SYSTEM, "%s: %s", what, e ? e->message : "unknown");
}

int pushed_open(const char *path, const char *quarantine, git_repository **ret_repo,
                git_odb **ret_odb, struct deis_err *err)
{
    if (git_repository_open_bare(ret_repo, path) < 0 ||
        git_repository_odb(ret_odb, *ret_repo) < 0) {
        return pushed_git_fail(err, "can't open the repository");
    }
    if (quarantine && git_odb_add_disk_alternate(*ret_odb, quarantine) < 0) {
        return pushed_git_fail(err, "can't open the pushed objects");
    }
    return DEIS_OK;
}

static int walk_back(git_revwalk *walk, const git_oid *from, struct deis_err *err)
{
    git_oid id;

    int rc = git_revwalk_hide_glob(walk, "*");
    if (rc < 0) {
        return pushed_git_fail(err, "can't read the branches");
    }
    rc = git_revwalk_push(walk, from);
    if (rc < 0) {
        return deis_err_set(err, DEIS_INVALID, "what was pushed is not a commit");
    }
    while (rc == 0) {
        rc = git_revwalk_next(&id, walk);
    }
    return rc == GIT_ITEROVER
               ? DEIS_OK
               : deis_err_set(err, DEIS_INVALID,
                              "commits are missing before the one that was pushed, as in a shallow "
                              "clone: git fetch --unshallow, then push again");
}

int pushed_check_history(const char *path, const char *quarantine, const char *commit,
                         struct deis_err *err)
{
    git_repository *repo = NULL;
    git_odb *odb = NULL;
    git_revwalk *walk = NULL;
    git_oid id;

    int rc = pushed_open(path, quarantine, &repo, &odb, err);
    if (rc == DEIS_OK && git_oid_fromstr(&id, commit) < 0) {
        rc = deis_err_set(err, DEIS_INVALID, "what was pushed is not a commit");
    }
    if (rc == DEIS_OK && git_revwalk_new(&walk, repo) < 0) {
        rc = pushed_git_fail(err, "can't read the history");
    }
    if (rc == DEIS_OK) {
        rc = walk_back(walk, &id, err);
    }
    git_revwalk_free(walk);
    git_odb_free(odb);
    git_repository_free(repo);
    return rc;
}
