/* SPDX-License-Identifier: MIT */
/*
 * The client's side of an attached command: stdin goes out as far as there is credit, frames come
 * in as far as stdout and stderr take them. One loop around poll().
 */
#include "client/client.h"

#include "lib/base/clock.h"
#include "lib/net/httpc_upgrade.h"
#include "lib/wire/json.h"
#include "lib/wire/run_frame.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define READ_BYTES  16384
#define WRITE_BYTES 4096 /* PIPE_BUF: a descriptor that poll() calls writable takes so many */
#define LOST_STATUS 255
#define TURN_MS     1000
#define SOON_MAX    65536 /* unsent: what is not pressing is left out */

static const int watched[] = { SIGWINCH, SIGCONT, SIGINT, SIGQUIT, SIGTERM, SIGHUP };

struct session {
    struct client *client;
    const struct attach *what;
    struct deis_tunnel *tunnel;
    int signal_fd;
    sigset_t old_mask;
    struct deis_run_reader reader;
    struct deis_buf out;     /* frames for the controller */
    struct deis_buf in;      /* from the controller, not yet looked at */
    struct deis_buf data[2]; /* for stdout and stderr */
    struct deis_buf input;   /* of stdin, read before there was credit */
    uint32_t credit;
    bool input_over;
    bool started;
    bool interrupted; /* once, without a terminal */
    uint64_t heard_ms;
    uint64_t said_ms;
    bool over;
    int fatal_signal; /* that ends this process, too */
};

static void say(struct session *s, enum deis_run_frame type, struct deis_str payload)
{
    deis_run_frame_add(&s->out, type, payload);
}

/* --- the end --- */

static void lose(struct session *s, const char *why)
{
    s->over = true;
    s->client->exit_status = s->started ? LOST_STATUS : 1;
    client_fail(s->client, "%s", why);
}

static void take_end(struct session *s, enum deis_run_frame type, struct deis_str payload)
{
    if (type == DEIS_RUN_EXIT) {
        s->over = true;
        s->client->exit_status = (int)(deis_run_u32(payload) & 0xff);
    } else {
        deis_autofree char *text = deis_str_dup(payload);
        lose(s, text);
    }
}

/* --- from the controller --- */

/* Until now the keys were our own: an interrupt ends the wait. */
static void take_start(struct session *s)
{
    s->started = true;
    if (s->what->tty && rawmode_start(s->client) < 0) {
        s->over = true;
    }
}

static void take_frame(struct session *s, enum deis_run_frame type, struct deis_str payload)
{
    switch (type) {
    case DEIS_RUN_STARTED: take_start(s); break;
    case DEIS_RUN_CREDIT: s->credit += deis_run_u32(payload); break;
    case DEIS_RUN_OUTPUT: deis_buf_add_str(&s->data[0], payload); break;
    case DEIS_RUN_ERROR: deis_buf_add_str(&s->data[1], payload); break;
    case DEIS_RUN_EXIT:
    case DEIS_RUN_FAILED: take_end(s, type, payload); break;
    case DEIS_RUN_PING:
    case DEIS_RUN_OPEN:
    case DEIS_RUN_INPUT:
    case DEIS_RUN_EOF:
    case DEIS_RUN_SIZE:
    case DEIS_RUN_SIGNAL: break;
    }
}

static bool has_data(const struct session *s)
{
    return s->data[0].len > 0 || s->data[1].len > 0;
}

/* Frames one by one, until there is something to be written. */
static void take_frames(struct session *s)
{
    struct deis_str input = deis_buf_str(&s->in);
    enum deis_run_read got = DEIS_RUN_FRAME;
    enum deis_run_frame type;
    struct deis_str payload;
    struct deis_err err = DEIS_ERR_INIT;

    while (got == DEIS_RUN_FRAME && !has_data(s) && !s->over) {
        got = deis_run_reader_feed(&s->reader, &input, &type, &payload, &err);
        if (got == DEIS_RUN_FRAME) {
            take_frame(s, type, payload);
        }
    }
    deis_buf_drain(&s->in, s->in.len - input.len);
    if (got == DEIS_RUN_BAD) {
        lose(s, err.msg);
    }
}

static void read_tunnel(struct session *s)
{
    char bytes[READ_BYTES];

    take_frames(s);
    while (!s->over && !has_data(s) && s->in.len == 0) {
        ptrdiff_t n = deis_tunnel_read(s->tunnel, bytes, sizeof(bytes));
        if (n == DEIS_TUNNEL_AGAIN) {
            return;
        }
        if (n <= 0) {
            lose(s, "the connection to the controller was lost; the command gets a hangup");
            return;
        }
        s->heard_ms = deis_now_ms();
        deis_buf_add(&s->in, bytes, (size_t)n);
        take_frames(s);
    }
}

/* --- to stdout and stderr --- */

