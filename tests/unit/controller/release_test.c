/* SPDX-License-Identifier: MIT */
/* Config, releases, structure, formations, operations: the rules of what runs. */
#include "controller/core/appconfig.h"
#include "controller/core/container.h"
#include "controller/core/keep.h"
#include "controller/core/operation.h"
#include "controller/core/plan.h"
#include "controller/core/release.h"
#include "tests/support/test.h"

static json_t *obj(const char *text)
{
    struct deis_err err = DEIS_ERR_INIT;
    json_t *value = deis_json_parse(deis_str(text), &err);

    if (!value) {
        fail_msg("%s: %s", text, err.msg);
    }
    return value;
}

/* Apply a request to a config; NULL when it is refused, *ret_errors then holds why. */
static json_t *apply(const json_t *old, const char *request, json_t **ret_errors)
{
    deis_autojson json_t *body = obj(request);
    struct fields f;

    fields_init(&f, body);
    deis_autojson json_t *change = appconfig_parse_change(&f);
    json_t *now = change ? appconfig_merge(old, change, &f) : NULL;
    json_t *errors = fields_take_errors(&f);
    if (ret_errors) {
        *ret_errors = errors;
    } else {
        json_decref(errors);
    }
    return now;
}

static void expect_json(const json_t *value, const char *expected)
{
    deis_autofree char *text = deis_json_dump(value);

    assert_string_equal(text, expected);
}

static void config__merges_removes_and_normalises(void **state)
{
    deis_autojson json_t *none = appconfig_empty();
    deis_autojson json_t *one = apply(
        none, "{\"values\":\"{\\\"PORT\\\":5000,\\\"ON\\\":true}\",\"cpu\":{\"web\":\"512\"}}",
        NULL);
    deis_autojson json_t *two = apply(
        one, "{\"values\":{\"ON\":null,\"NEVER\":null,\"E\":\"\"},\"tags\":{\"rack\":2}}", NULL);

    expect_json(
        one,
        "{\"values\":{\"PORT\":\"5000\",\"ON\":\"True\"},\"memory\":{},\"cpu\":{\"web\":512},\"tags\":{}}");
    expect_json(
        two,
        "{\"values\":{\"PORT\":\"5000\",\"E\":\"\"},\"memory\":{},\"cpu\":{\"web\":512},\"tags\":{\"rack\":\"2\"}}");
}

