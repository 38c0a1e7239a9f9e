/* SPDX-License-Identifier: MIT */
/* Any document: refused, or written such that it reads and writes the same again. The first byte
 * picks the kind. */
#include "lib/model/model.h"
#include "lib/model/routing.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

#define ROUND(name)                                                                                \
    static void name##_round(struct deis_str text)                                                 \
    {                                                                                              \
        struct deis_err err = DEIS_ERR_INIT;                                                       \
        struct deis_##name doc;                                                                    \
        if (deis_##name##_parse(text, &doc, &err) < 0) {                                           \
            check(err.code == DEIS_INVALID || err.code == DEIS_LIMIT);                             \
            return;                                                                                \
        }                                                                                          \
        deis_autofree char *first = deis_##name##_format(&doc);                                    \
        deis_##name##_clear(&doc);                                                                 \
        check(deis_##name##_parse(deis_str(first), &doc, &err) == 0);                              \
        deis_autofree char *second = deis_##name##_format(&doc);                                   \
        deis_##name##_clear(&doc);                                                                 \
        check(strcmp(first, second) == 0);                                                         \
    }

ROUND(formation)
ROUND(unit)
ROUND(unit_state)
ROUND(rollout)
ROUND(machine)
ROUND(service)
ROUND(routing)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const rounds[])(struct deis_str) = {
        formation_round, unit_round,    unit_state_round, rollout_round,
        machine_round,   service_round, routing_round,
    };

    if (size > 0) {
        rounds[(uint8_t)(data[0] - '0') % DEIS_COUNT(rounds)](
            deis_str_n((const char *)data + 1, size - 1));
    }
    return 0;
}
