/* SPDX-License-Identifier: MIT */
/* All settings that services take from etcd, and what their values are. thread: any */
#ifndef DEISCTL_CORE_SETTING_TABLE_H
#define DEISCTL_CORE_SETTING_TABLE_H

#include "lib/base/str.h"

enum setting_kind {
    SETTING_TEXT,
    SETTING_TRUTH,
    SETTING_NUMBER,
    SETTING_PORT,
    SETTING_CHOICE,
    SETTING_SIZE,
    SETTING_TIME,
    SETTING_TIME_OF_DAY, /* a day at most */
    SETTING_TIME_SOME,   /* more than none */
    SETTING_NETWORKS,    /* each perhaps with a label */
    SETTING_RANGES,
    SETTING_OF_APPS, /* as the setting of apps of the same name */
    SETTING_LIMIT,   /* the same, or 0 */
    SETTING_GZIP,
    SETTING_VERSIONS, /* of TLS */
    SETTING_FIREWALL,
    SETTING_WORKERS,
    SETTING_ABSENT, /* Deis v1 had it, and there is none here */
};

struct setting {
    const char *component;
    const char *name;
    enum setting_kind kind;
    const char *more; /* a CHOICE's words with '|' between them; why it is ABSENT */
};

/* NULL: there is none. */
const struct setting *setting_find(const char *component, struct deis_str name);
/* One whose name differs in the case of letters only; or NULL. */
const struct setting *setting_like(const char *component, struct deis_str name);
bool setting_has_component(const char *component);

#endif
