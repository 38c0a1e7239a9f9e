/* SPDX-License-Identifier: MIT */
#include "registry-proxy/blob_store.h"

#include "registry-proxy/core/route.h"
#include "registry-proxy/disk.h"

#include "lib/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES DISK_PATH_BYTES
#define HEX_LEN    64

struct blob_store {
    char root[512];
    int lock_fd;      /* holds the folder: one store at a time */
    atomic_uint temp; /* numbers temporary files */
    /* Held to look at a blob and mark it as used, to put one in its place, and to look at one and
     * remove it: so the sweep never removes what somebody has just relied on. */
    pthread_mutex_t blob_lock;
    pthread_mutex_t repo_lock; /* of all that changes folders below repos/ */
};

static char *path_of(const struct blob_store *s, char out[PATH_BYTES], const char *format, ...)
    deis_printf(3, 4);

static char *path_of(const struct blob_store *s, char out[PATH_BYTES], const char *format, ...)
{
    va_list args;
    int n = snprintf(out, PATH_BYTES, "%s/", s->root);

    va_start(args, format);
    n += vsnprintf(out + n, PATH_BYTES - (size_t)n, format, args);
    va_end(args);
    if (n >= PATH_BYTES) {
        abort(); /* every part is a checked name of bounded length */
    }
    return out;
}

static int put_in_place(struct blob_store *s, const char *from, const char *to,
                        struct deis_err *err)
{
    pthread_mutex_lock(&s->blob_lock);
    int r = rename(from, to);
    int errnum = errno;
    pthread_mutex_unlock(&s->blob_lock);
    return r < 0 ? deis_err_errno(err, errnum, "can't move a file to '%s'", to) : 0;
}

/* Replace path with data: complete and on disk, or untouched. */
static int write_file(struct blob_store *s, char *path, struct deis_str data, struct deis_err *err)
{
    char temp[PATH_BYTES];
    int r = disk_make_folders(path, err);

    if (r < 0) {
        return r;
    }
    path_of(s, temp, "uploads/.%u", atomic_fetch_add(&s->temp, 1));
    deis_autoclose int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return deis_err_errno(err, errno, "can't create '%s'", temp);
    }
    r = disk_write_all(fd, data, err);
    if (r == 0 && fsync(fd) < 0) {
        r = deis_err_errno(err, errno, "registry storage: sync failed");
    }
    if (r == 0) {
        r = put_in_place(s, temp, path, err);
    }
    if (r < 0) {
        unlink(temp);
        return r;
    }
    return disk_sync_parent(path, err);
}

