/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/net/bus_wire.h"

#include <arpa/inet.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <sys/queue.h>

#define BATCH             64
#define TICK_MS           100 /* while something is pending */
#define PENDING_MAX       4096
#define PENDING_MAX_BYTES ((size_t)64 << 20)
#define PEERS_MAX         256
#define PEER_IDLE_MS      300000

typedef void done_fn(const ProtobufCMessage *msg, const struct deis_err *err, void *arg);

struct pending {
    TAILQ_ENTRY(pending) link; /* of its peer, or of the failed */
    struct peer *peer;
    struct deis_bus_request request;
    const ProtobufCMessageDescriptor *answer;
    uint64_t deadline_ms;
    struct deis_err err; /* of one that failed at once */
    done_fn *on_done;
    void *arg;
};

TAILQ_HEAD(pending_list, pending);

struct peer {
    struct deis_bus_client *client;
    char *address;
    int sock;
    struct event *readable;
    struct event *writable; /* added while blocked */
    bool blocked;           /* the socket takes nothing: no connection, or it is busy */
    uint8_t token[DEIS_FRAME_ID_BYTES];
    struct pending_list pending;
    uint64_t connections;     /* established so far */
    uint64_t silent_since_ms; /* first send after the last sign of life; 0 = not waiting */
    uint64_t used_ms;
};

struct deis_bus_client {
    struct deis_loop *loop;
    struct deis_keys *keys; /* NULL: the key never changes */
    unsigned keys_version;
    struct deis_frame_sealer *sealer;
    struct deis_frame_opener *opener;
    struct deis_map *peers; /* address -> struct peer */
    struct deis_map *tries; /* nanomsg's request id -> struct pending, borrowed */
    struct pending_list failed;
    struct deis_timer *tick;
    bool ticking;
    size_t pending_count;
    size_t pending_bytes;
};

static struct deis_str id_str(const uint32_t *id)
{
    return deis_str_n((const char *)id, sizeof(*id));
}

/* --- keys --- */

static void take_keys(struct deis_bus_client *c)
{
    struct deis_keyring ring;

    if (!c->keys || deis_keys_version(c->keys) == c->keys_version) {
        return;
    }
    c->keys_version = deis_keys_get(c->keys, &ring);
    deis_frame_opener_rekey(c->opener, &ring);
    deis_frame_sealer_rekey(c->sealer, &ring.keys[0]);
    deis_keyring_clear(&ring);
}

void deis_bus_client_follow(struct deis_bus_client *c, struct deis_keys *keys)
{
    c->keys = keys;
    c->keys_version = 0;
    take_keys(c);
}

/* --- pending requests --- */

static void forget_tries(struct deis_bus_client *c, const struct deis_bus_request *r)
{
    for (unsigned i = 0; i < r->sends && i < DEIS_BUS_TRIES_KEPT; i++) {
        uint32_t id = deis_bus_try_id(&r->tries[i]);
        deis_map_remove(c->tries, id_str(&id));
    }
}

/* Off its list and out of the tables, then told. msg and err: one of them. */
static void complete(struct pending *p, const ProtobufCMessage *msg, const struct deis_err *err)
{
    struct deis_bus_client *c = p->peer->client;

    TAILQ_REMOVE(&p->peer->pending, p, link);
    forget_tries(c, &p->request);
    c->pending_count--;
    c->pending_bytes -= p->request.plain_len;
    p->peer->used_ms = deis_now_ms();
    p->on_done(msg, err, p->arg);
    deis_bus_request_clear(&p->request);
    free(p);
}

/* Those that are there now; what is told may add more. */
static void complete_failed(struct deis_bus_client *c)
{
    struct pending_list failed = TAILQ_HEAD_INITIALIZER(failed);
    struct pending *next;

    TAILQ_CONCAT(&failed, &c->failed, link);
    for (struct pending *p = TAILQ_FIRST(&failed); p; p = next) {
        next = TAILQ_NEXT(p, link);
        p->on_done(NULL, &p->err, p->arg);
        deis_bus_request_clear(&p->request);
        free(p);
    }
}

