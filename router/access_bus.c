/* SPDX-License-Identifier: MIT */
#include "router/access_bus.h"

#include "log.pb-c.h"
#include "router/source.h"

#include "lib/base/clock.h"
#include "lib/net/bus.h"
#include "lib/net/log.h"

enum {
    GATHER_MS = 100, /* lines wait for company */
    LINES_MAX = 512,
    BATCH_BYTES = 192 * 1024,
    CALL_MS = 3000,
    RETRY_BASE_MS = 200,
    RETRY_MAX_MS = 5000,
};

struct access_bus {
    struct router *router;
    struct deis_bus_client *client;
    struct deis_timer *timer;
    char source[64];            /* "deis-router/<boot id>" */
    char address[DEIS_KEY_MAX]; /* of the logger, as last seen */
    uint64_t position;
    unsigned attempt;
    bool scheduled;
    bool calling;
    bool warned;
    /* the batch that is on its way; its texts lie in text */
    Deis__LogLine lines[LINES_MAX];
    Deis__LogLine *refs[LINES_MAX];
    size_t count;
    char *text;
    size_t text_len;
};

static void schedule(struct access_bus *b, uint64_t ms)
{
    b->scheduled = true;
    deis_timer_after(b->timer, ms);
}

/* The text of an entry, kept; app is made a text with its end marked. */
static void batch_add(struct access_bus *b, const struct access_entry *e)
{
    Deis__LogLine *l = &b->lines[b->count];
    char *p = b->text + b->text_len;

    deis__log_line__init(l);
    memcpy(p, e->app.ptr, e->app.len);
    p[e->app.len] = '\0';
    l->app = p;
    p += e->app.len + 1;
    memcpy(p, e->text.ptr, e->text.len);
    l->text.data = (uint8_t *)p;
    l->text.len = e->text.len;
    l->process = (char *)(uintptr_t) "deis-router";
    l->position = ++b->position;
    l->time_ms = e->time_ms;
    b->text_len += e->app.len + 1 + e->text.len;
    b->refs[b->count++] = l;
}

static void batch_fill(struct access_bus *b)
{
    struct router *r = b->router;
    char scratch[ACCESS_ENTRY_MAX];
    struct access_entry e;

    for (unsigned i = 0; i < r->worker_count; i++) {
        while (b->count < LINES_MAX && b->text_len < BATCH_BYTES - ACCESS_ENTRY_MAX &&
               access_log_next(&r->workers[i]->log, scratch, &e)) {
            if (!b->text) {
                b->text = deis_realloc_array(NULL, BATCH_BYTES, 1);
            }
            batch_add(b, &e);
        }
    }
}

static void send_batch(struct access_bus *b);

static void on_sent(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct access_bus *b = arg;

    b->calling = false;
    if (err && err->code == DEIS_CANCELLED) {
        return;
    }
    if (err && err->code != DEIS_INVALID) {
        if (!b->warned) {
            b->warned = true;
            deis_warn("the logger takes no lines", KV_ERR(err));
        }
        schedule(b, deis_backoff_ms(b->attempt++, RETRY_BASE_MS, RETRY_MAX_MS));
        return;
    }
    if (err) {
        deis_warn("the logger refused lines", KV_ERR(err), KV_I("lines", b->count));
    }
    b->warned = false;
    b->attempt = 0;
    b->count = 0;
    b->text_len = 0;
    send_batch(b);
}

static void send_batch(struct access_bus *b)
{
    struct deis_directory *directory = source_directory(b->router->source);
    Deis__LogAppend request = DEIS__LOG_APPEND__INIT;

    if (b->count == 0) {
        batch_fill(b);
    }
    if (b->count == 0) {
        free(b->text);
        b->text = NULL;
        return;
    }
    if (directory) {
        (void)deis_directory_find(directory, "logger", "bus", b->address);
    }
    if (b->address[0] == '\0') {
        schedule(b, deis_backoff_ms(b->attempt++, RETRY_BASE_MS, RETRY_MAX_MS));
        return;
    }
    request.source = b->source;
    request.n_lines = b->count;
    request.lines = b->refs;
    b->calling = true;
    deis_bus_send(b->client, b->address, "logger.append", NULL, &request.base,
                  &deis__log_appended__descriptor, CALL_MS, on_sent, b);
}

static void on_timer(void *arg)
{
    struct access_bus *b = arg;

    b->scheduled = false;
    send_batch(b);
}

void access_bus_wake(struct access_bus *b)
{
    if (b && !b->calling && !b->scheduled) {
        schedule(b, GATHER_MS);
    }
}

struct access_bus *access_bus_start(struct router *r)
{
    struct deis_keyring ring;
    struct access_bus *b = deis_alloc(sizeof(*b));
    char boot[17];

    b->router = r;
    deis_keys_get(r->keys, &ring);
    b->client = deis_bus_client_new(r->loop, &ring.keys[0], "router");
    deis_bus_client_follow(b->client, r->keys);
    deis_keyring_clear(&ring);
    b->timer = deis_timer_new(r->loop, on_timer, b);
    deis_random_hex(boot, 8);
    (void)snprintf(b->source, sizeof(b->source), "deis-router/%s", boot);
    return b;
}

bool access_bus_idle(const struct access_bus *b)
{
    return !b || b->attempt > 0 || (!b->calling && !b->scheduled);
}

void access_bus_stop(struct access_bus *b)
{
    if (b) {
        deis_bus_client_free(b->client);
        deis_timer_free(b->timer);
        free(b->text);
        free(b);
    }
}
