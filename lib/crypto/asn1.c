/* SPDX-License-Identifier: MIT */
#include "lib/crypto/asn1.h"

#include <string.h>
#include <time.h>

uint64_t deis_asn1_time_ms(const ASN1_TIME *time)
{
    struct tm tm;

    memset(&tm, 0, sizeof(tm));
    time_t seconds = time && ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
    return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}
