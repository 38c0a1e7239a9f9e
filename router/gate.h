/* SPDX-License-Identifier: MIT */
/*
 * What an app's settings mean to one exchange: who is let in, which page is shown, how long is
 * waited. Only called for an app that has settings, unless said otherwise. thread: worker
 */
#ifndef DEIS_ROUTER_GATE_H
#define DEIS_ROUTER_GATE_H

#include "router/exchange.h"

/* Before a unit is chosen; worker->request holds the head. False: the exchange is answered, and
 * over. */
bool gate_pass(struct exchange *x);
/* Fill in what is special about a page of this app. */
void gate_page(const struct exchange *x, enum page page, struct page_opts *opts);
/* How long this is waited for; 0: as long as for all. */
uint64_t gate_wait_ms(const struct exchange *x, enum wait wait);
/* Does a plain request go to HTTPS instead? platform: what holds for all. */
bool gate_enforces_https(const struct route_settings *s, bool platform);
/* The line of Strict-Transport-Security, or NONE. */
struct deis_str gate_hsts(const struct route_settings *s, const struct route_https *h);

/* Of any app, or platform service: does the firewall examine its requests? Not until its rules were
 * loaded, or could not be. */
bool gate_is_examined(const struct exchange *x);
/* Of a request that is to be examined; NULL: it can't be, PAGE_UNEXAMINED. The rules stay for the
 * life of the worker. What is examined of a body at most: worker->table->firewall.body_max. */
struct firewall *gate_firewall(const struct exchange *x);
/* Of any exchange: the status of a page; that of PAGE_BLOCKED is a setting. */
int gate_status(const struct exchange *x, enum page page);

enum { GATE_COOKIE_MAX = 128 };

/* The Set-Cookie line that makes the client stick to the unit which answers; NONE when it does
 * already. */
struct deis_str gate_cookie(const struct exchange *x, char out[GATE_COOKIE_MAX]);

#endif
