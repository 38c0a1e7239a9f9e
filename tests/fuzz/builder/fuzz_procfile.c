/* SPDX-License-Identifier: MIT */
/* Any bytes as a Procfile: what is accepted keeps the limits and the rule for names. */
#include "builder/core/procfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct procfile p;

    if (procfile_parse(deis_str_n((const char *)data, size), &p, &err) < 0) {
        return p.count == 0 && err.msg[0] != '\0' ? 0 : (abort(), 0);
    }
    for (size_t i = 0; i < p.count; i++) {
        if (!deis_str_is_process_type(deis_str(p.types[i].name)) || p.types[i].command[0] == '\0') {
            abort();
        }
    }
    procfile_clear(&p);
    return 0;
}
