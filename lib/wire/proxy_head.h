/* SPDX-License-Identifier: MIT */
/*
 * The PROXY protocol, versions 1 and 2: the few bytes in front of a connection by which a load
 * balancer says whose connection it carries. Sections are those of HAProxy's
 * doc/proxy-protocol.txt. Pure; any split of the input gives the same result. thread: any
 */
#ifndef DEIS_WIRE_PROXY_HEAD_H
#define DEIS_WIRE_PROXY_HEAD_H

#include "lib/wire/ip.h"

enum {
    DEIS_PROXY_V1_MAX = 107,    /* bytes of the line with its end (2.1) */
    DEIS_PROXY_HEAD_MAX = 4096, /* bytes that are taken; a longer binary header is refused */
};

enum deis_proxy_result {
    DEIS_PROXY_MORE, /* all of the input belongs to a header that is not complete */
    DEIS_PROXY_DONE,
    DEIS_PROXY_BAD, /* no header: end the connection */
};

struct deis_proxy_head {
    bool known; /* false: UNKNOWN or LOCAL, or not TCP: the peer's own address counts */
    struct deis_ip source;
    struct deis_ip destination;
    uint16_t source_port;
    uint16_t destination_port;
};

/* Parse the bytes received so far. DONE: the first *ret_used were the header; err says what is BAD
 * about it. Extensions (TLVs) must be well-formed; all but the checksum (2.2.3) are skipped. */
enum deis_proxy_result deis_proxy_head_parse(struct deis_str input, struct deis_proxy_head *ret,
                                             size_t *ret_used, struct deis_err *err);

/* Version 1, for a receiver that reads lines; out: DEIS_PROXY_V1_MAX + 1 bytes. Both addresses are
 * written as IPv6 when one of them is. Returns the length. */
size_t deis_proxy_head_format(char *out, const struct deis_proxy_head *head);

#endif
