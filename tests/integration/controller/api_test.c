/* SPDX-License-Identifier: MIT */
/* The API of a real controller: users, keys, apps, rights, config, deploys, failures. */
#include "tests/integration/controller/harness.h"
#include "tests/support/test.h"

#include "lib/crypto/secret.h"

#include <openssl/pem.h>
#include <signal.h>

static struct world world;
static char *mira; /* tokens: the first user is the administrator */
static char *ivo;
static char *eve;

#define C (&world.first)

static int setup(void **state)
{
    world_start(&world);
    mira = api_user(C, "mira", "pw-mira");
    ivo = api_user(C, "ivo", "pw-ivo");
    eve = api_user(C, "eve", "pw-eve");
    return 0;
}

static int teardown(void **state)
{
    free(mira);
    free(ivo);
    free(eve);
    world_stop(&world);
    return 0;
}

static void create_app(const char *id, const char *token)
{
    char *body = deis_asprintf("{\"id\":\"%s\"}", id);

    assert_int_equal(api_status(C, "POST", "/v1/apps", token, body), 201);
    free(body);
}

static json_int_t number_of(const json_t *obj, const char *name)
{
    return json_integer_value(json_object_get(obj, name));
}

static json_int_t count_at(const char *path, const char *token)
{
    answer_auto struct answer a = api(C, "GET", path, token, NULL);

    assert_int_equal(a.status, 200);
    return number_of(a.json, "count");
}

/* --- transport --- */

static void transport__version_headers_are_on_every_answer(void **state)
{
    static const char *const paths[] = { "/healthz", "/v1/", "/v1/apps", "/nowhere" };

    for (size_t i = 0; i < DEIS_COUNT(paths); i++) {
        answer_auto struct answer a = api(C, "GET", paths[i], NULL, NULL);
        assert_non_null(strstr(a.headers, "DEIS_API_VERSION: 1.7"));
        assert_non_null(strstr(a.headers, "X_DEIS_API_VERSION: 1.7"));
        assert_non_null(strstr(a.headers, "DEIS_PLATFORM_VERSION: 1.13.4"));
        assert_non_null(strstr(a.headers, "X_DEIS_PLATFORM_VERSION: 1.13.4"));
    }
}

static void transport__unknown_token_is_401_in_upper_case(void **state)
{
    answer_auto struct answer a =
        api(C, "GET", "/v1/apps", "0123456789012345678901234567890123456789", NULL);

    assert_int_equal(a.status, 401);
    assert_string_equal(a.reason, "UNAUTHORIZED");
    assert_string_equal(text_of(a.json, "detail"), "Invalid token");
}

static void transport__known_route_wrong_method(void **state)
{
    answer_auto struct answer a = api(C, "PUT", "/v1/apps/x/config", mira, NULL);

    assert_int_equal(a.status, 405);
    assert_string_equal(text_of(a.json, "detail"), "Method 'PUT' not allowed.");
    assert_int_equal(api_status(C, "PUT", "/v1/apps/x/config", NULL, NULL), 401);
}

static void transport__malformed_body_is_400(void **state)
{
    answer_auto struct answer a = api(C, "POST", "/v1/apps", mira, "{\"id\":");

    assert_int_equal(a.status, 400);
    assert_non_null(strstr(text_of(a.json, "detail"), "JSON parse error - "));
}

static void transport__a_refusal_of_the_server_reads_like_the_api(void **state)
{
    size_t len = 3 << 19;
    char *body = deis_alloc(len + 1);

    memset(body, ' ', len);
    answer_auto struct answer a = api(C, "POST", "/v1/apps", mira, body);
    assert_int_equal(a.status, 413);
    assert_true(strlen(text_of(a.json, "detail")) > 0);
    assert_non_null(strstr(a.headers, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(a.headers, "DEIS_API_VERSION: 1.7"));
    free(body);
}

/* --- users --- */

static void users__first_registrant_is_administrator(void **state)
{
    assert_int_equal(count_at("/v1/users", mira), 3);
    assert_int_equal(api_status(C, "GET", "/v1/users", ivo, NULL), 403);
    assert_int_equal(count_at("/v1/admin/perms", mira), 1);
}

static void users__registration_reports_all_faults(void **state)
{
    answer_auto struct answer none = api(C, "POST", "/v1/auth/register", NULL, "{}");
    answer_auto struct answer taken =
        api(C, "POST", "/v1/auth/register", NULL,
            "{\"username\":\"ivo\",\"password\":\"x\",\"email\":\"\"}");

    assert_int_equal(none.status, 400);
    assert_non_null(json_object_get(none.json, "username"));
    assert_non_null(json_object_get(none.json, "password"));
    assert_int_equal(taken.status, 400);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(taken.json, "username"), 0)),
        "This field must be unique.");
}

