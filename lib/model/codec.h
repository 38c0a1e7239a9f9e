/* SPDX-License-Identifier: MIT */
/* Shared by the codecs of lib/model only: reading and writing members of a JSON object. */
#ifndef DEIS_MODEL_CODEC_H
#define DEIS_MODEL_CODEC_H

#include "lib/model/model.h"

/* Required and optional texts, copied. An absent optional one becomes a copy of def, or NULL. */
int codec_text(const json_t *obj, const char *key, char **ret,
               struct deis_err *err) deis_must_check;
int codec_text_or(const json_t *obj, const char *key, const char *def, char **ret,
                  struct deis_err *err) deis_must_check;
/* A required part of keys: 1 to DEIS_NAME_MAX bytes, no '/', no control characters. */
int codec_name(const json_t *obj, const char *key, char **ret,
               struct deis_err *err) deis_must_check;
int codec_u32(const json_t *obj, const char *key, uint32_t def, uint32_t *ret,
              struct deis_err *err) deis_must_check;
/* null or an array of texts */
int codec_strv(const json_t *obj, const char *key, char ***ret,
               struct deis_err *err) deis_must_check;
/* null or an object; a reference of its own */
int codec_object(const json_t *obj, const char *key, json_t **ret,
                 struct deis_err *err) deis_must_check;
/* The same; every member must be a text, or a number from 0 to UINT32_MAX. */
int codec_texts(const json_t *obj, const char *key, json_t **ret,
                struct deis_err *err) deis_must_check;
int codec_counters(const json_t *obj, const char *key, json_t **ret,
                   struct deis_err *err) deis_must_check;
int codec_health(const json_t *obj, struct deis_health *ret, struct deis_err *err) deis_must_check;

json_t *codec_strv_json(char *const *v);                             /* NULL gives null */
json_t *codec_health_json(const struct deis_health *h);              /* no path gives null */
void codec_set_text(json_t *obj, const char *key, const char *text); /* NULL: left out */
void codec_set_number(json_t *obj, const char *key, uint64_t number);
void codec_set_object(json_t *obj, const char *key, json_t *value); /* NULL: left out; not stolen */
char *codec_dump(json_t *obj);                                      /* takes obj */

#endif
