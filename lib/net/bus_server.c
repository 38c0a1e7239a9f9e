/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/net/bus_wire.h"
#include "lib/net/log.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <pthread.h>
#include <sys/queue.h>

#define BATCH          64
#define OPEN_MAX       4096
#define OPEN_MAX_BYTES ((size_t)64 << 20)
#define KEPT_MS        120000
#define KEPT_MAX_BYTES ((size_t)16 << 20)
#define SWEEP_MS       10000
#define COMPLAIN_MS    10000
#define OP_KEY_MAX     (DEIS_FRAME_NAME_MAX + 2 * DEIS_BUS_TEXT_MAX + 3)

/* Where an answer goes: the newest frame that asked. */
struct route {
    uint8_t bytes[DEIS_BUS_ROUTE_MAX];
    size_t len;
    struct deis_frame_ref ref;
};

/* An operation: under way (call is set) or answered and kept. */
struct op {
    TAILQ_ENTRY(op) link; /* among the answered, oldest first */
    struct deis_str key;  /* sender, method, operation id; NUL between; behind the struct */
    struct deis_bus_call *call;
    uint8_t *answer; /* packed BusAnswer */
    size_t answer_len;
    uint64_t until_ms;
};

struct deis_bus_call {
    struct deis_bus_server *server;
    const struct deis_bus_method *method;
    struct op *op;
    ProtobufCMessage *msg;
    size_t bytes;
    struct route route;
    char peer[DEIS_FRAME_NAME_MAX + 1];
    uint8_t *answer;
    size_t answer_len;
};

TAILQ_HEAD(op_list, op);

struct deis_bus_server {
    struct deis_loop *loop;
    int sock;
    struct event *readable;
    struct deis_timer *sweep;
    bool sweeping;
    struct deis_keys *keys; /* NULL: the key never changes */
    unsigned keys_version;
    struct deis_frame_gate *gate;
    struct deis_frame_sealer *sealer;
    const struct deis_bus_method *methods;
    size_t method_count;
    void *arg;
    struct deis_map *ops;
    struct op_list kept;
    size_t kept_bytes;
    size_t open_count;
    size_t open_bytes;
    uint64_t complained_ms;

    pthread_mutex_t lock; /* guards what follows */
    pthread_t loop_thread;
    bool closed;
    size_t refs; /* the owner and each open call */
};

