/* SPDX-License-Identifier: MIT */
#include "router/admin.h"

#include "router/source.h"

#include "lib/net/httpd.h"

enum { TEXT_MAX = 64 * 1024 * 1024 };

struct admin {
    struct router *router;
    struct deis_httpd *httpd;
};

static void add_worker_metrics(struct router *r, struct deis_buf *b)
{
    uint64_t accepted = 0, refused = 0, requests = 0, retries = 0, bad = 0, dropped = 0,
             handshakes = 0, proxy = 0;
    int connections = 0, tunnels = 0;

    for (unsigned i = 0; i < r->worker_count; i++) {
        struct worker_counters *c = &r->workers[i]->counters;
        accepted += atomic_load(&c->accepted);
        refused += atomic_load(&c->refused);
        requests += atomic_load(&c->requests);
        retries += atomic_load(&c->retries);
        handshakes += atomic_load(&c->handshakes_failed);
        proxy += atomic_load(&c->proxy_failed);
        bad += atomic_load(&c->bad_requests);
        connections += atomic_load(&c->connections);
        tunnels += atomic_load(&c->tunnels);
        dropped += atomic_load(&r->workers[i]->log.dropped);
    }
    deis_buf_addf(b,
                  "# TYPE deis_router_connections_accepted_total counter\n"
                  "deis_router_connections_accepted_total %llu\n"
                  "# TYPE deis_router_connections_refused_total counter\n"
                  "deis_router_connections_refused_total %llu\n"
                  "# TYPE deis_router_tls_handshakes_failed_total counter\n"
                  "deis_router_tls_handshakes_failed_total %llu\n"
                  "# TYPE deis_router_proxy_headers_failed_total counter\n"
                  "deis_router_proxy_headers_failed_total %llu\n"
                  "# TYPE deis_router_connections gauge\n"
                  "deis_router_connections %d\n"
                  "# TYPE deis_router_tunnels gauge\n"
                  "deis_router_tunnels %d\n"
                  "# TYPE deis_router_requests_total counter\n"
                  "deis_router_requests_total %llu\n"
                  "# TYPE deis_router_bad_requests_total counter\n"
                  "deis_router_bad_requests_total %llu\n"
                  "# TYPE deis_router_retries_total counter\n"
                  "deis_router_retries_total %llu\n"
                  "# TYPE deis_router_log_lines_dropped_total counter\n"
                  "deis_router_log_lines_dropped_total %llu\n"
                  "# TYPE deis_router_table_generation gauge\n"
                  "deis_router_table_generation %llu\n"
                  "# TYPE deis_router_table_held gauge\n"
                  "deis_router_table_held %d\n",
                  (unsigned long long)accepted, (unsigned long long)refused,
                  (unsigned long long)handshakes, (unsigned long long)proxy, connections, tunnels,
                  (unsigned long long)requests, (unsigned long long)bad,
                  (unsigned long long)retries, (unsigned long long)dropped,
                  (unsigned long long)r->table->generation, source_held(r->source));
}

static void add_app_metrics(const struct route_app *a, struct deis_buf *b)
{
    static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

    for (size_t i = 0; i < DEIS_COUNT(classes); i++) {
        unsigned long long n = (unsigned long long)atomic_load(&a->stats->answers[i]);
        if (n > 0) {
            deis_buf_addf(b, "deis_router_app_requests_total{app=\"%s\",class=\"%s\"} %llu\n",
                          a->name, classes[i], n);
        }
    }
}

static void answer_metrics(struct deis_http_req *req, struct router *r)
{
    struct deis_buf b = DEIS_BUF_INIT(TEXT_MAX);
    const struct route_table *t = r->table;

    add_worker_metrics(r, &b);
    deis_buf_addf(&b, "# TYPE deis_router_hosts gauge\ndeis_router_hosts %zu\n",
                  route_hosts_count(t->hosts));
    deis_buf_add_cstr(&b, "# TYPE deis_router_app_requests_total counter\n");
    for (size_t i = 0; i < t->app_count; i++) {
        add_app_metrics(route_table_at(t, i), &b);
    }
    deis_buf_add_cstr(&b, "# TYPE deis_router_app_in_flight gauge\n");
    for (size_t i = 0; i < t->app_count; i++) {
        deis_buf_addf(&b, "deis_router_app_in_flight{app=\"%s\"} %d\n", route_table_at(t, i)->name,
                      atomic_load(&route_table_at(t, i)->stats->in_flight));
    }
    deis_buf_add_cstr(&b, "# TYPE deis_router_app_endpoints gauge\n");
    for (size_t i = 0; i < t->app_count; i++) {
        deis_buf_addf(&b, "deis_router_app_endpoints{app=\"%s\"} %zu\n", route_table_at(t, i)->name,
                      route_table_at(t, i)->count);
    }
    deis_http_reply(req, 200, "text/plain; version=0.0.4", deis_buf_str(&b));
    deis_buf_clear(&b);
}

