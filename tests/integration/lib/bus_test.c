/* SPDX-License-Identifier: MIT */
/*
 * The bus between two processes: this program starts itself again as the server (--serve) and as a
 * short-lived client (--call).
 */
#include "build.pb-c.h"
#include "log.pb-c.h"
#include "tests/support/port.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/net/bus_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUARD_MS 60000 /* no case waits longer */

static struct deis_key test_key(void)
{
    struct deis_key key;

    memset(key.bytes, 5, sizeof(key.bytes));
    memset(key.id, 5, sizeof(key.id));
    return key;
}

/* --- the server process --- */

struct server {
    struct deis_loop *loop;
    struct deis_bus_server *bus;
    struct deis_workers *workers;
    unsigned executed;
};

struct delayed {
    struct deis_bus_call *call;
    struct deis_timer *timer;
    char text[64];
    char count[16];
};

static void reply_texts(struct deis_bus_call *call, char *user, char *public_key)
{
    Deis__KeyOwner answer = DEIS__KEY_OWNER__INIT;

    answer.user = user;
    answer.public_key = public_key;
    deis_bus_reply(call, &answer.base);
}

static void handle_echo(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__KeyLookup *m = (const Deis__KeyLookup *)msg;
    struct server *s = arg;
    char count[16];

    snprintf(count, sizeof(count), "%u", ++s->executed);
    reply_texts(call, m->fingerprint, count);
}

static void on_delay_over(void *arg)
{
    struct delayed *d = arg;

    reply_texts(d->call, d->text, d->count);
    deis_timer_free(d->timer);
    free(d);
}

static void handle_slow(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__KeyLookup *m = (const Deis__KeyLookup *)msg;
    struct server *s = arg;
    uint64_t ms = 0;
    struct delayed *d = deis_alloc(sizeof(*d));

    d->call = call;
    snprintf(d->text, sizeof(d->text), "%s", m->fingerprint);
    snprintf(d->count, sizeof(d->count), "%u", ++s->executed);
    assert_int_equal(deis_str_to_u64(deis_str(m->fingerprint), 0, 60000, &ms, NULL), 0);
    d->timer = deis_timer_new(s->loop, on_delay_over, d);
    deis_timer_after(d->timer, ms);
}

static void answer_on_worker(void *arg)
{
    char user[] = "worker";
    char key[] = "";

    reply_texts(arg, user, key);
}

static void handle_worker(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    struct server *s = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_workers_run(s->workers, answer_on_worker, NULL, call, &err) < 0) {
        deis_bus_fail(call, &err);
    }
}

static void handle_fail(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    struct deis_err err;

    deis_err_set(&err, DEIS_CONFLICT, "%s holds the lock", deis_bus_peer(call));
    deis_bus_fail(call, &err);
}

static void handle_big(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__KeyLookup *m = (const Deis__KeyLookup *)msg;
    uint64_t bytes = 0;
    char empty[] = "";

    assert_int_equal(deis_str_to_u64(deis_str(m->fingerprint), 0, 1 << 22, &bytes, NULL), 0);
    deis_autofree char *text = deis_alloc(bytes + 1);
    memset(text, 'x', bytes);
    reply_texts(call, text, empty);
}

static void handle_stats(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const struct server *s = arg;
    char refused[32];
    char executed[32];

    snprintf(refused, sizeof(refused), "%llu", (unsigned long long)deis_bus_server_refused(s->bus));
    snprintf(executed, sizeof(executed), "%u", s->executed);
    reply_texts(call, refused, executed);
}

static const struct deis_bus_method methods[] = {
    { "test.echo", &deis__key_lookup__descriptor, handle_echo, false },
    { "test.again", &deis__key_lookup__descriptor, handle_echo, true },
    { "test.slow", &deis__key_lookup__descriptor, handle_slow, false },
    { "test.worker", &deis__key_lookup__descriptor, handle_worker, false },
    { "test.fail", &deis__key_lookup__descriptor, handle_fail, false },
    { "test.big", &deis__key_lookup__descriptor, handle_big, false },
    { "test.stats", &deis__key_lookup__descriptor, handle_stats, true },
};

