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
    route_model_add_fixed(m, name, ROUTE_APP, text, text, NULL);
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

static void save_limits(const struct route_limits *limits, struct deis_buf *out)
{
    deis_buf_addf(out, "limits %llu %llu\n", (unsigned long long)limits->body_max,
                  (unsigned long long)limits->answer_timeout_ms);
}

/* Without the pages of its own. Yours. */
static char *format_short(const struct route_settings *s)
{
    deis_autojson json_t *doc = json_deep_copy(s->r.doc);
    json_t *settings = json_object_get(doc, "settings");
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(settings, next, name, value)
    {
        if (strncmp(name, "page.", 5) == 0) {
            json_object_del(settings, name);
        }
    }
    return deis_json_dump(doc);
}

static void save_app(const struct route_app *a, bool pages, struct deis_buf *out)
{
    deis_buf_addf(out, "%s %s\n", a->kind == ROUTE_APP ? "app" : "platform", a->name);
    if (a->settings) {
        deis_autofree char *routing =
            pages ? route_settings_format(a->settings) : format_short(a->settings);
        deis_buf_addf(out, "routing %s\n", routing);
    }
    for (size_t i = 0; i < a->count; i++) {
        const struct route_endpoint *e = a->endpoints[i];
        deis_buf_addf(out, "to %s %s%s%s\n", e->unit, e->address, e->proxy_from ? " " : "",
                      e->proxy_from ? e->proxy_from : "");
    }
}

static void save_host(const struct route_table *t, struct deis_str host, uint32_t app,
                      struct deis_buf *out)
{
    deis_buf_addf(out, "host %.*s %s\n", DEIS_STR_ARG(host), route_table_at(t, app)->name);
}

static void save_seen(const struct route_seen *seen, struct deis_buf *out)
{
    if (seen->cluster != 0) {
        deis_buf_addf(out, "seen %lld %llu\n", (long long)seen->revision,
                      (unsigned long long)seen->cluster);
    }
}

static void save_end(struct deis_buf *out)
{
    deis_buf_addf(out, "end %016llx\n", (unsigned long long)route_file_checksum(deis_buf_str(out)));
}

static void save(const struct route_saved *s, bool pages, struct deis_buf *out)
{
    const struct route_table *t = s->table;
    size_t cursor = 0;
    struct deis_str host;
    uint32_t app;

    deis_buf_reset(out);
    deis_buf_add_cstr(out, SAVED_HEAD);
    save_seen(&s->seen, out);
    save_limits(&t->limits, out);
    for (size_t i = 0; i < t->app_count; i++) {
        save_app(route_table_at(t, i), pages, out);
    }
    while (route_hosts_next(t->hosts, &cursor, &host, &app)) {
        save_host(t, host, app, out);
    }
    save_end(out);
}

void route_file_save(const struct route_saved *s, struct deis_buf *out)
{
    save(s, true, out);
    if (deis_buf_failed(out)) { /* the routes count for more than how refusals look */
        save(s, false, out);
    }
}

/* False: they are not the same apps in the same places. */
static bool save_group(const struct route_group *from, const struct route_group *to,
                       struct deis_buf *out)
{
    for (size_t i = 0; i < to->count; i++) {
        const struct route_app *a = from->apps[i], *b = to->apps[i];
        if (a != b && strcmp(a->name, b->name) != 0) {
            return false;
        }
        if (a != b) {
            save_app(b, true, out);
        }
    }
    return true;
}

static bool save_changed_apps(const struct route_table *from, const struct route_table *to,
                              struct deis_buf *out)
{
    bool same = from->app_count == to->app_count;

    for (size_t i = 0; same && i * ROUTE_GROUP < to->app_count; i++) {
        same = from->groups[i] == to->groups[i] || save_group(from->groups[i], to->groups[i], out);
    }
    return same;
}

struct host_changes {
    const struct route_table *table;
    struct deis_buf *out;
};

static void save_changed_host(struct deis_str host, const uint32_t *app, void *arg)
{
    const struct host_changes *c = arg;

    if (app) {
        save_host(c->table, host, *app, c->out);
    } else {
        deis_buf_addf(c->out, "nohost %.*s\n", DEIS_STR_ARG(host));
    }
}

bool route_file_save_changes(const struct route_saved *from, const struct route_saved *to,
                             struct deis_buf *out)
{
    const struct route_table *old = from->table, *new = to->table;
    struct host_changes hosts = { new, out };

    deis_buf_reset(out);
    if (from->seen.revision != to->seen.revision || from->seen.cluster != to->seen.cluster) {
        save_seen(&to->seen, out);
    }
    if (old->limits.body_max != new->limits.body_max ||
        old->limits.answer_timeout_ms != new->limits.answer_timeout_ms) {
        save_limits(&new->limits, out);
    }
    if (!save_changed_apps(old, new, out) ||
        !route_hosts_changes(old->hosts, new->hosts, save_changed_host, &hosts)) {
        return false;
    }
    if (out->len > 0) {
        save_end(out);
    }
    return true;
}

struct load {
    struct route_model *model;
    struct route_seen *seen;
    char *app;
    enum route_kind kind;
    unsigned number; /* of the line */
};

