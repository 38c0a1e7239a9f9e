/* SPDX-License-Identifier: MIT */
/* The router's own answers and its log lines. */
#include "router/core/log_line.h"
#include "router/core/pages.h"
#include "tests/support/test.h"

#include "lib/wire/h1.h"
#include "lib/wire/json.h"

static void pages__are_valid_answers_that_fit(void **state)
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    static struct deis_h1_head head;
    static char id[128];
    char out[PAGES_MAX];

    memset(id, 'a', sizeof(id));
    for (int page = PAGE_BAD_REQUEST; page < PAGE_COUNT; page++) {
        for (int bits = 0; bits < 16; bits++) {
            struct page_opts opts = { bits & 1, bits & 2, bits & 4, bits & 8,
                                      deis_str_n(id, sizeof(id)) };
            size_t body;
            size_t scanned = 0;
            size_t used;
            size_t len = page_write(out, sizeof(out), page, &opts, &body);
            if (page_info(page)->title[0] == '\0') {
                continue; /* the connection is cut instead */
            }
            assert_int_equal(deis_h1_parse_response(deis_str_n(out, len), DEIS_STR("GET"), &limits,
                                                    &scanned, &head, &used, NULL),
                             DEIS_H1_DONE);
            assert_int_equal(head.status, page_info(page)->status);
            assert_int_equal(head.keep_alive, opts.keep_alive);
            assert_int_equal(len - used, body);
            if (opts.head) {
                assert_int_equal(body, 0);
            } else {
                assert_int_equal(head.content_length, body);
            }
            if (opts.json && !opts.head) {
                deis_autojson json_t *j = deis_json_parse(deis_str_n(out + used, body - 1), NULL);
                assert_non_null(j);
            }
        }
    }
}

static void pages__of_an_app_take_the_place_of_ours(void **state)
{
    struct page_opts opts = { .own = DEIS_STR("<p>mine</p>"),
                              .retry_after_s = 7,
                              .keep_alive = true };
    char out[PAGES_MAX + 1];
    size_t body;

    out[page_write(out, PAGES_MAX, PAGE_TOO_FAST, &opts, &body)] = '\0';
    assert_int_equal(body, 11);
    assert_non_null(strstr(out, "HTTP/1.1 429 Too Many Requests\r\n"));
    assert_non_null(strstr(out, "\r\nRetry-After: 7\r\n"));
    assert_non_null(strstr(out, "\r\nContent-Length: 11\r\n"));
    assert_non_null(strstr(out, "\r\n\r\n<p>mine</p>"));
    opts.json = true;
    out[page_write(out, PAGES_MAX, PAGE_TOO_FAST, &opts, &body)] = '\0';
    assert_null(strstr(out, "mine"));
    assert_non_null(strstr(out, "\"code\":\"D02\""));
}

static void line__is_logfmt(void **state)
{
    char out[LOG_LINE_MAX];
    struct log_line l = {
        .method = DEIS_STR("GET"),
        .target = DEIS_STR("/a\"b\\c?d=e"),
        .host = DEIS_STR("blog.test"),
        .request_id = DEIS_STR("id"),
        .client = DEIS_STR("10.0.0.7"),
        .app = "blog",
        .unit = "blog_v7.web.1-1a2b3c4d",
        .protocol = "http",
        .connect_us = 1999,
        .service_us = 23000,
        .bytes = 1234567890123,
        .status = 200,
    };

    size_t len = log_line_format(out, &l);
    out[len] = '\0';
    assert_string_equal(out, "at=info method=GET path=\"/a\\\"b\\\\c?d=e\" host=blog.test "
                             "request_id=id fwd=\"10.0.0.7\" app=blog unit=blog_v7.web.1-1a2b3c4d "
                             "connect=1ms service=23ms status=200 bytes=1234567890123 "
                             "protocol=http");
    l = (struct log_line){ .code = "H12",
                           .desc = "Request timeout",
                           .protocol = "http",
                           .rules = "942100,949110",
                           .status = 504 };
    len = log_line_format(out, &l);
    out[len] = '\0';
    assert_string_equal(out, "at=error code=H12 desc=\"Request timeout\" method=- path=\"\" host=- "
                             "request_id=- fwd=\"-\" connect=0ms service=0ms status=504 bytes=0 "
                             "protocol=http rules=942100,949110");
}

static void line__never_outgrows_its_buffer(void **state)
{
    static char text[40000];
    char out[LOG_LINE_MAX];

    memset(text, '"', sizeof(text) - 1);
    struct deis_str s = deis_str_n(text, sizeof(text) - 1);
    struct log_line l = {
        s,      s,    s,          s,          s,          text, text, "H12", "Request timeout",
        "http", text, UINT64_MAX, UINT64_MAX, UINT64_MAX, 999
    };
    assert_in_range(log_line_format(out, &l), 1, LOG_LINE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages__are_valid_answers_that_fit),
        cmocka_unit_test(pages__of_an_app_take_the_place_of_ours),
        cmocka_unit_test(line__is_logfmt),
        cmocka_unit_test(line__never_outgrows_its_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
