/* SPDX-License-Identifier: MIT */
/*
 * What the bus server and both clients share: nanomsg sockets, envelopes, and a request with its
 * resends. Private to the bus. thread: one owner per object
 */
#ifndef DEIS_NET_BUS_WIRE_H
#define DEIS_NET_BUS_WIRE_H

#include "envelope.pb-c.h"

#include "lib/net/bus.h"
#include "lib/net/bus_frame.h"

#define DEIS_BUS_TEXT_MAX  64 /* bytes of a method name or an operation id */
#define DEIS_BUS_ROUTE_MAX 16
#define DEIS_BUS_SILENT_MS 5000 /* a peer that says nothing for so long gets a new connection */

/* BusAnswer.code beside 0 and deis_code: not the end of a request. */
enum {
    DEIS_BUS_WORKING = 1,  /* received, still under way */
    DEIS_BUS_GREETING = 2, /* not taken: send again with the token in this frame's header */
};

/* A raw socket (NN_REQ or NN_REP) with our options. */
int deis_bus_socket_open(int protocol, int *ret_sock, struct deis_err *err) deis_must_check;

struct deis_bus_packet {
    uint8_t *frame; /* from nanomsg */
    size_t len;
    uint8_t route[DEIS_BUS_ROUTE_MAX]; /* nanomsg's header: the way back */
    size_t route_len;
};

/* False: nothing there within the socket's time-out (or now, with NN_DONTWAIT). */
bool deis_bus_receive(int sock, int flags, struct deis_bus_packet *ret);
void deis_bus_packet_clear(struct deis_bus_packet *p);
/* frame is from nn_allocmsg() and gone afterwards. False: not sent. */
bool deis_bus_transmit(int sock, int flags, uint8_t *frame, const uint8_t *route, size_t route_len);

/* Unpack within bounds of memory; free with protobuf_c_message_free_unpacked(, NULL). NULL:
 * malformed. */
ProtobufCMessage *deis_bus_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                  size_t len);

/* --- a request on its way --- */

#define DEIS_BUS_TRIES_KEPT 4

struct deis_bus_request {
    uint8_t *plain; /* packed BusRequest */
    size_t plain_len;
    char method[DEIS_BUS_TEXT_MAX + 1];
    unsigned sends;
    /* The last tries, each of which may still be answered; [sends % TRIES_KEPT] is the oldest. */
    struct deis_frame_ref tries[DEIS_BUS_TRIES_KEPT];
    uint64_t next_send_ms;
};

/* op NULL: a fresh one. */
int deis_bus_request_init(struct deis_bus_request *r, const char *method, const char *op,
                          const ProtobufCMessage *msg, struct deis_err *err) deis_must_check;
void deis_bus_request_clear(struct deis_bus_request *r);
/* nanomsg's request id of a try. */
uint32_t deis_bus_try_id(const struct deis_frame_ref *ref);
/* Seal and send once more; sets next_send_ms. False: the socket takes nothing now. */
bool deis_bus_request_send(struct deis_bus_request *r, int sock, int flags,
                           struct deis_frame_sealer *sealer,
                           const uint8_t token[DEIS_FRAME_ID_BYTES], uint64_t now_ms);
/* Is the packet an answer to one of the tries? Opens it; token is replaced by the server's current
 * one. Yours (deis__bus_answer__free_unpacked), NULL = to be ignored. Code WORKING puts off the
 * next send. */
Deis__BusAnswer *deis_bus_request_answer(struct deis_bus_request *r,
                                         const struct deis_bus_packet *p,
                                         struct deis_frame_opener *opener,
                                         uint8_t token[DEIS_FRAME_ID_BYTES], uint64_t now_ms);
/* A final answer as result: 0 and *ret_msg (yours), or the server's failure. */
int deis_bus_answer_result(const Deis__BusAnswer *answer, const char *method,
                           const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret_msg,
                           struct deis_err *err) deis_must_check;

#endif
