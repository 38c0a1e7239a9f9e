/* SPDX-License-Identifier: MIT */
/* What is printed: answers, failures, log lines. */
#include "client/core/answer.h"
#include "client/core/logline.h"
#include "client/core/show.h"
#include "tests/support/test.h"

#define OUT_MAX 65536

static json_t *parse(const char *text)
{
    struct deis_err err;
    json_t *value = deis_json_parse(deis_str(text), &err);

    assert_non_null(value);
    return value;
}

/* T-17 */
static void answer__list_has_results_and_total(void **state)
{
    deis_autojson json_t *list = parse("{\"count\":4,\"next\":null,\"previous\":null,"
                                       "\"results\":[{\"id\":\"a\"},{\"id\":\"b\"}]}");
    json_t *results = NULL;
    long total = 0;

    assert_int_equal(answer_list(list, &results, &total, NULL), 0);
    assert_int_equal(json_array_size(results), 2);
    assert_int_equal(total, 4);
    deis_autojson json_t *other = parse("{\"results\":null,\"count\":1}");
    assert_int_equal(answer_list(other, &results, &total, NULL), DEIS_PROTOCOL);
    assert_int_equal(answer_list(NULL, &results, &total, NULL), DEIS_PROTOCOL);
}

static void failure_is(int status, const char *reason, const char *body, const char *want,
                       const char *complaint)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autobuf struct deis_buf odd = DEIS_BUF_INIT(OUT_MAX);

    answer_error(status, reason, deis_str(body), &out, &odd);
    assert_string_equal(out.data, want);
    assert_string_equal(odd.data, complaint);
}

/* T-18, T-19 */
static void answer__failures_as_people_read_them(void **state)
{
    failure_is(404, "NOT FOUND", "{\"detail\":\"Not found\"}",
               "\n404 NOT FOUND\ndetail: Not found\n", "");
    failure_is(400, "BAD REQUEST", "{\"id\":[\"one\",\"two\"],\"key\":\"three\"}",
               "\n400 BAD REQUEST\nid: one\nid: two\nkey: three\n", "");
    failure_is(500, "INTERNAL SERVER ERROR", "<h1>Server Error (500)</h1>",
               "\n500 INTERNAL SERVER ERROR\n<h1>Server Error (500)</h1>\n", "");
    failure_is(404, "", "", "\n404 \n\n", "");
    failure_is(400, "BAD REQUEST", "null", "\n400 BAD REQUEST\n", "");
    failure_is(400, "BAD REQUEST", "{}", "\n400 BAD REQUEST\n", "");
    failure_is(400, "BAD REQUEST", "[1]", "\n400 BAD REQUEST\n[1]\n", "");
    failure_is(400, "BAD REQUEST", "{\"a\":7}", "\n400 BAD REQUEST\n",
               "The answer's field 'a' is neither text nor a list of texts\n");
}

/* T-20 */
static void answer__which_status_is_an_error(void **state)
{
    static const int good[] = { 200, 201, 204, 302, 399 };
    static const int bad[] = { 100, 199, 400, 401, 404, 409, 500, 503 };

    for (size_t i = 0; i < DEIS_COUNT(good); i++) {
        assert_false(answer_is_error(good[i]));
    }
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_true(answer_is_error(bad[i]));
    }
}

/* T-22 */
static void answer__version_warning(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);

    answer_version_warning(DEIS_STR("1.7"), &out);
    assert_int_equal(out.len, 0);
    answer_version_warning(DEIS_STR("1.6"), &out);
    assert_string_equal(out.data, "!    WARNING: Client and server API versions do not match. "
                                  "Please consider upgrading.\n"
                                  "!    Client version: 1.7\n"
                                  "!    Server version: 1.6\n");
    deis_buf_reset(&out);
    answer_version_warning(DEIS_STR_NONE, &out);
    assert_non_null(strstr(out.data, "!    Server version: \n"));
}

static void show__counts(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);

    show_count(2, 2, &out);
    show_count(2, 7, &out);
    assert_string_equal(out.data, "\n (2 of 7)\n");
}

/* V-08 */
static void show__lists_are_sorted(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *apps = parse("[{\"id\":\"shop\"},{\"id\":\"blog\"}]");
    deis_autojson json_t *users = parse("[\"zoe\",\"ivo\"]");

    show_sorted(apps, "id", &out);
    show_names(users, &out);
    assert_string_equal(out.data, "blog\nshop\nivo\nzoe\n");
}

/* V-08 */
static void show__processes_by_type_and_number(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *list =
        parse("[{\"type\":\"worker\",\"num\":1,\"state\":\"up\",\"release\":\"v4\"},"
              "{\"type\":\"web\",\"num\":10,\"state\":\"up\",\"release\":\"v4\"},"
              "{\"type\":\"web\",\"num\":2,\"state\":\"crashed\",\"release\":\"v4\"}]");

    show_processes("plum", list, 3, &out);
    assert_string_equal(out.data, "=== plum Processes\n"
                                  "--- web:\nweb.2 crashed (v4)\nweb.10 up (v4)\n"
                                  "--- worker:\nworker.1 up (v4)\n");
}

static void show__app(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *app =
        parse("{\"uuid\":\"0b8f\",\"id\":\"plum\",\"owner\":\"mira\",\"url\":\"plum.example.net\","
              "\"created\":\"2026-01-02T03:04:05UTC\",\"updated\":\"2026-01-02T03:04:06UTC\"}");

    show_app(app, &out);
    assert_string_equal(out.data, "=== plum Application\n"
                                  "updated:  2026-01-02T03:04:06UTC\n"
                                  "uuid:     0b8f\n"
                                  "created:  2026-01-02T03:04:05UTC\n"
                                  "url:      plum.example.net\n"
                                  "owner:    mira\n"
                                  "id:       plum\n\n");
}

