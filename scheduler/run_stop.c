/* SPDX-License-Identifier: MIT */
/* The end of a one-off process on request: its time limit, a stop, a caller that is gone. */
#include "scheduler/run_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define GRACE_MS       10000 /* between the first signal and SIGKILL */
#define LEASE_MS       30000 /* an attached process' caller may be silent so long */
#define LEASE_EVERY_MS 2000

void run_end_is_due(void *arg)
{
    struct run *r = arg;

    /* before it runs, who starts it looks at r->ending */
    if (r->state == RUN_RUNNING && !run_send_signal(r)) {
        deis_timer_after(r->ender, RUN_LOOK_MS);
    }
}

void run_stop(struct run *r, const char *signal)
{
    bool kill = strcmp(signal, "SIGKILL") == 0;

    if (r->state == RUN_ENDED || (r->ending && !kill)) {
        return;
    }
    r->ending = signal;
    deis_timer_after(r->ender, 0);
}

void run_signalled(struct run *r, const struct deis_err *err)
{
    bool kill = strcmp(r->ending, "SIGKILL") == 0;

    if (r->state == RUN_ENDED) {
        return;
    }
    if (err->code != DEIS_OK) {
        deis_warn("can't signal a run, trying again", KV_S("run", r->id), KV_ERR(err));
    }
    if (err->code == DEIS_OK && !kill) {
        r->ending = "SIGKILL";
        deis_timer_after(r->ender, GRACE_MS);
    } else {
        deis_timer_after(r->ender, RUN_LOOK_MS);
    }
    if (kill) {
        deis_timer_after(r->look, 0);
    }
}

static void on_lease(void *arg)
{
    struct run *r = arg;

    if (r->starter || r->waiters) {
        r->heard_ms = deis_now_ms();
    }
    if (deis_now_ms() - r->heard_ms > LEASE_MS) {
        deis_info("the caller of a run is gone", KV_S("run", r->id));
        run_turn_deaf(r);
        run_stop(r, "SIGHUP");
    } else {
        deis_timer_after(r->lease, LEASE_EVERY_MS);
    }
}

void run_lease_start(struct run *r)
{
    r->heard_ms = deis_now_ms();
    r->lease = deis_timer_new(r->server->ctx->loop, on_lease, r);
    deis_timer_after(r->lease, LEASE_EVERY_MS);
}
