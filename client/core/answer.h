/* SPDX-License-Identifier: MIT */
/* How answers of the controller are read and failures shown. thread: any */
#ifndef CLIENT_CORE_ANSWER_H
#define CLIENT_CORE_ANSWER_H

#include "lib/wire/json.h"

#define ANSWER_API_VERSION "1.7"

bool answer_is_error(int status); /* all but 200..399 */
/* The text after "Error: ": an empty line, the status line, the messages of body. Values of other
 * shapes are complained of on complaint. */
void answer_error(int status, const char *reason, struct deis_str body, struct deis_buf *out,
                  struct deis_buf *complaint);
/* The warning when the server's API version is not ours; server NONE = it named none. */
void answer_version_warning(struct deis_str server, struct deis_buf *out);

/* results and count of a list; both borrowed from list. DEIS_PROTOCOL when it is none. */
int answer_list(const json_t *list, json_t **ret_results, long *ret_total,
                struct deis_err *err) deis_must_check;
/* A member as text, or "" (also for null). Borrowed. */
const char *answer_text(const json_t *obj, const char *key);

#endif
