/* SPDX-License-Identifier: MIT */
/* The last lines of units that are gone: a rollout that failed is explained after its units were
 * removed. */
#include "scheduler/agent_priv.h"

void agent_tails_keep(struct agent *a, const char *unit, struct deis_str lines)
{
    struct agent_tail *t = &a->tails[a->next_tail];

    a->next_tail = (a->next_tail + 1) % AGENT_TAILS;
    free(t->unit);
    free(t->lines);
    t->unit = deis_strdup(unit);
    t->lines = deis_str_dup(lines);
}

const char *agent_last_lines(const struct agent *a, const char *unit)
{
    for (size_t i = 1; i <= AGENT_TAILS; i++) { /* the newest first */
        const struct agent_tail *t = &a->tails[(a->next_tail + AGENT_TAILS - i) % AGENT_TAILS];
        if (t->unit && strcmp(t->unit, unit) == 0) {
            return t->lines;
        }
    }
    return NULL;
}

void agent_tails_free(struct agent *a)
{
    for (size_t i = 0; i < AGENT_TAILS; i++) {
        free(a->tails[i].unit);
        free(a->tails[i].lines);
    }
}
