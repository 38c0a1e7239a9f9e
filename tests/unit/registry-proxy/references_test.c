/* SPDX-License-Identifier: MIT */
#include "registry-proxy/core/references.h"
#include "tests/support/test.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct references *of(const char *image, const char *sha)
{
    struct references *r = references_new();
    deis_autojson json_t *build = json_pack("{s:s, s:s}", "image", image, "sha", sha);

    references_add_build(r, build);
    return r;
}

static void names_tag(const char *image, const char *sha, const char *tag)
{
    struct references *r = of(image, sha);

    if (!references_name_tag(r, deis_str(tag))) {
        fail_msg("'%s' with sha '%s' does not name '%s'", image, sha, tag);
    }
    assert_false(references_name_tag(r, DEIS_STR("other")));
    references_free(r);
}

static void references__are_digests_and_tags(void **state)
{
    struct references *r = of("127.0.0.1:5555/blog@sha256:" HEX_A, "0123456789");

    assert_true(references_name_digest(r, DEIS_STR(HEX_A)));
    assert_false(references_name_tag(r, DEIS_STR("git-01234567")));
    references_free(r);
    names_tag("127.0.0.1:5555/blog:v1", "", "v1");
    names_tag("127.0.0.1:5555/blog", "", "latest");
    names_tag("127.0.0.1:5555/blog", "0123456789", "git-01234567");
    names_tag("blog", "0123", "git-0123");
    names_tag("blog:x", "0123", "x");
}

static void references__odd_documents_name_nothing(void **state)
{
    deis_autojson json_t *odd = json_pack("{s:[], s:i}", "image", "sha", 7);
    struct references *r = of("blog@sha256:00", "");

    references_add_build(r, odd);
    assert_false(references_name_digest(r, DEIS_STR("00")));
    references_add_digest(r, DEIS_STR(HEX_A));
    assert_true(references_name_digest(r, DEIS_STR(HEX_A)));
    references_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references__are_digests_and_tags),
        cmocka_unit_test(references__odd_documents_name_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
