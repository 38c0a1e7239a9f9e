/* SPDX-License-Identifier: MIT */
/*
 * What the router and deis-router-firewall.so know of each other: one table of functions. The
 * module links nothing of the router's.
 */
#ifndef DEIS_ROUTER_FIREWALL_MODULE_H
#define DEIS_ROUTER_FIREWALL_MODULE_H

#include "router/firewall.h"

/* To be raised with each change of what is below, of struct firewall_request and of what that
 * refers to. */
#define FIREWALL_ABI 2

/* Name of the symbol: const struct firewall_module. */
#define FIREWALL_SYMBOL "deis_router_firewall"

struct firewall_rules;

struct firewall_module {
    unsigned abi;
    /* Read both; NULL: err says why not, in at most cap bytes. */
    struct firewall_rules *(*open)(const char *setup, const char *rules, char *err, size_t cap);
    void (*close)(struct firewall_rules *rules);
    /* As the functions of router/firewall.h. */
    struct firewall_check *(*check_new)(struct firewall_rules *rules,
                                        const struct firewall_request *r);
    enum firewall_verdict (*check_head)(struct firewall_check *c);
    enum firewall_verdict (*check_body)(struct firewall_check *c, struct deis_str body, bool whole);
    const char *(*check_rules)(const struct firewall_check *c);
    void (*check_free)(struct firewall_check *c);
};

/* How a check begins, whatever the module adds to it. */
struct firewall_check {
    const struct firewall_module *module;
};

#endif
