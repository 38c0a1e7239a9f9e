/* SPDX-License-Identifier: MIT */
#include "client/core/logline.h"

#include "client/core/safe.h"

/* Second blank-separated word of what stands before the first ": ". */
static struct deis_str category(struct deis_str line)
{
    const char *end = memmem(line.ptr, line.len, ": ", 2);
    struct deis_str head = end ? deis_str_first(line, (size_t)(end - line.ptr)) : line;
    struct deis_str word;

    if (!deis_str_split(&head, ' ', &word) || !deis_str_split(&head, ' ', &word)) {
        return DEIS_STR("unknown");
    }
    return word;
}

int logline_colour(struct deis_str line)
{
    struct deis_str word = category(line);
    uint8_t sum = 0;

    for (size_t i = 0; i < word.len; i++) {
        sum = (uint8_t)(sum + (uint8_t)word.ptr[i]);
    }
    int colour = sum % 7 + 1;
    return colour == 7 ? 9 : colour;
}

static void add_member(const char *name, struct deis_str text, struct deis_buf *out)
{
    if (!text.ptr) {
        deis_buf_addf(out, "\"%s\":null", name);
        return;
    }
    deis_buf_addf(out, "\"%s\":\"", name);
    deis_buf_add_json_escaped(out, text);
    deis_buf_add_char(out, '"');
}

/* "<time> <app>[<process>]: <text>" in parts; a line of another form is text only. */
static void add_json(struct deis_str line, struct deis_buf *out)
{
    struct deis_str time = DEIS_STR_NONE;
    struct deis_str process = DEIS_STR_NONE;
    struct deis_str rest = line;
    struct deis_str first;
    const char *end = memmem(line.ptr, line.len, "]: ", 3);

    if (end && deis_str_split(&rest, ' ', &first) && end > first.ptr + first.len) {
        struct deis_str source = deis_str_first(rest, (size_t)(end - rest.ptr));
        ptrdiff_t bracket = deis_str_find(source, '[');
        if (bracket > 0) {
            time = first;
            process = deis_str_skip(source, (size_t)bracket + 1);
            line = deis_str_skip(line, (size_t)(end - line.ptr) + 3);
        }
    }
    deis_buf_add_char(out, '{');
    add_member("time", time, out);
    deis_buf_add_char(out, ',');
    add_member("process", process, out);
    deis_buf_add_char(out, ',');
    add_member("text", line, out);
    deis_buf_add_cstr(out, "}\n");
}

void logline_add(struct deis_str line, enum logline_form form, bool safe, struct deis_buf *out)
{
    if (form == LOGLINE_JSON) {
        add_json(line, out);
        return;
    }
    if (form == LOGLINE_COLOURED) {
        deis_buf_addf(out, "\033[3%dm", logline_colour(line));
    }
    if (safe) {
        safe_add(line, out);
    } else {
        deis_buf_add_str(out, line);
    }
    deis_buf_add_cstr(out, form == LOGLINE_COLOURED ? "\033[0m\n" : "\n");
}

void logline_add_all(struct deis_str body, enum logline_form form, bool safe, struct deis_buf *out)
{
    struct deis_str line;

    while (body.len > 0 && body.ptr[0] == '"') {
        body = deis_str_skip(body, 1);
    }
    while (body.len > 0 && body.ptr[body.len - 1] == '"') {
        body.len--;
    }
    if (!body.ptr) {
        body = DEIS_STR("");
    }
    while (deis_str_split(&body, '\n', &line)) {
        if (body.ptr || line.len > 0 || form == LOGLINE_COLOURED) {
            logline_add(line, form, safe, out);
        }
    }
}
