/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"
#include "tests/unit/scheduler/sim.h"

static int setup(void **state)
{
    struct sim *s = sim_new();

    sim_machine(s, "m1", "{}");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    sim_free(*state);
    return 0;
}

static void assert_rollout(struct sim *s, unsigned generation, enum deis_rollout_state state)
{
    const struct deis_rollout *r = sim_rollout(s, "blog");

    assert_non_null(r);
    assert_int_equal(r->generation, generation);
    assert_int_equal(r->state, state);
}

/* A done first release with `web` units. */
static void deploy(struct sim *s, unsigned generation, unsigned release, unsigned web)
{
    sim_formation(s, "blog", generation, release, web, 0);
    sim_converge(s);
    assert_rollout(s, generation, DEIS_ROLLOUT_DONE);
    assert_int_equal(sim_count(s, "blog", release, DEIS_DESIRED_RUN), web);
}

static void plan__first_release_runs_all_processes(void **state)
{
    struct sim *s = *state;

    sim_formation(s, "blog", 1, 1, 2, 1);
    sim_settle(s);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 3);
    assert_rollout(s, 1, DEIS_ROLLOUT_RUNNING);
    assert_int_equal(sim_rollout(s, "blog")->wanted, 3);
    sim_state(s, sim_unit(s, "blog", 1, "web", 1), "up", true, 0);
    sim_state(s, sim_unit(s, "blog", 1, "web", 2), "starting", false, 0);
    sim_settle(s);
    assert_int_equal(sim_rollout(s, "blog")->ready, 1);
    sim_converge(s);
    assert_rollout(s, 1, DEIS_ROLLOUT_DONE);
    assert_string_equal(sim_rollout(s, "blog")->operation, "op1");
}

static void plan__old_units_run_until_all_new_ones_are_ready(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    sim_formation(s, "blog", 2, 2, 2, 0);
    sim_settle(s);
    sim_state(s, sim_unit(s, "blog", 2, "web", 1), "up", true, 0);
    sim_state(s, sim_unit(s, "blog", 2, "web", 2), "starting", false, 0);
    sim_settle(s);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 2);
    sim_state(s, sim_unit(s, "blog", 2, "web", 2), "up", true, 0);
    sim_settle(s);
    assert_rollout(s, 2, DEIS_ROLLOUT_DONE);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_DRAIN), 2);
    sim_converge(s);
    assert_null(sim_unit(s, "blog", 1, "web", 1));
}

static void plan__a_crash_before_ready_fails_the_rollout_and_keeps_the_old(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    sim_formation(s, "blog", 2, 2, 2, 0);
    sim_settle(s);
    deis_autofree char *first = deis_strdup(sim_unit(s, "blog", 2, "web", 1));
    sim_state(s, first, "up", true, 0);
    deis_autofree char *second = deis_strdup(sim_unit(s, "blog", 2, "web", 2));
    sim_state(s, second, "crashed", false, 1);
    sim_settle(s);
    assert_rollout(s, 2, DEIS_ROLLOUT_FAILED);
    assert_string_equal(sim_rollout(s, "blog")->reason,
                        "web.2 exited with code 3 before it was ready");
    assert_string_equal(sim_rollout(s, "blog")->unit, second);
    assert_string_equal(sim_rollout(s, "blog")->machine, "m1");
    /* the one that was ready may have requests: it drains; the other just stops */
    assert_int_equal(world_unit(sim_world(s), first)->doc.desired, DEIS_DESIRED_DRAIN);
    assert_int_equal(world_unit(sim_world(s), second)->doc.desired, DEIS_DESIRED_STOP);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 2);
    sim_converge(s);
    assert_null(sim_unit(s, "blog", 2, "web", 1));
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 2);
    assert_rollout(s, 2, DEIS_ROLLOUT_FAILED);
}

static void plan__going_back_after_a_failure_keeps_the_same_units(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    deis_autofree char *id = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    sim_formation(s, "blog", 2, 2, 2, 0);
    sim_settle(s);
    sim_state(s, sim_unit(s, "blog", 2, "web", 1), "error", false, 0);
    sim_settle(s);
    assert_string_equal(sim_rollout(s, "blog")->reason, "web.1 could not be started: the reason");
    sim_converge(s);
    sim_formation(s, "blog", 3, 1, 2, 0);
    sim_settle(s);
    assert_rollout(s, 3, DEIS_ROLLOUT_DONE);
    assert_string_equal(sim_unit(s, "blog", 1, "web", 1), id);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 2);
}

