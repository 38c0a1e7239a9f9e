/* SPDX-License-Identifier: MIT */
#include "router/admin.h"

#include "router/metrics.h"
#include "router/source.h"

#include "lib/base/clock.h"
#include "lib/net/httpd.h"

enum { TEXT_MAX = 64 * 1024 * 1024 };

struct admin {
    struct router *router;
    struct deis_httpd *httpd;
};

static void answer_metrics(struct deis_http_req *req, struct router *r)
{
    struct deis_buf b = DEIS_BUF_INIT(TEXT_MAX);

    metrics_write(r, &b);
    deis_http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", deis_buf_str(&b));
    deis_buf_clear(&b);
}

static void add_app_routes(struct deis_buf *b, const struct route_app *a)
{
    deis_buf_addf(b, "{\"app\":\"%s\",\"platform\":%s,\"wanted\":%u,\"endpoints\":[", a->name,
                  a->kind == ROUTE_PLATFORM ? "true" : "false", a->wanted);
    for (size_t i = 0; i < a->count; i++) {
        struct route_endpoint *e = a->endpoints[i];
        bool aside = atomic_load(&e->ejected_until_ms) > deis_now_ms();
        deis_buf_addf(b, "%s{\"unit\":\"%s\",\"address\":\"%s\",\"state\":\"%s\",\"in_flight\":%d}",
                      i > 0 ? "," : "", e->unit, e->address, aside ? "aside" : "up",
                      atomic_load(&e->in_flight));
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
