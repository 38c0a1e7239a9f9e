/* SPDX-License-Identifier: MIT */
#include "builder/core/procfile.h"
#include "tests/support/test.h"

#include "lib/base/buf.h"

static void procfile__keeps_types_in_order_and_commands_whole(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct procfile p;

    assert_int_equal(procfile_parse(deis_str("# the app\r\n"
                                             "web: node 'server.js' --name=\"a:b\"\r\n"
                                             "mail_worker-2:   ./work | tee log\n"
                                             "quoted: \"sh -c 'echo # x'\"\n"),
                                    &p, &err),
                     DEIS_OK);
    assert_int_equal(p.count, 3);
    assert_string_equal(p.types[0].name, "web");
    assert_string_equal(p.types[0].command, "node 'server.js' --name=\"a:b\"");
    assert_string_equal(p.types[1].name, "mail_worker-2");
    assert_string_equal(p.types[1].command, "./work | tee log");
    assert_string_equal(p.types[2].command, "sh -c 'echo # x'");
    procfile_clear(&p);
}

static void procfile__empty_is_an_empty_map(void **state)
{
    static const char *const cases[] = { "", "\n", "# nothing\n", "---\n", "{}" };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        struct procfile p;

        if (procfile_parse(deis_str(cases[i]), &p, &err) != DEIS_OK) {
            fail_msg("'%s': %s", cases[i], err.msg);
        }
        assert_int_equal(p.count, 0);
        procfile_clear(&p);
    }
}

static void procfile__refusals_name_line_and_rule(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        { "just some words\n", "line 1: must be lines of the form" },
        { "- web\n- worker\n", "line 1: must be lines of the form" },
        { "web: a\nWeb: b\n", "line 2: process type 'Web'" },
        { "9web: a\n", "process type '9web'" },
        { "web: a\nweb: b\n", "line 2: process type 'web' stands twice" },
        { "web:\n", "line 1: 'web' has no command" },
        { "web: '  '\n", "has no command" },
        { "web: [a, b]\n", "a command must be text" },
        { "web: {a: b}\n", "a command must be text" },
        { "web: &x a\n", "anchors, aliases and tags" },
        { "web: a\nworker: *x\n", "line 2: anchors, aliases and tags" },
        { "web: !!binary aGVsbG8=\n", "anchors, aliases and tags" },
        { "? [a]\n: b\n", "the name of a process type must be text" },
        { "web: a\n---\nweb: b\n", "only one YAML document" },
        { "web: a\n\tworker: b\n", "not valid YAML" },
        { "web: node x: y\n", "line 1: not valid YAML" },
        { "web: \"unterminated\n", "not valid YAML" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        struct procfile p;

        assert_int_equal(procfile_parse(deis_str(cases[i].text), &p, &err), DEIS_INVALID);
        if (!strstr(err.msg, cases[i].says)) {
            fail_msg("'%s' gave: %s", cases[i].text, err.msg);
        }
        assert_int_equal(p.count, 0);
    }
}

static void procfile__is_limited(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct procfile p;
    deis_autobuf struct deis_buf many = DEIS_BUF_INIT(PROCFILE_MAX_BYTES);
    deis_autobuf struct deis_buf large = DEIS_BUF_INIT(PROCFILE_MAX_BYTES + 1);

    for (int i = 0; i < PROCFILE_MAX_TYPES; i++) {
        deis_buf_addf(&many, "t%d: run\n", i);
    }
    assert_int_equal(procfile_parse(deis_buf_str(&many), &p, &err), DEIS_OK);
    assert_int_equal(p.count, PROCFILE_MAX_TYPES);
    procfile_clear(&p);
    deis_buf_add_cstr(&many, "over: run\n");
    assert_int_equal(procfile_parse(deis_buf_str(&many), &p, &err), DEIS_LIMIT);

    deis_buf_add_cstr(&large, "web: ");
    for (int i = 0; i <= PROCFILE_COMMAND_MAX; i++) {
        deis_buf_add_char(&large, 'x');
    }
    assert_int_equal(procfile_parse(deis_buf_str(&large), &p, &err), DEIS_LIMIT);
    while (large.len <= PROCFILE_MAX_BYTES) {
        deis_buf_add_char(&large, 'x');
    }
    assert_int_equal(procfile_parse(deis_buf_str(&large), &p, &err), DEIS_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(procfile__keeps_types_in_order_and_commands_whole),
        cmocka_unit_test(procfile__empty_is_an_empty_map),
        cmocka_unit_test(procfile__refusals_name_line_and_rule),
        cmocka_unit_test(procfile__is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