static void show__config_in_both_forms(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *config = parse("{\"values\":{\"MODE\":\"test\",\"A\":\"1\"}}");

    show_config("plum", config, false, &out);
    assert_string_equal(out.data, "=== plum Config\nA         1\nMODE      test\n");
    deis_buf_reset(&out);
    show_config("plum", config, true, &out);
    assert_string_equal(out.data, "A=1 MODE=test \n");
}

static void show__limits_and_tags(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *config =
        parse("{\"memory\":{},\"cpu\":{\"web\":512},\"tags\":{\"rack\":\"2\"}}");

    show_limits("plum", config, &out);
    assert_string_equal(out.data, "=== plum Limits\n\n--- Memory\nUnlimited\n\n"
                                  "--- CPU\nweb     512\n");
    deis_buf_reset(&out);
    show_tags("plum", config, &out);
    assert_string_equal(out.data, "=== plum Tags\nrack     2\n");
}

static void show__releases(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *list = parse("[{\"version\":2,\"created\":\"2026-01-02T03:04:05UTC\","
                                       "\"summary\":\"mira added A\"}]");
    deis_autojson json_t *one = parse(
        "{\"version\":2,\"build\":null,\"config\":\"c0\",\"owner\":\"mira\",\"created\":\"then\","
        "\"summary\":\"mira added A\",\"updated\":\"now\",\"uuid\":\"u0\"}");

    show_releases(list, &out);
    assert_string_equal(out.data, "v2\t2026-01-02T03:04:05UTC\tmira added A\n");
    deis_buf_reset(&out);
    show_release("plum", one, &out);
    assert_string_equal(out.data, "=== plum Release v2\nconfig:   c0\nowner:    mira\n"
                                  "created:  then\nsummary:  mira added A\nupdated:  now\n"
                                  "uuid:     u0\n");
}

static void show__keys_are_cut(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *keys =
        parse("[{\"id\":\"me\",\"public\":\"ssh-rsa AAAAB3NzaC1yc2E mira@laptop\\n\"},"
              "{\"id\":\"short\",\"public\":\"x\"}]");

    show_keys(keys, &out);
    assert_string_equal(out.data, "me ssh-rsa AAAAB3Nz...ra@laptop\n\nshort x...x\n");
}

static void show__certs_in_two_columns(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *certs = parse("[{\"common_name\":\"shop.example.org\","
                                        "\"expires\":\"2027-01-02T03:04:05UTC\"}]");

    show_certs(certs, &out);
    assert_string_equal(out.data, "Common Name          Expires\n"
                                  "----------------     ----------------------\n"
                                  "shop.example.org     2027-01-02T03:04:05UTC\n");
}

static void logline_is(const char *body, bool safe, const char *want)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);

    logline_add_all(deis_str(body), safe, &out);
    assert_string_equal(out.data, want);
}

static void logline__colour_is_of_the_process(void **state)
{
    /* "a" is 97, 97 mod 7 + 1 = 7, which is shown as 9; "b" is one more. */
    assert_int_equal(logline_colour(DEIS_STR("time a: text")), 9);
    assert_int_equal(logline_colour(DEIS_STR("time b: text")), 1);
    assert_int_equal(logline_colour(DEIS_STR("oneword")), logline_colour(DEIS_STR("t unknown: x")));
    assert_int_equal(logline_colour(DEIS_STR("t plum[web.1]: a")),
                     logline_colour(DEIS_STR("u plum[web.1]: b: c")));
}

/* V-09 */
static void logline__odd_content_is_kept(void **state)
{
    logline_is("t b: 100% {{x}} \\n %s", false, "\033[31mt b: 100% {{x}} \\n %s\033[0m\n");
    logline_is("t b: x\n", false, "\033[31mt b: x\033[0m\n\033[33m\033[0m\n");
    logline_is("", false, "\033[33m\033[0m\n");
    logline_is("\"t b: x\"", false, "\033[31mt b: x\033[0m\n");
}

static void logline__terminal_is_protected(void **state)
{
    logline_is("t b: \033[32mok\033[0m", true, "\033[31mt b: \033[32mok\033[0m\033[0m\n");
    logline_is("t b: \033]0;title\a\033[2J\ttab\r", true,
               "\033[31mt b: \\x1b]0;title\\x07\\x1b[2J\ttab\\x0d\033[0m\n");
    logline_is("t b: \033[2J", false, "\033[31mt b: \033[2J\033[0m\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer__list_has_results_and_total),
        cmocka_unit_test(answer__failures_as_people_read_them),
        cmocka_unit_test(answer__which_status_is_an_error),
        cmocka_unit_test(answer__version_warning),
        cmocka_unit_test(show__counts),
        cmocka_unit_test(show__lists_are_sorted),
        cmocka_unit_test(show__processes_by_type_and_number),
        cmocka_unit_test(show__app),
        cmocka_unit_test(show__config_in_both_forms),
        cmocka_unit_test(show__limits_and_tags),
        cmocka_unit_test(show__releases),
        cmocka_unit_test(show__keys_are_cut),
        cmocka_unit_test(show__certs_in_two_columns),
        cmocka_unit_test(logline__colour_is_of_the_process),
        cmocka_unit_test(logline__odd_content_is_kept),
        cmocka_unit_test(logline__terminal_is_protected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
