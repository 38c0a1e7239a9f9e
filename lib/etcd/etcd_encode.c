/* SPDX-License-Identifier: MIT */
#include "lib/etcd/etcd_codec.h"
#include "lib/wire/b64.h"

#include <assert.h>
#include <inttypes.h>

struct deis_etcd_txn {
    struct deis_buf guards; /* the inside of "compare" */
    struct deis_buf ops;    /* the inside of "success" */
    unsigned guard_count;
    unsigned op_count;
    unsigned get_count;
};

/* --- pieces --- */

static void add_bytes(struct deis_buf *out, const char *before, struct deis_str data)
{
    deis_buf_add_cstr(out, before);
    deis_buf_add_char(out, '"');
    deis_b64_encode(data, out);
    deis_buf_add_char(out, '"');
}

struct deis_str deis_etcd_prefix_range(struct deis_str prefix, struct deis_buf *end_out)
{
    static const char nul[1] = "";
    size_t len = prefix.len;

    /* The end is the prefix with its last byte plus one; a byte 0xff carries to the one before. */
    while (len > 0 && (unsigned char)prefix.ptr[len - 1] == 0xff) {
        len--;
    }
    if (len == 0) {
        deis_buf_add_char(end_out, '\0'); /* "to the very end" */
    } else {
        deis_buf_add(end_out, prefix.ptr, len - 1);
        deis_buf_add_char(end_out, (char)((unsigned char)prefix.ptr[len - 1] + 1));
    }
    return prefix.len > 0 ? prefix : deis_str_n(nul, 1);
}

static void add_prefix(struct deis_buf *out, struct deis_str prefix)
{
    deis_autobuf struct deis_buf end = DEIS_BUF_INIT(DEIS_ETCD_KEY_MAX);
    struct deis_str key = deis_etcd_prefix_range(prefix, &end);

    if (deis_buf_failed(&end)) {
        out->failed = true;
        return;
    }
    add_bytes(out, "\"key\":", key);
    add_bytes(out, ",\"range_end\":", deis_buf_str(&end));
}

/* --- requests --- */

void deis_etcd_encode_range(const struct deis_etcd_range_args *args, struct deis_buf *out)
{
    add_bytes(out, "{\"key\":", args->key);
    if (args->range_end.len > 0) {
        add_bytes(out, ",\"range_end\":", args->range_end);
    }
    if (args->limit > 0) {
        deis_buf_addf(out, ",\"limit\":\"%" PRIu64 "\"", args->limit);
    }
    if (args->revision > 0) {
        deis_buf_addf(out, ",\"revision\":\"%" PRId64 "\"", args->revision);
    }
    if (args->keys_only) {
        deis_buf_add_cstr(out, ",\"keys_only\":true");
    }
    deis_buf_add_char(out, '}');
}

void deis_etcd_encode_put(struct deis_str key, struct deis_str value, int64_t lease,
                          struct deis_buf *out)
{
    add_bytes(out, "{\"key\":", key);
    add_bytes(out, ",\"value\":", value);
    if (lease != 0) {
        deis_buf_addf(out, ",\"lease\":\"%" PRId64 "\"", lease);
    }
    deis_buf_add_char(out, '}');
}

void deis_etcd_encode_delete(struct deis_str key, struct deis_str range_end, struct deis_buf *out)
{
    add_bytes(out, "{\"key\":", key);
    if (range_end.len > 0) {
        add_bytes(out, ",\"range_end\":", range_end);
    }
    deis_buf_add_char(out, '}');
}

void deis_etcd_encode_grant(unsigned ttl_s, struct deis_buf *out)
{
    deis_buf_addf(out, "{\"TTL\":\"%u\"}", ttl_s);
}

void deis_etcd_encode_lease_id(int64_t lease, struct deis_buf *out)
{
    deis_buf_addf(out, "{\"ID\":\"%" PRId64 "\"}", lease);
}

void deis_etcd_encode_watch(struct deis_str prefix, int64_t start_revision, struct deis_buf *out)
{
    deis_buf_add_cstr(out, "{\"create_request\":{");
    add_prefix(out, prefix);
    deis_buf_addf(
        out, ",\"start_revision\":\"%" PRId64 "\",\"progress_notify\":true,\"fragment\":true}}",
        start_revision);
}

/* --- transactions --- */

struct deis_etcd_txn *deis_etcd_txn_new(void)
{
    struct deis_etcd_txn *t = deis_alloc(sizeof(*t));
    deis_buf_init(&t->guards, DEIS_ETCD_BODY_MAX);
    deis_buf_init(&t->ops, DEIS_ETCD_BODY_MAX);
    return t;
}

