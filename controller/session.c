/* SPDX-License-Identifier: MIT */
#include "controller/session.h"

#include "controller/oneoff.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"
#include "lib/wire/run_frame.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <unistd.h>

#define SESSIONS_MAX   128
#define INPUT_WINDOW   262144u  /* of stdin, from the client to the agent */
#define OUTPUT_LOW     65536u   /* unsent: below it more is asked for */
#define REPLIES_MAX    1048576u /* of frames that are written at once */
#define SIGNALS_MAX    4
#define TICK_MS        5000
#define OPEN_MAX_MS    30000
#define CLOSE_MAX_MS   10000 /* for the client to close, when all was said */
#define WAIT_MS        10000 /* of a call for output or input */
#define CALL_MS        15000
#define RETRY_MS       500
#define AGENT_AWAY_MS  30000
#define AGENT_CALM_MS  8000 /* the agent hears something at least so often */
#define CONTROL_MAX_MS 10000

enum session_state { SESSION_OPENING, SESSION_STARTING, SESSION_RUNNING, SESSION_OVER };

struct session {
    struct session *next;
    struct ctl *ctl;
    enum session_state state;
    uint64_t since_ms;       /* of state */
    struct bufferevent *bev; /* NULL: the client is gone; freed when nothing is pending */
    unsigned pending;        /* calls and jobs that come back to it */
    struct deis_run_reader reader;
    uint64_t peer_ms; /* last heard */
    uint64_t said_ms;
    struct deis_timer *tick;
    struct deis_timer *retry;
    struct oneoff oneoff;
    struct deis_err err; /* of the start */
    uint64_t agent_ms;   /* last answer of the agent */
    /* output */
    bool polling;
    uint64_t offset;
    /* input */
    struct deis_buf input; /* given by the client, not yet taken by the agent */
    uint64_t input_offset;
    uint32_t credit;
    bool eof;
    bool input_closed;
    bool sending;
    /* control */
    bool controlling;
    uint32_t rows; /* 0: no new size */
    uint32_t columns;
    char signals[SIGNALS_MAX][9];
    size_t signal_count;
};

/* All sessions of the process: they live on the one loop. */
static struct session *sessions;
static unsigned session_count;

static void poll_output(struct session *s);
static void send_input(struct session *s);
static void send_control(struct session *s, bool anyway);

/* --- life --- */

static void session_free(struct session *s)
{
    for (struct session **p = &sessions; *p; p = &(*p)->next) {
        if (*p == s) {
            *p = s->next;
            break;
        }
    }
    session_count--;
    deis_timer_free(s->tick);
    deis_timer_free(s->retry);
    deis_run_reader_clear(&s->reader);
    deis_buf_clear(&s->input);
    oneoff_clear(&s->oneoff);
    free(s);
}

static void set_state(struct session *s, enum session_state state)
{
    s->state = state;
    s->since_ms = deis_now_ms();
}

/* The client's side is over. s may be gone now. */
static void session_close(struct session *s)
{
    if (s->bev) {
        bufferevent_free(DEIS_TAKE(s->bev));
    }
    set_state(s, SESSION_OVER);
    deis_timer_cancel(s->tick);
    deis_timer_cancel(s->retry);
    if (s->pending == 0) {
        session_free(s);
    }
}

/* A call or job has come back: false when nobody waits for it. */
static bool come_back(struct session *s)
{
    s->pending--;
    if (s->bev) {
        return true;
    }
    if (s->pending == 0) {
        session_free(s);
    }
    return false;
}

static void say(struct session *s, enum deis_run_frame type, struct deis_str payload)
{
    deis_autobuf struct deis_buf frame = DEIS_BUF_INIT(REPLIES_MAX);

    deis_run_frame_add(&frame, type, payload);
    bufferevent_write(s->bev, frame.data, frame.len);
    s->said_ms = deis_now_ms();
}

static void say_u32(struct session *s, enum deis_run_frame type, uint32_t value)
{
    deis_autobuf struct deis_buf frame = DEIS_BUF_INIT(64);

    deis_run_frame_add_u32(&frame, type, value);
    bufferevent_write(s->bev, frame.data, frame.len);
    s->said_ms = deis_now_ms();
}

static void grant(struct session *s, size_t bytes)
{
    if (bytes > 0) {
        s->credit += (uint32_t)bytes;
        say_u32(s, DEIS_RUN_CREDIT, (uint32_t)bytes);
    }
}

/* --- the end --- */

