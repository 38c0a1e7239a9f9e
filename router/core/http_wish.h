/* SPDX-License-Identifier: MIT */
/* Which unit a request asks for: by the router's cookie, or by a variable of its query. Pure.
 * thread: any */
#ifndef DEIS_ROUTER_HTTP_WISH_H
#define DEIS_ROUTER_HTTP_WISH_H

#include "lib/wire/h1.h"

#define HTTP_COOKIE_NAME "deis_unit"

/* The value of our cookie: 16 hex digits; 0: there is none, or it is no such. */
uint64_t http_cookie_tag(const struct deis_h1_head *head);
/* The value of the first variable of this name, as it was sent (not decoded); NONE: it is not there
 * or empty. */
struct deis_str http_query_value(struct deis_str target, const char *name);

#endif