static void users__password_changes_and_logins(void **state)
{
    char *kim = api_user(C, "kim", "old");

    assert_int_equal(api_status(C, "POST", "/v1/auth/passwd", kim,
                                "{\"password\":\"wrong\",\"new_password\":\"new\"}"),
                     400);
    assert_int_equal(api_status(C, "POST", "/v1/auth/passwd", kim,
                                "{\"password\":\"old\",\"new_password\":\"new\"}"),
                     200);
    assert_int_equal(api_status(C, "POST", "/v1/auth/login/", NULL,
                                "{\"username\":\"kim\",\"password\":\"old\"}"),
                     400);
    assert_int_equal(api_status(C, "POST", "/v1/auth/login/", NULL,
                                "{\"username\":\"kim\",\"password\":\"new\"}"),
                     200);
    assert_int_equal(api_status(C, "DELETE", "/v1/auth/cancel", kim, "{\"username\":\"ivo\"}"),
                     403);
    assert_int_equal(api_status(C, "DELETE", "/v1/auth/cancel", kim, NULL), 204);
    assert_int_equal(api_status(C, "GET", "/v1/apps", kim, NULL), 401);
    assert_false(key_exists(&world, "/deis/users/kim"));
    free(kim);
}

static void users__guessing_a_password_is_rationed(void **state)
{
    char *kim = api_user(C, "kim3", "pw");
    int status = 0;

    for (unsigned i = 0; i < 11; i++) {
        status = api_status(C, "POST", "/v1/auth/login/", NULL,
                            "{\"username\":\"kim3\",\"password\":\"guess\"}");
        assert_int_equal(status, i < 10 ? 400 : 429);
    }
    assert_int_equal(api_status(C, "POST", "/v1/auth/login/", NULL,
                                "{\"username\":\"kim3\",\"password\":\"pw\"}"),
                     429);
    assert_int_equal(api_status(C, "GET", "/v1/", kim, NULL), 200);
    free(kim);
}

static void users__new_token_revokes_the_old(void **state)
{
    char *kim = api_user(C, "kim2", "pw");
    answer_auto struct answer a = api(C, "POST", "/v1/auth/tokens/", kim, "{}");

    assert_int_equal(a.status, 200);
    assert_int_equal(api_status(C, "GET", "/v1/", kim, NULL), 401);
    assert_int_equal(api_status(C, "GET", "/v1/", text_of(a.json, "token"), NULL), 200);
    assert_int_equal(api_status(C, "POST", "/v1/auth/tokens/", ivo, "{\"username\":\"ivo\"}"), 403);
    free(kim);
}

static void users__no_secret_is_stored_in_clear(void **state)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    create_app("sealed", ivo);
    assert_int_equal(api_status(C, "POST", "/v1/apps/sealed/config", ivo,
                                "{\"values\":{\"SECRET\":\"open-sesame\"}}"),
                     201);
    assert_int_equal(deis_etcd_list(world.etcd, "/deis/", 0, &range, &err), 0);
    for (size_t i = 0; i < range.count; i++) {
        assert_null(strstr(range.kvs[i].value.ptr, "open-sesame"));
        assert_null(strstr(range.kvs[i].value.ptr, "pw-ivo"));
        assert_null(strstr(range.kvs[i].value.ptr, ivo));
        assert_null(strstr(range.kvs[i].key, ivo));
    }
}

/* --- keys --- */

#define ED25519                                                                                    \
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJWI1sTbz2u6+3VvSjHzUrXDU6o1A0fKTIUcFCVSDpzL ivo@box\\n"

