/* SPDX-License-Identifier: MIT */
/* An image for tests, made without any registry: a static busybox, also as /bin/sh. */
#ifndef TESTS_SCHEDULER_IMAGE_H
#define TESTS_SCHEDULER_IMAGE_H

#define IMAGE_BUSYBOX "/bin/busybox"

/* A failure ends the test. */
void image_import(const char *socket_path, const char *name);

#endif
