/* SPDX-License-Identifier: MIT */
/* The routes, and each right against each kind of caller. */
#include "controller/core/limiter.h"
#include "controller/core/route.h"
#include "tests/support/test.h"

/* Which callers a right lets through: anonymous, stranger, collaborator, owner, administrator. */
static const struct {
    enum access_right right;
    const char *verdicts; /* '+' yes, '1' 401, '3' 403 */
} rights[] = {
    { ACCESS_ANYONE, "+++++" },  { ACCESS_USER, "1++++" },    { ACCESS_ADMIN, "1333+" },
    { ACCESS_APP_USE, "13+++" }, { ACCESS_APP_OWN, "133++" }, { ACCESS_APP_REVOKE, "133++" },
    { ACCESS_HOOK, "13333" },
};

static char judge(enum access_right right, unsigned who)
{
    const struct access_caller caller = { .known = who > 0, .admin = who == 4 };
    const struct access_relation relation = { .owner = who == 3, .collaborator = who == 2 };
    enum access_verdict v = access_judge_route(right, &caller);

    if (v == ACCESS_OK && access_is_app(right)) {
        v = access_judge_app(right, &caller, &relation);
    }
    return v == ACCESS_OK ? '+' : v == ACCESS_UNKNOWN ? '1' : '3';
}

static void access__each_right_against_each_caller(void **state)
{
    for (size_t i = 0; i < DEIS_COUNT(rights); i++) {
        for (unsigned who = 0; who < 5; who++) {
            assert_int_equal(judge(rights[i].right, who), rights[i].verdicts[who]);
        }
    }
}

static void access__every_route_has_a_known_right(void **state)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        bool known = false;
        for (size_t r = 0; r < DEIS_COUNT(rights); r++) {
            known |= rights[r].right == route_table()[i].right;
        }
        assert_true(known);
        /* A path that names an app is judged by the app, and only such a one. */
        bool on_app = strncmp(route_table()[i].pattern, "/v1/apps/", 9) == 0;
        assert_int_equal(on_app, access_is_app(route_table()[i].right));
    }
}

static void access__collaborator_may_leave_but_not_remove_others(void **state)
{
    const struct access_caller caller = { .known = true };
    struct access_relation relation = { .collaborator = true, .self = true };

    assert_int_equal(access_judge_app(ACCESS_APP_REVOKE, &caller, &relation), ACCESS_OK);
    relation.self = false;
    assert_int_equal(access_judge_app(ACCESS_APP_REVOKE, &caller, &relation), ACCESS_FORBIDDEN);
    relation = (struct access_relation){ .self = true }; /* a stranger who names himself */
    assert_int_equal(access_judge_app(ACCESS_APP_REVOKE, &caller, &relation), ACCESS_FORBIDDEN);
}

static void access__builder_key_opens_hooks_only(void **state)
{
    const struct access_caller builder = { .builder = true };

    assert_int_equal(access_judge_route(ACCESS_HOOK, &builder), ACCESS_OK);
    assert_int_equal(access_judge_route(ACCESS_USER, &builder), ACCESS_UNKNOWN);
    assert_int_equal(access_judge_route(ACCESS_ADMIN, &builder), ACCESS_UNKNOWN);
}

/* --- routes --- */

static enum route_id find(const char *method, const char *path)
{
    struct route_match m;
    enum route_id id = ROUTE_COUNT;

    if (route_find(deis_str(method), deis_str(path), &m) && m.route) {
        id = m.route->id;
    }
    route_match_clear(&m);
    return id;
}

static void route__final_slash_is_optional_on_all(void **state)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *r = &route_table()[i];
        deis_autobuf struct deis_buf path = DEIS_BUF_INIT(512);
        /* An example of the pattern: parameters by a value that fits all of them. */
        struct deis_str rest = deis_str(r->pattern), part;
        bool first = true;
        while (deis_str_split(&rest, '/', &part)) {
            ptrdiff_t colon = deis_str_find(part, ':');
            deis_buf_add_cstr(&path, first ? "" : "/");
            first = false;
            deis_buf_add_str(&path, colon < 0 ? part : deis_str_first(part, (size_t)colon));
            if (deis_str_ends(part, ":uuid")) {
                deis_buf_add_cstr(&path, "0b8f6c0e-51f5-4f0c-9f0e-3a4a0f6f2c11");
            } else if (colon >= 0) {
                deis_buf_add_cstr(&path, "7");
            }
        }
        assert_int_equal(find(r->method, path.data), r->id);
        deis_buf_add_char(&path, '/');
        assert_int_equal(find(r->method, path.data), r->id);
    }
}

