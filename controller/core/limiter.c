/* SPDX-License-Identifier: MIT */
#include "controller/core/limiter.h"

uint64_t limiter_wait_ms(const struct limiter *l, uint64_t name, unsigned free, uint64_t now_ms)
{
    const struct limiter_slot *s = &l->slots[name % LIMITER_SLOTS];
    uint64_t allowed_ms = (uint64_t)free * LIMITER_FORGET_MS;

    if (s->name != name || s->empty_at_ms <= now_ms) {
        return 0;
    }
    uint64_t debt_ms = s->empty_at_ms - now_ms + LIMITER_FORGET_MS; /* with one more failure */
    return debt_ms > allowed_ms ? debt_ms - allowed_ms : 0;
}

void limiter_fail(struct limiter *l, uint64_t name, uint64_t now_ms)
{
    struct limiter_slot *s = &l->slots[name % LIMITER_SLOTS];

    if (s->name != name && s->empty_at_ms > now_ms + LIMITER_FORGET_MS) {
        return; /* the slot's holder has failed more often */
    }
    if (s->name != name || s->empty_at_ms < now_ms) {
        *s = (struct limiter_slot){ name, now_ms };
    }
    s->empty_at_ms += LIMITER_FORGET_MS;
}

void limiter_forget(struct limiter *l, uint64_t name)
{
    struct limiter_slot *s = &l->slots[name % LIMITER_SLOTS];

    if (s->name == name) {
        *s = (struct limiter_slot){ 0 };
    }
}
