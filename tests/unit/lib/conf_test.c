/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/conf/conf.h"

struct settings {
    char *name;
    char *token;
    uint32_t port;
    bool debug;
    uint64_t wait_ms;
    uint64_t size_bytes;
};

static const struct deis_conf_row rows[] = {
    { "test-name", "name", DEIS_CONF_TEXT, offsetof(struct settings, name), "none", DEIS_CONF_LIVE,
      "a name" },
    { "test-token", NULL, DEIS_CONF_TEXT, offsetof(struct settings, token), NULL, DEIS_CONF_SECRET,
      "a secret" },
    { "test-port", "port", DEIS_CONF_U32, offsetof(struct settings, port), "80", 0, "a port" },
    { "test-debug", "debug", DEIS_CONF_BOOL, offsetof(struct settings, debug), "off", 0,
      "a switch" },
    { "test-wait", "wait", DEIS_CONF_MS, offsetof(struct settings, wait_ms), "1s", 0, "a time" },
    { "test-size", "size", DEIS_CONF_BYTES, offsetof(struct settings, size_bytes), "1k",
      DEIS_CONF_SECRET, "a size" },
};

#define ROWS rows, DEIS_COUNT(rows)

static int load(struct settings *s, int *ret_rest, struct deis_err *err, int argc, char **argv)
{
    return deis_conf_load(ROWS, "test", "Tests.", argc, argv, s, ret_rest, err);
}

#define LOAD(s, rest, err, ...)                                                                    \
    ({                                                                                             \
        char *argv_[] = { (char[]){ "test" }, __VA_ARGS__ };                                       \
        load(s, rest, err, DEIS_COUNT(argv_), argv_);                                              \
    })
#define WORD(text) ((char[]){ text })

static int clear_environment(void **state)
{
    unsetenv("DEIS_TEST_NAME");
    unsetenv("DEIS_TEST_PORT");
    unsetenv("DEIS_TEST_SIZE");
    return 0;
}

static void load__starts_with_the_defaults(void **state)
{
    struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char *argv[] = { WORD("test") };
    assert_int_equal(load(&s, NULL, &err, 1, argv), 0);
    assert_string_equal(s.name, "none");
    assert_null(s.token);
    assert_int_equal(s.port, 80);
    assert_false(s.debug);
    assert_int_equal(s.wait_ms, 1000);
    assert_int_equal(s.size_bytes, 1024);
    deis_conf_free(ROWS, &s);
    assert_null(s.name);
}

static void flag__wins_over_the_environment(void **state)
{
    struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    setenv("DEIS_TEST_NAME", "from env", 1);
    setenv("DEIS_TEST_PORT", "81", 1);
    assert_int_equal(LOAD(&s, NULL, &err, WORD("--test-port"), WORD("82"), WORD("--test-debug"),
                          WORD("--test-wait=5m"), WORD("--test-token="), WORD("--test-port=83")),
                     0);
    assert_string_equal(s.name, "from env");
    assert_string_equal(s.token, "");
    assert_int_equal(s.port, 83);
    assert_true(s.debug);
    assert_int_equal(s.wait_ms, 300000);
    deis_conf_free(ROWS, &s);
}

static void faults__are_told_all_at_once(void **state)
{
    struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    setenv("DEIS_TEST_PORT", "eighty", 1);
    assert_int_equal(LOAD(&s, NULL, &err, WORD("--test-debug=maybe"), WORD("--nonsense=5"),
                          WORD("--test-size"), WORD("hunter2"), WORD("--test-wait"), WORD("1y"),
                          WORD("word")),
                     DEIS_INVALID);
    assert_string_equal(err.msg,
                        "DEIS_TEST_PORT: 'eighty' is not a whole number from 0 to 4294967295\n"
                        "--test-debug: must be true, false, on, off, 1 or 0\n"
                        "unknown flag '--nonsense'\n"
                        "--test-size: the value is invalid\n"
                        "--test-wait: '1y' is not a time such as 500ms, 30s, 5m or 2h\n"
                        "unexpected word 'word'");
    deis_conf_free(ROWS, &s);
}

static void flag__without_its_value_is_a_fault(void **state)
{
    struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(LOAD(&s, NULL, &err, WORD("--test-port")), DEIS_INVALID);
    assert_string_equal(err.msg, "--test-port: the value is missing");
    deis_conf_free(ROWS, &s);
}

static void rest__begins_at_the_first_word(void **state)
{
    struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    int rest = 0;
    assert_int_equal(LOAD(&s, &rest, &err, WORD("--test-debug"), WORD("list"), WORD("--other")), 0);
    assert_int_equal(rest, 2);
    deis_conf_free(ROWS, &s);
    assert_int_equal(LOAD(&s, &rest, &err, WORD("--"), WORD("--list")), 0);
    assert_int_equal(rest, 2);
    deis_conf_free(ROWS, &s);
    assert_int_equal(LOAD(&s, &rest, &err, WORD("--test-debug")), 0);
    assert_int_equal(rest, 2);
    deis_conf_free(ROWS, &s);
}

static void etcd__fills_what_nobody_else_set(void **state)
{
    struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    setenv("DEIS_TEST_NAME", "from env", 1);
    assert_int_equal(LOAD(&s, NULL, &err, WORD("--test-wait=2s")), 0);
    assert_int_equal(deis_conf_apply(ROWS, &s, DEIS_STR("name"), "from etcd", &err), 0);
    assert_string_equal(s.name, "from env");
    assert_int_equal(deis_conf_apply(ROWS, &s, DEIS_STR("wait"), "9s", &err), 0);
    assert_int_equal(s.wait_ms, 2000);
    assert_int_equal(deis_conf_apply(ROWS, &s, DEIS_STR("port"), "90", &err), 0);
    assert_int_equal(s.port, 90);
    assert_int_equal(deis_conf_apply(ROWS, &s, DEIS_STR("port"), "x", &err), DEIS_INVALID);
    assert_string_equal(err.msg, "setting 'port': 'x' is not a whole number from 0 to 4294967295");
    assert_int_equal(s.port, 90);
    assert_int_equal(deis_conf_apply(ROWS, &s, DEIS_STR("port"), NULL, &err), 0);
    assert_int_equal(s.port, 80);
    assert_int_equal(deis_conf_apply(ROWS, &s, DEIS_STR("test-token"), "x", &err), DEIS_NOT_FOUND);
    deis_conf_free(ROWS, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(load__starts_with_the_defaults, clear_environment),
        cmocka_unit_test_setup(flag__wins_over_the_environment, clear_environment),
        cmocka_unit_test_setup(faults__are_told_all_at_once, clear_environment),
        cmocka_unit_test_setup(flag__without_its_value_is_a_fault, clear_environment),
        cmocka_unit_test_setup(rest__begins_at_the_first_word, clear_environment),
        cmocka_unit_test_setup(etcd__fills_what_nobody_else_set, clear_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
