/* SPDX-License-Identifier: MIT */
#include "controller/core/routing.h"

#include "lib/model/routing.h"

enum { NAME_SHOWN = 64, NAMES_MAX = 200 };

json_t *routing_empty(void)
{
    return json_pack("{s:{}}", "settings");
}

/* One setting of a change, into settings. */
static void apply(json_t *settings, const char *name, const json_t *value, struct fields *f)
{
    struct deis_err err;

    if (json_is_null(value)) {
        json_object_del(settings, name);
        return;
    }
    json_t *kept = deis_routing_value(name, value, &err);
    if (!kept) {
        fields_error(f, "settings", "%.*s %s", NAME_SHOWN, name, err.msg);
        return;
    }
    json_object_set_new(settings, name, kept);
}

json_t *routing_merge(const json_t *doc, json_t *change, struct fields *f)
{
    deis_autojson json_t *now = json_deep_copy(doc);
    json_t *settings = json_object_get(now, "settings");
    struct deis_routing r;
    struct deis_err err;
    const char *name;
    json_t *value;

    json_object_foreach(change, name, value)
    {
        apply(settings, name, value, f);
        if (fields_failed(f)) {
            return NULL;
        }
    }
    deis_autofree char *text = deis_json_dump(now);
    if (deis_routing_parse(deis_str(text), &r, &err) < 0) {
        fields_error(f, "settings", "%s", err.msg);
        return NULL;
    }
    deis_routing_clear(&r);
    return DEIS_TAKE(now);
}

char *routing_names(json_t *change)
{
    struct deis_buf out = DEIS_BUF_INIT(65536);
    const char *name;
    json_t *value;

    json_object_foreach(change, name, value)
    {
        if (out.len > NAMES_MAX) {
            deis_buf_add_cstr(&out, ", ...");
            break;
        }
        deis_buf_addf(&out, "%s%.*s", out.len > 0 ? ", " : "", NAME_SHOWN, name);
    }
    deis_buf_add_cstr(&out, "");
    return deis_buf_take(&out, NULL);
}

json_t *routing_with_config(const json_t *doc, const char *text, struct deis_err *err)
{
    deis_autojson json_t *list = deis_whitelist_read(deis_str(text ? text : ""), err);

    if (!list) {
        deis_err_wrap(err, "DEIS_WHITELIST");
        return NULL;
    }
    json_t *now = json_deep_copy(doc);
    if (json_array_size(list) > 0) {
        json_object_set(now, "configWhitelist", list);
    } else {
        json_object_del(now, "configWhitelist");
    }
    return now;
}

json_t *routing_show(const char *app, const json_t *doc)
{
    const json_t *list = json_object_get(doc, "configWhitelist");
    const json_t *updated = json_object_get(doc, "updated");

    return json_pack("{s:s, s:o, s:o, s:o}", "app", app, "settings",
                     json_deep_copy(json_object_get(doc, "settings")), "config_whitelist",
                     list ? json_deep_copy(list) : json_array(), "updated",
                     updated ? json_deep_copy(updated) : json_null());
}

bool routing_is_empty(const json_t *doc)
{
    return json_object_size(json_object_get(doc, "settings")) == 0 &&
           !json_object_get(doc, "configWhitelist");
}
