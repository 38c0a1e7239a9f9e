/* SPDX-License-Identifier: MIT */
/* Plain text tables: columns as wide as their longest cell, two blanks between. Pure. */
#ifndef DEISCTL_CORE_TABLE_H
#define DEISCTL_CORE_TABLE_H

#include "lib/base/buf.h"

#define TABLE_COLUMNS_MAX 8

struct table {
    size_t columns;
    size_t rows;
    char **cells; /* rows * columns, owned */
};

/* titles: one per column; the first row. */
void table_init(struct table *t, const char *const *titles, size_t columns);
/* What etcd holds may come from an app: control characters, which a terminal would obey, become
 * '?'. */
void table_clean(char *text);
/* One row; cells are copied and cleaned, none and "" print as "-". */
void table_add(struct table *t, const char *const *cells);
void table_format(const struct table *t, struct deis_buf *out);
void table_clear(struct table *t);

#endif
