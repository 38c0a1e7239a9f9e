/* SPDX-License-Identifier: MIT */
/* What the files of the HTTP/1.1 parser share. */
#ifndef DEIS_WIRE_H1_INTERNAL_H
#define DEIS_WIRE_H1_INTERNAL_H

#include "lib/wire/h1.h"

enum {
    H1_TOKEN = 1,  /* RFC 9110 tchar */
    H1_TARGET = 2, /* visible ASCII but '#' */
    H1_HOST = 4,   /* letters, digits, '-', '.', '_' */
};

extern const uint8_t h1_class[256];

static inline bool h1_is(char c, unsigned mask)
{
    return (h1_class[(unsigned char)c] & mask) != 0;
}

/* One head being parsed. */
struct h1_parse {
    struct deis_h1_head *head;
    struct deis_err *err;
    int status; /* what to answer when it is bad */
    bool has_host;
    bool has_length;
    bool has_coding;
    bool connection_close;
    bool connection_keep;
    bool connection_upgrade;
    bool has_upgrade;
    unsigned options; /* of Connection */
};

/* Set status and err and return DEIS_H1_BAD. */
enum deis_h1_result h1_bad(struct h1_parse *parse, int status, const char *format, ...)
    deis_printf(3, 4);

/* Nothing but visible bytes, blanks, tabs and bytes over 0x7f. */
bool h1_is_text(const char *p, size_t len);

/* Host and port as a Host field has them. */
bool h1_is_host(struct deis_str s);

/* Parse the field lines in [p, end), each of which ends with CR LF, into parse->head; all but the
 * framing is then set. DONE or BAD. */
enum deis_h1_result h1_parse_fields(struct h1_parse *parse, const char *p, const char *end);

#endif
