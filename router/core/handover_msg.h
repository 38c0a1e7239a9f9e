/* SPDX-License-Identifier: MIT */
/*
 * The words of a hand-over from the running router (the old one) to a new process, one a packet:
 *
 * - The new one: HELLO <version> <http address>.
 *
 * - The old one: SOCKETS <kind> <count> with as many descriptors, some times; then END.
 *
 * - The new one, when all its parts have started: TAKE.
 *
 * - The old one, when it is ready to leave: READY.
 *
 * - The new one, when it accepts connections: TAKEN. The old one accepts no more.
 *
 * The old one may say REFUSED <reason> at any time before: it serves on. Either may end without a
 * word, and the other one serves. Pure: no socket. thread: any
 */
#ifndef DEIS_ROUTER_CORE_HANDOVER_MSG_H
#define DEIS_ROUTER_CORE_HANDOVER_MSG_H

#include "lib/base/str.h"

enum {
    HANDOVER_VERSION = 1,
    HANDOVER_TEXT_MAX = 200,
    HANDOVER_PACKET_MAX = 256,
    HANDOVER_FDS_MAX = 64, /* in one packet; the kernel takes 253 */
};

enum handover_type {
    HANDOVER_HELLO,
    HANDOVER_SOCKETS,
    HANDOVER_END,
    HANDOVER_TAKE,
    HANDOVER_READY,
    HANDOVER_TAKEN,
    HANDOVER_REFUSED,
};

/* What a listening socket is for. */
enum socket_kind { SOCKET_HTTP, SOCKET_HTTPS, SOCKET_SSH, SOCKET_METRICS, SOCKET_KINDS };

struct handover_msg {
    enum handover_type type;
    uint32_t version;      /* of HELLO */
    enum socket_kind kind; /* of SOCKETS */
    uint32_t count;        /* of SOCKETS, 1 to HANDOVER_FDS_MAX */
    struct deis_str text;  /* of HELLO and REFUSED; a view of the packet */
};

/* Returns DEIS_PROTOCOL for anything but one whole packet as above. A HELLO of another version
 * is read, whatever follows its version. */
int handover_parse(struct deis_str packet, struct handover_msg *ret,
                   struct deis_err *err) deis_must_check;
/* The packet's length; text beyond HANDOVER_TEXT_MAX is cut. */
size_t handover_write(char out[HANDOVER_PACKET_MAX], const struct handover_msg *m);

#endif