static void config__every_rule_has_its_message(void **state)
{
    static const struct {
        const char *request;
        const char *field;
        const char *message; /* NULL: accepted */
    } cases[] = {
        { "{\"values\":{\"FOO_BAR_1\":\"x\"}}", "values", NULL },
        { "{\"values\":{\"_foo\":\"x\"}}", "values", NULL },
        { "{\"values\":{\"123\":\"x\"}}", "values",
          "Config keys must start with a letter or underscore and only contain [A-z0-9_]" },
        { "{\"values\":{\"FOO-BAR\":null}}", "values",
          "Config keys must start with a letter or underscore and only contain [A-z0-9_]" },
        { "{\"values\":{\"A\":[1]}}", "values",
          "The value of A must be a text, number or boolean" },
        { "{\"values\":{\"HEALTHCHECK_TIMEOUT\":\"soon\"}}", "values",
          "HEALTHCHECK_TIMEOUT must be a whole number of seconds, 3600 at most" },
        { "{\"values\":null}", "values", "This field may not be null." },
        { "{\"values\":\"[]\"}", "values", "Expected a JSON object of names and values." },
        { "{\"memory\":{\"web\":\"20MB\"}}", "memory", NULL },
        { "{\"memory\":{\"web1\":\"20gb\"}}", "memory", NULL },
        { "{\"memory\":{\"web\":\"20MK\"}}", "memory",
          "Limit format: <number><unit>, where unit = B, K, M or G" },
        { "{\"memory\":{\"web\":300}}", "memory",
          "Limit format: <number><unit>, where unit = B, K, M or G" },
        { "{\"memory\":{\"Web\":\"1G\"}}", "memory", "Process types can only contain [a-z]" },
        { "{\"memory\":{\"Web\":null}}", "memory", NULL },
        { "{\"cpu\":{\"web\":1024}}", "cpu", NULL },
        { "{\"cpu\":{\"web\":2000}}", "cpu", "CPU shares must be between 0 and 1024" },
        { "{\"cpu\":{\"web\":-1}}", "cpu", "CPU shares must be an integer" },
        { "{\"cpu\":{\"web\":\"this will fail\"}}", "cpu", "CPU shares must be an integer" },
        { "{\"tags\":{\"in.valid\":\"x\"}}", "tags", "Tag keys can only contain [a-z]" },
        { "{\"tags\":{\"rack\":\"a\\nb\"}}", "tags", "Invalid tag value" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autojson json_t *none = appconfig_empty();
        json_t *errors = NULL;
        deis_autojson json_t *now = apply(none, cases[i].request, &errors);
        const char *message =
            json_string_value(json_array_get(json_object_get(errors, cases[i].field), 0));
        if (cases[i].message) {
            assert_null(now);
            assert_non_null(message);
            assert_string_equal(message, cases[i].message);
        } else {
            assert_non_null(now);
        }
        json_decref(errors);
    }
}

static void config__summaries(void **state)
{
    deis_autojson json_t *none = appconfig_empty();
    deis_autojson json_t *old =
        obj("{\"values\":{\"A\":\"1\",\"B\":\"1\"},\"memory\":{},\"cpu\":{\"w\":1},"
            "\"tags\":{\"a\":\"1\",\"b\":\"1\"}}");
    deis_autojson json_t *now =
        obj("{\"values\":{\"A\":\"2\",\"C\":\"1\",\"D\":\"1\"},\"memory\":{\"w\":\"1G\"},"
            "\"cpu\":{},\"tags\":{\"b\":\"2\"}}");
    deis_autofree char *nothing = appconfig_summary("mira", old, old);
    deis_autofree char *all = appconfig_summary("mira", old, now);
    deis_autofree char *tags = appconfig_summary("mira", none, now);

    assert_string_equal(nothing, "mira changed nothing");
    assert_string_equal(all,
                        "mira added C, D, changed A, deleted B and changed limits for memory, cpu "
                        "and changed tag b, deleted tag a");
    assert_string_equal(tags, "mira added A, C, D and changed limits for memory and added tag b");
}

static void release__rollback_targets(void **state)
{
    static const struct {
        const char *wanted;
        int result;
        uint32_t version;
    } cases[] = {
        { "null", 0, 3 },
        { "0", 0, 3 },
        { "2", 0, 2 },
        { "\"2\"", 0, 2 },
        { "4", 0, 4 },
        { "5", DEIS_NOT_FOUND, 0 },
        { "-1", DEIS_INVALID, 0 },
        { "\"x\"", DEIS_INVALID, 0 },
        { "[]", DEIS_INVALID, 0 },
    };
    struct deis_err err = DEIS_ERR_INIT;
    uint32_t version = 0;

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autofree char *text = deis_asprintf("{\"v\":%s}", cases[i].wanted);
        deis_autojson json_t *body = obj(text);
        assert_int_equal(release_rollback_target(json_object_get(body, "v"), 4, &version, &err),
                         cases[i].result);
        if (cases[i].result == 0) {
            assert_int_equal(version, cases[i].version);
        }
    }
    assert_int_equal(release_rollback_target(NULL, 1, &version, &err), DEIS_INVALID);
    assert_string_equal(err.msg, "version cannot be below 0");
}

