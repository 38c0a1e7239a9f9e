/* SPDX-License-Identifier: MIT */
/*
 * Arguments of the form key=value, and .env files. Those that do not fit are skipped with a note
 * for the user, as the contract has it; what fits is collected into a JSON object (yours). thread:
 * any
 */
#ifndef CLIENT_CORE_PAIRS_H
#define CLIENT_CORE_PAIRS_H

#include "lib/wire/json.h"

/* count texts each. */
json_t *pairs_config(const char *const *args, size_t count, struct deis_buf *note);
json_t *pairs_scale(const char *const *args, size_t count, struct deis_buf *note); /* numbers */
json_t *pairs_limits(const char *const *args, size_t count, struct deis_buf *note);
json_t *pairs_tags(const char *const *args, size_t count, struct deis_buf *note);
/* Each name with null: what takes it away. NULL: one is no UTF-8. */
json_t *pairs_removals(const char *const *names, size_t count);

/* A variable's name on its own, as pairs_config has it. */
bool pairs_is_key(struct deis_str key);
/* "KEY=path" of --from-file: both parts yours. */
int pairs_from_file(const char *arg, char **ret_key, char **ret_path,
                    struct deis_err *err) deis_must_check;
/* Sets a value that was read from a file or stdin, without one newline at its end. DEIS_INVALID
 * when it can't be a variable or the key is in the map already; errors do not show the value. */
int pairs_set_read(json_t *map, const char *key, struct deis_str value,
                   struct deis_err *err) deis_must_check;

/* The lines of a .env file as for pairs_config; the piece after the last newline is dropped. */
json_t *pairs_env_file(struct deis_str text, struct deis_buf *note);
/* "K=v" lines of config values. */
void pairs_format_env(json_t *values, struct deis_buf *out);

/* Does the text begin like a PEM private key of RSA or DSA? */
bool pairs_is_private_key(struct deis_str text);
/* "v3" or "3". */
int pairs_version(const char *text, uint64_t *ret, struct deis_err *err) deis_must_check;
/* "web", "web.2", "web.2.anything": type and number (NULL when absent), both yours. */
int pairs_process(const char *text, char **ret_type, char **ret_num,
                  struct deis_err *err) deis_must_check;
/* A whole number with an optional sign, for -l and -n. */
int pairs_number(const char *text, long *ret, struct deis_err *err) deis_must_check;

#endif
