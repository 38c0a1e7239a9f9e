/* SPDX-License-Identifier: MIT */
/* Units on the real Engine: deployed, failed, scaled, killed and adopted, without etcd. */
#include "run.pb-c.h"
#include "tests/integration/scheduler/image.h"
#include "tests/integration/scheduler/rig.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/crypto/registry_login.h"
#include "lib/etcd/etcd.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* Answers GET / with the release; a line on stdout at the start. */
#define SERVE(release)                                                                             \
    "echo starting; busybox mkdir -p /w; echo " release " $CONFIG > /w/index.html; "               \
    "exec busybox httpd -f -p $PORT -h /w"

static int setup(void **state)
{
    *state = rig_new("scheduler_test");
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static void deploy(struct rig *r, unsigned generation, unsigned release, unsigned web,
                   const char *script)
{
    rig_formation(r, &(struct rig_formation){ .app = "blog",
                                              .generation = generation,
                                              .release = release,
                                              .web = web,
                                              .script = script,
                                              .config = NULL });
}

static char *container_of(struct rig *r, const char *process)
{
    struct deis_unit_state s;

    assert_true(rig_state(r, "blog", process, &s));
    char *id = deis_strdup(s.container);
    deis_unit_state_clear(&s);
    return id;
}

static bool no_states(struct rig *r, void *arg)
{
    return rig_count_states(r, "blog", 0) == 0;
}

static bool only_release(struct rig *r, void *arg)
{
    unsigned release = *(unsigned *)arg;

    return rig_count_states(r, "blog", 0) == rig_count_states(r, "blog", release);
}

static void wait_gone(struct rig *r)
{
    rig_no_formation(r, "blog");
    rig_wait(r, "all units to be gone", no_states, NULL);
    assert_int_equal(rig_count_containers(r), 0);
}

static void scheduler__deploys_and_replaces_a_release(void **state)
{
    struct rig *r = *state;
    unsigned two = 2;

    rig_formation(r, &(struct rig_formation){ .app = "blog",
                                              .generation = 1,
                                              .release = 1,
                                              .web = 2,
                                              .worker = 1,
                                              .script = SERVE("one"),
                                              .config = "blue" });
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    deis_autofree char *first = rig_get(r, "blog", "web.1");
    assert_string_equal(first, "one blue");
    assert_int_equal(rig_count_states(r, "blog", 1), 3);
    rig_formation(r, &(struct rig_formation){ .app = "blog",
                                              .generation = 2,
                                              .release = 2,
                                              .web = 2,
                                              .script = SERVE("two"),
                                              .health = "/",
                                              .config = "red" });
    rig_wait_rollout(r, "blog", 2, DEIS_ROLLOUT_DONE);
    deis_autofree char *second = rig_get(r, "blog", "web.2");
    assert_string_equal(second, "two red");
    rig_wait(r, "the old release to be gone", only_release, &two);
    assert_int_equal(rig_count_containers(r), 2);
    wait_gone(r);
}

static void scheduler__a_release_that_fails_leaves_the_old_one_alone(void **state)
{
    static const struct {
        const char *script;
        const char *health;
        unsigned start_timeout_ms;
        const char *reason;
    } cases[] = {
        { "echo boom; exit 7", NULL, 0, "web.1 exited with code 7 before it was ready" },
        { "exec busybox sleep 1000", NULL, 4000,
          "web.1 was not ready within 4 s: port 5000 does not accept connections" },
        { SERVE("bad"), "/missing", 15000,
          "web.1 was not ready within 15 s: GET /missing on port 5000 answered 404 instead of 200" },
    };
    struct rig *r = *state;
    unsigned one = 1;

    deploy(r, 1, 1, 1, SERVE("one"));
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    deis_autofree char *before = container_of(r, "web.1");
    for (unsigned i = 0; i < DEIS_COUNT(cases); i++) {
        rig_formation(r, &(struct rig_formation){ .app = "blog",
                                                  .generation = 2 + i,
                                                  .release = 2 + i,
                                                  .web = 1,
                                                  .script = cases[i].script,
                                                  .health = cases[i].health,
                                                  .start_timeout_ms = cases[i].start_timeout_ms });
        rig_wait_rollout(r, "blog", 2 + i, DEIS_ROLLOUT_FAILED);
        deis_autofree char *reason = rig_reason(r, "blog");
        assert_string_equal(reason, cases[i].reason);
        rig_wait(r, "the new release to be gone", only_release, &one);
    }
    deis_autofree char *after = container_of(r, "web.1");
    assert_string_equal(after, before);
    deis_autofree char *body = rig_get(r, "blog", "web.1");
    assert_string_equal(body, "one");
    wait_gone(r);
}

static void scheduler__tells_the_last_lines_of_a_unit_that_failed(void **state)
{
    struct rig *r = *state;
    Deis__UnitLog ask = DEIS__UNIT_LOG__INIT;
    ProtobufCMessage *msg = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    deploy(r, 1, 1, 1, "echo first; echo second; echo no such table; exit 3");
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_FAILED);
    rig_wait(r, "the unit to be gone", no_states, NULL);
    deis_autofree char *unit = rig_blamed(r, "blog");
    ask.unit = unit;
    ask.lines = 2;
    if (rig_call(r, "agent.unit_log", &ask.base, &deis__unit_log_lines__descriptor, &msg, &err) <
        0) {
        fail_msg("%s", err.msg);
    }
    const Deis__UnitLogLines *lines = (const Deis__UnitLogLines *)msg;
    assert_int_equal(lines->n_lines, 2);
    assert_int_equal(lines->lines[1].len, strlen("no such table"));
    assert_memory_equal(lines->lines[1].data, "no such table", lines->lines[1].len);
    protobuf_c_message_free_unpacked(msg, NULL);
    wait_gone(r);
}

