/* SPDX-License-Identifier: MIT */
#include "lib/model/routing.h"

#define SECOND UINT64_C(1000)
#define DAY    (86400 * SECOND)

enum kind { CHOICE, SIZE, TIME, COUNT, NAME, NETWORKS, PAGE, WEIGHT };

struct setting {
    const char *name;
    enum kind kind;
    uint64_t min; /* bytes, ms or as such */
    uint64_t max;
};

static const struct setting settings[] = {
    { "whitelist", NETWORKS, 0, 0 },
    { "maintenance", CHOICE, 0, 0 },
    { "enforceHTTPS", CHOICE, 0, 0 },
    { "hsts", CHOICE, 0, 0 },
    { "bodySize", SIZE, 1, UINT64_C(1) << 40 },
    { "timeout", TIME, SECOND, DAY },
    { "connectTimeout", TIME, SECOND / 10, 60 * SECOND },
    { "sticky", CHOICE, 0, 0 },
    { "affinityArg", NAME, 1, 64 },
    { "slowStart", TIME, 0, 3600 * SECOND },
    { "maxRequests", COUNT, 1, 1000000 },
    { "maxConnections", COUNT, 1, 1000000 },
    { "addressRequests", COUNT, 1, 1000000 },
    { "rateLimit", COUNT, 1, 1000000 },
    { "rateBurst", COUNT, 1, 100000 },
    { "h2c", CHOICE, 0, 0 },
    { "gzip", CHOICE, 0, 0 },
    { "firewall", CHOICE, 0, 0 },
    { "page.403", PAGE, 1, DEIS_ROUTING_PAGE_MAX },
    { "page.413", PAGE, 1, DEIS_ROUTING_PAGE_MAX },
    { "page.429", PAGE, 1, DEIS_ROUTING_PAGE_MAX },
    { "page.502", PAGE, 1, DEIS_ROUTING_PAGE_MAX },
    { "page.503", PAGE, 1, DEIS_ROUTING_PAGE_MAX },
    { "page.504", PAGE, 1, DEIS_ROUTING_PAGE_MAX },
    { "page.maintenance", PAGE, 1, DEIS_ROUTING_PAGE_MAX },
};

static const struct setting weight_setting = { "weight.", WEIGHT, 0, 100 };

/* In the order of enum deis_own_page. */
static const char *const page_names[DEIS_PAGE_COUNT] = {
    "page.403", "page.413", "page.429", "page.502", "page.503", "page.504", "page.maintenance",
};

const char deis_routing_names[] =
    "addressRequests, affinityArg, bodySize, connectTimeout, enforceHTTPS, firewall, gzip, h2c, hsts, maintenance, maxConnections, "
    "maxRequests, page.403, page.413, page.429, page.502, page.503, page.504, page.maintenance, rateBurst, "
    "rateLimit, slowStart, sticky, timeout, weight.<type>.<number>, whitelist";

/* "web.2" */
static bool is_process(struct deis_str s)
{
    ptrdiff_t dot = deis_str_rfind(s, '.');
    struct deis_str digits = dot > 0 ? deis_str_skip(s, (size_t)dot + 1) : DEIS_STR_NONE;
    uint64_t number;

    return dot > 0 && deis_str_is_process_type(deis_str_first(s, (size_t)dot)) &&
           !deis_str_starts(digits, "0") && deis_str_to_u64(digits, 1, 100000, &number, NULL) == 0;
}

static const struct setting *find(const char *name)
{
    for (size_t i = 0; i < DEIS_COUNT(settings); i++) {
        if (strcmp(name, settings[i].name) == 0) {
            return &settings[i];
        }
    }
    struct deis_str process = deis_str(name);
    if (deis_str_starts(process, weight_setting.name) &&
        is_process(deis_str_skip(process, strlen(weight_setting.name)))) {
        return &weight_setting;
    }
    return NULL;
}

/* 1, 0; -1: neither. */
static int truth(const json_t *value)
{
    static const char *const words[] = { "false", "true", "off", "on", "0", "1" };
    const char *text = json_string_value(value);

    if (json_is_boolean(value)) {
        return json_is_true(value);
    }
    for (size_t i = 0; text && i < DEIS_COUNT(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            return (int)(i % 2);
        }
    }
    return -1;
}

static int out_of_bounds(const struct setting *s, struct deis_err *err)
{
    if (s->kind == TIME) {
        return deis_err_set(err, DEIS_INVALID, "must be a time from %llu ms to %llu s",
                            (unsigned long long)s->min, (unsigned long long)(s->max / SECOND));
    }
    if (s->kind == SIZE) {
        return deis_err_set(err, DEIS_INVALID,
                            "must be a size from 1 byte to 1T, such as 512k or 20m");
    }
    return deis_err_set(err, DEIS_INVALID, "must be a whole number from %llu to %llu",
                        (unsigned long long)s->min, (unsigned long long)s->max);
}

