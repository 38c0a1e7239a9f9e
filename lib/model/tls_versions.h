/* SPDX-License-Identifier: MIT */
/* The setting router/sslProtocols. The router goes by it, deisctl holds what is set against it.
 * thread: any */
#ifndef DEIS_MODEL_TLS_VERSIONS_H
#define DEIS_MODEL_TLS_VERSIONS_H

#include "lib/base/str.h"

struct deis_tls_versions {
    bool v12;
    bool v13; /* one of the two at least */
};

/* "TLSv1.2 TLSv1.3", or one of the two words. DEIS_INVALID: err says what it must be. */
int deis_tls_versions_parse(struct deis_str text, struct deis_tls_versions *ret,
                            struct deis_err *err) deis_must_check;

#endif
