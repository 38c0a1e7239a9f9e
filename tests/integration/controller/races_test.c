/* SPDX-License-Identifier: MIT */
/* Changes of one app by many at once, by two controllers, while these are killed or sleep. */
#include "build.pb-c.h"
#include "tests/integration/controller/calls.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/model/model.h"
#include "lib/net/bus.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static struct world world;
static char *mira;

#define C (&world.first)

static int setup(void **state)
{
    world_start(&world);
    controller_start(&world, &world.second, "two");
    mira = api_user(C, "mira", "pw");
    return 0;
}

static int teardown(void **state)
{
    free(mira);
    world_stop(&world);
    return 0;
}

/* --- kills at random instants --- */

#define KILLS          16 /* DEIS_KILLS: another number, 200 for the long run */
#define ROUNDS_OF_APP  20 /* then the next app: the oldest releases of one would be dropped */
#define KILL_WITHIN_US 40000

static unsigned kills_wanted(void)
{
    const char *text = getenv("DEIS_KILLS");
    uint64_t n = KILLS;

    if (text && deis_str_to_u64(deis_str(text), 1, 100000, &n, NULL) < 0) {
        fail_msg("DEIS_KILLS is no number");
    }
    return (unsigned)n;
}

/* In how many releases is the change that was named so? */
static size_t releases_with(const json_t *rows, const char *name)
{
    const json_t *row;
    size_t i, found = 0, len = strlen(name);

    json_array_foreach(rows, i, row)
    {
        const char *at = strstr(text_of(row, "summary"), name);
        found += at && (at[len] == '\0' || at[len] == ',' || at[len] == ' ');
    }
    return found;
}

/* Documents of the app's folder that no release names. */
static void check_no_orphans(const char *app, const json_t *rows, const char *folder,
                             const char *member)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];

    deis_key(prefix, "apps/%s/%s/", app, folder);
    assert_int_equal(deis_etcd_list_keys(world.etcd, prefix, &range, &err), DEIS_OK);
    for (size_t i = 0; i < range.count; i++) {
        const json_t *row;
        size_t n;
        bool named = false;
        json_array_foreach(rows, n, row)
        {
            named = named || strcmp(text_of(row, member), range.kvs[i].key + strlen(prefix)) == 0;
        }
        if (!named) {
            fail_msg("no release names %s", range.kvs[i].key);
        }
    }
}

/* What runs is the newest release, and nothing else. */
static void check_runs(const char *app, json_int_t latest)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX], newest[DEIS_KEY_MAX];

    deis_key(newest, "units/%s_v%lld.", app, (long long)latest);
    assert_int_equal(
        deis_etcd_list_keys(world.etcd, deis_key(prefix, "units/%s_v", app), &range, &err),
        DEIS_OK);
    assert_int_equal(range.count, 1);
    if (strncmp(range.kvs[0].key, newest, strlen(newest)) != 0) {
        fail_msg("%s runs, newest release v%lld", range.kvs[0].key, (long long)latest);
    }
}

struct cut {
    char name[32]; /* of the change, in the summary of its release */
    char path[64];
    struct call call;
};

/* Two changes at once, one at each controller, one of which is killed meanwhile. */
static void cut_round(const char *app, unsigned round, struct cut cuts[2])
{
    struct controller *both[2] = { C, &world.second };
    unsigned victim = (unsigned)rand() % 2;

    for (unsigned i = 0; i < 2; i++) {
        char body[128];
        bool build = (round + i) % 3 == 0;
        snprintf(cuts[i].name, sizeof(cuts[i].name), "N%u%c", round, "AB"[i]);
        snprintf(cuts[i].path, sizeof(cuts[i].path), "/v1/apps/%s/%s", app,
                 build ? "builds" : "config");
        snprintf(body, sizeof(body), build ? "{\"image\":\"%s\"}" : "{\"values\":{\"%s\":1}}",
                 cuts[i].name);
        call_start(&cuts[i].call, both[i], mira, cuts[i].path, body);
    }
    const struct timespec t = { 0, (long)(rand() % KILL_WITHIN_US) * 1000 };
    nanosleep(&t, NULL); /* on purpose: somewhere within the operations */
    program_stop(&both[victim]->program, SIGKILL);
    call_end(&cuts[victim].call);
    controller_start(&world, both[victim], victim ? "two" : "one");
    call_end(&cuts[1 - victim].call);
    char key[DEIS_KEY_MAX];
    await_key(&world, deis_key(key, "operations/%s", app), false);
}

