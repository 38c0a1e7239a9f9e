/* SPDX-License-Identifier: MIT */
/* What is printed: answers, failures, log lines. */
#include "client/core/age.h"
#include "client/core/answer.h"
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

static void show__processes_in_detail(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *list = parse(
        "[{\"type\":\"web\",\"num\":2,\"state\":\"up\",\"release\":\"v4\",\"machine\":\"node-1\","
        "\"since\":\"2026-01-02T03:04:05UTC\",\"restarts\":3,\"reason\":\"\","
        "\"exit\":{\"code\":137,\"oom\":true,\"error\":\"\",\"at\":\"2026-01-02T03:04:04UTC\"}},"
        "{\"type\":\"web\",\"num\":1,\"state\":\"error\",\"release\":\"v4\",\"machine\":null,"
        "\"since\":null,\"restarts\":0,\"reason\":\"no such image\",\"exit\":null}]");
    uint64_t now = 0;
    struct deis_err err;

    assert_int_equal(age_parse(DEIS_STR("2026-01-02T06:04:05UTC"), &now, &err), 0);
    show_process_details("plum", list, 2, now, &out);
    assert_string_equal(
        out.data,
        "=== plum Processes\n"
        "PROCESS  STATE  RELEASE  MACHINE  AGE  RESTARTS  LAST EXIT\n"
        "web.1    error  v4       -        -    0         no such image\n"
        "web.2    up     v4       node-1   3h   3         code 137, out of memory, 3h ago\n");
    /* What a controller without these details sends. */
    deis_autojson json_t *bare =
        parse("[{\"type\":\"web\",\"num\":1,\"state\":\"up\",\"release\":\"v4\"}]");
    deis_buf_reset(&out);
    show_process_details("plum", bare, 1, now, &out);
    assert_non_null(strstr(out.data, "\nweb.1    up     v4       -        -    0         -\n"));
}

static void show__tokens_and_audit(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    deis_autojson json_t *tokens =
        parse("[{\"id\":\"0a1b\",\"created\":\"then\",\"last_used\":null,\"current\":true}]");
    deis_autojson json_t *audit =
        parse("[{\"time\":\"then\",\"user\":\"mir\u00e0\",\"action\":\"app.create\","
              "\"object\":\"app/blog\",\"result\":\"done\",\"request\":\"r\"}]");

    show_tokens(tokens, &out);
    assert_string_equal(out.data, "ID    CREATED  LAST USED  THIS LOGIN\n"
                                  "0a1b  then     -          yes\n");
    deis_buf_reset(&out);
    show_audit(audit, &out);
    assert_string_equal(out.data, "TIME  USER  ACTION      OBJECT    RESULT\n"
                                  "then  mir\u00e0  app.create  app/blog  done\n");
}

static void age__of_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {
        { "1970-01-01T00:00:00UTC", 0 },
        { "2000-02-29T12:34:56UTC", 951827696 },
        { "2026-03-05T17:14:27UTC", 1772730867 },
    };

    static const char *const bad[] = { "",
                                       "2026-03-05",
                                       "2026-03-05T17:14:27Z",
                                       "2026-13-05T17:14:27UTC",
                                       "1969-03-05T17:14:27UTC",
                                       "2026-03-05T17:14:2xUTC",
                                       "2026-03-05T17:14:27UTC " };

    static const struct {
        uint64_t seconds;
        const char *age;
    } ages[] = { { 0, "0s" },    { 119, "119s" },   { 120, "2m" },    { 7199, "119m" },
                 { 7200, "2h" }, { 172799, "47h" }, { 172800, "2d" }, { 31536000, "365d" } };
    struct deis_err err;
    uint64_t seconds = 0;

    for (size_t i = 0; i < DEIS_COUNT(good); i++) {
        assert_int_equal(age_parse(deis_str(good[i].text), &seconds, &err), 0);
        assert_int_equal(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(age_parse(deis_str(bad[i]), &seconds, &err), DEIS_INVALID);
    }
    for (size_t i = 0; i < DEIS_COUNT(ages); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
        age_format(good[1].text, good[1].seconds + ages[i].seconds, &out);
        assert_string_equal(out.data, ages[i].age);
    }
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
    age_format(good[1].text, 0, &out); /* this machine's clock is behind */
    assert_string_equal(out.data, "0s");
}

static void show__how_a_certificate_stands(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1000);
    deis_autojson json_t *cert =
        parse("{\"common_name\":\"a.test\",\"owner\":\"mira\",\"expires\":null,"
              "\"state\":\"failed\",\"detail\":\"no way\",\"app\":\"blog\"}");
    deis_autojson json_t *rows = parse(
        "[{\"domain\":\"a.test\",\"state\":\"failed\",\"detail\":\"no way\",\"expires\":null},"
        "{\"domain\":\"long.a.test\",\"state\":\"issued\",\"detail\":\"\",\"expires\":\"then\"}]");

    show_cert(cert, &out);
    assert_string_equal(out.data, "=== a.test Certificate\nowner:    mira\nstate:    failed\n"
                                  "app:      blog\ndetail:   no way\n");
    deis_buf_reset(&out);
    show_autocerts(rows, &out);
    assert_string_equal(out.data,
                        "a.test       failed: no way\nlong.a.test  issued, expires then\n");
    deis_buf_reset(&out);
    show_awaited_certs(rows, &out);
    assert_string_equal(out.data, "\nStill to come:\na.test  failed: no way\n");
    deis_buf_reset(&out);
    show_awaited_certs(NULL, &out);
    assert_int_equal(out.len, 0);
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
        cmocka_unit_test(show__how_a_certificate_stands),
        cmocka_unit_test(show__processes_in_detail),
        cmocka_unit_test(show__tokens_and_audit),
        cmocka_unit_test(age__of_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
