/* SPDX-License-Identifier: MIT */
#include "router/core/metrics_text.h"

#include <inttypes.h>

#define SECONDS        "%" PRIu64 ".%06" PRIu64
#define SECONDS_OF(us) (us) / 1000000, (us) % 1000000

void metrics_family(struct deis_buf *b, const char *name, const char *type, const char *help)
{
    deis_buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Backslash, quote and line feed are all that has to be escaped in a label's value. */
static void add_label(struct deis_buf *b, const char *label, const char *value)
{
    deis_buf_addf(b, "%s=\"", label);
    for (const char *p = value; *p; p++) {
        if (*p == '\n') {
            deis_buf_add_cstr(b, "\\n");
            continue;
        }
        if (*p == '"' || *p == '\\') {
            deis_buf_add(b, "\\", 1);
        }
        deis_buf_add(b, p, 1);
    }
    deis_buf_add(b, "\"", 1);
}

void metrics_sample(struct deis_buf *b, const char *name, const char *label, const char *value,
                    uint64_t number)
{
    deis_buf_add_cstr(b, name);
    if (label) {
        deis_buf_add(b, "{", 1);
        add_label(b, label, value);
        deis_buf_add(b, "}", 1);
    }
    deis_buf_addf(b, " %" PRIu64 "\n", number);
}

void metrics_single(struct deis_buf *b, const char *name, const char *type, const char *help,
                    uint64_t number)
{
    metrics_family(b, name, type, help);
    metrics_sample(b, name, NULL, NULL, number);
}

void metrics_seconds(struct deis_buf *b, const char *name, const char *type, const char *help,
                     uint64_t us)
{
    metrics_family(b, name, type, help);
    deis_buf_addf(b, "%s " SECONDS "\n", name, SECONDS_OF(us));
}

static uint64_t get(_Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

static void each_app(struct deis_buf *b, const struct route_table *t,
                     void (*fn)(struct deis_buf *b, const struct route_app *a))
{
    for (size_t i = 0; i < t->app_count; i++) {
        fn(b, route_table_at(t, i));
    }
}

static void add_requests(struct deis_buf *b, const struct route_app *a)
{
    static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

    for (size_t i = 0; i < DEIS_COUNT(classes); i++) {
        uint64_t n = get(&a->stats->answers[i]);
        if (n > 0) {
            deis_buf_add_cstr(b, "deis_router_app_requests_total{");
            add_label(b, "app", a->name);
            deis_buf_addf(b, ",class=\"%s\"} %" PRIu64 "\n", classes[i], n);
        }
    }
}

static void add_latency(struct deis_buf *b, const struct route_app *a)
{
    struct deis_buf app = DEIS_BUF_INIT(1024);
    uint64_t buckets[LATENCY_BUCKETS];
    uint64_t sum_us = get(&a->stats->latency_us);
    uint64_t count = 0;

    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        buckets[i] = get(&a->stats->latency[i]);
        count += buckets[i];
    }
    if (count == 0) {
        return;
    }
    add_label(&app, "app", a->name);
    const char *label = app.data;
    uint64_t below = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++) {
        below += buckets[i];
        deis_buf_addf(b,
                      "deis_router_app_request_seconds_bucket{%s,le=\"" SECONDS "\"} %" PRIu64 "\n",
                      label, SECONDS_OF(latency_bound_us(i)), below);
    }
    deis_buf_addf(b,
                  "deis_router_app_request_seconds_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n"
                  "deis_router_app_request_seconds_sum{%s} " SECONDS "\n"
                  "deis_router_app_request_seconds_count{%s} %" PRIu64 "\n",
                  label, count, label, SECONDS_OF(sum_us), label, count);
    deis_buf_clear(&app);
}

static void add_in_flight(struct deis_buf *b, const struct route_app *a)
{
    int n = atomic_load_explicit(&a->stats->in_flight, memory_order_relaxed);

    metrics_sample(b, "deis_router_app_in_flight", "app", a->name, n > 0 ? (uint64_t)n : 0);
}

static void add_connections(struct deis_buf *b, const struct route_app *a)
{
    int n = atomic_load_explicit(&a->stats->connections, memory_order_relaxed);

    metrics_sample(b, "deis_router_app_connections", "app", a->name, n > 0 ? (uint64_t)n : 0);
}

static void add_endpoints(struct deis_buf *b, const struct route_app *a)
{
    metrics_sample(b, "deis_router_app_endpoints", "app", a->name, a->count);
}

static void add_bytes_in(struct deis_buf *b, const struct route_app *a)
{
    metrics_sample(b, "deis_router_app_received_bytes_total", "app", a->name,
                   get(&a->stats->bytes_in));
}

static void add_bytes_out(struct deis_buf *b, const struct route_app *a)
{
    metrics_sample(b, "deis_router_app_sent_bytes_total", "app", a->name,
                   get(&a->stats->bytes_out));
}

void metrics_apps(struct deis_buf *b, const struct route_table *t)
{
    metrics_family(b, "deis_router_app_requests_total", "counter",
                   "Requests by class of the answer; none: the client left before it.");
    each_app(b, t, add_requests);
    metrics_family(b, "deis_router_app_request_seconds", "histogram",
                   "Time from a request's head to the end of its answer.");
    each_app(b, t, add_latency);
    metrics_family(b, "deis_router_app_in_flight", "gauge", "Requests under way.");
    each_app(b, t, add_in_flight);
    metrics_family(b, "deis_router_app_connections", "gauge",
                   "Upgraded connections, and requests that ask for it.");
    each_app(b, t, add_connections);
    metrics_family(b, "deis_router_app_endpoints", "gauge", "Units that get requests.");
    each_app(b, t, add_endpoints);
    metrics_family(b, "deis_router_app_received_bytes_total", "counter",
                   "Bytes of request bodies and, once upgraded, from clients.");
    each_app(b, t, add_bytes_in);
    metrics_family(b, "deis_router_app_sent_bytes_total", "counter",
                   "Bytes of answers' bodies and, once upgraded, to clients.");
    each_app(b, t, add_bytes_out);
}