static int take_folder(struct blob_store *s, struct deis_err *err)
{
    char path[PATH_BYTES];
    int r = disk_make_folders(path_of(s, path, "%s", ""), err);

    if (r < 0) {
        return r;
    }
    s->lock_fd = open(path_of(s, path, ".lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        return deis_err_set(err, DEIS_CONFLICT, "another registry-proxy uses '%s'", s->root);
    }
    r = disk_remove_tree(path_of(s, path, "uploads"), err);
    static const char *const folders[] = { "uploads/", "blobs/", "repos/" };
    for (size_t i = 0; r == 0 && i < DEIS_COUNT(folders); i++) {
        r = disk_make_folders(path_of(s, path, "%s", folders[i]), err);
    }
    return r;
}

struct blob_store *blob_store_open(const char *root, struct deis_err *err)
{
    struct blob_store *s = deis_alloc(sizeof(*s));

    s->lock_fd = -1;
    pthread_mutex_init(&s->blob_lock, NULL);
    pthread_mutex_init(&s->repo_lock, NULL);
    if (strlen(root) >= sizeof(s->root)) {
        deis_err_set(err, DEIS_LIMIT, "the data folder's name is too long");
        blob_store_free(s);
        return NULL;
    }
    snprintf(s->root, sizeof(s->root), "%s", root);
    if (take_folder(s, err) < 0) {
        blob_store_free(s);
        return NULL;
    }
    return s;
}

void blob_store_free(struct blob_store *s)
{
    if (s) {
        if (s->lock_fd >= 0) {
            close(s->lock_fd);
        }
        pthread_mutex_destroy(&s->blob_lock);
        pthread_mutex_destroy(&s->repo_lock);
        free(s);
    }
}

/* --- blobs --- */

static char *blob_path(const struct blob_store *s, char out[PATH_BYTES], struct deis_str hex)
{
    return path_of(s, out, "blobs/%.2s/%.*s", hex.ptr, HEX_LEN, hex.ptr);
}

int blob_stat(struct blob_store *s, struct deis_str hex, uint64_t *ret_size, struct deis_err *err)
{
    char path[PATH_BYTES];
    struct stat st;

    blob_path(s, path, hex);
    pthread_mutex_lock(&s->blob_lock);
    bool known = stat(path, &st) == 0 && utimensat(AT_FDCWD, path, NULL, 0) == 0;
    int errnum = errno;
    pthread_mutex_unlock(&s->blob_lock);
    if (!known) {
        return deis_err_errno(err, errnum, "blob sha256:%.*s", DEIS_STR_ARG(hex));
    }
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

int blob_open(struct blob_store *s, struct deis_str hex, int *ret_fd, uint64_t *ret_size,
              struct deis_err *err)
{
    char path[PATH_BYTES];
    struct stat st;
    deis_autoclose int fd = open(blob_path(s, path, hex), O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        return deis_err_errno(err, errno, "blob sha256:%.*s", DEIS_STR_ARG(hex));
    }
    *ret_size = (uint64_t)st.st_size;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int blob_read(struct blob_store *s, struct deis_str hex, size_t max_bytes, struct deis_buf *out,
              struct deis_err *err)
{
    deis_autoclose int fd = -1;
    uint64_t size;
    int r = blob_open(s, hex, &fd, &size, err);

    if (r < 0) {
        return r;
    }
    if (size > max_bytes) {
        return deis_err_set(err, DEIS_LIMIT, "blob is larger than %zu bytes", max_bytes);
    }
    while (size > 0) {
        char *room = deis_buf_reserve(out, size);
        ssize_t n = room ? read(fd, room, size) : -1;
        if (n <= 0) {
            return deis_err_errno(err, n < 0 ? errno : EIO, "can't read a blob");
        }
        deis_buf_added(out, (size_t)n);
        size -= (size_t)n;
    }
    return 0;
}

int blob_write(struct blob_store *s, struct deis_str data, const char *hex, struct deis_err *err)
{
    char path[PATH_BYTES];

    return write_file(s, blob_path(s, path, deis_str(hex)), data, err);
}

/* --- uploads --- */

int upload_create(struct blob_store *s, const char *id, int *ret_fd, struct deis_err *err)
{
    char path[PATH_BYTES];
    int fd = open(path_of(s, path, "uploads/%s", id), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't create an upload");
    }
    *ret_fd = fd;
    return 0;
}

int upload_commit(struct blob_store *s, const char *id, int fd, const char *hex,
                  struct deis_err *err)
{
    char from[PATH_BYTES];
    char to[PATH_BYTES];
    int r = disk_make_folders(blob_path(s, to, deis_str(hex)), err);

    path_of(s, from, "uploads/%s", id);
    /* Its grace time begins now, not with its last byte. */
    if (r == 0 && (futimens(fd, NULL) < 0 || fsync(fd) < 0)) {
        r = deis_err_errno(err, errno, "registry storage: sync failed");
    }
    if (r == 0) {
        r = put_in_place(s, from, to, err);
    }
    if (r < 0) {
        unlink(from);
        return r;
    }
    return disk_sync_parent(to, err);
}

void upload_remove(struct blob_store *s, const char *id)
{
    char path[PATH_BYTES];

    unlink(path_of(s, path, "uploads/%s", id));
}

/* --- repositories --- */

/* Folders may go with their last file at any time: not while one is put there. */
static int write_repo_file(struct blob_store *s, char *path, struct deis_str data,
                           struct deis_err *err)
{
    pthread_mutex_lock(&s->repo_lock);
    int r = write_file(s, path, data, err);
    pthread_mutex_unlock(&s->repo_lock);
    return r;
}

int repo_put_manifest(struct blob_store *s, struct deis_str name, const char *hex,
                      const char *media_type, struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_manifests/%s", DEIS_STR_ARG(name), hex);
    return write_repo_file(s, path, deis_str(media_type), err);
}

int repo_get_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex, char *type,
                      struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_manifests/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(hex));
    return disk_read_small(path, type, 128, err);
}

int repo_put_tag(struct blob_store *s, struct deis_str name, struct deis_str tag, const char *hex,
                 struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_tags/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(tag));
    return write_repo_file(s, path, deis_str(hex), err);
}

