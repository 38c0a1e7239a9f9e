/* SPDX-License-Identifier: MIT */
/*
 * AuthorizedKeysCommand: one line for a key that somebody has, none for others. sshd calls it twice
 * for a login and for each key that a client offers, so it asks once and gives up soon. Exit status
 * 1, which sshd logs, when the controller did not answer.
 */
#include "builder/control.h"
#include "builder/core/ssh_command.h"
#include "builder/roles.h"

#include <unistd.h>

#define LOOKUP_MS 2000

static int print_line(const char *self, const char *settings_path, const char *user,
                      const char *type, const char *key)
{
    deis_autofree char *line = deis_asprintf("restrict,command=\"%s session %s %s\" %s %s\n", self,
                                             settings_path, user, type, key);
    size_t len = strlen(line);

    return write(STDOUT_FILENO, line, len) == (ssize_t)len ? 0 : 1;
}

int keys_main(const char *self, int argc, char **argv)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct control *control = NULL;
    deis_autofree char *user = NULL;
    deis_autofree char *stored = NULL;

    if (argc != 5) {
        return role_usage("keys SETTINGS FINGERPRINT TYPE KEY");
    }
    const char *settings_path = argv[1];
    if (!ssh_fingerprint_ok(deis_str(argv[2])) ||
        !ssh_public_key_ok(deis_str(argv[3]), deis_str(argv[4]))) {
        return 0;
    }
    int rc = control_open(settings_path, &control, &err);
    if (rc == DEIS_OK) {
        rc = control_key(control, argv[2], LOOKUP_MS, &user, &stored, &err);
    }
    control_free(control);
    if (rc == DEIS_NOT_FOUND) {
        return 0;
    }
    if (rc < 0 || !user || !stored) {
        return 1;
    }
    deis_autofree char *offered = deis_asprintf("%s %s", argv[3], argv[4]);
    if (strcmp(offered, stored) != 0 || !ssh_user_ok(deis_str(user))) {
        return 0;
    }
    return print_line(self, settings_path, user, argv[3], argv[4]);
}
