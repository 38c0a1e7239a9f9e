/* SPDX-License-Identifier: MIT */
/* Reading and deleting apps' logs at the logger. thread: workers */
#ifndef CONTROLLER_LOGS_H
#define CONTROLLER_LOGS_H

#include "controller/ctl.h"

int logs_delete(struct ctl *ctl, const char *app, struct deis_err *err) deis_must_check;
/* text as UTF-8: what is none becomes U+FFFD, NUL too. */
void logs_add_text(struct deis_buf *out, struct deis_str text);

#endif