static void plan__a_unit_that_is_never_ready_fails_after_the_start_timeout(void **state)
{
    struct sim *s = *state;

    sim_formation(s, "blog", 1, 1, 1, 0);
    sim_settle(s);
    sim_state(s, sim_unit(s, "blog", 1, "web", 1), "created", false, 0);
    sim_pass(s, 100000); /* fetching the image does not count */
    sim_settle(s);
    assert_rollout(s, 1, DEIS_ROLLOUT_RUNNING);
    sim_state(s, sim_unit(s, "blog", 1, "web", 1), "starting", false, 0);
    sim_pass(s, 59999);
    sim_settle(s);
    assert_rollout(s, 1, DEIS_ROLLOUT_RUNNING);
    sim_pass(s, 1);
    sim_settle(s);
    assert_rollout(s, 1, DEIS_ROLLOUT_FAILED);
    assert_string_equal(sim_rollout(s, "blog")->reason,
                        "web.1 was not ready within 60 s: the reason");
    sim_converge(s);
    assert_int_equal(deis_map_count(sim_world(s)->units), 0);
}

static void plan__asks_to_be_woken_at_the_next_deadline(void **state)
{
    struct sim *s = *state;

    sim_formation(s, "blog", 1, 1, 1, 0);
    sim_settle(s);
    sim_state(s, sim_unit(s, "blog", 1, "web", 1), "starting", false, 0);
    sim_pass(s, 20000);
    assert_int_equal(sim_sleep(s), 40000);
}

static void plan__scaling_touches_only_the_difference(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    deis_autofree char *one = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    deis_autofree char *two = deis_strdup(sim_unit(s, "blog", 1, "web", 2));
    deploy(s, 2, 1, 4);
    assert_string_equal(sim_unit(s, "blog", 1, "web", 1), one);
    sim_formation(s, "blog", 3, 1, 1, 0);
    sim_settle(s);
    assert_rollout(s, 3, DEIS_ROLLOUT_DONE);
    assert_int_equal(world_unit(sim_world(s), one)->doc.desired, DEIS_DESIRED_RUN);
    assert_int_equal(world_unit(sim_world(s), two)->doc.desired, DEIS_DESIRED_DRAIN);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_DRAIN), 3);
}

static void plan__a_failed_scale_keeps_what_ran(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    sim_formation(s, "blog", 2, 1, 4, 0);
    sim_settle(s);
    sim_state(s, sim_unit(s, "blog", 1, "web", 3), "up", true, 0);
    sim_state(s, sim_unit(s, "blog", 1, "web", 4), "crashed", false, 1);
    sim_settle(s);
    assert_rollout(s, 2, DEIS_ROLLOUT_FAILED);
    sim_converge(s);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 2);
    assert_null(sim_unit(s, "blog", 1, "web", 3));
}

static void plan__a_settled_unit_that_is_down_neither_fails_nor_blocks_a_scale(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    sim_state(s, sim_unit(s, "blog", 1, "web", 1), "crashed", false, 9);
    sim_formation(s, "blog", 2, 1, 3, 0);
    sim_settle(s);
    assert_rollout(s, 2, DEIS_ROLLOUT_RUNNING);
    sim_state(s, sim_unit(s, "blog", 1, "web", 3), "up", true, 0);
    sim_settle(s);
    assert_rollout(s, 2, DEIS_ROLLOUT_DONE);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 3);
}

static void plan__a_newer_generation_takes_over_a_running_rollout(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 1);
    sim_formation(s, "blog", 2, 2, 1, 0);
    sim_settle(s);
    deis_autofree char *kept = deis_strdup(sim_unit(s, "blog", 2, "web", 1));
    sim_formation(s, "blog", 3, 2, 2, 0); /* same release, one more */
    sim_settle(s);
    assert_rollout(s, 3, DEIS_ROLLOUT_RUNNING);
    assert_string_equal(sim_unit(s, "blog", 2, "web", 1), kept);
    sim_formation(s, "blog", 4, 3, 1, 0); /* another release */
    sim_settle(s);
    assert_int_equal(sim_count(s, "blog", 2, DEIS_DESIRED_RUN), 0);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 1);
    sim_converge(s);
    assert_rollout(s, 4, DEIS_ROLLOUT_DONE);
    assert_int_equal(deis_map_count(sim_world(s)->units), 1);
}