static void send_pending(struct peer *peer, struct pending *p, uint64_t now)
{
    struct deis_bus_client *c = peer->client;
    struct deis_bus_request *r = &p->request;

    if (peer->blocked) {
        return;
    }
    take_keys(c);
    uint32_t oldest = 0;
    bool replaces = r->sends >= DEIS_BUS_TRIES_KEPT;
    if (replaces) {
        oldest = deis_bus_try_id(&r->tries[r->sends % DEIS_BUS_TRIES_KEPT]);
    }
    if (!deis_bus_request_send(r, peer->sock, NN_DONTWAIT, c->sealer, peer->token, now)) {
        peer->blocked = true;
        event_add(peer->writable, NULL);
        return;
    }
    if (replaces) {
        deis_map_remove(c->tries, id_str(&oldest));
    }
    uint32_t id = deis_bus_try_id(&r->tries[(r->sends - 1) % DEIS_BUS_TRIES_KEPT]);
    deis_map_set(c->tries, id_str(&id), p);
    if (peer->silent_since_ms == 0) {
        peer->silent_since_ms = now;
    }
}

static void send_due(struct peer *peer, uint64_t now)
{
    struct pending *p;

    TAILQ_FOREACH (p, &peer->pending, link) {
        if (p->request.next_send_ms <= now) {
            send_pending(peer, p, now);
        }
    }
}

/* --- peers --- */

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct peer *peer = arg;

    peer->blocked = false;
    send_due(peer, deis_now_ms());
}

static void take_packet(struct deis_bus_client *c, struct peer *peer,
                        const struct deis_bus_packet *packet)
{
    uint32_t id = 0;
    uint64_t now = deis_now_ms();
    struct deis_err err = DEIS_ERR_INIT;
    ProtobufCMessage *msg = NULL;

    if (packet->route_len != sizeof(id)) {
        return;
    }
    memcpy(&id, packet->route, sizeof(id));
    id = ntohl(id);
    struct pending *p = deis_map_get(c->tries, id_str(&id));
    if (!p || p->peer != peer) {
        return;
    }
    take_keys(c);
    Deis__BusAnswer *answer =
        deis_bus_request_answer(&p->request, packet, c->opener, peer->token, now);
    if (!answer) {
        return;
    }
    peer->silent_since_ms = 0;
    if (answer->code == DEIS_BUS_GREETING) {
        send_pending(peer, p, now);
    } else if (answer->code != DEIS_BUS_WORKING) {
        int r = deis_bus_answer_result(answer, p->request.method, p->answer, &msg, &err);
        complete(p, msg, r < 0 ? &err : NULL);
        protobuf_c_message_free_unpacked(msg, NULL);
    }
    deis__bus_answer__free_unpacked(answer, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct peer *peer = arg;
    struct deis_bus_packet packet = { 0 };

    for (int i = 0; i < BATCH && deis_bus_receive(peer->sock, NN_DONTWAIT, &packet); i++) {
        take_packet(peer->client, peer, &packet);
        deis_bus_packet_clear(&packet);
    }
}

static void peer_close(struct peer *peer)
{
    if (peer->readable) {
        event_free(peer->readable);
        peer->readable = NULL;
    }
    if (peer->writable) {
        event_free(peer->writable);
        peer->writable = NULL;
    }
    if (peer->sock >= 0) {
        nn_close(peer->sock);
        peer->sock = -1;
    }
}

static void peer_free(void *value)
{
    struct peer *peer = value;

    peer_close(peer);
    free(peer->address);
    free(peer);
}

static struct event *watch(struct peer *peer, int option, short what, event_callback_fn fn)
{
    int fd = -1;
    size_t size = sizeof(fd);

    if (nn_getsockopt(peer->sock, NN_SOL_SOCKET, option, &fd, &size) < 0) {
        return NULL;
    }
    return event_new(deis_loop_base(peer->client->loop), fd, what, fn, peer);
}

static int peer_open(struct peer *peer, struct deis_err *err)
{
    int r = deis_bus_socket_open(NN_REQ, &peer->sock, err);
    if (r < 0) {
        return r;
    }
    if (nn_connect(peer->sock, peer->address) < 0) {
        return deis_err_errno(err, nn_errno(), "can't connect to '%s'", peer->address);
    }
    /* Both descriptors are for reading: that of NN_SNDFD is readable when the socket can send. */
    peer->readable = watch(peer, NN_RCVFD, EV_READ | EV_PERSIST, on_readable);
    peer->writable = watch(peer, NN_SNDFD, EV_READ, on_writable);
    if (!peer->readable || !peer->writable || event_add(peer->readable, NULL) != 0) {
        return deis_err_set(err, DEIS_SYSTEM, "can't watch the connection to '%s'", peer->address);
    }
    peer->blocked = false;
    peer->connections = 0;
    peer->silent_since_ms = 0;
    return 0;
}

static void close_idle_peers(struct deis_bus_client *c, uint64_t now)
{
    size_t cursor = 0;
    struct deis_str address;
    void *value = NULL;

    while (deis_map_next(c->peers, &cursor, &address, &value)) {
        const struct peer *peer = value;
        if (TAILQ_EMPTY(&peer->pending) && now - peer->used_ms > PEER_IDLE_MS) {
            deis_autofree char *copy = deis_strdup(peer->address);
            deis_map_remove(c->peers, deis_str(copy));
        }
    }
}

static int peer_get(struct deis_bus_client *c, const char *address, struct peer **ret,
                    struct deis_err *err)
{
    *ret = deis_map_get(c->peers, deis_str(address));
    if (*ret) {
        return 0;
    }
    close_idle_peers(c, deis_now_ms());
    if (deis_map_count(c->peers) >= PEERS_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "connected to %d peers already", PEERS_MAX);
    }
    struct peer *peer = deis_alloc(sizeof(*peer));
    peer->client = c;
    peer->address = deis_strdup(address);
    peer->sock = -1;
    TAILQ_INIT(&peer->pending);
    int r = peer_open(peer, err);
    if (r < 0) {
        peer_free(peer);
        return r;
    }
    deis_map_set(c->peers, deis_str(address), peer);
    *ret = peer;
    return 0;
}