static void route__literal_wins_over_parameter(void **state)
{
    struct route_match m;

    assert_int_equal(find("POST", "/v1/apps/blog/containers/restart"), ROUTE_containers_restart);
    /* "restart" is no container type. */
    assert_true(route_find(DEIS_STR("GET"), DEIS_STR("/v1/apps/blog/containers/restart"), &m));
    assert_null(m.route);
    assert_string_equal(m.allow, "POST");
    route_match_clear(&m);
}

static void route__parameters_are_decoded_and_whole(void **state)
{
    struct route_match m;

    assert_true(route_find(DEIS_STR("DELETE"), DEIS_STR("/v1/keys/mira%40box%2Flocal"), &m));
    assert_string_equal(route_param(&m, "key"), "mira@box/local");
    route_match_clear(&m);
    assert_true(route_find(DEIS_STR("HEAD"), DEIS_STR("/v1/apps/blog/releases/v12"), &m));
    assert_int_equal(m.route->id, ROUTE_releases_get);
    assert_string_equal(route_param(&m, "version"), "12");
    assert_string_equal(route_param(&m, "app"), "blog");
    assert_null(route_param(&m, "key"));
    assert_string_equal(m.allow, "GET, HEAD");
    route_match_clear(&m);
}

static void route__what_is_no_path_of_ours(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        "/v2/apps",
        "/v1//apps",
        "/v1/apps//",
        "/v1/apps/UPPER",
        "/v1/apps/blog/nothing",
        "/v1/apps/blog/releases/12",
        "/v1/apps/blog/releases/v",
        "/v1/apps/blog/builds/short",
        "/v1/apps/blog%0a",
        "/v1/apps/blog%00",
        "/v1/keys/%ff",
        "/v1/keys/%zz",
        "/v1/usersjunk",
    };

    for (size_t i = 0; i < DEIS_COUNT(paths); i++) {
        struct route_match m;
        assert_false(route_find(DEIS_STR("GET"), deis_str(paths[i]), &m));
        route_match_clear(&m);
    }
}

/* --- failed logins --- */

static void limiter__failures_are_free_then_rationed_then_forgotten(void **state)
{
    static struct limiter l;
    uint64_t now = 1000000;

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(limiter_wait_ms(&l, 7, 3, now), 0);
        limiter_fail(&l, 7, now);
    }
    assert_int_equal(limiter_wait_ms(&l, 7, 3, now), LIMITER_FORGET_MS);
    assert_int_equal(limiter_wait_ms(&l, 8, 3, now), 0); /* somebody else */
    assert_int_equal(limiter_wait_ms(&l, 7, 3, now + LIMITER_FORGET_MS), 0);
    assert_int_equal(limiter_wait_ms(&l, 7, 3, now + LIMITER_FORGET_MS - 1), 1);
    limiter_forget(&l, 7);
    assert_int_equal(limiter_wait_ms(&l, 7, 3, now), 0);
}

static void limiter__a_shared_slot_keeps_the_worse_one(void **state)
{
    static struct limiter l;
    uint64_t now = 1000000;

    for (unsigned i = 0; i < 5; i++) {
        limiter_fail(&l, 7, now);
    }
    limiter_fail(&l, 7 + LIMITER_SLOTS, now);
    assert_true(limiter_wait_ms(&l, 7, 3, now) > 0);
    now += (uint64_t)5 * LIMITER_FORGET_MS; /* all is forgotten: the slot is free */
    limiter_fail(&l, 7 + LIMITER_SLOTS, now);
    assert_int_equal(limiter_wait_ms(&l, 7 + LIMITER_SLOTS, 1, now), LIMITER_FORGET_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access__each_right_against_each_caller),
        cmocka_unit_test(access__every_route_has_a_known_right),
        cmocka_unit_test(access__collaborator_may_leave_but_not_remove_others),
        cmocka_unit_test(access__builder_key_opens_hooks_only),
        cmocka_unit_test(route__final_slash_is_optional_on_all),
        cmocka_unit_test(route__literal_wins_over_parameter),
        cmocka_unit_test(route__parameters_are_decoded_and_whole),
        cmocka_unit_test(route__what_is_no_path_of_ours),
        cmocka_unit_test(limiter__failures_are_free_then_rationed_then_forgotten),
        cmocka_unit_test(limiter__a_shared_slot_keeps_the_worse_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
