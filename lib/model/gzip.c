/* SPDX-License-Identifier: MIT */
#include "lib/model/gzip.h"

/* Those of Deis v1, with text/javascript (RFC 9239) and application/manifest+json, which took the
 * place of two of them since. */
#define TYPES_DEFAULT                                                                              \
    "application/atom+xml application/javascript application/json application/manifest+json "      \
    "application/rss+xml application/vnd.ms-fontobject application/x-font-ttf "                    \
    "application/x-web-app-manifest+json application/xhtml+xml application/xml font/opentype "     \
    "image/svg+xml image/x-icon text/css text/javascript text/plain text/x-component"
#define TYPE_ALWAYS "text/html"
#define TYPE_ANY    "*"

/* RFC 9110 section 5.6.2 */
#define TOKEN "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

enum {
    AGENT_MAX = 512, /* bytes of User-Agent that are looked at */
    /* with TYPE_ALWAYS and the blanks at both ends it fits */
    TYPES_TEXT_MAX = DEIS_GZIP_TYPES_MAX - 16,
};

static int set_truth(bool *field, const char *text, struct deis_err *err)
{
    static const char *const words[] = { "false", "true", "off", "on", "0", "1" };

    for (size_t i = 0; i < DEIS_COUNT(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *field = i % 2 == 1;
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "must be on or off, not '%.32s'", text);
}

static int set_on(struct deis_gzip *g, const char *text, struct deis_err *err)
{
    return set_truth(&g->on, text, err);
}

static int set_vary(struct deis_gzip *g, const char *text, struct deis_err *err)
{
    return set_truth(&g->vary, text, err);
}

static int set_min_length(struct deis_gzip *g, const char *text, struct deis_err *err)
{
    uint64_t bytes;

    if (deis_str_to_bytes(deis_str(text), UINT64_C(1) << 40, &bytes, NULL) < 0) {
        return deis_err_set(err, DEIS_INVALID,
                            "must be a size up to 1T, such as 256 or 1k, not '%.32s'", text);
    }
    g->min_length = bytes;
    return DEIS_OK;
}

static int set_level(struct deis_gzip *g, const char *text, struct deis_err *err)
{
    uint64_t level;

    if (deis_str_to_u64(deis_str(text), 1, 9, &level, NULL) < 0) {
        return deis_err_set(err, DEIS_INVALID, "must be a number from 1 to 9, not '%.32s'", text);
    }
    g->level = (int)level;
    return DEIS_OK;
}

static int set_http_version(struct deis_gzip *g, const char *text, struct deis_err *err)
{
    if (strcmp(text, "1.0") != 0 && strcmp(text, "1.1") != 0) {
        return deis_err_set(err, DEIS_INVALID, "must be 1.1 or 1.0, not '%.32s'", text);
    }
    g->minor = text[2] - '0';
    return DEIS_OK;
}

static int set_proxied(struct deis_gzip *g, const char *text, struct deis_err *err)
{
    if (strcmp(text, "any") != 0 && strcmp(text, "off") != 0) {
        return deis_err_set(err, DEIS_INVALID, "must be any or off, not '%.64s'", text);
    }
    g->not_to_proxies = strcmp(text, "off") == 0;
    return DEIS_OK;
}

/* In lower case. "type/subtype" or "*" */
static bool is_type(struct deis_str s)
{
    ptrdiff_t slash = deis_str_find(s, '/');

    if (deis_str_eq_cstr(s, TYPE_ANY)) {
        return true;
    }
    if (slash <= 0 || (size_t)slash + 1 == s.len) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (i != (size_t)slash && !strchr(TOKEN, s.ptr[i])) {
            return false;
        }
    }
    return true;
}

static void add_type(char *types, size_t *len, struct deis_str type)
{
    memcpy(types + *len, type.ptr, type.len);
    *len += type.len;
    types[(*len)++] = ' ';
}

static int set_types(struct deis_gzip *g, const char *text, struct deis_err *err)
{
    char given[TYPES_TEXT_MAX];
    char types[DEIS_GZIP_TYPES_MAX] = " ";
    size_t given_len = strlen(text);
    size_t len = 1;
    struct deis_str type;

    if (given_len > sizeof(given)) {
        return deis_err_set(err, DEIS_INVALID, "may have %d bytes", TYPES_TEXT_MAX);
    }
    for (size_t i = 0; i < given_len; i++) {
        char c = text[i];
        given[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c == ',' ? ' ' : c);
    }
    struct deis_str rest = deis_str_n(given, given_len);
    add_type(types, &len, DEIS_STR(TYPE_ALWAYS));
    while (deis_str_split(&rest, ' ', &type)) {
        if (type.len > 0 && !is_type(type)) {
            return deis_err_set(err, DEIS_INVALID,
                                "must be media types such as text/css, or *, with blanks or commas "
                                "between them, not '%.*s'",
                                DEIS_STR_ARG(deis_str_first(type, 64)));
        }
        if (type.len > 0) {
            add_type(types, &len, type);
        }
    }
    types[len] = '\0';
    memcpy(g->types, types, len + 1);
    return DEIS_OK;
}

