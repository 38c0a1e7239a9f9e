/* SPDX-License-Identifier: MIT */
#include "router/core/route_file.h"

#define SAVED_HEAD "deis-routes 1\n"

/* The next word of a line, NONE at its end. */
static struct deis_str word(struct deis_str *line)
{
    size_t i = 0;

    *line = deis_str_trim(*line);
    while (i < line->len && line->ptr[i] != ' ' && line->ptr[i] != '\t') {
        i++;
    }
    struct deis_str w = deis_str_first(*line, i);
    *line = deis_str_skip(*line, i);
    return w.len > 0 ? w : DEIS_STR_NONE;
}

/* Labels of letters, digits, '-' and '_', with single dots between them and perhaps one at the end.
 */
static bool is_host(struct deis_str s)
{
    char last = '.';

    if (s.len == 0 || s.len > ROUTE_HOST_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool in_label = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                        (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
        if (!in_label && (c != '.' || last == '.')) {
            return false;
        }
        last = c;
    }
    return true;
}

static bool is_address(struct deis_str s)
{
    uint8_t ip[16];
    bool v6;
    uint16_t port;

    return route_address_parse(s, ip, &v6, &port);
}

static int add_static(struct route_model *m, struct deis_str host, struct deis_str address,
                      bool replace, struct deis_err *err)
{
    char name[ROUTE_HOST_MAX + 1];

    if (!is_host(host)) {
        return deis_err_set(err, DEIS_INVALID, "'%.*s' is no host name", DEIS_STR_ARG(host));
    }
    if (!is_address(address)) {
        return deis_err_set(err, DEIS_INVALID, "'%.*s' is no address like 10.0.0.1:8080",
                            DEIS_STR_ARG(address));
    }
    if (route_host_normalise(host, name) == 0) {
        return deis_err_set(err, DEIS_INVALID, "'%.*s' is no host name", DEIS_STR_ARG(host));
    }
    deis_autofree char *text = deis_str_dup(address);
    if (replace) {
        route_model_clear_fixed(m, name);
    }
    route_model_add_fixed(m, name, ROUTE_APP, text, text);
    route_model_set_host(m, name, name);
    return 0;
}

int route_file_set_static(struct route_model *m, const char *host, const char *address,
                          struct deis_err *err)
{
    return add_static(m, deis_str(host), deis_str(address), true, err);
}

int route_file_read_static(struct route_model *m, struct deis_str text, struct deis_err *err)
{
    struct deis_str line;
    unsigned number = 0;

    route_model_set_domain(m, "");
    while (deis_str_split(&text, '\n', &line)) {
        number++;
        struct deis_str host = word(&line);
        if (!host.ptr || host.ptr[0] == '#') {
            continue;
        }
        struct deis_str address = word(&line);
        if (!address.ptr || word(&line).ptr) {
            return deis_err_set(err, DEIS_INVALID, "line %u: must be 'HOST ADDR:PORT'", number);
        }
        if (add_static(m, host, address, false, err) < 0) {
            return deis_err_wrap(err, "line %u", number);
        }
    }
    return 0;
}

uint64_t route_file_checksum(struct deis_str s)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
    }
    return h;
}

void route_file_save(const struct route_table *t, struct deis_buf *out)
{
    size_t cursor = 0;
    struct deis_str host;
    uint32_t app;

    deis_buf_reset(out);
    deis_buf_add_cstr(out, SAVED_HEAD);
    deis_buf_addf(out, "limits %llu %llu\n", (unsigned long long)t->limits.body_max,
                  (unsigned long long)t->limits.answer_timeout_ms);
    for (size_t i = 0; i < t->app_count; i++) {
        const struct route_app *a = route_table_at(t, i);
        deis_buf_addf(out, "%s %s\n", a->kind == ROUTE_APP ? "app" : "platform", a->name);
        if (a->settings) {
            deis_autofree char *routing = route_settings_format(a->settings);
            deis_buf_addf(out, "routing %s\n", routing);
        }
        for (size_t k = 0; k < a->count; k++) {
            deis_buf_addf(out, "to %s %s\n", a->endpoints[k]->unit, a->endpoints[k]->address);
        }
    }
    while (route_hosts_next(t->hosts, &cursor, &host, &app)) {
        deis_buf_addf(out, "host %.*s %s\n", DEIS_STR_ARG(host), route_table_at(t, app)->name);
    }
    deis_buf_addf(out, "end %016llx\n", (unsigned long long)route_file_checksum(deis_buf_str(out)));
}

struct load {
    struct route_model *model;
    char *app;
    enum route_kind kind;
};

static bool load_line(struct load *l, struct deis_str line)
{
    struct deis_str kind = word(&line);
    if (deis_str_eq_cstr(kind, "routing")) {
        struct deis_err err;
        return l->app && route_model_set_routing(l->model, l->app, deis_str_trim(line), &err) == 0;
    }
    struct deis_str a = word(&line);
    struct deis_str b = word(&line);
    deis_autofree char *first = deis_str_dup(a);
    deis_autofree char *second = deis_str_dup(b);

    if (!a.ptr || word(&line).ptr) {
        return false;
    }
    if (deis_str_eq_cstr(kind, "limits")) {
        struct route_limits limits;
        if (deis_str_to_u64(a, 0, UINT64_MAX, &limits.body_max, NULL) < 0 ||
            deis_str_to_u64(b, 1, UINT64_MAX / 2, &limits.answer_timeout_ms, NULL) < 0) {
            return false;
        }
        route_model_set_limits(l->model, &limits);
        return true;
    }
    if (deis_str_eq_cstr(kind, "app") || deis_str_eq_cstr(kind, "platform")) {
        free(l->app);
        l->app = DEIS_TAKE(first);
        l->kind = kind.len == 3 ? ROUTE_APP : ROUTE_PLATFORM;
        route_model_add_fixed(l->model, l->app, l->kind, NULL, NULL);
        return !b.ptr;
    }
    if (deis_str_eq_cstr(kind, "to") && l->app && is_address(b)) {
        route_model_add_fixed(l->model, l->app, l->kind, first, second);
        return true;
    }
    if (deis_str_eq_cstr(kind, "host") && b.ptr &&
        is_host(deis_str_starts(a, "*.") ? deis_str_skip(a, 2) : a)) {
        route_model_set_host(l->model, first, second);
        return true;
    }
    return false;
}

int route_file_load(struct route_model *m, struct deis_str text, struct deis_err *err)
{
    struct load l = { m, NULL, ROUTE_APP };
    struct deis_str line;
    unsigned number = 1;
    char end[32];
    int n;

    if (!deis_str_starts(text, SAVED_HEAD) || memchr(text.ptr, '\0', text.len)) {
        return deis_err_set(err, DEIS_INVALID, "not a saved routing table of this version");
    }
    struct deis_str body = deis_str_first(text, text.len > 21 ? text.len - 21 : 0);
    n = snprintf(end, sizeof(end), "end %016llx\n", (unsigned long long)route_file_checksum(body));
    if (n != 21 || !deis_str_ends(text, end)) {
        return deis_err_set(err, DEIS_INVALID, "the checksum does not fit");
    }
    route_model_set_domain(m, "");
    body = deis_str_skip(body, sizeof(SAVED_HEAD) - 1);
    int code = 0;
    while (code == 0 && deis_str_split(&body, '\n', &line)) {
        number++;
        if (line.len > 0 && !load_line(&l, line)) {
            code = deis_err_set(err, DEIS_INVALID, "line %u can't be read", number);
        }
    }
    free(l.app);
    return code;
}
