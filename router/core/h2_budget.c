/* SPDX-License-Identifier: MIT */
#include "router/core/h2_budget.h"

enum { UNIT = 1000 };

static uint32_t fill(uint32_t have, uint64_t add, uint32_t max)
{
    return have + add < max ? (uint32_t)(have + add) : max;
}

void h2_budget_init(struct h2_budget *b, uint64_t now_ms)
{
    b->at_ms = now_ms;
    b->resets = H2_RESETS_MAX * UNIT;
    b->frames = H2_FRAMES_MAX * UNIT;
}

/* One unit a second is one thousandth of it a millisecond. */
static void pass_time(struct h2_budget *b, uint64_t now_ms)
{
    uint64_t ms = now_ms > b->at_ms ? now_ms - b->at_ms : 0;

    b->at_ms += ms;
    b->resets = fill(b->resets, ms * H2_RESETS_PER_S, H2_RESETS_MAX * UNIT);
    b->frames = fill(b->frames, ms * H2_FRAMES_PER_S, H2_FRAMES_MAX * UNIT);
}

static bool pay(uint32_t *account)
{
    if (*account < UNIT) {
        return false;
    }
    *account -= UNIT;
    return true;
}

bool h2_budget_reset(struct h2_budget *b, uint64_t now_ms)
{
    pass_time(b, now_ms);
    return pay(&b->resets);
}

bool h2_budget_frame(struct h2_budget *b, uint64_t now_ms)
{
    pass_time(b, now_ms);
    return pay(&b->frames);
}

void h2_budget_use(struct h2_budget *b)
{
    b->frames = fill(b->frames, H2_FRAMES_PER_USE * UNIT, H2_FRAMES_MAX * UNIT);
}
