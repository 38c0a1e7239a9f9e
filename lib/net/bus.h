/* SPDX-License-Identifier: MIT */
/*
 * The bus: requests between services, protobuf over nanomsg in a sealed envelope (AES-256-GCM under
 * a key derived from the cluster key; format in proto/README.md). Many requests are in flight side
 * by side over one socket; each has a deadline. A request carries an operation id: the server keeps
 * the answer for a while and repeats it for a repeat, so that resending is safe.
 *
 * Keys change while all goes on: what follows a deis_keys (borrowed for its life) seals with its
 * first key, opens with any of them, and takes up what is new before the next frame.
 */
#ifndef DEIS_NET_BUS_H
#define DEIS_NET_BUS_H

#include "lib/crypto/keys.h"
#include "lib/net/loop.h"

#include <protobuf-c/protobuf-c.h>

#define DEIS_BUS_MESSAGE_MAX (1024 * 1024 - 4096) /* bytes of one packed message */

/* --- server --- */
struct deis_bus_server;
struct deis_bus_call; /* one request to answer, at any later time */

struct deis_bus_method {
    const char *name; /* "logger.append" */
    const ProtobufCMessageDescriptor *request;
    /* msg is unpacked and valid until the answer. Answer with deis_bus_reply() or deis_bus_fail(),
     * now or later, exactly once. thread: loop */
    void (*handle)(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg);
    /* A repeat after the answer may run again (reads, appends by position): its answers are not
     * kept. */
    bool repeatable;
};

/* address: "tcp://127.0.0.1:7001". methods is borrowed for the server's life; service is a DNS
 * label. Calls that are open when the server is freed are still to be answered; nothing is sent
 * then. */
struct deis_bus_server *deis_bus_server_new(struct deis_loop *loop, const char *address,
                                            const struct deis_key *key, const char *service,
                                            const struct deis_bus_method *methods, size_t count,
                                            void *arg, struct deis_err *err) deis_must_check;
void deis_bus_server_follow(struct deis_bus_server *s, struct deis_keys *keys);
void deis_bus_server_free(struct deis_bus_server *s);
void deis_bus_reply(struct deis_bus_call *call, const ProtobufCMessage *msg); /* thread: any */
void deis_bus_fail(struct deis_bus_call *call, const struct deis_err *err);   /* thread: any */
const char *deis_bus_peer(
    const struct deis_bus_call *call); /* the sender's service name, authenticated */
/* Frames that were dropped as not authentic or repeated. thread: loop */
uint64_t deis_bus_server_refused(const struct deis_bus_server *s);

/* --- client on the loop --- */
struct deis_bus_client;
struct deis_bus_client *deis_bus_client_new(struct deis_loop *loop, const struct deis_key *key,
                                            const char *service);
void deis_bus_client_follow(struct deis_bus_client *c, struct deis_keys *keys);
/* Pending calls end with DEIS_CANCELLED. Not from within on_done. */
void deis_bus_client_free(struct deis_bus_client *c);
/* Call a method at address. request is packed before return. on_done is called later, never from
 * within, with the answer (valid during the call) or err: DEIS_TIMEOUT (outcome unknown; may be
 * repeated with the same op), DEIS_UNAVAILABLE (never sent: no connection until the deadline),
 * DEIS_LIMIT (request too large, or too many pending), or what the server failed with. op: an
 * operation id of at most 64 bytes, NULL = a fresh one. The request is sent again when nothing
 * comes back. thread: loop */
void deis_bus_send(
    struct deis_bus_client *c, const char *address, const char *method, const char *op,
    const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer, uint64_t timeout_ms,
    void (*on_done)(const ProtobufCMessage *msg, const struct deis_err *err, void *arg), void *arg);

/* --- client for worker threads and short programs --- */
/* One request, blocking; *ret (free with protobuf_c_message_free_unpacked) may be NULL. Resends
 * with the same op within the deadline; failures as above. A few connections are kept for later
 * calls. thread: any */
struct deis_bus_sync;
struct deis_bus_sync *deis_bus_sync_new(const struct deis_key *key, const char *service);
/* Before the first call. Looks at the key file itself before each frame, so that a program without
 * a loop notices a change too. */
void deis_bus_sync_follow(struct deis_bus_sync *c, struct deis_keys *keys);
void deis_bus_sync_free(struct deis_bus_sync *c);
int deis_bus_call_sync(struct deis_bus_sync *c, const char *address, const char *method,
                       const char *op, const ProtobufCMessage *request,
                       const ProtobufCMessageDescriptor *answer, uint64_t timeout_ms,
                       ProtobufCMessage **ret, struct deis_err *err) deis_must_check;

#endif
