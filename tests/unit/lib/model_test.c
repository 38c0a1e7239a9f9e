/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/model/model.h"
#include "lib/model/sealed.h"

#define FORMATION                                                                                      \
    "{\"app\":\"blog\",\"generation\":15,\"operation\":\"op\",\"release\":7,\"image\":\"i@sha256:0\"," \
    "\"env\":\"v1:k:x\",\"grace_ms\":10000,\"start_timeout_ms\":60000,\"health\":{\"path\":"           \
    "\"/healthz\",\"delay_ms\":5,\"timeout_ms\":1000},\"processes\":{\"web\":{\"count\":2,"            \
    "\"entrypoint\":null,\"command\":[\"/bin/bash\",\"-c\",\"x\"],\"memory_bytes\":268435456,"         \
    "\"cpu_shares\":512,\"tags\":{\"rack\":\"2\"},\"routable\":true,\"restarts\":{\"all\":1}}}}"
#define UNIT                                                                                          \
    "{\"unit\":\"blog_v7.web.1-1a2b3c4d\",\"app\":\"blog\",\"release\":7,\"type\":\"web\",\"num\":1," \
    "\"machine\":\"m1\",\"desired\":\"drain\",\"epoch\":4711,\"image\":\"i\",\"env\":\"e\","          \
    "\"entrypoint\":null,\"command\":[],\"memory_bytes\":0,\"cpu_shares\":0,\"routable\":true,"       \
    "\"grace_ms\":1,\"start_timeout_ms\":2,\"health\":null}"
#define STATE                                                                                       \
    "{\"unit\":\"u\",\"app\":\"blog\",\"type\":\"web\",\"num\":1,\"release\":7,\"machine\":\"m1\"," \
    "\"state\":\"crashed\",\"ready\":false,\"address\":\"\",\"container\":\"c\",\"exits\":3,"       \
    "\"exit\":{\"code\":-9,\"oom\":true,\"error\":\"e\",\"at\":1700000000000},\"reason\":\"r\","    \
    "\"since\":1}"
#define ROLLOUT                                                                                    \
    "{\"app\":\"blog\",\"generation\":15,\"operation\":\"op\",\"state\":\"failed\",\"ready\":1,"   \
    "\"wanted\":2,\"reason\":\"r\",\"unit\":\"u\",\"machine\":\"m\",\"settled\":4711}"
#define MACHINE                                                                                    \
    "{\"id\":\"m1\",\"hostname\":\"h\",\"address\":\"10.0.0.1\",\"bus\":\"tcp://127.0.0.1:7004\"," \
    "\"metadata\":{\"rack\":\"2\"},\"cpus\":2,\"memory_bytes\":1024}"
#define SERVICE "{\"http\":\"127.0.0.1:8000\",\"bus\":\"tcp://127.0.0.1:7001\"}"

/* Parse text and give back what the document looks like when written: NULL when it is refused. */
#define RETELL(name)                                                                               \
    static char *name##_retell(const char *text, struct deis_err *err)                             \
    {                                                                                              \
        struct deis_##name doc;                                                                    \
        if (deis_##name##_parse(deis_str(text), &doc, err) < 0) {                                  \
            return NULL;                                                                           \
        }                                                                                          \
        char *out = deis_##name##_format(&doc);                                                    \
        deis_##name##_clear(&doc);                                                                 \
        return out;                                                                                \
    }

RETELL(formation)
RETELL(unit)
RETELL(unit_state)
RETELL(rollout)
RETELL(machine)
RETELL(service)

static const struct {
    char *(*retell)(const char *text, struct deis_err *err);
    const char *text;
} kinds[] = {
    { formation_retell, FORMATION }, { unit_retell, UNIT },       { unit_state_retell, STATE },
    { rollout_retell, ROLLOUT },     { machine_retell, MACHINE }, { service_retell, SERVICE },
};

static void model__documents_come_back_as_written(void **state)
{
    for (size_t i = 0; i < DEIS_COUNT(kinds); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        deis_autofree char *out = kinds[i].retell(kinds[i].text, &err);
        assert_non_null(out);
        assert_string_equal(out, kinds[i].text);
    }
}

/* Every member in turn becomes of a type that it must not have: refused, and the member is named.
 */