/* Deis v1 has a regular expression here, and "msie6" for one that it took from nginx. */
static int set_clients(struct deis_gzip *g, const char *text, struct deis_err *err)
{
    static const char signs[] = "*?+^$|\\()[]{}\"";
    const char *parts = strcmp(text, "msie6") == 0 ? "MSIE 6." : text;

    if (strpbrk(parts, signs)) {
        return deis_err_set(err, DEIS_INVALID,
                            "must be parts of User-Agent with commas between them, without any of "
                            "%s: it is no regular expression",
                            signs);
    }
    if (strlen(parts) >= DEIS_GZIP_CLIENTS_MAX) {
        return deis_err_set(err, DEIS_INVALID, "may have %d bytes", DEIS_GZIP_CLIENTS_MAX - 1);
    }
    memcpy(g->clients, parts, strlen(parts) + 1);
    return DEIS_OK;
}

static const struct setting {
    const char *name;
    const char *def;
    int (*set)(struct deis_gzip *g, const char *text, struct deis_err *err);
} settings[] = {
    { "gzip", "off", set_on },
    { "gzipVary", "on", set_vary },
    { "gzipMinLength", "256", set_min_length },
    { "gzipCompLevel", "5", set_level },
    { "gzipTypes", TYPES_DEFAULT, set_types },
    { "gzipHttpVersion", "1.1", set_http_version },
    { "gzipProxied", "any", set_proxied },
    { "gzipDisable", "", set_clients },
};

int deis_gzip_set(struct deis_gzip *g, struct deis_str name, const char *text, struct deis_err *err)
{
    for (size_t i = 0; i < DEIS_COUNT(settings); i++) {
        if (deis_str_eq_cstr(name, settings[i].name)) {
            return settings[i].set(g, text ? text : settings[i].def, err);
        }
    }
    return deis_err_set(err, DEIS_NOT_FOUND, "no such setting");
}

void deis_gzip_default(struct deis_gzip *g)
{
    memset(g, 0, sizeof(*g));
    for (size_t i = 0; i < DEIS_COUNT(settings); i++) {
        (void)!settings[i].set(g, settings[i].def, NULL);
    }
}

bool deis_gzip_equal(const struct deis_gzip *a, const struct deis_gzip *b)
{
    return a->on == b->on && a->vary == b->vary && a->not_to_proxies == b->not_to_proxies &&
           a->minor == b->minor && a->level == b->level && a->min_length == b->min_length &&
           strcmp(a->types, b->types) == 0 && strcmp(a->clients, b->clients) == 0;
}

bool deis_gzip_has_type(const struct deis_gzip *g, struct deis_str content_type)
{
    char word[128] = " ";
    struct deis_str rest = content_type;
    struct deis_str type;

    if (!deis_str_split(&rest, ';', &type)) {
        return false;
    }
    type = deis_str_trim(type);
    if (type.len == 0 || type.len + 3 > sizeof(word) || deis_str_find(type, ' ') >= 0) {
        return false;
    }
    for (size_t i = 0; i < type.len; i++) {
        char c = type.ptr[i];
        word[i + 1] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    word[type.len + 1] = ' ';
    word[type.len + 2] = '\0';
    return strstr(g->types, " " TYPE_ANY " ") || strstr(g->types, word);
}

static bool contains(struct deis_str text, struct deis_str part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (deis_str_ieq(deis_str_first(deis_str_skip(text, i), part.len), part)) {
            return true;
        }
    }
    return false;
}

bool deis_gzip_has_client(const struct deis_gzip *g, struct deis_str user_agent)
{
    struct deis_str rest = deis_str(g->clients);
    struct deis_str part;

    while (deis_str_split(&rest, ',', &part)) {
        part = deis_str_trim(part);
        if (part.len > 0 && contains(deis_str_first(user_agent, AGENT_MAX), part)) {
            return true;
        }
    }
    return false;
}