struct end_job {
    struct ctl *ctl;
    char *app;
    uint32_t num;
    bool known;
    int code;
};

static void record_end(void *arg)
{
    struct end_job *j = arg;

    oneoff_ended(j->ctl, j->app, j->num, j->known ? &j->code : NULL);
    free(j->app);
    free(j);
}

static void start_record(const struct session *s, const int *code)
{
    struct end_job *j = deis_alloc(sizeof(*j));

    *j = (struct end_job){ .ctl = s->ctl,
                           .app = deis_strdup(s->oneoff.app),
                           .num = s->oneoff.num,
                           .known = code != NULL,
                           .code = code ? *code : 0 };
    if (deis_workers_run(s->ctl->requests, record_end, NULL, j, NULL) < 0) {
        free(j->app); /* oneoff_look_after() does it */
        free(j);
    }
}

static void on_hung_up(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    if (!msg) {
        deis_debug("hangup not told, the agent will notice", KV_ERR(err));
    }
}

/* The command has lost its caller. Its end is recorded when it has come. */
static void hang_up(struct session *s)
{
    Deis__RunControl request = DEIS__RUN_CONTROL__INIT;

    request.id = s->oneoff.id;
    request.ending = DEIS__RUN_ENDING__RUN_HANGUP;
    deis_bus_send(s->ctl->bus_client, s->oneoff.bus, "agent.run_control", NULL, &request.base,
                  &deis__run_controlled__descriptor, CONTROL_MAX_MS, on_hung_up, NULL);
}

/* The client is gone, or has to go. */
static void leave(struct session *s)
{
    if (s->state == SESSION_RUNNING) {
        hang_up(s);
    }
    session_close(s);
}

/* The last word; then the client closes. */
static void fail(struct session *s, const char *text)
{
    if (s->state == SESSION_RUNNING) {
        hang_up(s);
    }
    deis_info("session failed", KV_S("request", s->oneoff.request), KV_S("run", s->oneoff.id),
              KV_S("why", text));
    say(s, DEIS_RUN_FAILED, deis_str_first(deis_str(text), 4096));
    set_state(s, SESSION_OVER);
}

static void finish(struct session *s, int code)
{
    start_record(s, &code);
    say_u32(s, DEIS_RUN_EXIT, (uint32_t)code);
    set_state(s, SESSION_OVER);
}

/* A call to the agent has failed. True: try again, after a while. */
static bool agent_may_come_back(struct session *s, const struct deis_err *err)
{
    if (err->code != DEIS_NOT_FOUND && err->code != DEIS_CANCELLED &&
        deis_now_ms() - s->agent_ms < AGENT_AWAY_MS) {
        deis_timer_after(s->retry, RETRY_MS);
        return true;
    }
    deis_autofree char *text = deis_asprintf("the command's machine is lost: %s", err->msg);
    fail(s, err->code == DEIS_CANCELLED || err->code == DEIS_NOT_FOUND ? err->msg : text);
    return false;
}

static void on_retry(void *arg)
{
    struct session *s = arg;

    poll_output(s);
    send_input(s);
}

/* --- output --- */

static void on_output(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    const Deis__RunChunk *chunk = (const Deis__RunChunk *)(const void *)msg;
    struct session *s = arg;

    s->polling = false;
    if (!come_back(s) || s->state != SESSION_RUNNING) {
        return;
    }
    if (!chunk) {
        agent_may_come_back(s, err);
        return;
    }
    struct deis_str data = deis_str_n((const char *)chunk->data.data, chunk->data.len);
    s->agent_ms = deis_now_ms();
    if (deis_run_whole_frames(data, data.len) != data.len) {
        fail(s, "the command's agent speaks another version");
        return;
    }
    if (data.len > 0) {
        bufferevent_write(s->bev, data.ptr, data.len);
        s->said_ms = s->agent_ms;
    }
    s->offset += data.len;
    if (chunk->ended) {
        finish(s, chunk->exit_code);
    } else {
        poll_output(s);
    }
}

static size_t unsent(const struct session *s)
{
    return evbuffer_get_length(bufferevent_get_output(s->bev));
}

