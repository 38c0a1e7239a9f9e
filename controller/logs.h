/* SPDX-License-Identifier: MIT */
/* Reading and deleting apps' logs at the logger. thread: workers */
#ifndef CONTROLLER_LOGS_H
#define CONTROLLER_LOGS_H

#include "controller/ctl.h"

/* The app's last lines, in as many calls as the bus needs; process may be NULL. */
int logs_read(struct ctl *ctl, const char *app, uint32_t lines, const char *process,
              struct deis_buf *out, struct deis_err *err) deis_must_check;
int logs_delete(struct ctl *ctl, const char *app, struct deis_err *err) deis_must_check;

#endif
