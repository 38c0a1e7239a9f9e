/* SPDX-License-Identifier: MIT */
/* Scale, restart, containers, destroy. */
#include "controller/core/container.h"
#include "controller/deploy.h"

#include "lib/wire/url.h"

#define PATIENCE_MS 1000
#define STATES_MAX  100

/* --- scale --- */

static char *scale_text(const char *user, json_t *counts)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(4096);
    const char *type;
    json_t *count;

    deis_buf_addf(&text, "%s scaled containers", user);
    json_object_foreach(counts, type, count)
    {
        deis_buf_addf(&text, " %s=%lld", type, (long long)json_integer_value(count));
    }
    return deis_strdup(text.data);
}

static int prepare_scale(const struct deploy_request *req, const struct app_view *view,
                         struct deploy_plan *plan, struct deis_err *err)
{
    json_t *counts = req->arg;

    if (!view->build) {
        return deis_err_set(err, DEIS_INVALID, "No build associated with this release");
    }
    int r = plan_check_types(counts, view->build, err);
    if (r < 0) {
        return r;
    }
    deis_autojson json_t *structure = plan_scale(json_object_get(view->app, "structure"), counts);
    if (json_object_size(counts) == 0 ||
        json_equal(structure, json_object_get(view->app, "structure"))) {
        plan->nothing = true;
        return DEIS_OK;
    }
    plan->summary = scale_text(req->user, counts);
    return deploy_plan_structure(req, view, structure, plan, err);
}

void handle_apps_scale(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct outcome outcome = { 0 };
    struct deploy_request req = deploy_request_of(a, "scale", PATIENCE_MS);
    deis_autojson json_t *counts = NULL;

    if (plan_parse_scale(a->body, &counts, &err) < 0) {
        api_error(a, &err);
        return;
    }
    req.prepare = prepare_scale;
    req.arg = counts;
    int r = deploy_run(&req, &outcome, &err);
    if (r == DEIS_OK && outcome.done) {
        api_empty(a, 204);
    } else {
        deploy_answer_failure(a, r, &outcome, &err);
    }
    outcome_clear(&outcome);
}

/* --- containers --- */

/* What the agents say about STATES_MAX units at most; what can't be read counts as not said. */
static int load_some_states(struct ctl *ctl, const struct deis_unit *units, size_t count,
                            struct deis_unit_state *states, struct deis_err *err)
{
    struct deis_etcd_range ranges[STATES_MAX] = { 0 };
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    char key[DEIS_KEY_MAX];

    for (size_t i = 0; i < count; i++) {
        deis_key(key, "states/%s/%s", units[i].machine, units[i].unit);
        deis_etcd_then_get(txn, key, false);
    }
    int r = deis_etcd_commit(ctl->etcd, txn, ranges, NULL, err);
    for (size_t i = 0; i < count; i++) {
        bool said = r == DEIS_OK && ranges[i].count > 0;
        if (said && deis_unit_state_parse(ranges[i].kvs[0].value, &states[i], NULL) < 0) {
            states[i] = (struct deis_unit_state){ 0 };
        }
        deis_etcd_range_clear(&ranges[i]);
    }
    return r;
}

/* states[i] has no unit where the agents say nothing. */
static int load_states(struct ctl *ctl, const struct deis_unit *units, size_t count,
                       struct deis_unit_state *states, struct deis_err *err)
{
    int r = DEIS_OK;

    for (size_t first = 0; r == DEIS_OK && first < count; first += STATES_MAX) {
        size_t n = count - first < STATES_MAX ? count - first : STATES_MAX;
        r = load_some_states(ctl, units + first, n, states + first, err);
    }
    return r;
}

static int by_creation(const void *a, const void *b)
{
    const struct deis_etcd_kv *x = a;
    const struct deis_etcd_kv *y = b;

    return x->create_revision < y->create_revision ? -1 : x->create_revision > y->create_revision;
}

static bool query_says(const struct api *a, const char *name)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(8);

    return deis_url_query_get(deis_str(a->query), name, &text, NULL) == DEIS_OK &&
           !deis_buf_failed(&text) && strcmp(text.data, "true") == 0;
}

