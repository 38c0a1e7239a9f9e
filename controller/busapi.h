/* SPDX-License-Identifier: MIT */
/* What the builder asks over the bus: controller.key, controller.authorize, controller.deploy. */
#ifndef CONTROLLER_BUSAPI_H
#define CONTROLLER_BUSAPI_H

#include "controller/ctl.h"

struct deis_bus_server *busapi_start(struct ctl *ctl, const char *address, struct deis_err *err);

#endif
