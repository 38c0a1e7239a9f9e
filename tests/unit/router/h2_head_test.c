/* SPDX-License-Identifier: MIT */
#include "router/core/h2_head.h"
#include "tests/support/test.h"

static struct h2_head head;
static char text[H2_HEAD_MAX];

/* fields: name and value by turns, NULL at the end. Returns the text, or NULL. */
static const char *head_of(const char *const *fields, int64_t body)
{
    memset(&head, 0, sizeof(head));
    for (size_t i = 0; fields[i]; i += 2) {
        h2_head_add(&head, text, deis_str(fields[i]), deis_str(fields[i + 1]));
    }
    if (!h2_head_finish(&head, text, body, DEIS_STR("dGhlIHNhbXBsZSBub25jZQ=="))) {
        assert_int_not_equal(head.status, 0);
        return NULL;
    }
    text[head.len] = '\0';
    return text;
}

#define USUAL ":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/x?y"
#define LINE  "GET /x?y HTTP/1.1\r\nhost: a.test\r\n"

static void head__becomes_text(void **state)
{
    static const struct {
        const char *fields[20];
        int64_t body;
        const char *text;
    } cases[] = {
        { { USUAL }, 0, LINE "\r\n" },
        { { ":path", "/x?y", ":authority", "a.test", ":scheme", "http", ":method", "GET" },
          0,
          LINE "\r\n" },
        { { USUAL, "accept", "*/*", "x-empty", "" }, 0, LINE "accept: */*\r\nx-empty: \r\n\r\n" },
        /* Without :authority the Host field says it all. */
        { { ":method", "GET", ":scheme", "https", ":path", "/", "host", "b.test" },
          0,
          "GET / HTTP/1.1\r\nhost: b.test\r\n\r\n" },
        { { USUAL, "host", "A.test" }, 0, LINE "\r\n" },
        { { ":method", "OPTIONS", ":scheme", "https", ":authority", "a", ":path", "*" },
          0,
          "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n" },
        { { USUAL, "te", "trailers" }, 0, LINE "te: trailers\r\n\r\n" },
        /* A length that is known is told. */
        { { USUAL }, 5, LINE "content-length: 5\r\n\r\n" },
        { { USUAL }, -1, LINE "\r\n" },
        { { USUAL, "content-length", "7" }, 7, LINE "content-length: 7\r\n\r\n" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        const char *got = head_of(cases[i].fields, cases[i].body);
        assert_non_null(got);
        assert_string_equal(got, cases[i].text);
    }
}

#define WEBSOCKET                                                                                  \
    ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a.test",    \
        ":path", "/ws"

static void websocket__becomes_an_upgrade(void **state)
{
    static const char *const fields[] = { WEBSOCKET,           "sec-websocket-version", "13",
                                          "sec-websocket-key", "of the client's",       NULL };
    static const char *const with_length[] = { WEBSOCKET, "content-length", "0", NULL };
    static const char *const with_get[] = { USUAL, NULL };

    /* Whatever has come of its body belongs to what follows the handshake. */
    assert_string_equal(head_of(fields, 5), "GET /ws HTTP/1.1\r\nhost: a.test\r\n"
                                            "sec-websocket-version: 13\r\n"
                                            "connection: upgrade\r\nupgrade: websocket\r\n"
                                            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    assert_true(head.websocket);
    assert_null(head_of(with_length, 0));
    assert_int_equal(head.status, 400);
    assert_non_null(head_of(with_get, 0));
    assert_false(head.websocket);
}

static void cookies__are_joined(void **state)
{
    static const char *const side_by_side[] = { USUAL,    "cookie", "a=1",    "cookie", "b=2",
                                                "cookie", "",       "accept", "*/*",    NULL };
    static const char *const apart[] = { USUAL,    "cookie", "a=1", "accept", "*/*",
                                         "cookie", "b=2",    "x",   "y",      NULL };

    assert_string_equal(head_of(side_by_side, 0), LINE "cookie: a=1; b=2; \r\naccept: */*\r\n\r\n");
    assert_string_equal(head_of(apart, 0), LINE "cookie: a=1; b=2\r\naccept: */*\r\nx: y\r\n\r\n");
}

static void head__that_is_malformed_is_refused(void **state)
{
    static const struct {
        const char *fields[20];
        int status;
    } cases[] = {
        { { ":method", "GET", ":scheme", "https", ":authority", "a" }, 400 },
        { { ":scheme", "https", ":authority", "a", ":path", "/" }, 400 },
        { { ":method", "GET", ":authority", "a", ":path", "/" }, 400 },
        { { ":method", "GET", ":scheme", "ftp", ":authority", "a", ":path", "/" }, 400 },
        { { ":method", "GET", ":scheme", "https", ":authority", "a", ":path", "" }, 400 },
        { { ":method", "GET", ":scheme", "https", ":authority", "a", ":path", "x" }, 400 },
        { { ":method", "GET", ":scheme", "https", ":authority", "a", ":path", "http://b/" }, 400 },
        { { ":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/ HTTP/1.1" }, 400 },
        { { ":method", "GET /evil HTTP/1.1\r\nx:", ":scheme", "https", ":authority", "a", ":path",
            "/" },
          400 },
        { { ":method", "GET", ":scheme", "https", ":authority", "a\r\nx: y", ":path", "/" }, 400 },
        { { USUAL, ":path", "/again" }, 400 },
        { { USUAL, "accept", "x", ":path", "/late" }, 400 },
        { { USUAL, ":status", "200" }, 400 },
        { { USUAL, ":protocol", "websocket" }, 400 },
        { { ":method", "CONNECT", ":authority", "a:1" }, 501 },
        { { ":method", "CONNECT", ":protocol", "connect-udp", ":scheme", "https", ":authority", "a",
            ":path", "/" },
          501 },
        { { ":method", "CONNECT", ":protocol", "websocket", ":authority", "a:1" }, 400 },
        { { ":protocol", "websocket", ":scheme", "https", ":authority", "a", ":path", "/" }, 400 },
        { { WEBSOCKET, ":protocol", "websocket" }, 400 },
        { { USUAL, "Accept", "x" }, 400 },
        { { USUAL, "a:b", "x" }, 400 },
        { { USUAL, "", "x" }, 400 },
        { { USUAL, "a\r\nb", "x" }, 400 },
        { { USUAL, "a", "x\r\nb: c" }, 400 },
        { { USUAL, "a", "x\n" }, 400 },
        { { USUAL, "connection", "close" }, 400 },
        { { USUAL, "keep-alive", "1" }, 400 },
        { { USUAL, "proxy-connection", "close" }, 400 },
        { { USUAL, "transfer-encoding", "chunked" }, 400 },
        { { USUAL, "upgrade", "h2c" }, 400 },
        { { USUAL, "te", "gzip" }, 400 },
        { { USUAL, "host", "b.test" }, 400 },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        assert_null(head_of(cases[i].fields, 0));
        assert_int_equal(head.status, cases[i].status);
    }
}

static void nul__ends_no_value(void **state)
{
    static const char *const fields[] = { USUAL, NULL };

    (void)head_of(fields, 0);
    memset(&head, 0, sizeof(head));
    for (size_t i = 0; fields[i]; i += 2) {
        h2_head_add(&head, text, deis_str(fields[i]), deis_str(fields[i + 1]));
    }
    h2_head_add(&head, text, DEIS_STR("a"), deis_str_n("b\0c", 3));
    assert_int_equal(head.status, 400);
}

static void fill(size_t count, size_t value_len)
{
    static const char *const fields[] = { USUAL, NULL };
    deis_autofree char *value = deis_alloc(value_len + 1);

    memset(value, 'v', value_len);
    memset(&head, 0, sizeof(head));
    for (size_t i = 0; fields[i]; i += 2) {
        h2_head_add(&head, text, deis_str(fields[i]), deis_str(fields[i + 1]));
    }
    for (size_t i = 0; i < count; i++) {
        h2_head_add(&head, text, DEIS_STR("name"), deis_str_n(value, value_len));
    }
}

static void head__has_limits(void **state)
{
    char path[H2_HEAD_MAX + 1];

    fill(DEIS_H1_MAX_HEADERS, 1);
    assert_int_equal(head.status, 0);
    fill(DEIS_H1_MAX_HEADERS + 1, 1);
    assert_int_equal(head.status, 431);
    fill(7, 4096);
    assert_int_equal(head.status, 0);
    fill(8, 4096);
    assert_int_equal(head.status, 431);
    assert_true(head.len <= H2_HEAD_MAX);

    memset(path, '/', sizeof(path));
    memset(&head, 0, sizeof(head));
    h2_head_add(&head, text, DEIS_STR(":path"), deis_str_n(path, sizeof(path)));
    assert_int_equal(head.status, 414);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head__becomes_text),  cmocka_unit_test(websocket__becomes_an_upgrade),
        cmocka_unit_test(cookies__are_joined), cmocka_unit_test(head__that_is_malformed_is_refused),
        cmocka_unit_test(nul__ends_no_value),  cmocka_unit_test(head__has_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
