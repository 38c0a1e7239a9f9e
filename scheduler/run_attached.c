/* SPDX-License-Identifier: MIT */
/* Requests about a process that runs: input, size of the terminal, signals, its end. */
#include "scheduler/run_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"
#include "lib/wire/run_frame.h"

#define INPUT_WAIT_MAX_MS 20000

/* --- agent.run_input --- */

static void input_taken(struct run *r, struct deis_bus_call *call)
{
    Deis__RunInputTaken taken = DEIS__RUN_INPUT_TAKEN__INIT;

    taken.offset = r->input_offset;
    taken.closed = r->input_over;
    deis_bus_reply(call, &taken.base);
}

/* Give the process what is new in m. False: there is no room now. */
static bool take_input(struct run *r, const Deis__RunInput *m)
{
    size_t known = (size_t)(r->input_offset - m->offset);
    struct deis_str data = deis_str_n((const char *)m->data.data, m->data.len);

    data = deis_str_skip(data, known);
    if (r->input_over) {
        return true;
    }
    if (deis_docker_attach_unsent(r->attachment) >= RUN_WINDOW) {
        return false;
    }
    if (!deis_docker_attach_write(r->attachment, data)) {
        r->input_over = true;
        return true;
    }
    r->input_offset += data.len;
    if (m->eof && !r->tty) {
        deis_docker_attach_end_input(r->attachment);
        r->input_over = true;
    }
    return true;
}

static void answer_parked(struct run *r)
{
    deis_timer_cancel(r->input_timer);
    r->input_msg = NULL;
    input_taken(r, DEIS_TAKE(r->input));
}

static void on_input_waited(void *arg)
{
    struct run *r = arg;

    if (r->input) {
        answer_parked(r);
    }
}

void run_answer_input(struct run *r)
{
    if (r->input && take_input(r, r->input_msg)) {
        answer_parked(r);
    }
}

static bool is_attached(struct run *r, struct deis_bus_call *call)
{
    if (r->err.code != DEIS_OK) {
        deis_bus_fail(call, &r->err);
        return false;
    }
    if (r->mode != DEIS__RUN_MODE__RUN_ATTACHED ||
        (r->state != RUN_RUNNING && r->state != RUN_ENDED)) {
        run_refuse(call, DEIS_INVALID, "'%.200s' takes no input", r->id);
        return false;
    }
    return true;
}

void run_on_input(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__RunInput *m = (const Deis__RunInput *)msg;
    struct run_server *s = arg;
    struct run *r = run_of(s, m->id, call, msg, run_on_input);

    if (!r || !is_attached(r, call)) {
        return;
    }
    r->heard_ms = deis_now_ms();
    if (m->offset > r->input_offset || r->input_offset - m->offset > m->data.len) {
        if (r->input_over) {
            input_taken(r, call);
        } else {
            run_refuse(call, DEIS_INVALID, "field 'offset' does not fit the input of '%.200s'",
                       r->id);
        }
        return;
    }
    if (r->input) { /* its caller asks anew */
        answer_parked(r);
    }
    if (take_input(r, m)) {
        input_taken(r, call);
        return;
    }
    if (!r->input_timer) {
        r->input_timer = deis_timer_new(s->ctx->loop, on_input_waited, r);
    }
    r->input = call;
    r->input_msg = m;
    deis_timer_after(r->input_timer,
                     m->wait_ms < INPUT_WAIT_MAX_MS ? m->wait_ms : INPUT_WAIT_MAX_MS);
}

/* --- agent.run_control --- */

/* A call to the Engine that needs no more than the container. */
struct poke {
    struct run_server *server;
    struct deis_bus_call *call; /* or NULL */
    char *container;
    uint32_t rows;
    uint32_t columns;
    const char *signal; /* a constant, or NULL */
    struct deis_err err;
};

