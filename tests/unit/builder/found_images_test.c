/* SPDX-License-Identifier: MIT */
#include "builder/core/found_images.h"
#include "tests/support/test.h"

#define ID "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void is_shown(const char *text, const char *expected)
{
    struct found_images f = { 0 };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(4096);

    found_images_add(&f, "node:18", ID);
    assert_string_equal(found_images_id(&f, "node:18"), ID);
    assert_null(found_images_id(&f, "node"));
    found_images_show(&f, deis_str(text), &out);
    assert_string_equal(out.data, expected);
    found_images_clear(&f);
    assert_int_equal(f.count, 0);
}

static void found_images__have_their_names_again(void **state)
{
    is_shown("Step 1/9 : FROM " ID " AS stage.Web", "Step 1/9 : FROM node:18 AS Web");
    is_shown("Step 2/9 : copy --from=stage.web --chown=1 /a /b\n",
             "Step 2/9 : copy --from=web --chown=1 /a /b\n");
    is_shown("Step 2/9 : COPY --from=" ID " /a /b", "Step 2/9 : COPY --from=node:18 /a /b");
}

static void found_images__leave_all_else_as_it_is(void **state)
{
    static const char *const same[] = {
        "",
        "Step 3/9 : RUN echo stage.web " ID,
        "a step : FROM stage.web",
        ID,
        "Step 3/9",
        " ---> 0123456789ab",
    };

    for (size_t i = 0; i < DEIS_COUNT(same); i++) {
        is_shown(same[i], same[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_images__have_their_names_again),
        cmocka_unit_test(found_images__leave_all_else_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
