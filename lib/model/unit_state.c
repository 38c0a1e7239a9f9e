/* SPDX-License-Identifier: MIT */
#include "lib/model/codec.h"

static const char *const state_names[] = {
    [DEIS_STATE_CREATED] = "created",
    [DEIS_STATE_STARTING] = "starting",
    [DEIS_STATE_UP] = "up",
    [DEIS_STATE_CRASHED] = "crashed",
    [DEIS_STATE_STOPPING] = "stopping",
    [DEIS_STATE_ERROR] = "error",
};

const char *deis_state_name(enum deis_state s)
{
    return state_names[s];
}

void deis_unit_state_clear(struct deis_unit_state *s)
{
    free(s->unit);
    free(s->app);
    free(s->type);
    free(s->machine);
    free(s->address);
    free(s->container);
    free(s->exit_error);
    free(s->reason);
    *s = (struct deis_unit_state){ 0 };
}

static int state_parse(const json_t *obj, enum deis_state *ret, struct deis_err *err)
{
    const char *name;
    int r = deis_json_get_str(obj, "state", &name, err);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < DEIS_COUNT(state_names); i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *ret = (enum deis_state)i;
            return 0;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "state '%.32s' is not known", name);
}

static int exit_parse(const json_t *obj, struct deis_unit_state *s, struct deis_err *err)
{
    deis_autojson json_t *end = NULL;
    int r = codec_object(obj, "exit", &end, err);

    if (r == 0 && !end) {
        s->exit_error = deis_strdup("");
        return 0;
    }
    if (r < 0 || (r = codec_text_or(end, "error", "", &s->exit_error, err)) < 0 ||
        (r = deis_json_bool_or(end, "oom", false, &s->exit_oom, err)) < 0 ||
        (r = deis_json_u64_or(end, "at", 0, &s->exit_at_ms, err)) < 0) {
        return r;
    }
    const json_t *code = json_object_get(end, "code");
    json_int_t number = json_integer_value(code);
    if (code && (!json_is_integer(code) || number < INT32_MIN || number > INT32_MAX)) {
        return deis_err_set(err, DEIS_INVALID, "field 'code' must be a number of 32 bits");
    }
    s->exit_code = (int32_t)number;
    return 0;
}

int deis_unit_state_parse(struct deis_str text, struct deis_unit_state *ret, struct deis_err *err)
{
    struct deis_unit_state s = { 0 };
    deis_autojson json_t *obj = deis_json_parse(text, err);
    int r;

    *ret = s;
    if (!obj) {
        return deis_err_wrap(err, "unit state");
    }
    if ((r = codec_name(obj, "unit", &s.unit, err)) < 0 ||
        (r = codec_name(obj, "app", &s.app, err)) < 0 ||
        (r = codec_text(obj, "type", &s.type, err)) < 0 ||
        (r = codec_u32(obj, "num", 0, &s.num, err)) < 0 ||
        (r = codec_u32(obj, "release", 0, &s.release, err)) < 0 ||
        (r = codec_name(obj, "machine", &s.machine, err)) < 0 ||
        (r = state_parse(obj, &s.state, err)) < 0 ||
        (r = deis_json_bool_or(obj, "ready", false, &s.ready, err)) < 0 ||
        (r = codec_text_or(obj, "address", "", &s.address, err)) < 0 ||
        (r = codec_text_or(obj, "container", "", &s.container, err)) < 0 ||
        (r = codec_u32(obj, "exits", 0, &s.exits, err)) < 0 || (r = exit_parse(obj, &s, err)) < 0 ||
        (r = codec_text_or(obj, "reason", "", &s.reason, err)) < 0 ||
        (r = deis_json_u64_or(obj, "since", 0, &s.since_ms, err)) < 0) {
        deis_unit_state_clear(&s);
        return deis_err_wrap(err, "unit state");
    }
    *ret = s;
    return 0;
}

char *deis_unit_state_format(const struct deis_unit_state *s)
{
    json_t *obj = json_object();

    codec_set_text(obj, "unit", s->unit);
    codec_set_text(obj, "app", s->app);
    codec_set_text(obj, "type", s->type);
    codec_set_number(obj, "num", s->num);
    codec_set_number(obj, "release", s->release);
    codec_set_text(obj, "machine", s->machine);
    codec_set_text(obj, "state", state_names[s->state]);
    json_object_set_new(obj, "ready", json_boolean(s->ready));
    codec_set_text(obj, "address", s->address);
    codec_set_text(obj, "container", s->container);
    codec_set_number(obj, "exits", s->exits);
    if (s->exit_at_ms > 0) {
        json_t *end = json_object();
        json_object_set_new(end, "code", json_integer(s->exit_code));
        json_object_set_new(end, "oom", json_boolean(s->exit_oom));
        codec_set_text(end, "error", s->exit_error);
        codec_set_number(end, "at", s->exit_at_ms);
        json_object_set_new(obj, "exit", end);
    }
    codec_set_text(obj, "reason", s->reason);
    codec_set_number(obj, "since", s->since_ms);
    return codec_dump(obj);
}