static void plan__a_kept_unit_can_still_fail_the_newer_generation(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 1);
    sim_formation(s, "blog", 2, 2, 1, 0);
    sim_settle(s);
    sim_formation(s, "blog", 3, 2, 2, 0);
    sim_settle(s);
    sim_state(s, sim_unit(s, "blog", 2, "web", 1), "crashed", false, 1);
    sim_settle(s);
    assert_rollout(s, 3, DEIS_ROLLOUT_FAILED);
    assert_int_equal(sim_count(s, "blog", 2, DEIS_DESIRED_RUN), 0);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 1);
}

static void plan__a_deleted_formation_stops_everything(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    sim_delete(s, "formations/blog");
    sim_settle(s);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_STOP), 2);
    assert_null(sim_rollout(s, "blog"));
    sim_converge(s);
    assert_int_equal(deis_map_count(sim_world(s)->units), 0);
}

static void plan__up_and_down_quickly_converges_on_the_last(void **state)
{
    struct sim *s = *state;

    for (unsigned round = 0; round < 20; round++) {
        sim_formation(s, "blog", 1 + round * 2, 1, 50, 0);
        sim_step(s);
        sim_formation(s, "blog", 2 + round * 2, 1, 0, 0);
        sim_step(s);
    }
    sim_converge(s);
    assert_int_equal(deis_map_count(sim_world(s)->units), 0);
    sim_formation(s, "blog", 100, 1, 3, 0);
    sim_converge(s);
    assert_rollout(s, 100, DEIS_ROLLOUT_DONE);
    assert_int_equal(deis_map_count(sim_world(s)->units), 3);
}

static void plan__a_unit_on_its_way_out_is_created_anew_only_when_gone(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    deis_autofree char *id = deis_strdup(sim_unit(s, "blog", 1, "web", 2));
    sim_formation(s, "blog", 2, 1, 1, 0);
    sim_settle(s);
    sim_formation(s, "blog", 3, 1, 2, 0);
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_DRAIN);
    assert_rollout(s, 3, DEIS_ROLLOUT_RUNNING);
    sim_converge(s);
    assert_rollout(s, 3, DEIS_ROLLOUT_DONE);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 2);
}

static void drain__waits_for_every_router(void **state)
{
    struct sim *s = *state;

    sim_put(s, "services/router/r1", "{}");
    sim_put(s, "services/router/r2", "{}");
    deploy(s, 1, 1, 1);
    deis_autofree char *id = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    deis_autofree char *by_r1 = deis_asprintf("drained/r1/%s", id);
    deis_autofree char *by_r2 = deis_asprintf("drained/r2/%s", id);
    sim_formation(s, "blog", 2, 1, 0, 0);
    sim_settle(s);
    sim_put(s, by_r1, "{}");
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_DRAIN);
    sim_put(s, by_r2, "{}");
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_STOP);
}

static void drain__ignores_what_was_said_about_an_earlier_unit(void **state)
{
    struct sim *s = *state;

    sim_put(s, "services/router/r1", "{}");
    deploy(s, 1, 1, 1);
    deis_autofree char *id = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    deis_autofree char *drained = deis_asprintf("drained/r1/%s", id);
    sim_put(s, drained, "{}");
    sim_formation(s, "blog", 2, 1, 0, 0);
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_DRAIN);
    sim_put(s, drained, "{}");
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_STOP);
}

static void drain__ends_after_30_seconds_when_a_router_is_silent(void **state)
{
    struct sim *s = *state;

    sim_put(s, "services/router/r1", "{}");
    deploy(s, 1, 1, 1);
    deis_autofree char *id = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    sim_formation(s, "blog", 2, 1, 0, 0);
    sim_settle(s);
    sim_pass(s, PLAN_DRAIN_MAX_MS - 1);
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_DRAIN);
    sim_pass(s, 1);
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_STOP);
}

static void drain__a_router_that_left_is_waited_for(void **state)
{
    struct sim *s = *state;

    sim_put(s, "services/router/r1", "{}");
    deploy(s, 1, 1, 1);
    deis_autofree char *id = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    deis_autofree char *drained = deis_asprintf("drained/r1/%s", id);
    sim_formation(s, "blog", 2, 1, 0, 0);
    sim_settle(s);
    sim_delete(s, "services/router/r1");
    sim_pass(s, PLAN_DRAIN_ALONE_MS);
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_DRAIN);
    sim_put(s, "services/router/r1", "{}");
    sim_put(s, drained, "{}");
    sim_settle(s);
    assert_int_equal(world_unit(sim_world(s), id)->doc.desired, DEIS_DESIRED_STOP);
}

