/* SPDX-License-Identifier: MIT */
/* The router's settings firewall/…, as the router takes them and deisctl checks them. thread: any
 */
#ifndef DEIS_MODEL_FIREWALL_H
#define DEIS_MODEL_FIREWALL_H

#include "lib/base/str.h"

/* Are they within their bounds? */
int deis_firewall_check_status(uint64_t status, struct deis_err *err) deis_must_check;
int deis_firewall_check_body(uint64_t bytes, struct deis_err *err) deis_must_check;
/* The text of firewall/errorCode or firewall/bodySize; any text of other settings is good. */
int deis_firewall_check(struct deis_str name, struct deis_str value,
                        struct deis_err *err) deis_must_check;

#endif
