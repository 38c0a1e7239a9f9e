/* SPDX-License-Identifier: MIT */
/* Any cells: one line a row, whatever is in them, and nothing that a terminal would obey. Cells end
 * with NUL. */
#include "deisctl/core/table.h"

#define COLUMNS 3

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const titles[COLUMNS] = { "A", "B", "C" };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(64 * 1024 * 1024);
    deis_autofree char *text = deis_str_dup(deis_str_n((const char *)data, size));
    const char *cells[COLUMNS];
    size_t lines = 0;
    struct table t;

    table_init(&t, titles, COLUMNS);
    size_t filled = 0;
    for (const char *p = text; p < text + size && t.rows < 64; p += strlen(p) + 1) {
        cells[filled++] = *p ? p : NULL;
        if (filled == COLUMNS) {
            table_add(&t, cells);
            filled = 0;
        }
    }
    table_format(&t, &out);
    check(!deis_buf_failed(&out));
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];
        lines += c == '\n';
        check(c == '\n' || (c >= ' ' && c != 0x7f));
    }
    check(lines == t.rows);
    table_clear(&t);
    return 0;
}
