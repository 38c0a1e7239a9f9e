/* SPDX-License-Identifier: MIT */
#include "registry-proxy/blob_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/model/model.h"
#include "registry-proxy/core/route.h"

#define PATH_BYTES 1024
#define HEX_LEN    64

struct blob_store {
    char root[512];
    atomic_uint temp; /* numbers temporary files */
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

static int make_dirs(char *path, struct deis_err *err)
{
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        int r = mkdir(path, 0700);
        int errnum = errno;
        *p = '/';
        if (r < 0 && errnum != EEXIST) {
            return deis_err_errno(err, errnum, "can't make a folder of '%s'", path);
        }
    }
    return 0;
}

static int sync_parent(const char *path, struct deis_err *err)
{
    char dir[PATH_BYTES];

    snprintf(dir, sizeof(dir), "%s", path);
    *strrchr(dir, '/') = '\0';
    deis_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return deis_err_errno(err, errno, "can't sync the folder '%s'", dir);
    }
    return 0;
}

static int write_all(int fd, struct deis_str data, struct deis_err *err)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.ptr, data.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return deis_err_errno(err, errno, "registry storage: write failed");
        }
        data = deis_str_skip(data, (size_t)n);
    }
    return 0;
}

/* Replace path with data: complete and on disk, or untouched. */
static int write_file(struct blob_store *s, char *path, struct deis_str data, struct deis_err *err)
{
    char temp[PATH_BYTES];
    int r = make_dirs(path, err);

    if (r < 0) {
        return r;
    }
    path_of(s, temp, "uploads/.%u", atomic_fetch_add(&s->temp, 1));
    deis_autoclose int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return deis_err_errno(err, errno, "can't create '%s'", temp);
    }
    r = write_all(fd, data, err);
    if (r == 0 && fsync(fd) < 0) {
        r = deis_err_errno(err, errno, "registry storage: sync failed");
    }
    if (r == 0 && rename(temp, path) < 0) {
        r = deis_err_errno(err, errno, "can't move a file to '%s'", path);
    }
    if (r < 0) {
        unlink(temp);
        return r;
    }
    return sync_parent(path, err);
}

/* A short text file; out is NUL-terminated. */
static int read_small(const char *path, char *out, size_t size, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    ssize_t n = read(fd, out, size - 1);
    if (n < 0) {
        return deis_err_errno(err, errno, "can't read '%s'", path);
    }
    out[n] = '\0';
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

static int remove_tree(const char *path, struct deis_err *err)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT) {
        return deis_err_errno(err, errno, "can't remove '%s'", path);
    }
    return 0;
}

struct blob_store *blob_store_open(const char *root, struct deis_err *err)
{
    struct blob_store *s = deis_alloc(sizeof(*s));
    char path[PATH_BYTES];

    if (strlen(root) >= sizeof(s->root)) {
        deis_err_set(err, DEIS_LIMIT, "the data folder's name is too long");
        free(s);
        return NULL;
    }
    snprintf(s->root, sizeof(s->root), "%s", root);
    path_of(s, path, "uploads");
    if (remove_tree(path, err) < 0 || make_dirs(path_of(s, path, "uploads/"), err) < 0 ||
        make_dirs(path_of(s, path, "blobs/"), err) < 0 ||
        make_dirs(path_of(s, path, "repos/"), err) < 0) {
        free(s);
        return NULL;
    }
    return s;
}

void blob_store_free(struct blob_store *s)
{
    free(s);
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

    if (stat(blob_path(s, path, hex), &st) < 0 || utimensat(AT_FDCWD, path, NULL, 0) < 0) {
        return deis_err_errno(err, errno, "blob sha256:%.*s", DEIS_STR_ARG(hex));
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
    int r = make_dirs(blob_path(s, to, deis_str(hex)), err);

    path_of(s, from, "uploads/%s", id);
    if (r == 0 && fsync(fd) < 0) {
        r = deis_err_errno(err, errno, "registry storage: sync failed");
    }
    if (r == 0 && rename(from, to) < 0) {
        r = deis_err_errno(err, errno, "can't keep a blob");
    }
    if (r < 0) {
        unlink(from);
        return r;
    }
    return sync_parent(to, err);
}

void upload_remove(struct blob_store *s, const char *id)
{
    char path[PATH_BYTES];

    unlink(path_of(s, path, "uploads/%s", id));
}

/* --- repositories --- */

int repo_put_manifest(struct blob_store *s, struct deis_str name, const char *hex,
                      const char *media_type, struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_manifests/%s", DEIS_STR_ARG(name), hex);
    return write_file(s, path, deis_str(media_type), err);
}

int repo_get_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex, char *type,
                      struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_manifests/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(hex));
    return read_small(path, type, 128, err);
}

