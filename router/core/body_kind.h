/* SPDX-License-Identifier: MIT */
/* Which bodies the firewall looks into, by what the request says that they are. Pure. thread: any
 */
#ifndef DEIS_ROUTER_BODY_KIND_H
#define DEIS_ROUTER_BODY_KIND_H

#include "lib/wire/h1.h"

enum body_kind {
    BODY_OPAQUE, /* nobody takes variables out of it unasked: it is not looked into */
    BODY_TEXT,   /* a form, JSON or XML, which are read as a whole or not at all */
    BODY_PARTS,  /* multipart/form-data, with files of any size: its start is looked into */
};

/* By media type (RFC 9110 section 8.3.1), case and parameters ignored. Of several Content-Type
 * fields, or a list, the strictest counts: who knows which one the app takes. A POST without any is a
 * form for some. */
enum body_kind body_kind(const struct deis_h1_head *head);

#endif
