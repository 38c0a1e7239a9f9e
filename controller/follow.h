/* SPDX-License-Identifier: MIT */
/* Live logs: chunked text for as long as the peer stays, fed by long polls of the logger. thread:
 * loop */
#ifndef CONTROLLER_FOLLOW_H
#define CONTROLLER_FOLLOW_H

#include "controller/ctl.h"

#include "lib/net/httpd.h"

/* Answer req with the app's last lines and all that follow; process may be NULL. */
void follow_start(struct ctl *ctl, struct deis_http_req *req, const char *app, const char *process,
                  uint32_t lines);
/* The peer of req went away; nothing happens when it follows no log. */
void follow_gone(struct deis_http_req *req);
/* End all streams. */
void follow_stop_all(struct ctl *ctl);

#endif
