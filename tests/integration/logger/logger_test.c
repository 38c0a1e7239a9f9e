/* SPDX-License-Identifier: MIT */
/* The real logger over the bus. etcd is not there: the logger must do without it. */
#include "log.pb-c.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/net/bus.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#define CALL_MS 60000

struct fixture {
    struct program logger;
    char *folder;
    char *key_path;
    char address[64];
    uint16_t port;
    struct deis_key key;
    struct deis_bus_sync *bus;
};

static void start_logger(struct fixture *f)
{
    const char *argv[] = { "--bus",   f->address,           "--data",
                           f->folder, "--cluster-key",      f->key_path,
                           "--etcd",  "http://127.0.0.1:1", "--segment",
                           "16k",     "--app-quota",        "64k",
                           NULL };

    program_start(&f->logger, "deis-logger", argv);
    program_wait_port(f->port);
}

static int setup(void **state)
{
    struct fixture *f = deis_alloc(sizeof(*f));
    struct deis_err err = DEIS_ERR_INIT;

    f->folder = program_temp_folder();
    f->key_path = program_write_key(f->folder);
    f->port = test_free_port();
    snprintf(f->address, sizeof(f->address), "tcp://127.0.0.1:%u", f->port);
    start_logger(f);
    if (deis_key_load(f->key_path, &f->key, &err) < 0) {
        return -1;
    }
    f->bus = deis_bus_sync_new(&f->key, "test");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    deis_bus_sync_free(f->bus);
    int status = program_stop(&f->logger, SIGTERM);
    free(f->key_path);
    program_remove_folder(f->folder);
    free(f);
    return status; /* a sanitizer's finding is a status of its own */
}

/* Append lines "<text> <n>" for n in [from, to] with position n. */
static uint64_t append(struct fixture *f, const char *app, const char *process, uint64_t from,
                       uint64_t to)
{
    Deis__LogAppend msg = DEIS__LOG_APPEND__INIT;
    ProtobufCMessage *answer = NULL;
    struct deis_err err = DEIS_ERR_INIT;
    size_t count = to - from + 1;
    Deis__LogLine *lines = deis_alloc(count * sizeof(*lines));
    Deis__LogLine **list = deis_alloc(count * sizeof(*list));

    for (size_t i = 0; i < count; i++) {
        deis__log_line__init(&lines[i]);
        char *text = deis_asprintf("line %llu", (unsigned long long)(from + i));
        lines[i].position = from + i;
        lines[i].time_ms = 1700000000000 + from + i;
        lines[i].app = deis_strdup(app);
        lines[i].process = deis_strdup(process);
        lines[i].text = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
        list[i] = &lines[i];
    }
    char source[64];
    snprintf(source, sizeof(source), "source-of-%s-%s", app, process);
    msg.source = source;
    msg.lines = list;
    msg.n_lines = count;
    int r = deis_bus_call_sync(f->bus, f->address, "logger.append", NULL, &msg.base,
                               &deis__log_appended__descriptor, CALL_MS, &answer, &err);
    if (r < 0) {
        fail_msg("append: %s", err.msg);
    }
    uint64_t position = ((Deis__LogAppended *)answer)->position;
    protobuf_c_message_free_unpacked(answer, NULL);
    for (size_t i = 0; i < count; i++) {
        free(lines[i].app);
        free(lines[i].process);
        free(lines[i].text.data);
    }
    free(lines);
    free(list);
    return position;
}

static Deis__LogLines *read_log(struct fixture *f, const char *app, const char *process,
                                uint32_t lines, const char *cursor, uint32_t wait_ms)
{
    Deis__LogRead msg = DEIS__LOG_READ__INIT;
    ProtobufCMessage *answer = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    msg.app = (char *)(uintptr_t)app;
    msg.process = (char *)(uintptr_t)process;
    msg.cursor = (char *)(uintptr_t)cursor;
    msg.lines = lines;
    msg.wait_ms = wait_ms;
    if (deis_bus_call_sync(f->bus, f->address, "logger.read", NULL, &msg.base,
                           &deis__log_lines__descriptor, CALL_MS + wait_ms, &answer, &err) < 0) {
        fail_msg("read: %s", err.msg);
    }
    return (Deis__LogLines *)answer;
}

static void expect_line(const Deis__LogLines *lines, size_t i, const char *want)
{
    assert_true(i < lines->n_entries);
    assert_int_equal(lines->entries[i]->text.len, strlen(want));
    assert_memory_equal(lines->entries[i]->text.data, want, strlen(want));
}

