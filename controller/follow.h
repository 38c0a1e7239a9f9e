/* SPDX-License-Identifier: MIT */
/* Live logs: chunked text for as long as the peer stays, fed by long polls of the logger. thread:
 * loop */
#ifndef CONTROLLER_FOLLOW_H
#define CONTROLLER_FOLLOW_H

#include "controller/api.h"

/* Answer req with the last lines of the app that a is about and with all that follow, as long as
 * its caller may read them. */
void follow_start(const struct api *a, struct deis_http_req *req);
/* The peer of req went away; nothing happens when it follows no log. */
void follow_gone(struct deis_http_req *req);
/* End all streams. */
void follow_stop_all(struct ctl *ctl);

#endif
