/* SPDX-License-Identifier: MIT */
/*
 * The web application firewall: requests that look like an attack are answered with an error.
 *
 * What looks like one say the OWASP Core Rule Set's rules, which libmodsecurity applies. Both come
 * with a module, deis-router-firewall.so, that is loaded when an app is examined for the first
 * time: a router without firewall carries nothing of them.
 */
#ifndef DEIS_ROUTER_FIREWALL_H
#define DEIS_ROUTER_FIREWALL_H

#include "lib/base/err.h"
#include "lib/wire/h1.h"

#include <stdatomic.h>

struct firewall;       /* the rules, loaded; the same for all workers */
struct firewall_check; /* one request that is examined */

struct firewall_request {
    const struct deis_h1_head *head;
    struct deis_str client; /* address, without port */
    struct deis_str request_id;
    bool body; /* firewall_check_body() is going to be called: it judges the whole request, for
                * which rules count line, fields and body together */
};

enum firewall_verdict { FIREWALL_PASS, FIREWALL_BLOCK };

/*
 * Load the module, its setup file beside it (NAME.conf to NAME.so) and the rules of this folder.
 * Takes half a second or so. A module stays in memory once it was loaded. DEIS_UNAVAILABLE names
 * the file and what is the matter with it. thread: any, one call at a time
 */
int firewall_open(const char *module, const char *rules, struct firewall **ret,
                  struct deis_err *err) deis_must_check;
void firewall_close(struct firewall *f); /* no check may be left; NULL is fine */

/* The texts of r must live until the call returns, f until the check is freed. thread: worker, and
 * for what is examined (the next two) any, one at a time */
struct firewall_check *firewall_check_new(struct firewall *f, const struct firewall_request *r);
/* The request's line and fields; of a request with a body that is to be examined only what can be
 * said without it. Once, before the body. */
enum firewall_verdict firewall_check_head(struct firewall_check *c);
/* The body, decoded: whole, or (multipart/form-data) its start when it is too long to be held. Once
 * at most, of a request that said so. */
enum firewall_verdict firewall_check_body(struct firewall_check *c, struct deis_str body,
                                          bool whole);
/* After BLOCK: the ids of the rules that it met, as "942100,949110"; lives as long as c. */
const char *firewall_check_rules(const struct firewall_check *c);
void firewall_check_free(struct firewall_check *c); /* NULL is fine */

/* Where workers find the rules; one for all. */
struct firewall_place {
    _Atomic(struct firewall *) loaded; /* NULL: not so far */
    atomic_bool failed; /* they could not be loaded: what is to be examined is refused */
};

#endif