static void logger__lines_come_back_in_order(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(append(f, "order", "web.1", 1, 50), 50);
    Deis__LogLines *lines = read_log(f, "order", "", 3, "", 0);
    assert_int_equal(lines->n_entries, 3);
    expect_line(lines, 0, "line 48");
    expect_line(lines, 2, "line 50");
    deis__log_lines__free_unpacked(lines, NULL);
    lines = read_log(f, "nothing-here", "", 3, "", 0);
    assert_int_equal(lines->n_entries, 0);
    deis__log_lines__free_unpacked(lines, NULL);
}

static void logger__nothing_is_lost_or_doubled_by_kill_9(void **state)
{
    struct fixture *f = *state;

    append(f, "kills", "web.1", 1, 100);
    program_stop(&f->logger, SIGKILL);
    start_logger(f);
    assert_int_equal(append(f, "kills", "web.1", 61, 160), 160); /* the sender repeats */
    program_stop(&f->logger, SIGKILL);
    start_logger(f);
    assert_int_equal(append(f, "kills", "web.1", 101, 160), 160);
    Deis__LogLines *lines = read_log(f, "kills", "", 1000, "", 0);
    assert_int_equal(lines->n_entries, 160);
    for (size_t i = 0; i < 160; i++) {
        char want[32];
        snprintf(want, sizeof(want), "line %zu", i + 1);
        expect_line(lines, i, want);
    }
    deis__log_lines__free_unpacked(lines, NULL);
}

static void logger__a_process_can_be_picked(void **state)
{
    struct fixture *f = *state;

    append(f, "filter", "web.1", 1, 10);
    append(f, "filter", "web.2", 1, 10);
    append(f, "filter", "worker.1", 1, 10);
    Deis__LogLines *lines = read_log(f, "filter", "web", 100, "", 0);
    assert_int_equal(lines->n_entries, 20);
    deis__log_lines__free_unpacked(lines, NULL);
    lines = read_log(f, "filter", "web.2", 4, "", 0);
    assert_int_equal(lines->n_entries, 4);
    assert_string_equal(lines->entries[0]->process, "web.2");
    deis__log_lines__free_unpacked(lines, NULL);
}

static void *append_later(void *arg)
{
    append(arg, "tail", "web.1", 4, 4);
    return NULL;
}

static void logger__a_reader_waits_for_the_next_line(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;

    append(f, "tail", "web.1", 1, 3);
    Deis__LogLines *lines = read_log(f, "tail", "", 1, "", 0);
    deis_autofree char *cursor = deis_strdup(lines->cursor);
    deis__log_lines__free_unpacked(lines, NULL);
    assert_int_equal(pthread_create(&thread, NULL, append_later, f), 0);
    lines = read_log(f, "tail", "", 0, cursor, CALL_MS);
    pthread_join(thread, NULL);
    assert_int_equal(lines->n_entries, 1);
    expect_line(lines, 0, "line 4");
    deis__log_lines__free_unpacked(lines, NULL);
}

static void logger__old_segments_go_at_the_quota(void **state)
{
    struct fixture *f = *state;

    for (uint64_t n = 0; n < 20; n++) {
        append(f, "quota", "web.1", n * 200 + 1, n * 200 + 200);
    }
    Deis__LogLines *lines = read_log(f, "quota", "", 10000, "", 0);
    assert_true(lines->n_entries >= 200); /* the newest are there */
    assert_true(lines->n_entries < 4000); /* the oldest have gone */
    expect_line(lines, lines->n_entries - 1, "line 4000");
    deis__log_lines__free_unpacked(lines, NULL);
    assert_int_equal(append(f, "quota", "web.1", 1, 4000), 4000); /* still known as repeats */
    lines = read_log(f, "quota", "", 1, "", 0);
    expect_line(lines, 0, "line 4000");
    deis__log_lines__free_unpacked(lines, NULL);
}

static void logger__a_deleted_app_is_forgotten(void **state)
{
    struct fixture *f = *state;
    Deis__LogDelete msg = DEIS__LOG_DELETE__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    char app[] = "gone";

    append(f, "gone", "web.1", 1, 10);
    msg.app = app;
    assert_int_equal(deis_bus_call_sync(f->bus, f->address, "logger.delete", NULL, &msg.base,
                                        &deis__log_deleted__descriptor, CALL_MS, NULL, &err),
                     0);
    Deis__LogLines *lines = read_log(f, "gone", "", 100, "", 0);
    assert_int_equal(lines->n_entries, 0);
    deis__log_lines__free_unpacked(lines, NULL);
}