/* --- time --- */

static void take_overdue(struct peer *peer, uint64_t now, struct pending_list *ret)
{
    struct pending *next;

    for (struct pending *p = TAILQ_FIRST(&peer->pending); p; p = next) {
        next = TAILQ_NEXT(p, link);
        if (p->deadline_ms <= now) {
            TAILQ_REMOVE(&peer->pending, p, link);
            TAILQ_INSERT_TAIL(ret, p, link);
        }
    }
}

static void end_overdue(struct peer *peer, uint64_t now)
{
    struct pending_list overdue = TAILQ_HEAD_INITIALIZER(overdue);
    struct pending *next;

    take_overdue(peer, now, &overdue);
    /* Told one by one from the peer's list, as what is told may add to it. */
    for (struct pending *p = TAILQ_FIRST(&overdue); p; p = next) {
        struct deis_err err = DEIS_ERR_INIT;
        next = TAILQ_NEXT(p, link);
        TAILQ_INSERT_TAIL(&peer->pending, p, link);
        if (p->request.sends == 0) {
            deis_err_set(&err, DEIS_UNAVAILABLE, "no connection to '%s' for '%s'", peer->address,
                         p->request.method);
        } else {
            deis_err_set(&err, DEIS_TIMEOUT, "no answer to '%s' from '%s' in time",
                         p->request.method, peer->address);
        }
        complete(p, NULL, &err);
    }
}

static void resend_all(struct peer *peer)
{
    struct pending *p;

    TAILQ_FOREACH (p, &peer->pending, link) {
        p->request.next_send_ms = 0;
    }
}

/* Without success the peer stays closed until the next tick that has something for it. */
static void reopen(struct peer *peer)
{
    peer_close(peer);
    if (peer_open(peer, NULL) < 0) {
        peer_close(peer);
        peer->blocked = true;
        peer->silent_since_ms = 0;
    }
    resend_all(peer);
}

/* A connection that was made anew lost what was on its way; one that stays silent is dead, as no
 * keep-alive tells. */
static void check_connection(struct peer *peer, uint64_t now)
{
    if (peer->sock < 0) { /* it could not be opened anew, for lack of descriptors maybe */
        reopen(peer);
        return;
    }
    uint64_t connections = nn_get_statistic(peer->sock, NN_STAT_ESTABLISHED_CONNECTIONS);

    if (peer->connections != 0 && connections != peer->connections) {
        resend_all(peer);
    }
    peer->connections = connections;
    if (peer->silent_since_ms != 0 && now - peer->silent_since_ms >= DEIS_BUS_SILENT_MS) {
        reopen(peer);
    }
}