static void keys__add_list_and_remove(void **state)
{
    const char *body = "{\"id\":\"ivo@box\",\"public\":\"" ED25519 "\"}";
    answer_auto struct answer a = api(C, "POST", "/v1/keys", ivo, body);
    answer_auto struct answer again = api(C, "POST", "/v1/keys", ivo, body);
    answer_auto struct answer bad =
        api(C, "POST", "/v1/keys", ivo, "{\"id\":\"x\",\"public\":\"ssh-rsa foo_bar\"}");

    assert_int_equal(a.status, 201);
    assert_int_equal(strlen(text_of(a.json, "fingerprint")), 47);
    assert_int_equal(again.status, 400);
    assert_string_equal(json_string_value(json_array_get(json_object_get(bad.json, "public"), 0)),
                        "Incorrect padding");
    assert_int_equal(count_at("/v1/keys", ivo), 1);
    assert_int_equal(count_at("/v1/keys", eve), 0);
    assert_int_equal(api_status(C, "GET", "/v1/keys/ivo@box", eve, NULL), 404);
    assert_int_equal(api_status(C, "GET", "/v1/keys/ivo@box", ivo, NULL), 200);
    assert_int_equal(api_status(C, "DELETE", "/v1/keys/ivo@box", ivo, NULL), 204);
    assert_int_equal(count_at("/v1/keys", ivo), 0);
}

/* --- apps and rights --- */

static void apps__create_show_and_name_rules(void **state)
{
    answer_auto struct answer a = api(C, "POST", "/v1/apps", ivo, "{\"id\":\"plum-harbor\"}");
    answer_auto struct answer twice = api(C, "POST", "/v1/apps", eve, "{\"id\":\"plum-harbor\"}");
    answer_auto struct answer odd = api(C, "POST", "/v1/apps", ivo, "{\"id\":\"camelCase\"}");
    answer_auto struct answer reserved = api(C, "POST", "/v1/apps", ivo, "{\"id\":\"deis\"}");
    answer_auto struct answer generated = api(C, "POST", "/v1/apps", eve, NULL);

    assert_int_equal(a.status, 201);
    assert_string_equal(text_of(a.json, "url"), "plum-harbor.example.net");
    assert_string_equal(text_of(a.json, "owner"), "ivo");
    assert_int_equal(twice.status, 400);
    assert_non_null(strstr(twice.text, "This field must be unique."));
    assert_non_null(strstr(odd.text, "App IDs can only contain [a-z0-9-]."));
    assert_non_null(strstr(reserved.text, "deis is a reserved name."));
    assert_int_equal(generated.status, 201);
    assert_non_null(strchr(text_of(generated.json, "id"), '-'));
    assert_int_equal(api_status(C, "GET", "/v1/apps/plum-harbor/", ivo, NULL), 200);
    assert_int_equal(api_status(C, "GET", "/v1/apps/plum-harbor", eve, NULL), 403);
    assert_int_equal(api_status(C, "GET", "/v1/apps/no-such-app", eve, NULL), 404);
    assert_true(fake_platform_logged(world.platform, "plum-harbor", "ivo created initial release"));
}

static void apps__lists_are_paged(void **state)
{
    char *pat = api_user(C, "pat", "pw");

    for (unsigned i = 0; i < 4; i++) {
        char id[16];
        snprintf(id, sizeof(id), "pat-%u", i);
        create_app(id, pat);
    }
    answer_auto struct answer first = api(C, "GET", "/v1/apps/?page_size=2", pat, NULL);
    answer_auto struct answer second = api(C, "GET", "/v1/apps?page=2&page_size=2", pat, NULL);
    assert_int_equal(number_of(first.json, "count"), 4);
    assert_int_equal(json_array_size(json_object_get(first.json, "results")), 2);
    assert_string_equal(text_of(first.json, "next"),
                        "http://deis.example.net/v1/apps/?page=2&page_size=2");
    assert_true(json_is_null(json_object_get(first.json, "previous")));
    assert_true(json_is_null(json_object_get(second.json, "next")));
    assert_int_equal(api_status(C, "GET", "/v1/apps?page=99", pat, NULL), 404);
    free(pat);
}