static void release__image_references(void **state)
{
    static const struct {
        const char *build;
        const char *image;
    } cases[] = {
        { "{\"image\":\"acme/shop:3\",\"sha\":\"\"}", "acme/shop:3" },
        { "{\"image\":\"acme/shop\",\"sha\":\"\"}", "acme/shop:latest" },
        { "{\"image\":\"10.0.0.1:5000/shop\",\"sha\":\"\"}", "10.0.0.1:5000/shop:latest" },
        { "{\"image\":\"blog\",\"sha\":\"0123456789abcdef\"}", "127.0.0.1:5555/blog:git-01234567" },
        { "{\"image\":\"127.0.0.1:5555/blog@sha256:00\",\"sha\":\"0123456789\"}",
          "127.0.0.1:5555/blog@sha256:00" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autojson json_t *build = obj(cases[i].build);
        deis_autofree char *image = build_image(build, "127.0.0.1:5555");
        assert_string_equal(image, cases[i].image);
    }
}

/* --- structure and formation --- */

static void plan__default_structure(void **state)
{
    static const struct {
        const char *build;
        const char *structure;
    } cases[] = {
        { "{\"sha\":\"\",\"dockerfile\":\"\",\"procfile\":{}}", "{\"cmd\":1}" },
        { "{\"sha\":\"\",\"dockerfile\":\"\",\"procfile\":{\"web\":\"x\"}}", "{\"cmd\":1}" },
        { "{\"sha\":\"a\",\"dockerfile\":\"true\",\"procfile\":{}}", "{\"cmd\":1}" },
        { "{\"sha\":\"a\",\"dockerfile\":\"true\",\"procfile\":{\"worker\":\"x\"}}",
          "{\"cmd\":1}" },
        { "{\"sha\":\"a\",\"dockerfile\":\"true\",\"procfile\":{\"web\":\"x\"}}", "{\"web\":1}" },
        { "{\"sha\":\"a\",\"dockerfile\":\"\",\"procfile\":{\"web\":\"x\",\"worker\":\"y\"}}",
          "{\"web\":1}" },
        { "{\"sha\":\"a\",\"dockerfile\":\"\",\"procfile\":{}}", "{\"web\":1}" },
    };

    deis_autojson json_t *empty = json_object();
    deis_autojson json_t *zero = obj("{\"web\":0}");

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autojson json_t *build = obj(cases[i].build);
        deis_autojson json_t *structure = plan_structure(empty, build);
        deis_autojson json_t *kept = plan_structure(zero, build);
        expect_json(structure, cases[i].structure);
        expect_json(kept, "{\"web\":0}");
    }
}