/* Ask for more, unless the client has not taken the last part yet. */
static void poll_output(struct session *s)
{
    Deis__RunOutput request = DEIS__RUN_OUTPUT__INIT;

    if (s->state != SESSION_RUNNING || s->polling || unsent(s) > OUTPUT_LOW) {
        return;
    }
    request.id = s->oneoff.id;
    request.offset = s->offset;
    request.wait_ms = WAIT_MS;
    s->polling = true;
    s->pending++;
    deis_bus_send(s->ctl->bus_client, s->oneoff.bus, "agent.run_output", NULL, &request.base,
                  &deis__run_chunk__descriptor, CALL_MS, on_output, s);
}

/* --- input --- */

static void on_input_taken(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    const Deis__RunInputTaken *taken = (const Deis__RunInputTaken *)(const void *)msg;
    struct session *s = arg;

    s->sending = false;
    if (!come_back(s) || s->state != SESSION_RUNNING) {
        return;
    }
    if (!taken) {
        agent_may_come_back(s, err);
        return;
    }
    uint64_t n = taken->offset - s->input_offset;
    s->agent_ms = deis_now_ms();
    if (taken->offset < s->input_offset || n > s->input.len) {
        fail(s, "the command's agent took what was not sent");
        return;
    }
    deis_buf_drain(&s->input, (size_t)n);
    s->input_offset += n;
    if (taken->closed) {
        s->input_closed = true;
        n += s->input.len;
        deis_buf_clear(&s->input);
    }
    grant(s, (size_t)n);
    send_input(s);
}

static void send_input(struct session *s)
{
    Deis__RunInput request = DEIS__RUN_INPUT__INIT;
    size_t len = s->input.len < DEIS_RUN_DATA_MAX ? s->input.len : DEIS_RUN_DATA_MAX;

    if (s->state != SESSION_RUNNING || s->sending || s->input_closed || (len == 0 && !s->eof)) {
        return;
    }
    request.id = s->oneoff.id;
    request.offset = s->input_offset;
    request.data.data = (uint8_t *)s->input.data;
    request.data.len = len;
    request.eof = s->eof && len == s->input.len;
    request.wait_ms = WAIT_MS;
    s->sending = true;
    s->pending++;
    deis_bus_send(s->ctl->bus_client, s->oneoff.bus, "agent.run_input", NULL, &request.base,
                  &deis__run_input_taken__descriptor, CALL_MS, on_input_taken, s);
}

/* --- size, signals, and a sign of life --- */

static void on_controlled(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct session *s = arg;

    s->controlling = false;
    if (!come_back(s) || s->state != SESSION_RUNNING) {
        return;
    }
    if (msg) {
        s->agent_ms = deis_now_ms();
    } else {
        deis_debug("size or signal not told", KV_S("run", s->oneoff.id), KV_ERR(err));
    }
    send_control(s, false);
}

/* anyway: also when there is nothing to tell. */
static void send_control(struct session *s, bool anyway)
{
    Deis__RunControl request = DEIS__RUN_CONTROL__INIT;
    char signal[sizeof(s->signals[0])];

    if (s->state != SESSION_RUNNING || s->controlling ||
        (s->rows == 0 && s->signal_count == 0 && !anyway)) {
        return;
    }
    request.id = s->oneoff.id;
    request.rows = s->rows;
    request.columns = s->columns;
    s->rows = 0;
    if (s->signal_count > 0) {
        memcpy(signal, s->signals[0], sizeof(signal));
        memmove(s->signals[0], s->signals[1], sizeof(s->signals) - sizeof(s->signals[0]));
        s->signal_count--;
        request.signal = signal;
    }
    s->controlling = true;
    s->pending++;
    deis_bus_send(s->ctl->bus_client, s->oneoff.bus, "agent.run_control", NULL, &request.base,
                  &deis__run_controlled__descriptor, CONTROL_MAX_MS, on_controlled, s);
}

/* --- the start --- */

static void start_work(void *arg)
{
    struct session *s = arg;

    if (oneoff_start(&s->oneoff, &s->err) >= 0) {
        s->err = (struct deis_err)DEIS_ERR_INIT;
    }
}

static void started(void *arg)
{
    struct session *s = arg;
    bool good = s->err.code == DEIS_OK;

    if (s->oneoff.recorded && !good) {
        start_record(s, NULL);
    }
    if (good && !s->bev) {
        hang_up(s); /* the client left meanwhile */
    }
    if (!come_back(s) || s->state != SESSION_STARTING) {
        return;
    }
    if (!good) {
        fail(s, s->err.msg);
        return;
    }
    set_state(s, SESSION_RUNNING);
    s->agent_ms = deis_now_ms();
    say(s, DEIS_RUN_STARTED, deis_str(s->oneoff.process));
    grant(s, INPUT_WINDOW);
    poll_output(s);
    send_control(s, false);
}