static void apps__collaborators_and_transfer(void **state)
{
    create_app("shared", ivo);
    assert_int_equal(api_status(C, "POST", "/v1/apps/shared/perms", eve, "{\"username\":\"eve\"}"),
                     403);
    assert_int_equal(api_status(C, "POST", "/v1/apps/shared/perms", ivo, "{\"username\":\"eve\"}"),
                     201);
    assert_int_equal(api_status(C, "GET", "/v1/apps/shared/releases", eve, NULL), 200);
    assert_int_equal(api_status(C, "DELETE", "/v1/apps/shared", eve, NULL), 403);
    assert_int_equal(api_status(C, "POST", "/v1/apps/shared", eve, "{\"owner\":\"eve\"}"), 403);
    answer_auto struct answer perms = api(C, "GET", "/v1/apps/shared/perms", eve, NULL);
    assert_string_equal(perms.text, "{\"users\":[\"eve\"]}");
    assert_int_equal(api_status(C, "DELETE", "/v1/apps/shared/perms/eve", eve, NULL), 204);
    assert_int_equal(api_status(C, "DELETE", "/v1/apps/shared/perms/eve", ivo, NULL), 403);
    assert_int_equal(api_status(C, "POST", "/v1/apps/shared", ivo, "{\"owner\":\"eve\"}"), 200);
    assert_int_equal(api_status(C, "GET", "/v1/apps/shared", ivo, NULL), 403);
    assert_int_equal(api_status(C, "GET", "/v1/apps/shared", eve, NULL), 200);
}

static void apps__domains(void **state)
{
    create_app("shop", ivo);
    assert_int_equal(
        api_status(C, "POST", "/v1/apps/shop/domains", ivo, "{\"domain\":\"Shop.example.org\"}"),
        201);
    assert_int_equal(
        api_status(C, "POST", "/v1/apps/shop/domains", ivo, "{\"domain\":\"shop.example.org.\"}"),
        400);
    assert_int_equal(
        api_status(C, "POST", "/v1/apps/shop/domains", ivo, "{\"domain\":\"a_b.com\"}"), 400);
    assert_int_equal(count_at("/v1/apps/shop/domains", ivo), 1);
    assert_true(key_exists(&world, "/deis/domains/shop.example.org"));
    assert_int_equal(api_status(C, "DELETE", "/v1/apps/shop/domains/Shop.example.org", ivo, NULL),
                     204);
    assert_int_equal(api_status(C, "DELETE", "/v1/apps/shop/domains/Shop.example.org", ivo, NULL),
                     404);
}

/* --- releases --- */

static void config__without_a_build_makes_releases_at_once(void **state)
{
    create_app("conf", ivo);
    answer_auto struct answer set =
        api(C, "POST", "/v1/apps/conf/config", ivo, "{\"values\":\"{\\\"PORT\\\": 5000}\"}");
    answer_auto struct answer again = api(
        C, "POST", "/v1/apps/conf/config", ivo,
        "{\"values\":{\"FOO\":\"bar\"},\"memory\":{\"web\":\"512M\"},\"cpu\":{\"web\":\"1024\"}}");
    answer_auto struct answer bad = api(
        C, "POST", "/v1/apps/conf/config", ivo,
        "{\"values\":{\"1\":\"x\"},\"memory\":{\"web\":\"300\"},\"cpu\":{\"web\":2000},\"tags\":{\"a.b\":\"c\"}}");
    answer_auto struct answer get = api(C, "GET", "/v1/apps/conf/config", ivo, NULL);
    answer_auto struct answer release = api(C, "GET", "/v1/apps/conf/releases/v3", ivo, NULL);

    assert_int_equal(set.status, 201);
    assert_string_equal(text_of(json_object_get(set.json, "values"), "PORT"), "5000");
    assert_non_null(strstr(again.headers, "Deis-Release: 3"));
    assert_int_equal(bad.status, 400);
    assert_int_equal(json_object_size(bad.json), 4);
    assert_int_equal(json_object_size(json_object_get(get.json, "values")), 2);
    assert_int_equal(number_of(json_object_get(get.json, "cpu"), "web"), 1024);
    assert_string_equal(text_of(release.json, "summary"),
                        "ivo added FOO and changed limits for memory, cpu");
    assert_int_equal(count_at("/v1/apps/conf/releases", ivo), 3);
    assert_int_equal(
        api_status(C, "POST", "/v1/apps/conf/releases/rollback", ivo, "{\"version\":2}"), 201);
    answer_auto struct answer back = api(C, "GET", "/v1/apps/conf/config", ivo, NULL);
    assert_null(json_object_get(json_object_get(back.json, "values"), "FOO"));
}