static void plan__scale_requests(void **state)
{
    static const struct {
        const char *request;
        const char *result; /* counts, or the message */
    } cases[] = {
        { "{\"web\":2,\"worker\":\"3\"}", "{\"web\":2,\"worker\":3}" },
        { "{\"web\":1.7}", "{\"web\":1}" },
        { "{}", "{}" },
        { "{\"web\":\"not_an_int\"}",
          "Invalid scaling format: invalid literal for int() with base 10: 'not_an_int'" },
        { "{\"web\":-1}", "Invalid scaling format: Must be greater than or equal to zero" },
        { "{\"web\":[1]}", "Invalid scaling format: int() argument must be a string or a number" },
        { "{\"web\":100000}", "Invalid scaling format: Must be less than or equal to 1000" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autojson json_t *request = obj(cases[i].request);
        deis_autojson json_t *counts = NULL;
        struct deis_err err = DEIS_ERR_INIT;
        if (plan_parse_scale(request, &counts, &err) == 0) {
            expect_json(counts, cases[i].result);
        } else {
            assert_string_equal(err.msg, cases[i].result);
        }
    }
    deis_autojson json_t *structure = obj("{\"web\":2,\"worker\":0,\"clock\":1}");
    deis_autojson json_t *request = obj("{\"web\":0}");
    deis_autojson json_t *after = plan_scale(structure, request);
    expect_json(after, "{\"web\":0,\"clock\":1}");
}

static struct plan_input input(const json_t *build, const json_t *config, json_t *structure)
{
    return (struct plan_input){ .app = "blog",
                                .version = 7,
                                .build = build,
                                .config = config,
                                .structure = structure,
                                .image = "img@sha256:00",
                                .env = "v1:new",
                                .operation = "op",
                                .generation = 15,
                                .start_timeout_ms = 60000,
                                .grace_ms = 10000 };
}

static void plan__formation_follows_from_build_config_structure(void **state)
{
    deis_autojson json_t *build =
        obj("{\"sha\":\"abc\",\"dockerfile\":\"true\",\"procfile\":{\"web\":\"node s.js\"}}");
    deis_autojson json_t *config = obj(
        "{\"values\":{\"HEALTHCHECK_URL\":\"ok\",\"HEALTHCHECK_INITIAL_DELAY\":\"5\",\"DEIS_DEPLOY_TIMEOUT\":\"30\"},"
        "\"memory\":{\"web\":\"256MB\"},\"cpu\":{\"web\":512},\"tags\":{\"rack\":\"2\"}}");
    deis_autojson json_t *structure = obj("{\"web\":2,\"gone\":3,\"cmd\":1,\"none\":0}");
    struct plan_input in = input(build, config, structure);
    struct deis_formation f;

    assert_int_equal(plan_formation(&in, &f, NULL), 0);
    assert_int_equal(f.process_count,
                     2); /* a type that the build dropped, and one at 0, are not there */
    assert_string_equal(f.processes[0].type, "web");
    assert_int_equal(f.processes[0].count, 2);
    assert_string_equal(f.processes[0].command[2], "node s.js");
    assert_null(f.processes[0].entrypoint);
    assert_int_equal(f.processes[0].memory_bytes, 268435456);
    assert_int_equal(f.processes[0].cpu_shares, 512);
    assert_true(f.processes[0].routable);
    assert_null(f.processes[1].command); /* cmd: as the image says */
    assert_string_equal(f.health.path, "/ok");
    assert_int_equal(f.health.delay_ms, 5000);
    assert_int_equal(f.health.timeout_ms, 1000);
    assert_int_equal(f.start_timeout_ms, 30000); /* the delay is the engine's to add */
    deis_autofree char *env = plan_env(config, "blog", 7, build);
    assert_non_null(
        strstr(env, "\"DEIS_APP\":\"blog\",\"DEIS_RELEASE\":\"v7\",\"GIT_SHA\":\"abc\""));
    deis_formation_clear(&f);
}

static void plan__scaling_leaves_the_running_units_as_they_are(void **state)
{
    deis_autojson json_t *build = obj("{\"sha\":\"\",\"dockerfile\":\"\",\"procfile\":{}}");
    deis_autojson json_t *config = appconfig_empty();
    deis_autojson json_t *one = obj("{\"cmd\":1}");
    deis_autojson json_t *two = obj("{\"cmd\":2}");
    struct plan_input in = input(build, config, one);
    struct deis_formation before, after;

    assert_int_equal(plan_formation(&in, &before, NULL), 0);
    assert_int_equal(plan_restart(&before, "cmd", 0), 1);
    assert_int_equal(plan_restart(&before, "cmd", 1), 1);
    assert_int_equal(plan_restart(&before, "cmd", 2), 0);
    assert_int_equal(plan_restart(&before, "web", 0), 0);
    in.structure = two;
    in.env = "v1:other nonce";
    in.current = &before;
    assert_int_equal(plan_formation(&in, &after, NULL), 0);
    assert_string_equal(after.env, "v1:new");
    expect_json(after.processes[0].restarts, "{\"all\":1,\"1\":1}");
    deis_formation_clear(&after);
    in.version = 8; /* a new release replaces them anyway */
    assert_int_equal(plan_formation(&in, &after, NULL), 0);
    assert_string_equal(after.env, "v1:other nonce");
    assert_null(after.processes[0].restarts);
    deis_formation_clear(&after);
    deis_formation_clear(&before);
}

/* --- operations --- */

static struct operation sample(void)
{
    return (struct operation){ .id = deis_strdup("op-1"),
                               .kind = deis_strdup("build"),
                               .app = deis_strdup("blog"),
                               .owner = deis_strdup("mira"),
                               .request = deis_strdup("r"),
                               .instance = deis_strdup("one"),
                               .boot = deis_strdup("b"),
                               .summary = deis_strdup("mira deployed x"),
                               .generation = 15,
                               .started_ms = 1,
                               .start_timeout_ms = 60000,
                               .release = obj("{\"version\":2}"),
                               .previous = obj("{\"generation\":14}") };
}

static void operation__survives_its_document(void **state)
{
    struct operation op = sample(), back;
    deis_autofree char *text = operation_format(&op);

    assert_int_equal(operation_parse(deis_str(text), &back, NULL), 0);
    deis_autofree char *again = operation_format(&back);
    assert_string_equal(text, again);
    assert_null(back.config);
    assert_non_null(back.previous);
    operation_clear(&op);
    operation_clear(&back);
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(operation_parse(DEIS_STR("{\"id\":\"x\"}"), &back, &err), DEIS_INVALID);
    assert_string_equal(err.msg, "operation: field 'kind' is missing");
}

static void operation__judges_the_engine(void **state)
{
    struct operation op = sample();
    char mine[] = "op-1", other[] = "op-0";
    struct deis_rollout r = { .generation = 15, .operation = mine, .state = DEIS_ROLLOUT_DONE };
    struct operation_wait wait = { 0 };

    assert_int_equal(operation_judge(&op, NULL, &wait), OPERATION_WAIT);
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_DONE);
    r.state = DEIS_ROLLOUT_FAILED;
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_FAILED);
    r.state = DEIS_ROLLOUT_RUNNING;
    wait.silent_ms = wait.total_ms = operation_patience_ms(&op);
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_WAIT);
    wait.silent_ms++;
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_OVERDUE);
    wait = (struct operation_wait){ .total_ms = 21 * 60 * 1000 };
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_OVERDUE);
    wait = (struct operation_wait){ .engine_gone_ms = 61000 };
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_ORPHANED);
    r.state = DEIS_ROLLOUT_DONE; /* what it said before it went counts */
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_DONE);
    wait = (struct operation_wait){ 0 };
    r.generation = 14;
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_WAIT);
    r.generation = 15;
    r.operation = other; /* left behind by an app of the same name */
    assert_int_equal(operation_judge(&op, &r, &wait), OPERATION_WAIT);
    operation_clear(&op);
}

