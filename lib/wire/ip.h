/* SPDX-License-Identifier: MIT */
/* Addresses of the Internet and ranges of them, as values. thread: any */
#ifndef DEIS_WIRE_IP_H
#define DEIS_WIRE_IP_H

#include "lib/base/str.h"

enum {
    DEIS_IP_TEXT = 46,    /* bytes of the longest text with its NUL */
    DEIS_CIDRS_MAX = 256, /* ranges in a list */
};

/* IPv4 stands in it as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that the same client is the
 * same value, however it came. */
struct deis_ip {
    uint8_t bytes[16];
};

struct deis_ip deis_ip_v4(const uint8_t bytes[4]); /* network order */
struct deis_ip deis_ip_v6(const uint8_t bytes[16]);
bool deis_ip_is_v4(const struct deis_ip *ip);
bool deis_ip_eq(const struct deis_ip *a, const struct deis_ip *b);
/* "192.0.2.1" (without leading zeros), "2001:db8::1"; no port, brackets, zone or blanks. */
bool deis_ip_parse(struct deis_str text, struct deis_ip *ret);
/* Canonical text (RFC 5952), NUL-terminated; its length. */
size_t deis_ip_format(const struct deis_ip *ip, char out[DEIS_IP_TEXT]);

struct deis_cidr {
    struct deis_ip ip;
    unsigned bits; /* of 128 that count: of an IPv4 range 96 more than are written */
};

/* "10.0.0.0/8", "2001:db8::/32"; an address alone is a range of one. Bits behind the prefix are
 * ignored. DEIS_INVALID names the text. */
int deis_cidr_parse(struct deis_str text, struct deis_cidr *ret,
                    struct deis_err *err) deis_must_check;
bool deis_cidr_contains(const struct deis_cidr *c, const struct deis_ip *ip);

/* A list, never changed once made. */
struct deis_cidrs {
    size_t count;
    struct deis_cidr list[];
};

/* Ranges separated by commas or blanks; *ret is yours (free()), NULL for a list without any.
 * DEIS_INVALID: one is none; DEIS_LIMIT: more than DEIS_CIDRS_MAX. */
int deis_cidrs_parse(struct deis_str text, struct deis_cidrs **ret,
                     struct deis_err *err) deis_must_check;
bool deis_cidrs_contain(const struct deis_cidrs *l, const struct deis_ip *ip); /* NULL: no */

#endif