static void write_data(struct session *s, int which)
{
    struct deis_buf *b = &s->data[which];
    size_t len = b->len < WRITE_BYTES ? b->len : WRITE_BYTES;
    ssize_t n = write(which == 0 ? STDOUT_FILENO : STDERR_FILENO, b->data, len);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n < 0 && which == 0) {
        s->over = true; /* nobody reads: as any program that writes to a closed pipe */
        s->fatal_signal = errno == EPIPE ? SIGPIPE : 0;
        s->client->exit_status = 1;
        if (errno != EPIPE) {
            client_fail(s->client, "can't write to stdout: %s", strerror(errno));
        }
    }
    deis_buf_drain(b, n < 0 ? b->len : (size_t)n);
}

/* --- from stdin --- */

static void end_input(struct session *s)
{
    s->input_over = true;
    if (s->what->tty) {
        s->over = true; /* the terminal is gone, and with it who sat there */
        s->fatal_signal = SIGHUP;
    } else {
        say(s, DEIS_RUN_EOF, DEIS_STR_NONE);
    }
}

static void send_input(struct session *s, struct deis_str data)
{
    say(s, DEIS_RUN_INPUT, data);
    s->credit -= (uint32_t)data.len;
}

static bool wants_input(const struct session *s)
{
    return !s->input_over && s->credit > 0 && s->out.len == 0;
}

static void read_stdin(struct session *s)
{
    char bytes[READ_BYTES];
    size_t cap = s->credit < sizeof(bytes) ? s->credit : sizeof(bytes);

    if (s->input.len > 0) {
        struct deis_str first = deis_str_first(deis_buf_str(&s->input), cap);
        send_input(s, first);
        deis_buf_drain(&s->input, first.len);
        return;
    }
    ssize_t n = read(STDIN_FILENO, bytes, cap);
    if (n > 0) {
        send_input(s, deis_str_n(bytes, (size_t)n));
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        end_input(s);
    }
}

/* --- to the controller --- */

static void write_tunnel(struct session *s)
{
    while (s->out.len > 0 && !s->over) {
        ptrdiff_t n = deis_tunnel_write(s->tunnel, deis_buf_str(&s->out));
        if (n == DEIS_TUNNEL_AGAIN) {
            return;
        }
        if (n < 0) {
            lose(s, "the connection to the controller was lost; the command gets a hangup");
            return;
        }
        s->said_ms = deis_now_ms();
        deis_buf_drain(&s->out, (size_t)n);
    }
}

static void say_size(struct session *s)
{
    struct winsize w;

    if (s->what->tty && s->out.len <= SOON_MAX && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 &&
        w.ws_row > 0 && w.ws_col > 0) {
        deis_run_frame_add_size(&s->out, w.ws_row, w.ws_col);
    }
}

static void say_what(struct session *s)
{
    deis_autojson json_t *doc =
        json_pack("{s:s, s:b}", "command", s->what->command, "tty", (int)s->what->tty);
    const char *term = getenv("TERM");
    struct winsize w;

    if (s->what->tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0) {
        json_object_set_new(doc, "rows", json_integer(w.ws_row));
        json_object_set_new(doc, "columns", json_integer(w.ws_col));
    }
    if (s->what->tty && term && term[0] && strlen(term) <= DEIS_RUN_TERM_MAX) {
        json_object_set_new(doc, "term", json_string(term));
    }
    deis_autofree char *text = deis_json_dump(doc);
    say(s, DEIS_RUN_OPEN, deis_str(text));
}

static int check_command(struct client *c, const char *command)
{
    if (strlen(command) > DEIS_RUN_COMMAND_MAX) {
        return client_fail(c, "the command is longer than %u bytes", DEIS_RUN_COMMAND_MAX);
    }
    return deis_str_is_utf8(deis_str(command)) ? 0 : client_fail(c, "the command is no UTF-8");
}

/* --- signals --- */

static void pass_on(struct session *s, int sig)
{
    if (!s->started || (sig == SIGINT && s->interrupted)) { /* it does not heed the first */
        s->over = true;
        s->fatal_signal = sig;
        return;
    }
    s->interrupted = sig == SIGINT;
    if (s->out.len > SOON_MAX) {
        return;
    }
    say(s, DEIS_RUN_SIGNAL, sig == SIGINT ? DEIS_STR("INT") : DEIS_STR("QUIT"));
}