/* Does the request ask for details? */
static bool wants_detail(const struct api *a)
{
    return query_says(a, "detail");
}

/* Host names in the place of machine ids, where the machines are known. */
static int name_machines(struct ctl *ctl, json_t *rows, struct deis_err *err)
{
    deis_autojson json_t *ids = json_object();
    deis_autojson json_t *names = json_array();
    deis_autojson json_t *machines = NULL;
    json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "machine"));
        if (id && !json_object_get(ids, id)) {
            json_object_set_new(ids, id, json_string(id));
            json_array_append_new(names, json_string(id));
        }
    }
    int r = store_get_named(ctl, "/deis/machines/", names, STORE_SMALL_STEP, &machines, err);
    if (r < 0) {
        return r;
    }
    json_array_foreach(machines, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "id"));
        const char *host = json_string_value(json_object_get(row, "hostname"));
        if (id && host && *host) {
            json_object_set_new(ids, id, json_string(host));
        }
    }
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "machine"));
        if (id) {
            json_object_set(row, "machine", json_object_get(ids, id));
        }
    }
    return DEIS_OK;
}

/* The app's containers, oldest first; type NULL and num 0 = all. */
static int load_containers(struct api *a, const char *type, uint32_t num, json_t **ret,
                           struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char prefix[DEIS_KEY_MAX];
    size_t count = 0;
    int r = deis_etcd_list(a->ctl->etcd, deis_key(prefix, "units/%s_v", a->app_id), 0, &range, err);

    if (r < 0) {
        return r;
    }
    if (range.count > 1) {
        qsort(range.kvs, range.count, sizeof(range.kvs[0]), by_creation);
    }
    struct deis_unit *units = deis_alloc((range.count + 1) * sizeof(*units));
    struct deis_unit_state *states = deis_alloc((range.count + 1) * sizeof(*states));
    for (size_t i = 0; r == DEIS_OK && i < range.count; i++) {
        struct deis_unit *u = &units[count];
        r = deis_unit_parse(range.kvs[i].value, u, err);
        if (r == DEIS_OK && u->desired == DEIS_DESIRED_RUN &&
            (!type || strcmp(u->type, type) == 0) && (num == 0 || u->num == num)) {
            count++;
        } else if (r == DEIS_OK) {
            deis_unit_clear(u);
        }
    }
    if (r == DEIS_OK) {
        r = load_states(a->ctl, units, count, states, err);
    }
    const char *owner = json_string_value(json_object_get(a->app, "owner"));
    const char *since = json_string_value(json_object_get(a->app, "updated"));
    bool detail = wants_detail(a);
    *ret = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct deis_unit_state *state = states[i].unit ? &states[i] : NULL;
        json_t *doc = container_document(&units[i], state, owner, since);
        if (detail) {
            container_add_detail(doc, units[i].machine, state);
        }
        json_array_append_new(*ret, doc);
        deis_unit_clear(&units[i]);
        deis_unit_state_clear(&states[i]);
    }
    free(units);
    free(states);
    return r == DEIS_OK && detail ? name_machines(a->ctl, *ret, err) : r;
}

/* One-off commands, oldest first; live: those that run. Added to rows. */
static int add_runs(struct api *a, bool live, json_t *rows, struct deis_err *err)
{
    deis_autojson json_t *runs = NULL;
    char prefix[DEIS_KEY_MAX];
    bool detail = wants_detail(a);
    json_t *run;
    size_t i;

    int r = store_list(a->ctl, deis_key(prefix, "apps/%s/runs/", a->app_id), &runs, err);
    json_array_foreach(runs, i, run)
    {
        const char *state = json_string_value(json_object_get(run, "state"));
        if (!live || (state && strcmp(state, "up") == 0)) {
            container_of_run(run, detail);
            json_array_append(rows, run);
        }
    }
    return r == DEIS_OK && detail ? name_machines(a->ctl, rows, err) : r;
}

