/* SPDX-License-Identifier: MIT */
/* What piles up and ends: old releases, tokens, the audit; containers in detail. */
#include "tests/integration/controller/harness.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/crypto/secret.h"

#include <time.h>

static struct world world;
static char *mira; /* tokens: the first user is the administrator */
static char *ivo;

#define C       (&world.first)
#define WAIT_MS 60000

static int setup(void **state)
{
    world_start(&world);
    mira = api_user(C, "mira", "pw-mira");
    ivo = api_user(C, "ivo", "pw-ivo");
    return 0;
}

static int teardown(void **state)
{
    free(mira);
    free(ivo);
    world_stop(&world);
    return 0;
}

static void put(const char *key, const char *value)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_put(world.etcd, key, deis_str(value), 0, &err), DEIS_OK);
}

static size_t count_keys(const char *prefix)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_list_keys(world.etcd, prefix, &range, &err), DEIS_OK);
    return range.count;
}

static void pause_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

/* --- old releases --- */

static void retention__old_releases_go_with_what_only_they_need(void **state)
{
    put("/deis/outcomes/old", "{\"done\":true,\"version\":1,\"app\":\"x\",\"at_ms\":1000}");
    put("/deis/config/controller/releasesKept", "3");
    assert_int_equal(api_status(C, "POST", "/v1/apps", ivo, "{\"id\":\"pile\"}"), 201);
    assert_int_equal(api_status(C, "POST", "/v1/apps/pile/builds", ivo, "{\"image\":\"first\"}"),
                     201);
    uint64_t until = deis_now_ms() + WAIT_MS;
    unsigned made = 2;
    /* The setting arrives by a watch; from then on it takes ten releases too many. */
    while (made <= 3 || count_keys("/deis/apps/pile/releases/") != 3) {
        char body[64];
        snprintf(body, sizeof(body), "{\"values\":{\"N\":\"%u\"}}", ++made);
        assert_int_equal(api_status(C, "POST", "/v1/apps/pile/config", ivo, body), 201);
        assert_true(deis_now_ms() < until);
    }
    assert_true(made >= 13);
    assert_int_equal(count_keys("/deis/apps/pile/configs/"), 3);
    assert_int_equal(count_keys("/deis/apps/pile/builds/"), 1);

    char body[64], path[64];
    snprintf(body, sizeof(body), "{\"version\":%u}", made - 3);
    assert_int_equal(api_status(C, "POST", "/v1/apps/pile/releases/rollback", ivo, body), 404);
    snprintf(body, sizeof(body), "{\"version\":%u}", made - 2);
    assert_int_equal(api_status(C, "POST", "/v1/apps/pile/releases/rollback", ivo, body), 201);
    answer_auto struct answer config = api(C, "GET", "/v1/apps/pile/config", ivo, NULL);
    snprintf(body, sizeof(body), "%u", made - 2);
    assert_string_equal(text_of(json_object_get(config.json, "values"), "N"), body);
    snprintf(path, sizeof(path), "/v1/apps/pile/releases/v%u", made + 1);
    assert_int_equal(api_status(C, "GET", path, ivo, NULL), 200);
}

/* The pass that runs at the start keeps to the bound exactly, and looks at all apps. */
static void retention__a_start_tidies_up(void **state)
{
    assert_int_equal(api_status(C, "POST", "/v1/apps", ivo, "{\"id\":\"heap\"}"), 201);
    for (unsigned i = 0; i < 4; i++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"values\":{\"N\":\"%u\"}}", i);
        assert_int_equal(api_status(C, "POST", "/v1/apps/heap/config", ivo, body), 201);
    }
    assert_int_equal(count_keys("/deis/apps/heap/releases/"), 5);
    put("/deis/config/controller/auditKept", "5");
    controller_start(&world, &world.second, "two");
    uint64_t until = deis_now_ms() + WAIT_MS;
    while (count_keys("/deis/apps/heap/configs/") != 3 ||
           key_exists(&world, "/deis/outcomes/old") || count_keys("/deis/audit/") > 5) {
        assert_true(deis_now_ms() < until);
        pause_ms(20);
    }
    assert_int_equal(count_keys("/deis/apps/heap/releases/"), 3);
    assert_true(count_keys("/deis/outcomes/") > 0);
}