static void drain__a_process_that_is_not_routed_stops_at_once(void **state)
{
    struct sim *s = *state;

    sim_put(s, "services/router/r1", "{}");
    sim_formation(s, "blog", 1, 1, 0, 1);
    sim_converge(s);
    sim_formation(s, "blog", 2, 1, 0, 0);
    sim_settle(s);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_STOP), 1);
}

static void placement__spreads_a_type_before_it_balances(void **state)
{
    struct sim *s = *state;

    sim_machine(s, "m2", "{}");
    sim_formation(s, "blog", 1, 1, 4, 0);
    sim_converge(s);
    size_t on_m1 = 0;
    WORLD_EACH(sim_world(s)->units, struct world_unit, u)
    {
        on_m1 += strcmp(u->doc.machine, "m1") == 0;
    }
    assert_int_equal(on_m1, 2);
}

static void placement__tags_choose_the_machine(void **state)
{
    struct sim *s = *state;
    static const char with_tags[] =
        "{\"app\":\"blog\",\"generation\":%d,\"operation\":\"o\",\"release\":1,\"image\":\"i\",\"env\":\"e\","
        "\"grace_ms\":1,\"start_timeout_ms\":60000,\"health\":null,\"processes\":{\"web\":{\"count\":2,"
        "\"memory_bytes\":0,\"cpu_shares\":0,\"tags\":{\"rack\":\"%s\"},\"routable\":true}}}";

    sim_machine(s, "m2", "{\"rack\":\"2\"}");
    deis_autofree char *good = deis_asprintf(with_tags, 1, "2");
    sim_put(s, "formations/blog", good);
    sim_converge(s);
    WORLD_EACH(sim_world(s)->units, struct world_unit, u)
    {
        assert_string_equal(u->doc.machine, "m2");
    }
    deis_autofree char *bad = deis_asprintf(with_tags, 2, "3");
    sim_put(s, "formations/blog", bad);
    sim_settle(s);
    assert_rollout(s, 2, DEIS_ROLLOUT_FAILED);
    assert_string_equal(sim_rollout(s, "blog")->reason,
                        "web.1 has no place: no machine has the tags {\"rack\":\"3\"}");
    assert_int_equal(deis_map_count(sim_world(s)->units), 2);
}

static void machines__a_single_one_is_never_lost(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 2);
    sim_delete(s, "machines/m1/presence");
    sim_pass(s, 10 * PLAN_LOST_AFTER_MS);
    sim_settle(s);
    assert_int_equal(world_machine(sim_world(s), "m1")->verdict, WORLD_VERDICT_NONE);
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 2);
}

static void machines__a_lost_one_gives_its_units_to_others(void **state)
{
    struct sim *s = *state;

    sim_machine(s, "m2", "{}");
    deploy(s, 1, 1, 4);
    sim_delete(s, "machines/m2/presence");
    sim_pass(s, PLAN_LOST_AFTER_MS - 1);
    sim_settle(s);
    assert_int_equal(world_machine(sim_world(s), "m2")->verdict, WORLD_VERDICT_NONE);
    sim_pass(s, 1);
    sim_converge(s);
    assert_int_equal(world_machine(sim_world(s), "m2")->verdict, WORLD_VERDICT_LOST);
    WORLD_EACH(sim_world(s)->units, struct world_unit, u)
    {
        assert_string_equal(u->doc.machine, "m1");
    }
    assert_int_equal(sim_count(s, "blog", 1, DEIS_DESIRED_RUN), 4);
    sim_put(s, "machines/m2/presence", "{}");
    sim_settle(s);
    assert_int_equal(world_machine(sim_world(s), "m2")->verdict, WORLD_VERDICT_NONE);
}

static void machines__when_most_vanish_nothing_changes(void **state)
{
    struct sim *s = *state;

    sim_machine(s, "m2", "{}");
    sim_machine(s, "m3", "{}");
    deploy(s, 1, 1, 3);
    sim_delete(s, "machines/m2/presence");
    sim_delete(s, "machines/m3/presence");
    sim_pass(s, 10 * PLAN_LOST_AFTER_MS);
    sim_settle(s);
    assert_int_equal(world_machine(sim_world(s), "m2")->verdict, WORLD_VERDICT_NONE);
    assert_int_equal(world_machine(sim_world(s), "m3")->verdict, WORLD_VERDICT_NONE);
}

