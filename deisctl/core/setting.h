/* SPDX-License-Identifier: MIT */
/* Values of settings that are better refused here than by the services that read them. Pure.
 * thread: any */
#ifndef DEISCTL_CORE_SETTING_H
#define DEISCTL_CORE_SETTING_H

#include "lib/base/str.h"

/* DEIS_INVALID says what the value must be. Settings that are not known here are good. */
int setting_check(const char *component, struct deis_str name, struct deis_str value,
                  struct deis_err *err) deis_must_check;

#endif
