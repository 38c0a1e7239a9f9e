/* SPDX-License-Identifier: MIT */
/* SSH as TCP: carries connections of git users to a builder. thread: main */
#ifndef DEIS_ROUTER_SSH_H
#define DEIS_ROUTER_SSH_H

#include "router/router.h"

struct ssh *ssh_start(struct router *r, int fd); /* a listening socket; taken over */
void ssh_drain(struct ssh *s);                   /* accept no more. NULL is fine */
bool ssh_idle(const struct ssh *s);              /* NULL is idle */
void ssh_stop(struct ssh *s);                    /* closes what is left. NULL is fine */

#endif
