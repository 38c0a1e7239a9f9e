/* SPDX-License-Identifier: MIT */
#include "builder/core/image_keep.h"
#include "tests/support/test.h"

static json_t *parse(const char *text)
{
    struct deis_err err = DEIS_ERR_INIT;
    json_t *value = deis_json_parse(deis_str(text), &err);

    assert_non_null(value);
    return value;
}

static void check(json_t *got, const char *wanted)
{
    deis_autofree char *text = deis_json_dump(got);

    assert_string_equal(text, wanted);
    json_decref(got);
}

static const char BUILDS[] = "{\"a\":{\"image\":\"r/x@1\"},\"b\":{\"image\":\"r/x@2\"},"
                             "\"c\":{\"image\":\"r/x@3\"},\"odd\":{\"image\":7}}";

static void newest__counts_different_images(void **state)
{
    deis_autojson json_t *builds = parse(BUILDS);
    deis_autojson json_t *releases =
        parse("[{\"build\":null},{\"build\":\"a\"},{\"build\":\"b\"},{\"build\":\"b\"},"
              "{\"build\":\"a\"},{\"build\":\"c\"},{\"build\":\"c\"}]");

    check(image_keep_newest(releases, builds, 1), "[\"r/x@3\"]");
    check(image_keep_newest(releases, builds, 2), "[\"r/x@3\",\"r/x@1\"]");
    check(image_keep_newest(releases, builds, 9), "[\"r/x@3\",\"r/x@1\",\"r/x@2\"]");
    check(image_keep_newest(releases, builds, 0), "[]");
}

static void newest__passes_over_what_is_odd(void **state)
{
    deis_autojson json_t *builds = parse(BUILDS);
    deis_autojson json_t *releases =
        parse("[{\"build\":\"a\"},{\"build\":\"odd\"},{\"build\":\"none\"},7,{\"build\":3}]");

    check(image_keep_newest(releases, builds, 2), "[\"r/x@1\"]");
}

static void spent__are_those_without_a_kept_name(void **state)
{
    deis_autojson json_t *kept = parse("[\"r/x@3\",\"r/x@1\",null]");
    deis_autojson json_t *images =
        parse("[{\"Id\":\"1\",\"RepoDigests\":[\"other/x@1\",\"r/x@1\"]},"
              "{\"Id\":\"2\",\"RepoDigests\":[\"r/x@2\"]},{\"Id\":\"4\",\"RepoDigests\":null},"
              "{\"Id\":\"3\",\"RepoDigests\":[\"r/x@3\"]}]");

    check(image_keep_spent(images, kept),
          "[{\"Id\":\"2\",\"RepoDigests\":[\"r/x@2\"]},{\"Id\":\"4\",\"RepoDigests\":null}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest__counts_different_images),
        cmocka_unit_test(newest__passes_over_what_is_odd),
        cmocka_unit_test(spent__are_those_without_a_kept_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
