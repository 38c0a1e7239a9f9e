/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"
#include "lib/net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct deis_loop *loop;
    int calls;
    char order[16];
};

static int setup(void **state)
{
    struct fixture *f = deis_alloc(sizeof(*f));
    f->loop = deis_loop_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    deis_loop_free(f->loop);
    free(f);
    return 0;
}

static void stop_it(void *arg)
{
    struct fixture *f = arg;
    deis_loop_stop(f->loop);
}

static void note_a(void *arg)
{
    struct fixture *f = arg;
    f->order[f->calls++] = 'a';
}

static void note_b_and_post(void *arg)
{
    struct fixture *f = arg;
    f->order[f->calls++] = 'b';
    deis_loop_post(f->loop, note_a, f);
    deis_loop_post(f->loop, stop_it, f);
}

static void loop__posts_run_in_order_and_may_post(void **state)
{
    struct fixture *f = *state;
    deis_loop_post(f->loop, note_a, f);
    deis_loop_post(f->loop, note_b_and_post, f);
    deis_loop_run(f->loop);
    assert_string_equal(f->order, "aba");
}

static void loop__stop_before_run_is_not_lost(void **state)
{
    struct fixture *f = *state;
    deis_loop_stop(f->loop);
    deis_loop_run(f->loop);
    /* and the loop can run again */
    deis_loop_post(f->loop, note_a, f);
    deis_loop_post(f->loop, stop_it, f);
    deis_loop_run(f->loop);
    assert_string_equal(f->order, "a");
}

static void loop__free_makes_waiting_posts(void **state)
{
    struct fixture f = { .loop = deis_loop_new() };
    deis_loop_post(f.loop, note_a, &f);
    deis_loop_free(f.loop);
    assert_string_equal(f.order, "a");
}

static void raise_term(void *arg)
{
    kill(getpid(), SIGTERM);
}

static void on_stop(void *arg)
{
    struct fixture *f = arg;
    f->calls++;
    raise_term(NULL);
}

static void loop__first_signal_asks_second_stops(void **state)
{
    struct fixture *f = *state;
    deis_loop_on_stop(f->loop, on_stop, f);
    deis_loop_post(f->loop, raise_term, NULL);
    deis_loop_run(f->loop);
    assert_int_equal(f->calls, 1);
}

static void tick(void *arg)
{
    struct fixture *f = arg;
    if (++f->calls == 3) {
        deis_loop_stop(f->loop);
    }
}

static void timer__repeats_until_cancelled(void **state)
{
    struct fixture *f = *state;
    struct deis_timer *every = deis_timer_new(f->loop, tick, f);
    struct deis_timer *never = deis_timer_new(f->loop, note_a, f);
    deis_timer_after(never, 1);
    deis_timer_cancel(never);
    uint64_t start = deis_now_ms();
    deis_timer_every(every, 10);
    deis_loop_run(f->loop);
    assert_int_equal(f->calls, 3);
    assert_true(deis_now_ms() - start >= 20);
    deis_timer_free(every);
    deis_timer_free(never);
    deis_timer_free(NULL);
}

/* --- workers --- */

struct job_count {
    struct fixture *f;
    pthread_mutex_t gate;
    pthread_t loop_thread;
    atomic_int worked;
    int done;
    int stop_at;
    bool wrong_thread;
};

static void work(void *arg)
{
    struct job_count *c = arg;
    pthread_mutex_lock(&c->gate);
    pthread_mutex_unlock(&c->gate);
    c->worked++;
    if (pthread_equal(pthread_self(), c->loop_thread)) {
        c->wrong_thread = true;
    }
}

static void done(void *arg)
{
    struct job_count *c = arg;
    if (!pthread_equal(pthread_self(), c->loop_thread)) {
        c->wrong_thread = true;
    }
    if (++c->done == c->stop_at) {
        deis_loop_stop(c->f->loop);
    }
}

static void job_count_init(struct job_count *c, struct fixture *f)
{
    *c = (struct job_count){ .f = f, .loop_thread = pthread_self() };
    pthread_mutex_init(&c->gate, NULL);
}

static void workers__run_elsewhere_and_finish_on_the_loop(void **state)
{
    struct fixture *f = *state;
    struct job_count c;
    job_count_init(&c, f);
    c.stop_at = 100;
    struct deis_workers *w = deis_workers_new(f->loop, 3, 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(deis_workers_run(w, work, done, &c, NULL), 0);
    }
    deis_loop_run(f->loop);
    assert_int_equal(c.done, 100);
    assert_int_equal(c.worked, 100);
    assert_false(c.wrong_thread);
    deis_workers_free(w);
}

static void workers__refuse_beyond_the_bound(void **state)
{
    struct fixture *f = *state;
    struct job_count c;
    struct deis_err err = DEIS_ERR_INIT;
    job_count_init(&c, f);
    struct deis_workers *w = deis_workers_new(f->loop, 2, 3);
    pthread_mutex_lock(&c.gate);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(deis_workers_run(w, work, done, &c, &err), 0);
    }
    assert_int_equal(deis_workers_run(w, work, done, &c, &err), DEIS_LIMIT);
    pthread_mutex_unlock(&c.gate);
    deis_workers_free(w);
    /* what was accepted has run to its end */
    assert_int_equal(c.worked, 5);
    assert_int_equal(c.done, 5);
}

