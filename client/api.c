/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/answer.h"
#include "client/core/hint.h"

#include "lib/net/httpc_upgrade.h"
#include "lib/wire/url.h"

#include <stdio.h>

#define CONNECT_MS    10000
#define REDIRECTS_MAX 5
#define COMPLAINT_MAX 8192
#define ANSWER_MAX    ((size_t)64 << 20)

struct stream {
    void (*on_data)(struct deis_str data, void *arg);
    void *arg;
    struct deis_buf failure; /* body of an answer that is an error */
};

/* Asked by the HTTP client now and then while it waits. */
static bool on_wait(void *arg)
{
    term_spin();
    return false;
}

static bool on_stream(int status, struct deis_str data, void *arg)
{
    struct stream *s = arg;

    if (status >= 200 && status < 300) {
        s->on_data(data, s->arg);
    } else {
        deis_buf_add_str(&s->failure, data);
    }
    return true;
}

/* Where a redirect leads, when it is to the same host: the token goes nowhere else. Yours, or NULL.
 */
static char *redirect_target(const char *base, const struct deis_httpc_answer *a)
{
    struct deis_str to = deis_httpc_header(a, "Location");
    struct deis_url from_url;
    struct deis_url to_url;
    struct deis_err err;

    bool redirect = a->status == 301 || a->status == 302 || a->status == 307 || a->status == 308;
    if (!redirect || to.len == 0) {
        return NULL;
    }
    if (to.ptr[0] == '/') {
        return deis_asprintf("%s%.*s", base, DEIS_STR_ARG(to));
    }
    if (deis_url_parse(deis_str(base), &from_url, &err) < 0 ||
        deis_url_parse(to, &to_url, &err) < 0 || !deis_str_ieq(from_url.host, to_url.host) ||
        (deis_str_eq_cstr(from_url.scheme, "https") && !deis_str_eq_cstr(to_url.scheme, "https"))) {
        return NULL;
    }
    return deis_str_dup(to);
}

/* One exchange, redirects followed. */
static int exchange(struct client *c, const struct request *r, struct stream *stream,
                    struct deis_httpc_answer *ret, struct deis_err *err)
{
    const struct deis_httpc_tls tls = { .insecure = !c->profile.ssl_verify };
    const char *token = c->profile.token && c->profile.token[0] ? c->profile.token : NULL;
    deis_autofree char *authorization =
        deis_asprintf("Authorization: token %s", token ? token : "");
    const char *headers[] = { "Content-Type: application/json", "User-Agent: Deis Client v1.13.4",
                              token ? authorization : NULL, NULL };
    deis_autofree char *base = profile_base_url(c->profile.controller);
    deis_autofree char *body = r->body ? deis_json_dump(r->body) : NULL;
    deis_autofree char *url = deis_asprintf("%s%s", base ? base : "", r->path);
    struct deis_httpc_request req = {
        .method = r->method,
        .headers = headers,
        .body = deis_str(body),
        .connect_timeout_ms = CONNECT_MS,
        .answer_max = ANSWER_MAX,
        .on_data = stream ? on_stream : NULL,
        .cancelled = stream ? NULL : on_wait,
        .arg = stream,
        .tls = &tls,
    };

    if (r->unfit) {
        return deis_err_set(err, DEIS_INVALID, "what is to be sent is no UTF-8 text");
    }
    if (!c->http) {
        c->http = deis_httpc_new();
    }
    for (int i = 0; i <= REDIRECTS_MAX; i++) {
        req.url = url;
        int code = deis_httpc_call(c->http, &req, ret, err);
        if (code < 0) {
            return code;
        }
        char *target = redirect_target(base ? base : "", ret);
        if (!target) {
            break;
        }
        free(url);
        url = target;
    }
    explicit_bzero(authorization, strlen(authorization));
    return 0;
}

/* What the user may do about a failure. */
static void add_hint(struct client *c, const struct request *r, enum deis_code failure,
                     const struct deis_httpc_answer *a)
{
    const struct hint_facts facts = {
        .status = a ? a->status : 0,
        .failure = failure,
        .method = r->method,
        .controller = c->profile.controller,
        .verifies = c->profile.ssl_verify,
        .username = c->profile.username,
        .app = c->app,
        .app_guessed = c->app_guessed,
        .request_id = a ? deis_httpc_header(a, "X-Request-Id") : DEIS_STR_NONE,
        .retry_after = a ? deis_httpc_header(a, "Retry-After") : DEIS_STR_NONE,
    };

    hint_add(&facts, &c->hint);
}

