/* SPDX-License-Identifier: MIT */
#include "scheduler/logsource.h"
#include "scheduler/run_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"
#include "lib/wire/run_frame.h"

#include <stdarg.h>
#include <stdio.h>

#define ID_MAX      200
#define ARGS_MAX    256
#define CHUNK_MAX   (256 * 1024)
#define WAIT_MAX_MS 60000
#define WAITERS_MAX 8
#define JOB_THREADS 4
#define JOBS_MAX    512
#define LOG_LINES   200
#define LOG_BYTES   (256 * 1024)

/* --- before the containers were listed --- */

void run_refuse(struct deis_bus_call *call, enum deis_code code, const char *format, ...)
{
    struct deis_err err = { .code = code };
    va_list args;

    va_start(args, format);
    vsnprintf(err.msg, sizeof(err.msg), format, args);
    va_end(args);
    deis_bus_fail(call, &err);
}

static bool wait_for_list(struct run_server *s, struct deis_bus_call *call,
                          const ProtobufCMessage *msg,
                          void (*handle)(struct deis_bus_call *call, const ProtobufCMessage *msg,
                                         void *arg))
{
    if (s->listed || s->early_count >= RUN_EARLY_MAX) {
        return false;
    }
    struct run_early **end = &s->early;
    while (*end) {
        end = &(*end)->next;
    }
    *end = deis_alloc(sizeof(**end));
    **end = (struct run_early){ .call = call, .msg = msg, .handle = handle };
    s->early_count++;
    return true;
}

static void answer_early(struct run_server *s)
{
    while (s->early) {
        struct run_early *e = s->early;
        s->early = e->next;
        s->early_count--;
        if (s->stopping) {
            run_refuse(e->call, DEIS_UNAVAILABLE, "the agent is being stopped");
        } else {
            e->handle(e->call, e->msg, s);
        }
        free(e);
    }
}

struct run *run_of(struct run_server *s, const char *id, struct deis_bus_call *call,
                   const ProtobufCMessage *msg,
                   void (*handle)(struct deis_bus_call *call, const ProtobufCMessage *msg,
                                  void *arg))
{
    struct run *r = deis_map_get(s->runs, deis_str(id));

    if (!r && !wait_for_list(s, call, msg, handle)) {
        run_refuse(call, s->listed ? DEIS_NOT_FOUND : DEIS_UNAVAILABLE,
                   "no one-off process '%.200s' on this machine", id);
    }
    return r;
}

/* --- agent.run --- */

/* A container's name: it goes into paths of the Engine's API. */
static bool is_run_id(const char *id)
{
    size_t len = strlen(id);

    return len > 0 && len <= ID_MAX && id[0] != '.' && id[0] != '-' &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

static bool is_process(const char *process)
{
    struct deis_str rest = deis_str(process), type;
    uint64_t num;

    return deis_str_split(&rest, '.', &type) && deis_str_is_process_type(type) &&
           deis_str_to_u64(rest, 1, UINT32_MAX, &num, NULL) == 0;
}

static int check(const Deis__Run *m, struct deis_err *err)
{
    if (!is_run_id(m->id)) {
        return deis_err_set(err, DEIS_INVALID, "field 'id' is no name of a container");
    }
    if (!deis_str_is_label(deis_str(m->app))) {
        return deis_err_set(err, DEIS_INVALID, "field 'app' is no name of an app");
    }
    if (!is_process(m->process)) {
        return deis_err_set(err, DEIS_INVALID, "field 'process' must be like 'run.3'");
    }
    if (!*m->image) {
        return deis_err_set(err, DEIS_INVALID, "field 'image' is missing");
    }
    if (m->n_command > ARGS_MAX || m->n_entrypoint > ARGS_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "more than %d arguments", ARGS_MAX);
    }
    if (m->mode > DEIS__RUN_MODE__RUN_ATTACHED ||
        (m->tty && m->mode != DEIS__RUN_MODE__RUN_ATTACHED)) {
        return deis_err_set(err, DEIS_INVALID, "field 'mode' or 'tty' has no such value");
    }
    if (strlen(m->term) > DEIS_RUN_TERM_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "field 'term' has more than %u bytes",
                            DEIS_RUN_TERM_MAX);
    }
    return 0;
}

