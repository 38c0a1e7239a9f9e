/* SPDX-License-Identifier: MIT */
/* base64 (RFC 4648 section 4, padded, strict) and lower-case hex. thread: any */
#ifndef DEIS_WIRE_B64_H
#define DEIS_WIRE_B64_H

#include "lib/base/buf.h"

void deis_b64_encode(struct deis_str data, struct deis_buf *out);
/* DEIS_INVALID: "incorrect padding" or "invalid character". Appends to out. */
int deis_b64_decode(struct deis_str text, struct deis_buf *out,
                    struct deis_err *err) deis_must_check;
void deis_hex_encode(struct deis_str data, struct deis_buf *out);
int deis_hex_decode(struct deis_str text, struct deis_buf *out,
                    struct deis_err *err) deis_must_check;

#endif
