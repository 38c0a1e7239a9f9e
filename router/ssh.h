/* SPDX-License-Identifier: MIT */
/* SSH as TCP: carries connections of git users to a builder. thread: main */
#ifndef DEIS_ROUTER_SSH_H
#define DEIS_ROUTER_SSH_H

#include "router/router.h"

struct ssh *ssh_start(struct router *r, int fd); /* a listening socket; taken over */
/* They have changed; NULL is fine. */
void ssh_use_settings(struct ssh *s);
void ssh_drain(struct ssh *s);             /* accept no more. NULL is fine */
unsigned ssh_count(const struct ssh *s);   /* connections now; of NULL 0 */
uint64_t ssh_refused(const struct ssh *s); /* over the limits of an address, so far */
bool ssh_idle(const struct ssh *s);        /* NULL is idle */
void ssh_stop(struct ssh *s);              /* closes what is left. NULL is fine */

#endif
