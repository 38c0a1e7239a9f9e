/* SPDX-License-Identifier: MIT */
#include "builder/core/image_name.h"
#include "tests/support/test.h"

#include "lib/base/str.h"

static void is_called(const char *reference, const char *expected)
{
    deis_autofree char *name = image_full_name(reference);

    assert_string_equal(name, expected);
}

static void image_name__is_what_the_engine_makes_of_it(void **state)
{
    is_called("node", "docker.io/library/node:latest");
    is_called("node:18", "docker.io/library/node:18");
    is_called("node@sha256:00", "docker.io/library/node@sha256:00");
    is_called("acme/node", "docker.io/acme/node:latest");
    is_called("acme/a/node:1", "docker.io/acme/a/node:1");
    is_called("localhost/node", "localhost/node:latest");
    is_called("example.com/node:1@sha256:00", "example.com/node:1@sha256:00");
    is_called("127.0.0.1:5555/node", "127.0.0.1:5555/node:latest");
    is_called("docker.io/node", "docker.io/node:latest");
}

static void image_name__is_never_an_id(void **state)
{
    is_called("3f", "docker.io/library/3f:latest");
    is_called("sha256:3f", "docker.io/library/sha256:3f");
    assert_null(image_full_name("acme/"));
    assert_null(image_full_name(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_name__is_what_the_engine_makes_of_it),
        cmocka_unit_test(image_name__is_never_an_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
