/* SPDX-License-Identifier: MIT */
#include "builder/core/ssh_command.h"
#include "tests/support/test.h"

static void ssh_command__accepts_what_git_sends(void **state)
{
    static const struct {
        const char *text;
        enum ssh_verb verb;
        const char *app;
    } cases[] = {
        { "git-receive-pack 'blog.git'", SSH_PUSH, "blog" },
        { "git-receive-pack '/blog.git'", SSH_PUSH, "blog" },
        { "git-receive-pack 'blog'", SSH_PUSH, "blog" },
        { "git-receive-pack blog.git", SSH_PUSH, "blog" },
        { "git-upload-pack '/my-app-2/'", SSH_FETCH, "my-app-2" },
        { "git-upload-pack '/my-app-2.git/'", SSH_FETCH, "my-app-2" },
        { "ping", SSH_PING, "" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        struct ssh_command c;

        assert_int_equal(ssh_command_parse(deis_str(cases[i].text), &c, &err), DEIS_OK);
        assert_int_equal(c.verb, cases[i].verb);
        assert_true(deis_str_eq_cstr(c.app, cases[i].app));
    }
}

static void ssh_command__refuses_everything_else(void **state)
{
    static const char *const cases[] = {
        "",
        "sh",
        "ping ",
        "ping x",
        "git-receive-pack",
        "git-receive-pack ",
        "git-receive-pack ''",
        "git-receive-pack '.git'",
        "git-receive-pack  'blog.git'",
        "git-receive-pack 'blog.git' ",
        "git-receive-pack 'blog.git'; rm -rf /",
        "git-receive-pack 'blog.git' 'other.git'",
        "git-receive-pack 'a'b'",
        "git-receive-pack '../blog.git'",
        "git-receive-pack '//blog.git'",
        "git-receive-pack 'a/b.git'",
        "git-receive-pack 'blog.git.git'",
        "git-receive-pack 'Blog'",
        "git-receive-pack '-x'",
        "git-receive-pack --help",
        "git-receive-pack 'blog\n'",
        "git-receive-pack '$(id)'",
        "git receive-pack 'blog'",
        "git-upload-archive 'blog.git'",
        "GIT-RECEIVE-PACK 'blog'",
        "git-receive-pack\t'blog'",
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        struct ssh_command c;

        if (ssh_command_parse(deis_str(cases[i]), &c, &err) != DEIS_INVALID) {
            fail_msg("accepted: %s", cases[i]);
        }
        assert_true(err.msg[0] != '\0');
    }
}

static void ssh_command__refuses_a_nul_and_long_text(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct ssh_command c;
    char text[SSH_COMMAND_MAX + 2];

    assert_int_equal(ssh_command_parse(DEIS_STR("git-receive-pack 'blog\0'"), &c, &err),
                     DEIS_INVALID);
    memset(text, 'a', sizeof(text));
    assert_int_equal(ssh_command_parse(deis_str_n(text, sizeof(text)), &c, &err), DEIS_INVALID);
}

static void ssh_user__may_not_carry_shell_text(void **state)
{
    assert_true(ssh_user_ok(deis_str("jane.doe+x@example-1_2")));
    assert_false(ssh_user_ok(deis_str("")));
    assert_false(ssh_user_ok(deis_str("-rf")));
    assert_false(ssh_user_ok(deis_str(".hidden")));
    assert_false(ssh_user_ok(deis_str("a b")));
    assert_false(ssh_user_ok(deis_str("a\"b")));
    assert_false(ssh_user_ok(deis_str("a$(id)")));
    assert_false(ssh_user_ok(deis_str("a\n")));
    assert_false(ssh_user_ok(DEIS_STR("a\0b")));
}

static void ssh_key__has_the_alphabet_of_openssh(void **state)
{
    assert_true(ssh_fingerprint_ok(deis_str("SHA256:uNiVztksCsDhcc0u9e8BrrJXVGgMmZBvBbM+kGIgR/Y")));
    assert_false(ssh_fingerprint_ok(deis_str("MD5:aa:bb")));
    assert_false(ssh_fingerprint_ok(deis_str("SHA256:short")));
    assert_true(
        ssh_public_key_ok(deis_str("ssh-ed25519"), deis_str("AAAAC3NzaC1lZDI1NTE5AAAAI+/==")));
    assert_true(ssh_public_key_ok(deis_str("sk-ssh-ed25519@openssh.com"), deis_str("AAAA")));
    assert_false(ssh_public_key_ok(deis_str("ssh-rsa,command=\"x\""), deis_str("AAAA")));
    assert_false(ssh_public_key_ok(deis_str("ssh-rsa"), deis_str("AA AA")));
    assert_false(ssh_public_key_ok(deis_str("ssh-rsa"), deis_str("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssh_command__accepts_what_git_sends),
        cmocka_unit_test(ssh_command__refuses_everything_else),
        cmocka_unit_test(ssh_command__refuses_a_nul_and_long_text),
        cmocka_unit_test(ssh_user__may_not_carry_shell_text),
        cmocka_unit_test(ssh_key__has_the_alphabet_of_openssh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