static char **copy_args(char **args, size_t count)
{
    if (count == 0) {
        return NULL;
    }
    char **copy = deis_alloc((count + 1) * sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        copy[i] = deis_strdup(args[i]);
    }
    return copy;
}

void run_answer_start(struct run *r)
{
    struct deis_bus_call *call = DEIS_TAKE(r->starter);
    Deis__RunStarted started = DEIS__RUN_STARTED__INIT;

    if (call && r->err.code != DEIS_OK) {
        deis_bus_fail(call, &r->err);
    } else if (call) {
        deis_bus_reply(call, &started.base);
    }
}

static void again(struct run *r, struct deis_bus_call *call)
{
    if (r->starter) {
        run_refuse(call, DEIS_CONFLICT, "'%.200s' is being started", r->id);
        return;
    }
    r->starter = call;
    if (r->state == RUN_RUNNING || r->state == RUN_ENDED) {
        run_answer_start(r);
    }
}

static size_t count_live(const struct run_server *s)
{
    size_t cursor = 0, count = 0;
    struct deis_str id;
    void *value;

    while (deis_map_next(s->runs, &cursor, &id, &value)) {
        count += ((const struct run *)value)->state != RUN_ENDED;
    }
    return count;
}

static void on_run(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__Run *m = (const Deis__Run *)msg;
    struct run_server *s = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct run *r = deis_map_get(s->runs, deis_str(m->id));

    if (r) {
        again(r, call);
        return;
    }
    if (wait_for_list(s, call, msg, on_run)) {
        return;
    }
    if (check(m, &err) == 0 &&
        (count_live(s) >= RUN_MAX || deis_map_count(s->runs) >= RUN_KNOWN_MAX)) {
        deis_err_set(&err, DEIS_LIMIT, "too many one-off processes on this machine (%d)", RUN_MAX);
    }
    if (err.code != DEIS_OK) {
        deis_bus_fail(call, &err);
        return;
    }
    r = deis_alloc(sizeof(*r));
    r->server = s;
    r->id = deis_strdup(m->id);
    r->app = deis_strdup(m->app);
    r->process = deis_strdup(m->process);
    r->image = deis_strdup(m->image);
    r->sealed_env = deis_strdup(m->sealed_env);
    r->entrypoint = copy_args(m->entrypoint, m->n_entrypoint);
    r->command = copy_args(m->command, m->n_command);
    r->memory_bytes = m->memory_bytes;
    r->cpu_shares = m->cpu_shares;
    r->timeout_ms = m->timeout_ms;
    r->mode = m->mode;
    r->tty = m->tty;
    r->rows = m->rows;
    r->columns = m->columns;
    r->term = deis_strdup(*m->term ? m->term : "xterm");
    r->starter = call;
    run_add(r);
    run_begin(r);
}

/* --- agent.run_output --- */

static void send_chunk(struct deis_bus_call *call, struct run *r, uint64_t offset)
{
    Deis__RunChunk chunk = DEIS__RUN_CHUNK__INIT;
    uint64_t ahead = offset > r->output_base ? offset - r->output_base : 0;
    size_t from = ahead < r->output.len ? (size_t)ahead : r->output.len;
    size_t len = r->output.len - from;

    if (r->mode == DEIS__RUN_MODE__RUN_ATTACHED) {
        len = deis_run_whole_frames(deis_str_n(r->output.data + from, len), CHUNK_MAX);
    } else if (len > CHUNK_MAX) {
        len = CHUNK_MAX;
    }
    chunk.data.data = (uint8_t *)r->output.data + from;
    chunk.data.len = len;
    chunk.ended = r->state == RUN_ENDED && from + len == r->output.len;
    chunk.exit_code = r->exit_code;
    chunk.truncated = r->truncated;
    deis_bus_reply(call, &chunk.base);
    if (chunk.ended) {
        run_reported(r);
    }
}

static bool has_news(const struct run *r, uint64_t offset)
{
    return r->state == RUN_ENDED || offset < r->output_base + r->output.len;
}

