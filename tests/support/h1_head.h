/* SPDX-License-Identifier: MIT */
/* Heads of HTTP/1.1 for tests of what is read out of them. */
#ifndef DEIS_TESTS_H1_HEAD_H
#define DEIS_TESTS_H1_HEAD_H

#include "tests/support/test.h"

#include "lib/wire/h1.h"

/* The head of a request that is good. Its views point into text. */
static inline struct deis_h1_head h1_request_head(const char *text)
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    struct deis_h1_head head;
    size_t scanned = 0;
    size_t used;
    int status;

    assert_int_equal(
        deis_h1_parse_request(deis_str(text), &limits, &scanned, &head, &used, &status, NULL),
        DEIS_H1_DONE);
    return head;
}

#endif