struct follower {
    struct fixture *f;
    Deis__LogLines *lines;
    char *cursor;
};

static void *follow(void *arg)
{
    struct follower *follower = arg;
    struct fixture own = *follower->f; /* a connection belongs to one thread */

    own.bus = deis_bus_sync_new(&own.key, "follower");
    follower->lines = read_log(&own, "anew", "", 0, follower->cursor, CALL_MS);
    deis_bus_sync_free(own.bus);
    return NULL;
}

static void logger__a_follower_sees_a_log_begin_anew(void **state)
{
    struct fixture *f = *state;
    struct follower follower = { f, NULL, NULL };
    Deis__LogDelete msg = DEIS__LOG_DELETE__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    char app[] = "anew";
    pthread_t thread;

    append(f, "anew", "web.1", 1, 10);
    Deis__LogLines *lines = read_log(f, "anew", "", 1, "", 0);
    follower.cursor = deis_strdup(lines->cursor);
    deis__log_lines__free_unpacked(lines, NULL);
    assert_int_equal(pthread_create(&thread, NULL, follow, &follower), 0);
    msg.app = app;
    assert_int_equal(deis_bus_call_sync(f->bus, f->address, "logger.delete", NULL, &msg.base,
                                        &deis__log_deleted__descriptor, CALL_MS, NULL, &err),
                     0);
    append(f, "anew", "web.1", 11, 11);
    pthread_join(thread, NULL);
    assert_true(follower.lines->n_entries >= 1);
    expect_line(follower.lines, follower.lines->n_entries - 1, "line 11");
    deis__log_lines__free_unpacked(follower.lines, NULL);
    free(follower.cursor);
}

struct writer {
    struct fixture f;
    char app[16];
    uint64_t acknowledged;
    const bool *ending; /* the logger was told to end */
};

/* One line after the other until the logger is gone. One that is not acknowledged is sent again:
 * the logger may be slow. */
static void *write_until_refused(void *arg)
{
    struct writer *w = arg;
    struct deis_err err = DEIS_ERR_INIT;
    char process[] = "web.1";
    char text[] = "line";

    w->f.bus = deis_bus_sync_new(&w->f.key, w->app);
    for (uint64_t n = 1;; n++) {
        Deis__LogLine line = DEIS__LOG_LINE__INIT;
        Deis__LogLine *list[] = { &line };
        Deis__LogAppend msg = DEIS__LOG_APPEND__INIT;
        line.position = n;
        line.time_ms = 1;
        line.app = w->app;
        line.process = process;
        line.text = (ProtobufCBinaryData){ 4, (uint8_t *)text };
        msg.source = w->app;
        msg.lines = list;
        msg.n_lines = 1;
        if (deis_bus_call_sync(w->f.bus, w->f.address, "logger.append", NULL, &msg.base,
                               &deis__log_appended__descriptor, 1000, NULL, &err) < 0) {
            if (__atomic_load_n(w->ending, __ATOMIC_ACQUIRE)) {
                break;
            }
            n--;
            continue;
        }
        __atomic_store_n(&w->acknowledged, n, __ATOMIC_RELEASE);
    }
    deis_bus_sync_free(w->f.bus);
    return NULL;
}

static void *wait_in_vain(void *arg)
{
    const struct fixture *f = arg;
    struct deis_bus_sync *bus = deis_bus_sync_new(&f->key, "reader");
    Deis__LogRead msg = DEIS__LOG_READ__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    char app[] = "nobody-writes-here";
    char cursor[] = "1";

    msg.app = app;
    msg.cursor = cursor;
    msg.wait_ms = 60000;
    (void)!deis_bus_call_sync(bus, f->address, "logger.read", NULL, &msg.base,
                              &deis__log_lines__descriptor, 2000, NULL, &err);
    deis_bus_sync_free(bus);
    return NULL;
}

