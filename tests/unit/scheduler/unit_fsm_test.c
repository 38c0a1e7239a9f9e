/* SPDX-License-Identifier: MIT */
#include "scheduler/core/unit_fsm.h"
#include "tests/support/test.h"

static char unit_name[] = "blog_v1.web.1-1a2b3c4d";
static char app_name[] = "blog";
static char web[] = "web";
static char machine_id[] = "m1";
static char c1[] = "c1";
static char endpoint[] = "172.18.0.5:5000";

static const struct deis_unit web_unit = {
    .unit = unit_name,
    .app = app_name,
    .type = web,
    .num = 1,
    .release = 1,
    .machine = machine_id,
    .routable = true,
    .grace_ms = 10000,
};

static const struct unit_result ok = { .code = DEIS_OK };
static const struct unit_result nothing = { .code = DEIS_OK };
static const struct unit_result up = {
    .exists = true, .running = true, .container = c1, .address = endpoint
};
static const struct unit_result dead = { .exists = true, .container = c1, .exit_code = 3 };
static const struct unit_result away = { .code = DEIS_UNAVAILABLE, .error = "engine is away" };

static struct unit_time at(uint64_t ms)
{
    return (struct unit_time){ .mono_ms = ms, .wall_ms = 1700000000000 + ms };
}

/* The next job must be this one; it ends like that. */
static void job(struct unit_fsm *f, enum unit_job expected, const struct unit_result *r,
                uint64_t ms)
{
    assert_int_equal(unit_fsm_next(f, at(ms)), expected);
    assert_int_equal(unit_fsm_next(f, at(ms)), UNIT_JOB_NONE); /* one at a time */
    unit_fsm_done(f, expected, r, at(ms));
}

static void probe(struct unit_fsm *f, const char *error, uint64_t ms)
{
    assert_true(unit_fsm_probe_due(f, at(ms)));
    assert_false(unit_fsm_probe_due(f, at(ms)));
    unit_fsm_probed(f, error, at(ms));
}

static void start(struct unit_fsm *f, uint64_t ms)
{
    unit_fsm_init(f, &web_unit, NULL, at(ms));
    job(f, UNIT_JOB_LOOK, &nothing, ms);
    job(f, UNIT_JOB_FETCH, &ok, ms);
    job(f, UNIT_JOB_CREATE, &ok, ms);
    job(f, UNIT_JOB_START, &up, ms);
}

static void unit_fsm__starts_and_becomes_ready_by_its_probe(void **state)
{
    struct unit_fsm f;
    struct deis_unit_state s;

    start(&f, 1000);
    assert_int_equal(f.state, DEIS_STATE_STARTING);
    assert_int_equal(unit_fsm_wake(&f), 1000);
    probe(&f, "connection refused on port 5000", 1000);
    assert_false(f.ready);
    assert_int_equal(unit_fsm_wake(&f), 1250);
    assert_false(unit_fsm_probe_due(&f, at(1249)));
    probe(&f, NULL, 1250);
    unit_fsm_report(&f, &web_unit, &s);
    assert_true(s.ready);
    assert_int_equal(s.state, DEIS_STATE_UP);
    assert_string_equal(s.address, endpoint);
    assert_string_equal(s.reason, "");
    assert_int_equal(s.since_ms, 1700000001250);
    assert_int_equal(unit_fsm_wake(&f), 3250);
}

static void unit_fsm__three_failed_probes_take_it_out_and_one_good_one_back(void **state)
{
    struct unit_fsm f;

    start(&f, 0);
    probe(&f, NULL, 0);
    probe(&f, "timeout", 2000);
    probe(&f, "timeout", 4000);
    assert_true(f.ready);
    probe(&f, "timeout", 6000);
    assert_false(f.ready);
    assert_int_equal(f.state, DEIS_STATE_UP);
    probe(&f, NULL, 8000);
    assert_true(f.ready);
    assert_int_equal(f.exits, 0);
}