void deis_etcd_txn_free(struct deis_etcd_txn *t)
{
    if (!t) {
        return;
    }
    deis_buf_clear(&t->guards);
    deis_buf_clear(&t->ops);
    free(t);
}

static void begin_guard(struct deis_etcd_txn *t)
{
    deis_buf_add_cstr(&t->guards, t->guard_count > 0 ? ",{" : "{");
    t->guard_count++;
}

static void guard_key(struct deis_etcd_txn *t, const char *key, const char *target,
                      const char *result, const char *operand, int64_t value)
{
    begin_guard(t);
    add_bytes(&t->guards, "\"key\":", deis_str(key));
    deis_buf_addf(&t->guards, ",\"target\":\"%s\",\"result\":\"%s\",\"%s\":\"%" PRId64 "\"}",
                  target, result, operand, value);
}

void deis_etcd_if_mod(struct deis_etcd_txn *t, const char *key, int64_t mod_revision)
{
    guard_key(t, key, "MOD", "EQUAL", "mod_revision", mod_revision);
}

void deis_etcd_if_create(struct deis_etcd_txn *t, const char *key, int64_t create_revision)
{
    guard_key(t, key, "CREATE", "EQUAL", "create_revision", create_revision);
}

void deis_etcd_if_absent(struct deis_etcd_txn *t, const char *key)
{
    guard_key(t, key, "VERSION", "EQUAL", "version", 0);
}

void deis_etcd_if_exists(struct deis_etcd_txn *t, const char *key)
{
    guard_key(t, key, "VERSION", "GREATER", "version", 0);
}

void deis_etcd_if_prefix_empty(struct deis_etcd_txn *t, const char *prefix)
{
    begin_guard(t);
    add_prefix(&t->guards, deis_str(prefix));
    deis_buf_add_cstr(&t->guards,
                      ",\"target\":\"VERSION\",\"result\":\"EQUAL\",\"version\":\"0\"}");
}

void deis_etcd_if_prefix_unchanged(struct deis_etcd_txn *t, const char *prefix, int64_t revision)
{
    begin_guard(t);
    add_prefix(&t->guards, deis_str(prefix));
    deis_buf_addf(&t->guards,
                  ",\"target\":\"MOD\",\"result\":\"LESS\",\"mod_revision\":\"%" PRId64 "\"}",
                  revision + 1);
}

static void begin_op(struct deis_etcd_txn *t, const char *kind)
{
    deis_buf_addf(&t->ops, "%s{\"%s\":", t->op_count > 0 ? "," : "", kind);
    t->op_count++;
}

void deis_etcd_then_put(struct deis_etcd_txn *t, const char *key, struct deis_str value,
                        int64_t lease)
{
    begin_op(t, "request_put");
    deis_etcd_encode_put(deis_str(key), value, lease, &t->ops);
    deis_buf_add_char(&t->ops, '}');
}

void deis_etcd_then_delete(struct deis_etcd_txn *t, const char *key)
{
    begin_op(t, "request_delete_range");
    deis_etcd_encode_delete(deis_str(key), DEIS_STR_NONE, &t->ops);
    deis_buf_add_char(&t->ops, '}');
}

void deis_etcd_then_delete_prefix(struct deis_etcd_txn *t, const char *prefix)
{
    begin_op(t, "request_delete_range");
    deis_buf_add_char(&t->ops, '{');
    add_prefix(&t->ops, deis_str(prefix));
    deis_buf_add_cstr(&t->ops, "}}");
}

void deis_etcd_then_get(struct deis_etcd_txn *t, const char *key_or_prefix, bool prefix)
{
    begin_op(t, "request_range");
    deis_buf_add_char(&t->ops, '{');
    if (prefix) {
        add_prefix(&t->ops, deis_str(key_or_prefix));
    } else {
        add_bytes(&t->ops, "\"key\":", deis_str(key_or_prefix));
    }
    deis_buf_add_cstr(&t->ops, "}}");
    t->get_count++;
}

int deis_etcd_txn_check(const struct deis_etcd_txn *t, struct deis_err *err)
{
    if (t->guard_count > DEIS_ETCD_TXN_MAX || t->op_count > DEIS_ETCD_TXN_MAX) {
        return deis_err_set(err, DEIS_LIMIT,
                            "transaction of %u guards and %u operations: at most %u of each",
                            t->guard_count, t->op_count, DEIS_ETCD_TXN_MAX);
    }
    if (deis_buf_failed(&t->guards) || deis_buf_failed(&t->ops)) {
        return deis_err_set(err, DEIS_LIMIT, "transaction is larger than etcd takes");
    }
    return DEIS_OK;
}

