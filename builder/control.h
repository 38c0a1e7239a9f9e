/* SPDX-License-Identifier: MIT */
/* What the builder asks of the controller, over the bus. thread: one owner */
#ifndef DEIS_BUILDER_CONTROL_H
#define DEIS_BUILDER_CONTROL_H

#include "builder/core/procfile.h"
#include "builder/settings.h"

struct control;

/* settings_path: read again before each attempt, since the controller may move. */
int control_open(const char *settings_path, struct control **ret,
                 struct deis_err *err) deis_must_check;
void control_free(struct control *c); /* NULL is fine */

/* Whose key is it: *ret_user is yours, *ret_key is "<type> <base64>", yours. DEIS_NOT_FOUND:
 * nobody's. One attempt of timeout_ms. */
int control_key(struct control *c, const char *fingerprint, uint64_t timeout_ms, char **ret_user,
                char **ret_key, struct deis_err *err) deis_must_check;

/* May user do action ("push", "fetch") on app: DEIS_DENIED if not. client is his address, for the
 * controller's log, or "". While the controller can't be reached on_wait is called (once) and the
 * call repeated for a minute. */
int control_authorize(struct control *c, const char *user, const char *app, const char *action,
                      const char *client, void (*on_wait)(void),
                      struct deis_err *err) deis_must_check;

struct control_deploy {
    const char *operation; /* names this deploy; a repeat with it reports the same one */
    const char *user;
    const char *app;
    const char *commit;
    const char *image; /* "<registry>/<app>@sha256:..." */
    const struct procfile *procfile;
    void (*on_line)(const char *line, void *arg); /* progress, then the log of what failed */
    bool (*give_up)(void *arg);                   /* asked between two calls */
    void *arg;
};

struct control_deployed {
    uint32_t version;
    char *url; /* yours */
};

/*
 * Make a release and wait for its outcome. DEIS_OK: it is running. DEIS_CONFLICT and other codes:
 * it is not, and never will be, err says why. DEIS_TIMEOUT: the controller was out of reach for a
 * minute and the outcome is unknown. DEIS_CANCELLED: give_up said so, the outcome is unknown too.
 */
int control_deploy(struct control *c, const struct control_deploy *d, struct control_deployed *ret,
                   struct deis_err *err) deis_must_check;

#endif
