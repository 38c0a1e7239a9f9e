/* SPDX-License-Identifier: MIT */
/* The HTTP side of the API: requests in, a worker for each, answers out. thread: loop */
#ifndef CONTROLLER_SERVER_H
#define CONTROLLER_SERVER_H

#include "controller/ctl.h"

struct server;

int server_start(struct ctl *ctl, const char *address, struct server **ret,
                 struct deis_err *err) deis_must_check;
/* Stop accepting, finish what runs; on_done follows. */
void server_drain(struct server *s, void (*on_done)(void *arg), void *arg);
void server_free(struct server *s);

#endif
