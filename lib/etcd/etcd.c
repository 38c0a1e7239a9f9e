/* SPDX-License-Identifier: MIT */
#include "lib/etcd/etcd.h"

#include "lib/etcd/etcd_client.h"
#include "lib/net/httpc_pool.h"
#include "lib/wire/url.h"

#include <assert.h>
#include <stdatomic.h>

#define ENDPOINTS_MAX      16
#define IDLE_CLIENTS_MAX   16
#define TIMEOUT_DEFAULT_MS 2000u
#define LIST_RESTARTS_MAX  3

struct deis_etcd {
    char *endpoints[ENDPOINTS_MAX];
    unsigned count;
    atomic_uint preferred; /* counted on and on; taken modulo count */
    uint64_t timeout_ms;
    struct deis_httpc_tls tls;
    char *tls_files[3]; /* own the texts of tls */
    struct deis_httpc_pool *pool;

    struct deis_httpc_streams *streams; /* thread: loop */
    struct deis_loop *streams_loop;
    unsigned streams_users;
};

/* --- the client --- */

static int add_endpoint(struct deis_etcd *e, struct deis_str text, struct deis_err *err)
{
    struct deis_url url;

    if (e->count == ENDPOINTS_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "more than %d etcd endpoints", ENDPOINTS_MAX);
    }
    while (deis_str_ends(text, "/")) {
        text = deis_str_first(text, text.len - 1);
    }
    if (deis_url_parse(text, &url, err) < 0) {
        return deis_err_wrap(err, "etcd endpoint '%.*s'", DEIS_STR_ARG(text));
    }
    if ((!deis_str_eq_cstr(url.scheme, "http") && !deis_str_eq_cstr(url.scheme, "https")) ||
        url.port == 0 || url.path.len > 0) {
        return deis_err_set(err, DEIS_INVALID,
                            "etcd endpoint '%.*s' must be http://host:port or https://host:port",
                            DEIS_STR_ARG(text));
    }
    e->endpoints[e->count++] = deis_str_dup(text);
    return DEIS_OK;
}

static char *dup_or_null(const char *s)
{
    return s ? deis_strdup(s) : NULL;
}

struct deis_etcd *deis_etcd_new(const struct deis_etcd_opts *opts, struct deis_err *err)
{
    struct deis_etcd *e = deis_alloc(sizeof(*e));
    struct deis_str rest = deis_str(opts->endpoints);
    struct deis_str part;

    while (deis_str_split(&rest, ',', &part)) {
        if (add_endpoint(e, deis_str_trim(part), err) < 0) {
            deis_etcd_free(e);
            return NULL;
        }
    }
    if (e->count == 0) {
        deis_err_set(err, DEIS_INVALID, "no etcd endpoint given");
        deis_etcd_free(e);
        return NULL;
    }
    e->timeout_ms = opts->timeout_ms > 0 ? opts->timeout_ms : TIMEOUT_DEFAULT_MS;
    e->tls_files[0] = dup_or_null(opts->tls.ca_file);
    e->tls_files[1] = dup_or_null(opts->tls.cert_file);
    e->tls_files[2] = dup_or_null(opts->tls.key_file);
    e->tls = (struct deis_httpc_tls){
        .ca_file = e->tls_files[0],
        .cert_file = e->tls_files[1],
        .key_file = e->tls_files[2],
        .insecure = opts->tls.insecure,
    };
    e->pool = deis_httpc_pool_new(IDLE_CLIENTS_MAX);
    return e;
}

void deis_etcd_free(struct deis_etcd *e)
{
    if (!e) {
        return;
    }
    assert(e->streams_users == 0);
    deis_httpc_pool_free(e->pool);
    for (unsigned i = 0; i < e->count; i++) {
        free(e->endpoints[i]);
    }
    for (size_t i = 0; i < DEIS_COUNT(e->tls_files); i++) {
        free(e->tls_files[i]);
    }
    free(e);
}

const char *deis_etcd_endpoint(const struct deis_etcd *e, unsigned number)
{
    return e->endpoints[number % e->count];
}

