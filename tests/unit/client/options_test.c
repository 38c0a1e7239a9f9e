/* SPDX-License-Identifier: MIT */
#include "client/core/help.h"
#include "client/core/options.h"
#include "tests/support/test.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct command *command(const char *name)
{
    const struct command *c = command_find(deis_str(name));

    assert_non_null(c);
    return c;
}

static enum options_result parse(const char *name, const char *const *args, struct options *o,
                                 char note[128])
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(127);

    enum options_result r = options_parse(command(name), args, o, &b);
    memcpy(note, b.data, b.len + 1);
    return r;
}

static void options__all_spellings_of_a_value(void **state)
{
    const char *const *const rows[] = {
        WORDS("-ablog"),     WORDS("-a", "blog"),   WORDS("--app", "blog"),
        WORDS("--app=blog"), WORDS("--ap", "blog"), WORDS("--a=blog"),
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct options o;
        char note[128];
        assert_int_equal(parse("apps:info", rows[i], &o, note), OPTIONS_OK);
        assert_string_equal(options_get(&o, OPTION_APP, ""), "blog");
        assert_int_equal(o.word_count, 0);
        options_clear(&o);
    }
}

static void options__stand_anywhere_among_the_words(void **state)
{
    struct options o;
    char note[128];

    assert_int_equal(parse("config:set", WORDS("A=1", "-a", "blog", "B=2"), &o, note), OPTIONS_OK);
    assert_int_equal(o.word_count, 2);
    assert_string_equal(o.words[0], "A=1");
    assert_string_equal(o.words[1], "B=2");
    assert_null(o.words[2]);
    options_clear(&o);
}

static void options__letters_can_be_joined(void **state)
{
    struct options o;
    char note[128];

    assert_int_equal(parse("config:pull", WORDS("-ioablog"), &o, note), OPTIONS_OK);
    assert_true(o.given[OPTION_INTERACTIVE]);
    assert_true(o.given[OPTION_OVERWRITE]);
    assert_string_equal(options_get(&o, OPTION_APP, ""), "blog");
    options_clear(&o);
}

static void options__an_empty_value_counts_as_absent(void **state)
{
    struct options o;
    char note[128];

    assert_int_equal(parse("apps:info", WORDS("--app="), &o, note), OPTIONS_OK);
    assert_null(options_get(&o, OPTION_APP, NULL));
    options_clear(&o);
}

static void options__what_is_wrong(void **state)
{
    const struct {
        const char *command;
        const char *const *args;
        const char *note;
    } rows[] = {
        { "apps:info", WORDS("-a"), "-a requires argument\n" },
        { "apps:info", WORDS("--app"), "--app requires argument\n" },
        { "apps:create", WORDS("--no-remote=yes"), "--no-remote must not have an argument\n" },
        { "apps:info", WORDS("-a", "x", "-a", "y"), "" },
        { "apps:info", WORDS("-a", "x", "--app=y"), "" },
        { "apps:info", WORDS("--nope"), "" },
        { "apps:info", WORDS("-z"), "" },
        { "apps:info", WORDS("word"), "" },
        { "apps:create", WORDS("a", "b"), "" },
        { "config:set", WORDS("-a", "x"), "" },
        { "perms:list", WORDS("--a=x"), "" }, /* --app or --admin */
        { "perms:create", WORDS("ivo", "-a", "x", "--admin"), "" },
        { "limits:set", WORDS("-c", "-m", "web=1"), "" },
        { "apps:info", WORDS("--"), "" }, /* an ordinary word here */
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct options o;
        char note[128];
        assert_int_equal(parse(rows[i].command, rows[i].args, &o, note), OPTIONS_WRONG);
        assert_string_equal(note, rows[i].note);
        options_clear(&o);
    }
}