static int fail_without_answer(struct client *c, const struct request *r,
                               const struct deis_err *err)
{
    add_hint(c, r, err->code, NULL);
    return client_fail_err(c, err);
}

/* What the contract has on stdout, and programs must not read there. */
static void remark(const struct client *c, const struct deis_buf *text)
{
    if (c->json) {
        fwrite(text->data, 1, text->len, stderr);
    } else {
        term_print(text);
    }
}

static int fail_with_answer(struct client *c, const struct request *r,
                            const struct deis_httpc_answer *a, struct deis_str body)
{
    deis_autobuf struct deis_buf complaint = DEIS_BUF_INIT(COMPLAINT_MAX);

    answer_error(a->status, a->reason, body, &c->error, &complaint);
    add_hint(c, r, DEIS_OK, a);
    remark(c, &complaint);
    return -1;
}

static void warn_of_version(const struct client *c, const struct deis_httpc_answer *a)
{
    deis_autobuf struct deis_buf warning = DEIS_BUF_INIT(COMPLAINT_MAX);

    answer_version_warning(deis_httpc_header(a, "DEIS_API_VERSION"), &warning);
    remark(c, &warning);
}

/* A platform that takes pushes elsewhere than usual says so. */
static void note_ssh_port(struct client *c, const struct deis_httpc_answer *a)
{
    uint64_t port = 0;

    if (deis_str_to_u64(deis_httpc_header(a, "DEIS_SSH_PORT"), 1, UINT16_MAX, &port, NULL) == 0) {
        c->profile.ssh_port = (uint16_t)port;
    }
}

/* Exchange, and judge the status. */
static int ask(struct client *c, const struct request *r, struct deis_httpc_answer *ret)
{
    struct deis_err err;

    int code = exchange(c, r, NULL, ret, &err);
    term_spin_stop();
    if (code < 0) {
        return fail_without_answer(c, r, &err);
    }
    if (answer_is_error(ret->status)) {
        return fail_with_answer(c, r, ret, deis_buf_str(&ret->body));
    }
    warn_of_version(c, ret);
    return 0;
}

int api_call(struct client *c, const struct request *r, json_t **ret)
{
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    struct deis_err err;
    json_t *value = NULL;

    if (ret) {
        *ret = NULL;
    }
    if (ask(c, r, &a) < 0) {
        return -1;
    }
    if (ret && a.body.len > 0) {
        value = deis_json_parse_output(deis_buf_str(&a.body), &err);
        if (!value) {
            return client_fail(c, "the controller's answer is no JSON: %s", err.msg);
        }
        *ret = value;
    }
    return 0;
}

int api_do(struct client *c, struct request r, json_t **ret)
{
    int code = api_call(c, &r, ret);

    request_clear(&r);
    return code;
}

int api_text(struct client *c, struct request r, struct deis_buf *ret)
{
    deis_autoanswer struct deis_httpc_answer a = { 0 };

    int code = ask(c, &r, &a);
    request_clear(&r);
    if (code == 0) {
        *ret = a.body;
        deis_buf_init(&a.body, 0);
    }
    return code;
}

int api_stream(struct client *c, struct request r, void (*on_data)(struct deis_str data, void *arg),
               void *arg)
{
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    struct stream s = { on_data, arg, DEIS_BUF_INIT(COMPLAINT_MAX) };
    struct deis_err err;

    int code = exchange(c, &r, &s, &a, &err);
    if (code < 0) {
        code = fail_without_answer(c, &r, &err);
    } else if (answer_is_error(a.status)) {
        code = fail_with_answer(c, &r, &a, deis_buf_str(&s.failure));
    } else {
        warn_of_version(c, &a);
    }
    request_clear(&r);
    deis_buf_clear(&s.failure);
    return code;
}

