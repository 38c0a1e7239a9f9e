/* SPDX-License-Identifier: MIT */
#include "builder/core/push_output.h"

#define INDENT "       "

enum { TEXT, ESC, CSI, OSC, OSC_ESC, TWO_BYTES };

static void end_line(struct push_output *o, struct deis_buf *out)
{
    while (o->len > 0 && o->line[o->len - 1] == ' ') {
        o->len--;
    }
    if (o->len > 0) {
        deis_buf_add_cstr(out, INDENT);
        deis_buf_add(out, o->line, o->len);
    }
    deis_buf_add_char(out, '\n');
    o->len = 0;
    o->carriage = false;
}

static void put(struct push_output *o, char c, struct deis_buf *out)
{
    if (o->carriage) {
        o->len = 0;
        o->carriage = false;
    }
    if (o->len == sizeof(o->line)) {
        end_line(o, out);
    }
    o->line[o->len++] = c;
}

/* Returns the state after c inside an escape sequence. */
static int skip_escape(int state, char c)
{
    switch (state) {
    case ESC:
        if (c == '[') {
            return CSI;
        }
        if (c == ']' || c == 'P' || c == '^' || c == '_') {
            return OSC;
        }
        return c >= 0x20 && c <= 0x2f ? TWO_BYTES : TEXT;
    case CSI: return c >= 0x40 && c <= 0x7e ? TEXT : CSI;
    case OSC: return c == '\a' ? TEXT : c == 033 ? OSC_ESC : OSC;
    case OSC_ESC: return c == '\\' ? TEXT : OSC;
    default: return TEXT;
    }
}

static void feed_char(struct push_output *o, char c, struct deis_buf *out)
{
    if (c == '\n') {
        o->escape = TEXT;
        end_line(o, out);
        return;
    }
    if (o->escape != TEXT) {
        o->escape = skip_escape(o->escape, c);
        return;
    }
    if (c == 033) {
        o->escape = ESC;
    } else if (c == '\r') {
        o->carriage = true;
    } else if (c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f)) {
        put(o, c, out);
    }
}

void push_output_feed(struct push_output *o, struct deis_str text, struct deis_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        feed_char(o, text.ptr[i], out);
    }
}

void push_output_flush(struct push_output *o, struct deis_buf *out)
{
    if (o->len > 0) {
        end_line(o, out);
    }
    o->escape = TEXT;
    o->carriage = false;
}

static bool is_layer_id(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!strchr("0123456789abcdef", s.ptr[i]) || s.ptr[i] == '\0') {
            return false;
        }
    }
    return s.len == PUSH_OUTPUT_LAYER_LEN;
}

bool push_output_layer(struct deis_str lines, char ret_id[PUSH_OUTPUT_LAYER_LEN + 1])
{
    static const char start[] = INDENT " ---> ";
    struct deis_str line;
    bool found = false;

    while (deis_str_split(&lines, '\n', &line)) {
        struct deis_str id = deis_str_skip(line, sizeof(start) - 1);
        if (deis_str_starts(line, start) && is_layer_id(id)) {
            memcpy(ret_id, id.ptr, id.len);
            ret_id[id.len] = '\0';
            found = true;
        }
    }
    return found;
}

void push_output_phase(struct deis_buf *out, const char *text)
{
    deis_buf_addf(out, "-----> %s\n", text);
}

void push_output_note(struct deis_buf *out, struct deis_str text)
{
    struct push_output o = { 0 };

    push_output_feed(&o, text, out);
    push_output_flush(&o, out);
}

void push_output_error(struct deis_buf *out, const char *text)
{
    deis_buf_addf(out, " !     %s\n", text);
}

void push_output_done(struct deis_buf *out, const char *app, uint32_t version, const char *url)
{
    deis_buf_addf(out, INDENT "done, %s:v%u deployed to Deis\n\n" INDENT "%s\n", app, version, url);
}