/* --- tokens --- */

static char *login(const char *body)
{
    answer_auto struct answer a = api(C, "POST", "/v1/auth/login/", NULL, body);

    assert_int_equal(a.status, 200);
    return deis_strdup(text_of(a.json, "token"));
}

#define PAT "{\"username\":\"pat\",\"password\":\"pw-pat\",\"email\":\"\"}"

static void tokens__are_listed_and_revoked_on_all_controllers(void **state)
{
    char path[128];
    char *first = api_user(C, "pat", "pw-pat");
    char *second = login(PAT);
    answer_auto struct answer list = api(&world.second, "GET", "/v1/auth/tokens/", first, NULL);
    const json_t *rows = json_object_get(list.json, "results");

    assert_int_equal(list.status, 200);
    assert_int_equal(json_array_size(rows), 2);
    const json_t *newer = json_array_get(rows, 0);
    const json_t *older = json_array_get(rows, 1);
    assert_true(json_is_null(json_object_get(newer, "last_used")));
    assert_true(json_is_false(json_object_get(newer, "current")));
    assert_true(json_is_true(json_object_get(older, "current")));
    assert_int_equal(strlen(text_of(older, "created")), strlen("2026-11-22T15:00:44UTC"));

    snprintf(path, sizeof(path), "/v1/auth/tokens/%s", text_of(newer, "id"));
    assert_int_equal(api_status(C, "GET", "/v1/apps", second, NULL), 200);
    assert_int_equal(api_status(C, "DELETE", path, ivo, NULL), 404);
    assert_int_equal(api_status(C, "DELETE", "/v1/auth/tokens/00000000", first, NULL), 404);
    assert_int_equal(api_status(&world.second, "DELETE", path, first, NULL), 204);
    assert_int_equal(api_status(C, "GET", "/v1/apps", second, NULL), 401);
    assert_int_equal(api_status(&world.second, "DELETE", path, first, NULL), 404);

    answer_auto struct answer again = api(C, "GET", "/v1/auth/tokens", first, NULL);
    rows = json_object_get(again.json, "results");
    assert_int_equal(json_array_size(rows), 1);
    assert_true(json_is_string(json_object_get(json_array_get(rows, 0), "last_used")));
    free(first);
    free(second);
}

/* One write an hour: the second request of a token writes nothing. */
static void tokens__use_is_noted_once(void **state)
{
    deis_autorange struct deis_etcd_range before = { 0 }, after = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(api_status(C, "GET", "/v1/apps", mira, NULL), 200);
    assert_int_equal(deis_etcd_list(world.etcd, "/deis/tokens/", 0, &before, &err), DEIS_OK);
    assert_int_equal(api_status(&world.second, "GET", "/v1/apps", mira, NULL), 200);
    assert_int_equal(deis_etcd_list(world.etcd, "/deis/tokens/", 0, &after, &err), DEIS_OK);
    assert_int_equal(before.count, after.count);
    for (size_t i = 0; i < before.count; i++) {
        assert_int_equal(before.kvs[i].mod_revision, after.kvs[i].mod_revision);
    }
}

static void tokens__end_after_their_life(void **state)
{
    char hash[65], key[128];
    char *token = login(PAT);
    char *value;

    deis_sha256_hex(deis_str(token), hash);
    snprintf(key, sizeof(key), "/deis/tokens/%s", hash);
    value = deis_asprintf("{\"user\":\"pat\",\"created\":\"%s\",\"last_used\":null}",
                          "2020-01-01T00:00:00UTC");
    put(key, value);
    assert_int_equal(api_status(C, "GET", "/v1/apps", token, NULL), 200);
    put("/deis/config/controller/tokenLife", "1h");
    uint64_t until = deis_now_ms() + WAIT_MS;
    while (api_status(C, "GET", "/v1/apps", token, NULL) != 401) {
        assert_true(deis_now_ms() < until);
    }
    assert_int_equal(api_status(C, "GET", "/v1/apps", ivo, NULL), 200);
    free(token);
    free(value);
}

