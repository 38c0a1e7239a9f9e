/* SPDX-License-Identifier: MIT */
/* Names of units: the same contents of a formation give the same unit, other contents another one.
 * thread: any */
#ifndef SCHEDULER_CORE_UNIT_ID_H
#define SCHEDULER_CORE_UNIT_ID_H

#include "lib/model/model.h"

#define UNIT_ID_MAX 256

/* SHA-256 as 64 lower-case hex digits and NUL: deis_sha256_hex(), handed in because core/ has no
 * crypto. */
typedef void unit_digest_fn(struct deis_str data, char out[65]);

/* "<app>_v<release>.<type>.<num>-<hash>" of one process of a formation. DEIS_INVALID when it is too
 * long. */
int unit_id(const struct deis_formation *f, const struct deis_process *p, uint32_t num,
            unit_digest_fn *digest, char out[UNIT_ID_MAX], struct deis_err *err) deis_must_check;

/* The document of that unit without its machine and epoch; `desired` is run. Yours
 * (deis_unit_clear). */
void unit_document(const struct deis_formation *f, const struct deis_process *p, uint32_t num,
                   const char *id, struct deis_unit *ret);

#endif