static void operation__ids(void **state)
{
    assert_true(operation_id_fits("0b8f6c0e-51f5-4f0c-9f0e-3a4a0f6f2c11"));
    assert_false(operation_id_fits(""));
    assert_false(operation_id_fits("a/b"));
    assert_false(
        operation_id_fits("01234567890123456789012345678901234567890123456789012345678901234"));
}

static void outcome__survives_its_document(void **state)
{
    char app[] = "blog", reason[] = "it crashed", line[] = "why";
    char *log[] = { line, NULL };
    const struct outcome o = {
        .app = app, .reason = reason, .log = log, .at_ms = 7, .cause = OUTCOME_HEALTH
    };
    deis_autofree char *text = outcome_format(&o);
    struct outcome back;

    assert_int_equal(outcome_parse(deis_str(text), &back, NULL), 0);
    assert_string_equal(back.reason, "it crashed");
    assert_string_equal(back.log[0], "why");
    assert_int_equal(back.at_ms, 7);
    assert_false(back.done);
    assert_int_equal(back.cause, OUTCOME_HEALTH);
    deis_autofree char *words = outcome_text(&back);
    assert_string_equal(words,
                        "aborting, app containers failed to respond to health check: it crashed\n"
                        "its last log lines:\n  why");
    outcome_clear(&back);
}

static void outcome__causes_of_the_engines_words(void **state)
{
    assert_int_equal(outcome_cause_of("web.1 was not ready within 60 s", true), OUTCOME_HEALTH);
    assert_int_equal(outcome_cause_of("web.1 was not ready within 60 s", false), OUTCOME_CREATE);
    assert_int_equal(outcome_cause_of("web.1 exited with code 1 before it was ready", true),
                     OUTCOME_CREATE);
    assert_int_equal(outcome_cause_of("web.1 could not be stopped: no answer", false),
                     OUTCOME_DESTROY);
}

/* --- containers --- */

static void container__states_as_the_api_names_them(void **state)
{
    static const struct {
        enum deis_state state;
        bool ready;
        bool routable;
        const char *name;
    } cases[] = {
        { DEIS_STATE_CREATED, false, true, "created" },
        { DEIS_STATE_STARTING, false, true, "down" },
        { DEIS_STATE_UP, true, true, "up" },
        { DEIS_STATE_UP, false, true, "down" },
        { DEIS_STATE_UP, false, false, "up" },
        { DEIS_STATE_CRASHED, false, true, "crashed" },
        { DEIS_STATE_STOPPING, true, true, "down" },
        { DEIS_STATE_ERROR, false, true, "error" },
    };
    struct deis_unit unit = { 0 };

    assert_string_equal(container_state(&unit, NULL), "initialized");
    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        const struct deis_unit_state s = { .state = cases[i].state, .ready = cases[i].ready };
        unit.routable = cases[i].routable;
        assert_string_equal(container_state(&unit, &s), cases[i].name);
    }
}