static void check_cuts(const char *app, const struct cut *cuts, size_t count, size_t *ret_done)
{
    char path[96];

    snprintf(path, sizeof(path), "/v1/apps/%s/releases?page_size=1000", app);
    answer_auto struct answer a = api(C, "GET", path, mira, NULL);
    const json_t *rows = json_object_get(a.json, "results");
    size_t releases = json_array_size(rows);
    for (size_t i = 0; i < count; i++) {
        size_t found = releases_with(rows, cuts[i].name);
        int status = cuts[i].call.status;
        if (status == 201 ? found != 1 : found > 1) {
            fail_msg("%s: change %s, answered with %d, is in %zu releases", app, cuts[i].name,
                     status, found);
        }
        *ret_done += found;
    }
    check_releases(C, mira, app, releases);
    check_no_orphans(app, rows, "configs", "config");
    check_no_orphans(app, rows, "builds", "build");
    check_runs(app, (json_int_t)releases);
}

static void operations__killed_at_odd_moments_happen_once_or_not_at_all(void **state)
{
    static struct cut cuts[2 * ROUNDS_OF_APP];
    unsigned kills = kills_wanted();
    unsigned seed = (unsigned)deis_wall_ms();
    size_t done = 0;

    print_message("seed %u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < kills;) {
        char app[32], path[64];
        size_t count = 0;
        snprintf(app, sizeof(app), "dice-%u", round);
        snprintf(path, sizeof(path), "/v1/apps/%s/builds", app);
        create_app(C, mira, app);
        assert_int_equal(api_status(C, "POST", path, mira, "{\"image\":\"ok\"}"), 201);
        for (unsigned i = 0; i < ROUNDS_OF_APP && round < kills; i++, round++, count += 2) {
            cut_round(app, round, cuts + count);
        }
        check_cuts(app, cuts, count, &done);
    }
    print_message("%u kills during %u changes: %zu happened once, the others not at all\n", kills,
                  2 * kills, done);
}

enum { CROWD = 100 };

struct crowd {
    struct call calls[CROWD];
    bool is_in[CROWD];
    size_t in;
    size_t unknown; /* of the last round: 503, as a store that does not answer in time gives */
};

/* All that are not in yet, at once. */
static void crowd_round(struct crowd *c)
{
    char key[DEIS_KEY_MAX], name[16], body[128];

    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(body, sizeof(body), "{\"values\":{\"K%u\":%u}}", i, i);
        if (!c->is_in[i]) {
            call_start(&c->calls[i], i % 2 ? C : &world.second, mira, "/v1/apps/crowd/config",
                       body);
        }
    }
    c->unknown = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        int status = c->is_in[i] ? 201 : call_end(&c->calls[i]);
        if (status != 201 && status != 409 && status != 503) {
            fail_msg("call %u: %d %s", i, status, c->calls[i].detail);
        }
        c->unknown += status == 503;
    }
    await_key(&world, deis_key(key, "operations/crowd"), false);
    answer_auto struct answer a = api(&world.second, "GET", "/v1/apps/crowd/config", mira, NULL);
    const json_t *values = json_object_get(a.json, "values");
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(name, sizeof(name), "K%u", i);
        c->is_in[i] = json_object_get(values, name) != NULL;
        if (c->calls[i].status != 503) {
            assert_true(c->is_in[i] == (c->calls[i].status == 201));
        }
    }
    c->in = json_object_size(values);
}

/* How many get in depends on the machine; who is told that he is in is, and who is refused is not.
 */
static void operations__many_at_once_make_one_release_each(void **state)
{
    static struct crowd crowd;

    create_app(C, mira, "crowd");
    while (crowd.in < CROWD) {
        size_t before = crowd.in;
        crowd_round(&crowd);
        print_message("%zu of %d are in\n", crowd.in, CROWD);
        assert_true(crowd.in > before || crowd.unknown > 0); /* somebody always gets in */
        check_releases(C, mira, "crowd", 1 + crowd.in);
    }
}

