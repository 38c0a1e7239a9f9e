/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/net/bus_wire.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <pthread.h>
#include <sys/queue.h>

#define IDLE_MAX    4
#define IDLE_MAX_MS 30000

/* One thread's connection during a call; kept for the next call to that address. */
struct conn {
    TAILQ_ENTRY(conn) link;
    char *address;
    int sock;
    struct deis_frame_sealer *sealer;
    struct deis_frame_opener *opener;
    unsigned keys_version;
    uint8_t token[DEIS_FRAME_ID_BYTES];
    uint64_t idle_since_ms;
};

TAILQ_HEAD(conn_list, conn);

struct deis_bus_sync {
    struct deis_key key;
    struct deis_keys *keys; /* NULL: the key never changes */
    char *service;
    pthread_mutex_t lock;  /* guards idle */
    struct conn_list idle; /* newest first */
    unsigned idle_count;
};

/* What the file can't say now, it may say later: until then the keys are those that were. */
static void take_keys(struct deis_bus_sync *c, struct conn *k)
{
    struct deis_keyring ring;

    if (!c->keys) {
        return;
    }
    (void)deis_keys_refresh(c->keys, NULL);
    if (deis_keys_version(c->keys) != k->keys_version) {
        k->keys_version = deis_keys_get(c->keys, &ring);
        deis_frame_opener_rekey(k->opener, &ring);
        deis_frame_sealer_rekey(k->sealer, &ring.keys[0]);
        deis_keyring_clear(&ring);
    }
}

static int conn_connect(struct conn *k, struct deis_err *err)
{
    int r = deis_bus_socket_open(NN_REQ, &k->sock, err);
    if (r < 0) {
        return r;
    }
    if (nn_connect(k->sock, k->address) < 0) {
        return deis_err_errno(err, nn_errno(), "can't connect to '%s'", k->address);
    }
    return 0;
}

static void conn_disconnect(struct conn *k)
{
    if (k->sock >= 0) {
        nn_close(k->sock);
        k->sock = -1;
    }
}

static void conn_free(struct conn *k)
{
    if (k) {
        conn_disconnect(k);
        deis_frame_sealer_free(k->sealer);
        deis_frame_opener_free(k->opener);
        free(k->address);
        free(k);
    }
}

/* Takes the conns that have been idle too long, or are too many, off the list. */
static void take_surplus(struct deis_bus_sync *c, uint64_t now, struct conn_list *ret)
{
    struct conn *k;

    while ((k = TAILQ_LAST(&c->idle, conn_list)) != NULL &&
           (c->idle_count > IDLE_MAX || now - k->idle_since_ms > IDLE_MAX_MS)) {
        TAILQ_REMOVE(&c->idle, k, link);
        c->idle_count--;
        TAILQ_INSERT_TAIL(ret, k, link);
    }
}

static void free_all(struct conn_list *list)
{
    struct conn *next;

    for (struct conn *k = TAILQ_FIRST(list); k; k = next) {
        next = TAILQ_NEXT(k, link);
        conn_free(k);
    }
}

static struct conn *find_idle(struct deis_bus_sync *c, const char *address)
{
    struct conn *k;

    for (k = TAILQ_FIRST(&c->idle); k; k = TAILQ_NEXT(k, link)) {
        if (strcmp(k->address, address) == 0) {
            TAILQ_REMOVE(&c->idle, k, link);
            c->idle_count--;
            return k;
        }
    }
    return NULL;
}

static int conn_take(struct deis_bus_sync *c, const char *address, struct conn **ret,
                     struct deis_err *err)
{
    struct conn_list surplus = TAILQ_HEAD_INITIALIZER(surplus);

    pthread_mutex_lock(&c->lock);
    take_surplus(c, deis_now_ms(), &surplus);
    struct conn *k = find_idle(c, address);
    pthread_mutex_unlock(&c->lock);
    free_all(&surplus);
    if (!k) {
        k = deis_alloc(sizeof(*k));
        k->address = deis_strdup(address);
        k->sock = -1;
        k->sealer = deis_frame_sealer_new(&c->key, c->service);
        k->opener = deis_frame_opener_new(&c->key);
        int r = conn_connect(k, err);
        if (r < 0) {
            conn_free(k);
            return r;
        }
    }
    *ret = k;
    return 0;
}

static void conn_put_back(struct deis_bus_sync *c, struct conn *k)
{
    struct conn_list surplus = TAILQ_HEAD_INITIALIZER(surplus);

    k->idle_since_ms = deis_now_ms();
    pthread_mutex_lock(&c->lock);
    TAILQ_INSERT_HEAD(&c->idle, k, link);
    c->idle_count++;
    take_surplus(c, k->idle_since_ms, &surplus);
    pthread_mutex_unlock(&c->lock);
    free_all(&surplus);
}

