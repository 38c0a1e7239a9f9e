/* SPDX-License-Identifier: MIT */
#include "controller/core/oneline.h"

static const char cut_mark[] = "...";

static bool is_control(struct deis_str c)
{
    unsigned char byte = (unsigned char)c.ptr[0];

    return c.len == 1 && byte != '\t' && (byte < 0x20 || byte == 0x7f);
}

static void add_shown(struct deis_buf *out, struct deis_str character)
{
    if (character.ptr[0] == '\n') {
        deis_buf_add_cstr(out, "\\n");
    } else if (is_control(character)) {
        deis_buf_addf(out, "\\x%02x", (unsigned)(unsigned char)character.ptr[0]);
    } else {
        deis_buf_add_str(out, character);
    }
}

char *oneline(struct deis_str text, size_t max)
{
    struct deis_buf out = DEIS_BUF_INIT(max + 4); /* the last character may be too much */
    size_t fits = 0;                              /* bytes of out that leave room for the mark */

    while (text.len > 0 && out.len <= max) {
        size_t step = deis_utf8_step(text);
        struct deis_str character = deis_str_first(text, step > 0 ? step : 1);
        add_shown(&out, character);
        text = deis_str_skip(text, character.len);
        if (out.len + strlen(cut_mark) <= max) {
            fits = out.len;
        }
    }
    if (out.len > max) {
        out.len = fits;
        deis_buf_add_cstr(&out, cut_mark);
    }
    return deis_buf_take(&out, NULL);
}
