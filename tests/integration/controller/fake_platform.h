/* SPDX-License-Identifier: MIT */
/*
 * What surrounds a controller, as far as it can tell: an engine that answers formations with units,
 * states and rollouts at once, one machine with its agent, one logger. On a thread of its own.
 *
 * An image whose name holds "broken" fails its rollout. Everything else succeeds.
 */
#ifndef DEIS_TESTS_FAKE_PLATFORM_H
#define DEIS_TESTS_FAKE_PLATFORM_H

#include <stdbool.h>

struct fake_platform;

struct fake_platform *fake_platform_start(const char *etcd_url, const char *key_file);
void fake_platform_stop(struct fake_platform *p);
/* While held the engine says nothing; afterwards it answers what came meanwhile. */
void fake_platform_hold(struct fake_platform *p, bool held);
/* Wait until the app's log at the logger holds this text, 20 s at most. */
bool fake_platform_logged(struct fake_platform *p, const char *app, const char *text);

#endif
