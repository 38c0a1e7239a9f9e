/* SPDX-License-Identifier: MIT */
#include "builder/tree_tar.h"

#include "builder/core/tar.h"
#include "builder/core/tree_path.h"
#include "builder/pushed.h"

#define DEPTH_MAX      64
#define TREE_BYTES_MAX (16u << 20) /* of one folder's list */
#define AHEAD_MAX      16384       /* headers and padding waiting to be read */

struct entry {
    char *path;
    git_oid id;
    enum tar_kind kind;
    uint64_t size;
    char *own; /* contents that were put in the place of the file's, or NULL */
};

struct tree_tar {
    git_repository *repo;
    git_odb *odb;
    struct tree_tar_limits limits;
    struct entry *entries;
    size_t count;
    size_t cap;
    uint64_t total;

    size_t next;           /* entry whose header comes next */
    struct deis_buf ahead; /* headers and padding, before the file's contents */
    git_odb_object *blob;  /* what holds the contents under way, unless they are an entry's own */
    struct deis_str left;  /* of these contents */
    bool in_file;          /* they, or the padding behind them, are still to come */
    size_t padding;
    bool ended;
    struct deis_err err;
};

static struct entry *add_entry(struct tree_tar *t)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->entries = deis_realloc_array(t->entries, t->cap, sizeof(*t->entries));
    }
    struct entry *e = &t->entries[t->count++];
    *e = (struct entry){ 0 };
    return e;
}

static int read_link(struct tree_tar *t, const struct entry *e, git_odb_object **ret,
                     struct deis_str *ret_target, struct deis_err *err)
{
    if (git_odb_read(ret, t->odb, &e->id) < 0) {
        return pushed_git_fail(err, "can't read a symlink");
    }
    *ret_target = deis_str_n(git_odb_object_data(*ret), git_odb_object_size(*ret));
    return DEIS_OK;
}

static int check_link(struct tree_tar *t, const struct entry *e, struct deis_err *err)
{
    git_odb_object *object = NULL;
    struct deis_str target = DEIS_STR_NONE;

    if (e->size > TAR_PATH_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "symlink '%s' has a target of over %d bytes", e->path,
                            TAR_PATH_MAX);
    }
    int rc = read_link(t, e, &object, &target, err);
    if (rc == DEIS_OK && !tree_path_link_ok(deis_str(e->path), target)) {
        rc = deis_err_set(err, DEIS_INVALID, "symlink '%s' leads out of the repository", e->path);
    }
    git_odb_object_free(object);
    return rc;
}

static int check_blob(struct tree_tar *t, struct entry *e, struct deis_err *err)
{
    size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;

    if (git_odb_read_header(&size, &type, t->odb, &e->id) < 0) {
        return pushed_git_fail(err, "can't read an object");
    }
    if (type != GIT_OBJECT_BLOB) {
        return deis_err_set(err, DEIS_INVALID, "'%s' is not a file", e->path);
    }
    e->size = size;
    t->total += size;
    if (e->kind == TAR_SYMLINK) {
        return check_link(t, e, err);
    }
    if (size > t->limits.file_bytes) {
        return deis_err_set(err, DEIS_LIMIT, "file '%s' is over %llu MB", e->path,
                            (unsigned long long)(t->limits.file_bytes >> 20));
    }
    if (t->total > t->limits.total_bytes) {
        return deis_err_set(err, DEIS_LIMIT, "the files of the commit are over %llu MB",
                            (unsigned long long)(t->limits.total_bytes >> 20));
    }
    return DEIS_OK;
}

static int kind_of(git_filemode_t mode, const char *path, enum tar_kind *ret, struct deis_err *err)
{
    switch (mode) {
    case GIT_FILEMODE_BLOB: *ret = TAR_FILE; return DEIS_OK;
    case GIT_FILEMODE_BLOB_EXECUTABLE: *ret = TAR_EXECUTABLE; return DEIS_OK;
    case GIT_FILEMODE_LINK: *ret = TAR_SYMLINK; return DEIS_OK;
    case GIT_FILEMODE_TREE: *ret = TAR_DIRECTORY; return DEIS_OK;
    case GIT_FILEMODE_COMMIT:
        return deis_err_set(
            err, DEIS_INVALID,
            "'%s' is a submodule: its files are not in the repository, add them to it", path);
    case GIT_FILEMODE_UNREADABLE: break;
    }
    return deis_err_set(err, DEIS_INVALID, "'%s' has an unknown mode", path);
}

static int add_tree(struct tree_tar *t, const git_oid *id, const char *prefix, unsigned depth,
                    struct deis_err *err);

