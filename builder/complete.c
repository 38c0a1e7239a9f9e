/* SPDX-License-Identifier: MIT */
#include "builder/complete.h"

#include "builder/file.h"
#include "builder/repo.h"

#include <errno.h>
#include <git2.h>
#include <unistd.h>

struct move {
    const char *from;
    const char *to;
    bool index; /* of a pack: git sees the pack when its index is there */
    int error;  /* errno of the first that could not be moved */
};

static void move_one(const char *name, void *arg)
{
    struct move *m = arg;
    deis_autofree char *from = deis_asprintf("%s/%s", m->from, name);
    deis_autofree char *to = deis_asprintf("%s/%s", m->to, name);

    if (deis_str_ends(deis_str(name), ".idx") == m->index && rename(from, to) < 0 && !m->error) {
        m->error = errno;
    }
}

static int move_files(const char *from, const char *to, bool index, struct deis_err *err)
{
    struct move m = { from, to, index, 0 };

    folder_each(from, move_one, &m);
    return m.error ? deis_err_errno(err, m.error, "can't move objects to '%s'", to) : DEIS_OK;
}

struct loose {
    const char *quarantine;
    const char *objects;
    int rc;
    struct deis_err *err;
};

static void move_loose(const char *name, void *arg)
{
    struct loose *l = arg;
    deis_autofree char *from = deis_asprintf("%s/%s", l->quarantine, name);
    deis_autofree char *to = deis_asprintf("%s/%s", l->objects, name);

    if (strlen(name) != 2 || l->rc < 0) {
        return;
    }
    l->rc = folder_make(to, l->err);
    if (l->rc == DEIS_OK) {
        l->rc = move_files(from, to, false, l->err);
    }
}

/* What git does when a hook has ended well: everything but the indexes first. */
static int take_objects(const char *repo, const char *quarantine, struct deis_err *err)
{
    deis_autofree char *objects = deis_asprintf("%s/objects", repo);
    deis_autofree char *from = deis_asprintf("%s/%s", objects, quarantine);
    deis_autofree char *packs_from = deis_asprintf("%s/pack", from);
    deis_autofree char *packs_to = deis_asprintf("%s/pack", objects);
    struct loose l = { from, objects, DEIS_OK, err };

    folder_each(from, move_loose, &l);
    if (l.rc == DEIS_OK) {
        l.rc = move_files(packs_from, packs_to, false, err);
    }
    return l.rc < 0 ? l.rc : move_files(packs_from, packs_to, true, err);
}

static int git_fail(struct deis_err *err, int rc, const char *what)
{
    const git_error *e = git_error_last();

    return deis_err_set(err, rc == GIT_ENOTFOUND ? DEIS_NOT_FOUND : DEIS_SYSTEM, "%s: %s", what,
                        e ? e->message : "unknown");
}

static int move_branch(git_repository *repo, const struct record *r, struct deis_err *err)
{
    git_oid commit;
    git_oid old;
    git_commit *found = NULL;
    git_reference *ref = NULL;

    if (git_oid_fromstr(&commit, r->commit) < 0 || git_oid_fromstr(&old, r->old) < 0) {
        return deis_err_set(err, DEIS_INVALID, "the record of the build has no commit");
    }
    int rc = git_commit_lookup(&found, repo, &commit);
    if (rc < 0) {
        return git_fail(err, rc, "the pushed commit");
    }
    git_commit_free(found);
    rc = git_oid_is_zero(&old)
             ? git_reference_create(&ref, repo, r->branch, &commit, 0, NULL)
             : git_reference_create_matching(&ref, repo, r->branch, &commit, 1, &old, NULL);
    git_reference_free(ref);
    return rc == 0 || rc == GIT_EEXISTS || rc == GIT_EMODIFIED
               ? DEIS_OK
               : git_fail(err, rc, "can't move the branch");
}

int complete_push(const struct settings *s, const struct record *r, struct deis_err *err)
{
    deis_autofree char *path = repo_path(s, r->app);
    git_repository *repo = NULL;

    if (!repo_exists(s, r->app)) {
        return deis_err_set(err, DEIS_NOT_FOUND, "the repository is gone");
    }
    int rc = *r->quarantine ? take_objects(path, r->quarantine, err) : DEIS_OK;
    if (rc < 0) {
        return rc;
    }
    git_libgit2_init();
    rc = git_repository_open_bare(&repo, path);
    rc = rc < 0 ? git_fail(err, rc, "can't open the repository") : move_branch(repo, r, err);
    git_repository_free(repo);
    git_libgit2_shutdown();
    return rc;
}