static void add_app_routes(struct deis_buf *b, const struct route_app *a)
{
    deis_buf_addf(b, "{\"app\":\"%s\",\"platform\":%s,\"wanted\":%u,\"endpoints\":[", a->name,
                  a->kind == ROUTE_PLATFORM ? "true" : "false", a->wanted);
    for (size_t i = 0; i < a->count; i++) {
        struct route_endpoint *e = a->endpoints[i];
        deis_buf_addf(b, "%s{\"unit\":\"%s\",\"address\":\"%s\",\"in_flight\":%d}",
                      i > 0 ? "," : "", e->unit, e->address, atomic_load(&e->in_flight));
    }
    deis_buf_add_cstr(b, "]}");
}

static void answer_routes(struct deis_http_req *req, struct router *r)
{
    struct deis_buf b = DEIS_BUF_INIT(TEXT_MAX);
    const struct route_table *t = r->table;
    size_t cursor = 0;
    struct deis_str host;
    uint32_t app;

    deis_buf_addf(&b, "{\"generation\":%llu,\"adopted\":%llu,\"apps\":[",
                  (unsigned long long)t->generation, (unsigned long long)router_adopted(r));
    for (size_t i = 0; i < t->app_count; i++) {
        deis_buf_add_cstr(&b, i > 0 ? "," : "");
        add_app_routes(&b, route_table_at(t, i));
    }
    deis_buf_add_cstr(&b, "],\"hosts\":{");
    for (bool first = true; route_hosts_next(t->hosts, &cursor, &host, &app); first = false) {
        deis_buf_addf(&b, "%s\"", first ? "" : ",");
        deis_buf_add_json_escaped(&b, host);
        deis_buf_addf(&b, "\":\"%s\"", route_table_at(t, app)->name);
    }
    deis_buf_add_cstr(&b, "}}\n");
    deis_http_reply(req, 200, "application/json", deis_buf_str(&b));
    deis_buf_clear(&b);
}

static void on_request(struct deis_http_req *req, void *arg)
{
    struct router *r = ((struct admin *)arg)->router;
    struct deis_str path = deis_http_path(req);
    struct deis_str method = deis_http_head(req)->method;

    if (!deis_str_eq_cstr(method, "GET") && !deis_str_eq_cstr(method, "HEAD")) {
        deis_http_reply(req, 405, "text/plain", DEIS_STR("only GET is possible\n"));
    } else if (deis_str_eq_cstr(path, "/healthz")) {
        deis_http_reply(req, r->stopping ? 503 : 200, "text/plain",
                        r->stopping ? DEIS_STR("stopping\n") : DEIS_STR("ok\n"));
    } else if (deis_str_eq_cstr(path, "/health-check")) {
        deis_http_reply(req, r->stopping ? 503 : 200, "text/plain", DEIS_STR(""));
    } else if (deis_str_eq_cstr(path, "/metrics")) {
        answer_metrics(req, r);
    } else if (deis_str_eq_cstr(path, "/routes")) {
        answer_routes(req, r);
    } else {
        deis_http_reply(req, 404, "text/plain", DEIS_STR("no such page\n"));
    }
}

struct admin *admin_start(struct router *r, int fd)
{
    static const struct deis_httpd_ops ops = { .on_request = on_request };
    static const struct deis_httpd_opts opts = { .max_connections = 64 };
    struct admin *a = deis_alloc(sizeof(*a));

    a->router = r;
    a->httpd = deis_httpd_new_on(r->loop, fd, &opts, &ops, a);
    return a;
}

void admin_drain(struct admin *a)
{
    if (a) {
        deis_httpd_drain(a->httpd, NULL, NULL);
    }
}

void admin_stop(struct admin *a)
{
    if (a) {
        deis_httpd_free(a->httpd);
        free(a);
    }
}
