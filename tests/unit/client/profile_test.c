/* SPDX-License-Identifier: MIT */
#include "client/core/profile.h"
#include "client/core/pubkey.h"
#include "client/core/remote.h"
#include "tests/support/test.h"

#define LINE                                                                                       \
    "{\"username\":\"mira\",\"ssl_verify\":false,\"controller\":\"http://deis.example.net\","      \
    "\"token\":\"abc\",\"response_limit\":50}"

/* V-04 */
static void profile__path(void **state)
{
    deis_autofree char *path = NULL;
    deis_autofree char *other = NULL;
    char *none = NULL;

    assert_int_equal(profile_path("/home/mira", NULL, &path, NULL), 0);
    assert_string_equal(path, "/home/mira/.deis/client.json");
    assert_int_equal(profile_path("/home/mira", "testing", &other, NULL), 0);
    assert_string_equal(other, "/home/mira/.deis/testing.json");
    assert_int_equal(profile_path(NULL, NULL, &none, NULL), DEIS_INVALID);
    assert_int_equal(profile_path("/h", "../x", &none, NULL), DEIS_INVALID);
}

/* V-05 */
static void profile__parse_and_format(void **state)
{
    struct profile p;
    struct deis_err err;

    assert_int_equal(profile_parse(DEIS_STR(LINE), &p, &err), 0);
    assert_string_equal(p.username, "mira");
    assert_string_equal(p.controller, "http://deis.example.net");
    assert_string_equal(p.token, "abc");
    assert_false(p.ssl_verify);
    assert_int_equal(p.response_limit, 50);
    assert_int_equal(p.ssh_port, 2222);
    deis_autofree char *text = profile_format(&p);
    assert_string_equal(text, LINE);
    profile_clear(&p);
}

static void profile__limit_falls_back_to_100(void **state)
{
    static const char *const rows[] = { "{}", "{\"response_limit\":0}", "{\"response_limit\":-4}" };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct profile p;
        struct deis_err err;
        assert_int_equal(profile_parse(deis_str(rows[i]), &p, &err), 0);
        assert_int_equal(p.response_limit, 100);
        profile_clear(&p);
    }
}

static void profile__broken_files_are_refused(void **state)
{
    static const char *const rows[] = { "", "{", "[]", "{\"username\":7}", "{\"ssh_port\":70000}" };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct profile p;
        struct deis_err err;
        assert_int_equal(profile_parse(deis_str(rows[i]), &p, &err), DEIS_INVALID);
    }
}

static void profile__another_ssh_port_is_kept(void **state)
{
    struct profile p;
    struct deis_err err;

    assert_int_equal(profile_parse(DEIS_STR("{\"ssh_port\":2322}"), &p, &err), 0);
    assert_int_equal(p.ssh_port, 2322);
    deis_autofree char *text = profile_format(&p);
    assert_non_null(strstr(text, "\"ssh_port\":2322"));
    profile_clear(&p);
}

static void profile__controllers(void **state)
{
    static const struct {
        const char *typed;
        const char *saved;
        const char *base;
        const char *host;
    } rows[] = {
        { "deis.example.net", "http://deis.example.net", "http://deis.example.net",
          "deis.example.net" },
        { "https://deis.example.net:8443/x", "https://deis.example.net:8443/x",
          "https://deis.example.net:8443", "deis.example.net" },
        { "deis.localhost:8080", "http://deis.localhost:8080", "http://deis.localhost:8080",
          "deis.localhost" },
        { "http://[::1]:80/", "http://[::1]:80/", "http://[::1]:80", "::1" },
    };
    struct deis_err err;
    char *none = NULL;

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        char *saved = NULL;
        assert_int_equal(profile_controller(rows[i].typed, &saved, &err), 0);
        assert_string_equal(saved, rows[i].saved);
        deis_autofree char *base = profile_base_url(saved);
        deis_autofree char *host = profile_host(saved);
        assert_string_equal(base, rows[i].base);
        assert_string_equal(host, rows[i].host);
        free(saved);
    }
    assert_int_equal(profile_controller("ftp://deis", &none, &err), DEIS_INVALID);
    assert_int_equal(profile_controller("http://", &none, &err), DEIS_INVALID);
    assert_int_equal(profile_controller("http://u:p@deis", &none, &err), DEIS_INVALID);
}