static void list_containers(struct api *a, const char *type)
{
    struct deis_err err = DEIS_ERR_INIT;
    json_t *rows = NULL;
    int r;

    if (type && strcmp(type, "run") == 0) {
        rows = json_array();
        r = add_runs(a, false, rows, &err);
    } else {
        r = load_containers(a, type, 0, &rows, &err);
        if (r == DEIS_OK && !type && query_says(a, "runs")) {
            r = add_runs(a, true, rows, &err);
        }
    }

    if (r < 0) {
        json_decref(rows);
        api_error(a, &err);
        return;
    }
    api_page(a, rows);
}

void handle_containers_list(struct api *a)
{
    list_containers(a, NULL);
}

void handle_containers_type(struct api *a)
{
    list_containers(a, api_param(a, "type"));
}

static uint32_t number_param(const struct api *a)
{
    return (uint32_t)strtoul(api_param(a, "num"), NULL, 10);
}

void handle_containers_get(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *rows = NULL;
    json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    const char *type = api_param(a, "type");
    uint32_t num = number_param(a);
    int r;

    if (strcmp(type, "run") == 0) {
        r = store_get(a->ctl, deis_key(key, "apps/%s/runs/%010u", a->app_id, num), &doc, NULL,
                      &err);
        if (r == DEIS_OK) {
            rows = json_pack("[O]", doc);
            container_of_run(doc, wants_detail(a));
            r = name_machines(a->ctl, rows, &err);
        }
    } else {
        r = num > 0 ? load_containers(a, type, num, &rows, &err) : DEIS_OK;
        doc = json_incref(json_array_get(rows, json_array_size(rows) - 1));
    }
    if (r < 0) {
        api_error(a, &err);
    } else if (doc) {
        api_json(a, 200, doc);
    } else {
        api_not_found(a);
    }
}

/* --- restart --- */

struct restart_job {
    const char *type;
    uint32_t num;
};

static int prepare_restart(const struct deploy_request *req, const struct app_view *view,
                           struct deploy_plan *plan, struct deis_err *err)
{
    const struct restart_job *job = req->arg;

    if (!view->running) {
        plan->nothing = true;
        return DEIS_OK;
    }
    deis_autofree char *text = deis_json_dump(view->formation_doc);
    int r = deis_formation_parse(deis_str(text), &plan->formation, err);
    if (r < 0) {
        return r;
    }
    plan->nothing = plan_restart(&plan->formation, job->type, job->num) == 0;
    plan->formation.generation = view->generation + 1;
    free(plan->formation.operation);
    plan->formation.operation = deis_strdup(req->operation);
    plan->has_formation = true;
    plan->summary =
        deis_asprintf("%s restarted %s", req->user, job->type ? job->type : "all processes");
    return DEIS_OK;
}

static void restart(struct api *a, const char *type, uint32_t num)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct outcome outcome = { 0 };
    struct restart_job job = { type, num };
    struct deploy_request req = deploy_request_of(a, "restart", PATIENCE_MS);
    json_t *rows = NULL;

    req.prepare = prepare_restart;
    req.arg = &job;
    int r = deploy_run(&req, &outcome, &err);
    if (r < 0 || !outcome.done) {
        deploy_answer_failure(a, r, &outcome, &err);
    } else if (load_containers(a, type, num, &rows, &err) < 0) {
        api_error(a, &err);
    } else {
        api_json(a, 200, DEIS_TAKE(rows));
    }
    json_decref(rows);
    outcome_clear(&outcome);
}

void handle_containers_restart(struct api *a)
{
    restart(a, NULL, 0);
}

void handle_containers_restart_type(struct api *a)
{
    restart(a, api_param(a, "type"), 0);
}

void handle_containers_restart_one(struct api *a)
{
    uint32_t num = number_param(a);

    if (num == 0) {
        api_json(a, 200, json_array());
    } else {
        restart(a, api_param(a, "type"), num);
    }
}

/* --- destroy --- */

void handle_apps_destroy(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct outcome outcome = { 0 };
    struct deploy_request req = deploy_request_of(a, "destroy", PATIENCE_MS);
    int r = deploy_destroy(&req, &outcome, &err);

    if (r == DEIS_OK && outcome.done) {
        api_empty(a, 204);
    } else {
        deploy_answer_failure(a, r, &outcome, &err);
    }
    outcome_clear(&outcome);
}