static void model__wrong_types_are_refused(void **state)
{
    for (size_t i = 0; i < DEIS_COUNT(kinds); i++) {
        deis_autojson json_t *doc = deis_json_parse(deis_str(kinds[i].text), NULL);
        const char *key;
        json_t *value;

        json_object_foreach(doc, key, value)
        {
            struct deis_err err = DEIS_ERR_INIT;
            deis_autojson json_t *copy = json_copy(doc);
            json_object_set_new(copy, key, json_real(0.5));
            deis_autofree char *text = deis_json_dump(copy);
            if (kinds[i].retell(text, &err)) {
                fail_msg("'%s' of document %zu was taken as 0.5", key, i);
            }
            assert_int_equal(err.code, DEIS_INVALID);
            assert_non_null(strstr(err.msg, key));
        }
    }
}

static void model__members_that_must_be_there_are_named(void **state)
{
    static const struct {
        size_t kind;
        const char *key;
    } required[] = {
        { 0, "app" },       { 0, "generation" }, { 0, "image" }, { 0, "env" },
        { 0, "processes" }, { 1, "unit" },       { 1, "app" },   { 1, "machine" },
        { 1, "desired" },   { 1, "image" },      { 2, "unit" },  { 2, "machine" },
        { 2, "state" },     { 3, "app" },        { 3, "state" }, { 4, "id" },
    };

    for (size_t i = 0; i < DEIS_COUNT(required); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        deis_autojson json_t *doc = deis_json_parse(deis_str(kinds[required[i].kind].text), NULL);
        json_object_del(doc, required[i].key);
        deis_autofree char *text = deis_json_dump(doc);
        assert_null(kinds[required[i].kind].retell(text, &err));
        assert_non_null(strstr(err.msg, required[i].key));
    }
}