static void deploy__build_scale_restart_rollback(void **state)
{
    create_app("blog", ivo);
    answer_auto struct answer early = api(C, "POST", "/v1/apps/blog/scale", ivo, "{\"web\":1}");
    assert_string_equal(text_of(early.json, "detail"), "No build associated with this release");
    answer_auto struct answer built = api(
        C, "POST", "/v1/apps/blog/builds", ivo,
        "{\"image\":\"blog\",\"sha\":\"0123456789abcdef0123456789abcdef01234567\",\"dockerfile\":\"true\","
        "\"procfile\":{\"web\":\"node server.js\",\"worker\":\"node worker.js\"}}");
    assert_int_equal(built.status, 201);
    assert_non_null(strstr(built.headers, "Deis-Release: 2"));
    answer_auto struct answer list = api(C, "GET", "/v1/apps/blog/containers", ivo, NULL);
    const json_t *unit = json_array_get(json_object_get(list.json, "results"), 0);
    assert_int_equal(number_of(list.json, "count"), 1);
    assert_string_equal(text_of(unit, "type"), "web");
    assert_string_equal(text_of(unit, "state"), "up");
    assert_string_equal(text_of(unit, "release"), "v2");

    assert_int_equal(
        api_status(C, "POST", "/v1/apps/blog/scale", ivo, "{\"web\":3,\"worker\":\"2\"}"), 204);
    assert_int_equal(count_at("/v1/apps/blog/containers", ivo), 5);
    assert_int_equal(count_at("/v1/apps/blog/containers/worker", ivo), 2);
    assert_int_equal(api_status(C, "GET", "/v1/apps/blog/containers/web/3", ivo, NULL), 200);
    assert_int_equal(api_status(C, "GET", "/v1/apps/blog/containers/web/4", ivo, NULL), 404);
    answer_auto struct answer restarted =
        api(C, "POST", "/v1/apps/blog/containers/web/restart", ivo, NULL);
    assert_int_equal(restarted.status, 200);
    assert_int_equal(json_array_size(restarted.json), 3);
    answer_auto struct answer config =
        api(C, "POST", "/v1/apps/blog/config", ivo, "{\"values\":{\"A\":\"1\"}}");
    assert_string_equal(text_of(json_object_get(config.json, "values"), "DEIS_RELEASE"), "v3");
    answer_auto struct answer rolled = api(C, "POST", "/v1/apps/blog/releases/rollback", ivo, NULL);
    assert_int_equal(number_of(rolled.json, "version"), 4);
    answer_auto struct answer run =
        api(C, "POST", "/v1/apps/blog/run", ivo, "{\"command\":\"echo hello\"}");
    assert_int_equal(run.status, 200);
    assert_int_equal(json_integer_value(json_array_get(run.json, 0)), 3);
    assert_string_equal(json_string_value(json_array_get(run.json, 1)),
                        "hello \"there\"\xEF\xBF\xBD\n");
    assert_int_equal(count_at("/v1/apps/blog/containers/run", ivo), 1);
    assert_int_equal(count_at("/v1/apps/blog/containers", ivo), 5);
}

static void deploy__a_long_command_of_many_lines_is_one_line_of_the_log(void **state)
{
    deis_autofree char *comment = deis_alloc(60001);

    create_app("wordy", ivo);
    assert_int_equal(api_status(C, "POST", "/v1/apps/wordy/builds", ivo, "{\"image\":\"ok\"}"),
                     201);
    memset(comment, '#', 60000);
    deis_autofree char *body = deis_asprintf("{\"command\":\"true\\nmira was here %s\"}", comment);
    assert_int_equal(api_status(C, "POST", "/v1/apps/wordy/run", ivo, body), 200);
    assert_true(
        fake_platform_logged(world.platform, "wordy", "ivo runs 'true\\nmira was here ####"));
}

