/* SPDX-License-Identifier: MIT */
/*
 * The controller's own lines in the apps' logs ("deis-controller"): queued here, sent to the logger
 * in order and again until it has them. Beyond the bound the oldest are dropped and their bytes
 * counted as a gap in the next line. thread: applog_write() any, else loop
 */
#ifndef CONTROLLER_APPLOG_H
#define CONTROLLER_APPLOG_H

#include "controller/ctl.h"

struct applog *applog_start(struct ctl *ctl);
void applog_stop(struct applog *l);
/* Has the logger all lines? */
bool applog_is_empty(struct applog *l);
/* One line of the app's log, whatever it quotes: see oneline(); at most 8 KiB. Never a secret. */
void applog_write(struct ctl *ctl, const char *app, const char *format, ...) deis_printf(3, 4);

#endif