static void set_wait(int sock, int option, uint64_t until_ms)
{
    uint64_t now = deis_now_ms();
    int ms = until_ms > now ? (int)(until_ms - now) : 1;

    (void)nn_setsockopt(sock, NN_SOL_SOCKET, option, &ms, sizeof(ms));
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One request under way. */
struct exchange {
    struct deis_bus_sync *client;
    struct conn *conn;
    struct deis_bus_request *request;
    uint64_t deadline_ms;
    uint64_t silent_since_ms; /* first send after the last sign of life; 0 = not waiting */
};

/* A connection that says nothing for long is dead, as no keep-alive tells. */
static bool replace_silent(struct exchange *x, uint64_t now)
{
    if (x->silent_since_ms == 0 || now - x->silent_since_ms < DEIS_BUS_SILENT_MS) {
        return true;
    }
    conn_disconnect(x->conn);
    x->silent_since_ms = 0;
    x->request->next_send_ms = 0;
    return conn_connect(x->conn, NULL) == 0;
}

static bool send_due(struct exchange *x, uint64_t now)
{
    struct conn *k = x->conn;

    if (x->request->next_send_ms > now) {
        return true;
    }
    take_keys(x->client, k);
    set_wait(k->sock, NN_SNDTIMEO, earlier(x->deadline_ms, now + DEIS_BUS_SILENT_MS));
    if (!deis_bus_request_send(x->request, k->sock, 0, k->sealer, k->token, now)) {
        return false;
    }
    if (x->silent_since_ms == 0) {
        x->silent_since_ms = deis_now_ms();
    }
    return true;
}

/* Waits until something is due. A final answer is yours; NULL otherwise. */
static Deis__BusAnswer *receive(struct exchange *x)
{
    struct conn *k = x->conn;
    struct deis_bus_packet packet = { 0 };

    set_wait(k->sock, NN_RCVTIMEO, earlier(x->deadline_ms, x->request->next_send_ms));
    if (!deis_bus_receive(k->sock, 0, &packet)) {
        return NULL;
    }
    take_keys(x->client, k);
    Deis__BusAnswer *answer =
        deis_bus_request_answer(x->request, &packet, k->opener, k->token, deis_now_ms());
    deis_bus_packet_clear(&packet);
    if (!answer) {
        return NULL;
    }
    x->silent_since_ms = 0;
    if (answer->code != DEIS_BUS_WORKING && answer->code != DEIS_BUS_GREETING) {
        return answer;
    }
    if (answer->code == DEIS_BUS_GREETING) {
        x->request->next_send_ms = 0;
    }
    deis__bus_answer__free_unpacked(answer, NULL);
    return NULL;
}

/* Sends again and again until a final answer (yours) or the deadline (NULL). */
static Deis__BusAnswer *exchange(struct deis_bus_sync *c, struct conn *k,
                                 struct deis_bus_request *r, uint64_t deadline_ms)
{
    struct exchange x = { .client = c, .conn = k, .request = r, .deadline_ms = deadline_ms };
    Deis__BusAnswer *answer = NULL;
    uint64_t now;

    while (!answer && (now = deis_now_ms()) < deadline_ms) {
        if (!replace_silent(&x, now)) {
            return NULL;
        }
        if (send_due(&x, now)) {
            answer = receive(&x);
        }
    }
    return answer;
}

struct deis_bus_sync *deis_bus_sync_new(const struct deis_key *key, const char *service)
{
    struct deis_bus_sync *c = deis_alloc(sizeof(*c));

    c->key = *key;
    c->service = deis_strdup(service);
    pthread_mutex_init(&c->lock, NULL);
    TAILQ_INIT(&c->idle);
    return c;
}

void deis_bus_sync_follow(struct deis_bus_sync *c, struct deis_keys *keys)
{
    c->keys = keys;
}

void deis_bus_sync_free(struct deis_bus_sync *c)
{
    if (c) {
        free_all(&c->idle);
        pthread_mutex_destroy(&c->lock);
        free(c->service);
        explicit_bzero(c, sizeof(*c));
        free(c);
    }
}

int deis_bus_call_sync(struct deis_bus_sync *c, const char *address, const char *method,
                       const char *op, const ProtobufCMessage *request,
                       const ProtobufCMessageDescriptor *answer, uint64_t timeout_ms,
                       ProtobufCMessage **ret, struct deis_err *err)
{
    struct deis_bus_request r;
    struct conn *k = NULL;
    ProtobufCMessage *msg = NULL;
    uint64_t deadline_ms = deis_now_ms() + timeout_ms;

    int code = deis_bus_request_init(&r, method, op, request, err);
    if (code < 0) {
        return code;
    }
    code = conn_take(c, address, &k, err);
    if (code < 0) {
        deis_bus_request_clear(&r);
        return code;
    }
    Deis__BusAnswer *got = exchange(c, k, &r, deadline_ms);
    if (got) {
        code = deis_bus_answer_result(got, method, answer, &msg, err);
        deis__bus_answer__free_unpacked(got, NULL);
        conn_put_back(c, k);
    } else {
        code = r.sends == 0 ? deis_err_set(err, DEIS_UNAVAILABLE, "no connection to '%s' for '%s'",
                                           address, method)
                            : deis_err_set(err, DEIS_TIMEOUT, "no answer to '%s' from '%s' in time",
                                           method, address);
        conn_free(k);
    }
    deis_bus_request_clear(&r);
    if (ret) {
        *ret = msg;
    } else {
        protobuf_c_message_free_unpacked(msg, NULL);
    }
    return code;
}