static void waiter_free(struct run_waiter *w)
{
    struct run_waiter **at = &w->run->waiters;

    while (*at != w) {
        at = &(*at)->next;
    }
    *at = w->next;
    deis_timer_free(w->timer);
    free(w);
}

static void on_waited(void *arg)
{
    struct run_waiter *w = arg;

    send_chunk(w->call, w->run, w->offset);
    waiter_free(w);
}

void run_answer_waiters(struct run *r)
{
    for (struct run_waiter *w = r->waiters, *next; w; w = next) {
        next = w->next;
        if (has_news(r, w->offset)) {
            on_waited(w);
        }
    }
}

static size_t count_waiters(const struct run *r)
{
    size_t count = 0;

    for (const struct run_waiter *w = r->waiters; w; w = w->next) {
        count++;
    }
    return count;
}

/* The caller of an attached process has all that lies before offset. False: that can't be. */
static bool take_off(struct run *r, uint64_t offset)
{
    r->heard_ms = deis_now_ms();
    if (r->deaf || offset < r->output_base || offset - r->output_base > r->output.len) {
        return false;
    }
    deis_buf_drain(&r->output, (size_t)(offset - r->output_base));
    r->output_base = offset;
    run_hold_up(r);
    return true;
}

static void on_run_output(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__RunOutput *m = (const Deis__RunOutput *)msg;
    struct run_server *s = arg;
    struct run *r = run_of(s, m->id, call, msg, on_run_output);

    if (!r) {
        return;
    }
    if (r->err.code != DEIS_OK) {
        deis_bus_fail(call, &r->err);
        return;
    }
    if (r->mode == DEIS__RUN_MODE__RUN_ATTACHED && !take_off(r, m->offset)) {
        run_refuse(call, DEIS_CANCELLED, "the output of '%.200s' was given to somebody else",
                   r->id);
        return;
    }
    if (has_news(r, m->offset) || m->wait_ms == 0 || count_waiters(r) >= WAITERS_MAX) {
        send_chunk(call, r, m->offset);
        return;
    }
    struct run_waiter *w = deis_alloc(sizeof(*w));
    w->run = r;
    w->call = call;
    w->offset = m->offset;
    w->timer = deis_timer_new(s->ctx->loop, on_waited, w);
    w->next = r->waiters;
    r->waiters = w;
    deis_timer_after(w->timer, m->wait_ms < WAIT_MAX_MS ? m->wait_ms : WAIT_MAX_MS);
}

/* --- agent.unit_log --- */

struct tail_job {
    struct deis_bus_call *call;
    struct run_server *server;
    char *unit;
    char *container;
    size_t lines;
    struct deis_buf text;
};

static void reply_lines(struct deis_bus_call *call, struct deis_str text, size_t max)
{
    Deis__UnitLogLines answer = DEIS__UNIT_LOG_LINES__INIT;
    ProtobufCBinaryData lines[LOG_LINES];
    struct deis_str rest = deis_str_ends(text, "\n") ? deis_str_first(text, text.len - 1) : text;
    struct deis_str line;
    size_t count = 0;

    for (struct deis_str t = rest; text.len > 0 && deis_str_split(&t, '\n', &line);) {
        count++;
    }
    for (size_t i = 0; text.len > 0 && deis_str_split(&rest, '\n', &line); i++) {
        if (i + max >= count) {
            lines[answer.n_lines].data = (uint8_t *)(uintptr_t)line.ptr;
            lines[answer.n_lines++].len = line.len;
        }
    }
    answer.lines = lines;
    deis_bus_reply(call, &answer.base);
}

static void read_tail(void *arg)
{
    struct tail_job *j = arg;

    logsource_tail(j->server->ctx->settings->docker_root, j->container, j->lines, &j->text);
}

static void tail_read(void *arg)
{
    struct tail_job *j = arg;

    const char *kept = agent_last_lines(j->server->agent, j->unit);

    /* it may have been removed meanwhile */
    reply_lines(j->call, j->text.len == 0 ? deis_str(kept) : deis_buf_str(&j->text), j->lines);
    free(j->unit);
    deis_buf_clear(&j->text);
    free(j->container);
    free(j);
}

