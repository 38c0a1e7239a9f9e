/* SPDX-License-Identifier: MIT */
#include "client/core/columns.h"

#define CELL_MAX 4096
#define GAP      2

void columns_start(struct columns *c, const char *const *titles, size_t width)
{
    *c = (struct columns){ .width = width };
    for (size_t i = 0; i < width; i++) {
        columns_add(c, titles[i]);
    }
}

void columns_add(struct columns *c, const char *text)
{
    c->cells = deis_realloc_array(c->cells, c->cell_count + 1, sizeof(*c->cells));
    c->cells[c->cell_count++] = deis_strdup(text[0] ? text : "-");
}

void columns_addf(struct columns *c, const char *format, ...)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(CELL_MAX);
    va_list args;

    va_start(args, format);
    deis_buf_vaddf(&text, format, args);
    va_end(args);
    columns_add(c, text.data);
}

/* Characters, not bytes: texts are UTF-8. */
static size_t length(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

void columns_finish(struct columns *c, struct deis_buf *out)
{
    size_t widths[COLUMNS_MAX] = { 0 };

    for (size_t i = 0; i < c->cell_count; i++) {
        size_t n = length(c->cells[i]);
        size_t column = i % c->width;
        widths[column] = n > widths[column] ? n : widths[column];
    }
    for (size_t i = 0; i < c->cell_count; i++) {
        size_t column = i % c->width;
        deis_buf_add_cstr(out, c->cells[i]);
        if (column + 1 == c->width) {
            deis_buf_add_char(out, '\n');
        } else {
            deis_buf_addf(out, "%*s", (int)(widths[column] - length(c->cells[i]) + GAP), "");
        }
        free(c->cells[i]);
    }
    free(c->cells);
    *c = (struct columns){ 0 };
}
