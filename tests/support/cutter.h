/* SPDX-License-Identifier: MIT */
/* A relay before a server of loopback that breaks a connection in the middle of an answer, on a
 * thread of its own. Failures end the test. */
#ifndef DEIS_TESTS_CUTTER_H
#define DEIS_TESTS_CUTTER_H

#include <stdint.h>

struct test_cutter;

struct test_cutter *test_cutter_start(uint16_t to);
uint16_t test_cutter_port(const struct test_cutter *c);
/* Of the next piece of an answer that holds the text only the first half is let through, and the
 * connection closed. */
void test_cutter_arm(struct test_cutter *c, const char *text);
unsigned test_cutter_cuts(const struct test_cutter *c);
void test_cutter_stop(struct test_cutter *c);

#endif