int repo_get_tag(struct blob_store *s, struct deis_str name, struct deis_str tag, char *hex,
                 struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_tags/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(tag));
    return disk_read_small(path, hex, HEX_LEN + 1, err);
}

int repo_delete_tag(struct blob_store *s, struct deis_str name, struct deis_str tag,
                    struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_tags/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(tag));
    return unlink(path) < 0 ? deis_err_errno(err, errno, "can't remove the tag") : 0;
}

int repo_delete(struct blob_store *s, struct deis_str name, struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s", DEIS_STR_ARG(name));
    pthread_mutex_lock(&s->repo_lock);
    int r = disk_remove_tree(path, err);
    pthread_mutex_unlock(&s->repo_lock);
    return r;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct strv {
    char **items;
    size_t count;
};

static void strv_add(struct strv *v, const char *item)
{
    v->items = deis_realloc_array(v->items, v->count + 2, sizeof(*v->items));
    v->items[v->count++] = deis_strdup(item);
    v->items[v->count] = NULL;
}

static char **strv_finish(struct strv *v)
{
    if (!v->items) {
        return deis_alloc(sizeof(*v->items));
    }
    qsort(v->items, v->count, sizeof(*v->items), compare_names);
    return v->items;
}

int repo_list_tags(struct blob_store *s, struct deis_str name, char ***ret, struct deis_err *err)
{
    char path[PATH_BYTES];
    struct strv tags = { 0 };
    const struct dirent *e;
    struct stat st;

    if (stat(path_of(s, path, "repos/%.*s/_manifests", DEIS_STR_ARG(name)), &st) < 0) {
        return deis_err_errno(err, errno, "repository '%.*s'", DEIS_STR_ARG(name));
    }
    DIR *dir;
    int r = disk_open_folder(path_of(s, path, "repos/%.*s/_tags", DEIS_STR_ARG(name)), &dir, err);
    if (r < 0) {
        return r;
    }
    while (dir && (e = readdir(dir)) != NULL) {
        if (registry_is_tag(deis_str(e->d_name))) {
            strv_add(&tags, e->d_name);
        }
    }
    disk_close_folder(dir);
    *ret = strv_finish(&tags);
    return 0;
}

static int delete_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex,
                           struct deis_err *err)
{
    char path[PATH_BYTES];
    char **tags = NULL;
    int r = repo_list_tags(s, name, &tags, err);

    for (char **t = tags; r == 0 && *t; t++) {
        char tagged[HEX_LEN + 1];
        if (repo_get_tag(s, name, deis_str(*t), tagged, err) == 0 &&
            deis_str_eq_cstr(hex, tagged)) {
            r = repo_delete_tag(s, name, deis_str(*t), err);
        }
    }
    deis_strv_free(tags);
    path_of(s, path, "repos/%.*s/_manifests/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(hex));
    if (r == 0 && unlink(path) < 0) {
        r = deis_err_errno(err, errno, "manifest sha256:%.*s", DEIS_STR_ARG(hex));
    }
    /* The folders go with the last manifest; rmdir refuses while something is in them. */
    if (r == 0 && rmdir(path_of(s, path, "repos/%.*s/_manifests", DEIS_STR_ARG(name))) == 0) {
        rmdir(path_of(s, path, "repos/%.*s/_tags", DEIS_STR_ARG(name)));
        rmdir(path_of(s, path, "repos/%.*s", DEIS_STR_ARG(name)));
    }
    return r;
}

int repo_delete_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex,
                         struct deis_err *err)
{
    pthread_mutex_lock(&s->repo_lock);
    int r = delete_manifest(s, name, hex, err);
    pthread_mutex_unlock(&s->repo_lock);
    return r;
}

/* Repository names have parts that are folders; names of ours start with '_', which no part may. */
static int list_folder(const struct blob_store *s, const char *below, struct strv *repos,
                       struct strv *folders, struct deis_err *err)
{
    char path[PATH_BYTES];
    const struct dirent *e;
    DIR *dir;
    int r = disk_open_folder(path_of(s, path, "repos/%s", below), &dir, err);

    while (r == 0 && dir && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, "_manifests") == 0) {
            strv_add(repos, below);
        } else if (e->d_name[0] != '.' && e->d_name[0] != '_') {
            deis_autofree char *name = deis_asprintf("%s%s%s", below, *below ? "/" : "", e->d_name);
            strv_add(folders, name);
        }
    }
    disk_close_folder(dir);
    return r;
}

