/* SPDX-License-Identifier: MIT */
#include "logger/store_priv.h"

#include "lib/base/clock.h"
#include "lib/net/file.h"
#include "lib/net/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_NAME  16 /* hex digits */
#define OPEN_APPS_MAX 64 /* newest segments held open */
#define RECORD_ROOM   (RECORD_TEXT_MAX + 4 * RECORD_NAME_MAX)

static void close_app(struct log_store *s, struct app_log *a)
{
    if (a->fd >= 0) {
        close(a->fd);
        a->fd = -1;
        s->open_fds--;
    }
}

static void app_free(void *arg)
{
    struct app_log *a = arg;

    if (a->fd >= 0) {
        close(a->fd);
    }
    free(a->segments);
    free(a->name);
    free(a);
}

char *log_segment_path(const struct log_store *s, const struct app_log *a, uint64_t first_seq,
                       char out[LOG_PATH_BYTES])
{
    snprintf(out, LOG_PATH_BYTES, "%s/apps/%s/%016llx.log", s->root, a->name,
             (unsigned long long)first_seq);
    return out;
}

/* --- opening --- */

static int compare_segments(const void *a, const void *b)
{
    const struct segment *x = a;
    const struct segment *y = b;

    return x->first_seq < y->first_seq ? -1 : x->first_seq > y->first_seq;
}

static void add_segment(struct app_log *a, uint64_t first_seq, uint64_t bytes)
{
    a->segments = deis_realloc_array(a->segments, a->count + 1, sizeof(*a->segments));
    a->segments[a->count++] = (struct segment){ .first_seq = first_seq, .bytes = bytes };
}

static int list_segments(struct log_store *s, struct app_log *a, struct deis_err *err)
{
    char path[LOG_PATH_BYTES];
    const struct dirent *e;
    struct stat st;

    snprintf(path, sizeof(path), "%s/apps/%s", s->root, a->name);
    DIR *dir = opendir(path);
    if (!dir) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    while ((e = readdir(dir)) != NULL) {
        char *end;
        uint64_t first = strtoull(e->d_name, &end, 16);
        if (end == e->d_name + SEGMENT_NAME && strcmp(end, ".log") == 0 &&
            stat(log_segment_path(s, a, first, path), &st) == 0) {
            add_segment(a, first, (uint64_t)st.st_size);
        }
    }
    closedir(dir);
    qsort(a->segments, a->count, sizeof(*a->segments), compare_segments);
    return 0;
}

/* Cut off what follows the good bytes. The rest is synced: its lines count as stored from now on,
 * but the last process may have been killed before it did that. */
static int mend(struct log_store *s, const struct app_log *a, struct segment *seg, uint64_t good,
                struct deis_err *err)
{
    char path[LOG_PATH_BYTES];
    deis_autoclose int fd =
        open(log_segment_path(s, a, seg->first_seq, path), O_WRONLY | O_CLOEXEC);

    if (good < seg->bytes) {
        deis_warn("torn end of a log cut off", KV_S("app", a->name),
                  KV_I("bytes", seg->bytes - good));
    }
    if (fd < 0 || (good < seg->bytes && ftruncate(fd, (off_t)good) < 0) || fdatasync(fd) < 0) {
        return deis_err_errno(err, errno, "can't mend '%s'", path);
    }
    seg->bytes = good;
    return 0;
}

/* Learn the next seq and the sources' positions from the newest segment; cut off a torn end. */
static int recover(struct log_store *s, struct app_log *a, struct deis_err *err)
{
    struct record r;

    a->next_seq = 1;
    if (a->count == 0) {
        return 0;
    }
    struct segment *newest = &a->segments[a->count - 1];
    int rc = log_segment_load(s, a, newest, 0, err);
    if (rc < 0) {
        return rc;
    }
    if (newest->unreadable) { /* no line of it has a number that comes now */
        a->next_seq = newest->first_seq + newest->bytes + 1;
        a->torn = true;
        return 0;
    }
    struct deis_str rest = deis_buf_str(&s->scratch);
    a->next_seq = newest->first_seq;
    while (record_decode(&rest, &r) == RECORD_OK) {
        a->next_seq = r.seq + 1;
        sources_store(s->sources, r.source, r.position, r.time_ms);
    }
    return mend(s, a, newest, newest->bytes - rest.len, err);
}

