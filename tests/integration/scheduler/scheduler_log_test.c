/* SPDX-License-Identifier: MIT */
/* No line of an app is lost or doubled between its container and the logger, whichever restarts. */
#include "tests/integration/scheduler/rig.h"
#include "tests/support/test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define FLOOD_LINES 150000

static int setup(void **state)
{
    *state = rig_new("scheduler_log_test");
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

struct enough {
    const char *app;
    size_t lines;
};

static bool has_lines(struct rig *r, void *arg)
{
    const struct enough *e = arg;

    return rig_count_lines(r, e->app) >= e->lines;
}

static void wait_lines(struct rig *r, const char *app, size_t lines)
{
    struct enough e = { app, lines };
    deis_autofree char *what = deis_asprintf("%zu lines of %s", lines, app);

    rig_wait(r, what, has_lines, &e);
}

static bool no_states(struct rig *r, void *arg)
{
    return rig_count_states(r, arg, 0) == 0;
}

static void wait_gone(struct rig *r, const char *app)
{
    rig_no_formation(r, app);
    rig_wait(r, "all units to be gone", no_states, (void *)(uintptr_t)app);
}

static void assert_numbered(struct rig *r, const char *app, size_t count)
{
    assert_int_equal(rig_count_lines(r, app), count);
    for (size_t i = 0; i<count; i += count> 1000 ? 997 : 1) {
        deis_autofree char *line = rig_line(r, app, i);
        deis_autofree char *want = deis_asprintf("worker.1 n=%zu ", i + 1);
        if (strncmp(line, want, strlen(want)) != 0) {
            fail_msg("line %zu is '%.80s'", i + 1, line);
        }
    }
    assert_int_equal(rig_lost_bytes(r), 0);
}

static bool is_published(struct rig *r, void *arg)
{
    return rig_count_states(r, arg, 0) > 0;
}

/* The newest file of a unit's log, yours. */
static char *log_path(struct rig *r, const char *app)
{
    struct deis_unit_state unit;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *info = NULL;
    const char *path = NULL;

    rig_wait(r, "the unit's state", is_published, (void *)(uintptr_t)app);
    assert_true(rig_state(r, app, "worker.1", &unit));
    deis_autofree char *inspect = deis_asprintf("/containers/%s/json", unit.container);
    deis_unit_state_clear(&unit);
    assert_int_equal(deis_docker_call(rig_docker(r), "GET", inspect, NULL, 0, &info, &err), 0);
    assert_int_equal(deis_json_get_str(info, "LogPath", &path, &err), 0);
    return deis_strdup(path);
}

/* Until the Engine has rotated the log so often that it will remove a file next. */
static void wait_rotations(const char *path)
{
    deis_autofree char *oldest = deis_asprintf("%s.4", path);
    deis_autofree char *folder = deis_strdup(path);
    char events[4096];

    *strrchr(folder, '/') = '\0';
    deis_autoclose int fd = inotify_init1(IN_CLOEXEC);
    assert_true(inotify_add_watch(fd, folder, IN_CREATE | IN_MOVED_TO) >= 0);
    while (access(oldest, F_OK) < 0) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&p, 1, RIG_WAIT_MS), 1);
        assert_true(read(fd, events, sizeof(events)) > 0);
    }
}

/* Four rotations of the Engine's files; the agent is killed in the middle, and just after it has
 * begun; the logger goes and comes. */
static void log__survives_rotation_a_killed_agent_and_a_logger_that_is_away(void **state)
{
    struct rig *r = *state;
    static const char script[] =
        "x=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; "
        "busybox seq 1 150000 | busybox sed \"s/^/n=/; s/$/ $x$x$x$x/\"; exec busybox sleep 1000";

    rig_formation(
        r, &(struct rig_formation){
               .app = "flood", .generation = 1, .release = 1, .worker = 1, .script = script });
    wait_lines(r, "flood", FLOOD_LINES / 10);
    deis_autofree char *path = log_path(r, "flood");
    rig_scheduler_kill(r);
    wait_rotations(path);
    rig_scheduler_start(r);
    wait_lines(r, "flood", FLOOD_LINES / 5);
    rig_logger(r, false);
    rig_logger(r, true);
    wait_lines(r, "flood", FLOOD_LINES / 2);
    rig_scheduler_kill(r);
    rig_scheduler_start(r);
    wait_lines(r, "flood", FLOOD_LINES);
    assert_numbered(r, "flood", FLOOD_LINES);
    wait_gone(r, "flood");
    assert_int_equal(rig_count_lines(r, "flood"), FLOOD_LINES);
}

static bool last_line_is(struct rig *r, void *arg)
{
    size_t count = rig_count_lines(r, "beyond");
    deis_autofree char *last = count > 0 ? rig_line(r, "beyond", count - 1) : NULL;

    return last && strcmp(last, arg) == 0;
}

/* Where the agent was is lost, and where the files of the Engine begin nobody can tell: what comes
 * from now on must not be taken for something that the logger has. */
