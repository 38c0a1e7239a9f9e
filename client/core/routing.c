/* SPDX-License-Identifier: MIT */
#include "client/core/routing.h"

#include "client/core/answer.h"
#include "client/core/show.h"

enum { GAP = 4 };

int routing_pair(const char *arg, char **ret_name, char **ret_value, bool *ret_file,
                 struct deis_err *err)
{
    struct deis_str text = deis_str(arg);
    ptrdiff_t equals = deis_str_find(text, '=');

    if (equals <= 0) {
        return deis_err_set(err, DEIS_INVALID, "'%.200s' must be of the form setting=value", arg);
    }
    struct deis_str value = deis_str_skip(text, (size_t)equals + 1);
    *ret_file = deis_str_starts(value, "@");
    *ret_name = deis_str_dup(deis_str_first(text, (size_t)equals));
    *ret_value = deis_str_dup(*ret_file ? deis_str_skip(value, 1) : value);
    return DEIS_OK;
}

json_t *routing_whitelist(const char *what, const char *const *entries, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, json_string(entries[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:{s:o}}", "whitelist", what, list);
}

static char *joined(const json_t *list)
{
    struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    const json_t *entry;
    size_t i;

    deis_buf_add_cstr(&out, "");
    json_array_foreach(list, i, entry)
    {
        const char *text = json_string_value(entry);
        deis_buf_addf(&out, "%s%s", i > 0 ? "," : "", text ? text : "");
    }
    return deis_buf_take(&out, NULL);
}

/* What one setting looks like on a line. */
static json_t *line_of(const char *name, const json_t *value)
{
    if (strncmp(name, "page.", 5) == 0) {
        deis_autofree char *size = deis_asprintf("(%zu bytes)", json_string_length(value));
        return json_string(size);
    }
    if (json_is_array(value)) {
        deis_autofree char *text = joined(value);
        return json_string(text);
    }
    return json_deep_copy(value);
}

void routing_show_all(const json_t *routing, struct deis_buf *out)
{
    json_t *settings = json_object_get(routing, "settings");
    const json_t *config = json_object_get(routing, "config_whitelist");
    deis_autojson json_t *lines = json_object();
    const char *name;
    json_t *value;

    json_object_foreach(settings, name, value)
    {
        json_object_set_new(lines, name, line_of(name, value));
    }
    deis_buf_addf(out, "=== %s Routing\n", answer_text(routing, "app"));
    if (json_array_size(config) > 0) {
        json_object_set_new(lines, "DEIS_WHITELIST", line_of("", config));
    }
    if (json_object_size(lines) == 0) {
        deis_buf_add_cstr(out, "Nothing is set\n");
    }
    show_table(lines, GAP, out);
}

json_t *routing_whitelists(const json_t *routing)
{
    json_t *list = json_array();

    json_array_extend(list, json_object_get(json_object_get(routing, "settings"), "whitelist"));
    json_array_extend(list, json_object_get(routing, "config_whitelist"));
    return list;
}

void routing_show_whitelist(const json_t *routing, struct deis_buf *out)
{
    deis_autojson json_t *list = routing_whitelists(routing);

    deis_buf_addf(out, "=== %s Whitelist\n", answer_text(routing, "app"));
    if (json_array_size(list) == 0) {
        deis_buf_add_cstr(out, "Empty: the app is open to all addresses\n");
    }
    show_names(list, out);
}
