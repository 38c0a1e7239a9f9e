/* SPDX-License-Identifier: MIT */
#include "controller/waits.h"

#include "controller/gate.h"

struct waits {
    struct gate *all;
    struct gate *users; /* a place for each */
};

struct waits *waits_new(unsigned spare)
{
    struct waits *w = deis_alloc(sizeof(*w));

    w->all = gate_new(WAITS_MAX, spare);
    w->users = gate_new(WAITS_USER_MAX, spare);
    return w;
}

void waits_free(struct waits *w)
{
    if (w) {
        gate_free(w->all);
        gate_free(w->users);
        free(w);
    }
}

int waits_enter(struct waits *w, const char *user, uint64_t timeout_ms, struct deis_err *err)
{
    if (!gate_enter(w->users, user, timeout_ms)) {
        return deis_err_set(err, DEIS_CONFLICT,
                            "you wait for %d commands and changes already, that is the limit: try "
                            "again when one has ended",
                            WAITS_USER_MAX);
    }
    if (!gate_enter(w->all, "", timeout_ms)) {
        gate_leave(w->users, user);
        return deis_err_set(err, DEIS_CONFLICT,
                            "too many changes are under way on this platform, try again");
    }
    return DEIS_OK;
}

void waits_leave(struct waits *w, const char *user)
{
    gate_leave(w->all, "");
    gate_leave(w->users, user);
}
