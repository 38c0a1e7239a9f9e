/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/wire/h1.h"

static const struct deis_h1_limits limits = { .head_max = 1024, .target_max = 1024 };

static enum deis_h1_result parse(struct deis_str input, const char *method,
                                 struct deis_h1_head *head)
{
    struct deis_err err = DEIS_ERR_INIT;
    size_t scanned = 0;
    size_t used = 0;
    return deis_h1_parse_response(input, deis_str(method), &limits, &scanned, head, &used, &err);
}

/* The same bytes one by one, as a socket may give them. */
static enum deis_h1_result parse_bytewise(struct deis_str input, const char *method,
                                          struct deis_h1_head *head)
{
    struct deis_err err = DEIS_ERR_INIT;
    size_t scanned = 0;
    size_t used = 0;
    enum deis_h1_result result = DEIS_H1_MORE;
    for (size_t n = 0; n <= input.len && result == DEIS_H1_MORE; n++) {
        result = deis_h1_parse_response(deis_str_first(input, n), deis_str(method), &limits,
                                        &scanned, head, &used, &err);
    }
    return result;
}

static const struct {
    const char *name;
    struct deis_str raw;
    const char *method;
    enum deis_h1_result result;
    enum deis_h1_framing framing;
    uint64_t length;
    bool keep_alive;
} rows[] = {

#define OK "HTTP/1.1 200 OK\r\n"
    { "length", DEIS_STR(OK "Content-Length: 5\r\n\r\n"), "GET", DEIS_H1_DONE, DEIS_H1_LENGTH, 5,
      true },
    { "zero length", DEIS_STR(OK "Content-Length: 0\r\n\r\n"), "GET", DEIS_H1_DONE, DEIS_H1_NO_BODY,
      0, true },
    { "chunked", DEIS_STR(OK "Transfer-Encoding: chunked\r\n\r\n"), "GET", DEIS_H1_DONE,
      DEIS_H1_CHUNKED, 0, true },
    { "until close", DEIS_STR(OK "\r\n"), "GET", DEIS_H1_DONE, DEIS_H1_UNTIL_CLOSE, 0, false },
    { "close", DEIS_STR(OK "Content-Length: 5\r\nConnection: close\r\n\r\n"), "GET", DEIS_H1_DONE,
      DEIS_H1_LENGTH, 5, false },
    { "HTTP/1.0", DEIS_STR("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), "GET", DEIS_H1_DONE,
      DEIS_H1_LENGTH, 5, false },
    { "HEAD with length", DEIS_STR(OK "Content-Length: 5\r\n\r\n"), "HEAD", DEIS_H1_DONE,
      DEIS_H1_NO_BODY, 5, true },
    { "HEAD chunked", DEIS_STR(OK "Transfer-Encoding: chunked\r\n\r\n"), "HEAD", DEIS_H1_DONE,
      DEIS_H1_NO_BODY, 0, true },
    { "HEAD, nothing said", DEIS_STR(OK "\r\n"), "HEAD", DEIS_H1_DONE, DEIS_H1_NO_BODY, 0, true },
    { "304 with length", DEIS_STR("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), "GET",
      DEIS_H1_DONE, DEIS_H1_NO_BODY, 5, true },
    { "204", DEIS_STR("HTTP/1.1 204 No Content\r\n\r\n"), "GET", DEIS_H1_DONE, DEIS_H1_NO_BODY, 0,
      true },
    { "204 with a body", DEIS_STR("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), "GET",
      DEIS_H1_DONE, DEIS_H1_NO_BODY, 5, false },
    { "100", DEIS_STR("HTTP/1.1 100 Continue\r\n\r\n"), "POST", DEIS_H1_DONE, DEIS_H1_NO_BODY, 0,
      true },
    { "no reason", DEIS_STR("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), "GET", DEIS_H1_DONE,
      DEIS_H1_NO_BODY, 0, true },
    { "no blank", DEIS_STR("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), "GET", DEIS_H1_DONE,
      DEIS_H1_NO_BODY, 0, true },
    { "reason with 8 bits",
      DEIS_STR("HTTP/1.1 200 gr\xc3\xbc\xc3\x9f\r\nContent-Length: 0\r\n\r\n"), "GET", DEIS_H1_DONE,
      DEIS_H1_NO_BODY, 0, true },
    { "nothing", DEIS_STR(""), "GET", DEIS_H1_MORE, 0, 0, false },
    { "half", DEIS_STR("HTTP/1.1 200 OK\r\nContent-"), "GET", DEIS_H1_MORE, 0, 0, false },
    { "SSH", DEIS_STR("SSH-2.0-x\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "empty line in front", DEIS_STR("\r\n" OK "\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "HTTP/2", DEIS_STR("HTTP/2.0 200 OK\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "status 99", DEIS_STR("HTTP/1.1 099 x\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "status 600", DEIS_STR("HTTP/1.1 600 x\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "status of two digits", DEIS_STR("HTTP/1.1 20 x\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "status of four digits", DEIS_STR("HTTP/1.1 2000 x\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0,
      false },
    { "no status", DEIS_STR("HTTP/1.1\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "two blanks", DEIS_STR("HTTP/1.1  200 OK\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "control byte in the reason", DEIS_STR("HTTP/1.1 200 O\0K\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0,
      false },
    { "bare LF", DEIS_STR("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "GET", DEIS_H1_BAD, 0, 0,
      false },
    { "both lengths", DEIS_STR(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), "GET",
      DEIS_H1_BAD, 0, 0, false },
    { "both lengths for HEAD",
      DEIS_STR(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), "HEAD", DEIS_H1_BAD,
      0, 0, false },
    { "two lengths", DEIS_STR(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), "GET",
      DEIS_H1_BAD, 0, 0, false },
    { "odd length", DEIS_STR(OK "Content-Length: five\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "gzip", DEIS_STR(OK "Transfer-Encoding: gzip\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "coding in HTTP/1.0", DEIS_STR("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
      "GET", DEIS_H1_BAD, 0, 0, false },
    { "folded", DEIS_STR(OK "A: b\r\n c\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
    { "blank before the colon", DEIS_STR(OK "A : b\r\n\r\n"), "GET", DEIS_H1_BAD, 0, 0, false },
};

static void table__gets_its_verdicts(void **state)
{
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_h1_head head;
        enum deis_h1_result result = parse(rows[i].raw, rows[i].method, &head);
        if (result != rows[i].result) {
            print_error("%s: %d\n", rows[i].name, (int)result);
        }
        assert_int_equal(result, rows[i].result);
        if (result == DEIS_H1_DONE) {
            assert_int_equal(head.framing, rows[i].framing);
            assert_int_equal(head.content_length, rows[i].length);
            assert_int_equal(head.keep_alive, rows[i].keep_alive);
        }
        assert_int_equal(parse_bytewise(rows[i].raw, rows[i].method, &head), rows[i].result);
    }
}

static void parts__are_views(void **state)
{
    struct deis_h1_head head;
    assert_int_equal(parse(DEIS_STR("HTTP/1.1 404 Not  Here \r\nServer: x\r\n\r\n"), "GET", &head),
                     DEIS_H1_DONE);
    assert_false(head.is_request);
    assert_int_equal(head.status, 404);
    assert_true(deis_str_eq_cstr(head.reason, "Not  Here "));
    assert_true(deis_str_eq_cstr(deis_h1_find(&head, "server")->value, "x"));
}

static void upgrade__is_seen(void **state)
{
    struct deis_h1_head head;
    assert_int_equal(parse(DEIS_STR("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                    "Upgrade: websocket\r\n\r\n\x81\x00"),
                           "GET", &head),
                     DEIS_H1_DONE);
    assert_true(head.upgrade);
    assert_int_equal(head.framing, DEIS_H1_NO_BODY);
}

static void head_limit__holds(void **state)
{
    struct deis_h1_head head;
    char text[1025];
    memset(text, 'a', sizeof(text));
    memcpy(text, "HTTP/1.1 200 ", 13);
    assert_int_equal(parse(deis_str_n(text, 1024), "GET", &head), DEIS_H1_MORE);
    assert_int_equal(parse(deis_str_n(text, 1025), "GET", &head), DEIS_H1_BAD);
}

static void reason__has_its_words(void **state)
{
    assert_string_equal(deis_h1_reason(404), "Not Found");
    assert_string_equal(deis_h1_reason(503), "Service Unavailable");
    assert_string_equal(deis_h1_reason(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__gets_its_verdicts), cmocka_unit_test(parts__are_views),
        cmocka_unit_test(upgrade__is_seen),         cmocka_unit_test(head_limit__holds),
        cmocka_unit_test(reason__has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
