/* SPDX-License-Identifier: MIT */
#include "controller/core/routing.h"

#include "lib/model/routing.h"

enum { NAME_SHOWN = 64, NAMES_MAX = 200 };

json_t *routing_empty(void)
{
    return json_pack("{s:{}}", "settings");
}

/* Where the network of an entry stands in a list, whatever its label; SIZE_MAX: nowhere. */
static size_t entry_index(const json_t *list, const char *entry)
{
    struct deis_cidr wanted, other;
    struct deis_err err;

    if (!entry || deis_whitelist_entry(deis_str(entry), &wanted, &err) < 0) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (deis_whitelist_entry(deis_str(text), &other, &err) == 0 && other.bits == wanted.bits &&
            deis_cidr_contains(&wanted, &other.ip)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* The list with entries added (in the place of one with the same network) and removed; yours. */
static json_t *edited(json_t *old, const json_t *edit, struct deis_err *err)
{
    deis_autojson json_t *list = old ? json_copy(old) : json_array();
    json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(edit, "remove"), i, entry)
    {
        const char *text = json_string_value(entry);
        size_t at = entry_index(list, text);
        if (at == SIZE_MAX) {
            deis_err_set(err, DEIS_INVALID, "has no entry '%.100s'", text ? text : "");
            return NULL;
        }
        json_array_remove(list, at);
    }
    json_array_foreach(json_object_get(edit, "add"), i, entry)
    {
        size_t at = entry_index(list, json_string_value(entry));
        if (at == SIZE_MAX) {
            json_array_append(list, entry);
        } else {
            json_array_set(list, at, entry);
        }
    }
    return DEIS_TAKE(list);
}

/* {"add": [texts], "remove": [texts]} */
static bool is_edit(const char *name, json_t *value)
{
    const char *what;
    json_t *list;

    if (strcmp(name, "whitelist") != 0 || json_object_size(value) == 0) {
        return false;
    }
    json_object_foreach(value, what, list)
    {
        bool known = strcmp(what, "add") == 0 || strcmp(what, "remove") == 0;
        size_t count = json_array_size(list);
        if (!known || count == 0 || count > DEIS_ROUTING_ENTRIES_MAX) {
            return false;
        }
    }
    return true;
}

/* One setting of a change, into settings. */
static void apply(json_t *settings, const char *name, json_t *value, struct fields *f)
{
    bool edit = is_edit(name, value);
    deis_autojson json_t *list = NULL;
    struct deis_err err;

    if (edit) {
        list = edited(json_object_get(settings, name), value, &err);
    }
    if (json_is_null(value) || (list && json_array_size(list) == 0)) {
        json_object_del(settings, name);
        return;
    }
    const json_t *now = edit ? list : value;
    json_t *kept = now ? deis_routing_value(name, now, &err) : NULL;
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
