/* SPDX-License-Identifier: MIT */
#include "controller/core/operation.h"

#define TOTAL_MAX_MS    1200000 /* 20 minutes */
#define PATIENCE_MIN_MS 720000  /* above what the engine allows for fetching an image */
#define ENGINE_GONE_MS  60000

static const char *const step_names[] = {
    [OPERATION_ROLLOUT] = "rollout", [OPERATION_DESTROY] = "destroy"
};

void operation_clear(struct operation *op)
{
    free(op->id);
    free(op->kind);
    free(op->app);
    free(op->owner);
    free(op->request);
    free(op->instance);
    free(op->boot);
    free(op->summary);
    json_decref(op->release);
    json_decref(op->config);
    json_decref(op->build);
    json_decref(op->structure);
    json_decref(op->previous);
    *op = (struct operation){ 0 };
}

bool operation_id_fits(const char *id)
{
    size_t len = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.");

    return id[len] == '\0' && len > 0 && len <= OPERATION_ID_MAX;
}

static int take_text(const json_t *obj, const char *key, char **ret, struct deis_err *err)
{
    const char *text;
    int r = deis_json_get_str(obj, key, &text, err);

    if (r == DEIS_OK) {
        *ret = deis_strdup(text);
    }
    return r;
}

static json_t *take_object(const json_t *obj, const char *key)
{
    json_t *value = json_object_get(obj, key);

    return json_is_object(value) ? json_incref(value) : NULL;
}

static int take_step(const json_t *obj, enum operation_step *ret, struct deis_err *err)
{
    const char *text;
    int r = deis_json_get_str(obj, "step", &text, err);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < DEIS_COUNT(step_names); i++) {
        if (strcmp(text, step_names[i]) == 0) {
            *ret = (enum operation_step)i;
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "unknown step '%.32s'", text);
}

int operation_parse(struct deis_str text, struct operation *ret, struct deis_err *err)
{
    deis_autojson json_t *obj = deis_json_parse(text, err);
    struct operation op = { 0 };

    if (!obj) {
        return DEIS_INVALID;
    }
    if (take_text(obj, "id", &op.id, err) < 0 || take_text(obj, "kind", &op.kind, err) < 0 ||
        take_text(obj, "app", &op.app, err) < 0 || take_text(obj, "owner", &op.owner, err) < 0 ||
        take_text(obj, "request", &op.request, err) < 0 || take_step(obj, &op.step, err) < 0 ||
        take_text(obj, "instance", &op.instance, err) < 0 ||
        take_text(obj, "boot", &op.boot, err) < 0 ||
        take_text(obj, "summary", &op.summary, err) < 0 ||
        deis_json_get_u64(obj, "generation", &op.generation, err) < 0 ||
        deis_json_get_u64(obj, "started_ms", &op.started_ms, err) < 0 ||
        deis_json_get_u64(obj, "start_timeout_ms", &op.start_timeout_ms, err) < 0 ||
        deis_json_bool_or(obj, "health", false, &op.health, err) < 0) {
        operation_clear(&op);
        return deis_err_wrap(err, "operation");
    }
    const json_t *candidate = json_object_get(obj, "candidate");
    op.release = take_object(candidate, "release");
    op.config = take_object(candidate, "config");
    op.build = take_object(candidate, "build");
    op.structure = take_object(candidate, "structure");
    op.previous = take_object(obj, "previous");
    *ret = op;
    return DEIS_OK;
}

char *operation_format(const struct operation *op)
{
    deis_autojson json_t *obj = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:{s:O?, s:O?, s:O?, s:O?}, s:O?}",
        "id", op->id, "kind", op->kind, "app", op->app, "owner", op->owner, "request", op->request,
        "step", step_names[op->step], "instance", op->instance, "boot", op->boot, "summary",
        op->summary, "generation", (json_int_t)op->generation, "started_ms",
        (json_int_t)op->started_ms, "start_timeout_ms", (json_int_t)op->start_timeout_ms,
        "candidate", "release", op->release, "config", op->config, "build", op->build, "structure",
        op->structure, "previous", op->previous);

    json_object_set_new(obj, "health", json_boolean(op->health));
    return deis_json_dump(obj);
}

uint64_t operation_patience_ms(const struct operation *op)
{
    uint64_t ms = op->start_timeout_ms * 2 + PATIENCE_MIN_MS;

    return ms < TOTAL_MAX_MS ? ms : TOTAL_MAX_MS;
}