static void container__uuid_belongs_to_the_unit(void **state)
{
    char a[37], b[37], c[37];

    container_uuid("blog_v7.web.1-1a2b3c4d", a);
    container_uuid("blog_v7.web.1-1a2b3c4d", b);
    container_uuid("blog_v7.web.2-1a2b3c4d", c);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '4');
}

static void container__details_of_a_unit_that_crashed_and_of_a_silent_one(void **state)
{
    char reason[] = "back-off", error[] = "";
    const struct deis_unit_state s = { .ready = false,
                                       .exits = 3,
                                       .exit_code = 137,
                                       .exit_oom = true,
                                       .exit_error = error,
                                       .exit_at_ms = 1700000000000,
                                       .since_ms = 1700000001000,
                                       .reason = reason };
    deis_autojson json_t *doc = json_object();
    deis_autojson json_t *silent = json_object();
    deis_autojson json_t *want = obj(
        "{\"machine\":\"m\",\"ready\":false,\"since\":\"2023-11-14T22:13:21UTC\",\"restarts\":3,"
        "\"exit\":{\"code\":137,\"oom\":true,\"error\":\"\",\"at\":\"2023-11-14T22:13:20UTC\"},"
        "\"reason\":\"back-off\"}");
    deis_autojson json_t *want_silent =
        obj("{\"machine\":null,\"ready\":false,\"since\":null,\"restarts\":0,\"exit\":null,"
            "\"reason\":\"\"}");

    container_add_detail(doc, "m", &s);
    container_add_detail(silent, NULL, NULL);
    assert_true(json_equal(doc, want));
    assert_true(json_equal(silent, want_silent));
}

static void keep__surplus_leaves_two_at_least(void **state)
{
    assert_int_equal(keep_surplus(0, 3), 0);
    assert_int_equal(keep_surplus(3, 3), 0);
    assert_int_equal(keep_surplus(7, 3), 4);
    assert_int_equal(keep_surplus(7, 0), 5);
}

static void keep__what_the_app_or_a_release_means_stays(void **state)
{
    deis_autojson json_t *names = obj("[\"a\",\"b\",\"c\",\"d\"]");
    deis_autojson json_t *app = obj("{\"config\":\"d\",\"build\":null}");
    deis_autojson json_t *releases =
        obj("[{\"config\":\"b\",\"build\":\"a\"},{\"config\":\"b\",\"build\":null}]");
    deis_autojson json_t *configs = keep_unused(names, app, releases, "config");
    deis_autojson json_t *builds = keep_unused(names, app, releases, "build");
    deis_autojson json_t *want_configs = obj("[\"a\",\"c\"]");
    deis_autojson json_t *want_builds = obj("[\"b\",\"c\",\"d\"]");

    assert_true(json_equal(configs, want_configs));
    assert_true(json_equal(builds, want_builds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config__merges_removes_and_normalises),
        cmocka_unit_test(config__every_rule_has_its_message),
        cmocka_unit_test(config__summaries),
        cmocka_unit_test(release__rollback_targets),
        cmocka_unit_test(release__image_references),
        cmocka_unit_test(plan__default_structure),
        cmocka_unit_test(plan__scale_requests),
        cmocka_unit_test(plan__formation_follows_from_build_config_structure),
        cmocka_unit_test(plan__scaling_leaves_the_running_units_as_they_are),
        cmocka_unit_test(operation__survives_its_document),
        cmocka_unit_test(operation__judges_the_engine),
        cmocka_unit_test(operation__ids),
        cmocka_unit_test(outcome__survives_its_document),
        cmocka_unit_test(outcome__causes_of_the_engines_words),
        cmocka_unit_test(container__states_as_the_api_names_them),
        cmocka_unit_test(container__uuid_belongs_to_the_unit),
        cmocka_unit_test(container__details_of_a_unit_that_crashed_and_of_a_silent_one),
        cmocka_unit_test(keep__surplus_leaves_two_at_least),
        cmocka_unit_test(keep__what_the_app_or_a_release_means_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