static struct app_log *add_app(struct log_store *s, struct deis_str name)
{
    struct app_log *a = deis_alloc(sizeof(*a));

    a->name = deis_str_dup(name);
    a->fd = -1;
    a->next_seq = 1;
    deis_map_set(s->apps, name, a);
    return a;
}

static int open_apps(struct log_store *s, struct deis_err *err)
{
    char path[LOG_PATH_BYTES];
    const struct dirent *e;
    int r = 0;

    snprintf(path, sizeof(path), "%s/apps", s->root);
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return deis_err_errno(err, errno, "can't make '%s'", path);
    }
    DIR *dir = opendir(path);
    if (!dir) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    while (r == 0 && (e = readdir(dir)) != NULL) {
        if (deis_str_is_label(deis_str(e->d_name))) {
            struct app_log *a = add_app(s, deis_str(e->d_name));
            r = list_segments(s, a, err);
            if (r == 0) {
                r = recover(s, a, err);
            }
        }
    }
    closedir(dir);
    return r;
}

/* A segment counts in full as soon as it is begun, and the newest stays: small quotas take small
 * segments. */
static void limit_segment(struct log_store_opts *opts)
{
    struct retention_limits *l = &opts->limits;
    uint64_t least = l->app_bytes < l->total_bytes ? l->app_bytes : l->total_bytes;

    if (opts->segment_bytes > least / 2) {
        opts->segment_bytes = least / 2;
    }
    l->app_bytes -= opts->segment_bytes;
    l->total_bytes -= opts->segment_bytes;
}

struct log_store *log_store_open(const struct log_store_opts *opts, struct sources *sources,
                                 struct deis_err *err)
{
    struct log_store *s = deis_alloc(sizeof(*s));

    s->opts = *opts;
    limit_segment(&s->opts);
    s->root = deis_strdup(opts->root);
    s->sources = sources;
    s->apps = deis_map_new(app_free);
    s->lock_fd = -1;
    deis_buf_init(&s->scratch, LOG_SEGMENT_ROOM + 1);
    if (opts->segment_bytes > LOG_SEGMENT_MAX_BYTES) {
        deis_err_set(err, DEIS_INVALID, "segment: at most 32M");
        log_store_free(s);
        return NULL;
    }
    if (deis_folder_lock(s->root, &s->lock_fd, err) < 0 || open_apps(s, err) < 0) {
        log_store_free(s);
        return NULL;
    }
    deis_buf_clear(&s->scratch);
    return s;
}

void log_store_free(struct log_store *s)
{
    if (s) {
        deis_map_free(s->apps);
        deis_buf_clear(&s->scratch);
        if (s->lock_fd >= 0) {
            close(s->lock_fd);
        }
        free(s->root);
        free(s);
    }
}

/* --- room --- */

static int unlink_oldest(struct log_store *s, struct app_log *a, struct deis_err *err)
{
    char path[LOG_PATH_BYTES];

    if (unlink(log_segment_path(s, a, a->segments[0].first_seq, path)) < 0 && errno != ENOENT) {
        return deis_err_errno(err, errno, "can't remove '%s'", path);
    }
    return 0;
}

static void forget_oldest(struct app_log *a)
{
    memmove(a->segments, a->segments + 1, (a->count - 1) * sizeof(*a->segments));
    a->count--;
}

static struct retention_app retention_of(const struct app_log *a)
{
    struct retention_app r = { .segments = a->count,
                               .oldest_bytes = a->count > 0 ? a->segments[0].bytes : 0 };

    for (size_t i = 0; i < a->count; i++) {
        r.bytes += a->segments[i].bytes;
    }
    return r;
}

/* One that stays on disk is found again when the app's log is deleted, and at the next start. */
static void remove_oldest(struct log_store *s, struct app_log *a)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (unlink_oldest(s, a, &err) < 0) {
        deis_error("an old log stays", KV_ERR(&err));
    }
    forget_oldest(a);
}

/* Remove the oldest segment of the app whose turn it is; false: no app has one to give. */
static bool drop_oldest(struct log_store *s, const struct retention_limits *limits)
{
    size_t count = deis_map_count(s->apps);
    deis_autofree struct retention_app *rows = deis_alloc((count + 1) * sizeof(*rows));
    deis_autofree struct app_log **apps = deis_alloc((count + 1) * sizeof(*apps));
    size_t cursor = 0;
    size_t n = 0;
    struct deis_str name;
    void *value;

    while (deis_map_next(s->apps, &cursor, &name, &value)) {
        apps[n] = value;
        rows[n] = retention_of(apps[n]);
        n++;
    }
    ptrdiff_t next = retention_next(rows, n, limits);
    if (next >= 0) {
        remove_oldest(s, apps[next]);
    }
    return next >= 0;
}

