/* SPDX-License-Identifier: MIT */
#include "registry-proxy/core/route.h"
#include "tests/support/test.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void route__paths_address_what_the_api_says(void **state)
{
    static const struct {
        const char *path;
        enum registry_route want;
        const char *name;
    } cases[] = {
        { "/v2/", REGISTRY_BASE, "" },
        { "/v2", REGISTRY_BASE, "" },
        { "/healthz", REGISTRY_HEALTH, "" },
        { "/v2/_catalog", REGISTRY_CATALOG, "" },
        { "/v2/blog/tags/list", REGISTRY_TAGS, "blog" },
        { "/v2/base/node/tags/list", REGISTRY_TAGS, "base/node" },
        { "/v2/blog/manifests/git-1a2b3c4d", REGISTRY_MANIFEST, "blog" },
        { "/v2/blog/manifests/" DIGEST, REGISTRY_MANIFEST, "blog" },
        { "/v2/blog/blobs/" DIGEST, REGISTRY_BLOB, "blog" },
        { "/v2/blog/blobs/uploads/", REGISTRY_UPLOADS, "blog" },
        { "/v2/blog/blobs/uploads", REGISTRY_UPLOADS, "blog" },
        { "/v2/blog/blobs/uploads/0123456789abcdef0123456789abcdef", REGISTRY_UPLOAD, "blog" },
        { "/v2/tags/tags/list", REGISTRY_TAGS, "tags" },
        { "/v2/manifests/manifests/v1", REGISTRY_MANIFEST, "manifests" },
        { "/v2/blog/manifests/", REGISTRY_BAD_NAME, NULL },
        { "/v2/blog/manifests/..", REGISTRY_BAD_NAME, NULL },
        { "/v2/../etc/manifests/v1", REGISTRY_BAD_NAME, NULL },
        { "/v2/a/../b/tags/list", REGISTRY_BAD_NAME, NULL },
        { "/v2/_tags/tags/list", REGISTRY_BAD_NAME, NULL },
        { "/v2/Blog/tags/list", REGISTRY_BAD_NAME, NULL },
        { "/v2/a//b/tags/list", REGISTRY_BAD_NAME, NULL },
        { "/v2/blog%2f..%2f/tags/list", REGISTRY_BAD_NAME, NULL },
        { "/v2/blog/blobs/sha256:short", REGISTRY_BAD_NAME, NULL },
        { "/v2/blog/blobs/md5:0123456789abcdef0123456789abcdef", REGISTRY_BAD_NAME, NULL },
        { "/v2/blog/blobs/uploads/../../x", REGISTRY_BAD_NAME, NULL },
        { "/v1/blog", REGISTRY_NONE, NULL },
        { "/v2/blog", REGISTRY_NONE, NULL },
        { "", REGISTRY_NONE, NULL },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct registry_target t = registry_route_parse(deis_str(cases[i].path));
        if (t.route != cases[i].want) {
            fail_msg("%s: route %d, not %d", cases[i].path, t.route, cases[i].want);
        }
        if (cases[i].name) {
            assert_true(deis_str_eq_cstr(t.name, cases[i].name));
        }
    }
}

static void route__names_follow_the_distribution_spec(void **state)
{
    static const char *const good[] = { "a", "blog", "a-b", "a--b", "a_b", "a__b", "a.b", "a/b/c" };
    static const char *const bad[] = { "",     "A",   "-a",   "a-",   "a..b",  "a___b",
                                       "a._b", "a/",  "/a",   "a//b", ".",     "..",
                                       "a b",  "a\n", "a%2e", "a:b",  "a/../b" };

    for (size_t i = 0; i < DEIS_COUNT(good); i++) {
        assert_true(registry_is_name(deis_str(good[i])));
    }
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        if (registry_is_name(deis_str(bad[i]))) {
            fail_msg("'%s' was taken", bad[i]);
        }
    }
    assert_false(registry_is_name(deis_str_n("a\0b", 3)));
}

static void route__tags_and_digests(void **state)
{
    assert_true(registry_is_tag(DEIS_STR("v1.2_3-x")));
    assert_false(registry_is_tag(DEIS_STR(".hidden")));
    assert_false(registry_is_tag(DEIS_STR("-x")));
    assert_false(registry_is_tag(DEIS_STR("a/b")));
    assert_false(registry_is_tag(DEIS_STR("")));
    assert_true(registry_is_digest(DEIS_STR(DIGEST)));
    assert_false(registry_is_digest(DEIS_STR(DIGEST "0")));
    assert_false(registry_is_digest(
        DEIS_STR("sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef")));
}

static void route__a_host_is_an_address(void **state)
{
    static const char *const good[] = { "127.0.0.1:5555", "localhost:5555", "localhost",
                                        "10.0.0.7:5000",  "[::1]:5555",     "[::1]" };
    static const char *const bad[] = { "",
                                       "lvh.me:5555",
                                       "0x7f.1:5555",
                                       "127.1:5555",
                                       "2130706433:5555",
                                       "127.0.0.1.nip.io:5555",
                                       "[::1",
                                       ":5555" };

    for (size_t i = 0; i < DEIS_COUNT(good); i++) {
        assert_true(registry_host_fits(deis_str(good[i])));
    }
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        if (registry_host_fits(deis_str(bad[i]))) {
            fail_msg("'%s' was taken", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route__paths_address_what_the_api_says),
        cmocka_unit_test(route__names_follow_the_distribution_spec),
        cmocka_unit_test(route__tags_and_digests),
        cmocka_unit_test(route__a_host_is_an_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
