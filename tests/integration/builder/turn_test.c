/* SPDX-License-Identifier: MIT */
/* Tickets of builds on a real file system, with holders that die. */
#include "builder/file.h"
#include "builder/turn.h"
#include "tests/support/test.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct settings settings;

static int setup(void **state)
{
    char folder[] = "/tmp/deis-turn.XXXXXX";

    assert_non_null(mkdtemp(folder));
    deis_autofree char *queue = deis_asprintf("%s/queue", folder);
    assert_int_equal(folder_make(queue, NULL), DEIS_OK);
    settings = (struct settings){ .data = deis_strdup(folder), .builds_max = 2 };
    return 0;
}

static int teardown(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(folder_remove(settings.data, &err), DEIS_OK);
    free(settings.data);
    return 0;
}

static void take(struct turn *t)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(turn_take(&settings, t, &err), DEIS_OK);
}

static unsigned ahead(const struct turn *t)
{
    struct deis_err err = DEIS_ERR_INIT;
    unsigned n = 0;

    assert_int_equal(turn_ahead(&settings, t, &n, &err), DEIS_OK);
    return n;
}

static void turns__come_in_the_order_of_asking(void **state)
{
    struct turn t[5];

    for (size_t i = 0; i < DEIS_COUNT(t); i++) {
        take(&t[i]);
    }
    assert_int_equal(ahead(&t[0]), 0);
    assert_int_equal(ahead(&t[1]), 0);
    assert_int_equal(ahead(&t[2]), 1);
    assert_int_equal(ahead(&t[4]), 3);
    turn_end(&settings, &t[1]);
    assert_int_equal(ahead(&t[2]), 0);
    assert_int_equal(ahead(&t[3]), 1);
    turn_end(&settings, &t[3]); /* gave up */
    assert_int_equal(ahead(&t[4]), 1);
    turn_end(&settings, &t[0]);
    turn_end(&settings, &t[2]);
    turn_end(&settings, &t[4]);
}

static void turns__without_a_limit_are_everybodys(void **state)
{
    struct turn t[3];

    settings.builds_max = 0;
    for (size_t i = 0; i < DEIS_COUNT(t); i++) {
        take(&t[i]);
    }
    assert_int_equal(ahead(&t[2]), 0);
    for (size_t i = 0; i < DEIS_COUNT(t); i++) {
        turn_end(&settings, &t[i]);
    }
}

static void turns__of_killed_builds_are_over(void **state)
{
    struct turn mine;
    int ready[2];
    char byte;

    settings.builds_max = 1;
    assert_int_equal(pipe(ready), 0);
    pid_t holder = fork();
    if (holder == 0) {
        struct turn theirs;
        struct deis_err err = DEIS_ERR_INIT;
        if (turn_take(&settings, &theirs, &err) < 0 || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    take(&mine);
    assert_int_equal(ahead(&mine), 1);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    assert_int_equal(ahead(&mine), 0);
    turn_end(&settings, &mine);
    close(ready[0]);
    close(ready[1]);
}

static void turns__tell_when_one_has_ended(void **state)
{
    struct turn first, second;

    settings.builds_max = 1;
    take(&first);
    take(&second);
    struct pollfd watch = { .fd = turn_watch(&settings), .events = POLLIN };
    assert_true(watch.fd >= 0);
    assert_int_equal(poll(&watch, 1, 0), 0);
    turn_end(&settings, &first);
    assert_int_equal(poll(&watch, 1, 20000), 1);
    close(watch.fd);
    turn_end(&settings, &second);
}

static void turns__are_bounded(void **state)
{
    static struct turn t[TURN_WAITING_MAX + 2];
    struct deis_err err = DEIS_ERR_INIT;
    struct turn more;

    for (size_t i = 0; i < DEIS_COUNT(t); i++) {
        take(&t[i]);
    }
    assert_int_equal(turn_take(&settings, &more, &err), DEIS_LIMIT);
    assert_string_equal(err.msg, "100 builds are waiting already, push again later");
    turn_end(&settings, &more);
    for (size_t i = 0; i < DEIS_COUNT(t); i++) {
        turn_end(&settings, &t[i]);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(turns__come_in_the_order_of_asking),
        CASE(turns__without_a_limit_are_everybodys),
        CASE(turns__of_killed_builds_are_over),
        CASE(turns__tell_when_one_has_ended),
        CASE(turns__are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