static void scheduler__scales_without_touching_what_runs(void **state)
{
    struct rig *r = *state;

    deploy(r, 1, 1, 1, SERVE("one"));
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    deis_autofree char *before = container_of(r, "web.1");
    deploy(r, 2, 1, 3, SERVE("one"));
    rig_wait_rollout(r, "blog", 2, DEIS_ROLLOUT_DONE);
    assert_int_equal(rig_count_states(r, "blog", 1), 3);
    deploy(r, 3, 1, 1, SERVE("one"));
    rig_wait_rollout(r, "blog", 3, DEIS_ROLLOUT_DONE);
    deploy(r, 4, 1, 2, SERVE("one"));
    rig_wait_rollout(r, "blog", 4, DEIS_ROLLOUT_DONE);
    deis_autofree char *after = container_of(r, "web.1");
    assert_string_equal(after, before);
    wait_gone(r);
}

struct exits {
    unsigned count;
    bool oom;
};

static bool has_exits(struct rig *r, void *arg)
{
    const struct exits *e = arg;
    struct deis_unit_state s;
    bool fits =
        rig_state(r, "blog", "web.1", &s) && s.exits >= e->count && s.ready && s.exit_oom == e->oom;

    deis_unit_state_clear(&s);
    return fits;
}

static void kill_container(struct rig *r, const char *id)
{
    deis_autofree char *path = deis_asprintf("/containers/%s/kill", id);
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_docker_call(rig_docker(r), "POST", path, NULL, 0, NULL, &err) < 0) {
        fail_msg("kill: %s", err.msg);
    }
}

static void scheduler__restarts_in_place_what_crashes(void **state)
{
    struct rig *r = *state;
    struct exits once = { .count = 1 }, twice = { .count = 2 };

    deploy(r, 1, 1, 1, SERVE("one"));
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    deis_autofree char *id = container_of(r, "web.1");
    kill_container(r, id);
    rig_wait(r, "the restart", has_exits, &once);
    deis_autofree char *same = container_of(r, "web.1");
    assert_string_equal(same, id);
    /* removed behind our back: a new container */
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(deis_docker_remove(rig_docker(r), id, &err), 0);
    rig_wait(r, "the replacement", has_exits, &twice);
    deis_autofree char *other = container_of(r, "web.1");
    assert_string_not_equal(other, id);
    wait_gone(r);
}

static void scheduler__adopts_what_runs_when_the_agent_was_killed(void **state)
{
    struct rig *r = *state;
    struct exits once = { .count = 1 };

    deploy(r, 1, 1, 2, SERVE("one"));
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    deis_autofree char *first = container_of(r, "web.1");
    deis_autofree char *second = container_of(r, "web.2");
    rig_scheduler_kill(r);
    kill_container(r, first); /* comes back although nobody saw it go */
    rig_scheduler_start(r);
    rig_wait(r, "the restart", has_exits, &once);
    deis_autofree char *first_now = container_of(r, "web.1");
    deis_autofree char *second_now = container_of(r, "web.2");
    assert_string_equal(first_now, first);
    assert_string_equal(second_now, second);
    struct deis_unit_state s;
    assert_true(rig_state(r, "blog", "web.2", &s));
    assert_int_equal(s.exits, 0);
    deis_unit_state_clear(&s);
    wait_gone(r);
}