static void read_signal(struct session *s)
{
    struct signalfd_siginfo info;

    if (read(s->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    switch (info.ssi_signo) {
    case SIGWINCH: say_size(s); break;
    case SIGCONT:
        rawmode_again();
        say_size(s);
        break;
    case SIGINT:
    case SIGQUIT: pass_on(s, (int)info.ssi_signo); break;
    default:
        s->over = true;
        s->fatal_signal = (int)info.ssi_signo;
        break;
    }
}

static int watch_signals(struct session *s)
{
    sigset_t mask;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&mask);
    for (size_t i = 0; i < DEIS_COUNT(watched); i++) {
        sigaddset(&mask, watched[i]);
    }
    sigprocmask(SIG_BLOCK, &mask, &s->old_mask);
    s->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    return s->signal_fd < 0 ? client_fail(s->client, "can't watch signals: %s", strerror(errno))
                            : 0;
}

/* Of what had ended us, had we not put things in order first. */
static void die_of(int sig)
{
    sigset_t mask;

    signal(sig, SIG_DFL);
    sigemptyset(&mask);
    sigaddset(&mask, sig);
    raise(sig);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

/* --- the loop --- */

enum { POLL_TUNNEL, POLL_SIGNAL, POLL_STDIN, POLL_STDOUT, POLL_STDERR, POLL_COUNT };

static void look_at_clock(struct session *s)
{
    uint64_t now = deis_now_ms();

    if (now - s->said_ms > DEIS_RUN_PING_MS && s->out.len == 0) {
        say(s, DEIS_RUN_PING, DEIS_STR_NONE);
    }
    if (has_data(s)) {
        s->heard_ms = now; /* it is we who do not listen */
    } else if (now - s->heard_ms > DEIS_RUN_SILENCE_MS) {
        lose(s, "the controller says nothing any more; the command gets a hangup");
    }
}

static void turn(struct session *s)
{
    bool ready = wants_input(s) && s->input.len > 0;
    struct pollfd p[POLL_COUNT] = {
        [POLL_TUNNEL] = { deis_tunnel_fd(s->tunnel), 0, 0 },
        [POLL_SIGNAL] = { s->signal_fd, POLLIN, 0 },
        [POLL_STDIN] = { wants_input(s) ? STDIN_FILENO : -1, POLLIN, 0 },
        [POLL_STDOUT] = { s->data[0].len > 0 ? STDOUT_FILENO : -1, POLLOUT, 0 },
        [POLL_STDERR] = { s->data[1].len > 0 ? STDERR_FILENO : -1, POLLOUT, 0 },
    };
    p[POLL_TUNNEL].events = (short)((has_data(s) ? 0 : POLLIN) | (s->out.len > 0 ? POLLOUT : 0));
    p[POLL_TUNNEL].fd = p[POLL_TUNNEL].events ? p[POLL_TUNNEL].fd : -1;
    if (poll(p, POLL_COUNT, ready ? 0 : TURN_MS) < 0) {
        return;
    }
    if (p[POLL_SIGNAL].revents) {
        read_signal(s);
    }
    if (p[POLL_STDOUT].revents) {
        write_data(s, 0);
    }
    if (p[POLL_STDERR].revents) {
        write_data(s, 1);
    }
    if (!s->over && (p[POLL_STDIN].revents || ready)) {
        read_stdin(s);
    }
    if (!s->over && !has_data(s)) {
        read_tunnel(s); /* TLS may hold bytes that poll() does not know of */
    }
    write_tunnel(s);
    look_at_clock(s);
}

/* What has come of the command's output is shown, whatever ended it. */
static void write_rest(struct session *s)
{
    bool broken = s->fatal_signal == SIGPIPE;

    for (int which = 0; which < 2; which++) {
        while (s->data[which].len > 0 && !broken) {
            write_data(s, which);
        }
    }
}

int attach_run(struct client *c, const struct attach *a)
{
    struct session s = { .client = c, .what = a, .signal_fd = -1 };
    int failed = -1;

    for (int which = 0; which < 2; which++) {
        deis_buf_init(&s.data[which], DEIS_RUN_DATA_MAX);
    }
    deis_buf_init(&s.out, DEIS_RUN_OPEN_MAX + DEIS_RUN_DATA_MAX);
    deis_buf_init(&s.in, READ_BYTES);
    deis_buf_init(&s.input, a->input.len + 1);
    deis_buf_add_str(&s.input, a->input);
    deis_run_reader_init(&s.reader, false);
    /* Nothing runs before the first frame: until then signals end this process as ever. */
    if (check_command(c, a->command) == 0 &&
        api_upgrade(c, request_run_attached(a->app), DEIS_RUN_PROTOCOL, &s.tunnel) == 0 &&
        watch_signals(&s) == 0) {
        s.heard_ms = s.said_ms = deis_now_ms();
        say_what(&s);
        while (!s.over) {
            turn(&s);
        }
        write_rest(&s);
        failed = c->error.len > 0 ? -1 : 0;
    }
    rawmode_stop();
    deis_tunnel_close(s.tunnel);
    if (s.signal_fd >= 0) {
        close(s.signal_fd);
        sigprocmask(SIG_SETMASK, &s.old_mask, NULL);
    }
    deis_run_reader_clear(&s.reader);
    deis_buf_clear(&s.out);
    deis_buf_clear(&s.in);
    deis_buf_clear(&s.input);
    deis_buf_clear(&s.data[0]);
    deis_buf_clear(&s.data[1]);
    if (s.fatal_signal != 0) {
        die_of(s.fatal_signal);
    }
    return failed;
}