static void unit_fsm__a_crash_is_reported_at_once_and_restarted_with_back_off(void **state)
{
    struct unit_fsm f;
    uint64_t ms = 0;

    start(&f, ms);
    for (unsigned crash = 0; crash < 9; crash++) {
        uint64_t pause = crash < 6 ? 1000u << crash : 60000;
        unit_fsm_hint(&f);
        job(&f, UNIT_JOB_LOOK, &dead, ms);
        assert_int_equal(f.state, DEIS_STATE_CRASHED);
        assert_int_equal(f.exits, crash + 1);
        assert_int_equal(f.exit_code, 3);
        assert_string_equal(f.reason, "exited with code 3");
        assert_int_equal(unit_fsm_wake(&f), ms + pause);
        assert_int_equal(unit_fsm_next(&f, at(ms + pause - 1)), UNIT_JOB_NONE);
        ms += pause;
        job(&f, UNIT_JOB_START, &up, ms);
    }
    /* a minute of calm forgets them */
    ms += UNIT_STABLE_MS;
    unit_fsm_hint(&f);
    job(&f, UNIT_JOB_LOOK, &dead, ms);
    assert_int_equal(unit_fsm_wake(&f), ms + 1000);
}

static void unit_fsm__a_probe_of_an_earlier_run_does_not_count(void **state)
{
    struct unit_fsm f;

    start(&f, 0);
    assert_true(unit_fsm_probe_due(&f, at(0)));
    unit_fsm_hint(&f);
    job(&f, UNIT_JOB_LOOK, &dead, 10);
    job(&f, UNIT_JOB_START, &up, 1010);
    unit_fsm_probed(&f, NULL, at(1020));
    assert_false(f.ready);
    probe(&f, NULL, 1020);
    assert_true(f.ready);
}

static void unit_fsm__adopts_a_running_container_as_it_was(void **state)
{
    struct unit_fsm f;
    char empty[] = "";
    struct deis_unit_state known = {
        .state = DEIS_STATE_UP,
        .ready = true,
        .container = c1,
        .address = endpoint,
        .exits = 2,
        .exit_error = empty,
        .reason = empty,
        .since_ms = 5,
    };

    unit_fsm_init(&f, &web_unit, &known, at(0));
    assert_true(f.ready);
    job(&f, UNIT_JOB_LOOK, &up, 0);
    assert_true(f.ready);
    assert_int_equal(f.exits, 2);
    assert_int_equal(f.since_ms, 5);
    /* but not the readiness of another container */
    struct unit_result other = up;
    other.container = "c2";
    unit_fsm_init(&f, &web_unit, &known, at(0));
    job(&f, UNIT_JOB_LOOK, &other, 0);
    assert_false(f.ready);
}

static void unit_fsm__believes_etcd_when_it_knows_better(void **state)
{
    struct unit_fsm f;
    char empty[] = "";
    struct deis_unit_state saved = { .state = DEIS_STATE_STARTING,
                                     .container = c1,
                                     .address = endpoint,
                                     .exit_error = empty,
                                     .reason = empty };
    struct deis_unit_state reported = saved;

    reported.state = DEIS_STATE_UP;
    reported.ready = true;
    unit_fsm_init(&f, &web_unit, &saved, at(0));
    unit_fsm_recall(&f, &reported);
    job(&f, UNIT_JOB_LOOK, &up, 0);
    assert_true(f.ready);
    /* but not about an earlier run */
    saved.exits = 1;
    unit_fsm_init(&f, &web_unit, &saved, at(0));
    unit_fsm_recall(&f, &reported);
    assert_false(f.ready);
}

static void unit_fsm__counts_a_crash_once_over_a_restart_of_the_agent(void **state)
{
    struct unit_fsm f;
    char empty[] = "";
    struct deis_unit_state known = { .state = DEIS_STATE_CRASHED,
                                     .container = c1,
                                     .exits = 2,
                                     .address = empty,
                                     .exit_error = empty,
                                     .reason = empty };

    unit_fsm_init(&f, &web_unit, &known, at(0));
    job(&f, UNIT_JOB_LOOK, &dead, 0);
    assert_int_equal(f.exits, 2);
    job(&f, UNIT_JOB_START, &up, 1000);
    known.state = DEIS_STATE_UP;
    unit_fsm_init(&f, &web_unit, &known, at(0));
    job(&f, UNIT_JOB_LOOK, &dead, 0);
    assert_int_equal(f.exits, 3);
}