/* From within the loop: from here on SIGTERM ends it in order. */
static void say_ready(void *arg)
{
    if (write(STDOUT_FILENO, "r", 1) != 1) {
        exit(1);
    }
}

static int serve(const char *address)
{
    struct deis_key key = test_key();
    struct deis_err err = DEIS_ERR_INIT;
    struct server s = { .loop = deis_loop_new() };

    s.workers = deis_workers_new(s.loop, 2, 16);
    s.bus = deis_bus_server_new(s.loop, address, &key, "server", methods, DEIS_COUNT(methods), &s,
                                &err);
    if (!s.bus) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    deis_loop_post(s.loop, say_ready, NULL);
    deis_loop_run(s.loop);
    deis_bus_server_free(s.bus);
    deis_loop_free(s.loop);
    return 0;
}

static int call_once(const char *address)
{
    struct deis_key key = test_key();
    struct deis_err err = DEIS_ERR_INIT;
    Deis__KeyLookup ask = DEIS__KEY_LOOKUP__INIT;
    char text[] = "short-lived";
    struct deis_bus_sync *c = deis_bus_sync_new(&key, "caller");

    ask.fingerprint = text;
    int r = deis_bus_call_sync(c, address, "test.echo", NULL, &ask.base,
                               &deis__key_owner__descriptor, 20000, NULL, &err);
    deis_bus_sync_free(c);
    return r == 0 ? 0 : 1;
}

/* --- the test process --- */

/* Timers of the loop go by the kernel's coarse clock, which is a tick behind at most. */
enum { TIMER_TICK_MS = 10 };

struct fixture {
    char address[64];
    uint16_t port;
    pid_t server;
    struct deis_key key;
    struct deis_loop *loop;
    struct deis_bus_client *client;
};

static pid_t start_self(const char *mode, const char *address)
{
    int ready[2];
    char mode_copy[16];
    char address_copy[64];
    char c;

    snprintf(mode_copy, sizeof(mode_copy), "%s", mode);
    snprintf(address_copy, sizeof(address_copy), "%s", address);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char name[] = "bus_test";
        char *const argv[] = { name, mode_copy, address_copy, NULL };
        dup2(ready[1], STDOUT_FILENO);
        close(ready[0]);
        close(ready[1]);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    close(ready[1]);
    if (strcmp(mode, "--serve") == 0) {
        assert_int_equal(read(ready[0], &c, 1), 1);
    }
    close(ready[0]);
    return pid;
}

static void end_server(struct fixture *f, int sig)
{
    if (f->server > 0) {
        kill(f->server, SIGCONT);
        kill(f->server, sig);
        int status = 0;
        waitpid(f->server, &status, 0);
        if (sig == SIGTERM) {
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 0);
        }
        f->server = 0;
    }
}