/* The number that a value means: bytes, ms or as such. */
static int number(const struct setting *s, const json_t *value, uint64_t *ret, struct deis_err *err)
{
    const char *text = json_string_value(value);
    int r = DEIS_INVALID;

    *ret = 0;
    if (json_is_integer(value) && json_integer_value(value) >= 0 &&
        json_integer_value(value) <= INT64_C(1) << 50) {
        *ret = (uint64_t)json_integer_value(value) * (s->kind == TIME ? SECOND : 1);
        r = DEIS_OK;
    } else if (text && s->kind == TIME) {
        r = deis_str_to_ms(deis_str(text), s->max, ret, NULL);
    } else if (text && s->kind == SIZE) {
        r = deis_str_to_bytes(deis_str(text), s->max, ret, NULL);
    } else if (text) {
        r = deis_str_to_u64(deis_str(text), s->min, s->max, ret, NULL);
    }
    return r < 0 || *ret < s->min || *ret > s->max ? out_of_bounds(s, err) : DEIS_OK;
}

static json_t *networks(const json_t *value, struct deis_err *err)
{
    struct deis_buf all = DEIS_BUF_INIT(DEIS_ROUTING_MAX);
    json_t *list = NULL;
    const json_t *entry;
    size_t i;
    bool good = json_is_string(value) || json_is_array(value);

    if (json_is_string(value)) {
        deis_buf_add_cstr(&all, json_string_value(value));
    }
    json_array_foreach(value, i, entry)
    {
        good = good && json_is_string(entry);
        deis_buf_addf(&all, "%s,", json_is_string(entry) ? json_string_value(entry) : "");
    }
    if (!good || deis_buf_failed(&all)) {
        deis_err_set(err, DEIS_INVALID, "must be addresses or networks with commas between them");
    } else {
        list = deis_whitelist_read(deis_buf_str(&all), err);
    }
    deis_buf_clear(&all);
    if (list && json_array_size(list) == 0) {
        deis_err_set(err, DEIS_INVALID, "must name an address; unset it to let everybody in");
        json_decref(list);
        list = NULL;
    }
    return list;
}

static json_t *name_value(const struct setting *s, const json_t *value, struct deis_err *err)
{
    const char *text = json_string_value(value);
    size_t len = text ? strlen(text) : 0;

    if (len < s->min || len > s->max ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.~-") != len) {
        deis_err_set(err, DEIS_INVALID,
                     "must be the name of a query variable: up to %llu of A-Z a-z 0-9 _ . ~ -",
                     (unsigned long long)s->max);
        return NULL;
    }
    return json_string(text);
}

static json_t *page_value(const json_t *value, struct deis_err *err)
{
    size_t len = json_string_length(value);

    if (len == 0 || len > DEIS_ROUTING_PAGE_MAX) {
        deis_err_set(err, DEIS_INVALID, "must be the HTML of a page, %d bytes at most",
                     DEIS_ROUTING_PAGE_MAX);
        return NULL;
    }
    return json_string(json_string_value(value));
}

json_t *deis_routing_value(const char *name, const json_t *value, struct deis_err *err)
{
    const struct setting *s = find(name);
    uint64_t n;

    if (!s) {
        deis_err_set(err, DEIS_NOT_FOUND, "is no setting; there are: %s", deis_routing_names);
        return NULL;
    }
    switch (s->kind) {
    case CHOICE:
        if (truth(value) < 0) {
            deis_err_set(err, DEIS_INVALID, "must be true or false");
            return NULL;
        }
        return json_boolean(truth(value));
    case SIZE:
    case TIME:
        if (number(s, value, &n, err) < 0) {
            return NULL;
        }
        return json_is_string(value) ? json_string(json_string_value(value))
                                     : json_deep_copy(value);
    case COUNT:
    case WEIGHT: return number(s, value, &n, err) < 0 ? NULL : json_integer((json_int_t)n);
    case NAME: return name_value(s, value, err);
    case NETWORKS: return networks(value, err);
    case PAGE: return page_value(value, err);
    }
    return NULL;
}

/* --- reading --- */

static void allow(struct deis_routing *r, const json_t *list)
{
    struct deis_err err;
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        struct deis_cidr c;
        if (deis_whitelist_entry(deis_str(json_string_value(entry)), &c, &err) == 0) {
            r->allowed = deis_realloc_array(r->allowed, r->allowed_count + 1, sizeof(c));
            r->allowed[r->allowed_count++] = c;
        }
    }
    r->restricted = r->restricted || json_array_size(list) > 0;
}

static uint64_t number_of(const json_t *obj, const char *name)
{
    const json_t *value = json_object_get(obj, name);
    uint64_t n = 0;

    if (value) {
        (void)number(find(name), value, &n, NULL);
    }
    return n;
}

