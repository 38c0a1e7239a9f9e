/* SPDX-License-Identifier: MIT */
/*
 * What --json prints: a shape says which members the output has, so that help and output can't
 * differ and programs can rely on it. thread: any
 *
 *   [a b c]   a list of objects with these members (null where the controller sent none)
 *   {a b c}   one object with these members
 *   *{a b c}  objects as for {a b c}, one a line
 *   []        a list of texts
 *   {}        an object that has a member for each key
 */
#ifndef CLIENT_CORE_SHAPE_H
#define CLIENT_CORE_SHAPE_H

#include "lib/wire/json.h"

/* The value in that shape, yours; NULL when it is of another kind. */
json_t *shape_apply(const char *shape, const json_t *value);
/* The shape in words: "a list of objects with id and owner". */
void shape_describe(const char *shape, struct deis_buf *out);

#endif