unsigned deis_etcd_txn_gets(const struct deis_etcd_txn *t)
{
    return t->get_count;
}

bool deis_etcd_txn_writes(const struct deis_etcd_txn *t)
{
    return t->op_count > t->get_count;
}

void deis_etcd_encode_txn(const struct deis_etcd_txn *t, struct deis_buf *out)
{
    deis_buf_add_cstr(out, "{\"compare\":[");
    deis_buf_add_str(out, deis_buf_str(&t->guards));
    deis_buf_add_cstr(out, "],\"success\":[");
    deis_buf_add_str(out, deis_buf_str(&t->ops));
    deis_buf_add_cstr(out, "]}");
}

/* --- paging --- */

void deis_etcd_pager_init(struct deis_etcd_pager *p, struct deis_str prefix, size_t limit,
                          bool keys_only)
{
    *p = (struct deis_etcd_pager){
        .next = DEIS_BUF_INIT(DEIS_ETCD_KEY_MAX),
        .end = DEIS_BUF_INIT(DEIS_ETCD_KEY_MAX),
        .page_keys = DEIS_ETCD_PAGE_KEYS,
        .left = limit > 0 ? limit : UINT64_MAX,
        .keys_only = keys_only,
    };
    deis_buf_add_str(&p->next, deis_etcd_prefix_range(prefix, &p->end));
}

void deis_etcd_pager_clear(struct deis_etcd_pager *p)
{
    deis_buf_clear(&p->next);
    deis_buf_clear(&p->end);
}

void deis_etcd_pager_turn_to(struct deis_etcd_pager *p, struct deis_str prefix)
{
    assert(p->done && p->left == UINT64_MAX);
    deis_buf_reset(&p->next);
    deis_buf_reset(&p->end);
    deis_buf_add_str(&p->next, deis_etcd_prefix_range(prefix, &p->end));
    p->done = false;
}

void deis_etcd_pager_request(const struct deis_etcd_pager *p, struct deis_buf *out)
{
    const struct deis_etcd_range_args args = {
        .key = deis_buf_str(&p->next),
        .range_end = deis_buf_str(&p->end),
        .limit = p->left < p->page_keys ? p->left : p->page_keys,
        .revision = p->revision,
        .keys_only = p->keys_only,
    };

    assert(!p->done);
    if (deis_buf_failed(&p->next) || deis_buf_failed(&p->end)) {
        out->failed = true;
        return;
    }
    deis_etcd_encode_range(&args, out);
}

int deis_etcd_pager_answer(struct deis_etcd_pager *p, struct deis_str text,
                           struct deis_etcd_range *into, struct deis_err *err)
{
    struct deis_etcd_header header;
    struct deis_str last;
    bool more;
    size_t before = into->count;

    deis_autobuf struct deis_buf last_key = DEIS_BUF_INIT(DEIS_ETCD_KEY_MAX);
    int rc = deis_etcd_decode_range(text, into, &header, &more, &last_key, err);
    if (rc < 0) {
        return rc;
    }
    if (p->revision == 0) {
        p->revision = header.revision;
        p->cluster_id = header.cluster_id;
    }
    into->revision = p->revision;
    last = deis_buf_str(&last_key);
    if (more && (last.len == 0 || deis_str_cmp(last, deis_buf_str(&p->next)) < 0)) {
        return deis_err_set(err, DEIS_PROTOCOL, "etcd sent a page that does not go on");
    }
    size_t got = into->count - before;
    p->left = p->left == UINT64_MAX ? p->left : p->left - (got < p->left ? got : p->left);
    p->done = !more || p->left == 0;
    if (!p->done) {
        deis_buf_reset(&p->next);
        deis_buf_add_str(&p->next, last);
        deis_buf_add_char(&p->next, '\0');
        if (deis_buf_failed(&p->next)) {
            return deis_err_set(err, DEIS_LIMIT, "key of more than %u bytes", DEIS_ETCD_KEY_MAX);
        }
    }
    return DEIS_OK;
}

bool deis_etcd_pager_shrink(struct deis_etcd_pager *p)
{
    if (p->page_keys == 1) {
        return false;
    }
    p->page_keys = p->page_keys / 8 > 0 ? p->page_keys / 8 : 1;
    return true;
}