static void scheduler__keeps_units_running_without_etcd(void **state)
{
    struct rig *r = *state;
    struct exits once = { .count = 1 };

    deploy(r, 1, 1, 2, SERVE("one"));
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    deis_autofree char *first = container_of(r, "web.1");
    deis_autofree char *second = container_of(r, "web.2");
    rig_etcd_kill(r);
    /* a crash, and a restart of the agent, while etcd is away */
    rig_scheduler_kill(r);
    kill_container(r, first);
    rig_scheduler_start(r);
    rig_etcd_start(r);
    rig_wait(r, "the state that etcd has not seen", has_exits, &once);
    deis_autofree char *first_now = container_of(r, "web.1");
    deis_autofree char *second_now = container_of(r, "web.2");
    assert_string_equal(first_now, first);
    assert_string_equal(second_now, second);
    deploy(r, 2, 2, 1, SERVE("two"));
    rig_wait_rollout(r, "blog", 2, DEIS_ROLLOUT_DONE);
    wait_gone(r);
}

static bool ghost_has_left(struct rig *r, void *arg)
{
    return rig_count_lines(r, "ghost") > 0 && rig_count_states(r, "ghost", 0) == 0;
}

static bool crashed_once(struct rig *r, void *arg)
{
    struct deis_unit_state s;

    if (!rig_state(r, "blog", "web.1", &s)) {
        return false;
    }
    bool yes = s.exits == 1 && s.ready;
    deis_unit_state_clear(&s);
    return yes;
}

/* Number of ends that etcd itself holds for web.1, -1 = it can't say. */
static int exits_in_etcd(struct rig *r)
{
    deis_autorange struct deis_etcd_range list = { 0 };
    struct deis_unit_state s;
    struct deis_err err = DEIS_ERR_INIT;
    int exits = -1;

    if (deis_etcd_list(rig_etcd(r), "/deis/states/", 0, &list, &err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (deis_unit_state_parse(list.kvs[i].value, &s, &err) == 0) {
            exits = s.num == 1 ? (int)s.exits : exits;
            deis_unit_state_clear(&s);
        }
    }
    return exits;
}

/* Raise etcd's revision; one that has just been started may refuse a write. */
static void write_much(struct rig *r, unsigned count)
{
    for (uint64_t end = deis_now_ms() + RIG_WAIT_MS; count > 0;) {
        struct deis_err err = DEIS_ERR_INIT;
        assert_true(deis_now_ms() < end);
        count -= deis_etcd_put(rig_etcd(r), "/deis/config/test", DEIS_STR("1"), 0, &err) == 0;
    }
}

static void scheduler__tells_an_etcd_put_back_to_an_older_state_how_things_are(void **state)
{
    struct rig *r = *state;
    struct deis_err err = DEIS_ERR_INIT;

    deploy(r, 1, 1, 1, SERVE("one"));
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    rig_etcd_kill(r);
    rig_etcd_backup(r);
    rig_etcd_start(r);
    deis_autofree char *id = container_of(r, "web.1");
    kill_container(r, id);
    rig_wait(r, "the unit to be started again", crashed_once, NULL);
    write_much(r, 100); /* the backup is much older */
    deploy(r, 2, 1, 2, SERVE("one"));
    rig_wait_rollout(r, "blog", 2, DEIS_ROLLOUT_DONE);
    rig_etcd_kill(r);
    rig_etcd_restore(r);
    rig_etcd_start(r);
    for (uint64_t end = deis_now_ms() + RIG_WAIT_MS; exits_in_etcd(r) != 1;) {
        assert_true(deis_now_ms() < end);
    }
    assert_int_equal(rig_count_containers(r), 2); /* of the second, etcd knows nothing any more */
    deis_autofree char *first = container_of(r, "web.1");
    write_much(r, 200); /* the new history is longer than the old one */
    rig_scheduler_kill(r);
    rig_scheduler_start(r);
    deploy(r, 3, 2, 1, SERVE("two"));
    rig_wait_rollout(r, "blog", 3, DEIS_ROLLOUT_DONE);
    deis_autofree char *info = deis_asprintf("/containers/%s/json", first);
    /* The Engine lists a container for a moment longer than it finds it. */
    for (uint64_t end = deis_now_ms() + RIG_WAIT_MS;
         deis_docker_call(rig_docker(r), "GET", info, NULL, 0, NULL, &err) == 0 ||
         rig_count_containers(r) > 2;) {
        assert_true(deis_now_ms() < end);
    }
    assert_int_equal(rig_count_containers(r), 2); /* the one of release 2, and web.2 of release 1 */
}

/* As a later engine would have written it. */
static void raise_epoch(struct rig *r)
{
    deis_autorange struct deis_etcd_range units = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_list(rig_etcd(r), "/deis/units/", 0, &units, &err), 0);
    assert_int_equal(units.count, 1);
    deis_autojson json_t *doc = deis_json_parse(units.kvs[0].value, &err);
    json_object_set_new(doc, "epoch", json_integer(1000000));
    deis_autofree char *text = deis_json_dump(doc);
    assert_int_equal(deis_etcd_put(rig_etcd(r), units.kvs[0].key, deis_str(text), 0, &err), 0);
}

