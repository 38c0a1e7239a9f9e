/* SPDX-License-Identifier: MIT */
#include "client/core/safe.h"

/* Length of "ESC [ digits and ; m" at the start of s, or 0. */
static size_t colour_sequence(struct deis_str s)
{
    size_t n = 2;

    if (s.len < 3 || s.ptr[0] != '\033' || s.ptr[1] != '[') {
        return 0;
    }
    while (n < s.len && ((s.ptr[n] >= '0' && s.ptr[n] <= '9') || s.ptr[n] == ';')) {
        n++;
    }
    return n < s.len && s.ptr[n] == 'm' ? n + 1 : 0;
}

/* Bytes of the control character at the start of s, or 0. U+0080 to U+009F are two bytes in UTF-8.
 */
static size_t control(struct deis_str s)
{
    unsigned char c = (unsigned char)s.ptr[0];

    if ((c < 0x20 && c != '\t') || c == 0x7f) {
        return 1;
    }
    unsigned char next = s.len > 1 ? (unsigned char)s.ptr[1] : 0;
    return c == 0xc2 && next >= 0x80 && next <= 0x9f ? 2 : 0;
}

void safe_add(struct deis_str s, struct deis_buf *out)
{
    while (s.len > 0) {
        size_t n = colour_sequence(s);
        if (n == 0 && (n = control(s)) > 0) {
            for (size_t i = 0; i < n; i++) {
                deis_buf_addf(out, "\\x%02x", (unsigned char)s.ptr[i]);
            }
        } else {
            n = n > 0 ? n : 1;
            deis_buf_add_str(out, deis_str_first(s, n));
        }
        s = deis_str_skip(s, n);
    }
}

void safe_add_lines(struct deis_str s, struct deis_buf *out)
{
    struct deis_str line;

    for (bool first = true; deis_str_split(&s, '\n', &line); first = false) {
        if (!first) {
            deis_buf_add_char(out, '\n');
        }
        safe_add(line, out);
    }
}