unsigned deis_etcd_preferred(const struct deis_etcd *e)
{
    return atomic_load(&e->preferred);
}

void deis_etcd_avoid(struct deis_etcd *e, unsigned number)
{
    /* Only if nobody else has moved on meanwhile. */
    atomic_compare_exchange_strong(&e->preferred, &number, number + 1);
}

const struct deis_httpc_tls *deis_etcd_tls(const struct deis_etcd *e)
{
    return &e->tls;
}

uint64_t deis_etcd_timeout_ms(const struct deis_etcd *e)
{
    return e->timeout_ms;
}

struct deis_httpc_streams *deis_etcd_streams_ref(struct deis_etcd *e, struct deis_loop *loop)
{
    assert(e->streams_users == 0 || e->streams_loop == loop);
    if (e->streams_users++ == 0) {
        e->streams = deis_httpc_streams_new(loop);
        e->streams_loop = loop;
    }
    return e->streams;
}

void deis_etcd_streams_unref(struct deis_etcd *e)
{
    assert(e->streams_users > 0);
    if (--e->streams_users == 0) {
        deis_httpc_streams_free(e->streams);
        e->streams = NULL;
        e->streams_loop = NULL;
    }
}

/* --- one call --- */

struct request {
    enum { READ, WRITE } kind;

    const char *path; /* below /v3/ */
    const struct deis_buf *body;
    uint64_t timeout_ms; /* on one endpoint; 0 = the client's */
};

static enum deis_etcd_fault call_endpoint(struct deis_etcd *e, const char *endpoint,
                                          const struct request *r, struct deis_httpc_answer *ret,
                                          struct deis_err *err)
{
    static const char *const headers[] = { "Content-Type: application/json", DEIS_ETCD_HAS_LEADER,
                                           NULL };
    deis_autofree char *url = deis_asprintf("%s/v3/%s", endpoint, r->path);
    uint64_t timeout_ms = r->timeout_ms > 0 ? r->timeout_ms : e->timeout_ms;
    const struct deis_httpc_request req = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .body = deis_buf_str(r->body),
        .timeout_ms = timeout_ms,
        .connect_timeout_ms = timeout_ms < DEIS_ETCD_CONNECT_MS ? timeout_ms : DEIS_ETCD_CONNECT_MS,
        .tls = &e->tls,
    };

    int rc = deis_httpc_pool_call(e->pool, &req, ret, err);
    if (rc < 0) {
        return rc == DEIS_UNAVAILABLE ? DEIS_ETCD_NEXT
               : rc == DEIS_LIMIT     ? DEIS_ETCD_FINAL
                                      : DEIS_ETCD_UNKNOWN;
    }
    if (ret->status == 200) {
        return DEIS_ETCD_FINE;
    }
    return deis_etcd_decode_error(ret->status, deis_buf_str(&ret->body), err);
}

/*
 * Ask one member after the other until one answers with 200. Returns what err says, which is
 * DEIS_CONFLICT for a compacted revision. A write goes on to the next member only when nothing was
 * done.
 */
static int call(struct deis_etcd *e, const struct request *r, struct deis_httpc_answer *ret,
                struct deis_err *err)
{
    struct deis_err why = DEIS_ERR_INIT;

    if (deis_buf_failed(r->body)) {
        return deis_err_set(err, DEIS_LIMIT, "request is larger than etcd takes");
    }
    for (unsigned i = 0; i < e->count; i++) {
        unsigned number = deis_etcd_preferred(e);
        enum deis_etcd_fault fault = call_endpoint(e, deis_etcd_endpoint(e, number), r, ret, &why);
        if (fault == DEIS_ETCD_FINE) {
            return DEIS_OK;
        }
        if (fault == DEIS_ETCD_FINAL || fault == DEIS_ETCD_COMPACTED) {
            return deis_err_set(err, why.code, "%s", why.msg);
        }
        deis_etcd_avoid(e, number);
        if (fault == DEIS_ETCD_UNKNOWN && r->kind == WRITE) {
            return deis_err_set(err, DEIS_TIMEOUT, "outcome of a write to etcd is unknown: %s",
                                why.msg);
        }
    }
    return deis_err_set(err, DEIS_UNAVAILABLE, "etcd can't be reached: %s", why.msg);
}

