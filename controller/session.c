/* SPDX-License-Identifier: MIT */
/* A session's side towards the client: the connection, its frames, and what they ask for. */
#include "controller/session.h"

#include "controller/session_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"
#include "lib/wire/run_frame.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <unistd.h>

#define SESSIONS_MAX  128
#define USER_MAX      32       /* of them, of one user */
#define INPUT_WINDOW  262144u  /* of stdin, from the client to the agent */
#define REPLIES_MAX   1048576u /* of frames that are written at once */
#define TICK_MS       5000
#define OPEN_MAX_MS   30000
#define CLOSE_MAX_MS  10000 /* for the client to close, when all was said */
#define AGENT_CALM_MS 8000  /* the agent hears something at least so often */

/* All sessions of the process: they live on the one loop. */
static struct session *sessions;
static unsigned session_count;

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

bool session_come_back(struct session *s)
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

void session_write(struct session *s, struct deis_str frames)
{
    bufferevent_write(s->bev, frames.ptr, frames.len);
    s->said_ms = deis_now_ms();
}

size_t session_unsent(const struct session *s)
{
    return evbuffer_get_length(bufferevent_get_output(s->bev));
}

static void say(struct session *s, enum deis_run_frame type, struct deis_str payload)
{
    deis_autobuf struct deis_buf frame = DEIS_BUF_INIT(REPLIES_MAX);

    deis_run_frame_add(&frame, type, payload);
    session_write(s, deis_buf_str(&frame));
}

static void say_u32(struct session *s, enum deis_run_frame type, uint32_t value)
{
    deis_autobuf struct deis_buf frame = DEIS_BUF_INIT(64);

    deis_run_frame_add_u32(&frame, type, value);
    session_write(s, deis_buf_str(&frame));
}

void session_grant(struct session *s, size_t bytes)
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

/* The client is gone, or has to go. */
static void leave(struct session *s)
{
    if (s->state == SESSION_RUNNING) {
        session_agent_hang_up(s);
    }
    session_close(s);
}

void session_fail(struct session *s, const char *text)
{
    if (s->state == SESSION_RUNNING) {
        session_agent_hang_up(s);
    }
    deis_info("session failed", KV_S("request", s->oneoff.request), KV_S("run", s->oneoff.id),
              KV_S("why", text));
    say(s, DEIS_RUN_FAILED, deis_str_first(deis_str(text), 4096));
    set_state(s, SESSION_OVER);
}

void session_finish(struct session *s, int code)
{
    start_record(s, &code);
    say_u32(s, DEIS_RUN_EXIT, (uint32_t)code);
    set_state(s, SESSION_OVER);
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

    if (s->oneoff.recorded && !good && !oneoff_may_run(s->err.code)) {
        start_record(s, NULL);
    }
    if (good && s->state != SESSION_STARTING) {
        session_agent_hang_up(s); /* the client left meanwhile, or had to go */
    }
    if (!session_come_back(s) || s->state != SESSION_STARTING) {
        return;
    }
    if (!good) {
        session_fail(s, s->err.msg);
        return;
    }
    set_state(s, SESSION_RUNNING);
    s->agent_ms = deis_now_ms();
    say(s, DEIS_RUN_STARTED, deis_str(s->oneoff.process));
    session_grant(s, INPUT_WINDOW);
    session_agent_poll(s);
    session_agent_control(s, false);
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
        session_fail(s, err.msg);
        return;
    }
    set_state(s, SESSION_STARTING);
    s->pending++;
    if (deis_workers_run(s->ctl->requests, start_work, started, s, &err) < 0) {
        s->pending--;
        session_fail(s, "too many requests at once, try again");
    }
}

/* --- the right --- */

/* An etcd that is away takes no right back. */
static void check_work(void *arg)
{
    struct session *s = arg;
    struct deis_err err = DEIS_ERR_INIT;
    int r = auth_still(s->ctl, s->oneoff.user, s->token, s->oneoff.app, s->right, &err);

    s->allowed = r != DEIS_DENIED && r != DEIS_NOT_FOUND;
}

static void checked(void *arg)
{
    struct session *s = arg;

    s->checking = false;
    if (session_come_back(s) && !s->allowed && s->state != SESSION_OVER) {
        session_fail(s, "you may no longer run commands of this app");
    }
}

/* Ask again what the request was admitted for. When there is no room the next tick does. */
static void check(struct session *s)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (s->checking || s->state == SESSION_OVER) {
        return;
    }
    s->checking = deis_workers_run(s->ctl->requests, check_work, checked, s, &err) == DEIS_OK;
    s->pending += s->checking;
}

