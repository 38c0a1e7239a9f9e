/* SPDX-License-Identifier: MIT */
/*
 * Settings as a table. Each service has one array of rows; it drives flags (--listen-port),
 * environment variables (DEIS_LISTEN_PORT), the etcd key (/deis/config/<component>/<etcd_key>),
 * --help and docs/CONFIG.md. Order: default < etcd < environment < flag. thread: loop or main
 */
#ifndef DEIS_CONF_CONF_H
#define DEIS_CONF_CONF_H

#include "lib/base/buf.h"

enum deis_conf_type {
    DEIS_CONF_TEXT,  /* char *  */
    DEIS_CONF_U32,   /* uint32_t */
    DEIS_CONF_BOOL,  /* bool: true/false/on/off/1/0 */
    DEIS_CONF_MS,    /* uint64_t, "30s" */
    DEIS_CONF_BYTES, /* uint64_t, "10MB" */
};

enum {
    DEIS_CONF_SECRET = 1, /* never printed */
    DEIS_CONF_LIVE = 2,   /* a change in etcd takes effect without a restart */
};

struct deis_conf_row {
    const char *flag; /* "listen-port"; the environment variable is DEIS_ + upper case, - as _ */
    const char *etcd_key; /* below /deis/config/<component>/, or NULL */
    enum deis_conf_type type;
    size_t offset;   /* of the field in the settings struct */
    const char *def; /* default as text; NULL: no text, 0, false */
    unsigned flags;
    const char *help; /* one line */
};

/* Parse argv and the environment into *settings (zeroed by the caller, stays where it is until
 * deis_conf_free()). "--flag value" or "--flag=value"; a bool's value only with '='. All faults are
 * collected into err, one a line. "--help" prints the table to stdout and exits 0; "--version"
 * likewise. Words that are no flags: DEIS_INVALID unless ret_rest is given; *ret_rest is the index
 * of the first in argv. */
int deis_conf_load(const struct deis_conf_row *rows, size_t count, const char *program,
                   const char *summary, int argc, char **argv, void *settings, int *ret_rest,
                   struct deis_err *err) deis_must_check;
/* Apply one value from etcd, unless the environment or a flag set that row. A former text is freed.
 * value NULL: back to the default. DEIS_NOT_FOUND: no such key; DEIS_INVALID: bad value, the old
 * one stays. */
int deis_conf_apply(const struct deis_conf_row *rows, size_t count, void *settings,
                    struct deis_str etcd_key, const char *value,
                    struct deis_err *err) deis_must_check;
void deis_conf_free(const struct deis_conf_row *rows, size_t count, void *settings);

#endif