/* A write whose answer says nothing of interest. */
static int write_call(struct deis_etcd *e, const char *path, const struct deis_buf *body,
                      struct deis_err *err)
{
    const struct request r = { .kind = WRITE, .path = path, .body = body };
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    return call(e, &r, &answer, err);
}

/* --- reads --- */

int deis_etcd_get(struct deis_etcd *e, const char *key, struct deis_etcd_range *ret,
                  struct deis_err *err)
{
    const struct deis_etcd_range_args args = { .key = deis_str(key) };
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    const struct request r = { .kind = READ, .path = "kv/range", .body = &body };
    deis_autobuf struct deis_buf last = DEIS_BUF_INIT(DEIS_ETCD_KEY_MAX);
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    struct deis_etcd_header header;
    bool more;

    *ret = (struct deis_etcd_range){ 0 };
    deis_etcd_encode_range(&args, &body);
    int rc = call(e, &r, &answer, err);
    if (rc == DEIS_OK) {
        rc = deis_etcd_decode_range(deis_buf_str(&answer.body), ret, &header, &more, &last, err);
    }
    if (rc == DEIS_OK && ret->count == 0) {
        rc = deis_err_set(err, DEIS_NOT_FOUND, "no key '%s' in etcd", key);
    }
    if (rc < 0) {
        deis_etcd_range_clear(ret);
    }
    return rc;
}

static int read_page(struct deis_etcd *e, struct deis_etcd_pager *pager,
                     struct deis_etcd_range *ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    const struct request r = { .kind = READ, .path = "kv/range", .body = &body };
    deis_autoanswer struct deis_httpc_answer answer = { 0 };

    deis_etcd_pager_request(pager, &body);
    int rc = call(e, &r, &answer, err);
    if (rc == DEIS_LIMIT && deis_etcd_pager_shrink(pager)) {
        return DEIS_OK;
    }
    if (rc == DEIS_OK) {
        rc = deis_etcd_pager_answer(pager, deis_buf_str(&answer.body), ret, err);
    }
    return rc;
}

static int read_all(struct deis_etcd *e, const char *prefix, size_t limit, bool keys_only,
                    struct deis_etcd_range *ret, struct deis_err *err)
{
    int rc = DEIS_CONFLICT;

    *ret = (struct deis_etcd_range){ 0 };
    /* A compaction between two pages takes their revision away: from the start then. */
    for (int i = 0; i < LIST_RESTARTS_MAX && rc == DEIS_CONFLICT; i++) {
        struct deis_etcd_pager pager;
        deis_etcd_range_clear(ret);
        deis_etcd_pager_init(&pager, deis_str(prefix), limit, keys_only);
        rc = DEIS_OK;
        while (rc == DEIS_OK && !pager.done) {
            rc = read_page(e, &pager, ret, err);
        }
        deis_etcd_pager_clear(&pager);
    }
    if (rc < 0) {
        deis_etcd_range_clear(ret);
    }
    return rc == DEIS_CONFLICT ? deis_err_set(err, DEIS_UNAVAILABLE,
                                              "list of '%s' was overtaken by compactions", prefix)
                               : rc;
}

int deis_etcd_list(struct deis_etcd *e, const char *prefix, size_t limit,
                   struct deis_etcd_range *ret, struct deis_err *err)
{
    return read_all(e, prefix, limit, false, ret, err);
}

int deis_etcd_list_keys(struct deis_etcd *e, const char *prefix, struct deis_etcd_range *ret,
                        struct deis_err *err)
{
    return read_all(e, prefix, 0, true, ret, err);
}

/* --- writes --- */

int deis_etcd_put(struct deis_etcd *e, const char *key, struct deis_str value, int64_t lease,
                  struct deis_err *err)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    deis_etcd_encode_put(deis_str(key), value, lease, &body);
    return write_call(e, "kv/put", &body, err);
}