static void model__what_is_inside_is_checked_too(void **state)
{
    static const struct {
        size_t kind;
        const char *key;
        const char *value;
    } cases[] = {
        { 0, "processes", "{\"Web\":{}}" },
        { 0, "processes", "{\"web\":{\"tags\":{\"rack\":2}}}" },
        { 0, "processes", "{\"web\":{\"restarts\":{\"all\":\"1\"}}}" },
        { 0, "processes", "{\"web\":{\"restarts\":{\"all\":-1}}}" },
        { 0, "processes", "{\"web\":{\"count\":4294967296}}" },
        { 0, "processes", "{\"web\":{\"command\":[\"a\",1]}}" },
        { 0, "health", "{}" },
        { 0, "app", "\"a/b\"" },
        { 1, "desired", "\"maybe\"" },
        { 1, "unit", "\"\"" },
        { 1, "machine", "\"m/../m\"" },
        { 2, "unit", "\"u\\n\"" },
        { 2, "state", "\"asleep\"" },
        { 2, "exit", "{\"code\":\"137\"}" },
        { 2, "exit", "{\"code\":4294967296}" },
        { 3, "state", "\"\"" },
        { 4, "metadata", "{\"rack\":null}" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        deis_autojson json_t *doc = deis_json_parse(deis_str(kinds[cases[i].kind].text), NULL);
        json_object_set_new(doc, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        deis_autofree char *text = deis_json_dump(doc);
        if (kinds[cases[i].kind].retell(text, &err)) {
            fail_msg("%s = %s was taken", cases[i].key, cases[i].value);
        }
        assert_int_equal(err.code, DEIS_INVALID);
    }
}

static void model__names_fit_in_keys(void **state)
{
    struct deis_unit u;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = deis_json_parse(deis_str(UNIT), NULL);
    char name[DEIS_NAME_MAX + 2] = { 0 };
    char key[DEIS_KEY_MAX];

    memset(name, 'x', DEIS_NAME_MAX);
    json_object_set_new(doc, "unit", json_string(name));
    json_object_set_new(doc, "machine", json_string(name));
    deis_autofree char *longest = deis_json_dump(doc);
    assert_int_equal(deis_unit_parse(deis_str(longest), &u, &err), 0);
    deis_key(key, "states/%s/%s", u.machine, u.unit);
    assert_true(deis_key_below(key, "states/").len == 2 * DEIS_NAME_MAX + 1);
    deis_unit_clear(&u);
    name[DEIS_NAME_MAX] = 'x';
    json_object_set_new(doc, "machine", json_string(name));
    deis_autofree char *too_long = deis_json_dump(doc);
    assert_int_equal(deis_unit_parse(deis_str(too_long), &u, &err), DEIS_INVALID);
}

static void model__sealed_values_are_found(void **state)
{
    static const struct {
        const char *key;
        const char *doc;
        const char *aads[DEIS_SEALED_PER_DOC]; /* of what is found, in order */
    } rows[] = {
        { "/deis/apps/blog/configs/1", "{\"app\":\"blog\",\"values\":\"s\"}", { "config/blog" } },
        { "/deis/apps/blog", "{\"app\":\"blog\",\"values\":\"s\"}", { NULL } },
        { "/deis/apps/blog/builds/1", "{\"app\":\"blog\",\"values\":\"s\"}", { NULL } },
        { "/deis/acme/account", "{\"key\":\"s\"}", { "acme/account" } },
        { "/deis/certs/example.com", "{\"key\":\"s\",\"app\":\"x\"}", { "cert/example.com" } },
        { "/deis/formations/blog", "{\"env\":\"s\"}", { "env/blog" } },
        { "/deis/formations/blog", "{\"env\":\"\"}", { NULL } },
        { "/deis/units/blog_v1.web.1-0", "{\"app\":\"blog\",\"env\":\"s\"}", { "env/blog" } },
        { "/deis/units/blog_v1.web.1-0", "{\"env\":\"s\"}", { NULL } },
        { "/deis/operations/blog",
          "{\"candidate\":{\"config\":{\"values\":\"s\"}},\"previous\":{\"env\":\"t\"}}",
          { "config/blog", "env/blog" } },
        { "/deis/operations/blog",
          "{\"candidate\":{\"config\":null},\"previous\":null}",
          { NULL } },
        { "/deis/users/blog", "{\"values\":\"s\",\"key\":\"s\",\"env\":\"s\"}", { NULL } },
        { "/deis/certs/x", "[]", { NULL } },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_sealed_place found[DEIS_SEALED_PER_DOC];
        deis_autojson json_t *doc = deis_json_parse(deis_str(rows[i].doc), NULL);
        size_t count = deis_sealed_places(rows[i].key, doc, found);
        size_t want = 0;
        while (want < DEIS_SEALED_PER_DOC && rows[i].aads[want]) {
            want++;
        }
        assert_int_equal(count, want);
        for (size_t n = 0; n < count; n++) {
            assert_string_equal(found[n].aad, rows[i].aads[n]);
            assert_non_null(json_string_value(json_object_get(found[n].object, found[n].member)));
        }
        assert_true(count == 0 || deis_sealed_holds(rows[i].key));
    }
}

static void model__keys_are_told_apart(void **state)
{
    char key[DEIS_KEY_MAX];

    assert_string_equal(deis_key(key, "apps/%s", "blog"), "/deis/apps/blog");
    assert_true(deis_str_eq_cstr(deis_key_below(key, "apps/"), "blog"));
    assert_null(deis_key_below(key, "units/").ptr);
    assert_null(deis_key_below("/other/apps/blog", "apps/").ptr);
}

static void model__lists_are_compared_and_copied(void **state)
{
    char a[] = "a", b[] = "b";
    char *ab[] = { a, b, NULL };
    char *only_a[] = { a, NULL };
    char *none[] = { NULL };
    char **copy = deis_strv_copy(ab);

    assert_true(deis_strv_eq(ab, copy));
    assert_false(deis_strv_eq(ab, only_a));
    assert_false(deis_strv_eq(only_a, ab));
    assert_false(deis_strv_eq(none, NULL)); /* no command is not the image's own */
    assert_true(deis_strv_eq(NULL, NULL));
    assert_null(deis_strv_copy(NULL));
    deis_strv_free(copy);
}

/* A message of Docker with the user's own words in it is cut at a number of bytes. */
static void rollout__a_reason_that_was_cut_is_kept(void **state)
{
    char app[] = "blog", operation[] = "op", reason[] = "exec: \"caf\xC3", nothing[] = "";
    const struct deis_rollout rollout = { .app = app,
                                          .operation = operation,
                                          .state = DEIS_ROLLOUT_FAILED,
                                          .reason = reason,
                                          .unit = nothing,
                                          .machine = nothing };
    deis_autofree char *text = deis_rollout_format(&rollout);
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_rollout got;

    assert_int_equal(deis_rollout_parse(deis_str(text), &got, &err), 0);
    assert_string_equal(got.reason, "exec: \"caf\xEF\xBF\xBD");
    deis_rollout_clear(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model__documents_come_back_as_written),
        cmocka_unit_test(model__wrong_types_are_refused),
        cmocka_unit_test(model__members_that_must_be_there_are_named),
        cmocka_unit_test(model__what_is_inside_is_checked_too),
        cmocka_unit_test(model__names_fit_in_keys),
        cmocka_unit_test(model__sealed_values_are_found),
        cmocka_unit_test(model__keys_are_told_apart),
        cmocka_unit_test(model__lists_are_compared_and_copied),
        cmocka_unit_test(rollout__a_reason_that_was_cut_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
