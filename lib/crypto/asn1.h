/* SPDX-License-Identifier: MIT */
/* Times in certificates and OCSP answers. thread: any */
#ifndef DEIS_CRYPTO_ASN1_H
#define DEIS_CRYPTO_ASN1_H

#include <openssl/asn1.h>
#include <stdint.h>

/* Unix time in ms; 0: it is none, or before 1970. */
uint64_t deis_asn1_time_ms(const ASN1_TIME *time);

#endif