static int listen_free_port(uint16_t *ret_port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

static int setup(void **state)
{
    struct fixture *f = deis_alloc(sizeof(*f));

    f->port = test_free_port();
    snprintf(f->address, sizeof(f->address), "tcp://127.0.0.1:%u", f->port);
    f->server = start_self("--serve", f->address);
    f->key = test_key();
    f->loop = deis_loop_new();
    f->client = deis_bus_client_new(f->loop, &f->key, "tester");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    deis_bus_client_free(f->client);
    deis_loop_free(f->loop);
    end_server(f, SIGTERM);
    free(f);
    return 0;
}

/* What came back of a call. */
struct result {
    struct fixture *f;
    bool done;
    int code;
    char text[512]; /* of the failure */
    char user[512];
    size_t user_len;
    char public_key[64];
    unsigned *left; /* stops the loop at 0 */
};

static void on_done(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct result *r = arg;

    assert_false(r->done);
    r->done = true;
    if (err) {
        r->code = err->code;
        snprintf(r->text, sizeof(r->text), "%s", err->msg);
    } else {
        const Deis__KeyOwner *m = (const Deis__KeyOwner *)msg;
        snprintf(r->user, sizeof(r->user), "%.500s", m->user);
        r->user_len = strlen(m->user);
        snprintf(r->public_key, sizeof(r->public_key), "%s", m->public_key);
    }
    if (--*r->left == 0) {
        deis_loop_stop(r->f->loop);
    }
}

static void on_guard(void *arg)
{
    fail_msg("no end in sight");
}

static void run_loop(struct fixture *f)
{
    struct deis_timer *guard = deis_timer_new(f->loop, on_guard, NULL);

    deis_timer_after(guard, GUARD_MS);
    deis_loop_run(f->loop);
    deis_timer_free(guard);
}

static void send_text(struct fixture *f, const char *method, const char *op, const char *text,
                      uint64_t timeout_ms, unsigned *left, struct result *r)
{
    Deis__KeyLookup ask = DEIS__KEY_LOOKUP__INIT;
    deis_autofree char *copy = deis_strdup(text);

    memset(r, 0, sizeof(*r));
    r->f = f;
    r->left = left;
    ask.fingerprint = copy;
    deis_bus_send(f->client, f->address, method, op, &ask.base, &deis__key_owner__descriptor,
                  timeout_ms, on_done, r);
    assert_false(r->done);
}

static void call(struct fixture *f, const char *method, const char *op, const char *text,
                 uint64_t timeout_ms, struct result *r)
{
    unsigned left = 1;

    send_text(f, method, op, text, timeout_ms, &left, r);
    run_loop(f);
}

static int call_sync(struct deis_bus_sync *c, const char *address, const char *method,
                     const char *text, uint64_t timeout_ms, Deis__KeyOwner **ret,
                     struct deis_err *err)
{
    Deis__KeyLookup ask = DEIS__KEY_LOOKUP__INIT;
    deis_autofree char *copy = deis_strdup(text);
    ProtobufCMessage *msg = NULL;

    ask.fingerprint = copy;
    int r = deis_bus_call_sync(c, address, method, NULL, &ask.base, &deis__key_owner__descriptor,
                               timeout_ms, &msg, err);
    *ret = (Deis__KeyOwner *)msg;
    return r;
}

static void assert_stats(struct fixture *f, const char *refused, const char *executed)
{
    struct result r;

    call(f, "test.stats", NULL, "", 20000, &r);
    assert_int_equal(r.code, 0);
    assert_string_equal(r.user, refused);
    assert_string_equal(r.public_key, executed);
}

/* --- cases --- */

static void bus__request_is_answered(void **state)
{
    struct fixture *f = *state;
    struct result r;

    call(f, "test.echo", NULL, "hello", 20000, &r);
    assert_int_equal(r.code, 0);
    assert_string_equal(r.user, "hello");
    call(f, "test.worker", NULL, "", 20000, &r);
    assert_int_equal(r.code, 0);
    assert_string_equal(r.user, "worker");
}

static void bus__failures_keep_code_and_text(void **state)
{
    struct fixture *f = *state;
    struct result r;
    unsigned left = 1;
    Deis__LogLine wrong = DEIS__LOG_LINE__INIT;

    call(f, "test.fail", NULL, "", 20000, &r);
    assert_int_equal(r.code, DEIS_CONFLICT);
    assert_string_equal(r.text, "tester holds the lock");
    call(f, "test.nothing", NULL, "", 20000, &r);
    assert_int_equal(r.code, DEIS_NOT_FOUND);
    assert_string_equal(r.text, "there is no method 'test.nothing' here");

    memset(&r, 0, sizeof(r));
    r.f = f;
    r.left = &left;
    wrong.position = 7; /* a number where the method takes a text */
    deis_bus_send(f->client, f->address, "test.echo", NULL, &wrong.base,
                  &deis__key_owner__descriptor, 20000, on_done, &r);
    run_loop(f);
    assert_int_equal(r.code, DEIS_PROTOCOL);
    assert_string_equal(r.text, "request of 'test.echo' is malformed");
}

static void bus__repeat_gets_the_stored_answer(void **state)
{
    struct fixture *f = *state;
    struct result first;
    struct result again;

    call(f, "test.echo", "op-1", "one", 20000, &first);
    call(f, "test.echo", "op-1", "two", 20000, &again);
    assert_int_equal(again.code, 0);
    assert_string_equal(again.user, "one");
    assert_string_equal(again.public_key, first.public_key);
    assert_stats(f, "0", "1");
    call(f, "test.again", "op-1", "one", 20000, &first);
    call(f, "test.again", "op-1", "two", 20000, &again);
    assert_string_equal(again.user, "two");
    assert_stats(f, "0", "3");
}

static void bus__late_answer_is_waited_for_and_done_once(void **state)
{
    struct fixture *f = *state;
    struct result r;
    uint64_t before = deis_now_ms();

    call(f, "test.slow", NULL, "2500", 10000, &r);
    assert_int_equal(r.code, 0);
    assert_true(deis_now_ms() - before >= 2500 - TIMER_TICK_MS);
    assert_stats(f, "0", "1");
}

static void bus__thousand_requests_in_flight(void **state)
{
    struct fixture *f = *state;
    const unsigned count = 1000;
    unsigned left = count;
    struct result *r = deis_alloc(count * sizeof(*r));
    char text[16];

    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%u", i);
        send_text(f, "test.echo", NULL, text, 20000, &left, &r[i]);
    }
    run_loop(f);
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%u", i);
        assert_int_equal(r[i].code, 0);
        assert_string_equal(r[i].user, text);
    }
    free(r);
    assert_stats(f, "0", "1000");
}

