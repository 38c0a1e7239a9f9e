/* SPDX-License-Identifier: MIT */
/* Real programs of the suite as children of a test. Failures end the test program with a message.
 */
#ifndef DEIS_TESTS_PROGRAM_H
#define DEIS_TESTS_PROGRAM_H

#include "tests/support/port.h"

#include <sys/types.h>

struct program {
    pid_t pid; /* 0: not running */
};

/* Start $DEIS_BIN/<name> with argv (NULL-terminated, without the program's name). It is killed when
 * the test ends, whatever way. */
void program_start(struct program *p, const char *name, const char *const *argv);
/* Wait until something accepts connections on the port, a minute at most. */
void program_wait_port(uint16_t port);
/* Send a signal and wait for the end; returns the wait status. */
int program_stop(struct program *p, int signal);
/* A new folder, and its removal with all contents. */
char *program_temp_folder(void);
void program_remove_folder(char *path); /* frees path */
/* A cluster key file below folder; its path, yours. */
char *program_write_key(const char *folder);

#endif
