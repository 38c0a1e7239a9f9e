/* SPDX-License-Identifier: MIT */
#include "router/kept.h"

#include "router/core/kept_doc.h"
#include "router/saved.h"

#include "lib/base/map.h"
#include "lib/net/file.h"
#include "lib/net/log.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALED       "config/router/sslKey"
#define SEALED_PLACE "router/sslKey"

enum {
    DELAY_MS = 500,
    RETRY_MS = 10000,
    FILES_MAX = 200000,
    NAME_LEN = 64, /* SHA-256 of the key, in hex */
    QUEUE_MAX = 4,
};

/* What is, or soon will be, on disk. */
struct item {
    uint64_t sum;
    bool noted; /* since the start */
};

struct text {
    size_t len;
    bool gone;
    char bytes[];
};

struct kept {
    char *dir;
    struct deis_keys *keys;
    struct deis_workers *disk;
    struct deis_timer *timer;
    struct deis_map *items; /* key -> item */
    struct deis_map *fresh; /* key -> text: noted, not committed */
    struct deis_map *due;   /* committed, not given to the disk */
    bool timed;
    bool writing;
    bool paused;
};

struct batch {
    struct kept *kept;
    struct deis_map *texts;
    struct deis_err err; /* the first failure */
};

static void on_timer(void *arg);

static void wipe_text(void *value)
{
    struct text *t = value;

    explicit_bzero(t->bytes, t->len);
    free(t);
}

struct kept *kept_open(struct deis_loop *loop, const char *data, struct deis_keys *keys,
                       struct deis_err *err)
{
    deis_autofree char *dir = deis_asprintf("%s/kept", data);

    if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
        deis_err_errno(err, errno, "can't make '%s'", dir);
        return NULL;
    }
    struct kept *k = deis_alloc(sizeof(*k));
    k->dir = DEIS_TAKE(dir);
    k->keys = keys;
    k->disk = deis_workers_new(loop, 1, QUEUE_MAX);
    k->items = deis_map_new(free);
    k->fresh = deis_map_new(wipe_text);
    k->due = deis_map_new(wipe_text);
    k->timer = deis_timer_new(loop, on_timer, k);
    return k;
}

static char *path_of(const struct kept *k, struct deis_str key)
{
    char name[65];

    deis_sha256_hex(key, name);
    return deis_asprintf("%s/%s", k->dir, name);
}

/* --- reading --- */

/* The value as etcd has it; false: reported. */
static bool open_value(const struct kept *k, struct deis_str key, struct deis_str value,
                       struct deis_buf *out, struct deis_err *err)
{
    if (deis_str_eq_cstr(key, SEALED)) {
        return deis_keys_unseal(k->keys, DEIS_STR(SEALED_PLACE), value, out, err) == 0;
    }
    deis_buf_add_str(out, value);
    return !deis_buf_failed(out);
}

static int load_one(struct kept *k, const char *name,
                    void (*each)(const char *key, struct deis_str value, void *arg), void *arg,
                    struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/%s", k->dir, name);
    deis_autobuf struct deis_buf value = DEIS_BUF_INIT(KEPT_DOC_MAX);
    deis_autobuf struct deis_buf file = DEIS_BUF_INIT(KEPT_DOC_MAX);
    struct deis_str key, raw;
    int code = deis_file_read(path, &file, err);

    if (code < 0) {
        return code;
    }
    code = kept_doc_read(deis_buf_str(&file), &key, &raw, err);
    if (code < 0) {
        (void)unlink(path); /* etcd has it */
    }
    if (code == 0 && !open_value(k, key, raw, &value, err)) {
        code = deis_err_set(err, DEIS_INVALID, "it can't be opened with this cluster key");
    }
    if (code == 0) {
        deis_autofree char *text = deis_str_dup(key);
        struct item *item = deis_alloc(sizeof(*item));
        item->sum = kept_doc_sum(deis_buf_str(&value));
        deis_map_set(k->items, key, item);
        each(text, deis_buf_str(&value), arg);
    }
    if (value.len > 0) {
        explicit_bzero(value.data, value.len);
    }
    return code;
}

void kept_load(struct kept *k, void (*each)(const char *key, struct deis_str value, void *arg),
               void *arg)
{
    DIR *dir = opendir(k->dir);
    const struct dirent *entry;
    struct deis_err err;

    if (!dir) {
        deis_err_errno(&err, errno, "can't read '%s'", k->dir);
        deis_warn("no certificates from disk", KV_ERR(&err));
        return;
    }
    while ((entry = readdir(dir)) && deis_map_count(k->items) < FILES_MAX) {
        if (strlen(entry->d_name) == NAME_LEN && load_one(k, entry->d_name, each, arg, &err) < 0) {
            deis_warn("kept document ignored", KV_S("file", entry->d_name), KV_ERR(&err));
        }
    }
    closedir(dir);
}

/* --- noting --- */

void kept_note(struct kept *k, const char *key, struct deis_str value)
{
    if (!k || strlen(key) > KEPT_KEY_MAX || strchr(key, '\n')) {
        return;
    }
    struct item *item = deis_map_get(k->items, deis_str(key));
    uint64_t sum = kept_doc_sum(value);
    if (item) {
        item->noted = true;
    }
    if (item ? value.ptr && item->sum == sum : !value.ptr) {
        return;
    }
    struct text *t = deis_alloc(sizeof(*t) + value.len + 1);
    t->gone = !value.ptr;
    t->len = value.len;
    if (value.len > 0) {
        memcpy(t->bytes, value.ptr, value.len);
    }
    deis_map_set(k->fresh, deis_str(key), t);
    if (t->gone) {
        (void)deis_map_remove(k->items, deis_str(key));
        return;
    }
    if (!item) {
        item = deis_alloc(sizeof(*item));
        deis_map_set(k->items, deis_str(key), item);
    }
    item->sum = sum;
    item->noted = true;
}