/* With the crashes in a row that an earlier process has counted, `ago` after its last. */
static void restarted_agent(struct unit_fsm *f, enum deis_state state, uint64_t ago)
{
    char empty[] = "";
    uint64_t then = at(0).wall_ms - ago;
    const struct deis_unit_state known = { .state = state,
                                           .container = c1,
                                           .exits = 5,
                                           .exit_at_ms = then,
                                           .since_ms = then,
                                           .address = empty,
                                           .exit_error = empty,
                                           .reason = empty };

    unit_fsm_init(f, &web_unit, &known, at(0));
    unit_fsm_recall_crashes(f, 5, at(0));
}

static void unit_fsm__a_restart_of_the_agent_does_not_shorten_the_back_off(void **state)
{
    struct unit_fsm f;

    restarted_agent(&f, DEIS_STATE_CRASHED, 6000);
    job(&f, UNIT_JOB_LOOK, &dead, 0);
    assert_int_equal(unit_fsm_wake(&f), 10000); /* of 16 s */
    job(&f, UNIT_JOB_START, &up, 10000);
    unit_fsm_hint(&f);
    job(&f, UNIT_JOB_LOOK, &dead, 10000);
    assert_int_equal(unit_fsm_wake(&f), 42000);
    /* it crashed again while no agent was there */
    restarted_agent(&f, DEIS_STATE_STARTING, 6000);
    job(&f, UNIT_JOB_LOOK, &dead, 0);
    assert_int_equal(unit_fsm_wake(&f), 32000);
    /* nor does it lengthen that of a unit that had its minute of calm */
    restarted_agent(&f, DEIS_STATE_UP, UNIT_STABLE_MS);
    job(&f, UNIT_JOB_LOOK, &dead, 0);
    assert_int_equal(unit_fsm_wake(&f), 1000);
}

static void unit_fsm__losing_the_engine_changes_nothing(void **state)
{
    struct unit_fsm f;

    start(&f, 0);
    probe(&f, NULL, 0);
    unit_fsm_hint(&f);
    job(&f, UNIT_JOB_LOOK, &away, 10);
    assert_true(f.ready);
    assert_int_equal(unit_fsm_next(&f, at(500)), UNIT_JOB_NONE);
    job(&f, UNIT_JOB_LOOK, &up, 1010);
    assert_true(f.ready);
}

static void unit_fsm__a_container_removed_behind_our_back_is_replaced(void **state)
{
    struct unit_fsm f;

    start(&f, 0);
    unit_fsm_hint(&f);
    job(&f, UNIT_JOB_LOOK, &nothing, 10);
    assert_int_equal(f.state, DEIS_STATE_CRASHED);
    job(&f, UNIT_JOB_FETCH, &ok, 1010);
    job(&f, UNIT_JOB_CREATE, &ok, 1010);
    job(&f, UNIT_JOB_START, &up, 1010);
}

static void unit_fsm__a_failing_pull_becomes_an_error_when_it_lasts(void **state)
{
    struct unit_fsm f;
    uint64_t ms = 0;

    unit_fsm_init(&f, &web_unit, NULL, at(0));
    job(&f, UNIT_JOB_LOOK, &nothing, 0);
    while (ms < UNIT_FETCH_PATIENCE_MS) {
        assert_int_equal(f.state, DEIS_STATE_CREATED);
        job(&f, UNIT_JOB_FETCH, &away, ms);
        ms = unit_fsm_wake(&f);
    }
    job(&f, UNIT_JOB_FETCH, &away, ms);
    assert_int_equal(f.state, DEIS_STATE_ERROR);
    assert_string_equal(f.reason, "engine is away");
}

