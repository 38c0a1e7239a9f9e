/* SPDX-License-Identifier: MIT */
#include "client/core/shape.h"

/* What stands between the brackets. */
static struct deis_str members_of(const char *shape)
{
    struct deis_str s = deis_str_skip(deis_str(shape), shape[0] == '*' ? 2 : 1);

    return deis_str_first(s, s.len - 1);
}

static json_t *project(struct deis_str members, const json_t *value)
{
    struct deis_str member;

    if (!json_is_object(value)) {
        return NULL;
    }
    if (members.len == 0) {
        return json_deep_copy(value);
    }
    json_t *object = json_object();
    while (deis_str_split(&members, ' ', &member)) {
        deis_autofree char *name = deis_str_dup(member);
        json_t *part = json_object_get(value, name);
        json_object_set_new(object, name, part ? json_deep_copy(part) : json_null());
    }
    return object;
}

static json_t *project_all(struct deis_str members, const json_t *list)
{
    if (!json_is_array(list)) {
        return NULL;
    }
    deis_autojson json_t *all = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        json_t *one = NULL;
        if (members.len > 0) {
            one = project(members, value);
        } else if (json_is_string(value)) {
            one = json_deep_copy(value);
        }
        if (!one) {
            return NULL;
        }
        json_array_append_new(all, one);
    }
    return json_incref(all);
}

json_t *shape_apply(const char *shape, const json_t *value)
{
    return shape[0] == '[' ? project_all(members_of(shape), value)
                           : project(members_of(shape), value);
}

void shape_describe(const char *shape, struct deis_buf *out)
{
    struct deis_str members = members_of(shape);
    struct deis_str member;
    bool first = true;

    if (members.len == 0) {
        deis_buf_add_cstr(out, shape[0] == '[' ? "a list of texts"
                                               : "an object that has a member for each key");
        return;
    }
    switch (shape[0]) {
    case '[': deis_buf_add_cstr(out, "a list of objects with "); break;
    case '*': deis_buf_add_cstr(out, "on each line an object with "); break;
    default: deis_buf_add_cstr(out, "an object with "); break;
    }
    while (deis_str_split(&members, ' ', &member)) {
        const char *joint = members.ptr ? ", " : " and ";
        deis_buf_addf(out, "%s%.*s", first ? "" : joint, DEIS_STR_ARG(member));
        first = false;
    }
}
