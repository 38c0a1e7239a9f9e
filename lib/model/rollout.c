/* SPDX-License-Identifier: MIT */
#include "lib/model/codec.h"

static const char *const rollout_names[] = {
    [DEIS_ROLLOUT_RUNNING] = "running",
    [DEIS_ROLLOUT_DONE] = "done",
    [DEIS_ROLLOUT_FAILED] = "failed",
};

void deis_rollout_clear(struct deis_rollout *r)
{
    free(r->app);
    free(r->operation);
    free(r->reason);
    free(r->unit);
    free(r->machine);
    *r = (struct deis_rollout){ 0 };
}

static int state_parse(const json_t *obj, enum deis_rollout_state *ret, struct deis_err *err)
{
    const char *name;
    int r = deis_json_get_str(obj, "state", &name, err);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < DEIS_COUNT(rollout_names); i++) {
        if (strcmp(name, rollout_names[i]) == 0) {
            *ret = (enum deis_rollout_state)i;
            return 0;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "state '%.32s' is not known", name);
}

int deis_rollout_parse(struct deis_str text, struct deis_rollout *ret, struct deis_err *err)
{
    struct deis_rollout o = { 0 };
    uint64_t settled = 0;
    deis_autojson json_t *obj = deis_json_parse(text, err);
    int r;

    *ret = o;
    if (!obj) {
        return deis_err_wrap(err, "rollout");
    }
    if ((r = codec_name(obj, "app", &o.app, err)) < 0 ||
        (r = deis_json_get_u64(obj, "generation", &o.generation, err)) < 0 ||
        (r = codec_text_or(obj, "operation", "", &o.operation, err)) < 0 ||
        (r = state_parse(obj, &o.state, err)) < 0 ||
        (r = codec_u32(obj, "ready", 0, &o.ready, err)) < 0 ||
        (r = codec_u32(obj, "wanted", 0, &o.wanted, err)) < 0 ||
        (r = codec_text_or(obj, "reason", "", &o.reason, err)) < 0 ||
        (r = codec_text_or(obj, "unit", "", &o.unit, err)) < 0 ||
        (r = codec_text_or(obj, "machine", "", &o.machine, err)) < 0 ||
        (r = deis_json_u64_or(obj, "settled", 0, &settled, err)) < 0) {
        deis_rollout_clear(&o);
        return deis_err_wrap(err, "rollout");
    }
    o.settled = (int64_t)settled;
    *ret = o;
    return 0;
}

char *deis_rollout_format(const struct deis_rollout *r)
{
    json_t *obj = json_object();

    codec_set_text(obj, "app", r->app);
    codec_set_number(obj, "generation", r->generation);
    codec_set_text(obj, "operation", r->operation);
    codec_set_text(obj, "state", rollout_names[r->state]);
    codec_set_number(obj, "ready", r->ready);
    codec_set_number(obj, "wanted", r->wanted);
    codec_set_text(obj, "reason", r->reason);
    codec_set_text(obj, "unit", r->unit);
    codec_set_text(obj, "machine", r->machine);
    codec_set_number(obj, "settled", (uint64_t)r->settled);
    return codec_dump(obj);
}
