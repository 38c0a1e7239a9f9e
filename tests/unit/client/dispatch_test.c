/* SPDX-License-Identifier: MIT */
#include "client/core/dispatch.h"
#include "tests/support/test.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void assert_args(const struct dispatch *d, const char *const *want)
{
    size_t i = 0;

    for (; want[i]; i++) {
        assert_non_null(d->args[i]);
        assert_string_equal(d->args[i], want[i]);
    }
    assert_null(d->args[i]);
}

static void resolves_to(const char *const *words, enum dispatch_kind kind, const char *command,
                        const char *const *args)
{
    struct dispatch d;

    dispatch_resolve(words, &d);
    assert_int_equal(d.kind, kind);
    if (command) {
        assert_non_null(d.command);
        assert_string_equal(d.command->name, command);
    }
    if (args) {
        assert_args(&d, args);
    }
    dispatch_clear(&d);
}

/* V-01 */
static void dispatch__help_in_its_forms(void **state)
{
    resolves_to(WORDS("--help"), DISPATCH_HELP, NULL, NULL);
    resolves_to(WORDS("-h"), DISPATCH_HELP, NULL, NULL);
    resolves_to(WORDS("help"), DISPATCH_HELP, NULL, NULL);
    resolves_to(WORDS("help", "apps:create"), DISPATCH_COMMAND, "apps:create", WORDS("--help"));
    resolves_to(WORDS("-h", "create"), DISPATCH_COMMAND, "apps:create", WORDS("--help"));
    resolves_to(WORDS("--help", "create", "x"), DISPATCH_COMMAND, "apps:create",
                WORDS("x", "--help"));
}

/* V-02 */
static void dispatch__shortcuts_and_bare_groups(void **state)
{
    static const char *const listing[] = {
        "apps",  "audit", "builds",   "certs",   "config", "domains", "keys",      "limits",
        "perms", "ps",    "releases", "routing", "tags",   "users",   "whitelist",
    };

    resolves_to(WORDS("apps:create", "x"), DISPATCH_COMMAND, "apps:create", WORDS("x"));
    resolves_to(WORDS("create", "x"), DISPATCH_COMMAND, "apps:create", WORDS("x"));
    resolves_to(WORDS("sharing"), DISPATCH_COMMAND, "perms:list", NULL);
    resolves_to(WORDS("sharing:add", "ivo"), DISPATCH_COMMAND, "perms:create", WORDS("ivo"));
    resolves_to(WORDS("apps", "-l", "2"), DISPATCH_COMMAND, "apps:list", WORDS("-l", "2"));
    for (size_t i = 0; i < DEIS_COUNT(listing); i++) {
        deis_autofree char *list = deis_asprintf("%s:list", listing[i]);
        resolves_to(WORDS(listing[i]), DISPATCH_COMMAND, list, NULL);
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *const words[] = { command_table[i].name, NULL };
        resolves_to(words, DISPATCH_COMMAND, command_table[i].name, NULL);
    }
    assert_string_equal(command_expand("create"), "apps:create");
    assert_string_equal(command_expand("rest"), "rest");
}

/* V-03 */
static void dispatch__unknown_groups_are_plugins(void **state)
{
    struct dispatch d;

    resolves_to(WORDS("ssh"), DISPATCH_PLUGIN, NULL, (const char *const[]){ NULL });
    resolves_to(WORDS("ssh:verb", "a"), DISPATCH_PLUGIN, NULL, WORDS("verb", "a"));
    resolves_to(WORDS("help", "ssh"), DISPATCH_PLUGIN, NULL, WORDS("--help"));
    dispatch_resolve(WORDS("ssh:verb", "a"), &d);
    assert_string_equal(d.group, "ssh");
    dispatch_clear(&d);
}

/* V-12 */
static void dispatch__group_help_is_the_second_word_only(void **state)
{
    struct dispatch d;

    dispatch_resolve(WORDS("apps", "--help"), &d);
    assert_int_equal(d.kind, DISPATCH_GROUP_HELP);
    assert_string_equal(d.group, "apps");
    dispatch_clear(&d);
    resolves_to(WORDS("apps:zap", "-h"), DISPATCH_GROUP_HELP, NULL, NULL);
    resolves_to(WORDS("apps", "x", "--help"), DISPATCH_COMMAND, "apps:list", WORDS("x", "--help"));
    resolves_to(WORDS("auth"), DISPATCH_GROUP_HELP, NULL, NULL);
    resolves_to(WORDS("git"), DISPATCH_GROUP_HELP, NULL, NULL);
}

static void dispatch__the_rest(void **state)
{
    resolves_to((const char *const[]){ NULL }, DISPATCH_NOTHING, NULL, NULL);
    resolves_to(WORDS("version"), DISPATCH_VERSION, NULL, NULL);
    resolves_to(WORDS("--version"), DISPATCH_VERSION, NULL, NULL);
    resolves_to(WORDS("-v"), DISPATCH_VERSION, NULL, NULL);
    resolves_to(WORDS("-a", "x", "apps"), DISPATCH_OPTION, NULL, NULL);
    resolves_to(WORDS("apps:zap"), DISPATCH_UNKNOWN, NULL, NULL);
    resolves_to(WORDS("auth:"), DISPATCH_UNKNOWN, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dispatch__help_in_its_forms),
        cmocka_unit_test(dispatch__shortcuts_and_bare_groups),
        cmocka_unit_test(dispatch__unknown_groups_are_plugins),
        cmocka_unit_test(dispatch__group_help_is_the_second_word_only),
        cmocka_unit_test(dispatch__the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
