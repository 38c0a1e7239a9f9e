/* SPDX-License-Identifier: MIT */
/* What is made from the table of commands: help, manual page, completions, shapes of JSON. */
#include "client/core/complete.h"
#include "client/core/help.h"
#include "client/core/man.h"
#include "client/core/shape.h"
#include "tests/support/test.h"

#define OUT_MAX ((size_t)1 << 20)

static bool has_json(const struct command *c)
{
    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        if (o->id == OPTION_JSON) {
            return true;
        }
    }
    return false;
}

static void options_are_sound(const struct command *c)
{
    size_t many = 0;

    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        many += o->many;
        assert_non_null(o->help);
        assert_true(!o->many || o->value);
        for (const struct option *p = o; (p = command_next_option(c, p)) != NULL;) {
            assert_string_not_equal(o->name, p->name);
            assert_true(o->letter == 0 || o->letter != p->letter);
            assert_int_not_equal(o->id, p->id);
        }
    }
    assert_true(many <= 1);
}

static void table__rows_are_sound(void **state)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];
        assert_ptr_equal(command_find(deis_str(c->name)), c);
        assert_true(c->summary[0] >= 'a' && c->summary[0] <= 'z');
        assert_true(c->min_words <= c->max_words);
        assert_int_equal(c->words[0] == '\0', c->max_words == 0);
        assert_int_equal(has_json(c), c->json != NULL);
        options_are_sound(c);
    }
    for (size_t i = 0; i < command_shortcut_count; i++) {
        assert_non_null(command_find(deis_str(command_shortcuts[i].full)));
    }
}

/* All commands that only read can answer programs. */
static void table__reading_commands_have_json(void **state)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        struct deis_str name = deis_str(command_table[i].name);
        bool reads = deis_str_ends(name, ":list") || deis_str_ends(name, ":info") ||
                     deis_str_ends(name, ":get") || deis_str_ends(name, ":logs") ||
                     deis_str_ends(name, ":tokens") || deis_str_ends(name, ":whoami");
        assert_int_equal(command_table[i].json != NULL, reads);
    }
}

static void everything_is_in(const char *text, bool options)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];
        assert_non_null(strstr(text, c->name));
        for (const struct option *o = NULL; options && (o = command_next_option(c, o)) != NULL;) {
            assert_non_null(strstr(text, o->name));
        }
    }
    for (size_t i = 0; i < command_shortcut_count; i++) {
        assert_non_null(strstr(text, command_shortcuts[i].name));
    }
}

static void table__completions_have_everything(void **state)
{
    void (*const makers[])(struct deis_buf *) = { complete_bash, complete_fish };

    for (size_t i = 0; i < DEIS_COUNT(makers); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
        makers[i](&out);
        assert_false(deis_buf_failed(&out));
        everything_is_in(out.data, true);
    }
    deis_autobuf struct deis_buf zsh = DEIS_BUF_INIT(OUT_MAX);
    complete_zsh(&zsh);
    assert_false(deis_buf_failed(&zsh));
    assert_non_null(strstr(zsh.data, "\n        'apps\\:create:create an app'\n"));
    assert_non_null(strstr(zsh.data, "\n    apps:logs|logs)\n"));
    assert_non_null(strstr(zsh.data, "\n    certs:list|certs)\n"));
    assert_non_null(strstr(zsh.data, "\n    certs:auto:list)\n"));
    assert_non_null(strstr(zsh.data,
                           "'(-a --app)-a+[the app; default\\: the one of this folder'\\''s "
                           "git remote]:<app>:'"));
    assert_non_null(strstr(zsh.data, "'*--from-file=["));
    assert_non_null(strstr(zsh.data, ":<true|false>:( true false )'"));
}

static void table__manual_page(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);

    man_page("1.2.3", &out);
    assert_false(deis_buf_failed(&out));
    everything_is_in(out.data, false);
    assert_non_null(strstr(out.data, ".TH DEIS 1 \"\" \"deis 1.2.3\" \"User commands\"\n"));
    assert_non_null(strstr(out.data, "\n.SS \\fBapps:transfer\\fR \\fI<username>\\fR\n"
                                     "Give an app to another user.\n"));
    assert_non_null(strstr(out.data, "\\fB\\-a\\fR, \\fB\\-\\-app=\\fR\\fI<app>\\fR\n"));
    assert_non_null(strstr(out.data, "Short: \\fBlogs\\fR."));
    /* A line that begins so would be a request, if it is none of ours. */
    assert_null(strstr(out.data, "\n'"));
    assert_null(strstr(out.data, "\n.env"));
}

static void table__help_says_what_json_has(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);

    help_command(command_find(DEIS_STR("auth:whoami")), &out);
    assert_string_equal(out.data, "auth:whoami: show the login\n\n"
                                  "Usage: deis auth:whoami [options]\n\n"
                                  "Options:\n  --json\n    print JSON for programs\n"
                                  "    an object with username and controller\n");
}

static void shape_is(const char *shape, const char *value, const char *want)
{
    struct deis_err err;
    deis_autojson json_t *parsed = deis_json_parse(deis_str(value), &err);
    deis_autojson json_t *got = shape_apply(shape, parsed);

    assert_non_null(parsed);
    if (!want) {
        assert_null(got);
        return;
    }
    deis_autofree char *text = deis_json_dump(got);
    assert_string_equal(text, want);
}

static void shape__members_and_no_others(void **state)
{
    shape_is("[a b]", "[{\"b\":{\"x\":1},\"c\":2,\"a\":\"t\"},{}]",
             "[{\"a\":\"t\",\"b\":{\"x\":1}},{\"a\":null,\"b\":null}]");
    shape_is("{a}", "{\"a\":1,\"b\":2}", "{\"a\":1}");
    shape_is("{}", "{\"A\":\"1\"}", "{\"A\":\"1\"}");
    shape_is("[]", "[\"x\"]", "[\"x\"]");
    shape_is("[a]", "[]", "[]");
    shape_is("[a]", "{}", NULL);
    shape_is("[a]", "[1]", NULL);
    shape_is("[]", "[1]", NULL);
    shape_is("{a}", "[]", NULL);
    assert_null(shape_apply("{}", NULL));
    assert_null(shape_apply("[a]", NULL));
}

static void shape__in_words(void **state)
{
    static const char *const rows[][2] = {
        { "[id owner url]", "a list of objects with id, owner and url" },
        { "{memory cpu}", "an object with memory and cpu" },
        { "*{time}", "on each line an object with time" },
        { "[]", "a list of texts" },
        { "{}", "an object that has a member for each key" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);
        shape_describe(rows[i][0], &out);
        assert_string_equal(out.data, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__rows_are_sound),
        cmocka_unit_test(table__reading_commands_have_json),
        cmocka_unit_test(table__completions_have_everything),
        cmocka_unit_test(table__manual_page),
        cmocka_unit_test(table__help_says_what_json_has),
        cmocka_unit_test(shape__members_and_no_others),
        cmocka_unit_test(shape__in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
