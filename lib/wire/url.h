/* SPDX-License-Identifier: MIT */
/* Request targets: split, decode, query. thread: any */
#ifndef DEIS_WIRE_URL_H
#define DEIS_WIRE_URL_H

#include "lib/base/buf.h"

/* Split an origin-form target ("/a/b?x=1") at the first '?'. query is NONE when there is no '?'. */
void deis_url_split(struct deis_str target, struct deis_str *ret_path, struct deis_str *ret_query);
/* Percent-decode s onto out ('+' stays unless form is true). DEIS_INVALID for a bad escape or %00,
 * DEIS_LIMIT when out is full. */
int deis_url_decode(struct deis_str s, bool form, struct deis_buf *out,
                    struct deis_err *err) deis_must_check;
/* First value of a key in "a=1&b=2" form, decoded onto out; DEIS_NOT_FOUND when absent. */
int deis_url_query_get(struct deis_str query, const char *key, struct deis_buf *out,
                       struct deis_err *err) deis_must_check;

struct deis_url {
    struct deis_str scheme; /* "http", "https", "tcp"; NONE when absent */
    struct deis_str host;   /* without brackets for IPv6 */
    uint16_t port;          /* 0 when absent */
    struct deis_str path;   /* from '/' on, may be empty */
};

/* Parse scheme://host[:port][/path]; userinfo is refused. Views into text. */
int deis_url_parse(struct deis_str text, struct deis_url *ret,
                   struct deis_err *err) deis_must_check;

/* "host:port" or "[v6]:port". DEIS_INVALID when there is no valid port; 0 is one, for listeners
 * that let the system choose. */
int deis_addr_split(struct deis_str text, struct deis_str *ret_host, uint16_t *ret_port,
                    struct deis_err *err) deis_must_check;

#endif