static enum deis_choice choice_of(const json_t *obj, const char *name)
{
    const json_t *value = json_object_get(obj, name);

    if (!value) {
        return DEIS_UNSET;
    }
    return truth(value) == 1 ? DEIS_YES : DEIS_NO;
}

static void add_weight(struct deis_routing *r, const char *name, const json_t *value)
{
    uint64_t n;

    if (number(&weight_setting, value, &n, NULL) == 0) {
        r->weights = deis_realloc_array(r->weights, r->weight_count + 1, sizeof(*r->weights));
        r->weights[r->weight_count++] =
            (struct deis_weight){ name + strlen(weight_setting.name), (uint8_t)n };
    }
}

static int check(json_t *obj, struct deis_routing *r, struct deis_err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(obj, name, value)
    {
        deis_autojson json_t *good = deis_routing_value(name, value, err);
        if (good && find(name) == &weight_setting) {
            if (r->weight_count >= DEIS_ROUTING_ENTRIES_MAX) {
                return deis_err_set(err, DEIS_INVALID, "there are %d weights at most",
                                    DEIS_ROUTING_ENTRIES_MAX);
            }
            add_weight(r, name, value);
        } else if (!good && err->code != DEIS_NOT_FOUND) {
            return deis_err_wrap(err, "%.64s", name);
        }
    }
    return DEIS_OK;
}

static void take_rate(struct deis_routing *r, const json_t *obj)
{
    r->rate_minute = (uint32_t)number_of(obj, "rateLimit");
    r->rate_burst = (uint32_t)number_of(obj, "rateBurst");
    if (r->rate_burst == 0) {
        /* what may come in ten seconds, ten at least */
        r->rate_burst = r->rate_minute < 60 ? 10 : r->rate_minute / 6;
    }
}

static void take(struct deis_routing *r, const json_t *obj)
{
    allow(r, json_object_get(obj, "whitelist"));
    r->maintenance = choice_of(obj, "maintenance") == DEIS_YES;
    r->enforce_https = choice_of(obj, "enforceHTTPS");
    r->hsts = choice_of(obj, "hsts");
    r->gzip = choice_of(obj, "gzip");
    r->firewall = choice_of(obj, "firewall");
    r->sticky = choice_of(obj, "sticky") == DEIS_YES;
    r->h2c = choice_of(obj, "h2c") == DEIS_YES;
    r->has_body_max = json_object_get(obj, "bodySize") != NULL;
    r->body_max = number_of(obj, "bodySize");
    r->timeout_ms = number_of(obj, "timeout");
    r->connect_timeout_ms = number_of(obj, "connectTimeout");
    r->slow_start_ms = number_of(obj, "slowStart");
    r->requests_max = (uint32_t)number_of(obj, "maxRequests");
    r->connections_max = (uint32_t)number_of(obj, "maxConnections");
    r->address_max = (uint32_t)number_of(obj, "addressRequests");
    take_rate(r, obj);
    r->affinity_arg = json_string_value(json_object_get(obj, "affinityArg"));
    for (size_t i = 0; i < DEIS_PAGE_COUNT; i++) {
        r->pages[i] = json_string_value(json_object_get(obj, page_names[i]));
    }
}

int deis_routing_read(json_t *doc, struct deis_routing *ret, struct deis_err *err)
{
    struct deis_routing r = { 0 };
    json_t *obj = NULL;

    *ret = r;
    const json_t *config = json_object_get(doc, "configWhitelist");
    int code = deis_json_get_object(doc, "settings", &obj, err);
    if (code == 0) {
        code = check(obj, &r, err);
    }
    if (code == 0 && config && !json_is_null(config)) {
        deis_autojson json_t *good = networks(config, err);
        code = good ? 0 : deis_err_wrap(err, "configWhitelist");
    }
    if (code < 0) {
        deis_routing_clear(&r);
        return deis_err_wrap(err, "routing");
    }
    r.doc = json_incref(doc);
    take(&r, obj);
    allow(&r, config);
    *ret = r;
    return DEIS_OK;
}

int deis_routing_parse(struct deis_str text, struct deis_routing *ret, struct deis_err *err)
{
    *ret = (struct deis_routing){ 0 };
    if (text.len > DEIS_ROUTING_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "routing: %d bytes at most", DEIS_ROUTING_MAX);
    }
    deis_autojson json_t *doc = deis_json_parse(text, err);
    return doc ? deis_routing_read(doc, ret, err) : deis_err_wrap(err, "routing");
}

char *deis_routing_format(const struct deis_routing *r)
{
    return deis_json_dump(r->doc);
}

void deis_routing_clear(struct deis_routing *r)
{
    json_decref(r->doc);
    free(r->allowed);
    free(r->weights);
    *r = (struct deis_routing){ 0 };
}