static void server_unref(struct deis_bus_server *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->lock);
    if (last) {
        pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

static void op_free(void *value)
{
    struct op *op = value;

    free(op->answer);
    free(op);
}

static size_t op_bytes(const struct op *op)
{
    return sizeof(*op) + 2 * op->key.len + op->answer_len;
}

static void op_forget(struct deis_bus_server *s, struct op *op)
{
    TAILQ_REMOVE(&s->kept, op, link);
    s->kept_bytes -= op_bytes(op);
    deis_map_remove(s->ops, op->key);
}

static void op_keep(struct deis_bus_server *s, struct op *op, uint8_t *answer, size_t answer_len)
{
    op->answer = answer;
    op->answer_len = answer_len;
    op->until_ms = deis_now_ms() + KEPT_MS;
    TAILQ_INSERT_TAIL(&s->kept, op, link);
    s->kept_bytes += op_bytes(op);
    while (s->kept_bytes > KEPT_MAX_BYTES && TAILQ_FIRST(&s->kept) != op) {
        op_forget(s, TAILQ_FIRST(&s->kept));
    }
    if (!s->sweeping) {
        s->sweeping = true;
        deis_timer_after(s->sweep, SWEEP_MS);
    }
}

static void on_sweep(void *arg)
{
    struct deis_bus_server *s = arg;
    uint64_t now = deis_now_ms();
    struct op *op;

    while ((op = TAILQ_FIRST(&s->kept)) != NULL && op->until_ms <= now) {
        op_forget(s, op);
    }
    s->sweeping = op != NULL;
    if (s->sweeping) {
        deis_timer_after(s->sweep, SWEEP_MS);
    }
}

/* --- keys --- */

static void take_keys(struct deis_bus_server *s)
{
    struct deis_keyring ring;

    if (!s->keys || deis_keys_version(s->keys) == s->keys_version) {
        return;
    }
    s->keys_version = deis_keys_get(s->keys, &ring);
    deis_frame_gate_rekey(s->gate, &ring);
    deis_frame_sealer_rekey(s->sealer, &ring.keys[0]);
    deis_keyring_clear(&ring);
}

void deis_bus_server_follow(struct deis_bus_server *s, struct deis_keys *keys)
{
    s->keys = keys;
    s->keys_version = 0;
    take_keys(s);
}

/* --- answers --- */

static void send_plain(struct deis_bus_server *s, const struct route *to, const uint8_t *plain,
                       size_t len)
{
    take_keys(s);
    uint8_t *frame = nn_allocmsg(deis_frame_overhead(s->sealer) + len, 0);

    if (!frame) {
        return;
    }
    memcpy(frame + deis_frame_head_size(s->sealer), plain, len);
    deis_frame_seal(s->sealer, deis_frame_gate_token(s->gate), &to->ref, frame, len);
    /* What can't be sent is not waited for: the client asks again and gets the kept answer. */
    (void)deis_bus_transmit(s->sock, NN_DONTWAIT, frame, to->bytes, to->len);
}

static uint8_t *pack_answer(int code, const char *message, const ProtobufCMessage *msg,
                            size_t *ret_len)
{
    Deis__BusAnswer answer = DEIS__BUS_ANSWER__INIT;
    deis_autofree uint8_t *payload = NULL;
    deis_autofree char *text = deis_strdup(message);

    answer.code = code;
    answer.message = text;
    if (msg) {
        answer.payload.len = protobuf_c_message_get_packed_size(msg);
        payload = deis_alloc(answer.payload.len + 1);
        protobuf_c_message_pack(msg, payload);
        answer.payload.data = payload;
    }
    *ret_len = deis__bus_answer__get_packed_size(&answer);
    uint8_t *plain = deis_alloc(*ret_len + 1);
    deis__bus_answer__pack(&answer, plain);
    return plain;
}

static void send_code(struct deis_bus_server *s, const struct route *to, int code,
                      const char *message)
{
    size_t len = 0;
    deis_autofree uint8_t *plain = pack_answer(code, message, NULL, &len);

    send_plain(s, to, plain, len);
}

static void call_free(struct deis_bus_call *call)
{
    struct deis_bus_server *s = call->server;

    protobuf_c_message_free_unpacked(call->msg, NULL);
    free(call->answer);
    free(call);
    server_unref(s);
}

static void call_finish(void *arg)
{
    struct deis_bus_call *call = arg;
    struct deis_bus_server *s = call->server;

    if (s->closed) {
        call_free(call);
        return;
    }
    send_plain(s, &call->route, call->answer, call->answer_len);
    call->op->call = NULL;
    if (call->method->repeatable) {
        deis_map_remove(s->ops, call->op->key);
    } else {
        op_keep(s, call->op, DEIS_TAKE(call->answer), call->answer_len);
    }
    s->open_count--;
    s->open_bytes -= call->bytes;
    call_free(call);
}

static void call_answer(struct deis_bus_call *call, int code, const char *message,
                        const ProtobufCMessage *msg)
{
    struct deis_bus_server *s = call->server;

    call->answer = pack_answer(code, message, msg, &call->answer_len);
    pthread_mutex_lock(&s->lock);
    bool closed = s->closed;
    bool here = pthread_equal(s->loop_thread, pthread_self());
    if (!closed && !here) {
        deis_loop_post(s->loop, call_finish, call);
    }
    pthread_mutex_unlock(&s->lock);
    if (closed) {
        call_free(call);
    } else if (here) {
        call_finish(call);
    }
}

void deis_bus_reply(struct deis_bus_call *call, const ProtobufCMessage *msg)
{
    char text[128];
    size_t size = protobuf_c_message_get_packed_size(msg);

    if (size > DEIS_BUS_MESSAGE_MAX) {
        snprintf(text, sizeof(text), "answer to '%s' has %zu bytes, %d are allowed",
                 call->method->name, size, DEIS_BUS_MESSAGE_MAX);
        call_answer(call, DEIS_LIMIT, text, NULL);
        return;
    }
    call_answer(call, 0, "", msg);
}

void deis_bus_fail(struct deis_bus_call *call, const struct deis_err *err)
{
    call_answer(call, err->code < 0 ? (int)err->code : (int)DEIS_INTERNAL, err->msg, NULL);
}

const char *deis_bus_peer(const struct deis_bus_call *call)
{
    return call->peer;
}

/* --- requests --- */

static const struct deis_bus_method *find_method(const struct deis_bus_server *s, const char *name)
{
    for (size_t i = 0; i < s->method_count; i++) {
        if (strcmp(s->methods[i].name, name) == 0) {
            return &s->methods[i];
        }
    }
    return NULL;
}

static struct op *op_add(struct deis_bus_server *s, const char *key, size_t key_len)
{
    struct op *op = deis_alloc(sizeof(*op) + key_len);
    char *copy = (char *)(op + 1);

    memcpy(copy, key, key_len);
    op->key = deis_str_n(copy, key_len);
    deis_map_set(s->ops, op->key, op);
    return op;
}

static void start_call(struct deis_bus_server *s, const struct deis_frame *f,
                       const struct route *route, const struct deis_bus_method *method,
                       const Deis__BusRequest *request, struct deis_str key)
{
    char text[DEIS_BUS_TEXT_MAX + 64];

    if (s->open_count >= OPEN_MAX || s->open_bytes + f->body_len > OPEN_MAX_BYTES) {
        send_code(s, route, DEIS_LIMIT, "too many requests under way");
        return;
    }
    ProtobufCMessage *msg =
        deis_bus_unpack(method->request, request->payload.data, request->payload.len);
    if (!msg) {
        snprintf(text, sizeof(text), "request of '%s' is malformed", method->name);
        send_code(s, route, DEIS_PROTOCOL, text);
        return;
    }
    struct deis_bus_call *call = deis_alloc(sizeof(*call));
    call->server = s;
    call->method = method;
    call->msg = msg;
    call->bytes = f->body_len;
    call->route = *route;
    memcpy(call->peer, f->sender, sizeof(call->peer));
    call->op = op_add(s, key.ptr, key.len);
    call->op->call = call;
    s->open_count++;
    s->open_bytes += call->bytes;
    pthread_mutex_lock(&s->lock);
    s->loop_thread = pthread_self();
    s->refs++;
    pthread_mutex_unlock(&s->lock);
    method->handle(call, msg, s->arg);
}

static void take_request(struct deis_bus_server *s, const struct deis_frame *f,
                         const struct route *route)
{
    char key[OP_KEY_MAX];
    char text[DEIS_BUS_TEXT_MAX + 64];
    Deis__BusRequest *request =
        (Deis__BusRequest *)deis_bus_unpack(&deis__bus_request__descriptor, f->body, f->body_len);

    if (!request || strlen(request->method) > DEIS_BUS_TEXT_MAX ||
        strlen(request->operation) > DEIS_BUS_TEXT_MAX || !request->operation[0]) {
        send_code(s, route, DEIS_PROTOCOL, "request is malformed");
        protobuf_c_message_free_unpacked((ProtobufCMessage *)request, NULL);
        return;
    }
    int n = snprintf(key, sizeof(key), "%s%c%s%c%s", f->sender, 0, request->method, 0,
                     request->operation);
    struct deis_str op_key = deis_str_n(key, (size_t)n);
    struct op *op = deis_map_get(s->ops, op_key);
    const struct deis_bus_method *method = find_method(s, request->method);
    if (op && op->call) {
        op->call->route = *route;
        send_code(s, route, DEIS_BUS_WORKING, "");
    } else if (op) {
        send_plain(s, route, op->answer, op->answer_len);
    } else if (!method) {
        snprintf(text, sizeof(text), "there is no method '%s' here", request->method);
        send_code(s, route, DEIS_NOT_FOUND, text);
    } else {
        start_call(s, f, route, method, request, op_key);
    }
    protobuf_c_message_free_unpacked((ProtobufCMessage *)request, NULL);
}

static void complain(struct deis_bus_server *s, const struct deis_err *err, uint64_t now)
{
    if (s->complained_ms != 0 && now - s->complained_ms < COMPLAIN_MS) {
        return;
    }
    s->complained_ms = now;
    deis_warn("bus refused a frame", KV_ERR(err),
              KV_I("refused", deis_frame_gate_refused(s->gate)));
}

static void take_packet(struct deis_bus_server *s, const struct deis_bus_packet *p)
{
    struct deis_frame f;
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t now = deis_now_ms();

    take_keys(s);
    int r = deis_frame_gate_open(s->gate, p->frame, p->len, now, &f, &err);
    if (r < 0 && r != DEIS_CONFLICT) {
        complain(s, &err, now);
        return;
    }
    struct route route = { .len = p->route_len, .ref = f.ref };
    memcpy(route.bytes, p->route, p->route_len);
    if (r == DEIS_CONFLICT) {
        send_code(s, &route, DEIS_BUS_GREETING, "");
        return;
    }
    take_request(s, &f, &route);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct deis_bus_server *s = arg;
    struct deis_bus_packet p = { 0 };

    for (int i = 0; i < BATCH && deis_bus_receive(s->sock, NN_DONTWAIT, &p); i++) {
        take_packet(s, &p);
        deis_bus_packet_clear(&p);
    }
}

/* --- life --- */

static int server_listen(struct deis_bus_server *s, const char *address, struct deis_err *err)
{
    int fd = -1;
    size_t size = sizeof(fd);

    int r = deis_bus_socket_open(NN_REP, &s->sock, err);
    if (r < 0) {
        return r;
    }
    if (nn_bind(s->sock, address) < 0) {
        return deis_err_errno(err, nn_errno(), "can't listen on '%s'", address);
    }
    if (nn_getsockopt(s->sock, NN_SOL_SOCKET, NN_RCVFD, &fd, &size) < 0) {
        return deis_err_errno(err, nn_errno(), "can't watch '%s'", address);
    }
    s->readable = event_new(deis_loop_base(s->loop), fd, EV_READ | EV_PERSIST, on_readable, s);
    if (!s->readable || event_add(s->readable, NULL) != 0) {
        return deis_err_set(err, DEIS_SYSTEM, "can't watch '%s'", address);
    }
    return 0;
}

struct deis_bus_server *deis_bus_server_new(struct deis_loop *loop, const char *address,
                                            const struct deis_key *key, const char *service,
                                            const struct deis_bus_method *methods, size_t count,
                                            void *arg, struct deis_err *err)
{
    struct deis_bus_server *s = deis_alloc(sizeof(*s));

    s->loop = loop;
    s->loop_thread = pthread_self();
    s->sock = -1;
    s->methods = methods;
    s->method_count = count;
    s->arg = arg;
    s->refs = 1;
    s->gate = deis_frame_gate_new(key, deis_now_ms());
    s->sealer = deis_frame_sealer_new(key, service);
    s->ops = deis_map_new(op_free);
    s->sweep = deis_timer_new(loop, on_sweep, s);
    TAILQ_INIT(&s->kept);
    pthread_mutex_init(&s->lock, NULL);
    if (server_listen(s, address, err) < 0) {
        deis_bus_server_free(s);
        return NULL;
    }
    return s;
}

void deis_bus_server_free(struct deis_bus_server *s)
{
    if (!s) {
        return;
    }
    if (s->readable) {
        event_free(s->readable);
    }
    if (s->sock >= 0) {
        nn_close(s->sock);
    }
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    deis_timer_free(s->sweep);
    deis_map_free(s->ops);
    deis_frame_gate_free(s->gate);
    deis_frame_sealer_free(s->sealer);
    server_unref(s);
}

uint64_t deis_bus_server_refused(const struct deis_bus_server *s)
{
    return deis_frame_gate_refused(s->gate);
}