/* --- bounds --- */

enum { DOMAINS_MAX = 4, ADDERS = 8 };

static size_t domains_of(const char *token, bool remove)
{
    answer_auto struct answer list = api(C, "GET", "/v1/apps/bounded/domains", token, NULL);
    const json_t *rows = json_object_get(list.json, "results"), *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        char path[128];
        snprintf(path, sizeof(path), "/v1/apps/bounded/domains/%s", text_of(row, "domain"));
        if (remove) {
            assert_int_equal(api_status(C, "DELETE", path, token, NULL), 204);
        }
    }
    return json_array_size(rows);
}

/* The setting comes by a watch. */
static void await_bound(const struct controller *c, const char *token)
{
    uint64_t until = deis_now_ms() + 20000;
    int status = 201;

    for (unsigned i = 0; status == 201; i++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"domain\":\"%s-%u.example.org\"}", c->name, i);
        status = api_status(c, "POST", "/v1/apps/bounded/domains", token, body);
        assert_true(deis_now_ms() < until);
    }
    assert_int_equal(status, 413);
}

/* Two controllers that counted at the same moment went over the bound. Nobody is refused for
 * another reason than that. */
static void bounds__hold_between_two_controllers(void **state)
{
    enum { ROUNDS = 12 };

    struct deis_err err = DEIS_ERR_INIT;
    const struct controller *controllers[] = { C, &world.second };
    char *ivo = api_user(C, "ivo", "pw");

    create_app(C, ivo, "bounded");
    assert_int_equal(
        deis_etcd_put(world.etcd, "/deis/config/controller/domainsPerApp", DEIS_STR("4"), 0, &err),
        DEIS_OK);
    await_bound(C, ivo);
    await_bound(&world.second, ivo);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct call calls[ADDERS];
        size_t in = 0;
        domains_of(ivo, true);
        for (unsigned i = 0; i < ADDERS; i++) {
            char body[64];
            snprintf(body, sizeof(body), "{\"domain\":\"r%u-%u.example.org\"}", round, i);
            call_start(&calls[i], controllers[i % 2], ivo, "/v1/apps/bounded/domains", body);
        }
        for (unsigned i = 0; i < ADDERS; i++) {
            int status = call_end(&calls[i]);
            if (status != 201 && status != 413) {
                fail_msg("%d %s", status, calls[i].detail);
            }
            in += status == 201;
        }
        assert_int_equal(in, DOMAINS_MAX);
        assert_int_equal(domains_of(ivo, false), DOMAINS_MAX);
    }
    free(ivo);
}

enum { RUNS_MAX = 32, RUNS_AT_ONCE = 20 };

static size_t start_runs(const char *token)
{
    const struct controller *controllers[] = { C, &world.second };
    struct call calls[RUNS_AT_ONCE];
    size_t started = 0;

    for (unsigned i = 0; i < RUNS_AT_ONCE; i++) {
        call_start(&calls[i], controllers[i % 2], token, "/v1/apps/runner/run",
                   "{\"command\":\"sleep 1000\",\"detach\":true}");
    }
    for (unsigned i = 0; i < RUNS_AT_ONCE; i++) {
        int status = call_end(&calls[i]);
        started += status == 201;
        if (status != 201 && (status != 413 || !strstr(calls[i].detail, "that is the limit"))) {
            fail_msg("%d %s", status, calls[i].detail);
        }
    }
    return started;
}

/* One user's commands could take all places for such of a machine. */
static void bounds__of_commands_leave_room_for_others(void **state)
{
    char *eve = api_user(C, "eve", "pw");

    create_app(C, eve, "runner");
    assert_int_equal(api_status(C, "POST", "/v1/apps/runner/builds", eve, "{\"image\":\"ok\"}"),
                     201);
    assert_int_equal(start_runs(eve), RUNS_AT_ONCE);
    assert_int_equal(start_runs(eve), RUNS_MAX - RUNS_AT_ONCE);
    assert_int_equal(start_runs(mira), RUNS_AT_ONCE); /* an administrator */
    assert_int_equal(start_runs(mira), RUNS_AT_ONCE);
    free(eve);
}

