/* SPDX-License-Identifier: MIT */
/*
 * How apps are treated: the settings of each (lib/model/routing.h) and what the platform sets for
 * all. A route_settings is immutable and shared by tables; an app for which nothing is set has
 * none.
 */
#ifndef DEIS_ROUTER_ROUTE_POLICY_H
#define DEIS_ROUTER_ROUTE_POLICY_H

#include "lib/model/routing.h"

#include <stdatomic.h>

struct route_settings {
    atomic_uint refs;
    bool closed; /* only who is on the whitelist may pass, even when there is none */
    uint64_t send_ms; /* in which none of a request is taken; 0: as r.timeout_ms */
    struct deis_routing r;
};

/* thread: any; NULL is fine */
struct route_settings *route_settings_ref(struct route_settings *s);
void route_settings_unref(struct route_settings *s);
/* May this address pass? */
bool route_settings_admit(const struct route_settings *s, const struct deis_ip *ip);
/* The document, with "closed"; yours. */
char *route_settings_format(const struct route_settings *s);

/* What the platform sets (deisctl config router set). Texts may be NULL. */
struct route_defaults {
    bool enforce_whitelist; /* no app and no API without a whitelist */
    const char *affinity_arg;
    uint32_t requests_max; /* of each app that sets none itself; 0: any number, as with the next */
    uint32_t connections_max;
    uint32_t address_max;
    uint32_t rate_minute;
    uint32_t rate_burst; /* 0: as rate_minute suggests */
    const char *controller_whitelist;
    uint64_t controller_connect_ms; /* 0: as all */
    uint64_t controller_read_ms;
    uint64_t controller_send_ms; /* 0: as controller_read_ms */
};

/* --- all documents. thread: main --- */

struct route_policy;

struct route_policy *route_policy_new(void);
void route_policy_free(struct route_policy *p);
/*
 * An app's document; NONE: it was deleted. DEIS_INVALID: it can't be read. The former one stays;
 * when there was none the app is closed: nobody knows whom it was to be kept from.
 */
int route_policy_set(struct route_policy *p, const char *app, struct deis_str text,
                     struct deis_err *err) deis_must_check;
/* False: nothing changed. err->code is DEIS_INVALID when a value can't be read: the former one of
 * the controller stays (it is closed when there was none), one for apps counts as none. */
bool route_policy_set_defaults(struct route_policy *p, const struct route_defaults *d,
                               struct deis_err *err);
/* What holds for an app, yours (unref); NULL: nothing. */
struct route_settings *route_policy_app(const struct route_policy *p, const char *app);
struct route_settings *route_policy_controller(const struct route_policy *p, const char *name);

#endif