int deis_etcd_delete(struct deis_etcd *e, const char *key, struct deis_err *err)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    deis_etcd_encode_delete(deis_str(key), DEIS_STR_NONE, &body);
    return write_call(e, "kv/deleterange", &body, err);
}

int deis_etcd_delete_prefix(struct deis_etcd *e, const char *prefix, struct deis_err *err)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    deis_autobuf struct deis_buf end = DEIS_BUF_INIT(DEIS_ETCD_KEY_MAX);
    struct deis_str key = deis_etcd_prefix_range(deis_str(prefix), &end);

    if (deis_buf_failed(&end)) {
        return deis_err_set(err, DEIS_LIMIT, "key of more than %u bytes", DEIS_ETCD_KEY_MAX);
    }
    deis_etcd_encode_delete(key, deis_buf_str(&end), &body);
    return write_call(e, "kv/deleterange", &body, err);
}

int deis_etcd_commit(struct deis_etcd *e, struct deis_etcd_txn *t, struct deis_etcd_range *rets,
                     int64_t *ret_revision, struct deis_err *err)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    const struct request r = { .kind = deis_etcd_txn_writes(t) ? WRITE : READ,
                               .path = "kv/txn",
                               .body = &body };
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    unsigned get_count = deis_etcd_txn_gets(t);

    assert(get_count == 0 || rets);
    for (unsigned i = 0; i < get_count; i++) {
        rets[i] = (struct deis_etcd_range){ 0 };
    }
    int rc = deis_etcd_txn_check(t, err);
    if (rc < 0) {
        return rc;
    }
    deis_etcd_encode_txn(t, &body);
    rc = call(e, &r, &answer, err);
    if (rc == DEIS_OK) {
        rc = deis_etcd_decode_txn(deis_buf_str(&answer.body), rets, get_count, ret_revision, err);
    }
    for (unsigned i = 0; rc < 0 && i < get_count; i++) {
        deis_etcd_range_clear(&rets[i]);
    }
    return rc;
}

/* --- leases, single calls --- */

static int lease_call(struct deis_etcd *e, const char *path, const struct deis_buf *body,
                      int64_t *ret_lease, unsigned *ret_ttl_s, struct deis_err *err)
{
    const struct request r = { .kind = WRITE, .path = path, .body = body };
    deis_autoanswer struct deis_httpc_answer answer = { 0 };

    int rc = call(e, &r, &answer, err);
    return rc < 0 ? rc
                  : deis_etcd_decode_lease(deis_buf_str(&answer.body), ret_lease, ret_ttl_s, err);
}

int deis_etcd_lease_grant(struct deis_etcd *e, unsigned ttl_s, int64_t *ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    unsigned granted_s;

    deis_etcd_encode_grant(ttl_s, &body);
    return lease_call(e, "lease/grant", &body, ret, &granted_s, err);
}

int deis_etcd_lease_keepalive(struct deis_etcd *e, int64_t lease, unsigned *ret_ttl_s,
                              struct deis_err *err)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    int64_t id;

    deis_etcd_encode_lease_id(lease, &body);
    int rc = lease_call(e, "lease/keepalive", &body, &id, ret_ttl_s, err);
    if (rc == DEIS_OK && *ret_ttl_s == 0) {
        rc = deis_err_set(err, DEIS_NOT_FOUND, "the lease has ended");
    }
    return rc;
}

int deis_etcd_revoke_within(struct deis_etcd *e, int64_t lease, uint64_t timeout_ms,
                            struct deis_err *err)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    const struct request r = {
        .kind = WRITE,
        .path = "lease/revoke",
        .body = &body,
        .timeout_ms = timeout_ms,
    };
    deis_autoanswer struct deis_httpc_answer answer = { 0 };

    deis_etcd_encode_lease_id(lease, &body);
    int rc = call(e, &r, &answer, err);
    return rc == DEIS_NOT_FOUND ? DEIS_OK : rc;
}

int deis_etcd_lease_revoke(struct deis_etcd *e, int64_t lease, struct deis_err *err)
{
    return deis_etcd_revoke_within(e, lease, 0, err);
}
