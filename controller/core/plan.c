/* SPDX-License-Identifier: MIT */
#include "controller/core/plan.h"

#include "controller/core/appconfig.h"
#include "controller/core/release.h"

#include <math.h>

static int bad_format(struct deis_err *err, const char *text)
{
    return deis_err_set(err, DEIS_INVALID, "Invalid scaling format: %s", text);
}

/* One count as the original's int() would read it. */
static int parse_count(const json_t *value, json_int_t *ret, struct deis_err *err)
{
    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
        return DEIS_OK;
    }
    if (json_is_real(value) && fabs(json_real_value(value)) < 1e9) {
        *ret = (json_int_t)json_real_value(value);
        return DEIS_OK;
    }
    if (json_is_boolean(value)) {
        *ret = json_is_true(value);
        return DEIS_OK;
    }
    if (!json_is_string(value)) {
        return bad_format(err, "int() argument must be a string or a number");
    }
    struct deis_str text = deis_str_trim(deis_str(json_string_value(value)));
    bool minus = deis_str_starts(text, "-");
    uint64_t n = 0;
    if (deis_str_to_u64(minus ? deis_str_skip(text, 1) : text, 0, INT32_MAX, &n, NULL) < 0) {
        return deis_err_set(
            err, DEIS_INVALID,
            "Invalid scaling format: invalid literal for int() with base 10: '%.100s'",
            json_string_value(value));
    }
    *ret = minus ? -(json_int_t)n : (json_int_t)n;
    return DEIS_OK;
}

int plan_parse_scale(json_t *request, json_t **ret, struct deis_err *err)
{
    deis_autojson json_t *out = json_object();
    const char *type;
    json_t *value;
    json_int_t n = 0;

    json_object_foreach(request, type, value)
    {
        int r = parse_count(value, &n, err);
        if (r < 0) {
            return r;
        }
        json_object_set_new(out, type, json_integer(n));
    }
    json_object_foreach(out, type, value)
    {
        if (json_integer_value(value) < 0) {
            return bad_format(err, "Must be greater than or equal to zero");
        }
        if (json_integer_value(value) > PLAN_COUNT_MAX) {
            return deis_err_set(err, DEIS_INVALID,
                                "Invalid scaling format: Must be less than or equal to %d",
                                PLAN_COUNT_MAX);
        }
    }
    *ret = DEIS_TAKE(out);
    return DEIS_OK;
}

int plan_check_types(json_t *request, const json_t *build, struct deis_err *err)
{
    const char *type;
    json_t *value;

    json_object_foreach(request, type, value)
    {
        if (!build_has_type(build, type)) {
            return deis_err_set(err, DEIS_INVALID,
                                "Container type %.64s does not exist in application", type);
        }
    }
    return DEIS_OK;
}

json_t *plan_scale(json_t *structure, json_t *request)
{
    json_t *out = json_object();
    const char *type;
    json_t *value;

    json_object_foreach(structure, type, value)
    {
        if (json_integer_value(value) > 0) {
            json_object_set(out, type, value);
        }
    }
    json_object_update(out, request);
    return out;
}

json_t *plan_structure(json_t *structure, const json_t *build)
{
    const char *sha = json_string_value(json_object_get(build, "sha"));

    if (json_object_size(structure) > 0) {
        return json_deep_copy(structure);
    }
    bool web = sha && *sha && json_object_get(json_object_get(build, "procfile"), "web");
    bool buildpack = sha && *sha && json_object_size(json_object_get(build, "procfile")) == 0 &&
                     json_string_length(json_object_get(build, "dockerfile")) == 0;
    return json_pack("{s:i}", web || buildpack ? "web" : "cmd", 1);
}

char *plan_env(const json_t *config, const char *app, uint32_t version, const json_t *build)
{
    const char *sha = json_string_value(json_object_get(build, "sha"));
    json_t *values = json_object_get(config, "values");
    deis_autojson json_t *env = values ? json_copy(values) : json_object();
    char release[16];

    snprintf(release, sizeof(release), "v%u", version);
    json_object_set_new(env, "DEIS_APP", json_string(app));
    json_object_set_new(env, "DEIS_RELEASE", json_string(release));
    if (sha && *sha) {
        json_object_set_new(env, "GIT_SHA", json_string(sha));
    }
    return deis_json_dump(env);
}

static char **words(const char *a, const char *b, const char *c)
{
    char *v[] = { deis_strdup(a), deis_strdup(b), c ? deis_strdup(c) : NULL, NULL };
    char **out = deis_alloc(sizeof(v));

    memcpy(out, v, sizeof(v));
    return out;
}

