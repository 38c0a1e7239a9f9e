/* SPDX-License-Identifier: MIT */
/* Certificates and keys in PEM texts. Nobody is ever asked for a password: OpenSSL by itself asks
 * on the terminal, or at stdin, and waits. thread: any */
#ifndef DEIS_CRYPTO_PEM_H
#define DEIS_CRYPTO_PEM_H

#include "lib/base/str.h"

#include <openssl/pem.h>

/* The first of the text, yours; NULL: there is none that can be read, OpenSSL's error queue says
 * why. What is encrypted can't. */
X509 *deis_pem_certificate(struct deis_str text);
EVP_PKEY *deis_pem_key(struct deis_str text);
/* Is a signature with it made in a moment? What else takes minutes, or for ever, with RSA keys of
 * any size, whose parts are whatever somebody wrote there. */
bool deis_pem_key_is_quick(const EVP_PKEY *key);

enum { DEIS_RSA_BITS_MAX = 4096 };

/* For OpenSSL's own PEM functions: there is no password. */
int deis_pem_no_password(char *buf, int size, int writing, void *arg);

#endif
