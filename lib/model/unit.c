/* SPDX-License-Identifier: MIT */
#include "lib/model/codec.h"

static const char *const desired_names[] = {
    [DEIS_DESIRED_RUN] = "run",
    [DEIS_DESIRED_DRAIN] = "drain",
    [DEIS_DESIRED_STOP] = "stop",
};

void deis_unit_clear(struct deis_unit *u)
{
    free(u->unit);
    free(u->app);
    free(u->type);
    free(u->machine);
    free(u->image);
    free(u->env);
    deis_strv_free(u->entrypoint);
    deis_strv_free(u->command);
    free(u->health.path);
    *u = (struct deis_unit){ 0 };
}

static int desired_parse(const json_t *obj, enum deis_desired *ret, struct deis_err *err)
{
    const char *name;
    int r = deis_json_get_str(obj, "desired", &name, err);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < DEIS_COUNT(desired_names); i++) {
        if (strcmp(name, desired_names[i]) == 0) {
            *ret = (enum deis_desired)i;
            return 0;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "desired state '%.32s' is not known", name);
}

static int spec_parse(const json_t *obj, struct deis_unit *u, struct deis_err *err)
{
    int r;

    if ((r = codec_text(obj, "image", &u->image, err)) < 0 ||
        (r = codec_text(obj, "env", &u->env, err)) < 0 ||
        (r = codec_strv(obj, "entrypoint", &u->entrypoint, err)) < 0 ||
        (r = codec_strv(obj, "command", &u->command, err)) < 0 ||
        (r = deis_json_u64_or(obj, "memory_bytes", 0, &u->memory_bytes, err)) < 0 ||
        (r = codec_u32(obj, "cpu_shares", 0, &u->cpu_shares, err)) < 0 ||
        (r = deis_json_bool_or(obj, "routable", false, &u->routable, err)) < 0 ||
        (r = deis_json_u64_or(obj, "grace_ms", 10000, &u->grace_ms, err)) < 0 ||
        (r = deis_json_u64_or(obj, "start_timeout_ms", 60000, &u->start_timeout_ms, err)) < 0) {
        return r;
    }
    return codec_health(obj, &u->health, err);
}

int deis_unit_parse(struct deis_str text, struct deis_unit *ret, struct deis_err *err)
{
    struct deis_unit u = { 0 };
    deis_autojson json_t *obj = deis_json_parse(text, err);
    uint64_t epoch = 0;
    int r;

    *ret = u;
    if (!obj) {
        return deis_err_wrap(err, "unit");
    }
    if ((r = codec_name(obj, "unit", &u.unit, err)) < 0 ||
        (r = codec_name(obj, "app", &u.app, err)) < 0 ||
        (r = codec_u32(obj, "release", 0, &u.release, err)) < 0 ||
        (r = codec_text(obj, "type", &u.type, err)) < 0 ||
        (r = codec_u32(obj, "num", 0, &u.num, err)) < 0 ||
        (r = codec_name(obj, "machine", &u.machine, err)) < 0 ||
        (r = desired_parse(obj, &u.desired, err)) < 0 ||
        (r = deis_json_u64_or(obj, "epoch", 0, &epoch, err)) < 0 ||
        (r = spec_parse(obj, &u, err)) < 0) {
        deis_unit_clear(&u);
        return deis_err_wrap(err, "unit");
    }
    u.epoch = (int64_t)epoch;
    *ret = u;
    return 0;
}

char *deis_unit_format(const struct deis_unit *u)
{
    json_t *obj = json_object();

    codec_set_text(obj, "unit", u->unit);
    codec_set_text(obj, "app", u->app);
    codec_set_number(obj, "release", u->release);
    codec_set_text(obj, "type", u->type);
    codec_set_number(obj, "num", u->num);
    codec_set_text(obj, "machine", u->machine);
    codec_set_text(obj, "desired", desired_names[u->desired]);
    codec_set_number(obj, "epoch", (uint64_t)u->epoch);
    codec_set_text(obj, "image", u->image);
    codec_set_text(obj, "env", u->env);
    json_object_set_new(obj, "entrypoint", codec_strv_json(u->entrypoint));
    json_object_set_new(obj, "command", codec_strv_json(u->command));
    codec_set_number(obj, "memory_bytes", u->memory_bytes);
    codec_set_number(obj, "cpu_shares", u->cpu_shares);
    json_object_set_new(obj, "routable", json_boolean(u->routable));
    codec_set_number(obj, "grace_ms", u->grace_ms);
    codec_set_number(obj, "start_timeout_ms", u->start_timeout_ms);
    json_object_set_new(obj, "health", codec_health_json(&u->health));
    return codec_dump(obj);
}
