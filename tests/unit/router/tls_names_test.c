/* SPDX-License-Identifier: MIT */
#include "router/core/tls_names.h"
#include "tests/support/test.h"

static void pick__prefers_the_nearest(void **state)
{
    static const struct {
        const char *host;
        int64_t expected;
    } cases[] = {
        { "www.blog.test", 0 },
        { "WWW.Blog.Test", 0 },
        { "www.blog.test.", 0 },
        { "a.blog.test", 1 },
        { "a.b.blog.test", TLS_NAMES_NONE },
        { "blog.test", TLS_NAMES_NONE },
        { "xblog.test", TLS_NAMES_NONE },
        { "shop.example.com", TLS_NAMES_PLATFORM }, /* although somebody has one for it */
        { "blog.example.com", TLS_NAMES_PLATFORM },
        { "a.blog.example.com", 3 },
        { "example.com", TLS_NAMES_NONE }, /* the wildcard does not cover it */
        { "also.test", TLS_NAMES_PLATFORM },
        { "taken.test", 4 }, /* not below the platform's domain: the owner's own */
        { "", TLS_NAMES_PLATFORM },
        { "127.0.0.1", TLS_NAMES_PLATFORM },
        { "::1", TLS_NAMES_PLATFORM },
        { "*.blog.test", TLS_NAMES_NONE },
        { "www.blog.test:443", TLS_NAMES_NONE },
        { ".blog.test", TLS_NAMES_NONE },
        { "a..blog.test", TLS_NAMES_NONE },
        { "a b.blog.test", TLS_NAMES_NONE },
        { "localhost", TLS_NAMES_NONE },
        { ".", TLS_NAMES_NONE },
    };
    struct tls_names *n = tls_names_new("Example.com", 8);

    assert_true(tls_names_add(n, DEIS_STR("www.Blog.test"), 0));
    assert_true(tls_names_add(n, DEIS_STR("*.blog.test"), 1));
    assert_true(tls_names_add(n, DEIS_STR("shop.example.com"), 2));
    assert_true(tls_names_add(n, DEIS_STR("*.blog.example.com"), 3));
    assert_true(tls_names_add(n, DEIS_STR("taken.test"), 4));
    assert_true(tls_names_add_platform(n, DEIS_STR("*.example.com")));
    assert_true(tls_names_add_platform(n, DEIS_STR("also.test")));
    assert_true(tls_names_add_platform(n, DEIS_STR("taken.test")));
    tls_names_set_default(n);
    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        assert_int_equal(tls_names_pick(n, deis_str(cases[i].host)), cases[i].expected);
    }
    char longest[300];
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(tls_names_pick(n, deis_str_n(longest, sizeof(longest))), TLS_NAMES_NONE);
    tls_names_free(n);
}

static void copy__is_changed_alone(void **state)
{
    struct tls_names *a = tls_names_new("", 1);

    assert_true(tls_names_add(a, DEIS_STR("a.test"), 1));
    struct tls_names *b = tls_names_copy(a);
    tls_names_remove(b, DEIS_STR("A.test"));
    tls_names_remove(b, DEIS_STR("no name"));
    assert_true(tls_names_add(b, DEIS_STR("b.test"), 2));
    assert_int_equal(tls_names_pick(a, DEIS_STR("a.test")), 1);
    assert_int_equal(tls_names_pick(a, DEIS_STR("b.test")), TLS_NAMES_NONE);
    assert_int_equal(tls_names_pick(b, DEIS_STR("a.test")), TLS_NAMES_NONE);
    assert_int_equal(tls_names_pick(b, DEIS_STR("b.test")), 2);
    tls_names_free(a);
    assert_int_equal(tls_names_pick(b, DEIS_STR("b.test")), 2);
    tls_names_free(b);
}

static void plain__names_are_written_as_they_are_looked_up(void **state)
{
    assert_true(tls_names_is_plain(DEIS_STR("a.test")));
    assert_true(tls_names_is_plain(DEIS_STR("*.a.test")));
    assert_true(tls_names_is_plain(DEIS_STR("no name"))); /* nothing else stands for it either */
    assert_false(tls_names_is_plain(DEIS_STR("A.test")));
    assert_false(tls_names_is_plain(DEIS_STR("a.test.")));
}

static void pick__finds_nothing_in_nothing(void **state)
{
    struct tls_names *n = tls_names_new("", 0);

    assert_int_equal(tls_names_pick(n, DEIS_STR("")), TLS_NAMES_NONE);
    assert_int_equal(tls_names_pick(n, DEIS_STR("10.0.0.1")), TLS_NAMES_NONE);
    assert_int_equal(tls_names_pick(n, DEIS_STR("a.test")), TLS_NAMES_NONE);
    tls_names_free(n);
}

static void add__takes_names_of_hosts_once(void **state)
{
    static const char *const bad[] = { "",      "*",     "*.",         "a.*.test", "a*.test",
                                       "*.*.a", "a:443", "a..b",       ".a",       "a b",
                                       "a/b",   "a\"b",  "\xc3\xa4.b", "*.a.",     "A.test" };
    struct tls_names *n = tls_names_new("", 0);

    assert_true(tls_names_add(n, DEIS_STR("a.test"), 0));
    assert_true(tls_names_add(n, DEIS_STR("*.a"), 0));
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_false(tls_names_add(n, deis_str(bad[i]), 1));
    }
    assert_false(tls_names_add(n, deis_str_n("a\0b", 3), 1));
    tls_names_free(n);
}

#define SNI(bytes) (const uint8_t *)("" bytes), sizeof(bytes) - 1

static void sni__is_read_strictly(void **state)
{
    static const struct {
        const uint8_t *data;
        size_t len;
        const char *expected; /* NULL: malformed; "": no host name */
    } cases[] = {
        { SNI("\0\6\0\0\3a.b"), "a.b" },
        { SNI("\0\0"), "" },
        { SNI("\0\5\1\0\2xx"), "" },
        { SNI("\0\x0b\1\0\2xx\0\0\3a.b"), "a.b" },
        { SNI(""), NULL },
        { SNI("\0"), NULL },
        { SNI("\0\7\0\0\3a.b"), NULL },        /* the list is too long */
        { SNI("\0\5\0\0\3a.b"), NULL },        /* bytes behind the list */
        { SNI("\0\6\0\0\4a.b"), NULL },        /* the name is too long */
        { SNI("\0\6\0\0\2a.b"), NULL },        /* half an entry behind it */
        { SNI("\0\3\0\0\0"), NULL },           /* an empty name */
        { SNI("\0\6\0\0\3a\0b"), NULL },       /* NUL */
        { SNI("\0\x08\0\0\1a\0\0\1b"), NULL }, /* two hosts */
        { SNI("\0\1\0"), NULL },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_str host;
        bool ok = tls_names_parse_sni(cases[i].data, cases[i].len, &host);
        assert_int_equal(ok, cases[i].expected != NULL);
        if (ok) {
            assert_true(deis_str_eq_cstr(host, cases[i].expected));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pick__prefers_the_nearest),
        cmocka_unit_test(pick__finds_nothing_in_nothing),
        cmocka_unit_test(copy__is_changed_alone),
        cmocka_unit_test(plain__names_are_written_as_they_are_looked_up),
        cmocka_unit_test(add__takes_names_of_hosts_once),
        cmocka_unit_test(sni__is_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
