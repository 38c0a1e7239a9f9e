/* SPDX-License-Identifier: MIT */
#include "router/core/handover_msg.h"

#include <stdio.h>

static const char *const words[] = {
    [HANDOVER_HELLO] = "HELLO",     [HANDOVER_SOCKETS] = "SOCKETS", [HANDOVER_END] = "END",
    [HANDOVER_TAKE] = "TAKE",       [HANDOVER_READY] = "READY",     [HANDOVER_TAKEN] = "TAKEN",
    [HANDOVER_REFUSED] = "REFUSED",
};

static const char *const kinds[SOCKET_KINDS] = {
    [SOCKET_HTTP] = "http",
    [SOCKET_HTTPS] = "https",
    [SOCKET_SSH] = "ssh",
    [SOCKET_METRICS] = "metrics",
};

/* Index of word in names, or -1. */
static int find(const char *const *names, size_t count, struct deis_str word)
{
    for (size_t i = 0; i < count; i++) {
        if (deis_str_eq_cstr(word, names[i])) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_printable(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool take_number(struct deis_str *rest, uint64_t max, uint32_t *ret)
{
    struct deis_str part;
    uint64_t n;

    if (!deis_str_split(rest, ' ', &part) || deis_str_to_u64(part, 1, max, &n, NULL) < 0) {
        return false;
    }
    *ret = (uint32_t)n;
    return true;
}

static bool parse_hello(struct deis_str rest, struct handover_msg *m)
{
    if (!take_number(&rest, UINT32_MAX, &m->version)) {
        return false;
    }
    m->text = rest;
    return m->version != HANDOVER_VERSION || rest.len > 0;
}

static bool parse_sockets(struct deis_str rest, struct handover_msg *m)
{
    struct deis_str kind;
    int k = deis_str_split(&rest, ' ', &kind) ? find(kinds, SOCKET_KINDS, kind) : -1;

    if (k < 0 || !take_number(&rest, HANDOVER_FDS_MAX, &m->count)) {
        return false;
    }
    m->kind = (enum socket_kind)k;
    return !rest.ptr;
}

int handover_parse(struct deis_str packet, struct handover_msg *ret, struct deis_err *err)
{
    struct deis_str rest = packet;
    struct deis_str word;
    bool good = false;
    int type = packet.len <= HANDOVER_PACKET_MAX && is_printable(packet) &&
                       deis_str_split(&rest, ' ', &word)
                   ? find(words, DEIS_COUNT(words), word)
                   : -1;

    *ret = (struct handover_msg){ .type = (enum handover_type)type };
    if (type == HANDOVER_HELLO) {
        good = parse_hello(rest, ret);
    } else if (type == HANDOVER_SOCKETS) {
        good = parse_sockets(rest, ret);
    } else if (type == HANDOVER_REFUSED) {
        ret->text = rest;
        good = rest.len > 0;
    } else {
        good = type >= 0 && !rest.ptr;
    }
    return good && ret->text.len <= HANDOVER_TEXT_MAX
               ? 0
               : deis_err_set(err, DEIS_PROTOCOL, "no word of a hand-over: '%.*s'",
                              DEIS_STR_ARG(deis_str_first(packet, 40)));
}

size_t handover_write(char out[HANDOVER_PACKET_MAX], const struct handover_msg *m)
{
    struct deis_str text = deis_str_first(m->text, HANDOVER_TEXT_MAX);
    const char *word = words[m->type];
    int n;

    switch (m->type) {
    case HANDOVER_HELLO:
        n = snprintf(out, HANDOVER_PACKET_MAX, "%s %u %.*s", word, m->version, DEIS_STR_ARG(text));
        break;
    case HANDOVER_SOCKETS:
        n = snprintf(out, HANDOVER_PACKET_MAX, "%s %s %u", word, kinds[m->kind], m->count);
        break;
    case HANDOVER_REFUSED:
        n = snprintf(out, HANDOVER_PACKET_MAX, "%s %.*s", word, DEIS_STR_ARG(text));
        break;
    default: n = snprintf(out, HANDOVER_PACKET_MAX, "%s", word); break;
    }
    return (size_t)n;
}
