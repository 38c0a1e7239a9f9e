/* SPDX-License-Identifier: MIT */
/*
 * Attached one-off commands: a client's connection, upgraded to frames (lib/wire/run_frame.h), and
 * the agent that runs the command, by calls on the bus. What is under way is bounded in both
 * directions; a side that reads slowly holds up the other. thread: loop
 */
#ifndef CONTROLLER_SESSION_H
#define CONTROLLER_SESSION_H

#include "controller/api.h"

/* Answers the request of a with 101 and goes on by itself, or answers 503. */
void session_start(const struct api *a, struct deis_http_req *req);
/* Tell all clients that the controller stops; their commands get SIGHUP. */
void session_stop_all(struct ctl *ctl);
/* Have all been told, and left? */
bool session_none(void);

#endif