static void log__goes_on_without_its_place(void **state)
{
    struct rig *r = *state;
    static const char script[] = /* 66 MB in the Engine's files, which keep 50 */
        "x=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; trap 'echo n=more' USR1; i=0; "
        "while [ $i -lt 23 ]; do busybox seq 1 10000 | busybox sed \"s/^/n=/; s/$/ $x$x$x$x/\"; "
        "busybox sleep 0.2; i=$((i+1)); done; echo n=flooded; "
        "while :; do busybox sleep 0.1; done";
    char flooded[] = "worker.1 n=flooded";
    struct deis_unit_state unit;
    struct deis_err err = DEIS_ERR_INIT;
    char more[] = "worker.1 n=more";

    rig_formation(
        r, &(struct rig_formation){
               .app = "beyond", .generation = 1, .release = 1, .worker = 1, .script = script });
    rig_wait(r, "the flood", last_line_is, flooded);
    rig_scheduler_kill(r);
    rig_forget_log_places(r);
    rig_scheduler_start(r);
    assert_true(rig_state(r, "beyond", "worker.1", &unit));
    deis_autofree char *kill = deis_asprintf("/containers/%s/kill?signal=USR1", unit.container);
    assert_int_equal(deis_docker_call(rig_docker(r), "POST", kill, NULL, 0, NULL, &err), 0);
    deis_unit_state_clear(&unit);
    rig_wait(r, "a line printed later", last_line_is, more);
}

/* Operators do so when a disk is full. */
static void log__goes_on_when_its_file_is_emptied(void **state)
{
    struct rig *r = *state;
    struct deis_unit_state unit;
    struct deis_err err = DEIS_ERR_INIT;

    rig_formation(r,
                  &(struct rig_formation){ .app = "emptied",
                                           .generation = 1,
                                           .release = 1,
                                           .worker = 1,
                                           .script = "trap 'echo \"n=4 more\"' USR1; "
                                                     "for i in 1 2 3; do echo \"n=$i line\"; done; "
                                                     "while :; do busybox sleep 0.1; done" });
    wait_lines(r, "emptied", 3);
    deis_autofree char *path = log_path(r, "emptied");
    assert_int_equal(truncate(path, 0), 0);
    assert_true(rig_state(r, "emptied", "worker.1", &unit));
    deis_autofree char *kill = deis_asprintf("/containers/%s/kill?signal=USR1", unit.container);
    deis_unit_state_clear(&unit);
    assert_int_equal(deis_docker_call(rig_docker(r), "POST", kill, NULL, 0, NULL, &err), 0);
    wait_lines(r, "emptied", 4);
    assert_numbered(r, "emptied", 4);
}

static void log__of_a_removed_unit_is_handed_over_first(void **state)
{
    struct rig *r = *state;

    rig_formation(
        r, &(struct rig_formation){ .app = "last",
                                    .generation = 1,
                                    .release = 1,
                                    .worker = 1,
                                    .script = "trap 'echo n=2 bye; exit 0' TERM; echo n=1 hello; "
                                              "while :; do busybox sleep 0.1; done",
                                    .grace_ms = RIG_WAIT_MS });
    rig_wait_rollout(r, "last", 1, DEIS_ROLLOUT_DONE);
    wait_gone(r, "last");
    wait_lines(r, "last", 2);
    assert_numbered(r, "last", 2);
}

static void log__waits_in_a_spool_for_a_logger_that_is_away(void **state)
{
    struct rig *r = *state;

    rig_logger(r, false);
    rig_formation(
        r, &(struct rig_formation){ .app = "spool",
                                    .generation = 1,
                                    .release = 1,
                                    .worker = 1,
                                    .script = "for i in 1 2 3 4 5; do echo \"n=$i line\"; done; "
                                              "exec busybox sleep 1000" });
    rig_wait_rollout(r, "spool", 1, DEIS_ROLLOUT_DONE);
    wait_gone(r, "spool");
    assert_int_equal(rig_count_containers(r), 0);
    assert_int_equal(rig_count_lines(r, "spool"), 0);
    rig_scheduler_kill(r);
    rig_scheduler_start(r);
    rig_logger(r, true);
    wait_lines(r, "spool", 5);
    assert_numbered(r, "spool", 5);
}

static void log__keeps_odd_lines(void **state)
{
    struct rig *r = *state;

    rig_formation(r, &(struct rig_formation){
                         .app = "odd",
                         .generation = 1,
                         .release = 1,
                         .worker = 1,
                         .script = "busybox printf 'n=1 \\xff\\xfe\\tquote\" back\\\\slash\\n'; "
                                   "busybox head -c 100000 /dev/zero | busybox tr '\\0' x; echo; "
                                   "busybox printf 'n=4 unfinished'; exec busybox sleep 1000" });
    /* 100000 bytes are two lines: one of 64 KiB and the rest. The Engine keeps an unfinished line
     * back until the process ends. */
    wait_lines(r, "odd", 3);
    wait_gone(r, "odd");
    wait_lines(r, "odd", 4);
    deis_autofree char *first = rig_line(r, "odd", 0);
    deis_autofree char *second = rig_line(r, "odd", 1);
    deis_autofree char *third = rig_line(r, "odd", 2);
    deis_autofree char *last = rig_line(r, "odd", 3);
    assert_non_null(strstr(first, "\tquote\" back\\slash"));
    assert_int_equal(strlen(second) + strlen(third), 100000 + 2 * strlen("worker.1 "));
    assert_string_equal(last, "worker.1 n=4 unfinished");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* With an argument: only the cases that match it. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(log__survives_rotation_a_killed_agent_and_a_logger_that_is_away),
        TEST(log__goes_on_without_its_place),
        TEST(log__goes_on_when_its_file_is_emptied),
        TEST(log__of_a_removed_unit_is_handed_over_first),
        TEST(log__waits_in_a_spool_for_a_logger_that_is_away),
        TEST(log__keeps_odd_lines),
    };

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    deis_runtime_init("scheduler_log_test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
