/* SPDX-License-Identifier: MIT */
/* A document of etcd as the router keeps it in a file: checksum, key, value. thread: any */
#ifndef DEIS_ROUTER_KEPT_DOC_H
#define DEIS_ROUTER_KEPT_DOC_H

#include "lib/base/buf.h"

enum { KEPT_DOC_MAX = 512 * 1024, KEPT_KEY_MAX = 600 };

/* key: without line ends, KEPT_KEY_MAX bytes at most. value: any bytes. */
void kept_doc_write(struct deis_str key, struct deis_str value, struct deis_buf *out);
/* Views into text. DEIS_INVALID: it is no such file, or not a whole one. */
int kept_doc_read(struct deis_str text, struct deis_str *ret_key, struct deis_str *ret_value,
                  struct deis_err *err) deis_must_check;
/* Tells values of a key from each other. */
uint64_t kept_doc_sum(struct deis_str value);

#endif
