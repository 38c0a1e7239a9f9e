/* SPDX-License-Identifier: MIT */
/*
 * Strict JSON on jansson: duplicate keys, trailing bytes, deep nesting and invalid UTF-8 are
 * refused. Getters name the field in the error. thread: any, one owner per value
 */
#ifndef DEIS_WIRE_JSON_H
#define DEIS_WIRE_JSON_H

#include "lib/base/buf.h"

#include <jansson.h>

#define DEIS_JSON_MAX_DEPTH 32

#define deis_autojson __attribute__((cleanup(deis_json_autofree_)))

static inline void deis_json_autofree_(json_t **j)
{
    json_decref(*j);
}

/* Parse one value. Yours. NULL with err (DEIS_INVALID, "... line 1 column 5") when it is none. */
json_t *deis_json_parse(struct deis_str text, struct deis_err *err) deis_must_check;
/* The same, but its texts may hold NUL, as what a program has printed: ask for their lengths. */
json_t *deis_json_parse_output(struct deis_str text, struct deis_err *err) deis_must_check;
/* A text that may have been cut anywhere: what is no UTF-8 in it becomes U+FFFD. Never NULL. */
json_t *deis_json_text(struct deis_str text);
/* Compact, keys in insertion order; yours (free). Never NULL: value must not be. */
char *deis_json_dump(const json_t *value);

/* Typed members of an object. "get" = required: DEIS_INVALID "field 'x' is missing" or "field 'x'
 * must be a string". The _or forms give the default when the member is absent or null; a wrong type
 * is an error in both. Texts are borrowed from the value. */
int deis_json_get_str(const json_t *obj, const char *key, const char **ret,
                      struct deis_err *err) deis_must_check;
int deis_json_get_u64(const json_t *obj, const char *key, uint64_t *ret,
                      struct deis_err *err) deis_must_check;
int deis_json_get_bool(const json_t *obj, const char *key, bool *ret,
                       struct deis_err *err) deis_must_check;
int deis_json_get_object(const json_t *obj, const char *key, json_t **ret,
                         struct deis_err *err) deis_must_check;
int deis_json_get_array(const json_t *obj, const char *key, json_t **ret,
                        struct deis_err *err) deis_must_check;
int deis_json_str_or(const json_t *obj, const char *key, const char *def, const char **ret,
                     struct deis_err *err) deis_must_check;
int deis_json_u64_or(const json_t *obj, const char *key, uint64_t def, uint64_t *ret,
                     struct deis_err *err) deis_must_check;
int deis_json_bool_or(const json_t *obj, const char *key, bool def, bool *ret,
                      struct deis_err *err) deis_must_check;

#endif
