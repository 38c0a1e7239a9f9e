/* SPDX-License-Identifier: MIT */
/* One-off processes on the real Engine: collected, detached, attached, and when the agent dies. */
#include "run.pb-c.h"
#include "tests/integration/scheduler/rig.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/wire/run_frame.h"

#include <stdio.h>
#include <unistd.h>

/* What the cases set of a request besides the command. */
struct how {
    Deis__RunMode mode;
    bool tty;
    uint64_t timeout_ms;
};

static const struct how attached = { .mode = DEIS__RUN_MODE__RUN_ATTACHED, .timeout_ms = 60000 };
static const struct how on_terminal = { .mode = DEIS__RUN_MODE__RUN_ATTACHED,
                                        .tty = true,
                                        .timeout_ms = 60000 };
static const struct how collected = { .timeout_ms = 60000 };
static const struct how short_lived = { .timeout_ms = 6000 };
static const struct how detached = { .mode = DEIS__RUN_MODE__RUN_DETACHED, .timeout_ms = 60000 };

static int setup(void **state)
{
    *state = rig_new("scheduler_run_test");
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static void wait_gone(struct rig *r)
{
    for (uint64_t end = deis_now_ms() + 30000; rig_count_containers(r) > 0;) {
        assert_true(deis_now_ms() < end);
    }
}

static Deis__RunChunk *read_chunk(struct rig *r, char *id, uint64_t offset)
{
    Deis__RunOutput ask = DEIS__RUN_OUTPUT__INIT;
    ProtobufCMessage *msg = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    ask.id = id;
    ask.offset = offset;
    ask.wait_ms = 5000;
    if (rig_call(r, "agent.run_output", &ask.base, &deis__run_chunk__descriptor, &msg, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    return (Deis__RunChunk *)msg;
}

static void start_how(struct rig *r, char *id, char *script, struct how how,
                      const char *expected_error)
{
    char shell[] = "/bin/sh", c[] = "-c", app[] = "blog", process[] = "run.1";
    char *command[] = { shell, c, script };
    deis_autofree char *env = rig_seal(r, "blog", "CONFIG", "green");
    Deis__Run run = DEIS__RUN__INIT;
    ProtobufCMessage *msg = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    run.id = id;
    run.app = app;
    run.process = process;
    run.image = (char *)(uintptr_t)rig_image(r);
    run.sealed_env = env;
    run.command = command;
    run.n_command = 3;
    run.timeout_ms = how.timeout_ms;
    run.mode = how.mode;
    run.tty = how.tty;
    run.rows = 24;
    run.columns = 81;
    int rc = rig_call(r, "agent.run", &run.base, &deis__run_started__descriptor, &msg, &err);
    if (rc < 0 && !expected_error) {
        fail_msg("%s", err.msg);
    }
    if (expected_error) {
        assert_true(rc < 0);
        assert_non_null(strstr(err.msg, expected_error));
    }
    if (msg) {
        protobuf_c_message_free_unpacked(msg, NULL);
    }
}

/* What the frames of an attached one carry. */
static void unpack(struct deis_str frames, struct deis_buf *out)
{
    struct deis_run_reader reader;
    enum deis_run_frame type;
    struct deis_str payload;
    struct deis_err err = DEIS_ERR_INIT;

    deis_run_reader_init(&reader, false);
    while (deis_run_reader_feed(&reader, &frames, &type, &payload, &err) == DEIS_RUN_FRAME) {
        assert_true(type == DEIS_RUN_OUTPUT || type == DEIS_RUN_ERROR);
        deis_buf_add_str(out, payload);
    }
    assert_int_equal(reader.have, 0);
    deis_run_reader_clear(&reader);
}

static void read_to_end(struct rig *r, char *id, struct deis_buf *out, int *ret_code)
{
    for (bool ended = false; !ended;) {
        Deis__RunChunk *chunk = read_chunk(r, id, out->len);
        deis_buf_add(out, chunk->data.data, chunk->data.len);
        ended = chunk->ended;
        *ret_code = chunk->exit_code;
        deis__run_chunk__free_unpacked(chunk, NULL);
    }
}

static void run_to_end(struct rig *r, char *id, char *script, struct how how, struct deis_buf *out,
                       int *ret_code)
{
    start_how(r, id, script, how, NULL);
    start_how(r, id, script, how, NULL); /* a repeat changes nothing */
    read_to_end(r, id, out, ret_code);
}

static bool run_is_logged(struct rig *r, void *arg)
{
    return rig_count_lines(r, "blog") >= 2;
}

static void run__gives_output_and_exit_code_and_leaves_nothing(void **state)
{
    struct rig *r = *state;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    deis_autofree char *id = rig_unique("blog_v1.run.1");
    char script[] = "echo out $CONFIG; echo err >&2; exit 4";
    int code = 0;

    run_to_end(r, id, script, collected, &out, &code);
    assert_int_equal(code, 4);
    assert_non_null(strstr(out.data, "out green\n"));
    assert_non_null(strstr(out.data, "err\n"));
    rig_wait(r, "its lines in the log", run_is_logged, NULL);
    deis_autofree char *line = rig_line(r, "blog", 0);
    assert_int_equal(strncmp(line, "run.1 ", 6), 0);
    wait_gone(r);
}

static void run__is_killed_at_its_time_limit(void **state)
{
    struct rig *r = *state;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    deis_autofree char *id = rig_unique("blog_v1.run.2");
    char script[] = "echo begins; exec busybox sleep 1000";
    int code = 0;

    run_to_end(r, id, script, short_lived, &out, &code);
    assert_int_equal(code, 137);
    assert_string_equal(out.data, "begins\n");
}

static void run__that_was_made_and_never_started_is_removed(void **state)
{
    struct rig *r = *state;
    deis_autofree char *machine = deis_asprintf("it-%d", (int)getpid());
    deis_autofree char *name = deis_asprintf("%s-never", machine);
    deis_autojson json_t *body = json_pack(
        "{s:s, s:[s], s:{s:s, s:s, s:s, s:s}}", "Image", rig_image(r), "Cmd", "true", "Labels",
        "deis.agent", machine, "deis.run", name, "deis.app", "blog", "deis.process", "run.9");
    deis_autofree char *id = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    rig_scheduler_kill(r); /* between the two calls */
    assert_int_equal(deis_docker_create(rig_docker(r), name, body, &id, &err), 0);
    rig_scheduler_start(r);
    wait_gone(r);
}

static void run__refuses_what_is_no_request(void **state)
{
    struct rig *r = *state;
    char bad[] = "../../etc/passwd", script[] = "true";

    start_how(r, bad, script, collected, "field 'id'");
}

/* --- when the agent dies --- */

static bool line_is_logged(struct rig *r, void *arg)
{
    return rig_count_lines(r, "blog") >= *(size_t *)arg;
}

static void run__output_outlives_the_agent(void **state)
{
    struct rig *r = *state;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    deis_autofree char *id = rig_unique("blog_v1.run.3");
    char script[] = "echo one; busybox sleep 2; echo two; busybox sleep 2; echo three; exit 5";
    int code = 0;
    size_t one = 1;

    start_how(r, id, script, collected, NULL);
    rig_wait(r, "its first line", line_is_logged, &one);
    rig_scheduler_kill(r);
    rig_scheduler_start(r);
    read_to_end(r, id, &out, &code);
    assert_int_equal(code, 5);
    assert_string_equal(out.data, "one\ntwo\nthree\n");
    wait_gone(r);
}

static void run__keeps_its_time_limit_when_the_agent_dies(void **state)
{
    struct rig *r = *state;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    deis_autofree char *id = rig_unique("blog_v1.run.4");
    char script[] = "echo begins; exec busybox sleep 1000";
    int code = 0;
    size_t one = 1;

    start_how(r, id, script, (struct how){ .timeout_ms = 10000 }, NULL);
    rig_wait(r, "its first line", line_is_logged, &one);
    rig_scheduler_kill(r);
    rig_scheduler_start(r);
    read_to_end(r, id, &out, &code);
    assert_int_equal(code, 137);
    assert_string_equal(out.data, "begins\n");
}

static void expect_refusal(struct rig *r, const char *method, const ProtobufCMessage *request,
                           const ProtobufCMessageDescriptor *answer, const char *text)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_true(rig_call(r, method, request, answer, NULL, &err) < 0);
    if (!strstr(err.msg, text)) {
        fail_msg("'%s' has no '%s'", err.msg, text);
    }
}

static void run__that_is_attached_ends_with_the_agent(void **state)
{
    struct rig *r = *state;
    deis_autofree char *id = rig_unique("blog_v1.run.5");
    char script[] = "trap '' HUP; while :; do read x; done";
    Deis__RunOutput ask = DEIS__RUN_OUTPUT__INIT;

    start_how(r, id, script, on_terminal, NULL);
    rig_scheduler_kill(r);
    rig_scheduler_start(r);
    ask.id = id;
    expect_refusal(r, "agent.run_output", &ask.base, &deis__run_chunk__descriptor,
                   "the command was ended");
    wait_gone(r); /* though it does not heed the hangup */
}

/* --- attached --- */

/* How much of the input is taken; with eof only when that is, too. */
static uint64_t give(struct rig *r, char *id, uint64_t offset, struct deis_str data, bool eof)
{
    Deis__RunInput m = DEIS__RUN_INPUT__INIT;
    ProtobufCMessage *msg = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    m.id = id;
    m.offset = offset;
    m.data.data = (uint8_t *)(uintptr_t)data.ptr;
    m.data.len = data.len;
    m.eof = eof;
    m.wait_ms = eof ? 20000 : 0;
    if (rig_call(r, "agent.run_input", &m.base, &deis__run_input_taken__descriptor, &msg, &err) <
        0) {
        fail_msg("%s", err.msg);
    }
    uint64_t taken = ((Deis__RunInputTaken *)msg)->offset;
    assert_int_equal(((Deis__RunInputTaken *)msg)->closed, eof);
    protobuf_c_message_free_unpacked(msg, NULL);
    return taken;
}

static void control(struct rig *r, const Deis__RunControl *m)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (rig_call(r, "agent.run_control", &m->base, &deis__run_controlled__descriptor, NULL, &err) <
        0) {
        fail_msg("%s", err.msg);
    }
}

/* Of an attached one; *offset counts frames. text NULL: to its end. */
static int read_until(struct rig *r, char *id, uint64_t *offset, struct deis_buf *out,
                      const char *text)
{
    int code = -1;

    for (uint64_t end = deis_now_ms() + 30000; code < 0 && (!text || !strstr(out->data, text));) {
        Deis__RunChunk *chunk = read_chunk(r, id, *offset);
        unpack(deis_str_n((char *)chunk->data.data, chunk->data.len), out);
        *offset += chunk->data.len;
        code = chunk->ended ? chunk->exit_code : -1;
        deis__run_chunk__free_unpacked(chunk, NULL);
        if (text && (code >= 0 || deis_now_ms() > end) && !strstr(out->data, text)) {
            fail_msg("'%s' has no '%s'", out->data, text);
        }
    }
    return code;
}

static void run__takes_input_and_gives_it_back(void **state)
{
    struct rig *r = *state;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    deis_autofree char *id = rig_unique("blog_v1.run.6");
    char script[] = "busybox cat; exit 3";
    uint64_t at = 0;

    start_how(r, id, script, attached, NULL);
    assert_int_equal(give(r, id, 0, DEIS_STR("hello "), false), 6);
    assert_int_equal(give(r, id, 0, DEIS_STR("hello "), false), 6); /* a repeat */
    assert_int_equal(give(r, id, 3, DEIS_STR("lo world\n"), true), 12);
    assert_int_equal(read_until(r, id, &at, &out, NULL), 3);
    assert_string_equal(out.data, "hello world\n");
    assert_int_equal(rig_count_lines(r, "blog"), 0); /* nobody else reads that */
    wait_gone(r);
}

/* Neither side grows a buffer: what is not read holds up what is written. */
static void run__holds_both_ways_within_a_window(void **state)
{
    /* The Engine and the pipes hold about 3 MB of their own. */
    enum { PIECE = 65536, PIECES = 256, UNDER_WAY_MAX = 8 << 20 };

    static char piece[PIECE];
    struct rig *r = *state;
    deis_autofree char *id = rig_unique("blog_v1.run.7");
    char script[] = "exec busybox cat";
    uint64_t taken = 0, got = 0, at = 0;
    bool held = false;

    memset(piece, 'x', sizeof(piece));
    start_how(r, id, script, attached, NULL);
    while (taken < (uint64_t)PIECE * PIECES) {
        uint64_t now = give(r, id, taken, deis_str_n(piece, sizeof(piece)), false);
        if (now == taken) {
            held = true;
            assert_true(taken - got < UNDER_WAY_MAX);
            Deis__RunChunk *chunk = read_chunk(r, id, at);
            deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
            unpack(deis_str_n((char *)chunk->data.data, chunk->data.len), &out);
            assert_true(out.len > 0);
            got += out.len;
            at += chunk->data.len;
            deis__run_chunk__free_unpacked(chunk, NULL);
        }
        taken = now;
    }
    assert_true(held);
    for (bool ended = false; !ended;) {
        Deis__RunChunk *chunk = read_chunk(r, id, at);
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
        unpack(deis_str_n((char *)chunk->data.data, chunk->data.len), &out);
        got += out.len;
        at += chunk->data.len;
        if (got == taken) {
            give(r, id, taken, DEIS_STR_NONE, true);
        }
        ended = chunk->ended;
        assert_int_equal(chunk->exit_code, 0);
        assert_false(chunk->truncated);
        deis__run_chunk__free_unpacked(chunk, NULL);
    }
    assert_int_equal(got, taken);
}

static void run__has_a_terminal(void **state)
{
    struct rig *r = *state;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    deis_autofree char *id = rig_unique("blog_v1.run.8");
    char term[] = "INT";
    char script[] = "until busybox stty size 2>&1 | busybox grep -q '^24 81'; do :; done;"
                    "echo is$TERM; trap 'echo interrupted' INT; trap 'busybox stty size' WINCH;"
                    "echo ready; while [ \"$line\" != bye ]; do read line && echo got $line; done;"
                    "exit 6";
    Deis__RunControl m = DEIS__RUN_CONTROL__INIT;
    uint64_t at = 0;

    start_how(r, id, script, on_terminal, NULL);
    read_until(r, id, &at, &out, "isxterm");
    read_until(r, id, &at, &out, "ready\r\n");
    give(r, id, 0, DEIS_STR("word\r"), false);
    read_until(r, id, &at, &out, "got word");
    m.id = id;
    m.rows = 50;
    m.columns = 132;
    control(r, &m);
    read_until(r, id, &at, &out, "50 132");
    m.rows = 0;
    m.signal = term;
    control(r, &m);
    read_until(r, id, &at, &out, "interrupted");
    give(r, id, 5, DEIS_STR("\003"), false);
    read_until(r, id, &at, &out, "^Cinterrupted");
    give(r, id, 6, DEIS_STR("bye\r"), false);
    assert_int_equal(read_until(r, id, &at, &out, NULL), 6);
}

static void run__gets_a_hangup_when_its_caller_leaves(void **state)
{
    struct rig *r = *state;
    deis_autofree char *id = rig_unique("blog_v1.run.9");
    char script[] = "while :; do echo busy; done";
    Deis__RunControl m = DEIS__RUN_CONTROL__INIT;
    Deis__RunStatus ask = DEIS__RUN_STATUS__INIT;

    start_how(r, id, script, attached, NULL);
    m.id = id;
    m.ending = DEIS__RUN_ENDING__RUN_HANGUP;
    control(r, &m);
    ask.id = id;
    for (bool ended = false; !ended;) {
        ProtobufCMessage *msg = NULL;
        struct deis_err err = DEIS_ERR_INIT;
        assert_int_equal(
            rig_call(r, "agent.run_status", &ask.base, &deis__run_state__descriptor, &msg, &err),
            0);
        ended = ((Deis__RunState *)msg)->ended;
        protobuf_c_message_free_unpacked(msg, NULL);
    }
}

/* --- detached --- */

static void run__detached_is_logged_and_stopped(void **state)
{
    struct rig *r = *state;
    deis_autofree char *id = rig_unique("blog_v1.run.10");
    char script[] = "trap 'echo asked; exit 8' TERM; echo up; while :; do busybox sleep 1; done";
    Deis__RunControl m = DEIS__RUN_CONTROL__INIT;
    Deis__RunStatus ask = DEIS__RUN_STATUS__INIT;
    size_t one = 1, two = 2;
    int code = -1;

    start_how(r, id, script, detached, NULL);
    rig_wait(r, "its first line", line_is_logged, &one);
    rig_scheduler_kill(r);
    rig_scheduler_start(r); /* it goes on */
    m.id = id;
    m.ending = DEIS__RUN_ENDING__RUN_STOP;
    control(r, &m);
    rig_wait(r, "its last line", line_is_logged, &two);
    ask.id = id;
    while (code < 0) {
        ProtobufCMessage *msg = NULL;
        struct deis_err err = DEIS_ERR_INIT;
        assert_int_equal(
            rig_call(r, "agent.run_status", &ask.base, &deis__run_state__descriptor, &msg, &err),
            0);
        const Deis__RunState *s = (Deis__RunState *)msg;
        code = s->ended ? s->exit_code : -1;
        protobuf_c_message_free_unpacked(msg, NULL);
    }
    assert_int_equal(code, 8);
    wait_gone(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* With an argument: only the cases that match it. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(run__gives_output_and_exit_code_and_leaves_nothing),
        TEST(run__is_killed_at_its_time_limit),
        TEST(run__that_was_made_and_never_started_is_removed),
        TEST(run__refuses_what_is_no_request),
        TEST(run__output_outlives_the_agent),
        TEST(run__keeps_its_time_limit_when_the_agent_dies),
        TEST(run__that_is_attached_ends_with_the_agent),
        TEST(run__takes_input_and_gives_it_back),
        TEST(run__holds_both_ways_within_a_window),
        TEST(run__has_a_terminal),
        TEST(run__gets_a_hangup_when_its_caller_leaves),
        TEST(run__detached_is_logged_and_stopped),
    };

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    deis_runtime_init("scheduler_run_test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
