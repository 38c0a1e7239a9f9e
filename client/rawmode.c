/* SPDX-License-Identifier: MIT */
#include "client/client.h"

#include <errno.h>
#include <termios.h>
#include <unistd.h>

static struct {
    bool on;
    struct termios before;
    struct termios raw;
} mode;

void rawmode_stop(void)
{
    if (mode.on) {
        mode.on = false;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode.before);
    }
}

void rawmode_again(void)
{
    if (mode.on) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode.raw);
    }
}

int rawmode_start(struct client *c)
{
    static bool registered;

    if (tcgetattr(STDIN_FILENO, &mode.before) < 0) {
        return client_fail(c, "stdin is no terminal: %s", strerror(errno));
    }
    if (!registered) {
        registered = true;
        if (atexit(rawmode_stop) != 0) {
            return client_fail(c, "the terminal could not be put back later");
        }
    }
    mode.raw = mode.before;
    cfmakeraw(&mode.raw);
    mode.on = true;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &mode.raw) < 0) {
        mode.on = false;
        return client_fail(c, "the terminal can't be set: %s", strerror(errno));
    }
    return 0;
}
