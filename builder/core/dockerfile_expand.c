/* SPDX-License-Identifier: MIT */
#include "builder/core/dockerfile_expand.h"

#define DEPTH_MAX 8

struct reader {
    const struct dockerfile_vars *vars;
    struct deis_str rest;
    unsigned depth;
};

static int read_word(struct reader *r, char stop, struct deis_buf *out, struct deis_err *err);

static char peek(const struct reader *r)
{
    return r->rest.len > 0 ? r->rest.ptr[0] : '\0';
}

static void skip(struct reader *r)
{
    r->rest = deis_str_skip(r->rest, 1);
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

static struct deis_str take_name(struct reader *r)
{
    struct deis_str name = { r->rest.ptr, 0 };

    while (r->rest.len > 0 && is_name_char(peek(r), name.len == 0)) {
        name.len++;
        skip(r);
    }
    return name;
}

static void add_cstr(struct deis_buf *out, const char *text)
{
    if (text) {
        deis_buf_add_cstr(out, text);
    }
}

/* Behind "${name": what is left up to the brace. */
static int read_modifier(struct reader *r, const char *value, struct deis_buf *out,
                         struct deis_err *err)
{
    deis_autobuf struct deis_buf word = DEIS_BUF_INIT(out->max_bytes);
    bool colon = peek(r) == ':';

    if (colon) {
        skip(r);
    }
    char how = peek(r);
    if (how != '-' && how != '+') {
        return deis_err_set(err, DEIS_INVALID, "unsupported modifier in '${...}'");
    }
    skip(r);
    int rc = read_word(r, '}', &word, err);
    if (rc < 0) {
        return rc;
    }
    bool has = value && (!colon || *value);
    if (how == '+' ? has : !has) {
        deis_buf_add_str(out, deis_buf_str(&word));
    } else if (how == '-') {
        add_cstr(out, value);
    }
    return DEIS_OK;
}

/* Behind '$'. */
static int read_variable(struct reader *r, struct deis_buf *out, struct deis_err *err)
{
    bool braced = peek(r) == '{';

    if (braced) {
        skip(r);
    }
    struct deis_str name = take_name(r);
    if (name.len == 0) {
        return deis_err_set(err, DEIS_INVALID, "'$' without the name of a variable");
    }
    const char *value = r->vars->get(name, r->vars->arg);
    if (braced && peek(r) != '}') {
        int rc = read_modifier(r, value, out, err);
        if (rc < 0) {
            return rc;
        }
    } else {
        add_cstr(out, value);
    }
    if (braced && peek(r) != '}') {
        return deis_err_set(err, DEIS_INVALID, "'${' without '}'");
    }
    if (braced) {
        skip(r);
    }
    return DEIS_OK;
}

static int read_single_quoted(struct reader *r, struct deis_buf *out, struct deis_err *err)
{
    ptrdiff_t end = deis_str_find(r->rest, '\'');

    if (end < 0) {
        return deis_err_set(err, DEIS_INVALID, "a quote is not closed");
    }
    deis_buf_add(out, r->rest.ptr, (size_t)end);
    r->rest = deis_str_skip(r->rest, (size_t)end + 1);
    return DEIS_OK;
}

/* One character or variable, whatever it is but a quote. */
static int read_plain(struct reader *r, struct deis_buf *out, struct deis_err *err)
{
    char c = peek(r);

    skip(r);
    if (c == '$') {
        return read_variable(r, out, err);
    }
    if (c == r->vars->escape && r->rest.len > 0) {
        c = peek(r);
        skip(r);
    }
    deis_buf_add_char(out, c);
    return DEIS_OK;
}

static int read_double_quoted(struct reader *r, struct deis_buf *out, struct deis_err *err)
{
    int rc = DEIS_OK;

    while (rc == DEIS_OK && r->rest.len > 0 && peek(r) != '"') {
        rc = read_plain(r, out, err);
    }
    if (rc == DEIS_OK && r->rest.len == 0) {
        rc = deis_err_set(err, DEIS_INVALID, "a quote is not closed");
    }
    skip(r);
    return rc;
}

/* Up to stop, which stays; '\0': to the end. */
static int read_word(struct reader *r, char stop, struct deis_buf *out, struct deis_err *err)
{
    int rc = DEIS_OK;

    if (++r->depth > DEPTH_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "variables are nested more than %d deep", DEPTH_MAX);
    }
    while (rc == DEIS_OK && r->rest.len > 0 && (stop == '\0' || peek(r) != stop)) {
        char c = peek(r);
        if (c == '\'' || c == '"') {
            skip(r);
            rc = c == '"' ? read_double_quoted(r, out, err) : read_single_quoted(r, out, err);
        } else {
            rc = read_plain(r, out, err);
        }
    }
    r->depth--;
    return rc;
}

int dockerfile_expand(struct deis_str word, const struct dockerfile_vars *vars,
                      struct deis_buf *out, struct deis_err *err)
{
    struct reader r = { vars, word, 0 };
    int rc = read_word(&r, '\0', out, err);

    if (rc == DEIS_OK && deis_buf_failed(out)) {
        rc = deis_err_set(err, DEIS_LIMIT, "a text with variables is over %zu bytes",
                          out->max_bytes);
    }
    return rc;
}