static int add_one(struct tree_tar *t, const git_tree_entry *item, const char *prefix,
                   unsigned depth, struct deis_err *err)
{
    const char *name = git_tree_entry_name(item);
    enum tar_kind kind = TAR_FILE;

    if (!tree_path_name_ok(deis_str(name)) || strlen(prefix) + strlen(name) > TAR_PATH_MAX) {
        return deis_err_set(err, DEIS_INVALID, "a file in '/%.200s' has a name that is not allowed",
                            prefix);
    }
    if (t->count >= t->limits.entries) {
        return deis_err_set(err, DEIS_LIMIT, "the commit has more than %zu files",
                            t->limits.entries);
    }
    deis_autofree char *path = deis_asprintf("%s%s", prefix, name);
    int rc = kind_of(git_tree_entry_filemode(item), path, &kind, err);
    if (rc < 0) {
        return rc;
    }
    struct entry *e = add_entry(t);
    e->kind = kind;
    e->path = DEIS_TAKE(path);
    git_oid_cpy(&e->id, git_tree_entry_id(item));
    if (kind != TAR_DIRECTORY) {
        return check_blob(t, e, err);
    }
    deis_autofree char *below = deis_asprintf("%s/", e->path);
    return add_tree(t, git_tree_entry_id(item), below, depth + 1, err);
}

static int add_tree(struct tree_tar *t, const git_oid *id, const char *prefix, unsigned depth,
                    struct deis_err *err)
{
    git_tree *tree = NULL;
    git_object_t type = GIT_OBJECT_INVALID;
    size_t size = 0;
    int rc = DEIS_OK;

    if (depth > DEPTH_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "folders are nested more than %d deep", DEPTH_MAX);
    }
    if (git_odb_read_header(&size, &type, t->odb, id) == 0 && size > TREE_BYTES_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "a folder has too many files");
    }
    if (git_tree_lookup(&tree, t->repo, id) < 0) {
        return pushed_git_fail(err, "can't read a folder");
    }
    for (size_t i = 0; i < git_tree_entrycount(tree) && rc == DEIS_OK; i++) {
        rc = add_one(t, git_tree_entry_byindex(tree, i), prefix, depth, err);
    }
    git_tree_free(tree);
    return rc;
}

static int read_commit(struct tree_tar *t, const char *commit, struct deis_err *err)
{
    git_oid id;
    git_commit *object = NULL;

    if (git_oid_fromstr(&id, commit) < 0 || git_commit_lookup(&object, t->repo, &id) < 0) {
        return deis_err_set(err, DEIS_INVALID, "what was pushed is not a commit");
    }
    int rc = add_tree(t, git_commit_tree_id(object), "", 0, err);
    git_commit_free(object);
    return rc;
}

int tree_tar_open(const char *path, const char *quarantine, const char *commit,
                  const struct tree_tar_limits *limits, struct tree_tar **ret, struct deis_err *err)
{
    struct tree_tar *t = deis_alloc(sizeof(*t));

    t->limits = *limits;
    deis_buf_init(&t->ahead, AHEAD_MAX);
    int rc = pushed_open(path, quarantine, &t->repo, &t->odb, err);
    if (rc == DEIS_OK) {
        rc = read_commit(t, commit, err);
    }
    if (rc < 0) {
        tree_tar_free(t);
        return rc;
    }
    *ret = t;
    return DEIS_OK;
}

void tree_tar_free(struct tree_tar *t)
{
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->count; i++) {
        free(t->entries[i].path);
        free(t->entries[i].own);
    }
    free(t->entries);
    deis_buf_clear(&t->ahead);
    git_odb_object_free(t->blob);
    git_odb_free(t->odb);
    git_repository_free(t->repo);
    free(t);
}

static struct entry *find(const struct tree_tar *t, const char *path)
{
    for (size_t i = 0; i < t->count; i++) {
        struct entry *e = &t->entries[i];
        if ((e->kind == TAR_FILE || e->kind == TAR_EXECUTABLE) && strcmp(e->path, path) == 0) {
            return e;
        }
    }
    return NULL;
}

bool tree_tar_has(const struct tree_tar *t, const char *path)
{
    return find(t, path) != NULL;
}

