/* SPDX-License-Identifier: MIT */
/*
 * A port of 127.0.0.1 for a server that is about to start. It lies below the ports that the kernel
 * gives to outgoing connections, so that none of these takes it before the server does. It is ours
 * until this process ends: other tests see it by an abstract socket of that name and take another.
 */
#ifndef DEIS_TESTS_PORT_H
#define DEIS_TESTS_PORT_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TEST_PORT_FIRST = 10000, TEST_PORT_COUNT = 20000, TEST_PORT_TRIES = 1000 };

/* The descriptor stays open: that is the claim. tests/integration/router/rig.py does the same. */
static inline int test_port_claim(uint16_t port)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int len = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "deis-test-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int code = bind(fd, (const struct sockaddr *)&a,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len));

    if (code < 0) {
        close(fd);
    }
    return code;
}

/* Ends the test program when there is none. */
static inline uint16_t test_free_port(void)
{
    for (int i = 0; i < TEST_PORT_TRIES; i++) {
        uint16_t random = 0;
        if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
            break;
        }
        uint16_t port = (uint16_t)(TEST_PORT_FIRST + random % TEST_PORT_COUNT);
        struct sockaddr_in a = { .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr = { htonl(INADDR_LOOPBACK) } };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int code = bind(fd, (const struct sockaddr *)&a, sizeof(a));
        close(fd);
        if (code == 0 && test_port_claim(port) == 0) {
            return port;
        }
    }
    fputs("test support: no free port\n", stderr);
    abort();
}

#endif
