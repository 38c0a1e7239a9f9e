/* SPDX-License-Identifier: MIT */
/* Fields for nghttp2, for both sides of the router. thread: worker */
#ifndef DEIS_ROUTER_H2_FIELDS_H
#define DEIS_ROUTER_H2_FIELDS_H

#include "router/bufpool.h"

#include <nghttp2/nghttp2.h>

/* The views must live until it is submitted, which copies them. */
nghttp2_nv h2_field(struct deis_str name, struct deis_str value);

/* Add a trailer to lines, if it may be passed on and fits (core/h2_answer.h). */
void h2_trailers_add(struct bufpool *pool, struct bytes *lines, struct deis_str name,
                     struct deis_str value);
/* Submit them as the end of a stream, from within the callback that reads its body. False: there
 * are none, so the body ends it. */
bool h2_trailers_submit(nghttp2_session *session, int32_t id, const struct bytes *lines);

#endif
