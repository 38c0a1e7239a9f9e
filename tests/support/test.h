/* SPDX-License-Identifier: MIT */
/* cmocka with the includes that it needs, in the right order. */
#ifndef DEIS_TESTS_TEST_H
#define DEIS_TESTS_TEST_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#endif
