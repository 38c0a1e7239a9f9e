/* SPDX-License-Identifier: MIT */
/* What etcd wanted and how things stood, on disk: the agent starts from it before etcd answers. */
#include "scheduler/agent_priv.h"

#include "lib/net/file.h"
#include "lib/net/log.h"

#define SAVE_WITHIN_MS 100
#define RETRY_MS       5000
#define SAVED_MAX      ((size_t)64 * 1024 * 1024)

struct save {
    struct agent *agent;
    char *text;
    struct deis_err err;
    int rc;
};

static char *format(const struct agent *a)
{
    deis_autojson json_t *obj = json_object();
    json_t *units = json_array();
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    json_object_set_new(obj, "revision", json_integer(a->revision));
    json_object_set_new(obj, "held", json_boolean(a->held));
    json_object_set_new(obj, "units", units);
    while (deis_map_next(a->units, &cursor, &id, &value)) {
        const struct agent_unit *u = value;
        struct deis_unit_state state;
        if (u->fsm.phase == UNIT_GONE) {
            continue;
        }
        unit_fsm_report(&u->fsm, &u->doc, &state);
        deis_autofree char *text = deis_unit_state_format(&state);
        json_array_append_new(units, json_pack("{s:s, s:s, s:I}", "unit", u->text, "state", text,
                                               "crashes", (json_int_t)u->fsm.crashes));
    }
    return deis_json_dump(obj);
}

static void write_it(void *arg)
{
    struct save *s = arg;

    s->rc = deis_file_replace(s->agent->saved_path, deis_str(s->text), 0600, &s->err);
}

static void written(void *arg)
{
    struct save *s = arg;
    struct agent *a = s->agent;
    bool again = a->save_again;
    int rc = s->rc;

    a->saving = false;
    a->save_again = false;
    if (rc < 0) {
        deis_error("can't save the units of this machine", KV_ERR(&s->err));
    }
    free(s->text);
    free(s);
    if (rc < 0 && !a->stopping) {
        deis_timer_after(a->saved_timer, RETRY_MS);
    } else if (again) {
        agent_saved_touch(a);
    }
}

static void on_timer(void *arg)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct agent *a = arg;
    struct save *s = deis_alloc(sizeof(*s));

    s->agent = a;
    s->text = format(a);
    a->saving = true;
    int rc = deis_workers_run(a->disk, write_it, written, s, &err);
    if (rc < 0) {
        s->rc = rc;
        s->err = err;
        written(s);
    }
}

void agent_saved_touch(struct agent *a)
{
    if (a->saving) {
        a->save_again = true;
    } else if (!a->stopping && a->saved_timer) {
        deis_timer_after(a->saved_timer, SAVE_WITHIN_MS);
    }
}

/* None in a file of a version that did not save them. */
static uint32_t saved_crashes(const json_t *row)
{
    json_int_t crashes = json_integer_value(json_object_get(row, "crashes"));

    return crashes < 0 ? 0 : crashes > UINT32_MAX ? UINT32_MAX : (uint32_t)crashes;
}

static void load_one(struct agent *a, const json_t *row)
{
    struct deis_unit_state state;
    struct deis_err err = DEIS_ERR_INIT;
    const char *unit, *known;
    struct agent_unit *u;

    if (deis_json_get_str(row, "unit", &unit, &err) < 0 ||
        deis_json_get_str(row, "state", &known, &err) < 0 ||
        deis_unit_state_parse(deis_str(known), &state, &err) < 0) {
        deis_warn("a saved unit can't be read", KV_ERR(&err));
        return;
    }
    if (agent_unit_add(a, deis_str(unit), &state, &u, &err) < 0) {
        deis_warn("a saved unit can't be read", KV_ERR(&err));
    } else {
        u->listed = true;
        unit_fsm_want(&u->fsm, u->doc.desired);
        unit_fsm_recall_crashes(&u->fsm, saved_crashes(row), agent_time());
    }
    deis_unit_state_clear(&state);
}

void agent_saved_start(struct agent *a)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(SAVED_MAX);
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t revision = 0;
    size_t i;
    json_t *row;

    a->saved_path = deis_asprintf("%s/units.json", a->ctx->settings->data_dir);
    a->saved_timer = deis_timer_new(a->ctx->loop, on_timer, a);
    int r = deis_file_read(a->saved_path, &text, &err);
    if (r == DEIS_NOT_FOUND) {
        return;
    }
    deis_autojson json_t *obj = r < 0 ? NULL : deis_json_parse(deis_buf_str(&text), &err);
    if (!obj || deis_json_get_u64(obj, "revision", &revision, &err) < 0) {
        deis_error("the saved units can't be read, waiting for etcd", KV_ERR(&err));
        return;
    }
    a->revision = (int64_t)revision;
    a->held = json_is_true(json_object_get(obj, "held"));
    json_array_foreach(json_object_get(obj, "units"), i, row)
    {
        load_one(a, row);
    }
}

void agent_saved_stop(struct agent *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *text = format(a);

    if (deis_file_replace(a->saved_path, deis_str(text), 0600, &err) < 0) {
        deis_error("can't save the units of this machine", KV_ERR(&err));
    }
    deis_timer_free(a->saved_timer);
    free(a->saved_path);
}
