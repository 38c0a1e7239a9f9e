/* SPDX-License-Identifier: MIT */
/* What /metrics says. thread: main */
#ifndef DEIS_ROUTER_METRICS_H
#define DEIS_ROUTER_METRICS_H

#include "router/router.h"

#include "lib/base/buf.h"

void metrics_write(struct router *r, struct deis_buf *b);

#endif