/* --- audit --- */

static void audit__is_for_administrators_newest_first_and_filtered(void **state)
{
    assert_int_equal(api_status(C, "POST", "/v1/apps", ivo, "{\"id\":\"seen\"}"), 201);
    assert_int_equal(api_status(C, "POST", "/v1/apps", mira, "{\"id\":\"seen-too\"}"), 201);
    assert_int_equal(
        api_status(C, "POST", "/v1/apps/seen/domains", ivo, "{\"domain\":\"seen.example.org\"}"),
        201);
    assert_int_equal(api_status(C, "GET", "/v1/audit", ivo, NULL), 403);
    assert_int_equal(api_status(C, "GET", "/v1/audit", NULL, NULL), 401);

    answer_auto struct answer app = api(C, "GET", "/v1/audit?app=seen&user=ivo", mira, NULL);
    const json_t *rows = json_object_get(app.json, "results");
    assert_int_equal(app.status, 200);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(text_of(json_array_get(rows, 0), "action"), "domain.add");
    assert_string_equal(text_of(json_array_get(rows, 1), "action"), "app.create");
    assert_string_equal(text_of(json_array_get(rows, 1), "object"), "app/seen");

    answer_auto struct answer none = api(C, "GET", "/v1/audit?app=seen&user=mira", mira, NULL);
    assert_int_equal(json_integer_value(json_object_get(none.json, "count")), 0);
    answer_auto struct answer page = api(C, "GET", "/v1/audit?page_size=1", mira, NULL);
    rows = json_object_get(page.json, "results");
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(text_of(json_array_get(rows, 0), "action"), "domain.add");
}

/* More changes than a controller remembers operations, in a row. */
static void operations__ended_ones_make_room(void **state)
{
    assert_int_equal(api_status(C, "POST", "/v1/apps", ivo, "{\"id\":\"busy\"}"), 201);
    for (unsigned i = 0; i < 520; i++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"values\":{\"N\":\"%u\"}}", i);
        answer_auto struct answer a = api(C, "POST", "/v1/apps/busy/config", ivo, body);
        if (a.status != 201) {
            fail_msg("change %u: %d %s", i, a.status, a.text);
        }
    }
}

/* --- containers --- */

static void containers__tell_details_when_asked(void **state)
{
    assert_int_equal(api_status(C, "POST", "/v1/apps", ivo, "{\"id\":\"detail\"}"), 201);
    assert_int_equal(api_status(C, "POST", "/v1/apps/detail/builds", ivo, "{\"image\":\"ok\"}"),
                     201);
    answer_auto struct answer plain = api(C, "GET", "/v1/apps/detail/containers", ivo, NULL);
    answer_auto struct answer more =
        api(C, "GET", "/v1/apps/detail/containers?detail=true", ivo, NULL);
    const json_t *row = json_array_get(json_object_get(plain.json, "results"), 0);
    const json_t *full = json_array_get(json_object_get(more.json, "results"), 0);

    assert_null(json_object_get(row, "machine"));
    assert_string_equal(text_of(full, "machine"), "fake-host");
    assert_true(json_is_true(json_object_get(full, "ready")));
    assert_true(json_is_null(json_object_get(full, "exit")));
    assert_int_equal(json_object_size(full), json_object_size(row) + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retention__old_releases_go_with_what_only_they_need),
        cmocka_unit_test(retention__a_start_tidies_up),
        cmocka_unit_test(tokens__are_listed_and_revoked_on_all_controllers),
        cmocka_unit_test(tokens__use_is_noted_once),
        cmocka_unit_test(tokens__end_after_their_life),
        cmocka_unit_test(operations__ended_ones_make_room),
        cmocka_unit_test(containers__tell_details_when_asked),
        cmocka_unit_test(audit__is_for_administrators_newest_first_and_filtered),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
