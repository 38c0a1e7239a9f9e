/* SPDX-License-Identifier: MIT */
/* One-off commands: waited for as ever, detached, or attached to this terminal, pipe or file. */
#include "client/client.h"
#include "client/core/answer.h"
#include "client/core/pairs.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX      ((size_t)64 << 20)
#define INPUT_WAIT_MS 300
#define FIRST_MAX     16384

static char *join_words(const struct options *o)
{
    struct deis_buf b = DEIS_BUF_INIT(TEXT_MAX);

    for (size_t i = 0; i < o->word_count; i++) {
        deis_buf_addf(&b, "%s%s", i > 0 ? " " : "", o->words[i]);
    }
    return deis_buf_take(&b, NULL);
}

/* All output at once, when the command has ended. */
static int run_to_end(struct client *c, const char *app, const char *command)
{
    deis_autojson json_t *answer = NULL;

    printf("Running '%s'...\n", command);
    fflush(stdout);
    if (api_do(c, request_run(app, command, false), &answer) < 0) {
        return -1;
    }
    const json_t *status = json_array_get(answer, 0);
    const json_t *output = json_array_get(answer, 1);
    if (!json_is_integer(status) || !json_is_string(output)) {
        return client_fail(c, "the controller's answer is no result of a command");
    }
    fwrite(json_string_value(output), 1, json_string_length(output), stdout);
    c->exit_status = (int)json_integer_value(status);
    return 0;
}

/* stdout gets the name alone, for scripts. */
static int run_detached(struct client *c, const char *app, const char *command)
{
    deis_autojson json_t *answer = NULL;

    if (api_do(c, request_run(app, command, true), &answer) < 0) {
        return -1;
    }
    const json_t *num = json_object_get(answer, "num");
    if (!json_is_integer(num)) {
        return client_fail(c, "the controller can't run commands detached");
    }
    long long n = (long long)json_integer_value(num);
    fprintf(stderr,
            "Running '%s' detached; output: deis logs -p run.%lld, end: deis ps:stop run.%lld\n",
            command, n, n);
    printf("run.%lld\n", n);
    return 0;
}

/* Is stdin meant for the command? Not when it ends without a byte. One that says nothing for a
 * moment may still. */
static bool has_input(struct deis_buf *first)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

    if (poll(&p, 1, INPUT_WAIT_MS) == 0) {
        return true;
    }
    char *room = deis_buf_reserve(first, FIRST_MAX);
    ssize_t n;
    do {
        n = read(STDIN_FILENO, room, FIRST_MAX);
    } while (n < 0 && errno == EINTR);
    deis_buf_added(first, n > 0 ? (size_t)n : 0);
    return n > 0;
}

static int run_attached(struct client *c, const struct attach *a)
{
    FILE *out = a->tty ? stdout : stderr; /* stdout is the command's own */

    fprintf(out, "Running '%s'...\n", a->command);
    fflush(out);
    return attach_run(c, a);
}

int apps_run(struct client *c, const struct options *o)
{
    deis_autofree char *command = join_words(o);
    deis_autobuf struct deis_buf first = DEIS_BUF_INIT(FIRST_MAX + 1);
    struct attach a = { .command = command };

    if (session_app(c, o, &a.app) < 0) {
        return -1;
    }
    if (o->given[OPTION_DETACH]) {
        return run_detached(c, a.app, command);
    }
    bool keys = isatty(STDIN_FILENO) == 1;
    a.tty = keys && isatty(STDOUT_FILENO) == 1 && !o->given[OPTION_NO_TTY];
    if (!a.tty && !o->given[OPTION_NO_TTY] && (keys || !has_input(&first))) {
        return run_to_end(c, a.app, command);
    }
    a.input = deis_buf_str(&first);
    return run_attached(c, &a);
}

int ps_stop(struct client *c, const struct options *o)
{
    const char *app = NULL;
    struct deis_err err;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    for (size_t i = 0; i < o->word_count; i++) {
        deis_autofree char *type = NULL;
        deis_autofree char *num = NULL;
        if (pairs_process(o->words[i], &type, &num, &err) < 0) {
            return client_fail_err(c, &err);
        }
        if (!num) {
            return client_fail(c, "'%s' is no one-off command, ex: run.3", o->words[i]);
        }
        printf("Stopping %s... ", o->words[i]);
        fflush(stdout);
        if (api_do(c, request_stop(app, type, num), NULL) < 0) {
            return -1;
        }
        printf("done\n");
    }
    return 0;
}
