/* SPDX-License-Identifier: MIT */
#include "controller/core/route.h"

#include "lib/wire/url.h"

static const struct route routes[] = {
#define CONTROLLER_ROUTE_ROW(method, pattern, handler, right)                                      \
    { #method, pattern, ROUTE_##handler, right },
    CONTROLLER_ROUTES(CONTROLLER_ROUTE_ROW)
#undef CONTROLLER_ROUTE_ROW
};

const struct route *route_table(void)
{
    return routes;
}

void route_match_clear(struct route_match *m)
{
    for (size_t i = 0; i < m->param_count; i++) {
        free(m->param[i]);
        m->param[i] = NULL;
    }
    m->param_count = 0;
}

const char *route_param(const struct route_match *m, const char *name)
{
    for (size_t i = 0; i < m->param_count; i++) {
        if (strcmp(m->name[i], name) == 0) {
            return m->param[i];
        }
    }
    return NULL;
}

static bool all_of(struct deis_str s, const char *allowed)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!strchr(allowed, s.ptr[i]) || s.ptr[i] == '\0') {
            return false;
        }
    }
    return s.len > 0;
}

/* Does the decoded segment have the form that a parameter of this name needs? */
static bool param_fits(struct deis_str name, struct deis_str value)
{
    static const char lower_digits_dash[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

    if (deis_str_eq_cstr(name, "app")) {
        return all_of(value, lower_digits_dash);
    }
    if (deis_str_eq_cstr(name, "uuid")) {
        return all_of(value, "0123456789abcdef-") && value.len == 36;
    }
    if (deis_str_eq_cstr(name, "version") || deis_str_eq_cstr(name, "num")) {
        return all_of(value, "0123456789") && value.len <= 9;
    }
    if (deis_str_eq_cstr(name, "type")) {
        return all_of(value, word);
    }
    return value.len > 0 && deis_str_is_utf8(value);
}

/* One segment of a pattern against one of a path; fills in a parameter. */
static bool segment_fits(struct deis_str pattern, struct deis_str raw, struct route_match *ret)
{
    deis_autobuf struct deis_buf value = DEIS_BUF_INIT(ROUTE_SEGMENT_MAX);
    ptrdiff_t colon = deis_str_find(pattern, ':');

    if (deis_url_decode(raw, false, &value, NULL) < 0 || deis_buf_failed(&value)) {
        return false;
    }
    struct deis_str text = deis_buf_str(&value);
    if (colon < 0) {
        return deis_str_eq(pattern, text);
    }
    struct deis_str prefix = deis_str_first(pattern, (size_t)colon);
    struct deis_str name = deis_str_skip(pattern, (size_t)colon + 1);
    if (text.len < prefix.len || memcmp(text.ptr, prefix.ptr, prefix.len) != 0) {
        return false;
    }
    text = deis_str_skip(text, prefix.len);
    if (!param_fits(name, text) || ret->param_count == ROUTE_PARAMS_MAX) {
        return false;
    }
    size_t i = ret->param_count++;
    snprintf(ret->name[i], sizeof(ret->name[i]), "%.*s", DEIS_STR_ARG(name));
    ret->param[i] = deis_str_dup(text);
    return true;
}

static bool pattern_fits(const char *pattern, struct deis_str path, struct route_match *ret)
{
    struct deis_str want = deis_str(pattern);
    struct deis_str want_part, have_part;

    for (;;) {
        bool more_want = deis_str_split(&want, '/', &want_part);
        bool more_have = deis_str_split(&path, '/', &have_part);
        if (!more_want || !more_have) {
            return more_want == more_have;
        }
        if (!segment_fits(want_part, have_part, ret)) {
            return false;
        }
    }
}

static void allow_add(char allow[ROUTE_ALLOW_MAX], const char *method)
{
    size_t len = strlen(allow);
    const char *extra = strcmp(method, "GET") == 0 ? ", HEAD" : "";

    snprintf(allow + len, ROUTE_ALLOW_MAX - len, "%s%s%s", len > 0 ? ", " : "", method, extra);
}

bool route_find(struct deis_str method, struct deis_str path, struct route_match *ret)
{
    struct deis_str wanted = deis_str_eq_cstr(method, "HEAD") ? DEIS_STR("GET") : method;

    *ret = (struct route_match){ 0 };
    if (path.len > 1 && deis_str_ends(path, "/")) {
        path = deis_str_first(path, path.len - 1);
    }
    for (size_t i = 0; i < DEIS_COUNT(routes); i++) {
        if (ret->path && strcmp(ret->path->pattern, routes[i].pattern) != 0) {
            continue;
        }
        if (!ret->path && !pattern_fits(routes[i].pattern, path, ret)) {
            route_match_clear(ret);
            continue;
        }
        ret->path = ret->path ? ret->path : &routes[i];
        allow_add(ret->allow, routes[i].method);
        if (deis_str_eq_cstr(wanted, routes[i].method)) {
            ret->route = &routes[i];
        }
    }
    return ret->path != NULL;
}