static uint32_t cells(const json_t *doc, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(doc, name));

    return n > 0 && n <= DEIS_RUN_CELLS_MAX ? (uint32_t)n : 0;
}

/* What the first frame asks for. */
static int take_request(struct oneoff *o, struct deis_str text, struct deis_err *err)
{
    deis_autojson json_t *doc = deis_json_parse(text, err);
    const json_t *command = json_object_get(doc, "command");
    const json_t *tty = json_object_get(doc, "tty");
    const json_t *term = json_object_get(doc, "term");

    if (!doc) {
        return err->code;
    }
    if (!json_is_string(command) || json_string_length(command) == 0 ||
        json_string_length(command) > DEIS_RUN_COMMAND_MAX) {
        return deis_err_set(err, DEIS_INVALID, "field 'command' must be a text of 1 to %u bytes",
                            DEIS_RUN_COMMAND_MAX);
    }
    if (tty && !json_is_boolean(tty)) {
        return deis_err_set(err, DEIS_INVALID, "field 'tty' must be true or false");
    }
    if (term && (!json_is_string(term) || json_string_length(term) > DEIS_RUN_TERM_MAX)) {
        return deis_err_set(err, DEIS_INVALID, "field 'term' must be a text of at most %u bytes",
                            DEIS_RUN_TERM_MAX);
    }
    o->command = deis_strdup(json_string_value(command));
    o->tty = json_is_true(tty);
    o->rows = cells(doc, "rows");
    o->columns = cells(doc, "columns");
    if (o->tty && (o->rows == 0 || o->columns == 0)) {
        o->rows = 24;
        o->columns = 80;
    }
    o->term = term ? deis_strdup(json_string_value(term)) : NULL;
    return DEIS_OK;
}

static void open_session(struct session *s, struct deis_str text)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (take_request(&s->oneoff, text, &err) < 0) {
        fail(s, err.msg);
        return;
    }
    set_state(s, SESSION_STARTING);
    s->pending++;
    if (deis_workers_run(s->ctl->requests, start_work, started, s, &err) < 0) {
        s->pending--;
        fail(s, "too many requests at once, try again");
    }
}

/* --- what the client says --- */

static void take_data(struct session *s, struct deis_str data)
{
    if (data.len > s->credit || s->eof) {
        fail(s, "more input than there was credit for");
        return;
    }
    s->credit -= (uint32_t)data.len;
    if (s->input_closed) {
        grant(s, data.len); /* nobody reads it: the client may go on */
        return;
    }
    deis_buf_add_str(&s->input, data);
    send_input(s);
}

static void take_signal(struct session *s, struct deis_str name)
{
    if (s->signal_count < SIGNALS_MAX) {
        snprintf(s->signals[s->signal_count++], sizeof(s->signals[0]), "%.*s", DEIS_STR_ARG(name));
        send_control(s, false);
    }
}

static void take_size(struct session *s, struct deis_str payload)
{
    struct deis_err err = DEIS_ERR_INIT;
    uint32_t rows = 0, columns = 0;

    if (deis_run_size(payload, &rows, &columns, &err) < 0) {
        fail(s, err.msg);
    } else if (s->oneoff.tty) {
        s->rows = rows;
        s->columns = columns;
        send_control(s, false);
    }
}

static void take_frame(struct session *s, enum deis_run_frame type, struct deis_str payload)
{
    s->peer_ms = deis_now_ms();
    if (s->state == SESSION_OVER || type == DEIS_RUN_PING) {
        return;
    }
    if ((s->state == SESSION_OPENING) != (type == DEIS_RUN_OPEN)) {
        fail(s, "the first frame, and no other, says what to run");
        return;
    }
    switch (type) {
    case DEIS_RUN_OPEN: open_session(s, payload); break;
    case DEIS_RUN_INPUT: take_data(s, payload); break;
    case DEIS_RUN_EOF:
        s->eof = true;
        send_input(s);
        break;
    case DEIS_RUN_SIZE: take_size(s, payload); break;
    case DEIS_RUN_SIGNAL: take_signal(s, payload); break;
    case DEIS_RUN_PING:
    case DEIS_RUN_STARTED:
    case DEIS_RUN_CREDIT:
    case DEIS_RUN_OUTPUT:
    case DEIS_RUN_ERROR:
    case DEIS_RUN_EXIT:
    case DEIS_RUN_FAILED: break;
    }
}

