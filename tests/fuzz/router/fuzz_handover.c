/* SPDX-License-Identifier: MIT */
/* A packet of a hand-over is refused, or what is written of it reads the same. */
#include "router/core/handover_msg.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct handover_msg m;
    struct handover_msg again;
    struct deis_err err;
    char text[HANDOVER_PACKET_MAX];

    if (handover_parse(deis_str_n((const char *)data, size), &m, &err) < 0) {
        return 0;
    }
    check(m.count <= HANDOVER_FDS_MAX && (unsigned)m.kind < SOCKET_KINDS);
    check(m.text.len <= HANDOVER_TEXT_MAX);
    size_t n = handover_write(text, &m);
    check(n < sizeof(text) || m.text.len == 0);
    if (m.type == HANDOVER_HELLO && m.text.len == 0) {
        return 0; /* another version's, which is never written */
    }
    check(handover_parse(deis_str_n(text, n), &again, &err) == 0);
    check(again.type == m.type && again.version == m.version && again.kind == m.kind &&
          again.count == m.count && deis_str_eq(again.text, m.text));
    return 0;
}