static void options__one_that_may_be_repeated(void **state)
{
    struct options o;
    char note[128];

    assert_int_equal(
        parse("config:set", WORDS("--from-file=A=a.txt", "B=2", "--from-file", "C=c"), &o, note),
        OPTIONS_OK);
    assert_int_equal(o.many_count, 2);
    assert_string_equal(o.many[0], "A=a.txt");
    assert_string_equal(o.many[1], "C=c");
    assert_int_equal(o.word_count, 1);
    options_clear(&o);
    assert_int_equal(parse("config:set", WORDS("--stdin=A", "--stdin=B"), &o, note), OPTIONS_WRONG);
    options_clear(&o);
}

static void options__that_stand_for_the_words(void **state)
{
    struct options o;
    char note[128];

    assert_int_equal(parse("config:set", WORDS("--stdin", "A"), &o, note), OPTIONS_OK);
    assert_string_equal(options_get(&o, OPTION_STDIN, ""), "A");
    options_clear(&o);
    assert_int_equal(parse("config:set", WORDS(NULL), &o, note), OPTIONS_WRONG);
    options_clear(&o);
}

static void options__run_takes_all_after_dashes(void **state)
{
    struct options o;
    char note[128];

    assert_int_equal(parse("apps:run", WORDS("-a", "blog", "--", "ls", "-al", "--"), &o, note),
                     OPTIONS_OK);
    assert_int_equal(o.word_count, 3);
    assert_string_equal(o.words[1], "-al");
    assert_string_equal(o.words[2], "--");
    options_clear(&o);

    /* Without them, options are ours. */
    assert_int_equal(parse("apps:run", WORDS("ls", "-al"), &o, note), OPTIONS_OK);
    assert_string_equal(options_get(&o, OPTION_APP, ""), "l");
    options_clear(&o);
}

static void options__help_is_seen_anywhere(void **state)
{
    const char *const *const rows[] = {
        WORDS("--help"),
        WORDS("-h"),
        WORDS("a", "b", "c", "--help"),
        WORDS("--no-remote", "-h"),
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct options o;
        char note[128];
        assert_int_equal(parse("apps:create", rows[i], &o, note), OPTIONS_HELP);
        options_clear(&o);
    }
}

static void help__usage_and_options_come_from_the_table(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(65536);

    help_usage(command("apps:create"), &b);
    assert_string_equal(b.data, "Usage: deis apps:create [<id>] [options]\n");
    deis_buf_reset(&b);
    help_usage(command("auth:logout"), &b);
    assert_string_equal(b.data, "Usage: deis auth:logout\n");
    deis_buf_reset(&b);
    help_command(command("ps:list"), &b);
    assert_non_null(strstr(b.data, "  -a --app=<app>\n"));
    assert_non_null(strstr(b.data, "  -l --limit=<num>\n"));
    deis_buf_reset(&b);
    help_group(DEIS_STR("ps"), &b);
    assert_non_null(strstr(b.data, "ps:list"));
    assert_non_null(strstr(b.data, "ps:restart"));
    assert_non_null(strstr(b.data, "ps:scale"));
    assert_null(strstr(b.data, "apps:"));
}

static void help__main_names_each_group_and_shortcut(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(65536);

    help_main(&b);
    assert_non_null(strstr(b.data, HELP_USAGE));
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        deis_autofree char *row =
            deis_asprintf("\n  %.*s ", DEIS_STR_ARG(command_group(&command_table[i])));
        assert_non_null(strstr(b.data, row));
    }
    for (size_t i = 0; i < command_shortcut_count; i++) {
        assert_non_null(strstr(b.data, command_shortcuts[i].name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options__all_spellings_of_a_value),
        cmocka_unit_test(options__stand_anywhere_among_the_words),
        cmocka_unit_test(options__letters_can_be_joined),
        cmocka_unit_test(options__an_empty_value_counts_as_absent),
        cmocka_unit_test(options__what_is_wrong),
        cmocka_unit_test(options__run_takes_all_after_dashes),
        cmocka_unit_test(options__help_is_seen_anywhere),
        cmocka_unit_test(help__usage_and_options_come_from_the_table),
        cmocka_unit_test(help__main_names_each_group_and_shortcut),
        cmocka_unit_test(options__one_that_may_be_repeated),
        cmocka_unit_test(options__that_stand_for_the_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
