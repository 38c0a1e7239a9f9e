/* SPDX-License-Identifier: MIT */
/* The builder: a daemon around sshd, and the small programs that sshd and git start for each push.
 */
#include "builder/roles.h"

#include "lib/base/str.h"
#include "lib/net/loop.h"

#include <limits.h>
#include <unistd.h>

int role_usage(const char *usage)
{
    fprintf(stderr, "usage: deis-builder %s\n", usage);
    return 2;
}

/* git finds its hook by name: the link "pre-receive" leads here. */
static bool is_hook(const char *name)
{
    return deis_str_ends(deis_str(name), "/pre-receive") || strcmp(name, "pre-receive") == 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const char *self, int argc, char **argv);
    } roles[] = {
        { "serve", serve_main },
        { "keys", keys_main },
        { "session", session_main },
        { "away", away_main },
    };

    char self[PATH_MAX];

    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0) {
        fputs("deis-builder: can't find my own path\n", stderr);
        return 1;
    }
    self[n] = '\0';
    deis_runtime_init("builder");
    if (is_hook(argv[0])) {
        return pre_receive_main();
    }
    for (size_t i = 0; argc > 1 && i < DEIS_COUNT(roles); i++) {
        if (strcmp(argv[1], roles[i].name) == 0) {
            return roles[i].run(self, argc - 1, argv + 1);
        }
    }
    return role_usage(
        "serve [flags] | keys ... | session ... | away   (serve --help lists the flags)");
}
