/* SPDX-License-Identifier: MIT */
#include "router/core/websocket.h"
#include "tests/support/test.h"

static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;

/* Does the answer with these lines accept a key as RFC 6455 section 1.3 has it? */
static bool is_accepted(const char *lines)
{
    deis_autofree char *text =
        deis_asprintf("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n%s\r\n", lines);
    static struct deis_h1_head request, answer;
    size_t scanned = 0;
    size_t used;
    int status;

    assert_int_equal(deis_h1_parse_request(DEIS_STR("GET /ws HTTP/1.1\r\nHost: a\r\n"
                                                    "sec-websocket-key: "
                                                    "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
                                           &limits, &scanned, &request, &used, &status, NULL),
                     DEIS_H1_DONE);
    scanned = 0;
    assert_int_equal(deis_h1_parse_response(deis_str(text), DEIS_STR("GET"), &limits, &scanned,
                                            &answer, &used, NULL),
                     DEIS_H1_DONE);
    return websocket_is_accepted(&request, &answer);
}

static void accept__has_to_fit_the_key(void **state)
{
#define GOOD "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    assert_true(is_accepted("Upgrade: websocket\r\n" GOOD));
    assert_true(is_accepted("Upgrade: WebSocket\r\n" GOOD));
    assert_false(is_accepted("Upgrade: websocket\r\n"));
    assert_false(is_accepted("Upgrade: other\r\n" GOOD));
    assert_false(is_accepted(GOOD));
    assert_false(is_accepted("Upgrade: websocket\r\nSec-WebSocket-Accept: \r\n"));
    assert_false(is_accepted("Upgrade: websocket\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n"));
}

/* What grants a request with these lines; NULL: it is no opening handshake. */
static const char *accept_of(const char *lines)
{
    deis_autofree char *text = deis_asprintf("GET /ws HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
    static char accept[WEBSOCKET_ACCEPT_LEN + 1];
    static struct deis_h1_head request;
    size_t scanned = 0;
    size_t used;
    int status;

    assert_int_equal(
        deis_h1_parse_request(deis_str(text), &limits, &scanned, &request, &used, &status, NULL),
        DEIS_H1_DONE);
    return websocket_accept(&request, accept) ? accept : NULL;
}

static void accept__is_made_from_a_key_of_its_length(void **state)
{
    assert_string_equal(accept_of("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
                        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_null(accept_of(""));
    assert_null(accept_of("Sec-WebSocket-Key: \r\n"));
    assert_null(accept_of("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n"));
    assert_null(accept_of("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n"));
}

static void key__is_16_bytes_in_base64(void **state)
{
    const uint64_t random[2] = { 0, UINT64_MAX };
    char key[WEBSOCKET_KEY_LEN + 1];

    websocket_key(random, key);
    assert_string_equal(key, "AAAAAAAAAAD//////////w==");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept__has_to_fit_the_key),
        cmocka_unit_test(accept__is_made_from_a_key_of_its_length),
        cmocka_unit_test(key__is_16_bytes_in_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
