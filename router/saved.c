/* SPDX-License-Identifier: MIT */
#include "router/saved.h"

#include "router/core/route_file.h"

#include "lib/net/file.h"
#include "lib/net/log.h"

enum {
    SAVE_DELAY_MS = 500,
    SWEEP_AGAIN_MS = 10000,
};

struct save {
    struct router *router;
    struct route_table *table;
    char *path;
    int code;
    struct deis_err err;
};

int saved_load(const char *data, struct route_model *m, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/routes", data);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(ROUTE_FILE_MAX);
    int code = deis_file_read(path, &text, err);

    if (code < 0) {
        return code;
    }
    code = route_file_load(m, deis_buf_str(&text), err);
    if (code < 0) {
        deis_err_wrap(err, "'%s'", path);
    }
    return code;
}

static void work_save(void *arg)
{
    struct save *s = arg;
    struct deis_buf text = DEIS_BUF_INIT(ROUTE_FILE_MAX);

    route_file_save(s->table, &text);
    s->code = deis_buf_failed(&text)
                  ? deis_err_set(&s->err, DEIS_LIMIT, "'%s' would be too large", s->path)
                  : deis_file_replace(s->path, deis_buf_str(&text), 0640, &s->err);
    deis_buf_clear(&text);
}

static void done_save(void *arg)
{
    struct save *s = arg;
    struct router *r = s->router;

    if (s->code < 0) {
        deis_warn("routing table not saved", KV_ERR(&s->err));
    }
    r->saving = false;
    if (r->table->generation != s->table->generation) {
        saved_changed(r);
    }
    route_table_unref(s->table);
    free(s->path);
    free(s);
}

static void on_save(void *arg)
{
    struct router *r = arg;
    struct deis_err err;

    if (!route_registry_sweep(r->registry)) {
        deis_timer_after(r->save_timer, SWEEP_AGAIN_MS);
    }
    if (r->settings.routes || !r->live || r->leaving || r->saving ||
        r->saved_generation == r->table->generation) {
        return;
    }
    r->saved_generation = r->table->generation;
    struct save *s = deis_alloc(sizeof(*s));
    s->router = r;
    s->table = route_table_ref(r->table);
    s->path = deis_asprintf("%s/routes", r->settings.data);
    r->saving = true;
    if (deis_workers_run(r->jobs, work_save, done_save, s, &err) < 0) {
        s->code = err.code;
        s->err = err;
        done_save(s);
    }
}

void saved_flush(struct router *r)
{
    if (r->table) {
        on_save(r);
    }
}

void saved_changed(struct router *r)
{
    if (!r->save_timer) {
        r->save_timer = deis_timer_new(r->loop, on_save, r);
    }
    if (!r->saving) {
        deis_timer_after(r->save_timer, SAVE_DELAY_MS);
    }
}