/* --- what the client says --- */

static void take_data(struct session *s, struct deis_str data)
{
    if (data.len > s->credit || s->eof) {
        session_fail(s, "more input than there was credit for");
        return;
    }
    s->credit -= (uint32_t)data.len;
    if (s->input_closed) {
        session_grant(s, data.len); /* nobody reads it: the client may go on */
        return;
    }
    deis_buf_add_str(&s->input, data);
    session_agent_send(s);
}

static void take_signal(struct session *s, struct deis_str name)
{
    if (s->signal_count < SESSION_SIGNALS_MAX) {
        snprintf(s->signals[s->signal_count++], sizeof(s->signals[0]), "%.*s", DEIS_STR_ARG(name));
        session_agent_control(s, false);
    }
}

static void take_size(struct session *s, struct deis_str payload)
{
    struct deis_err err = DEIS_ERR_INIT;
    uint32_t rows = 0, columns = 0;

    if (deis_run_size(payload, &rows, &columns, &err) < 0) {
        session_fail(s, err.msg);
    } else if (s->oneoff.tty) {
        s->rows = rows;
        s->columns = columns;
        session_agent_control(s, false);
    }
}

static void take_frame(struct session *s, enum deis_run_frame type, struct deis_str payload)
{
    s->peer_ms = deis_now_ms();
    if (s->state == SESSION_OVER || type == DEIS_RUN_PING) {
        return;
    }
    if ((s->state == SESSION_OPENING) != (type == DEIS_RUN_OPEN)) {
        session_fail(s, "the first frame, and no other, says what to run");
        return;
    }
    switch (type) {
    case DEIS_RUN_OPEN: open_session(s, payload); break;
    case DEIS_RUN_INPUT: take_data(s, payload); break;
    case DEIS_RUN_EOF:
        s->eof = true;
        session_agent_send(s);
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
        session_fail(s, err.msg);
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
    session_agent_poll(arg);
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
        (s->state == SESSION_OVER && now - s->since_ms > CLOSE_MAX_MS && session_unsent(s) == 0)) {
        leave(s);
        return;
    }
    if (s->state == SESSION_OPENING && now - s->since_ms > OPEN_MAX_MS) {
        session_fail(s, "nothing was said within 30 seconds");
    }
    if (now - s->said_ms > DEIS_RUN_PING_MS && s->state != SESSION_OVER && session_unsent(s) == 0) {
        say(s, DEIS_RUN_PING, DEIS_STR_NONE);
    }
    if (now - s->agent_ms > AGENT_CALM_MS) {
        session_agent_control(s, true);
    }
    check(s);
    deis_timer_after(s->tick, TICK_MS);
}

/* --- connections --- */

static unsigned sessions_of(const char *user)
{
    unsigned count = 0;

    for (const struct session *s = sessions; s; s = s->next) {
        count += strcmp(s->oneoff.user, user) == 0;
    }
    return count;
}

/* Is there room for one more of this user? False: answered. */
static bool has_room(const char *user, struct deis_http_req *req)
{
    deis_autojson json_t *doc = NULL;

    if (session_count >= SESSIONS_MAX) {
        doc = json_pack("{s:s}", "detail", "Too many commands are attached to at once, try again");
    } else if (sessions_of(user) >= USER_MAX) {
        deis_autofree char *text = deis_asprintf(
            "You are attached to %d commands already, that is the limit: end one, or use -d",
            USER_MAX);
        doc = json_pack("{s:s}", "detail", text);
    }
    if (doc) {
        deis_http_set(req, "Retry-After", "30");
        deis_http_reply_json(req, 503, doc);
    }
    return !doc;
}

void session_start(const struct api *a, struct deis_http_req *req)
{
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(65536);
    deis_autobuf struct deis_buf rest = DEIS_BUF_INIT(262144);

    if (!has_room(a->user, req)) {
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
                                 .unbounded = a->caller.admin,
                                 .source = deis_strdup(a->source),
                                 .mode = DEIS__RUN_MODE__RUN_ATTACHED };
    snprintf(s->oneoff.request, sizeof(s->oneoff.request), "%s", a->id);
    snprintf(s->token, sizeof(s->token), "%s", a->token);
    s->right = a->match.route->right;
    s->peer_ms = s->said_ms = s->agent_ms = deis_now_ms();
    s->tick = deis_timer_new(a->ctl->loop, on_tick, s);
    s->retry = deis_timer_new(a->ctl->loop, session_agent_retry, s);
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
            session_fail(s, "the controller is being stopped, try again");
        }
    }
}
