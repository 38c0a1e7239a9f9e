/* SPDX-License-Identifier: MIT */
#include "deisctl/core/table.h"

void table_init(struct table *t, const char *const *titles, size_t columns)
{
    if (columns == 0 || columns > TABLE_COLUMNS_MAX) {
        abort();
    }
    *t = (struct table){ .columns = columns };
    table_add(t, titles);
}

void table_clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        /* U+0080 to U+009F, as UTF-8, are control characters too. */
        bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
        if (*p < ' ' || *p == 0x7f || c1) {
            *p = '?';
        }
        if (c1) {
            *++p = '?';
        }
    }
}

void table_add(struct table *t, const char *const *cells)
{
    t->cells = deis_realloc_array(t->cells, (t->rows + 1) * t->columns, sizeof(*t->cells));
    for (size_t c = 0; c < t->columns; c++) {
        char *cell = deis_strdup(cells[c] && *cells[c] ? cells[c] : "-");
        table_clean(cell);
        t->cells[t->rows * t->columns + c] = cell;
    }
    t->rows++;
}

void table_format(const struct table *t, struct deis_buf *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = { 0 };

    for (size_t i = 0; i < t->rows * t->columns; i++) {
        size_t len = strlen(t->cells[i]);
        size_t *width = &widths[i % t->columns];
        *width = len > *width ? len : *width;
    }
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        size_t c = i % t->columns;
        if (c + 1 == t->columns) {
            deis_buf_addf(out, "%s\n", t->cells[i]);
        } else {
            deis_buf_addf(out, "%-*s  ", (int)widths[c], t->cells[i]);
        }
    }
}

void table_clear(struct table *t)
{
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    *t = (struct table){ 0 };
}
