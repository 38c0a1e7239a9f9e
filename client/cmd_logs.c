/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/logline.h"
#include "client/core/pairs.h"

#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX       ((size_t)64 << 20)
#define LINE_MAX_BYTES ((size_t)1 << 20)

/* Lines that come in pieces. */
struct tail {
    struct deis_buf line;
    struct deis_buf text;
    enum logline_form form;
    bool safe;
};

static void flush_line(struct tail *t)
{
    logline_add(deis_buf_str(&t->line), t->form, t->safe, &t->text);
    term_print(&t->text);
    deis_buf_reset(&t->text);
    deis_buf_reset(&t->line);
}

static void on_tail_data(struct deis_str data, void *arg)
{
    struct tail *t = arg;
    ptrdiff_t end;

    while ((end = deis_str_find(data, '\n')) >= 0) {
        deis_buf_add_str(&t->line, deis_str_first(data, (size_t)end));
        flush_line(t);
        data = deis_str_skip(data, (size_t)end + 1);
    }
    if (t->line.len + data.len > LINE_MAX_BYTES) {
        flush_line(t);
    }
    deis_buf_add_str(&t->line, data);
    if (ferror(stdout)) {
        exit(1);
    }
}

static int follow(struct client *c, struct request r, enum logline_form form)
{
    struct tail t = { DEIS_BUF_INIT(2 * LINE_MAX_BYTES), DEIS_BUF_INIT(TEXT_MAX), form,
                      isatty(STDOUT_FILENO) == 1 };

    int code = api_stream(c, r, on_tail_data, &t);
    if (t.line.len > 0) {
        flush_line(&t);
    }
    deis_buf_clear(&t.line);
    deis_buf_clear(&t.text);
    return code < 0 ? code : client_fail(c, "the controller ended the log");
}

static enum logline_form form_of(const struct options *o)
{
    if (o->given[OPTION_JSON]) {
        return LOGLINE_JSON;
    }
    return term_may_colour() ? LOGLINE_COLOURED : LOGLINE_PLAIN;
}

int apps_logs(struct client *c, const struct options *o)
{
    const char *count = options_get(o, OPTION_LINES, NULL);
    const char *process = options_get(o, OPTION_PS, NULL);
    struct deis_buf body;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(2 * TEXT_MAX);
    const char *app = NULL;
    struct deis_err err;
    long lines = 0;

    if (count && pairs_number(count, &lines, &err) < 0) {
        return client_fail_err(c, &err);
    }
    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    struct request r = request_logs(app, lines, process, o->given[OPTION_TAIL]);
    if (o->given[OPTION_TAIL]) {
        return follow(c, r, form_of(o));
    }
    if (api_text(c, r, &body) < 0) {
        return -1;
    }
    logline_add_all(deis_buf_str(&body), form_of(o), isatty(STDOUT_FILENO) == 1, &text);
    deis_buf_clear(&body);
    term_print(&text);
    return 0;
}