static void bus__large_answers_side_by_side(void **state)
{
    struct fixture *f = *state;
    unsigned left = 16;
    struct result r[16];

    for (unsigned i = 0; i < DEIS_COUNT(r); i++) {
        send_text(f, "test.big", NULL, "700000", 25000, &left, &r[i]);
    }
    run_loop(f);
    for (unsigned i = 0; i < DEIS_COUNT(r); i++) {
        assert_int_equal(r[i].code, 0);
        assert_int_equal(r[i].user_len, 700000);
    }
}

static void bus__too_large_is_said_at_once(void **state)
{
    struct fixture *f = *state;
    struct result r;
    size_t len = DEIS_BUS_MESSAGE_MAX;
    deis_autofree char *text = deis_alloc(len + 1);

    memset(text, 'x', len);
    call(f, "test.echo", NULL, text, 20000, &r);
    assert_int_equal(r.code, DEIS_LIMIT);
    text[len - 5] = '\0';
    call(f, "test.echo", NULL, text, 20000, &r);
    assert_int_equal(r.code, DEIS_LIMIT); /* the answer has the counter too */
    assert_non_null(strstr(r.text, "answer to 'test.echo'"));
    call(f, "test.big", NULL, "2000000", 20000, &r);
    assert_int_equal(r.code, DEIS_LIMIT);
    assert_non_null(strstr(r.text, "answer to 'test.big' has 2000"));
}

/* A socket of our own that speaks in frames made by hand. */
struct hand {
    int sock;
    struct deis_frame_sealer *sealer;
    struct deis_frame_opener *opener;
    struct deis_bus_request request;
    uint8_t token[DEIS_FRAME_ID_BYTES];
};

static void hand_open(struct hand *h, struct fixture *f, const char *op)
{
    Deis__KeyLookup ask = DEIS__KEY_LOOKUP__INIT;
    int ms = GUARD_MS;

    memset(h, 0, sizeof(*h));
    assert_int_equal(deis_bus_socket_open(NN_REQ, &h->sock, NULL), 0);
    assert_int_equal(nn_setsockopt(h->sock, NN_SOL_SOCKET, NN_RCVTIMEO, &ms, sizeof(ms)), 0);
    assert_int_equal(nn_setsockopt(h->sock, NN_SOL_SOCKET, NN_SNDTIMEO, &ms, sizeof(ms)), 0);
    assert_true(nn_connect(h->sock, f->address) >= 0);
    h->sealer = deis_frame_sealer_new(&f->key, "hand");
    h->opener = deis_frame_opener_new(&f->key);
    assert_int_equal(deis_bus_request_init(&h->request, "test.echo", op, &ask.base, NULL), 0);
}

