/* SPDX-License-Identifier: MIT */
/*
 * Inside session*.c only: a session, and what its two sides call of each other. session.c has the
 * connection with the client, session_agent.c the calls to the agent. thread: loop
 */
#ifndef CONTROLLER_SESSION_PRIV_H
#define CONTROLLER_SESSION_PRIV_H

#include "controller/core/access.h"
#include "controller/oneoff.h"

#include "lib/wire/run_frame.h"

#include <event2/bufferevent.h>

#define SESSION_SIGNALS_MAX 4

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
    /* may the caller still do it? */
    char token[65]; /* its hash */
    enum access_right right;
    bool checking;
    bool allowed;
    /* the agent */
    uint64_t agent_ms; /* last answer of the agent */
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
    char signals[SESSION_SIGNALS_MAX][9];
    size_t signal_count;
};

/* --- session.c --- */

/* A call or job has come back: false when nobody waits for it; s may be gone then. Each call and
 * job adds one to s->pending. */
bool session_come_back(struct session *s);
/* Whole frames, to the client. */
void session_write(struct session *s, struct deis_str frames);
/* Bytes that the client has not taken yet. */
size_t session_unsent(const struct session *s);
/* The client may send so many bytes of input more. */
void session_grant(struct session *s, size_t bytes);
/* The last word, and the command is hung up; then the client closes. */
void session_fail(struct session *s, const char *text);
/* The command has ended: it is recorded and told; then the client closes. */
void session_finish(struct session *s, int code);

/* --- session_agent.c --- */

/* Each of these does nothing unless the session runs; one call of a kind is under way at a time. */

/* Ask for more output, unless the client has not taken the last part yet. */
void session_agent_poll(struct session *s);
/* Give what there is of input, and its end. */
void session_agent_send(struct session *s);
/* Tell the size and signals; anyway: also when there is nothing to tell, as a sign of life. */
void session_agent_control(struct session *s, bool anyway);
/* Of s->retry, arg is the session: output and input again, after a call has failed. */
void session_agent_retry(void *arg);

/* In any state, once the command was started: it has lost its caller. Its end is recorded when it
 * has come. */
void session_agent_hang_up(struct session *s);

#endif
