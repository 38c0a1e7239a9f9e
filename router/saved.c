/* SPDX-License-Identifier: MIT */
/* Changes are put behind the table on disk; now and then it is written anew as a whole. */
#include "router/saved.h"

#include "router/core/route_file.h"

#include "lib/net/file.h"
#include "lib/net/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SAVE_DELAY_MS = 500,
    SWEEP_AGAIN_MS = 10000,
    CHANGES_FREE = 65536, /* bytes of changes beside a quarter of the table's */
};

struct saved {
    struct router *router;
    struct deis_timer *timer;
    bool due;
    bool saving;
    struct route_table *table; /* what is on disk; NULL: not known */
    struct route_seen seen;
    ino_t inode;  /* of the file */
    size_t whole; /* bytes of it that are the table */
    size_t size;  /* with the changes behind it */
};

struct save {
    struct saved *saved;
    struct route_table *table;
    struct route_seen seen;
    char *path;
    int code;
    struct deis_err err;
};

int saved_load(const char *data, struct route_model *m, struct route_seen *ret_seen,
               struct deis_err *err)
{
    struct route_seen seen = { 0 };
    deis_autofree char *path = deis_asprintf("%s/routes", data);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(ROUTE_FILE_MAX);
    int code = deis_file_read(path, &text, err);

    if (code < 0) {
        return code;
    }
    code = route_file_load(m, deis_buf_str(&text), &seen, err);
    if (code < 0) {
        return deis_err_wrap(err, "'%s'", path);
    }
    *ret_seen = seen;
    if (code > 0) {
        deis_warn("the last changes of the saved routing table are torn", KV_S("file", path));
    }
    return 0;
}

/* Only behind what this process wrote last. */
static int append(struct saved *d, const char *path, struct deis_str text, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    if (st.st_ino != d->inode || (size_t)st.st_size != d->size) {
        return deis_err_set(err, DEIS_CONFLICT, "'%s' is not as it was written", path);
    }
    if (deis_write_all(fd, text) < 0 || fdatasync(fd) < 0) {
        return deis_err_errno(err, errno, "can't write '%s'", path);
    }
    d->size += text.len;
    return 0;
}

static bool save_changes(struct save *s)
{
    struct saved *d = s->saved;
    const struct route_saved from = { d->table, d->seen }, to = { s->table, s->seen };
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(ROUTE_FILE_MAX);
    struct deis_err err;

    if (!d->table || !route_file_save_changes(&from, &to, &text) || deis_buf_failed(&text) ||
        d->size + text.len > d->whole + d->whole / 4 + CHANGES_FREE ||
        d->size + text.len > ROUTE_FILE_MAX) {
        return false;
    }
    return text.len == 0 || append(d, s->path, deis_buf_str(&text), &err) == 0;
}

static int save_whole(struct save *s)
{
    struct saved *d = s->saved;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(ROUTE_FILE_MAX);
    const struct route_saved whole = { s->table, s->seen };
    struct stat st;

    route_file_save(&whole, &text);
    if (deis_buf_failed(&text)) {
        return deis_err_set(&s->err, DEIS_LIMIT, "'%s' would be too large", s->path);
    }
    int code = deis_file_replace(s->path, deis_buf_str(&text), 0640, &s->err);
    if (code == 0 && stat(s->path, &st) < 0) {
        code = deis_err_errno(&s->err, errno, "can't find '%s'", s->path);
    }
    if (code == 0) {
        d->inode = st.st_ino;
        d->whole = d->size = text.len;
    }
    return code;
}

static void work_save(void *arg)
{
    struct save *s = arg;

    s->code = save_changes(s) ? 0 : save_whole(s);
}

static bool is_newest(const struct router *r, const struct route_table *t,
                      const struct route_seen *seen)
{
    return t == r->table && seen->revision == r->seen.revision && seen->cluster == r->seen.cluster;
}

static void done_save(void *arg)
{
    struct save *s = arg;
    struct saved *d = s->saved;
    bool newest = is_newest(d->router, s->table, &s->seen);

    route_table_unref(DEIS_TAKE(d->table));
    if (s->code < 0) {
        deis_warn("routing table not saved", KV_ERR(&s->err));
        route_table_unref(s->table);
    } else {
        d->table = s->table;
        d->seen = s->seen;
    }
    d->saving = false;
    if (!newest) {
        saved_changed(d->router);
    }
    free(s->path);
    free(s);
}

static void on_save(void *arg)
{
    struct saved *d = arg;
    struct router *r = d->router;
    struct deis_err err;

    d->due = false;
    if (!route_registry_sweep(r->registry)) {
        deis_timer_after(d->timer, SWEEP_AGAIN_MS);
    }
    if (r->settings.routes || !r->live || r->leaving || d->saving ||
        is_newest(r, d->table, &d->seen)) {
        return;
    }
    struct save *s = deis_alloc(sizeof(*s));
    s->saved = d;
    s->table = route_table_ref(r->table);
    s->seen = r->seen;
    s->path = deis_asprintf("%s/routes", r->settings.data);
    d->saving = true;
    if (deis_workers_run(r->jobs, work_save, done_save, s, &err) < 0) {
        s->code = err.code;
        s->err = err;
        done_save(s);
    }
}

struct saved *saved_start(struct router *r)
{
    struct saved *d = deis_alloc(sizeof(*d));

    d->router = r;
    d->timer = deis_timer_new(r->loop, on_save, d);
    return d;
}

void saved_stop(struct saved *d)
{
    if (d) {
        deis_timer_free(d->timer);
        route_table_unref(d->table);
        free(d);
    }
}

bool saved_is_busy(const struct saved *d)
{
    return d->saving;
}

void saved_flush(struct router *r)
{
    if (r->saved && r->table) {
        on_save(r->saved);
    }
}

void saved_changed(struct router *r)
{
    struct saved *d = r->saved;

    if (!d->saving && !d->due) { /* not later, however many changes follow */
        d->due = true;
        deis_timer_after(d->timer, SAVE_DELAY_MS);
    }
}