int repo_put_tag(struct blob_store *s, struct deis_str name, struct deis_str tag, const char *hex,
                 struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_tags/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(tag));
    return write_file(s, path, deis_str(hex), err);
}

int repo_get_tag(struct blob_store *s, struct deis_str name, struct deis_str tag, char *hex,
                 struct deis_err *err)
{
    char path[PATH_BYTES];

    path_of(s, path, "repos/%.*s/_tags/%.*s", DEIS_STR_ARG(name), DEIS_STR_ARG(tag));
    return read_small(path, hex, HEX_LEN + 1, err);
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
    return remove_tree(path, err);
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
    DIR *dir = opendir(path_of(s, path, "repos/%.*s/_tags", DEIS_STR_ARG(name)));
    while (dir && (e = readdir(dir)) != NULL) {
        if (registry_is_tag(deis_str(e->d_name))) {
            strv_add(&tags, e->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    *ret = strv_finish(&tags);
    return 0;
}

int repo_delete_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex,
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

/* Repository names have parts that are folders; names of ours start with '_', which no part may. */
static void find_repos(const struct blob_store *s, const char *below, struct strv *out, int depth)
{
    char path[PATH_BYTES];
    const struct dirent *e;
    DIR *dir = opendir(path_of(s, path, "repos/%s", below));

    while (dir && (e = readdir(dir)) != NULL) {
        char name[NAME_MAX + 2 + 256];
        if (strcmp(e->d_name, "_manifests") == 0) {
            strv_add(out, below);
        } else if (e->d_name[0] != '.' && e->d_name[0] != '_' && depth < 16) {
            snprintf(name, sizeof(name), "%s%s%s", below, *below ? "/" : "", e->d_name);
            find_repos(s, name, out, depth + 1);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

int store_list_repos(struct blob_store *s, char ***ret, struct deis_err *err)
{
    struct strv repos = { 0 };

    find_repos(s, "", &repos, 0);
    *ret = strv_finish(&repos);
    return 0;
}

/* --- sweep --- */

static int walk_repo(struct blob_store *s, const char *name, int (*fn)(const char *hex, void *arg),
                     void *arg)
{
    char path[PATH_BYTES];
    const struct dirent *e;
    int r = 0;
    DIR *dir = opendir(path_of(s, path, "repos/%s/_manifests", name));

    while (dir && r == 0 && (e = readdir(dir)) != NULL) {
        if (strlen(e->d_name) == HEX_LEN) {
            r = fn(e->d_name, arg);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return r;
}

int store_walk_manifests(struct blob_store *s, int (*fn)(const char *hex, void *arg), void *arg,
                         struct deis_err *err)
{
    char **repos = NULL;
    int r = store_list_repos(s, &repos, err);

    for (char **name = repos; r == 0 && *name; name++) {
        r = walk_repo(s, *name, fn, arg);
    }
    deis_strv_free(repos);
    return r;
}

static uint64_t sweep_folder(const char *folder, bool (*keep)(const char *hex, void *arg),
                             void *arg, int64_t before_s)
{
    const struct dirent *e;
    uint64_t bytes = 0;
    DIR *dir = opendir(folder);

    while (dir && (e = readdir(dir)) != NULL) {
        char path[PATH_BYTES + NAME_MAX];
        struct stat st;

        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (strlen(e->d_name) == HEX_LEN && !keep(e->d_name, arg) && stat(path, &st) == 0 &&
            st.st_mtime < before_s && unlink(path) == 0) {
            bytes += (uint64_t)st.st_size;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return bytes;
}

int store_sweep(struct blob_store *s, bool (*keep)(const char *hex, void *arg), void *arg,
                int64_t before_s, uint64_t *ret_bytes, struct deis_err *err)
{
    *ret_bytes = 0;
    for (unsigned i = 0; i < 256; i++) {
        char path[PATH_BYTES];
        *ret_bytes += sweep_folder(path_of(s, path, "blobs/%02x", i), keep, arg, before_s);
    }
    return 0;
}