int store_list_repos(struct blob_store *s, char ***ret, struct deis_err *err)
{
    struct strv repos = { 0 };
    struct strv folders = { 0 };
    int r = list_folder(s, "", &repos, &folders, err);

    for (size_t i = 0; r == 0 && i < folders.count; i++) {
        r = list_folder(s, folders.items[i], &repos, &folders, err);
    }
    deis_strv_free(folders.items);
    *ret = strv_finish(&repos);
    if (r < 0) {
        deis_strv_free(*ret);
        *ret = NULL;
    }
    return r;
}

/* --- sweep --- */

static int walk_repo(struct blob_store *s, const char *name, store_manifest_fn fn, void *arg,
                     struct deis_err *err)
{
    char path[PATH_BYTES];
    const struct dirent *e;
    DIR *dir;
    int r = disk_open_folder(path_of(s, path, "repos/%s/_manifests", name), &dir, err);

    while (r == 0 && dir && (e = readdir(dir)) != NULL) {
        char type[128];
        if (strlen(e->d_name) != HEX_LEN) {
            continue;
        }
        r = repo_get_manifest(s, deis_str(name), deis_str(e->d_name), type, err);
        if (r == 0) {
            r = fn(name, e->d_name, type, arg, err);
        } else if (r == DEIS_NOT_FOUND) {
            r = 0; /* deleted meanwhile */
        }
    }
    disk_close_folder(dir);
    return r;
}

int store_walk_manifests(struct blob_store *s, store_manifest_fn fn, void *arg,
                         struct deis_err *err)
{
    char **repos = NULL;
    int r = store_list_repos(s, &repos, err);

    for (char **name = repos; r == 0 && *name; name++) {
        r = walk_repo(s, *name, fn, arg, err);
    }
    deis_strv_free(repos);
    return r;
}

int repo_mark_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex,
                       struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_manifests/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(hex));
    return utimensat(AT_FDCWD, path, NULL, 0) < 0
               ? deis_err_errno(err, errno, "can't mark a manifest")
               : 0;
}

int repo_retire_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex,
                         int64_t before_s, bool *ret_removed, struct deis_err *err)
{
    char path[PATH_BYTES];
    struct stat st;
    int r = 0;

    path_of(s, path, "repos/%.*s/_manifests/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(hex));
    pthread_mutex_lock(&s->repo_lock);
    *ret_removed = stat(path, &st) == 0 && st.st_mtime < before_s;
    if (*ret_removed) {
        r = delete_manifest(s, name, hex, err);
    }
    pthread_mutex_unlock(&s->repo_lock);
    return r;
}

int store_marking_since(struct blob_store *s, int64_t *ret_s, struct deis_err *err)
{
    char path[PATH_BYTES];
    struct stat st;
    deis_autoclose int fd =
        open(path_of(s, path, ".marking"), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || fstat(fd, &st) < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    *ret_s = (int64_t)st.st_mtime;
    return 0;
}

/* Bytes that came free. */
static uint64_t sweep_blob(struct blob_store *s, const char *path, int64_t before_s)
{
    struct stat st;
    uint64_t bytes = 0;

    pthread_mutex_lock(&s->blob_lock);
    if (stat(path, &st) == 0 && st.st_mtime < before_s && unlink(path) == 0) {
        bytes = (uint64_t)st.st_size;
    }
    pthread_mutex_unlock(&s->blob_lock);
    return bytes;
}

int store_sweep(struct blob_store *s, bool (*keep)(const char *hex, void *arg), void *arg,
                int64_t before_s, uint64_t *ret_bytes, struct deis_err *err)
{
    *ret_bytes = 0;
    for (unsigned i = 0; i < 256; i++) {
        char folder[PATH_BYTES];
        const struct dirent *e;
        DIR *dir;
        int r = disk_open_folder(path_of(s, folder, "blobs/%02x", i), &dir, err);

        if (r < 0) {
            return r;
        }
        while (dir && (e = readdir(dir)) != NULL) {
            char path[PATH_BYTES];
            if (strlen(e->d_name) == HEX_LEN && !keep(e->d_name, arg)) {
                blob_path(s, path, deis_str(e->d_name));
                *ret_bytes += sweep_blob(s, path, before_s);
            }
        }
        disk_close_folder(dir);
    }
    return 0;
}
