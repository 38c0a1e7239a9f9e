/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/safe.h"
#include "client/core/shape.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define FRAME_MS   400
#define ANSWER_MAX 4096

static struct {
    bool on;
    unsigned frame;
    uint64_t next_ms;
} spinner;

static void print_to(FILE *f, struct deis_str text)
{
    deis_autobuf struct deis_buf safe = DEIS_BUF_INIT(4 * text.len + 1);

    if (isatty(fileno(f)) == 1) {
        safe_add_lines(text, &safe);
        text = deis_buf_str(&safe);
    }
    fwrite(text.ptr, 1, text.len, f);
    fflush(f);
}

void term_print(const struct deis_buf *b)
{
    print_to(stdout, deis_buf_str(b));
}

void term_print_error(const struct deis_buf *b)
{
    print_to(stderr, deis_buf_str(b));
}

int term_print_json(struct client *c, const struct options *o, const json_t *value)
{
    deis_autojson json_t *shaped = shape_apply(o->command->json, value);

    if (!shaped) {
        return client_fail(c, "the controller's answer is not of the expected kind");
    }
    json_dumpf(shaped, stdout, JSON_INDENT(2));
    printf("\n");
    return 0;
}

bool term_may_colour(void)
{
    const char *no = getenv("NO_COLOR");

    return !no || !no[0];
}

static void draw_frame(void)
{
    static const char *const frames[] = { "...", "o..", ".o.", "..o" };

    printf("%s", frames[spinner.frame]);
    fflush(stdout);
    spinner.frame = (spinner.frame + 1) % DEIS_COUNT(frames);
    spinner.next_ms = deis_now_ms() + FRAME_MS;
}

void term_spin_start(void)
{
    spinner.on = true;
    spinner.frame = 0;
    draw_frame();
}

void term_spin(void)
{
    if (spinner.on && deis_now_ms() >= spinner.next_ms) {
        printf("\b\b\b");
        draw_frame();
    }
}

void term_spin_stop(void)
{
    if (spinner.on) {
        spinner.on = false;
        printf("\b\b\b");
        fflush(stdout);
    }
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    interrupted = sig;
}

/* Until there is something to read, or one of the signals has come that only `open` lets in. */
static void await_input(const sigset_t *open)
{
    struct pollfd in = { STDIN_FILENO, POLLIN, 0 };

    while (!interrupted && ppoll(&in, 1, NULL, open) < 0 && errno == EINTR) {
    }
}

/* One line from stdin, read byte by byte: what follows it is left for the next question. Ends at a
 * signal that `open`, if given, lets in. */
static char *read_line(const sigset_t *open)
{
    deis_autobuf struct deis_buf line = DEIS_BUF_INIT(ANSWER_MAX);
    char c = 0;

    for (;;) {
        if (open) {
            await_input(open);
        }
        ssize_t n = interrupted ? 0 : read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || c == '\n') {
            return deis_buf_take(&line, NULL);
        }
        deis_buf_add_char(&line, c);
    }
}

char *term_ask(const char *prompt)
{
    print_to(stdout, deis_str(prompt));
    deis_autofree char *line = read_line(NULL);
    struct deis_str rest = deis_str_trim(deis_str(line));
    struct deis_str word = DEIS_STR_NONE;

    (void)deis_str_split(&rest, ' ', &word);
    return deis_str_dup(word);
}

/* Reads with the echo off, and puts it on again whatever ends it. */
static char *read_silently(const struct termios *before)
{
    static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
    const struct sigaction stop = { .sa_handler = on_interrupt };
    struct sigaction old[DEIS_COUNT(signals)];
    struct termios silent = *before;
    sigset_t blocked;
    sigset_t open;

    silent.c_lflag &= ~(tcflag_t)ECHO;
    sigemptyset(&blocked);
    for (size_t i = 0; i < DEIS_COUNT(signals); i++) {
        sigaddset(&blocked, signals[i]);
        sigaction(signals[i], &stop, &old[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, &open);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    char *line = read_line(&open);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
    for (size_t i = 0; i < DEIS_COUNT(signals); i++) {
        sigaction(signals[i], &old[i], NULL);
    }
    sigprocmask(SIG_SETMASK, &open, NULL);
    printf("\n");
    fflush(stdout);
    if (interrupted) {
        raise(interrupted);
    }
    return line;
}

int term_ask_password(struct client *c, const char *prompt, char **ret)
{
    struct termios before;

    printf("%s", prompt);
    fflush(stdout);
    *ret = NULL;
    if (tcgetattr(STDIN_FILENO, &before) < 0) {
        printf("\n");
        return client_fail(c, "inappropriate ioctl for device: stdin is no terminal, "
                              "give passwords by their options");
    }
    *ret = read_silently(&before);
    return 0;
}