/* How a process of this type is started; NULL = as the image says. */
static char **command_of(const json_t *build, const char *type)
{
    const char *line = json_string_value(json_object_get(json_object_get(build, "procfile"), type));
    bool dockerfile = json_string_length(json_object_get(build, "dockerfile")) > 0;
    bool sha = json_string_length(json_object_get(build, "sha")) > 0;

    if (line && (dockerfile || !sha)) {
        return words("/bin/sh", "-c", line);
    }
    if (!line && strcmp(type, "cmd") == 0) {
        return NULL;
    }
    return words("start", type, NULL);
}

static const struct deis_process *process_of(const struct deis_formation *f, const char *type)
{
    for (size_t i = 0; f && i < f->process_count; i++) {
        if (strcmp(f->processes[i].type, type) == 0) {
            return &f->processes[i];
        }
    }
    return NULL;
}

static int process_fill(const struct plan_input *in, const char *type, uint32_t count,
                        struct deis_process *p, struct deis_err *err)
{
    const char *memory =
        json_string_value(json_object_get(json_object_get(in->config, "memory"), type));
    json_t *tags = json_object_get(in->config, "tags");
    json_int_t shares =
        json_integer_value(json_object_get(json_object_get(in->config, "cpu"), type));

    *p = (struct deis_process){ .type = deis_strdup(type),
                                .count = count,
                                .command = command_of(in->build, type),
                                .cpu_shares = (uint32_t)shares,
                                .routable = strcmp(type, "web") == 0 || strcmp(type, "cmd") == 0 };
    if (json_object_size(tags) > 0) {
        p->tags = json_deep_copy(tags);
    }
    if (memory &&
        deis_str_to_bytes(deis_str(memory), UINT64_C(1) << 50, &p->memory_bytes, err) < 0) {
        return deis_err_wrap(err, "memory limit of %s", type);
    }
    const struct deis_process *before = process_of(in->current, type);
    if (before && before->restarts && in->current && in->current->release == in->version) {
        p->restarts = json_deep_copy(before->restarts);
    }
    return DEIS_OK;
}

static void health_fill(const struct plan_input *in, struct deis_health *h)
{
    const char *path = appconfig_value(in->config, "HEALTHCHECK_URL", NULL);

    if (!path || !*path) {
        return;
    }
    h->path = deis_asprintf("%s%s", path[0] == '/' ? "" : "/", path);
    h->delay_ms = appconfig_number(in->config, "HEALTHCHECK_INITIAL_DELAY", 3600, 0) * 1000;
    h->timeout_ms = appconfig_number(in->config, "HEALTHCHECK_TIMEOUT", 3600, 1) * 1000;
    if (h->timeout_ms == 0) {
        h->timeout_ms = 1000;
    }
}

int plan_formation(const struct plan_input *in, struct deis_formation *ret, struct deis_err *err)
{
    bool same = in->current && in->current->release == in->version;
    struct deis_formation f = { .app = deis_strdup(in->app),
                                .generation = in->generation,
                                .operation = deis_strdup(in->operation),
                                .release = in->version,
                                .image = deis_strdup(in->image),
                                .env = deis_strdup(same ? in->current->env : in->env),
                                .grace_ms = in->grace_ms };
    const char *type;
    json_t *count;
    uint64_t timeout_s = appconfig_number(in->config, "DEIS_DEPLOY_TIMEOUT", 3600, 0);
    int r = DEIS_OK;

    health_fill(in, &f.health);
    f.start_timeout_ms = timeout_s > 0 ? timeout_s * 1000 : in->start_timeout_ms;
    f.processes = deis_alloc((json_object_size(in->structure) + 1) * sizeof(*f.processes));
    json_object_foreach(in->structure, type, count)
    {
        if (json_integer_value(count) > 0 && build_has_type(in->build, type)) {
            r = process_fill(in, type, (uint32_t)json_integer_value(count),
                             &f.processes[f.process_count++], err);
        }
        if (r < 0) {
            deis_formation_clear(&f);
            return r;
        }
    }
    *ret = f;
    return DEIS_OK;
}

static void raise_counter(struct deis_process *p, const char *name)
{
    if (!p->restarts) {
        p->restarts = json_object();
    }
    json_int_t n = json_integer_value(json_object_get(p->restarts, name));
    json_object_set_new(p->restarts, name, json_integer(n + 1));
}

uint32_t plan_restart(struct deis_formation *f, const char *type, uint32_t num)
{
    uint32_t touched = 0;
    char name[16];

    snprintf(name, sizeof(name), "%u", num);
    for (size_t i = 0; i < f->process_count; i++) {
        struct deis_process *p = &f->processes[i];
        if ((type && strcmp(p->type, type) != 0) || num > p->count) {
            continue;
        }
        raise_counter(p, num > 0 ? name : "all");
        touched += num > 0 ? 1 : p->count;
    }
    return touched;
}
