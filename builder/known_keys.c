/* SPDX-License-Identifier: MIT */
/* A file of slots; which one a key has is in the first digits of its fingerprint. */
#include "builder/known_keys.h"

#include <fcntl.h>
#include <unistd.h>

enum {
    PREFIX = sizeof("SHA256:") - 1,
    SLOT = 64, /* bytes; a fingerprint has 50 */
    DIGITS = 64,
};

static int open_file(const struct settings *s)
{
    deis_autofree char *path = deis_asprintf("%s/ssh/known_keys", s->data);

    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static off_t slot_of(const char *fingerprint)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *first = strchr(digits, fingerprint[PREFIX]);
    const char *second = strchr(digits, fingerprint[PREFIX + 1]);

    return SLOT * (DIGITS * (first - digits) + (second - digits));
}

/* Two at once may mix their bytes: that is nobody's key then. */
static bool is_in(int fd, const char *fingerprint)
{
    char slot[SLOT + 1] = { 0 };

    return pread(fd, slot, SLOT, slot_of(fingerprint)) == SLOT && strcmp(slot, fingerprint) == 0;
}

void known_keys_note(const struct settings *s, const char *fingerprint, bool known)
{
    char slot[SLOT] = { 0 };
    int fd = open_file(s);

    if (fd >= 0 && is_in(fd, fingerprint) != known) {
        if (known) {
            memcpy(slot, fingerprint, strlen(fingerprint));
        }
        (void)!pwrite(fd, slot, SLOT, slot_of(fingerprint));
    }
    if (fd >= 0) {
        close(fd);
    }
}

bool known_keys_has(const struct settings *s, const char *fingerprint)
{
    int fd = open_file(s);
    bool known = fd >= 0 && is_in(fd, fingerprint);

    if (fd >= 0) {
        close(fd);
    }
    return known;
}
