/* SPDX-License-Identifier: MIT */
/*
 * AuthorizedKeysCommand: one line for a key that somebody has, none for others. sshd calls it twice
 * for a login and for each key that a client offers, so it asks once and gives up soon. Exit status
 * 1, which sshd logs, when the controller did not answer and the key is none that it knew when it
 * was asked last; such a key leads to the reason, and to nothing else.
 */
#include "builder/control.h"
#include "builder/core/ssh_command.h"
#include "builder/known_keys.h"
#include "builder/roles.h"

#include <unistd.h>

#define LOOKUP_MS 2000

struct lookup {
    const char *self;
    const char *settings_path;
    const char *fingerprint;
    const char *type;
    const char *key;
};

static int print_line(const struct lookup *l, const char *command)
{
    deis_autofree char *line =
        deis_asprintf("restrict,command=\"%s %s\" %s %s\n", l->self, command, l->type, l->key);
    size_t len = strlen(line);

    return write(STDOUT_FILENO, line, len) == (ssize_t)len ? 0 : 1;
}

/* *ret_user, yours, is whose key it is. */
static int ask(const struct lookup *l, char **ret_user, struct deis_err *err)
{
    struct control *control = NULL;
    deis_autofree char *user = NULL;
    deis_autofree char *stored = NULL;
    deis_autofree char *offered = deis_asprintf("%s %s", l->type, l->key);

    int rc = control_open(l->settings_path, &control, err);
    if (rc == DEIS_OK) {
        rc = control_key(control, l->fingerprint, LOOKUP_MS, &user, &stored, err);
    }
    control_free(control);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(offered, stored) != 0 || !ssh_user_ok(deis_str(user))) {
        return deis_err_set(err, DEIS_NOT_FOUND, "this key is nobody's");
    }
    *ret_user = DEIS_TAKE(user);
    return DEIS_OK;
}

static int answer(const struct lookup *l, const struct settings *s)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *user = NULL;

    switch (ask(l, &user, &err)) {
    case DEIS_OK: {
        deis_autofree char *session = deis_asprintf("session %s %s", l->settings_path, user);
        known_keys_note(s, l->fingerprint, true);
        return print_line(l, session);
    }
    case DEIS_NOT_FOUND: known_keys_note(s, l->fingerprint, false); return 0;
    case DEIS_UNAVAILABLE:
    case DEIS_TIMEOUT: return known_keys_has(s, l->fingerprint) ? print_line(l, "away") : 1;
    default: return 1;
    }
}

int keys_main(const char *self, int argc, char **argv)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct settings s;

    if (argc != 5) {
        return role_usage("keys SETTINGS FINGERPRINT TYPE KEY");
    }
    const struct lookup l = { self, argv[1], argv[2], argv[3], argv[4] };
    if (!ssh_fingerprint_ok(deis_str(l.fingerprint)) ||
        !ssh_public_key_ok(deis_str(l.type), deis_str(l.key))) {
        return 0;
    }
    if (settings_load(l.settings_path, &s, &err) < 0) {
        return 1;
    }
    int status = answer(&l, &s);
    settings_clear(&s);
    return status;
}
