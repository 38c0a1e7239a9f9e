/* SPDX-License-Identifier: MIT */
#include "controller/core/container.h"

#include "lib/base/clock.h"

static uint64_t fnv1a(const char *text, uint64_t h)
{
    for (; *text; text++) {
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    return h;
}

void container_uuid(const char *text, char out[37])
{
    uint64_t a = fnv1a(text, UINT64_C(0xcbf29ce484222325));
    uint64_t b = fnv1a(text, a ^ UINT64_C(0x9e3779b97f4a7c15));

    snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
             (unsigned)(0x8000 | (b >> 48 & 0x3fff)),
             (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

const char *container_state(const struct deis_unit *unit, const struct deis_unit_state *state)
{
    if (!state) {
        return "initialized";
    }
    switch (state->state) {
    case DEIS_STATE_CREATED: return "created";
    case DEIS_STATE_UP: return state->ready || !unit->routable ? "up" : "down";
    case DEIS_STATE_CRASHED: return "crashed";
    case DEIS_STATE_ERROR: return "error";
    case DEIS_STATE_STARTING:
    case DEIS_STATE_STOPPING: break;
    }
    return "down";
}

json_t *container_document(const struct deis_unit *unit, const struct deis_unit_state *state,
                           const char *owner, const char *since)
{
    deis_autobuf struct deis_buf when = DEIS_BUF_INIT(64);
    char release[16];
    char uuid[37];

    if (state) {
        deis_time_format_model(state->since_ms, &when);
        since = when.data;
    }
    snprintf(release, sizeof(release), "v%u", unit->release);
    container_uuid(unit->unit, uuid);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s}", "owner", owner, "app",
                     unit->app, "release", release, "type", unit->type, "num",
                     (json_int_t)unit->num, "state", container_state(unit, state), "created", since,
                     "updated", since, "uuid", uuid);
}

static json_t *time_or_null(uint64_t ms)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(64);

    if (ms == 0) {
        return json_null();
    }
    deis_time_format_model(ms, &text);
    return json_string(text.data);
}

static json_t *last_end(const struct deis_unit_state *state)
{
    if (state->exit_at_ms == 0) {
        return json_null();
    }
    return json_pack("{s:i, s:b, s:s, s:o}", "code", (int)state->exit_code, "oom", state->exit_oom,
                     "error", state->exit_error ? state->exit_error : "", "at",
                     time_or_null(state->exit_at_ms));
}

void container_of_run(json_t *doc, bool detail)
{
    const char *state = json_string_value(json_object_get(doc, "state"));

    if (!detail) {
        json_object_del(doc, "machine");
        json_object_del(doc, "exit");
        return;
    }
    if (!json_object_get(doc, "machine")) {
        json_object_set_new(doc, "machine", json_null());
    }
    if (!json_object_get(doc, "exit")) {
        json_object_set_new(doc, "exit", json_null());
    }
    json_object_set_new(doc, "ready", json_boolean(state && strcmp(state, "up") == 0));
    json_object_set(doc, "since", json_object_get(doc, "updated"));
    json_object_set_new(doc, "restarts", json_integer(0));
    json_object_set_new(doc, "reason", json_string(""));
}

void container_add_detail(json_t *doc, const char *machine, const struct deis_unit_state *state)
{
    static const struct deis_unit_state silent;
    const struct deis_unit_state *s = state ? state : &silent;

    json_object_set_new(doc, "machine", machine ? json_string(machine) : json_null());
    json_object_set_new(doc, "ready", json_boolean(s->ready));
    json_object_set_new(doc, "since", time_or_null(s->since_ms));
    json_object_set_new(doc, "restarts", json_integer((json_int_t)s->exits));
    json_object_set_new(doc, "exit", last_end(s));
    json_object_set_new(doc, "reason", json_string(s->reason ? s->reason : ""));
}
