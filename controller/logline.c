/* SPDX-License-Identifier: MIT */
#include "controller/logline.h"

#include "lib/base/clock.h"

void logline_add(struct deis_buf *out, const char *app, const Deis__LogLines *lines)
{
    for (size_t i = 0; i < lines->n_entries; i++) {
        const Deis__LogEntry *e = lines->entries[i];
        deis_time_format_model(e->time_ms, out);
        deis_buf_addf(out, " %s[%s]: ", app, e->process);
        deis_buf_add(out, e->text.data, e->text.len);
        deis_buf_add_char(out, '\n');
    }
}

void logline_add_text(struct deis_buf *out, struct deis_str text)
{
    while (text.len > 0) {
        size_t step = text.ptr[0] == '\0' ? 0 : deis_utf8_step(text);
        if (step > 0) {
            deis_buf_add(out, text.ptr, step);
        } else {
            deis_buf_add_cstr(out, "\xEF\xBF\xBD");
            step = 1;
        }
        text = deis_str_skip(text, step);
    }
}
