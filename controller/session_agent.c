/* SPDX-License-Identifier: MIT */
/* A session's side towards the agent: output asked for, input and control given, by calls. */
#include "controller/session_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"
#include "lib/wire/run_frame.h"

#define OUTPUT_LOW     65536u /* unsent: below it more is asked for */
#define WAIT_MS        10000  /* of a call for output or input */
#define CALL_MS        15000
#define RETRY_MS       500
#define AGENT_AWAY_MS  30000
#define CONTROL_MAX_MS 10000

static void on_hung_up(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    if (!msg) {
        deis_debug("hangup not told, the agent will notice", KV_ERR(err));
    }
}

void session_agent_hang_up(struct session *s)
{
    Deis__RunControl request = DEIS__RUN_CONTROL__INIT;

    request.id = s->oneoff.id;
    request.ending = DEIS__RUN_ENDING__RUN_HANGUP;
    deis_bus_send(s->ctl->bus_client, s->oneoff.bus, "agent.run_control", NULL, &request.base,
                  &deis__run_controlled__descriptor, CONTROL_MAX_MS, on_hung_up, NULL);
}

/* A call to the agent has failed: try again after a while, or that was the end. */
static void call_failed(struct session *s, const struct deis_err *err)
{
    if (err->code != DEIS_NOT_FOUND && err->code != DEIS_CANCELLED &&
        deis_now_ms() - s->agent_ms < AGENT_AWAY_MS) {
        deis_timer_after(s->retry, RETRY_MS);
        return;
    }
    deis_autofree char *text = deis_asprintf("the command's machine is lost: %s", err->msg);
    session_fail(s, err->code == DEIS_CANCELLED || err->code == DEIS_NOT_FOUND ? err->msg : text);
}

void session_agent_retry(void *arg)
{
    struct session *s = arg;

    session_agent_poll(s);
    session_agent_send(s);
}

/* --- output --- */

static void on_output(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    const Deis__RunChunk *chunk = (const Deis__RunChunk *)(const void *)msg;
    struct session *s = arg;

    s->polling = false;
    if (!session_come_back(s) || s->state != SESSION_RUNNING) {
        return;
    }
    if (!chunk) {
        call_failed(s, err);
        return;
    }
    struct deis_str data = deis_str_n((const char *)chunk->data.data, chunk->data.len);
    s->agent_ms = deis_now_ms();
    if (deis_run_whole_frames(data, data.len) != data.len) {
        session_fail(s, "the command's agent speaks another version");
        return;
    }
    if (data.len > 0) {
        session_write(s, data);
    }
    s->offset += data.len;
    if (chunk->ended) {
        session_finish(s, chunk->exit_code);
    } else {
        session_agent_poll(s);
    }
}

void session_agent_poll(struct session *s)
{
    Deis__RunOutput request = DEIS__RUN_OUTPUT__INIT;

    if (s->state != SESSION_RUNNING || s->polling || session_unsent(s) > OUTPUT_LOW) {
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
    if (!session_come_back(s) || s->state != SESSION_RUNNING) {
        return;
    }
    if (!taken) {
        call_failed(s, err);
        return;
    }
    uint64_t n = taken->offset - s->input_offset;
    s->agent_ms = deis_now_ms();
    if (taken->offset < s->input_offset || n > s->input.len) {
        session_fail(s, "the command's agent took what was not sent");
        return;
    }
    deis_buf_drain(&s->input, (size_t)n);
    s->input_offset += n;
    if (taken->closed) {
        s->input_closed = true;
        n += s->input.len;
        deis_buf_clear(&s->input);
    }
    session_grant(s, (size_t)n);
    session_agent_send(s);
}

void session_agent_send(struct session *s)
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
    if (!session_come_back(s) || s->state != SESSION_RUNNING) {
        return;
    }
    if (msg) {
        s->agent_ms = deis_now_ms();
    } else {
        deis_debug("size or signal not told", KV_S("run", s->oneoff.id), KV_ERR(err));
    }
    session_agent_control(s, false);
}

void session_agent_control(struct session *s, bool anyway)
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
