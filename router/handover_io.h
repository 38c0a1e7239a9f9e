/* SPDX-License-Identifier: MIT */
/* Packets of a hand-over on a Unix socket. thread: main */
#ifndef DEIS_ROUTER_HANDOVER_IO_H
#define DEIS_ROUTER_HANDOVER_IO_H

#include "router/core/handover_msg.h"

struct handover_packet {
    struct handover_msg msg; /* its text is in data */
    char data[HANDOVER_PACKET_MAX];
    int fds[HANDOVER_FDS_MAX]; /* yours */
    unsigned fd_count;         /* as msg.count for SOCKETS, else 0 */
};

/* The socket's path below the data folder; false: too long for one. */
bool handover_path(char out[108], const char *data);
/* Send one packet. fds: msg.count descriptors of SOCKETS, else NULL. Does not wait: a queue that is
 * full is an error. */
int handover_send(int s, const struct handover_msg *m, const int *fds,
                  struct deis_err *err) deis_must_check;
/* Receive one packet. DEIS_NOT_FOUND: none is there (a socket that does not block), DEIS_CANCELLED:
 * the other side has closed. After an error no descriptor is yours. */
int handover_recv(int s, struct handover_packet *ret, struct deis_err *err) deis_must_check;
/* Is the process on the other side one of this user's? */
int handover_check_peer(int s, struct deis_err *err) deis_must_check;

#endif
