/* SPDX-License-Identifier: MIT */
/*
 * Request bodies: reading the three formats into one JSON object, and checking its fields,
 * collecting every fault as {"field": ["message", ...]}. Pure. thread: any, one owner
 */
#ifndef CONTROLLER_CORE_FIELDS_H
#define CONTROLLER_CORE_FIELDS_H

#include "lib/wire/json.h"

enum body_result {
    BODY_OK,
    BODY_BAD,         /* 400: *ret_error is the answer's body */
    BODY_UNSUPPORTED, /* 415: likewise */
};

/* content_type NONE counts as JSON. An empty body is an empty object. *ret_body or *ret_error is
 * yours. */
enum body_result body_parse(struct deis_str content_type, struct deis_str body, json_t **ret_body,
                            json_t **ret_error);

struct fields {
    const json_t *body; /* an object; borrowed */
    json_t *errors;     /* object of arrays of texts */
};

enum {
    FIELD_REQUIRED = 1,
    FIELD_BLANK_OK = 2,
};

void fields_init(struct fields *f, const json_t *body);
void fields_clear(struct fields *f);
bool fields_failed(const struct fields *f);
json_t *fields_take_errors(struct fields *f); /* yours */
void fields_error(struct fields *f, const char *name, const char *format, ...) deis_printf(3, 4);

/* A text of at most max characters; numbers and booleans count as their text. Yours; NULL when
 * absent or at fault. */
char *fields_text(struct fields *f, const char *name, unsigned flags, size_t max);
/* An object, or a text that holds the JSON of one. A new reference; NULL when absent or at fault.
 */
json_t *fields_map(struct fields *f, const char *name);
/* Is the field there at all (null included)? */
bool fields_has(const struct fields *f, const char *name);
/* The text of a scalar as the API stores it; NULL for null, arrays and objects. Yours. */
char *fields_scalar(const json_t *value);

#endif