static void unit_id__depends_on_contents_but_not_on_the_count(void **state)
{
    struct sim *s = *state;

    deploy(s, 1, 1, 1);
    deis_autofree char *id = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    deploy(s, 2, 1, 2);
    assert_string_equal(sim_unit(s, "blog", 1, "web", 1), id);
    assert_int_equal(strncmp(id, "blog_v1.web.1-", 14), 0);
    assert_int_equal(strlen(id), 22);
}

static void unit_id__sealing_anew_replaces_nothing(void **state)
{
    struct sim *s = *state;
    static const char formation[] =
        "{\"app\":\"blog\",\"generation\":1,\"operation\":\"o\",\"release\":1,\"image\":\"i\",\"env\":\"%s\","
        "\"grace_ms\":1,\"start_timeout_ms\":60000,\"health\":null,\"processes\":{\"web\":{\"count\":1,"
        "\"memory_bytes\":0,\"cpu_shares\":0,\"routable\":true}}}";

    /* By another key, but with the nonce that names the contents. */
    deis_autofree char *before = deis_asprintf(formation, "v1:00000001:AAAAAAAAAAAAAAAAabcd");
    deis_autofree char *sealed_anew = deis_asprintf(formation, "v1:00000002:AAAAAAAAAAAAAAAAwxyz");
    deis_autofree char *other = deis_asprintf(formation, "v1:00000002:AAAAAAAAAAAAAAABwxyz");
    sim_put(s, "formations/blog", before);
    sim_converge(s);
    deis_autofree char *id = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    sim_put(s, "formations/blog", sealed_anew);
    sim_converge(s);
    assert_string_equal(sim_unit(s, "blog", 1, "web", 1), id);
    sim_put(s, "formations/blog", other);
    sim_converge(s);
    assert_string_not_equal(sim_unit(s, "blog", 1, "web", 1), id);
}

static void unit_id__a_restart_counter_replaces_only_its_units(void **state)
{
    struct sim *s = *state;
    static const char formation[] =
        "{\"app\":\"blog\",\"generation\":%d,\"operation\":\"o\",\"release\":1,\"image\":\"i\",\"env\":\"e\","
        "\"grace_ms\":1,\"start_timeout_ms\":60000,\"health\":null,\"processes\":{\"web\":{\"count\":2,"
        "\"memory_bytes\":0,\"cpu_shares\":0,\"routable\":true,\"restarts\":%s}}}";

    deis_autofree char *before = deis_asprintf(formation, 1, "{\"all\":1}");
    sim_put(s, "formations/blog", before);
    sim_converge(s);
    deis_autofree char *one = deis_strdup(sim_unit(s, "blog", 1, "web", 1));
    deis_autofree char *two = deis_strdup(sim_unit(s, "blog", 1, "web", 2));
    deis_autofree char *after = deis_asprintf(formation, 2, "{\"all\":1,\"2\":1}");
    sim_put(s, "formations/blog", after);
    sim_converge(s);
    assert_string_equal(sim_unit(s, "blog", 1, "web", 1), one);
    assert_string_not_equal(sim_unit(s, "blog", 1, "web", 2), two);
    assert_int_equal(deis_map_count(sim_world(s)->units), 2);
}

static void plan__a_formation_that_cannot_be_read_stops_nothing(void **state)
{
    struct sim *s = *state;
    struct world *w = world_new();
    struct deis_err err = DEIS_ERR_INIT;
    const char *unit;

    sim_machine(s, "m1", "{}");
    sim_formation(s, "blog", 1, 1, 1, 0);
    sim_converge(s);
    unit = sim_unit(s, "blog", 1, "web", 1);
    deis_autofree char *text = deis_unit_format(&world_unit(sim_world(s), unit)->doc);
    deis_autofree char *rollout = deis_rollout_format(sim_rollout(s, "blog"));
    char key[DEIS_KEY_MAX];

    /* as an engine that has just been elected lists them */
    assert_int_equal(
        world_apply(w, deis_key(key, "units/%s", unit), deis_str(text), false, 5, 6, 1000, &err),
        0);
    assert_int_equal(
        world_apply(w, deis_key(key, "rollouts/blog"), deis_str(rollout), false, 7, 7, 1000, &err),
        0);
    assert_true(world_apply(w, deis_key(key, "formations/blog"), DEIS_STR("{\"app\":7}"), false, 8,
                            8, 1000, &err) < 0);
    struct plan *p = plan_make(w, NULL, 9, 2000, 2000);
    assert_int_equal(p->count, 0);
    plan_free(p);
    assert_int_equal(
        world_apply(w, deis_key(key, "formations/blog"), DEIS_STR(""), true, 0, 9, 2000, &err), 0);
    p = plan_make(w, NULL, 9, 2000, 2000);
    assert_int_equal(p->count, 2); /* stop the unit, forget the rollout */
    plan_free(p);
    world_free(w);
}

