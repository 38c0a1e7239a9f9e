/* SPDX-License-Identifier: MIT */
/* Settings of an app's routing as commands take and print them. thread: any */
#ifndef CLIENT_CORE_ROUTING_H
#define CLIENT_CORE_ROUTING_H

#include "lib/wire/json.h"

/* "name=value": both parts yours. *ret_file: the value begins with '@', and is the name of a file
 * instead, without it. */
int routing_pair(const char *arg, char **ret_name, char **ret_value, bool *ret_file,
                 struct deis_err *err) deis_must_check;
/* {"whitelist": {what: [entries]}}, what = "add" or "remove"; yours. NULL: one is no
 * UTF-8. */
json_t *routing_whitelist(const char *what, const char *const *entries, size_t count);

/* The controller's answer; pages by their size only. */
void routing_show_all(const json_t *routing, struct deis_buf *out);
/* Both whitelists, one entry a line. */
void routing_show_whitelist(const json_t *routing, struct deis_buf *out);
/* The same for programs: an array of texts, yours. */
json_t *routing_whitelists(const json_t *routing);

#endif
