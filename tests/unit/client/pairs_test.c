/* SPDX-License-Identifier: MIT */
#include "client/core/pairs.h"
#include "tests/support/test.h"

#define NOTE_MAX 4096

typedef json_t *pairs_fn(const char *const *args, size_t count, struct deis_buf *note);

/* One argument: what it becomes, or NULL and the start of the note. */
static void becomes(pairs_fn *fn, const char *arg, const char *want)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(NOTE_MAX);
    deis_autojson json_t *map = fn(&arg, 1, &note);
    deis_autofree char *got = deis_json_dump(map);

    assert_string_equal(got, want ? want : "{}");
    assert_int_equal(note.len > 0, want == NULL);
}

static void pairs__config(void **state)
{
    becomes(pairs_config, "A=1", "{\"A\":\"1\"}");
    becomes(pairs_config, "lower_2=a=b", "{\"lower_2\":\"a=b\"}");
    becomes(pairs_config, "_X=two\nlines", "{\"_X\":\"two\\nlines\"}");
    becomes(pairs_config, "A=", NULL);
    becomes(pairs_config, "=1", NULL);
    becomes(pairs_config, "1A=1", NULL);
    becomes(pairs_config, "A-B=1", NULL);
    becomes(pairs_config, "A", NULL);
    becomes(pairs_config, "A=\xff", NULL);
}

static void pairs__notes_name_the_argument(void **state)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(NOTE_MAX);
    const char *const args[] = { "nope", "A=1" };

    deis_autojson json_t *config = pairs_config(args, 2, &note);
    assert_string_equal(note.data, "'nope' does not match the pattern 'key=var', ex: MODE=test\n");
    assert_int_equal(json_object_size(config), 1);
    deis_buf_reset(&note);
    deis_autojson json_t *scale = pairs_scale(args, 1, &note);
    assert_string_equal(note.data, "'nope' does not match the pattern 'type=num', ex: web=2\n");
    assert_int_equal(json_object_size(scale), 0);
    deis_buf_reset(&note);
    deis_autojson json_t *limits = pairs_limits(args, 1, &note);
    assert_string_equal(note.data, "nope doesn't fit format type=#unit or type=#\n"
                                   "Examples: web=2G worker=500M web=300\n");
    assert_int_equal(json_object_size(limits), 0);
    deis_buf_reset(&note);
    deis_autojson json_t *tags = pairs_tags(args, 1, &note);
    assert_string_equal(note.data, "nope is invalid, Must be in format key=value\n"
                                   "Examples: rack=1 evironment=production\n");
    assert_int_equal(json_object_size(tags), 0);
}

static void pairs__scale(void **state)
{
    becomes(pairs_scale, "web=2", "{\"web\":2}");
    becomes(pairs_scale, "web=0", "{\"web\":0}");
    becomes(pairs_scale, "web=-1", NULL);
    becomes(pairs_scale, "web=two", NULL);
    becomes(pairs_scale, "web2=1", NULL);
    becomes(pairs_scale, "web=99999999999999999999", NULL);
}

static void pairs__limits(void **state)
{
    becomes(pairs_limits, "web=2G", "{\"web\":\"2G\"}");
    becomes(pairs_limits, "web=256MB", "{\"web\":\"256MB\"}");
    becomes(pairs_limits, "web=300", "{\"web\":\"300\"}");
    becomes(pairs_limits, "web=30000", NULL);
    becomes(pairs_limits, "web=2T", NULL);
    becomes(pairs_limits, "web=G", NULL);
    becomes(pairs_limits, "web=2GBB", NULL);
}

static void pairs__tags_have_one_equals_sign(void **state)
{
    becomes(pairs_tags, "rack=2", "{\"rack\":\"2\"}");
    becomes(pairs_tags, "rack=", "{\"rack\":\"\"}");
    becomes(pairs_tags, "rack=2=3", NULL);
    becomes(pairs_tags, "rack", NULL);
}

/* V-11 */
static void pairs__removals_are_nulls(void **state)
{
    const char *const names[] = { "A", "B" };
    deis_autojson json_t *map = pairs_removals(names, 2);
    deis_autofree char *got = deis_json_dump(map);

    assert_string_equal(got, "{\"A\":null,\"B\":null}");
    const char *const odd[] = { "A", "b\xE9n\xE9" };
    assert_null(pairs_removals(odd, 2));
}

static void pairs__env_file_loses_what_has_no_newline(void **state)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(NOTE_MAX);
    deis_autojson json_t *map = pairs_env_file(DEIS_STR("A=1\n# remark\nB=2"), &note);
    deis_autofree char *got = deis_json_dump(map);

    assert_string_equal(got, "{\"A\":\"1\"}");
    assert_string_equal(note.data,
                        "'# remark' does not match the pattern 'key=var', ex: MODE=test\n");
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(NOTE_MAX);
    pairs_format_env(map, &out);
    assert_string_equal(out.data, "A=1\n");
}