static void machines__a_removed_one_holds_up_no_unit_on_its_way_out(void **state)
{
    struct sim *s = *state;

    sim_machine(s, "m1", "{}");
    sim_formation(s, "blog", 1, 1, 1, 1);
    sim_converge(s);
    sim_delete(s, "formations/blog");
    sim_delete(s, "machines/m1/presence");
    sim_delete(s, "machines/m1"); /* by an operator; what it said of its units stays */
    sim_settle(s);
    assert_int_equal(deis_map_count(sim_world(s)->units), 0);
}

static void plan__is_carried_out_in_pieces_that_etcd_takes(void **state)
{
    char large[100] = "";
    memset(large, 'x', sizeof(large) - 1);
    struct plan_action actions[] = {
        { .key = (char *)(uintptr_t) "/deis/rollouts/a", .value = large },
        { .key = (char *)(uintptr_t) "/deis/units/a_v1.web.1-1", .value = large },
        { .key = (char *)(uintptr_t) "/deis/units/ab_v1.web.1-1", .value = large },
        { .key = (char *)(uintptr_t) "/deis/verdicts/m1" },
    };
    const struct plan p = { .actions = actions, .count = DEIS_COUNT(actions) };

    assert_int_equal(plan_batch(&p, 0, 40, 10000), 4);
    assert_int_equal(plan_batch(&p, 0, 3, 10000), 3);
    assert_int_equal(plan_batch(&p, 0, 40, 300), 2);
    assert_int_equal(plan_batch(&p, 0, 40, 10), 1); /* one alone goes whatever its size */
    assert_int_equal(plan_batch(&p, 2, 40, 300), 4);
    assert_int_equal(plan_app(&p, 0, 4), 2);
    assert_int_equal(plan_app(&p, 0, 1), 1);
    assert_int_equal(plan_app(&p, 2, 4), 3);
    assert_int_equal(plan_app(&p, 3, 4), 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plan__first_release_runs_all_processes),
        TEST(plan__old_units_run_until_all_new_ones_are_ready),
        TEST(plan__a_crash_before_ready_fails_the_rollout_and_keeps_the_old),
        TEST(plan__going_back_after_a_failure_keeps_the_same_units),
        TEST(plan__a_unit_that_is_never_ready_fails_after_the_start_timeout),
        TEST(plan__asks_to_be_woken_at_the_next_deadline),
        TEST(plan__scaling_touches_only_the_difference),
        TEST(plan__a_failed_scale_keeps_what_ran),
        TEST(plan__a_settled_unit_that_is_down_neither_fails_nor_blocks_a_scale),
        TEST(plan__a_newer_generation_takes_over_a_running_rollout),
        TEST(plan__a_kept_unit_can_still_fail_the_newer_generation),
        TEST(plan__a_deleted_formation_stops_everything),
        TEST(plan__up_and_down_quickly_converges_on_the_last),
        TEST(plan__a_unit_on_its_way_out_is_created_anew_only_when_gone),
        TEST(plan__a_formation_that_cannot_be_read_stops_nothing),
        TEST(plan__is_carried_out_in_pieces_that_etcd_takes),
        TEST(drain__waits_for_every_router),
        TEST(drain__ignores_what_was_said_about_an_earlier_unit),
        TEST(drain__ends_after_30_seconds_when_a_router_is_silent),
        TEST(drain__a_router_that_left_is_waited_for),
        TEST(drain__a_process_that_is_not_routed_stops_at_once),
        TEST(placement__spreads_a_type_before_it_balances),
        TEST(placement__tags_choose_the_machine),
        TEST(machines__a_single_one_is_never_lost),
        TEST(machines__a_lost_one_gives_its_units_to_others),
        TEST(machines__when_most_vanish_nothing_changes),
        TEST(machines__a_removed_one_holds_up_no_unit_on_its_way_out),
        TEST(unit_id__depends_on_contents_but_not_on_the_count),
        TEST(unit_id__sealing_anew_replaces_nothing),
        TEST(unit_id__a_restart_counter_replaces_only_its_units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
