/* SPDX-License-Identifier: MIT */
#include "builder/core/procfile.h"

#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    struct deis_err *err;
};

static int next_event(struct reader *r)
{
    if (r->has_event) {
        yaml_event_delete(&r->event);
        r->has_event = false;
    }
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        return deis_err_set(r->err, DEIS_INVALID, "Procfile line %zu: not valid YAML: %s",
                            r->parser.problem_mark.line + 1,
                            r->parser.problem ? r->parser.problem : "unreadable text");
    }
    r->has_event = true;
    return DEIS_OK;
}

static size_t line_of(const struct reader *r)
{
    return r->event.start_mark.line + 1;
}

/* Anchor, alias or tag: YAML that a Procfile has no use for. */
static bool is_decorated(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT: return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_MAPPING_START_EVENT: return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    case YAML_ALIAS_EVENT: return true;
    default: return false;
    }
}

static int refuse_decoration(const struct reader *r)
{
    return deis_err_set(r->err, DEIS_INVALID,
                        "Procfile line %zu: anchors, aliases and tags are not allowed", line_of(r));
}

/* The current event as text; what names it in the error. */
static int take_scalar(struct reader *r, const char *what, struct deis_str *ret)
{
    if (is_decorated(&r->event)) {
        return refuse_decoration(r);
    }
    if (r->event.type != YAML_SCALAR_EVENT) {
        return deis_err_set(r->err, DEIS_INVALID, "Procfile line %zu: %s must be text", line_of(r),
                            what);
    }
    *ret = deis_str_n((const char *)r->event.data.scalar.value, r->event.data.scalar.length);
    return DEIS_OK;
}

static int check_name(const struct reader *r, const struct procfile *p, struct deis_str name)
{
    struct deis_str shown = deis_str_first(name, 64);

    if (!deis_str_is_process_type(name)) {
        return deis_err_set(
            r->err, DEIS_INVALID,
            "Procfile line %zu: process type '%.*s' must be lower-case letters, digits, "
            "'-' and '_', begin with a letter and have at most 63 characters",
            line_of(r), deis_str_is_utf8(shown) ? (int)shown.len : 0, shown.ptr);
    }
    for (size_t i = 0; i < p->count; i++) {
        if (deis_str_eq_cstr(name, p->types[i].name)) {
            return deis_err_set(r->err, DEIS_INVALID,
                                "Procfile line %zu: process type '%s' stands twice", line_of(r),
                                p->types[i].name);
        }
    }
    if (p->count == PROCFILE_MAX_TYPES) {
        return deis_err_set(r->err, DEIS_LIMIT, "Procfile has more than %d process types",
                            PROCFILE_MAX_TYPES);
    }
    return DEIS_OK;
}

static int check_command(const struct reader *r, const char *name, struct deis_str command)
{
    if (command.len == 0) {
        return deis_err_set(r->err, DEIS_INVALID, "Procfile line %zu: '%s' has no command",
                            line_of(r), name);
    }
    if (command.len > PROCFILE_COMMAND_MAX) {
        return deis_err_set(r->err, DEIS_LIMIT,
                            "Procfile line %zu: the command of '%s' is over %d bytes", line_of(r),
                            name, PROCFILE_COMMAND_MAX);
    }
    if (!deis_str_is_utf8(command)) {
        return deis_err_set(r->err, DEIS_INVALID,
                            "Procfile line %zu: the command of '%s' is not UTF-8", line_of(r),
                            name);
    }
    return DEIS_OK;
}

/* One pair; the current event is its key. */
static int read_type(struct reader *r, struct procfile *p)
{
    struct deis_str text = DEIS_STR_NONE;

    int rc = take_scalar(r, "the name of a process type", &text);
    if (rc == DEIS_OK) {
        rc = check_name(r, p, text);
    }
    if (rc < 0) {
        return rc;
    }
    deis_autofree char *name = deis_str_dup(text);
    rc = next_event(r);
    if (rc == DEIS_OK) {
        rc = take_scalar(r, "a command", &text);
    }
    if (rc == DEIS_OK) {
        text = deis_str_trim(text);
        rc = check_command(r, name, text);
    }
    if (rc < 0) {
        return rc;
    }
    p->types = deis_realloc_array(p->types, p->count + 1, sizeof(*p->types));
    p->types[p->count].name = DEIS_TAKE(name);
    p->types[p->count].command = deis_str_dup(text);
    p->count++;
    return DEIS_OK;
}

static int read_map(struct reader *r, struct procfile *p)
{
    if (is_decorated(&r->event)) {
        return refuse_decoration(r);
    }
    if (r->event.type != YAML_MAPPING_START_EVENT) {
        return deis_err_set(
            r->err, DEIS_INVALID,
            "Procfile line %zu: must be lines of the form '<process type>: <command>'", line_of(r));
    }
    for (;;) {
        int rc = next_event(r);
        if (rc < 0) {
            return rc;
        }
        if (r->event.type == YAML_MAPPING_END_EVENT) {
            return DEIS_OK;
        }
        rc = read_type(r, p);
        if (rc < 0) {
            return rc;
        }
    }
}

static bool is_null(const yaml_event_t *e)
{
    return e->type == YAML_SCALAR_EVENT && e->data.scalar.length == 0 &&
           e->data.scalar.plain_implicit;
}

static int read_stream(struct reader *r, struct procfile *p)
{
    int rc = next_event(r); /* stream start */
    if (rc == DEIS_OK) {
        rc = next_event(r);
    }
    if (rc < 0 || r->event.type == YAML_STREAM_END_EVENT) {
        return rc;
    }
    rc = next_event(r); /* after the document start */
    if (rc == DEIS_OK && !is_null(&r->event)) {
        rc = read_map(r, p);
    }
    if (rc == DEIS_OK) {
        rc = next_event(r); /* document end */
    }
    if (rc == DEIS_OK) {
        rc = next_event(r);
    }
    if (rc == DEIS_OK && r->event.type != YAML_STREAM_END_EVENT) {
        return deis_err_set(r->err, DEIS_INVALID,
                            "Procfile line %zu: only one YAML document is allowed", line_of(r));
    }
    return rc;
}

int procfile_parse(struct deis_str text, struct procfile *ret, struct deis_err *err)
{
    struct reader r = { .err = err };

    *ret = (struct procfile){ 0 };
    if (text.len > PROCFILE_MAX_BYTES) {
        return deis_err_set(err, DEIS_LIMIT, "Procfile is over %d bytes", PROCFILE_MAX_BYTES);
    }
    if (!yaml_parser_initialize(&r.parser)) {
        return deis_err_set(err, DEIS_INTERNAL, "no memory for the YAML parser");
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.len > 0 ? text.ptr : ""),
                                 text.len);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    int rc = read_stream(&r, ret);
    if (r.has_event) {
        yaml_event_delete(&r.event);
    }
    yaml_parser_delete(&r.parser);
    if (rc < 0) {
        procfile_clear(ret);
    }
    return rc;
}

void procfile_clear(struct procfile *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->types[i].name);
        free(p->types[i].command);
    }
    free(p->types);
    *p = (struct procfile){ 0 };
}