static void hand_close(struct hand *h)
{
    nn_close(h->sock);
    deis_frame_sealer_free(h->sealer);
    deis_frame_opener_free(h->opener);
    deis_bus_request_clear(&h->request);
}

/* Sends with the token that it knows; the code of the answer. */
static int hand_ask(struct hand *h)
{
    Deis__BusAnswer *answer = NULL;

    assert_true(deis_bus_request_send(&h->request, h->sock, 0, h->sealer, h->token, 0));
    while (!answer) { /* others are answers to frames that were sent again */
        struct deis_bus_packet p = { 0 };
        assert_true(deis_bus_receive(h->sock, 0, &p));
        answer = deis_bus_request_answer(&h->request, &p, h->opener, h->token, 0);
        deis_bus_packet_clear(&p);
    }
    int code = answer->code;
    deis__bus_answer__free_unpacked(answer, NULL);
    return code;
}

static size_t hand_seal(struct hand *h, uint8_t *out, size_t cap)
{
    size_t len = deis_frame_overhead(h->sealer) + h->request.plain_len;

    assert_true(len <= cap);
    memcpy(out + deis_frame_head_size(h->sealer), h->request.plain, h->request.plain_len);
    deis_frame_seal(h->sealer, h->token, NULL, out, h->request.plain_len);
    return len;
}

static void hand_send(struct hand *h, const uint8_t *frame, size_t len)
{
    const uint8_t route[4] = { 0x80, 0, 0, 99 };
    uint8_t *copy = nn_allocmsg(len, 0);

    memcpy(copy, frame, len);
    assert_true(deis_bus_transmit(h->sock, 0, copy, route, sizeof(route)));
}

static void bus__first_request_is_greeted_then_taken(void **state)
{
    struct fixture *f = *state;
    struct hand h;

    hand_open(&h, f, "by-hand");
    assert_int_equal(hand_ask(&h), DEIS_BUS_GREETING);
    assert_stats(f, "0", "0");
    assert_int_equal(hand_ask(&h), 0);
    hand_close(&h);
    assert_stats(f, "0", "1");
}

static void bus__replayed_and_changed_frames_have_no_effect(void **state)
{
    struct fixture *f = *state;
    struct hand h;
    uint8_t frame[512];
    struct deis_bus_packet p = { 0 };

    hand_open(&h, f, "by-hand");
    assert_int_equal(hand_ask(&h), DEIS_BUS_GREETING);
    size_t len = hand_seal(&h, frame, sizeof(frame));
    hand_send(&h, frame, len);
    assert_true(deis_bus_receive(h.sock, 0, &p));
    deis_bus_packet_clear(&p);
    hand_send(&h, frame, len);
    len = hand_seal(&h, frame, sizeof(frame));
    frame[len / 2] ^= 1;
    hand_send(&h, frame, len);
    hand_send(&h, (const uint8_t *)"noise", 5);
    /* Answered after the three on the same connection, so they have been judged by then. */
    assert_int_equal(hand_ask(&h), 0);
    hand_close(&h);
    assert_stats(f, "3", "1");
}

static void bus__frame_recorded_before_a_restart_is_worthless_after_it(void **state)
{
    struct fixture *f = *state;
    struct hand h;
    uint8_t frame[512];

    hand_open(&h, f, "by-hand");
    assert_int_equal(hand_ask(&h), DEIS_BUS_GREETING);
    size_t len = hand_seal(&h, frame, sizeof(frame));
    hand_close(&h);
    end_server(f, SIGKILL);
    f->server = start_self("--serve", f->address);
    hand_open(&h, f, "by-hand-2");
    hand_send(&h, frame, len);
    assert_int_equal(hand_ask(&h), DEIS_BUS_GREETING);
    hand_close(&h);
    assert_stats(f, "0", "0");
}