static void take_bytes(struct session *s, struct deis_str bytes)
{
    enum deis_run_frame type;
    struct deis_str payload;
    struct deis_err err = DEIS_ERR_INIT;
    enum deis_run_read got;

    do {
        got = deis_run_reader_feed(&s->reader, &bytes, &type, &payload, &err);
        if (got == DEIS_RUN_FRAME) {
            take_frame(s, type, payload);
        }
    } while (got == DEIS_RUN_FRAME);
    if (got == DEIS_RUN_BAD && s->state != SESSION_OVER) {
        fail(s, err.msg);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    struct session *s = arg;
    size_t len;

    while ((len = evbuffer_get_contiguous_space(in)) > 0) {
        if (s->state != SESSION_OVER) {
            take_bytes(s, deis_str_n((const char *)evbuffer_pullup(in, (ev_ssize_t)len), len));
        }
        evbuffer_drain(in, len);
    }
}

static void on_write(struct bufferevent *bev, void *arg)
{
    poll_output(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    leave(arg);
}

static void on_tick(void *arg)
{
    struct session *s = arg;
    uint64_t now = deis_now_ms();

    if (now - s->peer_ms > DEIS_RUN_SILENCE_MS ||
        (s->state == SESSION_OVER && now - s->since_ms > CLOSE_MAX_MS && unsent(s) == 0)) {
        leave(s);
        return;
    }
    if (s->state == SESSION_OPENING && now - s->since_ms > OPEN_MAX_MS) {
        fail(s, "nothing was said within 30 seconds");
    }
    if (now - s->said_ms > DEIS_RUN_PING_MS && s->state != SESSION_OVER && unsent(s) == 0) {
        say(s, DEIS_RUN_PING, DEIS_STR_NONE);
    }
    if (now - s->agent_ms > AGENT_CALM_MS) {
        send_control(s, true);
    }
    deis_timer_after(s->tick, TICK_MS);
}

/* --- connections --- */

static void refuse(struct deis_http_req *req)
{
    deis_http_set(req, "Retry-After", "30");
    deis_http_reply(req, 503, "application/json",
                    DEIS_STR("{\"detail\":\"Too many commands are attached to at once, try "
                             "again\"}"));
}

void session_start(const struct api *a, struct deis_http_req *req)
{
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(65536);
    deis_autobuf struct deis_buf rest = DEIS_BUF_INIT(262144);

    if (session_count >= SESSIONS_MAX) {
        refuse(req);
        return;
    }
    int fd = deis_http_upgrade(req, DEIS_RUN_PROTOCOL, &head, &rest);
    if (fd < 0) {
        return;
    }
    struct session *s = deis_alloc(sizeof(*s));
    s->ctl = a->ctl;
    s->bev = bufferevent_socket_new(deis_loop_base(a->ctl->loop), fd, BEV_OPT_CLOSE_ON_FREE);
    if (!s->bev) {
        abort();
    }
    deis_run_reader_init(&s->reader, true);
    deis_buf_init(&s->input, INPUT_WINDOW);
    s->oneoff = (struct oneoff){ .ctl = a->ctl,
                                 .app = deis_strdup(a->app_id),
                                 .user = deis_strdup(a->user),
                                 .source = deis_strdup(a->source),
                                 .mode = DEIS__RUN_MODE__RUN_ATTACHED };
    snprintf(s->oneoff.request, sizeof(s->oneoff.request), "%s", a->id);
    s->peer_ms = s->said_ms = s->agent_ms = deis_now_ms();
    s->tick = deis_timer_new(a->ctl->loop, on_tick, s);
    s->retry = deis_timer_new(a->ctl->loop, on_retry, s);
    s->next = sessions;
    sessions = s;
    session_count++;
    set_state(s, SESSION_OPENING);
    bufferevent_write(s->bev, head.data, head.len);
    bufferevent_setcb(s->bev, on_read, on_write, on_event, s);
    bufferevent_enable(s->bev, EV_READ | EV_WRITE);
    deis_timer_after(s->tick, TICK_MS);
    take_bytes(s, deis_buf_str(&rest));
}

bool session_none(void)
{
    return sessions == NULL;
}

void session_stop_all(struct ctl *ctl)
{
    for (struct session *s = sessions; s; s = s->next) {
        if (s->bev && s->ctl == ctl && s->state != SESSION_OVER) {
            fail(s, "the controller is being stopped, try again");
        }
    }
}