/* Until the agent has it, and has saved it. */
static void wait_raised(struct rig *r)
{
    for (uint64_t end = deis_now_ms() + RIG_WAIT_MS;;) {
        deis_autofree char *saved = rig_saved_units(r);
        if (strstr(saved, "\\\"epoch\\\":1000000")) {
            return;
        }
        assert_true(deis_now_ms() < end);
    }
}

/* The engines of the new history count from lower numbers than those of the one that is gone. */
static void scheduler__obeys_the_engine_of_an_etcd_put_back(void **state)
{
    struct rig *r = *state;

    deploy(r, 1, 1, 1, SERVE("one"));
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    rig_etcd_kill(r);
    rig_etcd_backup(r);
    rig_etcd_start(r);
    write_much(r, 100); /* what the agent sees last is much later than the backup */
    raise_epoch(r);
    wait_raised(r);
    rig_etcd_kill(r);
    rig_etcd_restore(r);
    rig_etcd_start(r);
    wait_gone(r);
}

static bool all_fat(struct rig *r, void *arg)
{
    return rig_count_states(r, "fat", 0) == 12;
}

static void scheduler__places_many_units_of_a_large_environment(void **state)
{
    struct rig *r = *state;
    deis_autofree char *large = deis_alloc(120001);

    memset(large, 'x', 120000);
    rig_formation(r, &(struct rig_formation){ .app = "fat",
                                              .generation = 1,
                                              .release = 1,
                                              .worker = 12,
                                              .script = "exec busybox sleep 1000",
                                              .config = large });
    rig_wait(r, "all units to be known to the agent", all_fat, NULL);
}

static void scheduler__removes_a_container_of_its_own_without_a_unit(void **state)
{
    struct rig *r = *state;
    deis_autofree char *machine = deis_asprintf("it-%d", (int)getpid());
    deis_autofree char *unit = rig_unique("ghost_v1.web.1");
    deis_autofree char *name = deis_asprintf("deis-%s", unit);
    deis_autojson json_t *body =
        json_pack("{s:s, s:[s,s,s], s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "Image", rig_image(r),
                  "Cmd", "/bin/sh", "-c",
                  "trap 'exit 0' TERM; echo ghost is here; while :; do busybox sleep 0.1; done",
                  "Labels", "deis.agent", machine, "deis.unit", unit, "deis.app", "ghost",
                  "deis.type", "web", "deis.num", "1", "deis.release", "1");
    deis_autofree char *id = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    deploy(r, 1, 1, 1, SERVE("one"));
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    rig_scheduler_kill(r);
    assert_int_equal(deis_docker_create(rig_docker(r), name, body, &id, &err), 0);
    assert_int_equal(deis_docker_start(rig_docker(r), id, &err), 0);
    rig_scheduler_start(r);
    rig_wait(r, "the ghost to leave, after its last words", ghost_has_left, NULL);
    wait_gone(r);
}

static void scheduler__a_data_folder_has_one_agent(void **state)
{
    assert_int_equal(rig_scheduler_second(*state), 1 << 8);
}