static void make_room(struct log_store *s)
{
    while (drop_oldest(s, &s->opts.limits)) {
    }
}

/* The disk is full, below the quota: others use it, too. */
static bool give_way(struct log_store *s)
{
    static const struct retention_limits greediest_first = { .app_bytes = UINT64_MAX };
    bool given = drop_oldest(s, &greediest_first);

    if (given) {
        deis_warn("the disk is full: the oldest lines of the app with most of them are removed");
    }
    return given;
}

/* --- writing --- */

static int sync_app(struct log_store *s, struct app_log *a, struct deis_err *err)
{
    if (a->fd >= 0 && fdatasync(a->fd) < 0) {
        s->broken = true;
        return deis_err_errno(err, errno, "can't sync the log of '%s'", a->name);
    }
    a->dirty = false;
    return 0;
}

/* The open one that was written longest ago, of those whose lines went to a sync; or NULL. */
static struct app_log *longest_idle(const struct log_store *s)
{
    size_t cursor = 0;
    struct deis_str name;
    void *value;
    struct app_log *oldest = NULL;

    while (deis_map_next(s->apps, &cursor, &name, &value)) {
        struct app_log *a = value;
        if (a->fd >= 0 && !a->dirty && (!oldest || a->used_ms < oldest->used_ms)) {
            oldest = a;
        }
    }
    return oldest;
}

/* Keep few descriptors; more while many apps write at once. */
static void limit_open(struct log_store *s)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct app_log *idle;

    while (s->open_fds >= OPEN_APPS_MAX && (idle = longest_idle(s)) != NULL &&
           sync_app(s, idle, &err) == 0) { /* its sync may still be under way */
        close_app(s, idle);
    }
}

static int sync_folder(struct log_store *s, const char *path, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0) {
        s->broken = true;
        return deis_err_errno(err, errno, "can't sync the folder '%s'", path);
    }
    return 0;
}

/* A line is safe only when the name of its file is, too. */
static int sync_names(struct log_store *s, const struct app_log *a, struct deis_err *err)
{
    char path[LOG_PATH_BYTES];

    snprintf(path, sizeof(path), "%s/apps/%s", s->root, a->name);
    int r = sync_folder(s, path, err);
    if (r == 0 && a->count == 1) {
        snprintf(path, sizeof(path), "%s/apps", s->root);
        r = sync_folder(s, path, err);
    }
    return r;
}