static void deploy__failure_spends_no_number_and_reverts(void **state)
{
    create_app("frail", ivo);
    assert_int_equal(api_status(C, "POST", "/v1/apps/frail/builds", ivo, "{\"image\":\"ok\"}"),
                     201);
    answer_auto struct answer failed =
        api(C, "POST", "/v1/apps/frail/builds", ivo, "{\"image\":\"broken\"}");
    assert_int_equal(failed.status, 503);
    assert_non_null(strstr(text_of(failed.json, "detail"), "web.1 exited with code 1"));
    assert_non_null(strstr(text_of(failed.json, "detail"), "left-pad"));
    assert_int_equal(count_at("/v1/apps/frail/releases", ivo), 2);
    assert_int_equal(count_at("/v1/apps/frail/builds", ivo), 1);
    assert_false(key_exists(&world, "/deis/operations/frail"));
    answer_auto struct answer good =
        api(C, "POST", "/v1/apps/frail/builds", ivo, "{\"image\":\"ok2\"}");
    assert_non_null(strstr(good.headers, "Deis-Release: 3"));

    create_app("stillborn", ivo);
    assert_int_equal(
        api_status(C, "POST", "/v1/apps/stillborn/builds", ivo, "{\"image\":\"broken\"}"), 503);
    assert_false(key_exists(&world, "/deis/formations/stillborn"));
    assert_int_equal(count_at("/v1/apps/stillborn/releases", ivo), 1);
}

static void deploy__destroy_leaves_nothing(void **state)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    create_app("gone", ivo);
    assert_int_equal(api_status(C, "POST", "/v1/apps/gone/builds", ivo, "{\"image\":\"ok\"}"), 201);
    assert_int_equal(
        api_status(C, "POST", "/v1/apps/gone/domains", ivo, "{\"domain\":\"gone.example.org\"}"),
        201);
    assert_int_equal(api_status(C, "POST", "/v1/apps/gone/perms", ivo, "{\"username\":\"eve\"}"),
                     201);
    assert_int_equal(api_status(C, "DELETE", "/v1/apps/gone", ivo, NULL), 204);
    assert_int_equal(api_status(C, "GET", "/v1/apps/gone/config", ivo, NULL), 404);
    assert_int_equal(deis_etcd_list_keys(world.etcd, "/deis/", &range, &err), 0);
    for (size_t i = 0; i < range.count; i++) {
        const char *key = range.kvs[i].key;
        if (strstr(key, "/gone") && strncmp(key, "/deis/rollouts/", 15) != 0) {
            fail_msg("left behind: %s", key);
        }
    }
    create_app("gone", eve);
}

/* --- hooks and certificates --- */

/* A call with the builder's key. */
static int hook(const char *path, const char *body, json_t **ret)
{
    deis_autoanswer struct deis_httpc_answer got = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_key key;
    char secret[65];
    struct deis_httpc *client = deis_httpc_new();

    assert_int_equal(deis_key_load(world.key_file, &key, &err), 0);
    deis_key_derive_hex(&key, "builder-hook", secret);
    char *url = deis_asprintf("%s%s", C->base, path);
    char *auth = deis_asprintf("X-Deis-Builder-Auth: %s", secret);
    const char *headers[] = { "Content-Type: application/json", auth, NULL };
    const struct deis_httpc_request req = { .method = "POST",
                                            .url = url,
                                            .headers = headers,
                                            .body = deis_str(body),
                                            .timeout_ms = 20000 };
    assert_int_equal(deis_httpc_call(client, &req, &got, &err), 0);
    *ret = deis_json_parse(deis_buf_str(&got.body), NULL);
    deis_httpc_free(client);
    free(url);
    free(auth);
    return got.status;
}

static void hooks__need_the_builders_key(void **state)
{
    deis_autojson json_t *built = NULL;
    deis_autojson json_t *config = NULL;
    deis_autojson json_t *stranger = NULL;
    deis_autojson json_t *pushed = NULL;

    create_app("hooked", ivo);
    assert_int_equal(api_status(C, "POST", "/v1/hooks/builds", NULL, "{}"), 401);
    assert_int_equal(api_status(C, "POST", "/v1/hooks/builds", ivo, "{}"), 403);
    assert_int_equal(
        hook("/v1/hooks/builds",
             "{\"receive_user\":\"ivo\",\"receive_repo\":\"hooked\",\"image\":\"hooked\","
             "\"sha\":\"01234567\",\"procfile\":{},\"dockerfile\":\"true\"}",
             &built),
        200);
    assert_int_equal(number_of(json_object_get(built, "release"), "version"), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(built, "domains"), 0)),
                        "hooked.example.net");
    assert_int_equal(
        hook("/v1/hooks/config", "{\"receive_user\":\"ivo\",\"receive_repo\":\"hooked\"}", &config),
        200);
    assert_non_null(json_object_get(config, "values"));
    assert_int_equal(hook("/v1/hooks/config",
                          "{\"receive_user\":\"eve\",\"receive_repo\":\"hooked\"}", &stranger),
                     403);
    assert_int_equal(
        hook("/v1/hooks/push",
             "{\"receive_user\":\"ivo\",\"receive_repo\":\"hooked\",\"sha\":\"01234567\","
             "\"fingerprint\":\"x\",\"ssh_connection\":\"y\",\"ssh_original_command\":\"z\"}",
             &pushed),
        201);
    assert_string_equal(text_of(pushed, "ssh_original_command"), "z");
}