static void bus__restarted_server_answers_what_was_pending(void **state)
{
    struct fixture *f = *state;
    struct result r[20];
    unsigned left = DEIS_COUNT(r);
    char lost[16];

    for (unsigned i = 0; i < DEIS_COUNT(r); i++) {
        send_text(f, "test.slow", NULL, i < 10 ? "4000" : "60", GUARD_MS, &left, &r[i]);
    }
    /* Those of 60 ms are answered, the others get lost (on a busy machine some do not). */
    while (left > 10) {
        event_base_loop(deis_loop_base(f->loop), EVLOOP_ONCE);
    }
    assert_true(left > 0);
    snprintf(lost, sizeof(lost), "%u", left);
    end_server(f, SIGKILL);
    f->server = start_self("--serve", f->address);
    run_loop(f);
    for (unsigned i = 0; i < DEIS_COUNT(r); i++) {
        assert_int_equal(r[i].code, 0);
    }
    assert_stats(f, "0", lost);
}

static void bus__deadline_ends_a_request(void **state)
{
    struct fixture *f = *state;
    struct result r;

    call(f, "test.echo", NULL, "", 20000, &r); /* so that there is a connection */
    assert_int_equal(r.code, 0);
    uint64_t before = deis_now_ms();
    call(f, "test.slow", NULL, "5000", 300, &r);
    assert_int_equal(r.code, DEIS_TIMEOUT);
    assert_true(deis_now_ms() - before >= 300 - TIMER_TICK_MS);
    end_server(f, SIGKILL);
    struct fixture nobody = *f;
    nobody.port = test_free_port();
    snprintf(nobody.address, sizeof(nobody.address), "tcp://127.0.0.1:%u", nobody.port);
    call(&nobody, "test.echo", NULL, "x", 300, &r);
    assert_int_equal(r.code, DEIS_UNAVAILABLE);
    assert_non_null(strstr(r.text, nobody.address));
}

static void bus__request_waits_for_a_server_that_starts_later(void **state)
{
    struct fixture *f = *state;
    struct result r;
    unsigned left = 1;

    end_server(f, SIGTERM);
    send_text(f, "test.echo", NULL, "patience", 20000, &left, &r);
    f->server = start_self("--serve", f->address);
    run_loop(f);
    assert_int_equal(r.code, 0);
    assert_string_equal(r.user, "patience");
}

/* Takes connections and never says anything on the first; later ones it joins to the server. */
struct hole {
    int listener;
    uint16_t server_port;
    int swallowed;
    _Atomic bool greeted; /* the first connection stands */
};

static void *run_hole(void *arg)
{
    struct hole *h = arg;
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct pollfd next = { .fd = h->listener, .events = POLLIN };
    char buf[4096];
    ssize_t n;

    h->swallowed = accept(h->listener, NULL, NULL);
    /* The greeting of nanomsg's own protocol, so that the connection counts as made: REP side. */
    if (write(h->swallowed, "\0SP\0\0\x31\0\0", 8) != 8) {
        return NULL;
    }
    h->greeted = true;
    (void)poll(&next, 1, -1); /* takes no descriptor while there may be none */
    int from = accept(h->listener, NULL, NULL);
    int to = socket(AF_INET, SOCK_STREAM, 0);
    in.sin_port = htons(h->server_port);
    if (from < 0 || connect(to, (struct sockaddr *)&in, sizeof(in)) < 0) {
        return NULL;
    }
    fd_set set;
    for (;;) {
        FD_ZERO(&set);
        FD_SET(from, &set);
        FD_SET(to, &set);
        if (select((from > to ? from : to) + 1, &set, NULL, NULL, NULL) < 0) {
            break;
        }
        int in_fd = FD_ISSET(from, &set) ? from : to;
        n = read(in_fd, buf, sizeof(buf));
        if (n <= 0 || write(in_fd == from ? to : from, buf, (size_t)n) != n) {
            break;
        }
    }
    close(from);
    close(to);
    return NULL;
}

static void hole_open(struct hole *h, struct fixture *f, struct fixture *ret, pthread_t *thread)
{
    *ret = *f;
    h->greeted = false;
    h->server_port = f->port;
    h->listener = listen_free_port(&ret->port);
    snprintf(ret->address, sizeof(ret->address), "tcp://127.0.0.1:%u", ret->port);
    assert_int_equal(pthread_create(thread, NULL, run_hole, h), 0);
}