static void unit_fsm__what_can_not_be_started_is_an_error_at_once(void **state)
{
    struct unit_fsm f;
    struct unit_result bad = { .code = DEIS_INVALID, .error = "exec: \"nope\": not found" };

    unit_fsm_init(&f, &web_unit, NULL, at(0));
    job(&f, UNIT_JOB_LOOK, &nothing, 0);
    job(&f, UNIT_JOB_FETCH, &ok, 0);
    job(&f, UNIT_JOB_CREATE, &ok, 0);
    job(&f, UNIT_JOB_START, &bad, 0);
    assert_int_equal(f.state, DEIS_STATE_ERROR);
    assert_string_equal(f.reason, "exec: \"nope\": not found");
    assert_int_equal(f.exits, 0);
}

static void unit_fsm__stop_asks_then_kills_after_the_grace_time(void **state)
{
    struct unit_fsm f;

    start(&f, 0);
    probe(&f, NULL, 0);
    unit_fsm_want(&f, DEIS_DESIRED_STOP);
    job(&f, UNIT_JOB_TERM, &ok, 100);
    assert_false(f.ready);
    assert_int_equal(f.state, DEIS_STATE_STOPPING);
    job(&f, UNIT_JOB_LOOK, &up, 100);
    job(&f, UNIT_JOB_LOOK, &up, 1100);
    assert_int_equal(unit_fsm_next(&f, at(1500)), UNIT_JOB_NONE);
    job(&f, UNIT_JOB_KILL, &ok, 10101);
    job(&f, UNIT_JOB_LOOK, &dead, 10101);
    job(&f, UNIT_JOB_REMOVE, &ok, 10101);
    assert_int_equal(f.phase, UNIT_GONE);
    assert_int_equal(f.exits, 0);
    assert_int_equal(unit_fsm_wake(&f), UINT64_MAX);
}

static void unit_fsm__stop_ends_as_soon_as_the_process_has_ended(void **state)
{
    struct unit_fsm f;

    start(&f, 0);
    unit_fsm_want(&f, DEIS_DESIRED_STOP);
    job(&f, UNIT_JOB_TERM, &ok, 100);
    job(&f, UNIT_JOB_LOOK, &up, 100);
    unit_fsm_hint(&f);
    assert_int_equal(unit_fsm_next(&f, at(150)), UNIT_JOB_LOOK);
    unit_fsm_hint(&f); /* it ended after the Engine had looked */
    unit_fsm_done(&f, UNIT_JOB_LOOK, &up, at(150));
    job(&f, UNIT_JOB_LOOK, &dead, 160);
    job(&f, UNIT_JOB_REMOVE, &ok, 160);
    assert_int_equal(f.phase, UNIT_GONE);
}

static void unit_fsm__stop_waits_for_the_job_under_way(void **state)
{
    struct unit_fsm f;

    unit_fsm_init(&f, &web_unit, NULL, at(0));
    job(&f, UNIT_JOB_LOOK, &nothing, 0);
    assert_int_equal(unit_fsm_next(&f, at(0)), UNIT_JOB_FETCH);
    unit_fsm_want(&f, DEIS_DESIRED_STOP);
    assert_int_equal(unit_fsm_next(&f, at(0)), UNIT_JOB_NONE);
    unit_fsm_done(&f, UNIT_JOB_FETCH, &ok, at(10));
    job(&f, UNIT_JOB_REMOVE, &ok, 10);
    assert_int_equal(f.phase, UNIT_GONE);
}

static void unit_fsm__stops_what_an_earlier_process_left(void **state)
{
    struct deis_unit unit = web_unit;
    struct unit_fsm f;
    struct unit_result foreign = up;

    unit.desired = DEIS_DESIRED_STOP;
    unit_fsm_init(&f, &unit, NULL, at(0));
    job(&f, UNIT_JOB_LOOK, &up, 0);
    assert_string_equal(f.container, c1);
    job(&f, UNIT_JOB_TERM, &ok, 0);
    job(&f, UNIT_JOB_LOOK, &dead, 0);
    job(&f, UNIT_JOB_REMOVE, &ok, 0);
    assert_int_equal(f.exits, 0);
    /* nothing there, or not ours: nothing to do */
    unit_fsm_init(&f, &unit, NULL, at(0));
    job(&f, UNIT_JOB_LOOK, &nothing, 0);
    assert_int_equal(f.phase, UNIT_GONE);
    foreign.foreign = true;
    unit_fsm_init(&f, &unit, NULL, at(0));
    job(&f, UNIT_JOB_LOOK, &foreign, 0);
    assert_int_equal(f.phase, UNIT_GONE);
}