static bool load_limits(struct load *l, struct deis_str a, struct deis_str b)
{
    struct route_limits limits;

    if (deis_str_to_u64(a, 0, UINT64_MAX, &limits.body_max, NULL) < 0 ||
        deis_str_to_u64(b, 0, UINT64_MAX / 2, &limits.answer_timeout_ms, NULL) < 0) {
        return false;
    }
    if (limits.answer_timeout_ms > 0) { /* else of a router that took that for a time */
        route_model_set_limits(l->model, &limits);
    }
    return true;
}

static bool load_seen(struct load *l, struct deis_str a, struct deis_str b)
{
    uint64_t revision, cluster;

    if (deis_str_to_u64(a, 0, INT64_MAX, &revision, NULL) < 0 ||
        deis_str_to_u64(b, 1, UINT64_MAX, &cluster, NULL) < 0) {
        return false;
    }
    *l->seen = (struct route_seen){ (int64_t)revision, cluster };
    return true;
}

static bool load_line(struct load *l, struct deis_str line)
{
    struct deis_str kind = word(&line);
    if (deis_str_eq_cstr(kind, "routing")) {
        struct deis_err err;
        /* One that can't be read closes its app, and costs no other its route. */
        if (l->app) {
            (void)!route_model_set_routing(l->model, l->app, deis_str_trim(line), &err);
        }
        return l->app != NULL;
    }
    struct deis_str a = word(&line);
    struct deis_str b = word(&line);
    struct deis_str c = word(&line);
    deis_autofree char *first = deis_str_dup(a);
    deis_autofree char *second = deis_str_dup(b);
    deis_autofree char *third = deis_str_dup(c);

    if (deis_str_eq_cstr(kind, "to") && l->app && is_address(b) && !word(&line).ptr) {
        route_model_add_fixed(l->model, l->app, l->kind, first, second, c.ptr ? third : NULL);
        return true;
    }
    if (!a.ptr || c.ptr) {
        return false;
    }
    if (deis_str_eq_cstr(kind, "limits")) {
        return load_limits(l, a, b);
    }
    if (deis_str_eq_cstr(kind, "seen")) {
        return load_seen(l, a, b);
    }
    if (deis_str_eq_cstr(kind, "app") || deis_str_eq_cstr(kind, "platform")) {
        free(l->app);
        l->app = DEIS_TAKE(first);
        l->kind = kind.len == 3 ? ROUTE_APP : ROUTE_PLATFORM;
        route_model_clear_fixed(l->model, l->app); /* a change says all of it anew */
        route_model_add_fixed(l->model, l->app, l->kind, NULL, NULL, NULL);
        struct deis_err err;
        return !b.ptr && route_model_set_routing(l->model, l->app, DEIS_STR_NONE, &err) == 0;
    }
    if (deis_str_eq_cstr(kind, "host") && b.ptr) {
        /* One that is no name costs the others nothing. */
        if (is_host(deis_str_starts(a, "*.") ? deis_str_skip(a, 2) : a)) {
            route_model_set_host(l->model, first, second);
        }
        return true;
    }
    if (deis_str_eq_cstr(kind, "nohost") && !b.ptr) {
        route_model_set_host(l->model, first, NULL);
        return true;
    }
    return false;
}

/* The lines up to the next checksum, taken off text with it. False: there are none, or it does not
 * fit. */
static bool next_block(struct deis_str *text, struct deis_str *ret)
{
    struct deis_str end = *text;
    struct deis_str rest = *text;
    struct deis_str line;
    char wanted[32];

    while (deis_str_split(&rest, '\n', &line) && !deis_str_starts(line, "end ")) {
        end = rest;
    }
    *ret = deis_str_first(*text, text->len - end.len);
    int n = snprintf(wanted, sizeof(wanted), "end %016llx\n",
                     (unsigned long long)route_file_checksum(*ret));
    if (!deis_str_starts(end, wanted) || memchr(ret->ptr, '\0', ret->len)) {
        return false;
    }
    *text = deis_str_skip(end, (size_t)n);
    return true;
}

static int load_block(struct load *l, struct deis_str block, struct deis_err *err)
{
    struct deis_str line;

    while (deis_str_split(&block, '\n', &line)) {
        l->number++;
        if (line.len > 0 && !load_line(l, line)) {
            return deis_err_set(err, DEIS_INVALID, "line %u can't be read", l->number);
        }
    }
    free(DEIS_TAKE(l->app));
    return 0;
}

int route_file_load(struct route_model *m, struct deis_str text, struct route_seen *ret_seen,
                    struct deis_err *err)
{
    struct load l = { .model = m, .seen = ret_seen, .kind = ROUTE_APP, .number = 1 };
    struct deis_str block;

    if (!deis_str_starts(text, SAVED_HEAD)) {
        return deis_err_set(err, DEIS_INVALID, "not a saved routing table of this version");
    }
    if (!next_block(&text, &block)) {
        return deis_err_set(err, DEIS_INVALID, "the checksum does not fit");
    }
    route_model_set_domain(m, "");
    int code = load_block(&l, deis_str_skip(block, sizeof(SAVED_HEAD) - 1), err);
    while (code == 0 && next_block(&text, &block)) {
        code = load_block(&l, block, err);
    }
    free(l.app);
    return code == 0 && text.len > 0 ? 1 : code;
}