static void poke(void *arg)
{
    struct poke *p = arg;
    int r = 0;

    if (p->rows > 0 && p->columns > 0) {
        r = runtime_resize(p->server->rt, p->container, p->rows, p->columns, &p->err);
    }
    if (p->signal) {
        r = runtime_signal(p->server->rt, p->container, p->signal, &p->err);
    }
    if (r >= 0) {
        p->err = (struct deis_err)DEIS_ERR_INIT;
    }
}

static void poked(void *arg)
{
    struct poke *p = arg;
    Deis__RunControlled answer = DEIS__RUN_CONTROLLED__INIT;

    if (p->call && p->err.code != DEIS_OK) {
        deis_bus_fail(p->call, &p->err);
    } else if (p->call) {
        deis_bus_reply(p->call, &answer.base);
    }
    free(p->container);
    free(p);
}

static void start_poke(struct run *r, uint32_t rows, uint32_t columns, const char *signal,
                       struct deis_bus_call *call)
{
    struct poke *p = deis_alloc(sizeof(*p));

    p->server = r->server;
    p->call = call;
    p->container = deis_strdup(r->container);
    p->rows = rows;
    p->columns = columns;
    p->signal = signal;
    if (deis_workers_run(r->server->jobs, poke, poked, p, &p->err) < 0) {
        poked(p);
    }
}

void run_first_size(struct run *r)
{
    if (r->tty && r->rows > 0 && r->columns > 0) {
        start_poke(r, r->rows, r->columns, NULL, NULL);
    }
}

/* The constant for a signal that a caller may send; NULL: it is none. */
static const char *signal_of(const char *name)
{
    static const char *const known[] = { "SIGINT", "SIGQUIT", "SIGTERM",
                                         "SIGHUP", "SIGUSR1", "SIGUSR2" };

    for (size_t i = 0; i < DEIS_COUNT(known); i++) {
        if (strcmp(known[i] + 3, name) == 0) {
            return known[i];
        }
    }
    return NULL;
}

static void end_as_told(struct run *r, Deis__RunEnding ending)
{
    if (ending == DEIS__RUN_ENDING__RUN_HANGUP) {
        run_turn_deaf(r);
        run_stop(r, "SIGHUP");
    } else if (ending == DEIS__RUN_ENDING__RUN_STOP) {
        run_stop(r, "SIGTERM");
    }
}

void run_on_control(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__RunControl *m = (const Deis__RunControl *)msg;
    Deis__RunControlled answer = DEIS__RUN_CONTROLLED__INIT;
    struct run *r = run_of(arg, m->id, call, msg, run_on_control);
    const char *signal = *m->signal && r ? signal_of(m->signal) : NULL;
    bool resize = m->rows > 0 && m->columns > 0;

    if (!r) {
        return;
    }
    if (*m->signal && !signal) {
        run_refuse(call, DEIS_INVALID, "field 'signal': '%.20s' can't be sent", m->signal);
        return;
    }
    if (resize && (!r->tty || m->rows > DEIS_RUN_CELLS_MAX || m->columns > DEIS_RUN_CELLS_MAX)) {
        run_refuse(call, DEIS_INVALID, "'%.200s' has no terminal of that size", r->id);
        return;
    }
    r->heard_ms = deis_now_ms();
    end_as_told(r, m->ending);
    if (r->state == RUN_RUNNING && (resize || signal)) {
        start_poke(r, resize ? m->rows : 0, m->columns, signal, call);
    } else {
        deis_bus_reply(call, &answer.base);
    }
}

/* --- agent.run_status --- */

void run_on_status(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__RunStatus *m = (const Deis__RunStatus *)msg;
    Deis__RunState state = DEIS__RUN_STATE__INIT;
    struct run *r = run_of(arg, m->id, call, msg, run_on_status);

    if (!r) {
        return;
    }
    state.ended = r->state == RUN_ENDED;
    state.exit_code = r->exit_code;
    deis_bus_reply(call, &state.base);
    if (state.ended && r->mode == DEIS__RUN_MODE__RUN_DETACHED) {
        run_reported(r);
    }
}