static void scheduler__starts_a_component_again(void **state)
{
    struct rig *r = *state;
    deis_autojson json_t *body =
        json_pack("{s:s, s:[s,s,s], s:{s:s}}", "Image", rig_image(r), "Cmd", "/bin/busybox",
                  "sleep", "1000", "Labels", rig_label(r), "sample");
    deis_autofree char *name = deis_asprintf("%s-sample", rig_label(r));
    deis_autofree char *id = NULL;
    struct deis_err err = DEIS_ERR_INIT;
    bool running = false;

    assert_int_equal(deis_docker_create(rig_docker(r), name, body, &id, &err), 0);
    assert_int_equal(deis_docker_start(rig_docker(r), id, &err), 0);
    kill_container(r, id);
    for (uint64_t end = deis_now_ms() + RIG_WAIT_MS; !running && deis_now_ms() < end;) {
        deis_autojson json_t *info = NULL;
        assert_int_equal(deis_docker_inspect(rig_docker(r), id, &info, &err), 0);
        running = json_is_true(json_object_get(json_object_get(info, "State"), "Running"));
    }
    assert_true(running);
    assert_int_equal(deis_docker_remove(rig_docker(r), id, &err), 0);
}

/* --- images --- */

static bool has_image(struct rig *r, const char *name)
{
    deis_autojson json_t *info = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    return deis_docker_image_inspect(rig_docker(r), name, &info, &err) == DEIS_OK;
}

/* An image that only the registry at address has: its reference by digest, yours. */
static char *push_image(struct rig *r, const char *address)
{
    deis_autofree char *repo = deis_asprintf("%s/it", address);
    deis_autofree char *tag = deis_asprintf("%s:latest", repo);
    deis_autofree char *digest = NULL;
    struct deis_err err = DEIS_ERR_INIT;
    char password[65];
    const struct deis_docker_transfer login = { .user = DEIS_REGISTRY_USER, .password = password };
    struct deis_keys *keys = deis_keys_open(rig_key_file(r), &err);

    assert_non_null(keys);
    deis_registry_password(keys, password);
    deis_keys_free(keys);
    image_import("/var/run/docker.sock", repo);
    if (deis_docker_push(rig_docker(r), repo, "latest", &login, &digest, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    char *image = deis_asprintf("%s@%s", repo, digest);
    assert_int_equal(deis_docker_image_remove(rig_docker(r), tag, &err), 0);
    assert_int_equal(deis_docker_image_remove(rig_docker(r), image, &err), 0);
    return image;
}

static void scheduler__fetches_an_image_and_lets_it_go_again(void **state)
{
    struct rig *r = *state;
    struct program registry = { 0 };
    uint16_t port = test_free_port();
    char *folder = program_temp_folder();
    deis_autofree char *address = deis_asprintf("127.0.0.1:%u", port);
    const char *const argv[] = { "--http",        address,         "--data",
                                 folder,          "--etcd",        "http://127.0.0.1:1",
                                 "--cluster-key", rig_key_file(r), NULL };
    const char *const options[RIG_OPTIONS] = { "--registry", address, "--image-idle", "1s" };

    program_start(&registry, "deis-registry-proxy", argv);
    program_wait_port(port);
    deis_autofree char *image = push_image(r, address);
    rig_scheduler_options(r, options);
    rig_formation(r, &(struct rig_formation){ .app = "blog",
                                              .generation = 1,
                                              .release = 1,
                                              .web = 1,
                                              .script = SERVE("one"),
                                              .image = image });
    rig_wait_rollout(r, "blog", 1, DEIS_ROLLOUT_DONE);
    assert_true(has_image(r, image));
    wait_gone(r);
    for (uint64_t end = deis_now_ms() + RIG_WAIT_MS; has_image(r, image);) {
        assert_true(deis_now_ms() < end);
    }
    program_stop(&registry, SIGTERM);
    program_remove_folder(folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* With an argument: only the cases that match it. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(scheduler__deploys_and_replaces_a_release),
        TEST(scheduler__a_release_that_fails_leaves_the_old_one_alone),
        TEST(scheduler__tells_the_last_lines_of_a_unit_that_failed),
        TEST(scheduler__scales_without_touching_what_runs),
        TEST(scheduler__restarts_in_place_what_crashes),
        TEST(scheduler__adopts_what_runs_when_the_agent_was_killed),
        TEST(scheduler__keeps_units_running_without_etcd),
        TEST(scheduler__tells_an_etcd_put_back_to_an_older_state_how_things_are),
        TEST(scheduler__obeys_the_engine_of_an_etcd_put_back),
        TEST(scheduler__places_many_units_of_a_large_environment),
        TEST(scheduler__removes_a_container_of_its_own_without_a_unit),
        TEST(scheduler__a_data_folder_has_one_agent),
        TEST(scheduler__starts_a_component_again),
        TEST(scheduler__fetches_an_image_and_lets_it_go_again),
    };

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    deis_runtime_init("scheduler_test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
