/* SPDX-License-Identifier: MIT */
#include "lib/net/bus_wire.h"

#include <arpa/inet.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>

#define UNPACK_MAX_BYTES    ((size_t)16 << 20)
#define SOCKET_BUF_BYTES    ((size_t)1 << 20) /* the kernel takes it as an upper bound */
#define RECONNECT_MS        100
#define RECONNECT_MAX_MS    1000
#define RESEND_MS           1000
#define RESEND_MAX_MS       5000
#define RESENDS_AT_ONE_PACE 3

/* --- sockets --- */

static bool set_int(int sock, int level, int option, int value)
{
    return nn_setsockopt(sock, level, option, &value, sizeof(value)) == 0;
}

int deis_bus_socket_open(int protocol, int *ret_sock, struct deis_err *err)
{
    int sock = nn_socket(AF_SP_RAW, protocol);

    if (sock < 0) {
        return deis_err_errno(err, nn_errno(), "can't open a bus socket");
    }
    if (!set_int(sock, NN_TCP, NN_TCP_NODELAY, 1) ||
        !set_int(sock, NN_SOL_SOCKET, NN_RCVMAXSIZE, DEIS_FRAME_MAX) ||
        !set_int(sock, NN_SOL_SOCKET, NN_SNDBUF, SOCKET_BUF_BYTES) ||
        !set_int(sock, NN_SOL_SOCKET, NN_RCVBUF, SOCKET_BUF_BYTES) ||
        !set_int(sock, NN_SOL_SOCKET, NN_RECONNECT_IVL, RECONNECT_MS) ||
        !set_int(sock, NN_SOL_SOCKET, NN_RECONNECT_IVL_MAX, RECONNECT_MAX_MS)) {
        int r = deis_err_errno(err, nn_errno(), "can't set up a bus socket");
        nn_close(sock);
        return r;
    }
    *ret_sock = sock;
    return 0;
}

/* nanomsg hands out its header as one control message: its length, then the bytes. */
static bool read_route(void *control, struct deis_bus_packet *ret)
{
    struct nn_msghdr hdr = { .msg_control = &control, .msg_controllen = NN_MSG };
    struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR(&hdr);
    size_t len = 0;

    if (!c || c->cmsg_level != PROTO_SP || c->cmsg_type != SP_HDR ||
        c->cmsg_len < NN_CMSG_LEN(sizeof(len))) {
        return false;
    }
    memcpy(&len, NN_CMSG_DATA(c), sizeof(len));
    if (len == 0 || len > sizeof(ret->route)) {
        return false;
    }
    memcpy(ret->route, NN_CMSG_DATA(c) + sizeof(len), len);
    ret->route_len = len;
    return true;
}

bool deis_bus_receive(int sock, int flags, struct deis_bus_packet *ret)
{
    for (;;) {
        void *body = NULL;
        void *control = NULL;
        struct nn_iovec iov = { .iov_base = &body, .iov_len = NN_MSG };
        struct nn_msghdr hdr = {
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = NN_MSG,
        };
        int n = nn_recvmsg(sock, &hdr, flags);
        if (n < 0) {
            return false;
        }
        bool ok = control && read_route(control, ret);
        if (control) {
            nn_freemsg(control);
        }
        if (ok) {
            ret->frame = body;
            ret->len = (size_t)n;
            return true;
        }
        nn_freemsg(body);
    }
}

void deis_bus_packet_clear(struct deis_bus_packet *p)
{
    if (p->frame) {
        nn_freemsg(p->frame);
        p->frame = NULL;
    }
}

bool deis_bus_transmit(int sock, int flags, uint8_t *frame, const uint8_t *route, size_t route_len)
{
    /* size_t aligned, as nanomsg reads it through a struct */
    size_t control[NN_CMSG_SPACE(sizeof(size_t) + DEIS_BUS_ROUTE_MAX) / sizeof(size_t)] = { 0 };
    struct nn_cmsghdr *c = (struct nn_cmsghdr *)control;
    void *body = frame;
    struct nn_iovec iov = { .iov_base = &body, .iov_len = NN_MSG };
    struct nn_msghdr hdr = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = NN_CMSG_SPACE(sizeof(size_t) + route_len),
    };

    c->cmsg_len = NN_CMSG_LEN(sizeof(size_t) + route_len);
    c->cmsg_level = PROTO_SP;
    c->cmsg_type = SP_HDR;
    memcpy(NN_CMSG_DATA(c), &route_len, sizeof(route_len));
    memcpy(NN_CMSG_DATA(c) + sizeof(route_len), route, route_len);
    if (nn_sendmsg(sock, &hdr, flags) >= 0) {
        return true;
    }
    nn_freemsg(frame);
    return false;
}

/* --- unpacking --- */

static void *bounded_alloc(void *left_bytes, size_t size)
{
    size_t *left = left_bytes;

    if (size > *left) {
        return NULL;
    }
    *left -= size;
    return malloc(size);
}

static void bounded_free(void *left_bytes, void *p)
{
    free(p);
}

ProtobufCMessage *deis_bus_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                  size_t len)
{
    size_t left = UNPACK_MAX_BYTES;
    ProtobufCAllocator allocator = { bounded_alloc, bounded_free, &left };

    return protobuf_c_message_unpack(type, &allocator, len, data);
}

/* --- requests --- */