static void on_unit_log(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__UnitLog *m = (const Deis__UnitLog *)msg;
    struct run_server *s = arg;
    size_t lines = m->lines < LOG_LINES ? m->lines : LOG_LINES;
    const char *container = agent_container(s->agent, m->unit);
    const char *kept = agent_last_lines(s->agent, m->unit);
    struct deis_err err = DEIS_ERR_INIT;

    if (!container && !kept) {
        deis_err_set(&err, DEIS_NOT_FOUND, "no unit '%.200s' on this machine", m->unit);
        deis_bus_fail(call, &err);
        return;
    }
    if (!container) {
        reply_lines(call, deis_str(kept), lines);
        return;
    }
    struct tail_job *j = deis_alloc(sizeof(*j));
    j->call = call;
    j->server = s;
    j->unit = deis_strdup(m->unit);
    j->container = deis_strdup(container);
    j->lines = lines;
    deis_buf_init(&j->text, LOG_BYTES);
    if (deis_workers_run(s->jobs, read_tail, tail_read, j, &err) < 0) {
        tail_read(j);
    }
}

/* --- life --- */

static void on_container(const json_t *container, void *arg)
{
    struct run_server *s = arg;

    if (container) {
        run_leftover(s, container);
    } else if (!s->listed) {
        s->listed = true;
        answer_early(s);
    }
}

static const struct deis_bus_method methods[] = {
    { .name = "agent.run", .request = &deis__run__descriptor, .handle = on_run },
    { .name = "agent.run_output",
      .request = &deis__run_output__descriptor,
      .handle = on_run_output,
      .repeatable = true },
    { .name = "agent.run_input",
      .request = &deis__run_input__descriptor,
      .handle = run_on_input,
      .repeatable = true },
    { .name = "agent.run_control",
      .request = &deis__run_control__descriptor,
      .handle = run_on_control },
    { .name = "agent.run_status",
      .request = &deis__run_status__descriptor,
      .handle = run_on_status,
      .repeatable = true },
    { .name = "agent.unit_log",
      .request = &deis__unit_log__descriptor,
      .handle = on_unit_log,
      .repeatable = true },
};

int run_server_start(const struct context *ctx, struct runtime *rt, struct logship *logs,
                     struct agent *agent, struct run_server **ret, struct deis_err *err)
{
    struct run_server *s = deis_alloc(sizeof(*s));
    struct deis_keyring ring;

    s->ctx = ctx;
    s->rt = rt;
    s->logs = logs;
    s->agent = agent;
    s->runs = deis_map_new(run_free);
    s->jobs = deis_workers_new(ctx->loop, JOB_THREADS, JOBS_MAX);
    deis_keys_get(ctx->keys, &ring);
    s->bus = deis_bus_server_new(ctx->loop, ctx->settings->bus, &ring.keys[0], "scheduler", methods,
                                 DEIS_COUNT(methods), s, err);
    deis_keyring_clear(&ring);
    *ret = s;
    if (!s->bus) {
        return err->code;
    }
    deis_bus_server_follow(s->bus, ctx->keys);
    agent_on_container(agent, on_container, s);
    return 0;
}

static void let_go(struct run *r)
{
    struct deis_err err = DEIS_ERR_INIT;

    deis_err_set(&err, DEIS_UNAVAILABLE, "the agent is being stopped");
    if (r->starter) {
        deis_bus_fail(DEIS_TAKE(r->starter), &err);
    }
    while (r->waiters) {
        deis_bus_fail(r->waiters->call, &err);
        waiter_free(r->waiters);
    }
    if (r->input) {
        deis_bus_fail(DEIS_TAKE(r->input), &err);
    }
}

void run_server_stop(struct run_server *s)
{
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    if (!s) {
        return;
    }
    s->stopping = true;
    agent_on_container(s->agent, NULL, NULL);
    deis_workers_free(s->jobs);
    answer_early(s);
    while (deis_map_next(s->runs, &cursor, &id, &value)) {
        let_go(value);
    }
    deis_bus_server_free(s->bus);
    deis_map_free(s->runs);
    free(s);
}