static void logger__it_ends_in_order_while_lines_come_in(void **state)
{
    struct fixture *f = *state;
    struct writer writers[4] = { 0 };
    pthread_t threads[4];
    pthread_t reader;
    bool ending = false;
    uint64_t end = deis_now_ms() + CALL_MS;

    for (size_t i = 0; i < DEIS_COUNT(writers); i++) {
        writers[i].f = *f;
        writers[i].ending = &ending;
        snprintf(writers[i].app, sizeof(writers[i].app), "load-%zu", i);
        assert_int_equal(pthread_create(&threads[i], NULL, write_until_refused, &writers[i]), 0);
    }
    assert_int_equal(pthread_create(&reader, NULL, wait_in_vain, f), 0);
    for (size_t i = 0; i < DEIS_COUNT(writers); i++) {
        while (__atomic_load_n(&writers[i].acknowledged, __ATOMIC_ACQUIRE) < 20) {
            assert_true(deis_now_ms() < end);
            sched_yield();
        }
    }
    __atomic_store_n(&ending, true, __ATOMIC_RELEASE);
    assert_int_equal(program_stop(&f->logger, SIGTERM), 0);
    for (size_t i = 0; i < DEIS_COUNT(writers); i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_join(reader, NULL);
    start_logger(f);
    for (size_t i = 0; i < DEIS_COUNT(writers); i++) {
        Deis__LogLines *lines = read_log(f, writers[i].app, "", 10000, "", 0);
        assert_true(lines->n_entries >= writers[i].acknowledged || lines->more);
        deis__log_lines__free_unpacked(lines, NULL);
    }
}

static void logger__a_folder_in_use_is_refused(void **state)
{
    struct fixture *f = *state;
    struct program second = { 0 };
    deis_autofree char *address = deis_asprintf("tcp://127.0.0.1:%u", test_free_port());
    const char *const argv[] = { "--bus",         address,     "--data", f->folder,
                                 "--cluster-key", f->key_path, NULL };

    program_start(&second, "deis-logger", argv);
    assert_int_equal(program_stop(&second, 0), 1 << 8); /* it ends by itself */
}

/* A line is bytes, after a gap, too. */
static void logger__a_line_after_a_gap_is_whole(void **state)
{
    static char source[] = "gap-source", app[] = "gap", process[] = "web.1";
    static uint8_t text[] = "before\0after";
    struct fixture *f = *state;
    Deis__LogLine line = DEIS__LOG_LINE__INIT;
    Deis__LogLine *list[] = { &line };
    Deis__LogAppend msg = DEIS__LOG_APPEND__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    const char want[] = "[7 bytes of output were lost here] before\0after";

    line.position = 1;
    line.lost = 7;
    line.app = app;
    line.process = process;
    line.text = (ProtobufCBinaryData){ sizeof(text) - 1, text };
    msg.source = source;
    msg.lines = list;
    msg.n_lines = 1;
    assert_int_equal(deis_bus_call_sync(f->bus, f->address, "logger.append", NULL, &msg.base,
                                        &deis__log_appended__descriptor, CALL_MS, NULL, &err),
                     0);
    Deis__LogLines *lines = read_log(f, "gap", "", 1, "", 0);
    assert_int_equal(lines->n_entries, 1);
    assert_int_equal(lines->entries[0]->text.len, sizeof(want) - 1);
    assert_memory_equal(lines->entries[0]->text.data, want, sizeof(want) - 1);
    deis__log_lines__free_unpacked(lines, NULL);
}

static void logger__bad_names_are_refused(void **state)
{
    struct fixture *f = *state;
    Deis__LogRead msg = DEIS__LOG_READ__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    char app[] = "../etc";

    msg.app = app;
    assert_int_equal(deis_bus_call_sync(f->bus, f->address, "logger.read", NULL, &msg.base,
                                        &deis__log_lines__descriptor, CALL_MS, NULL, &err),
                     DEIS_INVALID);
    assert_int_equal(append(f, "../etc", "web.1", 1, 3),
                     3); /* taken and dropped: no retry for ever */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logger__lines_come_back_in_order),
        cmocka_unit_test(logger__nothing_is_lost_or_doubled_by_kill_9),
        cmocka_unit_test(logger__a_process_can_be_picked),
        cmocka_unit_test(logger__a_reader_waits_for_the_next_line),
        cmocka_unit_test(logger__old_segments_go_at_the_quota),
        cmocka_unit_test(logger__a_deleted_app_is_forgotten),
        cmocka_unit_test(logger__a_follower_sees_a_log_begin_anew),
        cmocka_unit_test(logger__it_ends_in_order_while_lines_come_in),
        cmocka_unit_test(logger__a_folder_in_use_is_refused),
        cmocka_unit_test(logger__a_line_after_a_gap_is_whole),
        cmocka_unit_test(logger__bad_names_are_refused),
    };

    deis_runtime_init("test");
    return cmocka_run_group_tests(tests, setup, teardown);
}
