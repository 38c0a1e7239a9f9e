/* SPDX-License-Identifier: MIT */
#include "router/core/http_head.h"
#include "tests/support/h1_head.h"

static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
static struct deis_h1_head head;

static void parse_request(const char *text)
{
    head = h1_request_head(text);
}

static void parse_answer(const char *text)
{
    size_t scanned = 0;
    size_t used;

    assert_int_equal(deis_h1_parse_response(deis_str(text), DEIS_STR("GET"), &limits, &scanned,
                                            &head, &used, NULL),
                     DEIS_H1_DONE);
}

#define OURS                                                                                       \
    "X-Forwarded-For: 10.0.0.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n"             \
    "X-Request-Id: id\r\nX-Request-Start: 1700000000123\r\n\r\n"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void request__is_written_anew(void **state)
{
    static const struct {
        const char *in;
        bool upgrade;
        const char *out;
    } cases[] = {
        { "GET /a HTTP/1.0\r\nHost: h\r\nA:b\r\n\r\n", false,
          "GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n" OURS },
        { "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTE: x\r\nTrailer: x\r\n\r\n", false,
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" OURS },
        { "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED\r\n\r\n", false,
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" OURS },
        { "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nHost: h\r\nContent-Length: 3\r\n\r\n", false,
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n" OURS },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, Cookie ,X-A\r\nX-A: 1\r\nCookie: c\r\n"
          "X-B: 2\r\n\r\n",
          false, "GET / HTTP/1.1\r\nHost: h\r\nX-B: 2\r\n" OURS },
        /* Nobody can have the router drop what it relies on. */
        { "POST / HTTP/1.1\r\nHost: h\r\nConnection: Host, Content-Length, X-Forwarded-For\r\n"
          "Content-Length: 3\r\n\r\n",
          false, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" OURS },
        { "GET / HTTP/1.1\r\nHost: h\r\nX-FORWARDED-FOR: 1\r\nx_forwarded_host: 2\r\n"
          "Forwarded: 3\r\nX-Real-Ip: 4\r\nProxy: 5\r\nX_Request_Id: 6\r\nX-Request-Start: 7\r\nXX-Forwarded-For: 7\r\n\r\n",
          false, "GET / HTTP/1.1\r\nHost: h\r\nXX-Forwarded-For: 7\r\n" OURS },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true,
          "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" OURS },
        { "GET / HTTP/1.1\r\nHost: h\r\nUpgrade:\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
          true,
          "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: \r\nUpgrade: websocket\r\n" OURS },
        { "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false,
          "GET / HTTP/1.1\r\nHost: h\r\n" OURS },
        { "GET / HTTP/1.1\r\nHost: h\r\nTraceparent: " PARENT "\r\nTracestate: a=1\r\n\r\n", false,
          "GET / HTTP/1.1\r\nHost: h\r\nTraceparent: " PARENT "\r\nTracestate: a=1\r\n" OURS },
        { "GET / HTTP/1.1\r\nHost: h\r\ntracestate: a=1\r\ntraceparent: 00-0-0-0\r\n\r\n", false,
          "GET / HTTP/1.1\r\nHost: h\r\n" OURS },
        { "GET / HTTP/1.1\r\nHost: h\r\ntraceparent: " PARENT "\r\ntraceparent: " PARENT
          "\r\nX-A: 1\r\n\r\n",
          false, "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n" OURS },
        { "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", false,
          "OPTIONS * HTTP/1.1\r\nHost: h\r\n" OURS },
    };

    char out[4096];

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct http_forward f = {
            DEIS_STR("10.0.0.7"), DEIS_STR("http"), DEIS_STR("80"),
            DEIS_STR("id"),       cases[i].upgrade, DEIS_STR("1700000000123")
        };
        parse_request(cases[i].in);
        size_t len = http_head_write_request(out, sizeof(out), &head, &f);
        out[len] = '\0';
        assert_string_equal(out, cases[i].out);
    }
}

static void clock__writes_each_time_it_is_asked(void **state)
{
    static const uint64_t times[] = { 1700000000123, 1700000000999, 1700000001000, 1700000000000,
                                      999999999999,  9999999999999, 1700000001007, 1700000001070 };
    struct http_clock c = { 0 };

    for (size_t i = 0; i < DEIS_COUNT(times); i++) {
        deis_autofree char *want = deis_asprintf("%013llu", (unsigned long long)times[i]);
        assert_true(deis_str_eq_cstr(http_clock_text(&c, times[i]), want));
    }
}

static void traceparent__is_valid_or_not(void **state)
{
    static const struct {
        const char *value;
        bool valid;
    } rows[] = {
        { PARENT, true },
        { "01"
          "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
          true },
        { "cc"
          "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          true },
        { PARENT "-more", false },
        { "01"
          "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.",
          false },
        { "ff"
          "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          false },
        { "00"
          "-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          false },
        { "00"
          "-00000000000000000000000000000000-b7ad6b7169203331-01",
          false },
        { "00"
          "-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
          false },
        { "00"
          "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
          false },
        { "00"
          "_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          false },
        { "", false },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        assert_int_equal(http_is_traceparent(deis_str(rows[i].value)), rows[i].valid);
    }
}

static void answer__is_written_anew(void **state)
{
    static const struct {
        const char *in;
        struct http_answer how;
        const char *out;
    } cases[] = {
        { "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nServer: x\r\n\r\n",
          { false, false, true, 1 },
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: x\r\n\r\n" },
        { "HTTP/1.1 200 Very Well\r\nTransfer-Encoding: chunked\r\nKeep-Alive: a\r\n\r\n",
          { true, false, true, 1 },
          "HTTP/1.1 200 Very Well\r\nTransfer-Encoding: chunked\r\n\r\n" },
        { "HTTP/1.1 200 OK\r\nConnection: close, X-A\r\nX-A: 1\r\nContent-Length: 1\r\n\r\n",
          { false, false, false, 1 },
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
          { false, false, true, 0 },
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n" },
        { "HTTP/1.1 204 No\r\nContent-Length: 0\r\nX: 1\r\n\r\n",
          { false, false, true, 1 },
          "HTTP/1.1 204 No\r\nX: 1\r\n\r\n" },
        { "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
          { false, false, true, 1 },
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" },
        { "HTTP/1.1 103 Early\r\nLink: a\r\n\r\n",
          { false, false, true, 1 },
          "HTTP/1.1 103 Early\r\nLink: a\r\n\r\n" },
        { "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
          { false, true, true, 1 },
          "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" },
    };

    char out[4096];

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        parse_answer(cases[i].in);
        size_t len = http_head_write_answer(out, sizeof(out), &head, &cases[i].how);
        out[len] = '\0';
        assert_string_equal(out, cases[i].out);
    }
}

static void upgrade__to_http2_is_not_passed(void **state)
{
    static const struct {
        const char *fields;
        bool passed;
    } cases[] = {
        { "Connection: upgrade\r\nUpgrade: websocket\r\n", true },
        { "Connection: upgrade\r\nUpgrade: h2c\r\n", false },
        { "Connection: upgrade\r\nUpgrade: websocket, H2C\r\n", false },
        { "Upgrade: websocket\r\n", false },
        { "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n", false },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autofree char *text =
            deis_asprintf("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", cases[i].fields);
        parse_request(text);
        assert_int_equal(http_upgrade_is_passed(&head), cases[i].passed);
    }
}

static void keep_alive_timeout__is_taken_from_the_answer(void **state)
{
    static const struct {
        const char *value;
        unsigned seconds;
    } cases[] = { { "timeout=5", 5 },    { "max=3, Timeout=7", 7 },     { "timeout=99999", 60 },
                  { "timeout=100", 60 }, { "timeout=x, timeout=4", 4 }, { "max=3", 60 } };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autofree char *text = deis_asprintf(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: %s\r\n\r\n", cases[i].value);
        parse_answer(text);
        assert_int_equal(http_keep_alive_timeout(&head, 60), cases[i].seconds);
    }
}

static void json__is_wanted_when_named_first(void **state)
{
    static const struct {
        const char *accept;
        bool json;
    } cases[] = { { "application/json", true },
                  { "text/html,application/json", false },
                  { "application/json, text/html", true },
                  { "*/*", false } };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autofree char *text =
            deis_asprintf("GET / HTTP/1.1\r\nHost: h\r\nAccept: %s\r\n\r\n", cases[i].accept);
        parse_request(text);
        assert_int_equal(http_wants_json(&head), cases[i].json);
    }
}

static void methods__idempotent_ones(void **state)
{
    assert_true(http_method_is_idempotent(DEIS_STR("GET")));
    assert_true(http_method_is_idempotent(DEIS_STR("DELETE")));
    assert_false(http_method_is_idempotent(DEIS_STR("POST")));
    assert_false(http_method_is_idempotent(DEIS_STR("PATCH")));
    assert_false(http_method_is_idempotent(DEIS_STR("get")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request__is_written_anew),
        cmocka_unit_test(clock__writes_each_time_it_is_asked),
        cmocka_unit_test(traceparent__is_valid_or_not),
        cmocka_unit_test(answer__is_written_anew),
        cmocka_unit_test(upgrade__to_http2_is_not_passed),
        cmocka_unit_test(keep_alive_timeout__is_taken_from_the_answer),
        cmocka_unit_test(json__is_wanted_when_named_first),
        cmocka_unit_test(methods__idempotent_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
