/* SPDX-License-Identifier: MIT */
#include "controller/server.h"

#include "controller/api.h"
#include "controller/follow.h"
#include "controller/quota.h"
#include "controller/session.h"

#include "lib/net/log.h"
#include "lib/wire/run_frame.h"

#define API_VERSION      "1.7"
#define PLATFORM_VERSION "1.13.4"
#define BODY_MAX         (1 << 20)
#define BODIES_MAX       (32 << 20) /* of all requests that are coming in */
#define CONNECTIONS_MAX  512
#define TRIES_MAX        20   /* of a handler that others overtake */
#define SSH_PORT         2222 /* what clients take for granted */
#define HTML             "text/html; charset=utf-8"
#define TEXT             "text/plain"
#define JSON             "application/json"

struct server {
    struct ctl *ctl;
    struct deis_httpd *httpd;
    bool warned; /* of a router that is not known as one */
};

static api_handler *const handlers[ROUTE_COUNT] = {
#define SERVER_HANDLER(method, pattern, handler, right) [ROUTE_##handler] = handle_##handler,
    CONTROLLER_ROUTES(SERVER_HANDLER)
#undef SERVER_HANDLER
};

/* On every answer, whoever gives it. */
static const char *const fixed_fields[][2] = {
    { "DEIS_API_VERSION", API_VERSION },
    { "X_DEIS_API_VERSION", API_VERSION },
    { "DEIS_PLATFORM_VERSION", PLATFORM_VERSION },
    { "X_DEIS_PLATFORM_VERSION", PLATFORM_VERSION },
    { "Access-Control-Allow-Origin", "*" },
    { "Access-Control-Expose-Headers",
      "DEIS_API_VERSION, X_DEIS_API_VERSION, DEIS_PLATFORM_VERSION, X_DEIS_PLATFORM_VERSION, "
      "Deis-Release, X-Deis-Release" },
    { "X-Content-Type-Options", "nosniff" },
    /* Nothing here is a page, and nothing is for a cache: values and tokens are among it. */
    { "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'" },
    { "Cache-Control", "no-store" },
};

static void set_headers(struct deis_http_req *req)
{
    for (size_t i = 0; i < DEIS_COUNT(fixed_fields); i++) {
        deis_http_set(req, fixed_fields[i][0], fixed_fields[i][1]);
    }
}

/* What the HTTP server refuses by itself reads like any other refusal of the API. */
static const char *format_refusal(int *status, const char *text, struct deis_buf *fields,
                                  struct deis_buf *body)
{
    if (*status == 501 || *status == 505) {
        *status = 400; /* a version or method that nobody has: the request is at fault, not we */
    }
    for (size_t i = 0; i < DEIS_COUNT(fixed_fields); i++) {
        deis_buf_addf(fields, "%s: %s\r\n", fixed_fields[i][0], fixed_fields[i][1]);
    }
    deis_buf_add_cstr(body, "{\"detail\":\"");
    deis_buf_add_json_escaped(body, deis_str(text));
    deis_buf_add_cstr(body, "\"}");
    return JSON;
}

static void send_answer(struct deis_http_req *req, struct api *a)
{
    deis_autofree char *json = NULL;
    char number[16];

    set_headers(req);
    deis_http_set(req, "X-Request-Id", a->id);
    if (a->status == 401) {
        deis_http_set(req, "WWW-Authenticate", "Token");
    }
    uint32_t ssh_port = settings_ssh_port(a->ctl->settings);
    if (ssh_port != SSH_PORT) {
        snprintf(number, sizeof(number), "%u", ssh_port);
        deis_http_set(req, "DEIS_SSH_PORT", number);
    }
    if (a->status == 405 && a->match.path) {
        deis_http_set(req, "Allow", a->match.allow);
    }
    if (a->retry_after_s > 0) {
        snprintf(number, sizeof(number), "%u", (unsigned)a->retry_after_s);
        deis_http_set(req, "Retry-After", number);
    }
    if (a->release > 0) {
        snprintf(number, sizeof(number), "%u", a->release);
        deis_http_set(req, "Deis-Release", number);
        deis_http_set(req, "X-Deis-Release", number);
    }
    switch (a->kind) {
    case API_JSON:
        json = deis_json_dump(a->doc);
        deis_http_reply(req, a->status, JSON, deis_str(json));
        break;
    case API_TEXT:
        deis_http_reply(req, a->status, a->type, deis_str_n(a->text, a->text_len));
        break;
    case API_EMPTY: deis_http_reply(req, a->status, NULL, DEIS_STR_NONE); break;
    case API_FOLLOW: follow_start(a, req); break;
    case API_SESSION: session_start(a, req); break;
    }
}