static int open_segment(struct log_store *s, struct app_log *a, bool fresh, struct deis_err *err)
{
    char path[LOG_PATH_BYTES];

    limit_open(s);
    snprintf(path, sizeof(path), "%s/apps/%s", s->root, a->name);
    if (fresh && mkdir(path, 0700) < 0 && errno != EEXIST) {
        return deis_err_errno(err, errno, "can't make '%s'", path);
    }
    uint64_t first = fresh ? a->next_seq : a->segments[a->count - 1].first_seq;
    a->fd =
        open(log_segment_path(s, a, first, path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (a->fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    s->open_fds++;
    if (fresh) {
        add_segment(a, first, 0);
        a->torn = false;
        a->mark_count = 0;
        return sync_names(s, a, err);
    }
    return 0;
}

int log_store_sync(struct log_store *s, struct deis_err *err)
{
    size_t cursor = 0;
    struct deis_str name;
    void *value;
    int r = 0;

    while (r == 0 && deis_map_next(s->apps, &cursor, &name, &value)) {
        r = sync_app(s, value, err);
    }
    return r;
}

bool log_store_is_broken(const struct log_store *s)
{
    return s->broken;
}

/* The copy of the positions must not know a line of any app that is not on disk: its sender repeats
 * the line after a crash and would be told that it is stored. */
static int finish_segment(struct log_store *s, struct app_log *a, struct deis_err *err)
{
    int r = log_store_sync(s, err);

    if (r < 0) {
        return r;
    }
    close_app(s, a);
    return sources_save(s->sources, deis_wall_ms(), err);
}

/* A newest segment that takes len bytes more. */
static int ready_segment(struct log_store *s, struct app_log *a, size_t len, struct deis_err *err)
{
    uint64_t bytes = a->count > 0 ? a->segments[a->count - 1].bytes : 0;
    bool full = a->torn || (bytes > 0 && bytes + len > s->opts.segment_bytes);

    if (full) {
        int r = finish_segment(s, a, err);
        if (r < 0) {
            return r;
        }
        make_room(s);
    }
    if (a->fd >= 0) {
        return 0;
    }
    return open_segment(s, a, full || a->count == 0, err);
}

static void add_mark(const struct log_store *s, struct app_log *a, uint64_t offset)
{
    const struct log_mark *last = a->mark_count > 0 ? &a->marks[a->mark_count - 1] : NULL;

    if (!last ||
        (a->mark_count < LOG_MARKS && offset - last->offset >= s->opts.segment_bytes / LOG_MARKS)) {
        a->marks[a->mark_count++] = (struct log_mark){ a->next_seq, offset };
    }
}

static int append_bytes(struct log_store *s, struct app_log *a, struct deis_str bytes,
                        struct deis_err *err)
{
    int r = ready_segment(s, a, bytes.len, err);

    if (r < 0) {
        return r;
    }
    struct segment *newest = &a->segments[a->count - 1];
    ssize_t n = write(a->fd, bytes.ptr, bytes.len);
    if (n != (ssize_t)bytes.len) {
        r = deis_err_errno(err, n < 0 ? errno : ENOSPC, "can't write the log of '%s'", a->name);
        a->torn = n > 0 && ftruncate(a->fd, (off_t)newest->bytes) < 0;
        return r;
    }
    add_mark(s, a, newest->bytes);
    newest->bytes += bytes.len;
    return 0;
}

int log_store_append(struct log_store *s, struct deis_str app, struct record *r,
                     struct deis_err *err)
{
    struct app_log *a = deis_map_get(s->apps, app);
    deis_autobuf struct deis_buf bytes = DEIS_BUF_INIT(RECORD_ROOM);
    struct deis_err why = DEIS_ERR_INIT;
    int rc;

    if (!a) {
        a = add_app(s, app);
    }
    r->seq = a->next_seq;
    record_encode(r, &bytes);
    do {
        rc = append_bytes(s, a, deis_buf_str(&bytes), &why);
    } while (rc < 0 && !s->broken && deis_err_is_disk_full(&why) && give_way(s));
    if (rc < 0) {
        *err = why;
        return rc;
    }
    a->next_seq++;
    a->dirty = true;
    a->used_ms = deis_now_ms();
    return 0;
}

size_t log_store_take_dirty(struct log_store *s, int **ret)
{
    int *fds = deis_alloc((deis_map_count(s->apps) + 1) * sizeof(*fds));
    size_t cursor = 0;
    size_t count = 0;
    struct deis_str name;
    void *value;

    while (deis_map_next(s->apps, &cursor, &name, &value)) {
        struct app_log *a = value;
        if (a->dirty && a->fd >= 0) {
            struct deis_err err = DEIS_ERR_INIT;
            int fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 0);
            if (fd >= 0) {
                fds[count++] = fd;
                a->dirty = false;
            } else if (sync_app(s, a, &err) < 0) {
                deis_error("sync failed", KV_ERR(&err));
            }
        }
    }
    *ret = fds;
    return count;
}

/* --- the rest --- */

int log_store_delete(struct log_store *s, struct deis_str app, struct deis_err *err)
{
    struct app_log *a = deis_map_get(s->apps, app);
    char path[LOG_PATH_BYTES];

    if (!a) {
        return 0;
    }
    close_app(s, a);
    a->count = 0;
    a->mark_count = 0;
    a->dirty = false;
    snprintf(path, sizeof(path), "%s/apps/%s", s->root, a->name);
    int r = access(path, F_OK) == 0 ? list_segments(s, a, err) : 0;
    while (r == 0 && a->count > 0) {
        r = unlink_oldest(s, a, err);
        if (r == 0) {
            forget_oldest(a);
        }
    }
    if (r == 0 && rmdir(path) < 0 && errno != ENOENT) {
        r = deis_err_errno(err, errno, "can't remove '%s'", path);
    }
    a->torn = a->count > 0; /* nothing is written behind what could not be removed */
    if (r == 0) {
        deis_map_remove(s->apps, app);
    }
    return r;
}
