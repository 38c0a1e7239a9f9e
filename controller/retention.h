/* SPDX-License-Identifier: MIT */
/*
 * Bounds for what piles up in etcd: an app's old releases with the configs and builds that no kept
 * release needs, outcomes of operations, the audit. Blocking. thread: workers
 */
#ifndef CONTROLLER_RETENTION_H
#define CONTROLLER_RETENTION_H

#include "controller/ctl.h"

/* After release `version` of the app was made: tidy up if enough has piled up. */
void retention_after_release(struct ctl *ctl, const char *app, uint32_t version);
/* Everything, down to what is to be kept. */
void retention_all(struct ctl *ctl);

#endif
