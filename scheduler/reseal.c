/* SPDX-License-Identifier: MIT */
#include "scheduler/reseal.h"

#include "lib/net/log.h"

#include <stdio.h>

#define UNITS_AT_ONCE 32
#define ENV_MAX_BYTES (1024 * 1024)

/* False: it needs no sealing, or can't be opened. */
static bool seal_anew(const struct deis_keyring *ring, const struct world_unit *u,
                      struct deis_buf *out)
{
    struct deis_err err = DEIS_ERR_INIT;
    char place[DEIS_KEY_MAX];

    snprintf(place, sizeof(place), "env/%s", u->doc.app);
    int r = deis_keyring_reseal(ring, deis_str(place), deis_str(u->doc.env), out, &err);
    if (r < 0) {
        deis_warn("environment of a unit can't be sealed anew", KV_S("unit", u->doc.unit),
                  KV_ERR(&err));
    }
    return r == 0 && !deis_buf_failed(out);
}

static void add(struct plan *plan, const struct world_unit *u, char *env)
{
    struct deis_unit doc = u->doc; /* texts stay the world's, but for the environment */
    char key[DEIS_KEY_MAX];

    doc.env = env;
    plan->actions = deis_realloc_array(plan->actions, plan->count + 1, sizeof(*plan->actions));
    plan->actions[plan->count++] = (struct plan_action){
        .key = deis_strdup(deis_key(key, "units/%s", doc.unit)),
        .value = deis_unit_format(&doc),
        .guard = u->mod_revision,
        .note = deis_asprintf("seal %s anew", doc.unit),
    };
}

static void add_some(struct plan *plan, const struct world *w, const struct deis_keyring *ring)
{
    WORLD_EACH(w->units, struct world_unit, u)
    {
        deis_autobuf struct deis_buf env = DEIS_BUF_INIT(ENV_MAX_BYTES);
        if (plan->count >= UNITS_AT_ONCE) {
            return;
        }
        if (u->doc.desired == DEIS_DESIRED_RUN && u->doc.env && *u->doc.env &&
            seal_anew(ring, u, &env)) {
            add(plan, u, env.data);
        }
    }
}

void reseal_units(struct plan *plan, const struct world *w, const struct context *ctx)
{
    struct deis_keyring ring;
    char id[DEIS_KEY_ID_TEXT];

    deis_keys_get(ctx->keys, &ring);
    deis_key_id_text(&ring.keys[0], id);
    if (ring.count > 1 && deis_directory_all_seal_with(ctx->directory, id)) {
        add_some(plan, w, &ring);
    }
    deis_keyring_clear(&ring);
}
