/* SPDX-License-Identifier: MIT */
#include "router/leave.h"

#include "router/admin.h"
#include "router/control.h"
#include "router/drains.h"
#include "router/kept.h"
#include "router/saved.h"
#include "router/source.h"
#include "router/ssh.h"

#include "lib/crypto/secret.h"
#include "lib/net/log.h"

/* Our registration under the instance's name stays until the new one's has surely taken its
 * place: the engine should miss neither. */
enum { BOTH_NAMES_MS = 5000 };

void leave_prepare(struct router *r)
{
    char random[9];

    deis_random_hex(random, 4);
    free(r->leaving_name);
    r->leaving_name = deis_asprintf("%s-leaving-%s", r->settings.instance, random);
    source_register_leaving(r->source, r->leaving_name);
    drains_pause(r->drains);
    kept_pause(r->kept, true);
    r->leaving = true;
}

bool leave_ready(const struct router *r)
{
    return source_leaving_registered(r->source) && drains_paused(r->drains) &&
           kept_paused(r->kept) && !saved_is_busy(r->saved);
}

void leave_confirm(struct router *r)
{
    drains_resume(r->drains, r->leaving_name);
}

void leave_undo(struct router *r)
{
    r->leaving = false;
    source_keep_instance(r->source);
    drains_resume(r->drains, NULL);
    kept_pause(r->kept, false);
    saved_changed(r);
}

static void on_settled(void *arg)
{
    source_keep_leaving(((struct router *)arg)->source);
}

void leave(struct router *r)
{
    int connections = 0;

    for (unsigned i = 0; i < r->worker_count; i++) {
        connections += atomic_load(&r->workers[i]->counters.connections);
        worker_leave(r->workers[i]);
    }
    deis_info("another process has taken over; finishing what is under way",
              KV_I("connections", connections));
    ssh_drain(r->ssh);
    admin_drain(r->admin);
    control_stop(DEIS_TAKE(r->control));
    r->leave_timer = deis_timer_new(r->loop, on_settled, r);
    deis_timer_after(r->leave_timer, BOTH_NAMES_MS);
    router_end_within(r, r->settings.leave_timeout_ms);
}
