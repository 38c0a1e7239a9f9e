/* SPDX-License-Identifier: MIT */
/* Bounds on failed logins, by account and source and by source alone. A source is an address, of
 * IPv6 its /64. thread: any */
#ifndef CONTROLLER_LOGINS_H
#define CONTROLLER_LOGINS_H

#include <stdint.h>

struct logins;

struct logins *logins_new(void);
void logins_free(struct logins *l);
/* 0, or seconds that this source has to wait before it tries this account again. */
uint64_t logins_wait_s(struct logins *l, const char *account, const char *source);
void logins_failed(struct logins *l, const char *account, const char *source);
void logins_succeeded(struct logins *l, const char *account, const char *source);

#endif
