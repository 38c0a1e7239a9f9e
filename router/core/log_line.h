/* SPDX-License-Identifier: MIT */
/* The access log: one logfmt line a request, as Heroku's router writes it. thread: any */
#ifndef DEIS_ROUTER_LOG_LINE_H
#define DEIS_ROUTER_LOG_LINE_H

#include "lib/base/str.h"

/* No line is longer, whatever the request holds. */
#define LOG_LINE_MAX 3072

struct log_line {
    struct deis_str method;
    struct deis_str target;
    struct deis_str host;
    struct deis_str request_id;
    struct deis_str client;
    const char *app;  /* NULL: none */
    const char *unit; /* NULL: none */
    const char *code; /* "H12", or NULL */
    const char *desc; /* of a failure, or NULL */
    const char *protocol;
    const char *rules; /* of the firewall, that it met; or NULL */
    uint64_t connect_us;
    uint64_t service_us;
    uint64_t bytes;
    int status;
};

/* The line without a newline; out of LOG_LINE_MAX bytes. Returns its length. */
size_t log_line_format(char *out, const struct log_line *l);

#endif
