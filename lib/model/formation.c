/* SPDX-License-Identifier: MIT */
#include "lib/model/codec.h"

#define PROCESSES_MAX 64

static void process_clear(struct deis_process *p)
{
    free(p->type);
    deis_strv_free(p->entrypoint);
    deis_strv_free(p->command);
    json_decref(p->tags);
    json_decref(p->restarts);
    *p = (struct deis_process){ 0 };
}

void deis_formation_clear(struct deis_formation *f)
{
    free(f->app);
    free(f->operation);
    free(f->image);
    free(f->env);
    free(f->health.path);
    for (size_t i = 0; i < f->process_count; i++) {
        process_clear(&f->processes[i]);
    }
    free(f->processes);
    *f = (struct deis_formation){ 0 };
}

static int process_parse(const char *type, const json_t *obj, struct deis_process *p,
                         struct deis_err *err)
{
    int r;

    if (!deis_str_is_process_type(deis_str(type)) || !json_is_object(obj)) {
        return deis_err_set(err, DEIS_INVALID, "process type '%.64s' is not valid", type);
    }
    p->type = deis_strdup(type);
    if ((r = codec_u32(obj, "count", 0, &p->count, err)) < 0 ||
        (r = codec_strv(obj, "entrypoint", &p->entrypoint, err)) < 0 ||
        (r = codec_strv(obj, "command", &p->command, err)) < 0 ||
        (r = deis_json_u64_or(obj, "memory_bytes", 0, &p->memory_bytes, err)) < 0 ||
        (r = codec_u32(obj, "cpu_shares", 0, &p->cpu_shares, err)) < 0 ||
        (r = codec_texts(obj, "tags", &p->tags, err)) < 0 ||
        (r = deis_json_bool_or(obj, "routable", false, &p->routable, err)) < 0 ||
        (r = codec_counters(obj, "restarts", &p->restarts, err)) < 0) {
        return deis_err_wrap(err, "process '%s'", type);
    }
    return 0;
}

static int processes_parse(const json_t *obj, struct deis_formation *f, struct deis_err *err)
{
    json_t *processes;
    json_t *value;
    const char *type;
    int r = deis_json_get_object(obj, "processes", &processes, err);

    if (r < 0) {
        return r;
    }
    if (json_object_size(processes) > PROCESSES_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "more than %d process types", PROCESSES_MAX);
    }
    f->processes = deis_alloc((json_object_size(processes) + 1) * sizeof(*f->processes));
    json_object_foreach(processes, type, value)
    {
        r = process_parse(type, value, &f->processes[f->process_count++], err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int deis_formation_parse(struct deis_str text, struct deis_formation *ret, struct deis_err *err)
{
    struct deis_formation f = { 0 };
    deis_autojson json_t *obj = deis_json_parse(text, err);
    int r;

    *ret = f;
    if (!obj) {
        return deis_err_wrap(err, "formation");
    }
    if ((r = codec_name(obj, "app", &f.app, err)) < 0 ||
        (r = deis_json_get_u64(obj, "generation", &f.generation, err)) < 0 ||
        (r = codec_text_or(obj, "operation", "", &f.operation, err)) < 0 ||
        (r = codec_u32(obj, "release", 0, &f.release, err)) < 0 ||
        (r = codec_text(obj, "image", &f.image, err)) < 0 ||
        (r = codec_text(obj, "env", &f.env, err)) < 0 ||
        (r = deis_json_u64_or(obj, "grace_ms", 10000, &f.grace_ms, err)) < 0 ||
        (r = deis_json_u64_or(obj, "start_timeout_ms", 60000, &f.start_timeout_ms, err)) < 0 ||
        (r = codec_health(obj, &f.health, err)) < 0 || (r = processes_parse(obj, &f, err)) < 0) {
        deis_formation_clear(&f);
        return deis_err_wrap(err, "formation");
    }
    *ret = f;
    return 0;
}

static json_t *process_json(const struct deis_process *p)
{
    json_t *obj = json_object();

    codec_set_number(obj, "count", p->count);
    json_object_set_new(obj, "entrypoint", codec_strv_json(p->entrypoint));
    json_object_set_new(obj, "command", codec_strv_json(p->command));
    codec_set_number(obj, "memory_bytes", p->memory_bytes);
    codec_set_number(obj, "cpu_shares", p->cpu_shares);
    codec_set_object(obj, "tags", p->tags);
    json_object_set_new(obj, "routable", json_boolean(p->routable));
    codec_set_object(obj, "restarts", p->restarts);
    return obj;
}

char *deis_formation_format(const struct deis_formation *f)
{
    json_t *obj = json_object();
    json_t *processes = json_object();

    codec_set_text(obj, "app", f->app);
    codec_set_number(obj, "generation", f->generation);
    codec_set_text(obj, "operation", f->operation);
    codec_set_number(obj, "release", f->release);
    codec_set_text(obj, "image", f->image);
    codec_set_text(obj, "env", f->env);
    codec_set_number(obj, "grace_ms", f->grace_ms);
    codec_set_number(obj, "start_timeout_ms", f->start_timeout_ms);
    json_object_set_new(obj, "health", codec_health_json(&f->health));
    for (size_t i = 0; i < f->process_count; i++) {
        json_object_set_new(processes, f->processes[i].type, process_json(&f->processes[i]));
    }
    json_object_set_new(obj, "processes", processes);
    return codec_dump(obj);
}