/* A pair of our own making, as a request's body; yours. */
static char *make_pair(const char *name)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *cert = X509_new();
    BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
    char *text;
    long len;

    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_sign(cert, key, EVP_sha256());
    PEM_write_bio_X509(cert_pem, cert);
    PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL);
    json_t *body = json_object();
    len = BIO_get_mem_data(cert_pem, &text);
    json_object_set_new(body, "certificate", json_stringn(text, (size_t)len));
    len = BIO_get_mem_data(key_pem, &text);
    json_object_set_new(body, "key", json_stringn(text, (size_t)len));
    char *out = deis_json_dump(body);
    json_decref(body);
    BIO_free(cert_pem);
    BIO_free(key_pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    return out;
}

static void certs__belong_to_their_user(void **state)
{
    char *pair = make_pair("secure.example.org");
    char *wild = make_pair("*.example.org");
    answer_auto struct answer a = api(C, "POST", "/v1/certs", ivo, pair);
    answer_auto struct answer again = api(C, "POST", "/v1/certs", eve, pair);
    answer_auto struct answer wildcard = api(C, "POST", "/v1/certs", ivo, wild);

    assert_int_equal(a.status, 201);
    assert_string_equal(text_of(a.json, "common_name"), "secure.example.org");
    assert_null(json_object_get(a.json, "key"));
    assert_null(json_object_get(a.json, "certificate"));
    assert_int_equal(again.status, 400);
    assert_string_equal(wildcard.text,
                        "{\"common_name\":[\"Wildcard certificates are not supported\"]}");
    assert_int_equal(api_status(C, "GET", "/v1/certs/secure.example.org", mira, NULL), 404);
    assert_int_equal(api_status(C, "DELETE", "/v1/certs/secure.example.org", ivo, NULL), 204);
    assert_int_equal(count_at("/v1/certs", ivo), 0);
    free(pair);
    free(wild);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transport__version_headers_are_on_every_answer),
        cmocka_unit_test(transport__unknown_token_is_401_in_upper_case),
        cmocka_unit_test(transport__known_route_wrong_method),
        cmocka_unit_test(transport__malformed_body_is_400),
        cmocka_unit_test(transport__a_refusal_of_the_server_reads_like_the_api),
        cmocka_unit_test(users__first_registrant_is_administrator),
        cmocka_unit_test(users__registration_reports_all_faults),
        cmocka_unit_test(users__password_changes_and_logins),
        cmocka_unit_test(users__new_token_revokes_the_old),
        cmocka_unit_test(users__guessing_a_password_is_rationed),
        cmocka_unit_test(users__no_secret_is_stored_in_clear),
        cmocka_unit_test(keys__add_list_and_remove),
        cmocka_unit_test(apps__create_show_and_name_rules),
        cmocka_unit_test(apps__lists_are_paged),
        cmocka_unit_test(apps__collaborators_and_transfer),
        cmocka_unit_test(apps__domains),
        cmocka_unit_test(config__without_a_build_makes_releases_at_once),
        cmocka_unit_test(deploy__build_scale_restart_rollback),
        cmocka_unit_test(deploy__a_long_command_of_many_lines_is_one_line_of_the_log),
        cmocka_unit_test(deploy__failure_spends_no_number_and_reverts),
        cmocka_unit_test(deploy__destroy_leaves_nothing),
        cmocka_unit_test(hooks__need_the_builders_key),
        cmocka_unit_test(certs__belong_to_their_user),
    };

    if (!test_etcd_installed("controller_api")) {
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