bool tree_tar_taken(const struct tree_tar *t, const char *path)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->entries[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

int tree_tar_get(struct tree_tar *t, const char *path, struct deis_buf *out, struct deis_err *err)
{
    const struct entry *e = find(t, path);
    git_odb_object *object = NULL;

    if (!e) {
        return deis_err_set(err, DEIS_NOT_FOUND, "no file '%s'", path);
    }
    if (e->size > out->max_bytes - out->len) {
        return deis_err_set(err, DEIS_LIMIT, "'%s' is over %zu bytes", path,
                            out->max_bytes - out->len);
    }
    if (git_odb_read(&object, t->odb, &e->id) < 0) {
        return pushed_git_fail(err, "can't read a file");
    }
    deis_buf_add(out, git_odb_object_data(object), git_odb_object_size(object));
    git_odb_object_free(object);
    return DEIS_OK;
}

int tree_tar_replace(struct tree_tar *t, const char *path, struct deis_str contents,
                     struct deis_err *err)
{
    struct entry *e = find(t, path);

    if (!e) {
        return deis_err_set(err, DEIS_NOT_FOUND, "no file '%s'", path);
    }
    free(e->own);
    e->own = deis_str_dup(contents);
    e->size = contents.len;
    return DEIS_OK;
}

void tree_tar_add(struct tree_tar *t, const char *path, struct deis_str contents)
{
    struct entry *e = add_entry(t);

    e->kind = TAR_FILE;
    e->path = deis_strdup(path);
    e->own = deis_str_dup(contents);
    e->size = contents.len;
}

size_t tree_tar_count(const struct tree_tar *t)
{
    return t->count;
}

const struct deis_err *tree_tar_error(const struct tree_tar *t)
{
    return &t->err;
}

/* Have a file's contents at hand. */
static int open_contents(struct tree_tar *t, const struct entry *e)
{
    t->left = deis_str_n(e->own, e->size);
    if (!e->own) {
        if (git_odb_read(&t->blob, t->odb, &e->id) < 0) {
            return pushed_git_fail(&t->err, "can't read a file");
        }
        if (git_odb_object_size(t->blob) != e->size) {
            return deis_err_set(&t->err, DEIS_INTERNAL, "'%s' changed its size", e->path);
        }
        t->left = deis_str_n(git_odb_object_data(t->blob), e->size);
    }
    t->padding = tar_padding(e->size);
    t->in_file = true;
    return DEIS_OK;
}

static int begin_entry(struct tree_tar *t, const struct entry *e)
{
    struct tar_entry header = { e->kind, deis_str(e->path), DEIS_STR_NONE, 0 };
    git_odb_object *object = NULL;
    int rc = DEIS_OK;

    if (e->kind == TAR_SYMLINK) {
        rc = read_link(t, e, &object, &header.link, &t->err);
    } else if (e->kind != TAR_DIRECTORY) {
        header.size = e->size;
        rc = open_contents(t, e);
    }
    if (rc == DEIS_OK) {
        rc = tar_add_header(&header, &t->ahead, &t->err);
    }
    git_odb_object_free(object);
    return rc;
}

static void end_contents(struct tree_tar *t)
{
    static const char zeros[TAR_BLOCK];

    git_odb_object_free(t->blob);
    t->blob = NULL;
    t->in_file = false;
    deis_buf_add(&t->ahead, zeros, t->padding);
}

/* Some of what is at hand; 0 when a next entry has to be begun. */
static size_t take(struct tree_tar *t, char *data, size_t cap)
{
    if (t->ahead.len > 0) {
        size_t n = t->ahead.len < cap ? t->ahead.len : cap;
        memcpy(data, t->ahead.data, n);
        deis_buf_drain(&t->ahead, n);
        return n;
    }
    if (!t->in_file) {
        return 0;
    }
    size_t n = t->left.len < cap ? t->left.len : cap;
    if (n > 0) {
        memcpy(data, t->left.ptr, n);
        t->left = deis_str_skip(t->left, n);
    }
    if (t->left.len == 0) {
        end_contents(t);
    }
    return n;
}

/* Put something at hand; 0 at the end of the archive. */
static int advance(struct tree_tar *t)
{
    if (t->next < t->count) {
        return begin_entry(t, &t->entries[t->next++]) < 0 ? -1 : 1;
    }
    if (t->ended) {
        return 0;
    }
    t->ended = true;
    tar_add_end(&t->ahead);
    return 1;
}

ssize_t tree_tar_read(struct tree_tar *t, char *data, size_t cap)
{
    size_t done = 0;

    while (done < cap) {
        size_t n = take(t, data + done, cap - done);
        done += n;
        if (n > 0 || t->in_file || t->ahead.len > 0) {
            continue;
        }
        int rc = advance(t);
        if (rc < 0) {
            return -1;
        }
        if (rc == 0) {
            break;
        }
    }
    return (ssize_t)done;
}
