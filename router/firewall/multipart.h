/* SPDX-License-Identifier: MIT */
/* The start of a multipart body that is too long to be examined as a whole. Pure. thread: any */
#ifndef DEIS_ROUTER_FIREWALL_MULTIPART_H
#define DEIS_ROUTER_FIREWALL_MULTIPART_H

#include "lib/base/str.h"

/* RFC 2046 section 5.1.1 */
#define MULTIPART_BOUNDARY_MAX 70

/* The parameter boundary of a Content-Type; NONE when the type is another, or it has none. */
struct deis_str multipart_boundary(struct deis_str content_type);

/*
 * Bytes of a body to be read when it ends before its last delimiter: its last part counts as far
 * as it is there, unless its fields are not complete. *ret_delimiter: the last delimiter is to be
 * put behind these bytes, "\r\n" and all; false for a body that is complete, or none.
 */
size_t multipart_end(struct deis_str body, struct deis_str boundary, bool *ret_delimiter);

#endif