/* V-06 */
static void remote__url_drops_the_controllers_port(void **state)
{
    deis_autofree char *plain = remote_url("deis.example.net:8000", 2222, "blog");
    deis_autofree char *v6 = remote_url("::1", 2222, "blog");

    assert_string_equal(plain, "ssh://git@deis.example.net:2222/blog.git");
    assert_string_equal(v6, "ssh://git@[::1]:2222/blog.git");
}

#define LISTING                                                                                    \
    "origin\tgit@forge.example.org:me/code.git (fetch)\n"                                          \
    "origin\tgit@forge.example.org:me/code.git (push)\n"                                           \
    "prod\tssh://git@deis.example.net:2222/blog.git (fetch)\n"                                     \
    "prod\tssh://git@deis.example.net:2222/blog.git (push)\n"

static void remote__app_of_the_controllers_remote(void **state)
{
    deis_autofree char *app = remote_app(DEIS_STR(LISTING), "deis.example.net");
    deis_autofree char *with_port = remote_app(DEIS_STR(LISTING), "deis.example.net:8000");

    assert_string_equal(app, "blog");
    assert_string_equal(with_port, "blog");
    assert_null(remote_app(DEIS_STR(LISTING), "other.example.net"));
    assert_null(remote_app(DEIS_STR(""), "deis.example.net"));
}

static void remote__name_of_an_apps_remote(void **state)
{
    deis_autofree char *name = remote_name(DEIS_STR(LISTING), "deis.example.net", "blog");

    assert_string_equal(name, "prod");
    assert_null(remote_name(DEIS_STR(LISTING), "deis.example.net", "shop"));
    /* it will be removed: not one of a forge, nor that of an app with a longer name */
    assert_null(remote_name(DEIS_STR(LISTING), "deis.example.net", "code"));
    assert_null(remote_name(DEIS_STR(LISTING), "deis.example.net", "blo"));
}

static void remote__folder_as_app(void **state)
{
    deis_autofree char *app = remote_app_of_folder("/home/mira/My-Blog");
    deis_autofree char *root = remote_app_of_folder("/");

    assert_string_equal(app, "my-blog");
    assert_string_equal(root, "");
}

/* V-07 */
static void pubkey__id_is_comment_or_file_name(void **state)
{
    static const struct {
        const char *path;
        const char *text;
        const char *id;
    } rows[] = {
        { "/h/.ssh/id_rsa.pub", "ssh-rsa AAAA mira@laptop\n", "mira@laptop" },
        { "/h/.ssh/id_rsa.pub", "ssh-rsa AAAA\n", "id_rsa" },
        { "id_rsa.old.pub", "ssh-rsa AAAA", "id_rsa" },
        { "k", "ecdsa-sha2-nistp256 AAAA two words", "two words" },
        { "k.pub", "ssh-ed25519 AAAA", "k" },
        { "k.pub", "sk-ssh-ed25519@openssh.com AAAA me", "me" },
        { "k.pub", "ssh-ed25519 AAAA two words \r\n", "two words" },
        { "k.pub", "ssh-ed25519 AAAA\r\n", "k" },
        { "k.pub", "ssh-ed25519 AAAA \r\n", "k" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        deis_autofree char *id = NULL;
        assert_int_equal(pubkey_id(rows[i].path, deis_str(rows[i].text), &id, NULL), 0);
        assert_string_equal(id, rows[i].id);
    }
}

static void pubkey__other_files_are_refused(void **state)
{
    static const char *const rows[] = { "",
                                        "hello",
                                        "ssh-rsa",
                                        "ssh-rsa ",
                                        "ssh- AAAA",
                                        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
                                        "rsa-ssh AAAA me" };
    struct deis_err err;
    char *id = NULL;

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        assert_int_equal(pubkey_id("/h/x.pub", deis_str(rows[i]), &id, &err), DEIS_INVALID);
        assert_string_equal(err.msg, "/h/x.pub is not a valid ssh key");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profile__path),
        cmocka_unit_test(profile__parse_and_format),
        cmocka_unit_test(profile__limit_falls_back_to_100),
        cmocka_unit_test(profile__broken_files_are_refused),
        cmocka_unit_test(profile__another_ssh_port_is_kept),
        cmocka_unit_test(profile__controllers),
        cmocka_unit_test(remote__url_drops_the_controllers_port),
        cmocka_unit_test(remote__app_of_the_controllers_remote),
        cmocka_unit_test(remote__name_of_an_apps_remote),
        cmocka_unit_test(remote__folder_as_app),
        cmocka_unit_test(pubkey__id_is_comment_or_file_name),
        cmocka_unit_test(pubkey__other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