/* A handler that another controller was faster than judges anew. */
static void handle(struct api *a)
{
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        handlers[a->match.route->id](a);
        bool again = quota_overtaken(a);
        quota_end(a);
        if (!again) {
            return;
        }
    }
    a->retry_after_s = 2;
    api_detail(a, 503, "Too many requests of the same kind at once, try again");
}

/* On a worker: judge, then handle. */
static void work(void *arg)
{
    struct api *a = arg;
    json_t *error = NULL;

    if (!settings_await(a->ctl->settings)) {
        api_detail(a, 503, "The platform's settings could not be read yet, try again");
        return;
    }
    if (!auth_admit(a)) {
        return;
    }
    enum body_result r = body_parse(deis_str(a->content_type),
                                    deis_str_n(a->raw_body, a->raw_body_len), &a->body, &error);
    if (r != BODY_OK) {
        api_json(a, r == BODY_BAD ? 400 : 415, error);
        return;
    }
    handle(a);
    if (a->status == 0) {
        deis_error("handler without an answer", KV_S("path", a->path));
        api_detail(a, 500, "The platform failed (request %s)", a->id);
    }
}

static void done(void *arg)
{
    struct api *a = arg;

    if (a->req) {
        deis_http_set_user(a->req, NULL);
        send_answer(a->req, a);
    }
    api_free(a);
}

static char *header_copy(const struct deis_h1_head *head, const char *name)
{
    const struct deis_h1_header *h = deis_h1_find(head, name);

    return h ? deis_str_dup(h->value) : NULL;
}

/* The last word of a list of addresses: that of who sent it. */
static bool last_address(struct deis_str list, struct deis_ip *ret)
{
    ptrdiff_t comma = deis_str_rfind(list, ',');

    return deis_ip_parse(deis_str_trim(deis_str_skip(list, (size_t)(comma + 1))), ret);
}

static void warn_unbelieved(struct server *s, const char *peer)
{
    if (!s->warned) {
        s->warned = true;
        deis_warn("X-Forwarded-For is not believed: a router belongs into controller/proxyFrom",
                  KV_S("from", peer));
    }
}

/* The client's address: what the router says when one asks, else the peer. */
static char *source_of(struct server *s, const struct deis_http_req *req)
{
    const char *peer = deis_http_peer(req);
    const struct deis_h1_header *h = deis_h1_find(deis_http_head(req), "X-Forwarded-For");
    struct deis_ip router, client;
    char text[DEIS_IP_TEXT];

    if (!h || !deis_ip_parse(deis_str(peer), &router)) {
        return deis_strdup(peer);
    }
    if (!settings_is_router(s->ctl->settings, &router)) {
        warn_unbelieved(s, peer);
        return deis_strdup(peer);
    }
    if (!last_address(h->value, &client)) {
        return deis_strdup(peer);
    }
    deis_ip_format(&client, text);
    return deis_strdup(text);
}

static struct api *api_new(struct server *s, struct deis_http_req *req, struct route_match *match)
{
    const struct deis_h1_head *head = deis_http_head(req);
    struct deis_str body = deis_http_body(req);
    struct deis_str query = deis_http_query(req);
    struct api *a = deis_alloc(sizeof(*a));

    a->ctl = s->ctl;
    a->req = req;
    a->match = *match;
    *match = (struct route_match){ 0 };
    deis_random_hex(a->id, 8);
    a->method = deis_str_dup(head->method);
    a->path = deis_str_dup(deis_http_path(req));
    a->query = deis_str_dup(query);
    a->content_type = header_copy(head, "Content-Type");
    a->authorization = header_copy(head, "Authorization");
    a->builder_auth = header_copy(head, "X-Deis-Builder-Auth");
    a->source = source_of(s, req);
    a->upgrade = head->upgrade && deis_h1_has_token(head, "Upgrade", DEIS_RUN_PROTOCOL);
    a->raw_body = deis_str_dup(body);
    a->raw_body_len = body.len;
    a->user = deis_strdup("");
    return a;
}

static void reply_html(struct deis_http_req *req, int status, const char *title)
{
    deis_autofree char *page = deis_asprintf("<h1>%s</h1>\n", title);

    set_headers(req);
    deis_http_reply(req, status, HTML, deis_str(page));
}