static void unit_fsm__a_drained_unit_is_not_restarted(void **state)
{
    struct unit_fsm f;

    start(&f, 0);
    probe(&f, NULL, 0);
    unit_fsm_want(&f, DEIS_DESIRED_DRAIN);
    assert_true(f.ready);
    unit_fsm_hint(&f);
    job(&f, UNIT_JOB_LOOK, &dead, 10);
    assert_int_equal(unit_fsm_next(&f, at(100000)), UNIT_JOB_NONE);
    assert_int_equal(unit_fsm_wake(&f), UINT64_MAX);
    unit_fsm_want(&f, DEIS_DESIRED_STOP);
    job(&f, UNIT_JOB_REMOVE, &ok, 100000);
}

static void unit_fsm__a_process_without_a_port_is_ready_after_a_second(void **state)
{
    struct deis_unit worker = web_unit;
    struct unit_fsm f;

    worker.routable = false;
    unit_fsm_init(&f, &worker, NULL, at(0));
    job(&f, UNIT_JOB_LOOK, &up, 0);
    assert_false(unit_fsm_probe_due(&f, at(0)));
    assert_int_equal(unit_fsm_wake(&f), UNIT_SETTLE_MS);
    assert_int_equal(unit_fsm_next(&f, at(UNIT_SETTLE_MS)), UNIT_JOB_NONE);
    assert_true(f.ready);
    assert_int_equal(unit_fsm_wake(&f), UINT64_MAX);
}

static void unit_fsm__a_container_restarted_by_others_is_probed_at_its_new_address(void **state)
{
    static char other[] = "172.18.0.9:5000";
    const struct unit_result moved = {
        .exists = true, .running = true, .container = c1, .address = other
    };
    struct unit_fsm f;

    start(&f, 0);
    probe(&f, NULL, 0);
    assert_true(f.ready);
    unit_fsm_hint(&f);
    job(&f, UNIT_JOB_LOOK, &moved, 3000);
    assert_string_equal(f.address, other);
    assert_false(f.ready); /* somebody else may have the old address */
    probe(&f, NULL, 3000);
    assert_true(f.ready);
    assert_int_equal(f.exits, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unit_fsm__starts_and_becomes_ready_by_its_probe),
        cmocka_unit_test(unit_fsm__three_failed_probes_take_it_out_and_one_good_one_back),
        cmocka_unit_test(unit_fsm__a_crash_is_reported_at_once_and_restarted_with_back_off),
        cmocka_unit_test(unit_fsm__a_probe_of_an_earlier_run_does_not_count),
        cmocka_unit_test(unit_fsm__adopts_a_running_container_as_it_was),
        cmocka_unit_test(unit_fsm__believes_etcd_when_it_knows_better),
        cmocka_unit_test(unit_fsm__counts_a_crash_once_over_a_restart_of_the_agent),
        cmocka_unit_test(unit_fsm__a_restart_of_the_agent_does_not_shorten_the_back_off),
        cmocka_unit_test(unit_fsm__losing_the_engine_changes_nothing),
        cmocka_unit_test(unit_fsm__a_container_removed_behind_our_back_is_replaced),
        cmocka_unit_test(unit_fsm__a_container_restarted_by_others_is_probed_at_its_new_address),
        cmocka_unit_test(unit_fsm__a_failing_pull_becomes_an_error_when_it_lasts),
        cmocka_unit_test(unit_fsm__what_can_not_be_started_is_an_error_at_once),
        cmocka_unit_test(unit_fsm__stop_asks_then_kills_after_the_grace_time),
        cmocka_unit_test(unit_fsm__stop_ends_as_soon_as_the_process_has_ended),
        cmocka_unit_test(unit_fsm__stop_waits_for_the_job_under_way),
        cmocka_unit_test(unit_fsm__stops_what_an_earlier_process_left),
        cmocka_unit_test(unit_fsm__a_drained_unit_is_not_restarted),
        cmocka_unit_test(unit_fsm__a_process_without_a_port_is_ready_after_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