enum operation_verdict operation_judge(const struct operation *op,
                                       const struct deis_rollout *rollout,
                                       const struct operation_wait *wait)
{
    /* The id too: what an app of the same name left behind says nothing about this one. */
    if (rollout && rollout->generation >= op->generation && rollout->operation &&
        strcmp(rollout->operation, op->id) == 0) {
        switch (rollout->state) {
        case DEIS_ROLLOUT_DONE: return OPERATION_DONE;
        case DEIS_ROLLOUT_FAILED: return OPERATION_FAILED;
        case DEIS_ROLLOUT_RUNNING: break;
        }
    }
    if (wait->engine_gone_ms > ENGINE_GONE_MS) {
        return OPERATION_ORPHANED;
    }
    if (wait->silent_ms > operation_patience_ms(op) || wait->total_ms > TOTAL_MAX_MS) {
        return OPERATION_OVERDUE;
    }
    return OPERATION_WAIT;
}

static const struct {
    const char *name;
    const char *text;
} causes[] = {
    [OUTCOME_CREATE] = { "create", "aborting, failed to create some containers" },
    [OUTCOME_HEALTH] = { "health", "aborting, app containers failed to respond to health check" },
    [OUTCOME_DESTROY] = { "destroy", "aborting, failed to destroy some containers" },
};

enum outcome_cause outcome_cause_of(const char *reason, bool health)
{
    if (strstr(reason, "could not be stopped")) {
        return OUTCOME_DESTROY;
    }
    return health && strstr(reason, "was not ready") ? OUTCOME_HEALTH : OUTCOME_CREATE;
}

char *outcome_text(const struct outcome *o)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(65536);

    deis_buf_addf(&text, "%s: %s", causes[o->cause].text,
                  o->reason ? o->reason : "no reason known");
    if (o->log && o->log[0]) {
        deis_buf_add_cstr(&text, "\nits last log lines:");
        for (char *const *line = o->log; *line; line++) {
            deis_buf_addf(&text, "\n  %s", *line);
        }
    }
    return deis_buf_take(&text, NULL);
}

void outcome_clear(struct outcome *o)
{
    free(o->app);
    free(o->reason);
    deis_strv_free(o->log);
    *o = (struct outcome){ 0 };
}

int outcome_parse(struct deis_str text, struct outcome *ret, struct deis_err *err)
{
    deis_autojson json_t *obj = deis_json_parse(text, err);
    struct outcome o = { 0 };
    uint64_t version = 0;

    if (!obj) {
        return DEIS_INVALID;
    }
    if (deis_json_bool_or(obj, "done", false, &o.done, err) < 0 ||
        deis_json_u64_or(obj, "version", 0, &version, err) < 0 ||
        deis_json_u64_or(obj, "at_ms", 0, &o.at_ms, err) < 0 ||
        take_text(obj, "app", &o.app, err) < 0 || take_text(obj, "reason", &o.reason, err) < 0) {
        outcome_clear(&o);
        return deis_err_wrap(err, "outcome");
    }
    o.version = (uint32_t)version;
    const char *cause = json_string_value(json_object_get(obj, "cause"));
    for (size_t i = 0; cause && i < DEIS_COUNT(causes); i++) {
        o.cause = strcmp(cause, causes[i].name) == 0 ? (enum outcome_cause)i : o.cause;
    }
    const json_t *log = json_object_get(obj, "log");
    o.log = deis_alloc((json_array_size(log) + 1) * sizeof(*o.log));
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(log); i++) {
        const char *line = json_string_value(json_array_get(log, i));
        if (line) {
            o.log[n++] = deis_strdup(line);
        }
    }
    *ret = o;
    return DEIS_OK;
}

char *outcome_format(const struct outcome *o)
{
    deis_autojson json_t *obj =
        json_pack("{s:b, s:I, s:s, s:o, s:I, s:[]}", "done", o->done, "version",
                  (json_int_t)o->version, "app", o->app, "reason",
                  deis_json_text(deis_str(o->reason)), "at_ms", (json_int_t)o->at_ms, "log");

    if (!o->done) {
        json_object_set_new(obj, "cause", json_string(causes[o->cause].name));
    }
    for (char *const *line = o->log; line && *line; line++) {
        json_t *text = json_string(*line);
        if (text) {
            json_array_append_new(json_object_get(obj, "log"), text);
        }
    }
    return deis_json_dump(obj);
}