static void hole_close(struct hole *h, pthread_t thread)
{
    pthread_join(thread, NULL);
    close(h->swallowed);
    close(h->listener);
}

static void bus__silent_connection_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct fixture through;
    struct hole h;
    pthread_t thread;
    struct result r;

    hole_open(&h, f, &through, &thread);
    call(&through, "test.echo", NULL, "at last", 20000, &r);
    assert_int_equal(r.code, 0);
    assert_string_equal(r.user, "at last");
    assert_stats(f, "0", "1");
    end_server(f, SIGTERM);
    hole_close(&h, thread);
}

struct shortage {
    struct hole *hole;
    struct deis_timer *timer;
    rlim_t max;
};

/* No descriptor is left from when the first connection stands. */
static void on_look(void *arg)
{
    struct shortage *s = arg;
    const struct rlimit none = { .rlim_cur = 3, .rlim_max = s->max };

    if (!s->hole->greeted) {
        deis_timer_after(s->timer, TIMER_TICK_MS);
        return;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void bus__connection_that_could_not_be_replaced_is_tried_again(void **state)
{
    struct fixture *f = *state;
    struct fixture through;
    struct hole h;
    pthread_t thread;
    struct result r;
    struct rlimit before;
    int other = nn_socket(AF_SP, NN_REQ); /* as a service has: the library stays set up */

    hole_open(&h, f, &through, &thread);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct shortage shortage = { .hole = &h, .max = before.rlim_max };
    shortage.timer = deis_timer_new(f->loop, on_look, &shortage);
    deis_timer_after(shortage.timer, TIMER_TICK_MS);
    call(&through, "test.echo", NULL, "in vain", DEIS_BUS_SILENT_MS + 1000, &r);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r.code, DEIS_TIMEOUT);
    call(&through, "test.echo", NULL, "at last", 20000, &r);
    assert_int_equal(r.code, 0);
    assert_string_equal(r.user, "at last");
    deis_timer_free(shortage.timer);
    nn_close(other);
    end_server(f, SIGTERM);
    hole_close(&h, thread);
}

static void bus__sync_silent_connection_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct fixture through;
    struct hole h;
    pthread_t thread;
    Deis__KeyOwner *got = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    hole_open(&h, f, &through, &thread);
    struct deis_bus_sync *c = deis_bus_sync_new(&f->key, "tester");
    assert_int_equal(call_sync(c, through.address, "test.echo", "at last", 20000, &got, &err), 0);
    assert_string_equal(got->user, "at last");
    deis__key_owner__free_unpacked(got, NULL);
    deis_bus_sync_free(c);
    hole_close(&h, thread);
}

static void bus__freed_client_cancels_what_is_pending(void **state)
{
    struct fixture *f = *state;
    struct result r[2];
    unsigned left = 3;

    send_text(f, "test.slow", NULL, "5000", 20000, &left, &r[0]);
    send_text(f, "test.slow", NULL, "5000", 20000, &left, &r[1]);
    deis_bus_client_free(f->client);
    f->client = NULL;
    assert_int_equal(r[0].code, DEIS_CANCELLED);
    assert_int_equal(r[1].code, DEIS_CANCELLED);
    /* It is stopped with open calls, whose timers never come. */
    end_server(f, SIGKILL);
}

static void bus__address_in_use_is_named(void **state)
{
    struct fixture *f = *state;
    struct deis_err err = DEIS_ERR_INIT;

    assert_null(
        deis_bus_server_new(f->loop, f->address, &f->key, "second", methods, 1, NULL, &err));
    assert_non_null(strstr(err.msg, f->address));
}