static void pairs__versions(void **state)
{
    uint64_t v = 0;

    assert_int_equal(pairs_version("v3", &v, NULL), 0);
    assert_int_equal(v, 3);
    assert_int_equal(pairs_version("12", &v, NULL), 0);
    assert_int_equal(v, 12);
    assert_int_equal(pairs_version("V2", &v, NULL), DEIS_INVALID);
    assert_int_equal(pairs_version("vx", &v, NULL), DEIS_INVALID);
    assert_int_equal(pairs_version("", &v, NULL), DEIS_INVALID);
    assert_int_equal(pairs_version("v-1", &v, NULL), DEIS_INVALID);
}

static void process_is(const char *text, const char *type, const char *num)
{
    char *got_type = NULL;
    char *got_num = NULL;

    assert_int_equal(pairs_process(text, &got_type, &got_num, NULL), 0);
    assert_string_equal(got_type, type);
    if (num) {
        assert_string_equal(got_num, num);
    } else {
        assert_null(got_num);
    }
    free(got_type);
    free(got_num);
}

static void pairs__processes(void **state)
{
    char *type = NULL;
    char *num = NULL;

    process_is("web", "web", NULL);
    process_is("web.2", "web", "2");
    process_is("web.1.2", "web", "1");
    assert_int_equal(pairs_process("web.x", &type, &num, NULL), DEIS_INVALID);
    assert_int_equal(pairs_process("", &type, &num, NULL), DEIS_INVALID);
}

static void pairs__numbers(void **state)
{
    long n = 0;

    assert_int_equal(pairs_number("12", &n, NULL), 0);
    assert_int_equal(n, 12);
    assert_int_equal(pairs_number("-3", &n, NULL), 0);
    assert_int_equal(n, -3);
    assert_int_equal(pairs_number("abc", &n, NULL), DEIS_INVALID);
    assert_int_equal(pairs_number("", &n, NULL), DEIS_INVALID);
}

static void pairs__values_that_are_read(void **state)
{
    deis_autojson json_t *map = pairs_config((const char *const[]){ "A=1" }, 1, NULL);
    struct deis_err err;

    assert_int_equal(pairs_set_read(map, "B", DEIS_STR("two\nlines\n"), &err), 0);
    assert_int_equal(pairs_set_read(map, "C", DEIS_STR("x\n\n"), &err), 0);
    assert_int_equal(pairs_set_read(map, "D", DEIS_STR_NONE, &err), 0);
    deis_autofree char *got = deis_json_dump(map);
    assert_string_equal(got, "{\"A\":\"1\",\"B\":\"two\\nlines\",\"C\":\"x\\n\",\"D\":\"\"}");
    assert_int_equal(pairs_set_read(map, "A", DEIS_STR("2"), &err), DEIS_INVALID);
    assert_string_equal(err.msg, "A is given twice");
    assert_int_equal(pairs_set_read(map, "E", DEIS_STR("secret\xff"), &err), DEIS_INVALID);
    assert_null(strstr(err.msg, "secret"));
    assert_int_equal(pairs_set_read(map, "E", DEIS_STR("nul\0"), &err), DEIS_INVALID);
}

static void pairs__from_file(void **state)
{
    static const char *const bad[] = { "", "A", "A=", "=x", "1A=x", "A-B=x" };
    char *key = NULL;
    char *path = NULL;
    struct deis_err err;

    assert_int_equal(pairs_from_file("TLS_KEY=a=b.pem", &key, &path, &err), 0);
    assert_string_equal(key, "TLS_KEY");
    assert_string_equal(path, "a=b.pem");
    free(key);
    free(path);
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(pairs_from_file(bad[i], &key, &path, &err), DEIS_INVALID);
    }
    assert_true(pairs_is_key(DEIS_STR("A_1")));
    assert_false(pairs_is_key(DEIS_STR("A=1")));
    assert_false(pairs_is_key(DEIS_STR_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs__config),
        cmocka_unit_test(pairs__notes_name_the_argument),
        cmocka_unit_test(pairs__scale),
        cmocka_unit_test(pairs__limits),
        cmocka_unit_test(pairs__tags_have_one_equals_sign),
        cmocka_unit_test(pairs__removals_are_nulls),
        cmocka_unit_test(pairs__env_file_loses_what_has_no_newline),
        cmocka_unit_test(pairs__versions),
        cmocka_unit_test(pairs__processes),
        cmocka_unit_test(pairs__numbers),
        cmocka_unit_test(pairs__values_that_are_read),
        cmocka_unit_test(pairs__from_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