/* --- sleep --- */

struct deploy {
    Deis__Deploy request;
    char operation[64], app[32], user[8], sha[48], image[64];
};

static void deploy_init(struct deploy *d, const char *app, unsigned number)
{
    deis__deploy__init(&d->request);
    snprintf(d->operation, sizeof(d->operation), "sleep-%u", number);
    snprintf(d->app, sizeof(d->app), "%s", app);
    snprintf(d->user, sizeof(d->user), "mira");
    snprintf(d->sha, sizeof(d->sha), "%040u", number + 1);
    snprintf(d->image, sizeof(d->image), "127.0.0.1:5555/%s@sha256:00", app);
    d->request.operation = d->operation;
    d->request.app = d->app;
    d->request.user = d->user;
    d->request.sha = d->sha;
    d->request.image = d->image;
    d->request.dockerfile = true;
    d->request.wait_ms = 2000;
}

/* As a builder asks: again and again with the same id, whoever does not answer. */
static void *deploy_work(void *arg)
{
    struct deploy *d = arg;
    struct deis_key key;
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t until = deis_now_ms() + 60000;
    char *state = NULL;

    if (deis_key_load(world.key_file, &key, &err) < 0) {
        return deis_strdup(err.msg);
    }
    struct deis_bus_sync *client = deis_bus_sync_new(&key, "builder");
    while (!state && deis_now_ms() < until) {
        ProtobufCMessage *msg = NULL;
        int r = deis_bus_call_sync(client, C->bus, "controller.deploy", NULL, &d->request.base,
                                   &deis__deploy_status__descriptor, 4000, &msg, &err);
        const Deis__DeployStatus *status = (const Deis__DeployStatus *)(const void *)msg;
        if (r < 0 && r != DEIS_UNAVAILABLE && r != DEIS_TIMEOUT) {
            state = deis_strdup(err.msg);
        } else if (r == DEIS_OK && strcmp(status->state, "running") != 0) {
            state = *status->reason ? deis_strdup(status->reason) : deis_strdup(status->state);
        }
        if (r == DEIS_OK) {
            protobuf_c_message_free_unpacked(msg, NULL);
        }
    }
    deis_bus_sync_free(client);
    return state ? state : deis_strdup("no end within a minute");
}

static void stop_and_go(pid_t pid, long ms)
{
    int status;

    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    pause_ms(ms); /* on purpose: longer than a call of etcd may take */
    assert_int_equal(kill(pid, SIGCONT), 0);
}

/* The deploy waits its turn behind another change, and looks at the store all the while. */
static void deploys__go_on_when_the_store_or_the_controller_slept(void **state)
{
    enum { ROUNDS = 4, SLEEP_MS = 3000 };

    create_app(C, mira, "tired");
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct deploy d;
        struct call other;
        pthread_t thread;
        void *end = NULL;
        deploy_init(&d, "tired", round);
        fake_platform_hold(world.platform, true);
        call_start(&other, &world.second, mira, "/v1/apps/tired/builds", "{\"image\":\"ok\"}");
        await_key(&world, "/deis/operations/tired", true);
        assert_int_equal(pthread_create(&thread, NULL, deploy_work, &d), 0);
        pause_ms(200 + rand() % 300);
        stop_and_go(round % 2 ? C->program.pid : world.etcd_server.pid, SLEEP_MS);
        fake_platform_hold(world.platform, false);
        assert_int_equal(call_end(&other), 201);
        pthread_join(thread, &end);
        assert_string_equal(end, "done");
        free(end);
        check_releases(C, mira, "tired", 2 * round + 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations__killed_at_odd_moments_happen_once_or_not_at_all),
        cmocka_unit_test(operations__many_at_once_make_one_release_each),
        cmocka_unit_test(bounds__hold_between_two_controllers),
        cmocka_unit_test(bounds__of_commands_leave_room_for_others),
        cmocka_unit_test(deploys__go_on_when_the_store_or_the_controller_slept),
    };

    if (!test_etcd_installed("controller_races")) {
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