static void bus__sync_calls(void **state)
{
    struct fixture *f = *state;
    Deis__KeyOwner *got = NULL;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_bus_sync *c = deis_bus_sync_new(&f->key, "tester");

    assert_int_equal(call_sync(c, f->address, "test.echo", "one", 20000, &got, &err), 0);
    assert_string_equal(got->user, "one");
    deis__key_owner__free_unpacked(got, NULL);
    assert_int_equal(call_sync(c, f->address, "test.slow", "1500", 20000, &got, &err), 0);
    assert_string_equal(got->public_key, "2");
    deis__key_owner__free_unpacked(got, NULL);
    assert_int_equal(call_sync(c, f->address, "test.fail", "", 20000, &got, &err), DEIS_CONFLICT);
    assert_int_equal(call_sync(c, f->address, "test.slow", "5000", 300, &got, &err), DEIS_TIMEOUT);
    end_server(f, SIGKILL);
    int r = DEIS_TIMEOUT; /* as long as the library does not know that its connection is gone */
    for (uint64_t end = deis_now_ms() + GUARD_MS; r == DEIS_TIMEOUT && deis_now_ms() < end;) {
        r = call_sync(c, f->address, "test.echo", "two", 300, &got, &err);
    }
    assert_int_equal(r, DEIS_UNAVAILABLE);
    f->server = start_self("--serve", f->address);
    assert_int_equal(call_sync(c, f->address, "test.echo", "two", 20000, &got, &err), 0);
    assert_string_equal(got->public_key, "1");
    deis__key_owner__free_unpacked(got, NULL);
    deis_bus_sync_free(c);
}

struct sync_job {
    struct fixture *f;
    struct deis_bus_sync *c;
    unsigned good;
};

static void *run_sync_job(void *arg)
{
    struct sync_job *job = arg;
    struct deis_err err = DEIS_ERR_INIT;

    for (int i = 0; i < 50; i++) {
        Deis__KeyOwner *got = NULL;
        if (call_sync(job->c, job->f->address, "test.echo", "job", GUARD_MS, &got, &err) == 0) {
            job->good++;
            deis__key_owner__free_unpacked(got, NULL);
        }
    }
    return NULL;
}

static void bus__sync_calls_from_several_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[8];
    struct sync_job jobs[8];
    struct deis_bus_sync *c = deis_bus_sync_new(&f->key, "tester");

    for (size_t i = 0; i < DEIS_COUNT(threads); i++) {
        jobs[i] = (struct sync_job){ f, c, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, run_sync_job, &jobs[i]), 0);
    }
    for (size_t i = 0; i < DEIS_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].good, 50);
    }
    deis_bus_sync_free(c);
    assert_stats(f, "0", "400");
}

static void bus__short_lived_process_can_call(void **state)
{
    struct fixture *f = *state;
    int status = 0;

    pid_t pid = start_self("--call", f->address);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(bus__request_is_answered),
        CASE(bus__failures_keep_code_and_text),
        CASE(bus__repeat_gets_the_stored_answer),
        CASE(bus__late_answer_is_waited_for_and_done_once),
        CASE(bus__thousand_requests_in_flight),
        CASE(bus__large_answers_side_by_side),
        CASE(bus__too_large_is_said_at_once),
        CASE(bus__first_request_is_greeted_then_taken),
        CASE(bus__replayed_and_changed_frames_have_no_effect),
        CASE(bus__frame_recorded_before_a_restart_is_worthless_after_it),
        CASE(bus__restarted_server_answers_what_was_pending),
        CASE(bus__deadline_ends_a_request),
        CASE(bus__request_waits_for_a_server_that_starts_later),
        CASE(bus__silent_connection_is_replaced),
        CASE(bus__connection_that_could_not_be_replaced_is_tried_again),
        CASE(bus__sync_silent_connection_is_replaced),
        CASE(bus__freed_client_cancels_what_is_pending),
        CASE(bus__address_in_use_is_named),
        CASE(bus__sync_calls),
        CASE(bus__sync_calls_from_several_threads),
        CASE(bus__short_lived_process_can_call),
    };

    deis_runtime_init("bus-test");
    if (argc == 3 && strcmp(argv[1], "--serve") == 0) {
        return serve(argv[2]);
    }
    if (argc == 3 && strcmp(argv[1], "--call") == 0) {
        return call_once(argv[2]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
