/* SPDX-License-Identifier: MIT */
/*
 * How the router treats one app: routing/<app>. The controller writes the document, the router
 * reads it, and both hold it against the one table of settings here. docs/ROUTING.md is for users.
 * thread: any, one owner
 */
#ifndef DEIS_MODEL_ROUTING_H
#define DEIS_MODEL_ROUTING_H

#include "lib/model/model.h"
#include "lib/wire/ip.h"

#define DEIS_ROUTING_MAX         262144 /* bytes of a document */
#define DEIS_ROUTING_PAGE_MAX    16384  /* of a page of the app's own */
#define DEIS_ROUTING_ENTRIES_MAX 256    /* of a whitelist, of weights */

/* "10.0.0.0/8", "2001:db8::1", each perhaps with a label behind: "10.1.2.3:office". An IPv6 network
 * with a label stands in brackets: "[2001:db8::/32]:office". */
int deis_whitelist_entry(struct deis_str entry, struct deis_cidr *ret,
                         struct deis_err *err) deis_must_check;
/* "a, b,c" as an array of texts that are good, yours. NULL: err names the entry. */
json_t *deis_whitelist_read(struct deis_str text, struct deis_err *err) deis_must_check;

/* A choice that may be left to what holds for all. */
enum deis_choice { DEIS_UNSET, DEIS_NO, DEIS_YES };

struct deis_weight {
    const char *process; /* "web.2"; borrowed from doc */
    uint8_t weight;      /* 0 to 100 */
};

enum deis_own_page {
    DEIS_PAGE_403,
    DEIS_PAGE_413,
    DEIS_PAGE_429,
    DEIS_PAGE_502,
    DEIS_PAGE_503,
    DEIS_PAGE_504,
    DEIS_PAGE_MAINTENANCE,
    DEIS_PAGE_COUNT,
};

/* What the settings of a document mean; 0 and NULL: not set. */
struct deis_routing {
    json_t *doc; /* the document, checked: {"settings", "configWhitelist"} */
    bool restricted;
    struct deis_cidr *allowed; /* both whitelists */
    size_t allowed_count;
    bool maintenance;
    enum deis_choice enforce_https;
    enum deis_choice hsts;
    enum deis_choice gzip;     /* compress answers */
    enum deis_choice firewall; /* examine requests */
    bool sticky;
    bool h2c; /* the units speak HTTP/2 without TLS */
    bool has_body_max;
    uint64_t body_max; /* bytes */
    uint64_t timeout_ms;
    uint64_t connect_timeout_ms;
    uint64_t slow_start_ms;
    uint32_t requests_max;    /* in flight at once, over one router */
    uint32_t connections_max; /* upgraded connections at once, likewise */
    uint32_t address_max;     /* both, of one address, likewise */
    uint32_t rate_minute;     /* requests of one address a minute */
    uint32_t rate_burst;      /* of these at once; never 0 when rate_minute is not */
    const char *affinity_arg;
    struct deis_weight *weights;
    size_t weight_count;
    const char *pages[DEIS_PAGE_COUNT]; /* HTML */
};

/* DEIS_INVALID names the setting. Settings that are unknown here are left out of account. */
int deis_routing_parse(struct deis_str text, struct deis_routing *ret,
                       struct deis_err *err) deis_must_check;
/* The same from what is parsed; takes a reference of doc. */
int deis_routing_read(json_t *doc, struct deis_routing *ret, struct deis_err *err) deis_must_check;
/* Is this address in one of the whitelists? */
bool deis_routing_allows(const struct deis_routing *r, const struct deis_ip *ip);
char *deis_routing_format(const struct deis_routing *r); /* yours */
void deis_routing_clear(struct deis_routing *r);

/*
 * A value that a user gives a setting, as it is kept: texts as they came, whitelists as arrays,
 * numbers and truth as such; a text stands for any of them ("true", "20", "a,b"). Yours. NULL with
 * DEIS_NOT_FOUND: no such setting; DEIS_INVALID: err says what it must be.
 */
json_t *deis_routing_value(const char *name, const json_t *value,
                           struct deis_err *err) deis_must_check;
/* The names of all settings, for people. */
extern const char deis_routing_names[];

#endif
