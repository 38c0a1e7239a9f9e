/* SPDX-License-Identifier: MIT */
#include "scheduler/logship_priv.h"

#include "lib/net/file.h"
#include "lib/net/log.h"

#define SAVE_WITHIN_MS 1000
#define RETRY_MS       5000
#define SAVED_MAX      ((size_t)16 * 1024 * 1024)

struct save {
    struct logship *ship;
    char *text;
    int rc;
    struct deis_err err;
};

static char *format_saved(const struct logship *s)
{
    deis_autojson json_t *obj = json_copy(s->saved);
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    while (deis_map_next(s->logs, &cursor, &id, &value)) {
        const struct shipped *l = value;
        if (l->has_safe) {
            json_object_set_new(obj, l->id, logplace_format(&l->safe));
        }
    }
    return deis_json_dump(obj);
}

/* Of all logs whose beginning is in one state. */
static void each_beginning(struct logship *s, enum beginning in, void (*each)(struct shipped *l))
{
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    while (deis_map_next(s->logs, &cursor, &id, &value)) {
        struct shipped *l = value;
        if (l->beginning == in) {
            each(l);
        }
    }
}

static void begin_saving(struct shipped *l)
{
    l->beginning = BEGINNING_SAVING;
}

/* Also when it could not be saved: rather a line twice than none. */
static void release(struct shipped *l)
{
    l->beginning = BEGINNING_FREE;
    logship_queue(l);
}

void logship_save_now(struct logship *s)
{
    s->save_again = true;
    if (s->saving) {
        s->save_at_once = true;
    } else if (!s->stopping) {
        deis_timer_after(s->save, 0);
    }
}

void logship_save_soon(struct logship *s)
{
    if (s->saving) {
        s->save_again = true;
    } else if (!s->save_again && !s->stopping) {
        s->save_again = true;
        deis_timer_after(s->save, SAVE_WITHIN_MS);
    }
}

static void write_saved(void *arg)
{
    struct save *w = arg;

    w->rc = deis_file_replace(w->ship->saved_path, deis_str(w->text), 0600, &w->err);
}

static void saved(void *arg)
{
    struct save *w = arg;
    struct logship *s = w->ship;
    bool again = s->save_again, at_once = s->save_at_once;
    int rc = w->rc;

    if (rc < 0) {
        deis_error("can't save the positions of logs", KV_ERR(&w->err));
    }
    s->saving = false;
    s->save_again = false;
    s->save_at_once = false;
    free(w->text);
    free(w);
    if (!s->stopping) {
        each_beginning(s, BEGINNING_SAVING, release);
    }
    if (at_once) {
        logship_save_now(s);
    } else if (rc < 0 && !s->stopping) {
        s->save_again = true;
        deis_timer_after(s->save, RETRY_MS);
    } else if (again) {
        logship_save_soon(s);
    }
}

static void on_save(void *arg)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct logship *s = arg;
    struct save *w = deis_alloc(sizeof(*w));

    w->ship = s;
    w->text = format_saved(s);
    each_beginning(s, BEGINNING_NEW, begin_saving);
    s->saving = true;
    s->save_again = false;
    int rc = deis_workers_run(s->disk, write_saved, saved, w, &err);
    if (rc < 0) {
        w->rc = rc;
        w->err = err;
        saved(w);
    }
}

void logship_saved_start(struct logship *s)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(SAVED_MAX);
    struct deis_err err = DEIS_ERR_INIT;

    s->saved_path = deis_asprintf("%s/logs.json", s->ctx->settings->data_dir);
    s->disk = deis_workers_new(s->ctx->loop, 1, 4);
    s->save = deis_timer_new(s->ctx->loop, on_save, s);
    int r = deis_file_read(s->saved_path, &text, &err);

    s->saved = r == 0 ? deis_json_parse(deis_buf_str(&text), &err) : NULL;
    if (!json_is_object(s->saved)) {
        if (r != DEIS_NOT_FOUND) {
            deis_error("positions of logs can't be read: lines may be sent again", KV_ERR(&err));
        }
        json_decref(s->saved);
        s->saved = json_object();
    }
}

void logship_saved_stop(struct logship *s)
{
    struct deis_err err = DEIS_ERR_INIT;

    deis_workers_free(s->disk);
    deis_autofree char *text = format_saved(s);
    if (deis_file_replace(s->saved_path, deis_str(text), 0600, &err) < 0) {
        deis_error("can't save the positions of logs", KV_ERR(&err));
    }
    json_decref(s->saved);
    deis_timer_free(s->save);
    free(s->saved_path);
}