/* Ask, and again where the answer says to. */
static int open_tunnel(struct client *c, const char *path, const char *protocol,
                       struct deis_tunnel **ret, struct deis_httpc_answer *a, struct deis_err *err)
{
    const struct deis_httpc_tls tls = { .insecure = !c->profile.ssl_verify };
    const char *token = c->profile.token ? c->profile.token : "";
    deis_autofree char *authorization = deis_asprintf("Authorization: token %s", token);
    const char *headers[] = { authorization, "User-Agent: Deis Client v1.13.4", NULL };
    deis_autofree char *base = profile_base_url(c->profile.controller);
    deis_autofree char *url = deis_asprintf("%s%s", base ? base : "", path);
    struct deis_httpc_request req = { .method = "POST",
                                      .headers = headers,
                                      .connect_timeout_ms = CONNECT_MS,
                                      .answer_max = COMPLAINT_MAX,
                                      .tls = &tls };
    int code = 0;

    for (int i = 0; i <= REDIRECTS_MAX; i++) {
        req.url = url;
        code = deis_tunnel_open(&req, protocol, ret, a, err);
        char *target = code < 0 || *ret ? NULL : redirect_target(base ? base : "", a);
        if (!target) {
            break;
        }
        free(url);
        url = target;
    }
    explicit_bzero(authorization, strlen(authorization));
    return code;
}

int api_upgrade(struct client *c, struct request r, const char *protocol, struct deis_tunnel **ret)
{
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    int code = open_tunnel(c, r.path, protocol, ret, &a, &err);
    if (code < 0) {
        code = fail_without_answer(c, &r, &err);
    } else if (!*ret && answer_is_error(a.status)) {
        code = fail_with_answer(c, &r, &a, deis_buf_str(&a.body));
    } else if (!*ret) {
        code = client_fail(c, "the controller can't attach to commands");
    } else {
        warn_of_version(c, &a);
    }
    request_clear(&r);
    return code;
}

int api_list(struct client *c, struct request r, json_t **ret_list, json_t **ret_results,
             long *ret_total)
{
    struct deis_err err;

    if (api_do(c, r, ret_list) < 0) {
        return -1;
    }
    if (answer_list(*ret_list, ret_results, ret_total, &err) < 0) {
        json_decref(*ret_list);
        *ret_list = NULL;
        return client_fail_err(c, &err);
    }
    return 0;
}

json_t *api_list_if_known(struct client *c, struct request r)
{
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    deis_autojson json_t *list = NULL;
    json_t *results = NULL;
    struct deis_err err;
    long total = 0;

    int code = exchange(c, &r, NULL, &a, &err);
    request_clear(&r);
    if (code == 0 && a.status == 200) {
        list = deis_json_parse(deis_buf_str(&a.body), &err);
    }
    return list && answer_list(list, &results, &total, &err) == 0 ? json_incref(results) : NULL;
}

/* Add a page to the results; false in *ret_more when it was the last. */
static int add_page(struct client *c, struct request *r, long page, json_t *all, bool *ret_more)
{
    deis_autojson json_t *list = NULL;
    json_t *results = NULL;
    struct deis_err err;
    long total = 0;

    if (page > 1) {
        request_set_page(r, page);
    }
    if (api_call(c, r, &list) < 0) {
        return -1;
    }
    if (answer_list(list, &results, &total, &err) < 0) {
        return client_fail_err(c, &err);
    }
    json_array_extend(all, results);
    *ret_more = json_array_size(results) > 0 && json_array_size(all) < (size_t)total;
    return 0;
}

int api_list_json(struct client *c, const struct options *o, struct request r)
{
    deis_autojson json_t *all = json_array();
    bool more = true;
    int code = 0;

    for (long page = 1; code == 0 && more; page++) {
        code = add_page(c, &r, page, all, &more);
        more = more && !o->given[OPTION_LIMIT];
    }
    request_clear(&r);
    return code < 0 ? code : term_print_json(c, o, all);
}

int api_check(struct client *c)
{
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    request_auto struct request r = request_check();
    struct deis_err err;
    char *token = DEIS_TAKE(c->profile.token);

    int code = exchange(c, &r, NULL, &a, &err);
    c->profile.token = token;
    if (code == 0 && a.status == 401) {
        note_ssh_port(c, &a);
        return 0;
    }
    deis_autofree char *base = profile_base_url(c->profile.controller);
    deis_autofree char *text =
        deis_asprintf("%s/v1/ does not appear to be a valid Deis controller.\n"
                      "Make sure that the Controller URI is correct, the server is running and\n"
                      "your client version is correct.",
                      base);
    if (code < 0) {
        printf("%s\n", text);
        return client_fail_err(c, &err);
    }
    return client_fail(c, "%s", text);
}
