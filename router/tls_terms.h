/* SPDX-License-Identifier: MIT */
/* What connections over TLS may agree on, by the settings router/ssl... thread: any */
#ifndef DEIS_ROUTER_TLS_TERMS_H
#define DEIS_ROUTER_TLS_TERMS_H

#include "router/settings.h"

#include "lib/model/tls_versions.h"

#include <openssl/ssl.h>

struct tls_terms {
    struct deis_tls_versions versions;
    char *ciphers; /* of TLS 1.2, as OpenSSL lists them */
    bool tickets;
    uint64_t session_s;
    uint64_t record_max; /* bytes */
};

/* Those of the settings, which are good; tls_terms_clear() them. */
void tls_terms_read(const struct settings *s, struct tls_terms *ret);
bool tls_terms_equal(const struct tls_terms *a, const struct tls_terms *b);
void tls_terms_clear(struct tls_terms *t); /* zeroed is fine */
/* Make a context go by them. False: OpenSSL's error queue says why not. */
bool tls_terms_apply(const struct tls_terms *t, SSL_CTX *ctx);

#endif
