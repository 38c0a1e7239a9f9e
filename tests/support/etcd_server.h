/* SPDX-License-Identifier: MIT */
/* An etcd of the test's own: one member on loopback, data in a temporary folder. Failures end the
 * test. */
#ifndef DEIS_TESTS_ETCD_SERVER_H
#define DEIS_TESTS_ETCD_SERVER_H

#include "tests/support/port.h"

#include "lib/net/httpc.h"

#include <sys/types.h>

struct test_etcd {
    pid_t pid; /* 0: not running */
    char dir[64];
    uint16_t port;
    uint16_t peer_port;
    char url[64];  /* of the port that it was set up with */
    char cert[96]; /* empty: plain HTTP; else clients need this certificate and its key, too */
    char key[96];
};

/* false, with the reason printed as "SKIP <test>: ...", when this machine has no etcd. */
bool test_etcd_installed(const char *test);
void test_etcd_init(struct test_etcd *s);
/* The same with TLS: a certificate that is its own authority. false when openssl is not installed.
 */
bool test_etcd_init_tls(struct test_etcd *s);
/* Start on s->port (or on another, for clients that others shall not see) and wait until it
 * answers. */
void test_etcd_start(struct test_etcd *s);
void test_etcd_start_on(struct test_etcd *s, uint16_t port);
void test_etcd_kill(struct test_etcd *s);   /* SIGKILL, and wait */
void test_etcd_freeze(struct test_etcd *s); /* it takes connections and says nothing */
void test_etcd_thaw(struct test_etcd *s);
void test_etcd_clear(struct test_etcd *s); /* kill, and remove the folder */
/* What a client needs; valid as long as s. */
struct deis_httpc_tls test_etcd_tls(const struct test_etcd *s);

#endif
