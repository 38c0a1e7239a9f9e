/* SPDX-License-Identifier: MIT */
/* Images that this agent fetched leave the machine when no unit has needed them for a while; sooner
 * when its disk fills. A unit that needs one again fetches it again. */
#include "scheduler/agent_priv.h"

#include "lib/net/docker_fetched.h"
#include "lib/net/log.h"

#include <sys/statvfs.h>

#define EVERY_MS          600000
#define FREE_PERCENT_SOFT 15
#define IDLE_FULL_MS      600000 /* when less than that is free */

struct images {
    struct agent *agent;
    unsigned removed;
    int rc;
    struct deis_err err;
};

static bool is_filling(const char *path)
{
    struct statvfs st;

    return statvfs(path, &st) == 0 && st.f_blocks > 0 &&
           st.f_bavail * 100 / st.f_blocks < FREE_PERCENT_SOFT;
}

static void work(void *arg)
{
    struct images *i = arg;
    const struct settings *s = i->agent->ctx->settings;
    deis_autofree char *folder = runtime_image_folder(i->agent->rt);
    /* The Engine's folder itself may be out of sight; that of its containers is not. */
    deis_autofree char *engine = deis_asprintf("%s/containers", s->docker_root);
    uint64_t idle_ms = s->image_idle_ms;

    if (idle_ms > IDLE_FULL_MS && is_filling(engine)) {
        idle_ms = IDLE_FULL_MS;
    }
    i->rc = deis_fetched_sweep(i->agent->ctx->docker, folder, idle_ms, &i->removed, &i->err);
}

static void done(void *arg)
{
    struct images *i = arg;

    if (i->removed > 0) {
        deis_info("images that nobody needs removed", KV_I("count", i->removed));
    }
    if (i->rc < 0) {
        deis_warn("an image was not removed", KV_ERR(&i->err));
    }
    i->agent->images_swept = false;
    free(i);
}

static void on_timer(void *arg)
{
    struct agent *a = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct images *i = deis_alloc(sizeof(*i));

    i->agent = a;
    if (a->stopping || a->images_swept || deis_workers_run(a->jobs, work, done, i, &err) < 0) {
        free(i); /* next time */
        return;
    }
    a->images_swept = true;
}

void agent_images_start(struct agent *a)
{
    uint64_t idle_ms = a->ctx->settings->image_idle_ms;

    a->images_timer = deis_timer_new(a->ctx->loop, on_timer, a);
    if (idle_ms > 0) {
        deis_timer_every(a->images_timer, idle_ms < EVERY_MS ? idle_ms : EVERY_MS);
    }
}

void agent_images_stop(struct agent *a)
{
    deis_timer_free(a->images_timer);
}