static void on_tick(void *arg)
{
    struct deis_bus_client *c = arg;
    size_t cursor = 0;
    struct deis_str address;
    void *value = NULL;
    uint64_t now = deis_now_ms();
    struct peer *busy[PEERS_MAX];
    size_t busy_count = 0;

    while (deis_map_next(c->peers, &cursor, &address, &value)) {
        struct peer *peer = value;
        if (!TAILQ_EMPTY(&peer->pending)) {
            busy[busy_count++] = peer;
        }
    }
    complete_failed(c);
    for (size_t i = 0; i < busy_count; i++) {
        end_overdue(busy[i], now);
        if (!TAILQ_EMPTY(&busy[i]->pending)) {
            check_connection(busy[i], now);
            send_due(busy[i], now);
        } else {
            busy[i]->silent_since_ms = 0;
        }
    }
    c->ticking = c->pending_count > 0 || !TAILQ_EMPTY(&c->failed);
    if (c->ticking) {
        deis_timer_after(c->tick, TICK_MS);
    }
}

/* --- public --- */

struct deis_bus_client *deis_bus_client_new(struct deis_loop *loop, const struct deis_key *key,
                                            const char *service)
{
    struct deis_bus_client *c = deis_alloc(sizeof(*c));

    c->loop = loop;
    c->sealer = deis_frame_sealer_new(key, service);
    c->opener = deis_frame_opener_new(key);
    c->peers = deis_map_new(peer_free);
    c->tries = deis_map_new(NULL);
    c->tick = deis_timer_new(loop, on_tick, c);
    TAILQ_INIT(&c->failed);
    return c;
}

static void end_all(struct peer *peer, const struct deis_err *err)
{
    struct pending *next;

    for (struct pending *p = TAILQ_FIRST(&peer->pending); p; p = next) {
        next = TAILQ_NEXT(p, link);
        complete(p, NULL, err);
    }
}

void deis_bus_client_free(struct deis_bus_client *c)
{
    struct deis_err err = DEIS_ERR_INIT;
    size_t cursor = 0;
    struct deis_str address;
    void *value = NULL;

    if (!c) {
        return;
    }
    deis_err_set(&err, DEIS_CANCELLED, "the program is ending");
    while (deis_map_next(c->peers, &cursor, &address, &value)) {
        struct peer *peer = value;
        end_all(peer, &err);
    }
    complete_failed(c);
    deis_timer_free(c->tick);
    deis_map_free(c->peers);
    deis_map_free(c->tries);
    deis_frame_sealer_free(c->sealer);
    deis_frame_opener_free(c->opener);
    free(c);
}

static int begin(struct deis_bus_client *c, struct pending *p, const char *address,
                 struct deis_err *err)
{
    struct peer *peer = NULL;

    if (c->pending_count >= PENDING_MAX ||
        c->pending_bytes + p->request.plain_len > PENDING_MAX_BYTES) {
        return deis_err_set(err, DEIS_LIMIT, "too many requests are pending");
    }
    int r = peer_get(c, address, &peer, err);
    if (r < 0) {
        return r;
    }
    uint64_t now = deis_now_ms();
    p->peer = peer;
    p->deadline_ms += now;
    TAILQ_INSERT_TAIL(&peer->pending, p, link);
    c->pending_count++;
    c->pending_bytes += p->request.plain_len;
    send_pending(peer, p, now);
    return 0;
}

void deis_bus_send(
    struct deis_bus_client *c, const char *address, const char *method, const char *op,
    const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer, uint64_t timeout_ms,
    void (*on_done)(const ProtobufCMessage *msg, const struct deis_err *err, void *arg), void *arg)
{
    struct pending *p = deis_alloc(sizeof(*p));

    p->answer = answer;
    p->deadline_ms = timeout_ms;
    p->on_done = on_done;
    p->arg = arg;
    if (deis_bus_request_init(&p->request, method, op, request, &p->err) < 0 ||
        begin(c, p, address, &p->err) < 0) {
        TAILQ_INSERT_TAIL(&c->failed, p, link);
        deis_timer_after(c->tick, 0);
        c->ticking = true;
        return;
    }
    if (!c->ticking) {
        c->ticking = true;
        deis_timer_after(c->tick, TICK_MS);
    }
}
