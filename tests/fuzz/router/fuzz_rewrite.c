/* SPDX-License-Identifier: MIT */
/* Whatever request or answer is let through, what the router writes for it means the same to a
 * strict reader, has one framing and carries no field that is not the router's to pass on. */
#include "router/core/http_head.h"
#include "router/core/http_wish.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
static const struct deis_h1_limits wide = { 64 * 1024, 16 * 1024 };
static struct deis_h1_head in;
static struct deis_h1_head out;
static char text[64 * 1024];

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void rewrite_request(struct deis_str s)
{
    size_t scanned = 0;
    size_t used;
    int status;

    if (deis_h1_parse_request(s, &limits, &scanned, &in, &used, &status, NULL) != DEIS_H1_DONE) {
        return;
    }
    bool upgrade = http_upgrade_is_passed(&in);
    struct deis_str id = http_request_id(&in);
    (void)http_cookie_tag(&in);
    struct http_forward f = { DEIS_STR("10.0.0.7"),           DEIS_STR("http"), DEIS_STR("80"),
                              id.ptr ? id : DEIS_STR("made"), upgrade,          DEIS_STR("1") };
    size_t len = http_head_write_request(text, sizeof(text), &in, &f);
    scanned = 0;
    size_t n = in.header_count;
    enum deis_h1_result r =
        deis_h1_parse_request(deis_str_n(text, len), &wide, &scanned, &out, &used, &status, NULL);
    if (n + 8 > DEIS_H1_MAX_HEADERS && r == DEIS_H1_BAD) {
        return; /* ours did not fit the parser's table */
    }
    check(r == DEIS_H1_DONE && used == len && out.minor == 1);
    check(deis_str_eq(in.method, out.method) && deis_str_eq(in.target, out.target));
    check(deis_str_eq(in.host, out.host));
    check(in.framing == out.framing && in.content_length == out.content_length);
    check(out.upgrade == upgrade && in.expect_continue == out.expect_continue);
    check(deis_str_eq_cstr(deis_h1_find(&out, "x-forwarded-for")->value, "10.0.0.7"));
}

static void rewrite_answer(struct deis_str s)
{
    size_t scanned = 0;
    size_t used;

    if (deis_h1_parse_response(s, DEIS_STR("GET"), &limits, &scanned, &in, &used, NULL) !=
        DEIS_H1_DONE) {
        return;
    }
    struct http_answer how = { in.framing == DEIS_H1_CHUNKED, false, true, 1 };
    size_t n = in.header_count;
    (void)http_keep_alive_timeout(&in, 60);
    size_t len = http_head_write_answer(text, sizeof(text), &in, &how);
    scanned = 0;
    enum deis_h1_result r = deis_h1_parse_response(deis_str_n(text, len), DEIS_STR("GET"), &wide,
                                                   &scanned, &out, &used, NULL);
    if (n + 2 > DEIS_H1_MAX_HEADERS && r == DEIS_H1_BAD) {
        return;
    }
    check(r == DEIS_H1_DONE && used == len && in.status == out.status);
    check(in.framing == out.framing);
    check(in.framing != DEIS_H1_LENGTH || in.content_length == out.content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str s = deis_str_n((const char *)data, size);

    rewrite_request(s);
    (void)http_query_value(s, "sid");
    rewrite_answer(s);
    return 0;
}
