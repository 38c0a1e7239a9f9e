/* SPDX-License-Identifier: MIT */
#include "router/h2_fields.h"

#include "router/core/h2_answer.h"

nghttp2_nv h2_field(struct deis_str name, struct deis_str value)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr, name.len,
                         value.len, NGHTTP2_NV_FLAG_NONE };
}

void h2_trailers_add(struct bufpool *pool, struct bytes *lines, struct deis_str name,
                     struct deis_str value)
{
    size_t room = lines->len + name.len + value.len + H2_ANSWER_EXTRA;

    if (room <= H2_TRAILERS_MAX && bytes_reserve(pool, lines, room)) {
        lines->len = (uint32_t)h2_trailer_add(lines->data, lines->len, name, value);
    }
}

bool h2_trailers_submit(nghttp2_session *session, int32_t id, const struct bytes *lines)
{
    struct deis_str rest = deis_str_n(lines->data, lines->len);
    nghttp2_nv fields[H2_TRAILERS_FIELDS];
    struct deis_str name;
    struct deis_str value;
    size_t n = 0;

    while (n < H2_TRAILERS_FIELDS && h2_trailer_next(&rest, &name, &value)) {
        fields[n++] = h2_field(name, value);
    }
    return n > 0 && nghttp2_submit_trailer(session, id, fields, n) == 0;
}
