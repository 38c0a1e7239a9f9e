/* SPDX-License-Identifier: MIT */
/*
 * JSON read in place, for large texts of which a little is wanted: values come out as views of the
 * text, nothing is allocated. What a view holds is checked when it is looked into; what is passed
 * over is checked only as far as it takes to find its end. Names are compared as they stand: one
 * that is written with escapes is not found. thread: any
 */
#ifndef DEIS_WIRE_JSON_SCAN_H
#define DEIS_WIRE_JSON_SCAN_H

#include "lib/base/str.h"

/* The members `names` of an object: rets[i] is the text of the value, NONE when it is absent or
 * null. False: text is not one object, is nested deeper than DEIS_JSON_MAX_DEPTH, or has one of the
 * names twice. */
bool deis_json_scan_object(struct deis_str text, const char *const *names, size_t count,
                           struct deis_str *rets) deis_must_check;

/* The items of an array one after the other: *at starts as its text (a value that was given here),
 * true gives one. When false comes *ret_bad says whether that was because it is none. */
bool deis_json_scan_array(struct deis_str *at, struct deis_str *ret_item,
                          bool *ret_bad) deis_must_check;

/* What is between the quotes, escapes as they stand. False: not a string. */
bool deis_json_scan_text(struct deis_str value, struct deis_str *ret) deis_must_check;

#endif