void kept_sweep(struct kept *k, void (*gone)(const char *key, void *arg), void *arg)
{
    size_t cursor = 0;
    struct deis_str key;
    void *value;

    while (k && deis_map_next(k->items, &cursor, &key, &value)) {
        if (!((struct item *)value)->noted) {
            deis_autofree char *text = deis_str_dup(key);
            gone(text, arg);
            kept_note(k, text, DEIS_STR_NONE); /* removes the current entry */
        }
    }
}

/* --- writing --- */

static int write_text(const struct kept *k, struct deis_str key, const struct text *t,
                      struct deis_err *err)
{
    deis_autofree char *path = path_of(k, key);
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(KEPT_DOC_MAX);
    deis_autobuf struct deis_buf file = DEIS_BUF_INIT(KEPT_DOC_MAX);
    struct deis_str value = deis_str_n(t->bytes, t->len);

    if (t->gone) {
        return unlink(path) < 0 && errno != ENOENT
                   ? deis_err_errno(err, errno, "can't remove '%s'", path)
                   : 0;
    }
    if (deis_str_eq_cstr(key, SEALED)) {
        deis_keys_seal(k->keys, DEIS_STR(SEALED_PLACE), value, &sealed);
        value = deis_buf_str(&sealed);
    }
    kept_doc_write(key, value, &file);
    if (deis_buf_failed(&file) || deis_buf_failed(&sealed)) {
        return deis_err_set(err, DEIS_LIMIT, "'%.*s' is too large", DEIS_STR_ARG(key));
    }
    return deis_file_put(path, deis_buf_str(&file), 0600, err);
}

static void work_write(void *arg)
{
    struct batch *b = arg;
    size_t cursor = 0;
    struct deis_str key;
    void *value;
    struct deis_err err = DEIS_ERR_INIT;

    while (deis_map_next(b->texts, &cursor, &key, &value)) {
        if (write_text(b->kept, key, value, &err) < 0 && b->err.code == DEIS_OK) {
            b->err = err;
        }
    }
    if (deis_folder_sync(b->kept->dir, &err) < 0 && b->err.code == DEIS_OK) {
        b->err = err;
    }
}

/* Not later, however many changes follow. */
static void write_after(struct kept *k, uint64_t ms)
{
    if (!k->timed) {
        k->timed = true;
        deis_timer_after(k->timer, ms);
    }
}

/* Those that no newer text has replaced meanwhile. */
static void put_back(struct kept *k, struct deis_map *texts)
{
    size_t cursor = 0;
    struct deis_str key;
    void *value;

    while (deis_map_next(texts, &cursor, &key, &value)) {
        if (!deis_map_get(k->due, key)) {
            deis_autofree char *text = deis_str_dup(key);
            deis_map_set(k->due, deis_str(text), deis_map_take(texts, deis_str(text)));
        }
    }
}

static void done_write(void *arg)
{
    struct batch *b = arg;
    struct kept *k = b->kept;

    k->writing = false;
    if (b->err.code != DEIS_OK) {
        deis_warn("certificates and settings not kept", KV_ERR(&b->err));
        put_back(k, b->texts);
    }
    if (deis_map_count(k->due) > 0 && k->timer) {
        write_after(k, b->err.code != DEIS_OK ? RETRY_MS : DELAY_MS);
    }
    deis_map_free(b->texts);
    free(b);
}

static void write_due(struct kept *k)
{
    struct batch *b = deis_alloc(sizeof(*b));

    b->kept = k;
    b->texts = k->due;
    k->due = deis_map_new(wipe_text);
    k->writing = true;
    if (deis_workers_run(k->disk, work_write, done_write, b, &b->err) < 0) {
        done_write(b);
    }
}

static void on_timer(void *arg)
{
    struct kept *k = arg;

    k->timed = false;
    if (!k->writing && !k->paused && deis_map_count(k->due) > 0) {
        write_due(k);
    }
}

void kept_commit(struct kept *k)
{
    size_t cursor = 0;
    struct deis_str key;
    void *value;

    if (!k || deis_map_count(k->fresh) == 0) {
        return;
    }
    while (deis_map_next(k->fresh, &cursor, &key, &value)) {
        deis_autofree char *text = deis_str_dup(key);
        deis_map_set(k->due, deis_str(text), deis_map_take(k->fresh, deis_str(text)));
    }
    deis_map_free(k->fresh); /* a walk takes as long as it ever was large */
    k->fresh = deis_map_new(wipe_text);
    write_after(k, DELAY_MS);
}

void kept_pause(struct kept *k, bool paused)
{
    if (k) {
        k->paused = paused;
        write_after(k, DELAY_MS);
    }
}

bool kept_paused(const struct kept *k)
{
    return !k || (k->paused && !k->writing);
}

void kept_close(struct kept *k)
{
    if (!k) {
        return;
    }
    deis_timer_free(DEIS_TAKE(k->timer));
    if (deis_map_count(k->due) > 0 && !k->paused) {
        write_due(k); /* after what is being written */
    }
    deis_workers_free(k->disk);
    deis_map_free(k->items);
    deis_map_free(k->fresh);
    deis_map_free(k->due);
    free(k->dir);
    free(k);
}
