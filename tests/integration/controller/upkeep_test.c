/* SPDX-License-Identifier: MIT */
/* What piles up and ends: old releases, tokens, the audit. */
#include "tests/integration/controller/harness.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"

#include <time.h>

static struct world world;
static char *mira; /* tokens: the first user is the administrator */
static char *ivo;

#define C       (&world.first)
#define WAIT_MS 20000

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retention__old_releases_go_with_what_only_they_need),
        cmocka_unit_test(retention__a_start_tidies_up),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
