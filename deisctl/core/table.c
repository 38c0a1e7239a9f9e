/* SPDX-License-Identifier: MIT */
#include "deisctl/core/table.h"

void table_init(struct table *t, const char *const *titles, size_t columns)
{
    *t = (struct table){ .columns = columns };
    table_add(t, titles);
}

void table_add(struct table *t, const char *const *cells)
{
    t->cells = deis_realloc_array(t->cells, (t->rows + 1) * t->columns, sizeof(*t->cells));
    for (size_t c = 0; c < t->columns; c++) {
        t->cells[t->rows * t->columns + c] = deis_strdup(cells[c] ? cells[c] : "-");
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
