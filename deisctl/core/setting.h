/* SPDX-License-Identifier: MIT */
/* Settings are better refused here than by the services that read them. Pure. thread: any */
#ifndef DEISCTL_CORE_SETTING_H
#define DEISCTL_CORE_SETTING_H

#include "lib/base/str.h"

/* DEIS_INVALID: err says what the value must be, or that there is no such setting. What only its
 * service can judge, a list of ciphers say, is good. */
int setting_check(const char *component, struct deis_str name, struct deis_str value,
                  struct deis_err *err) deis_must_check;

#endif