/* /healthz: true when it was that. */
static bool reply_health(struct deis_http_req *req)
{
    struct deis_str path = deis_http_path(req);
    struct deis_str method = deis_http_head(req)->method;

    if (!deis_str_eq_cstr(path, "/healthz") && !deis_str_eq_cstr(path, "/healthz/")) {
        return false;
    }
    if (deis_str_eq_cstr(method, "GET") || deis_str_eq_cstr(method, "HEAD")) {
        set_headers(req);
        deis_http_reply(req, 200, TEXT, DEIS_STR("OK"));
    } else {
        deis_http_set(req, "Allow", "GET, HEAD");
        reply_html(req, 405, "Method Not Allowed");
    }
    return true;
}

/* The client's major version, if it names one: true when it is not ours and was refused. */
static bool refuse_version(struct deis_http_req *req)
{
    const struct deis_h1_head *head = deis_http_head(req);
    const struct deis_h1_header *h = deis_h1_find(head, "Deis-Version");

    h = h ? h : deis_h1_find(head, "DEIS_VERSION");
    if (!h || deis_str_eq_cstr(h->value, "1")) {
        return false;
    }
    deis_autofree char *text = deis_asprintf(
        "Client and server versions do not match. Client version: %.*s Server version: 1",
        DEIS_STR_ARG(deis_str_first(h->value, 100)));
    deis_autojson json_t *doc = json_pack("{s:s}", "error", text);
    if (!doc) {
        doc = json_pack("{s:s}", "error", "Client and server versions do not match.");
    }
    set_headers(req);
    deis_http_reply_json(req, 405, doc);
    return true;
}

static void reply_options(struct deis_http_req *req, const struct route_match *match)
{
    set_headers(req);
    deis_http_set(req, "Allow", match->allow);
    deis_http_set(req, "Access-Control-Allow-Methods", match->allow);
    deis_http_set(req, "Access-Control-Allow-Headers",
                  "content-type, accept, origin, authorization, host");
    deis_http_reply(req, 200, NULL, DEIS_STR_NONE);
}

static void reply_busy(struct deis_http_req *req)
{
    set_headers(req);
    deis_http_set(req, "Retry-After", "2");
    deis_http_reply(req, 503, JSON,
                    DEIS_STR("{\"detail\":\"Too many requests at once, try again\"}"));
}

static void on_request(struct deis_http_req *req, void *arg)
{
    struct server *s = arg;
    struct route_match match;
    struct deis_str method = deis_http_head(req)->method;

    if (refuse_version(req) || reply_health(req)) {
        return;
    }
    if (!route_find(method, deis_http_path(req), &match)) {
        route_match_clear(&match);
        reply_html(req, 404, "Not Found");
        return;
    }
    if (deis_str_eq_cstr(method, "OPTIONS")) {
        reply_options(req, &match);
        route_match_clear(&match);
        return;
    }
    struct api *a = api_new(s, req, &match);
    deis_http_set_user(req, a);
    if (deis_workers_run(s->ctl->requests, work, done, a, NULL) < 0) {
        deis_http_set_user(req, NULL);
        api_free(a);
        reply_busy(req);
    }
}

static void on_gone(struct deis_http_req *req, void *arg)
{
    struct api *a = deis_http_user(req);

    if (a) {
        a->req = NULL; /* the work goes on: what was begun is finished */
        return;
    }
    follow_gone(req);
}

int server_start(struct ctl *ctl, const char *address, struct server **ret, struct deis_err *err)
{
    static const struct deis_httpd_ops ops = { .on_request = on_request, .on_gone = on_gone };
    const struct deis_httpd_opts opts = { .body_max = BODY_MAX,
                                          .bodies_max = BODIES_MAX,
                                          .max_connections = CONNECTIONS_MAX,
                                          .upper_reason = true,
                                          .refusal = format_refusal };
    struct server *s = deis_alloc(sizeof(*s));

    s->ctl = ctl;
    s->httpd = deis_httpd_new(ctl->loop, address, &opts, &ops, s, err);
    if (!s->httpd) {
        free(s);
        return err->code;
    }
    *ret = s;
    return DEIS_OK;
}

void server_drain(struct server *s, void (*on_done)(void *arg), void *arg)
{
    follow_stop_all(s->ctl);
    session_stop_all(s->ctl);
    deis_httpd_drain(s->httpd, on_done, arg);
}

void server_free(struct server *s)
{
    if (s) {
        deis_httpd_free(s->httpd);
        free(s);
    }
}