static void workers__left_over_are_freed_with_the_loop(void **state)
{
    struct fixture f = { .loop = deis_loop_new() };
    struct job_count c;
    job_count_init(&c, &f);
    struct deis_workers *w = deis_workers_new(f.loop, 1, 8);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(deis_workers_run(w, work, done, &c, NULL), 0);
    }
    deis_loop_free(f.loop);
    assert_int_equal(c.done, 4);
}

static void backoff__stays_in_its_band_and_grows_to_the_maximum(void **state)
{
    for (int i = 0; i < 200; i++) {
        uint64_t first = deis_backoff_ms(0, 100, 5000);
        assert_in_range(first, 50, 100);
        assert_in_range(deis_backoff_ms(3, 100, 5000), 400, 800);
        assert_in_range(deis_backoff_ms(4000000000U, 100, 5000), 2500, 5000);
    }
}

/* --- memory --- */

/* KiB of libcrypto's code and tables that are mapped at the moment. touch: after each of their
 * pages was read. */
static unsigned long mapped_crypto(bool touch)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512], rights[8] = "";
    unsigned long first, end, kb, sum = 0;
    bool counts = false;

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx %7s", &first, &end, rights) == 3) {
            counts = strstr(line, "/libcrypto") && rights[0] == 'r' && rights[2] == 'x';
            for (unsigned long at = first; counts && touch && at < end; at += 4096) {
                (void)*(volatile const char *)at;
            }
        } else if (counts && sscanf(line, "Rss: %lu kB", &kb) == 1) {
            sum += kb;
        }
    }
    fclose(maps);
    return sum;
}

static void loop__gives_back_what_only_the_start_has_touched(void **state)
{
    struct fixture *f = *state;

    mapped_crypto(true);
    unsigned long before = mapped_crypto(false);
    assert_true(before > 0);
    deis_loop_stop(f->loop);
    deis_loop_run(f->loop);
    assert_true(mapped_crypto(false) < before / 2);
}

/* --- log --- */

static void log__escapes_and_cuts_values(void **state)
{
    int pipe_fd[2];
    assert_int_equal(pipe(pipe_fd), 0);
    int saved = dup(STDERR_FILENO);
    dup2(pipe_fd[1], STDERR_FILENO);
    char longer[3000];
    memset(longer, 'x', sizeof(longer));
    deis_info("two\nlines", KV_S("plain", "ok"), KV_S("q", "a \"b\""), KV_I("n", -5),
              KV_S("bad", "\xff\x1b"), KV_V("empty", DEIS_STR_NONE),
              KV_V("long", deis_str_n(longer, sizeof(longer))));
    deis_debug("not shown");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_fd[1]);
    char text[8192];
    ssize_t n = read(pipe_fd[0], text, sizeof(text) - 1);
    close(pipe_fd[0]);
    assert_true(n > 0 && n <= 2048);
    text[n] = '\0';
    assert_non_null(strstr(text,
                           "level=info svc=unit msg=\"two\\nlines\" plain=ok "
                           "q=\"a \\\"b\\\"\" n=-5 bad=\"\\xff\\x1b\" empty=\"\" long=\"xxx"));
    assert_string_equal(text + n - 5, "...\"\n");
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
}

static bool is_logged(enum deis_log_level level)
{
    int pipe_fd[2];
    char text[256];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pipe_fd), 0);
    int saved = dup(STDERR_FILENO);
    dup2(pipe_fd[1], STDERR_FILENO);
    deis_log_write(level, "said", NULL, 0);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_fd[1]);
    ssize_t n = read(pipe_fd[0], text, sizeof(text));
    close(pipe_fd[0]);
    return n > 0;
}

static void log__level_changes(void **state)
{
    static const char *const words[] = { "debug", "info", "notice", "warn",
                                         "error", "crit", "alert",  "emerg" };
    enum deis_log_level level;

    for (size_t i = 0; i < DEIS_COUNT(words); i++) {
        assert_true(deis_log_level(words[i], &level));
        deis_log_set_level(words[i]);
        assert_true(is_logged(level));
        assert_true(is_logged(DEIS_LOG_ERROR));
        assert_true(level == DEIS_LOG_DEBUG || !is_logged(level + 1));
    }
    assert_false(deis_log_level("Warn", &level));
    assert_false(deis_log_level("", &level));
    deis_log_set_level("verbose");
    assert_true(is_logged(DEIS_LOG_INFO));
    deis_log_set_level("error");
    deis_log_set_level(NULL);
    assert_true(is_logged(DEIS_LOG_INFO));
    assert_false(is_logged(DEIS_LOG_DEBUG));
}

int main(void)
{
    unsetenv("DEIS_LOG");
    deis_runtime_init("unit");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loop__posts_run_in_order_and_may_post, setup, teardown),
        cmocka_unit_test_setup_teardown(loop__stop_before_run_is_not_lost, setup, teardown),
        cmocka_unit_test(loop__free_makes_waiting_posts),
        cmocka_unit_test_setup_teardown(loop__first_signal_asks_second_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(timer__repeats_until_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(workers__run_elsewhere_and_finish_on_the_loop, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(workers__refuse_beyond_the_bound, setup, teardown),
        cmocka_unit_test(workers__left_over_are_freed_with_the_loop),
        cmocka_unit_test(backoff__stays_in_its_band_and_grows_to_the_maximum),
        cmocka_unit_test_setup_teardown(loop__gives_back_what_only_the_start_has_touched, setup,
                                        teardown),
        cmocka_unit_test(log__escapes_and_cuts_values),
        cmocka_unit_test(log__level_changes),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