int deis_bus_request_init(struct deis_bus_request *r, const char *method, const char *op,
                          const ProtobufCMessage *msg, struct deis_err *err)
{
    char fresh[33];
    Deis__BusRequest envelope = DEIS__BUS_REQUEST__INIT;

    memset(r, 0, sizeof(*r));
    if (strlen(method) > DEIS_BUS_TEXT_MAX || (op && strlen(op) > DEIS_BUS_TEXT_MAX)) {
        return deis_err_set(err, DEIS_INVALID, "method and operation id have at most %d bytes",
                            DEIS_BUS_TEXT_MAX);
    }
    if (!op) {
        deis_random_hex(fresh, 16);
        op = fresh;
    }
    size_t size = protobuf_c_message_get_packed_size(msg);
    if (size > DEIS_BUS_MESSAGE_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "request of '%s' has %zu bytes, %d are allowed",
                            method, size, DEIS_BUS_MESSAGE_MAX);
    }
    deis_autofree uint8_t *payload = deis_alloc(size + 1);
    protobuf_c_message_pack(msg, payload);
    memcpy(r->method, method, strlen(method));
    envelope.method = r->method;
    deis_autofree char *op_copy = deis_strdup(op);
    envelope.operation = op_copy;
    envelope.payload.data = payload;
    envelope.payload.len = size;
    r->plain_len = deis__bus_request__get_packed_size(&envelope);
    r->plain = deis_alloc(r->plain_len + 1);
    deis__bus_request__pack(&envelope, r->plain);
    return 0;
}

void deis_bus_request_clear(struct deis_bus_request *r)
{
    free(r->plain);
    r->plain = NULL;
}

uint32_t deis_bus_try_id(const struct deis_frame_ref *ref)
{
    return (uint32_t)ref->counter | 0x80000000U;
}

/* The first resends come at one pace, then each twice as late. */
static uint64_t resend_delay(unsigned sends)
{
    uint64_t delay = RESEND_MS;

    for (unsigned i = RESENDS_AT_ONE_PACE; i < sends && delay < RESEND_MAX_MS; i++) {
        delay *= 2;
    }
    return delay < RESEND_MAX_MS ? delay : RESEND_MAX_MS;
}

bool deis_bus_request_send(struct deis_bus_request *r, int sock, int flags,
                           struct deis_frame_sealer *sealer,
                           const uint8_t token[DEIS_FRAME_ID_BYTES], uint64_t now_ms)
{
    uint8_t *frame = nn_allocmsg(deis_frame_overhead(sealer) + r->plain_len, 0);

    if (!frame) {
        return false;
    }
    memcpy(frame + deis_frame_head_size(sealer), r->plain, r->plain_len);
    struct deis_frame_ref ref = deis_frame_seal(sealer, token, NULL, frame, r->plain_len);
    uint32_t id = htonl(deis_bus_try_id(&ref));
    if (!deis_bus_transmit(sock, flags, frame, (const uint8_t *)&id, sizeof(id))) {
        return false;
    }
    r->tries[r->sends % DEIS_BUS_TRIES_KEPT] = ref;
    r->sends++;
    r->next_send_ms = now_ms + resend_delay(r->sends);
    return true;
}

static const struct deis_frame_ref *find_try(const struct deis_bus_request *r,
                                             const struct deis_bus_packet *p)
{
    uint32_t id = 0;

    if (p->route_len != sizeof(id)) {
        return NULL;
    }
    memcpy(&id, p->route, sizeof(id));
    id = ntohl(id);
    for (unsigned i = 0; i < r->sends && i < DEIS_BUS_TRIES_KEPT; i++) {
        if (deis_bus_try_id(&r->tries[i]) == id) {
            return &r->tries[i];
        }
    }
    return NULL;
}

Deis__BusAnswer *deis_bus_request_answer(struct deis_bus_request *r,
                                         const struct deis_bus_packet *p,
                                         struct deis_frame_opener *opener,
                                         uint8_t token[DEIS_FRAME_ID_BYTES], uint64_t now_ms)
{
    struct deis_frame f;
    const struct deis_frame_ref *try = find_try(r, p);

    if (!try || deis_frame_open_answer(opener, try, p->frame, p->len, &f, NULL) < 0) {
        return NULL;
    }
    memcpy(token, f.token, DEIS_FRAME_ID_BYTES);
    Deis__BusAnswer *answer =
        (Deis__BusAnswer *)deis_bus_unpack(&deis__bus_answer__descriptor, f.body, f.body_len);
    if (answer && answer->code == DEIS_BUS_WORKING) {
        r->next_send_ms = now_ms + RESEND_MAX_MS;
    }
    return answer;
}

int deis_bus_answer_result(const Deis__BusAnswer *answer, const char *method,
                           const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret_msg,
                           struct deis_err *err)
{
    *ret_msg = NULL;
    if (answer->code < 0 && answer->code >= DEIS_CANCELLED) {
        return deis_err_set(err, (enum deis_code)answer->code, "%s", answer->message);
    }
    if (answer->code == 0) {
        *ret_msg = deis_bus_unpack(type, answer->payload.data, answer->payload.len);
    }
    if (!*ret_msg) {
        return deis_err_set(err, DEIS_PROTOCOL, "answer to '%s' makes no sense", method);
    }
    return 0;
}
