/* SPDX-License-Identifier: MIT */
/* The real logger over the bus. etcd is not there: the logger must do without it. */
#include "log.pb-c.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/net/bus.h"
#include "tests/support/program.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#define CALL_MS 10000

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
    const char *argv[] = { "--bus",         f->address,  "--data",    f->folder,
                           "--cluster-key", f->key_path, "--etcd",    "http://127.0.0.1:1",
                           "--segment",     "16k",       "--app-quota", "64k",
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
    f->port = program_free_port();
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
    lines = read_log(f, "tail", "", 0, cursor, 8000);
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
    assert_int_equal(append(f, "../etc", "web.1", 1, 3), 3); /* taken and dropped: no retry for ever */
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
        cmocka_unit_test(logger__bad_names_are_refused),
    };

    deis_runtime_init("test");
    return cmocka_run_group_tests(tests, setup, teardown);
}
