/* SPDX-License-Identifier: MIT */
#include "lib/etcd/etcd_codec.h"
#include "lib/wire/b64.h"
#include "lib/wire/json.h"
#include "lib/wire/json_scan.h"

#include <inttypes.h>
#include <stdio.h>

/* gRPC codes that etcd uses. */
enum {
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_ALREADY_EXISTS = 6,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16,
};

static void kv_clear(struct deis_etcd_kv *kv)
{
    free(kv->key); /* holds the value too */
    *kv = (struct deis_etcd_kv){ 0 };
}

void deis_etcd_range_clear(struct deis_etcd_range *r)
{
    for (size_t i = 0; i < r->count; i++) {
        kv_clear(&r->kvs[i]);
    }
    free(r->kvs);
    *r = (struct deis_etcd_range){ 0 };
}

void deis_etcd_watch_line_clear(struct deis_etcd_watch_line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        kv_clear(&line->events[i].kv);
    }
    free(line->events);
    *line = (struct deis_etcd_watch_line){ 0 };
}

/* --- members of an answer, as their text: absent is zero, integers come as text --- */

static int bad_field(const char *key, struct deis_err *err)
{
    return deis_err_set(err, DEIS_PROTOCOL, "etcd's answer: field '%s' is not what it should be",
                        key);
}

static int scan_object(struct deis_str text, const char *what, const char *const *names,
                       size_t count, struct deis_str *rets, struct deis_err *err)
{
    return deis_json_scan_object(text, names, count, rets) ? DEIS_OK : bad_field(what, err);
}

static int scan_u64(struct deis_str value, const char *key, uint64_t *ret, struct deis_err *err)
{
    struct deis_str digits = value;

    *ret = 0;
    if (!value.ptr) {
        return DEIS_OK;
    }
    (void)!deis_json_scan_text(value, &digits);
    return deis_str_to_u64(digits, 0, UINT64_MAX, ret, NULL) < 0 ? bad_field(key, err) : DEIS_OK;
}

static int scan_i64(struct deis_str value, const char *key, int64_t *ret, struct deis_err *err)
{
    struct deis_str digits = value;
    uint64_t n;

    *ret = 0;
    if (!value.ptr) {
        return DEIS_OK;
    }
    (void)!deis_json_scan_text(value, &digits);
    bool negative = deis_str_starts(digits, "-");
    if (deis_str_to_u64(deis_str_skip(digits, negative ? 1 : 0), 0, INT64_MAX, &n, NULL) < 0) {
        return bad_field(key, err);
    }
    *ret = negative ? -(int64_t)n : (int64_t)n;
    return DEIS_OK;
}

static int scan_flag(struct deis_str value, const char *key, bool *ret, struct deis_err *err)
{
    *ret = deis_str_eq_cstr(value, "true");
    return *ret || !value.ptr || deis_str_eq_cstr(value, "false") ? DEIS_OK : bad_field(key, err);
}

static int scan_header(struct deis_str header, struct deis_etcd_header *ret, struct deis_err *err)
{
    static const char *const names[] = { "cluster_id", "revision" };
    struct deis_str fields[DEIS_COUNT(names)];

    *ret = (struct deis_etcd_header){ 0 };
    if (!header.ptr) {
        return DEIS_OK;
    }
    int rc = scan_object(header, "header", names, DEIS_COUNT(names), fields, err);
    if (rc == DEIS_OK) {
        rc = scan_u64(fields[0], names[0], &ret->cluster_id, err);
    }
    return rc < 0 ? rc : scan_i64(fields[1], names[1], &ret->revision, err);
}

static int add_decoded(struct deis_str value, const char *key, struct deis_buf *out,
                       struct deis_err *err)
{
    struct deis_str text;

    if (!value.ptr) {
        return DEIS_OK;
    }
    bool fits = deis_json_scan_text(value, &text) && deis_b64_decode(text, out, NULL) == DEIS_OK;
    return fits ? DEIS_OK : bad_field(key, err);
}

/* Key and value share one block of memory: the key, a NUL, the value, a NUL. */
static int decode_kv(struct deis_str object, struct deis_etcd_kv *ret, struct deis_err *err)
{
    static const char *const names[] = { "create_revision", "mod_revision", "version",
                                         "lease",           "key",          "value" };
    struct deis_str fields[DEIS_COUNT(names)];
    int64_t numbers[4];

    *ret = (struct deis_etcd_kv){ 0 };
    int rc = scan_object(object, "kvs", names, DEIS_COUNT(names), fields, err);
    for (size_t i = 0; rc == DEIS_OK && i < DEIS_COUNT(numbers); i++) {
        rc = scan_i64(fields[i], names[i], &numbers[i], err);
    }
    if (rc < 0) {
        return rc;
    }
    deis_autobuf struct deis_buf mem = DEIS_BUF_INIT(fields[4].len + fields[5].len + 2);
    deis_buf_reserve(&mem, (fields[4].len + fields[5].len) / 4 * 3 + 2);
    rc = add_decoded(fields[4], "key", &mem, err);
    size_t key_len = mem.len;
    deis_buf_add_char(&mem, '\0');
    if (rc == DEIS_OK) {
        rc = add_decoded(fields[5], "value", &mem, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (key_len == 0 || deis_buf_failed(&mem)) {
        return bad_field("key", err);
    }
    size_t len;
    char *block = deis_buf_take(&mem, &len);
    *ret = (struct deis_etcd_kv){
        .key = block,
        .value = deis_str_n(block + key_len + 1, len - key_len - 1),
        .create_revision = numbers[0],
        .mod_revision = numbers[1],
        .version = numbers[2],
        .lease = numbers[3],
    };
    return DEIS_OK;
}

/* Bytes of the key itself: longer than its C string when it holds a NUL. */
static size_t key_length(const struct deis_etcd_kv *kv)
{
    return (size_t)(kv->value.ptr - kv->key) - 1;
}

/* --- range --- */

static int take_kv(struct deis_str item, struct deis_etcd_range *into, size_t *room,
                   struct deis_buf *last_key, struct deis_err *err)
{
    struct deis_etcd_kv kv;
    int rc = decode_kv(item, &kv, err);

    if (rc < 0) {
        return rc;
    }
    if (last_key) {
        deis_buf_reset(last_key);
        deis_buf_add(last_key, kv.key, key_length(&kv));
    }
    if (key_length(&kv) != strlen(kv.key)) {
        kv_clear(&kv);
        return DEIS_OK;
    }
    if (into->count == *room) {
        *room = *room > 0 ? *room * 2 : 1;
        into->kvs = deis_realloc_array(into->kvs, *room, sizeof(*into->kvs));
    }
    into->kvs[into->count++] = kv;
    return DEIS_OK;
}

enum { RANGE_KVS, RANGE_MORE, RANGE_HEADER, RANGE_FIELDS };

static const char *const range_names[RANGE_FIELDS] = { "kvs", "more", "header" };

static int decode_range_fields(const struct deis_str fields[RANGE_FIELDS],
                               struct deis_etcd_range *into, bool *ret_more,
                               struct deis_buf *last_key, struct deis_err *err)
{
    struct deis_str at = fields[RANGE_KVS];
    struct deis_str item;
    size_t room = into->count;
    bool bad = false;

    int rc = scan_flag(fields[RANGE_MORE], "more", ret_more, err);
    while (rc == DEIS_OK && at.ptr && deis_json_scan_array(&at, &item, &bad)) {
        rc = take_kv(item, into, &room, last_key, err);
    }
    return rc == DEIS_OK && bad ? bad_field("kvs", err) : rc;
}

int deis_etcd_decode_range(struct deis_str text, struct deis_etcd_range *into,
                           struct deis_etcd_header *ret_header, bool *ret_more,
                           struct deis_buf *last_key, struct deis_err *err)
{
    struct deis_str fields[RANGE_FIELDS];

    *ret_more = false;
    if (!deis_json_scan_object(text, range_names, RANGE_FIELDS, fields)) {
        return deis_err_set(err, DEIS_PROTOCOL, "etcd's answer is not a JSON object");
    }
    int rc = scan_header(fields[RANGE_HEADER], ret_header, err);
    if (rc < 0) {
        return rc;
    }
    into->revision = ret_header->revision;
    return decode_range_fields(fields, into, ret_more, last_key, err);
}

/* --- failures --- */

struct verdict {
    enum deis_etcd_fault fault;
    enum deis_code code;
};

static struct verdict judge(int64_t grpc, const char *message)
{
    switch (grpc) {
    case GRPC_INVALID_ARGUMENT:
        if (strstr(message, "too large") || strstr(message, "too many operations")) {
            return (struct verdict){ DEIS_ETCD_FINAL, DEIS_LIMIT };
        }
        if (strstr(message, "user name is empty")) {
            return (struct verdict){ DEIS_ETCD_FINAL, DEIS_DENIED };
        }
        return (struct verdict){ DEIS_ETCD_FINAL, DEIS_INVALID };
    case GRPC_NOT_FOUND: return (struct verdict){ DEIS_ETCD_FINAL, DEIS_NOT_FOUND };
    case GRPC_ALREADY_EXISTS:
    case GRPC_FAILED_PRECONDITION: return (struct verdict){ DEIS_ETCD_FINAL, DEIS_CONFLICT };
    case GRPC_PERMISSION_DENIED:
    case GRPC_UNAUTHENTICATED: return (struct verdict){ DEIS_ETCD_FINAL, DEIS_DENIED };
    case GRPC_RESOURCE_EXHAUSTED:
        if (strstr(message, "space exceeded")) {
            return (struct verdict){ DEIS_ETCD_FINAL, DEIS_UNAVAILABLE };
        }
        if (strstr(message, "too many requests")) {
            return (struct verdict){ DEIS_ETCD_NEXT, DEIS_UNAVAILABLE };
        }
        return (struct verdict){ DEIS_ETCD_FINAL, DEIS_LIMIT };
    case GRPC_OUT_OF_RANGE:
        if (strstr(message, "compacted")) {
            return (struct verdict){ DEIS_ETCD_COMPACTED, DEIS_CONFLICT };
        }
        return (struct verdict){ DEIS_ETCD_NEXT, DEIS_UNAVAILABLE };
    case GRPC_UNAVAILABLE:
        /* Refused before anything was proposed; all else of this code may come after. */
        if (strstr(message, "no leader") || strstr(message, "TransientFailure") ||
            strstr(message, "while dialing")) {
            return (struct verdict){ DEIS_ETCD_NEXT, DEIS_UNAVAILABLE };
        }
        return (struct verdict){ DEIS_ETCD_UNKNOWN, DEIS_TIMEOUT };
    case GRPC_UNIMPLEMENTED: return (struct verdict){ DEIS_ETCD_FINAL, DEIS_PROTOCOL };
    case GRPC_DEADLINE_EXCEEDED:
    default: return (struct verdict){ DEIS_ETCD_UNKNOWN, DEIS_TIMEOUT };
    }
}

enum deis_etcd_fault deis_etcd_decode_error(int status, struct deis_str text, struct deis_err *err)
{
    static const char *const names[] = { "error", "code", "grpc_code", "message" };
    struct deis_str fields[DEIS_COUNT(names)] = { DEIS_STR_NONE };
    int64_t grpc = 0;

    bool whole = deis_json_scan_object(text, names, DEIS_COUNT(names), fields);
    bool in_stream = deis_str_starts(fields[0], "{"); /* else "error" is text */
    if (whole && in_stream) {
        whole = deis_json_scan_object(fields[0], names, DEIS_COUNT(names), fields);
    }
    if (!whole || scan_i64(fields[in_stream ? 2 : 1], "code", &grpc, NULL) < 0 || grpc == 0) {
        deis_err_set(err, DEIS_PROTOCOL, "etcd answered with status %d", status);
        return DEIS_ETCD_FINAL;
    }
    deis_autojson json_t *words = deis_json_parse(fields[3], NULL);
    const char *message = json_is_string(words) ? json_string_value(words) : "no reason given";
    const struct verdict v = judge(grpc, message);
    deis_err_set(err, v.code, "etcd: %s (code %" PRId64 ")", message, grpc);
    return v.fault;
}

/* A failure inside of an answer whose status is 200. */
static int stream_error(struct deis_str text, struct deis_err *err)
{
    struct deis_err why = DEIS_ERR_INIT;
    deis_etcd_decode_error(200, text, &why);
    return deis_err_set(err, why.code, "%s", why.msg);
}

/* --- transaction, lease --- */

/* The answers of the gets, in order. */
static int decode_responses(struct deis_str at, struct deis_etcd_range *rets, unsigned get_count,
                            int64_t revision, struct deis_err *err)
{
    static const char *const names[] = { "response_range" };
    struct deis_str item, range, fields[RANGE_FIELDS];
    unsigned seen = 0;
    bool bad = false, more;
    int rc = DEIS_OK;

    while (rc == DEIS_OK && at.ptr && deis_json_scan_array(&at, &item, &bad)) {
        rc = scan_object(item, "responses", names, 1, &range, err);
        if (rc < 0 || !range.ptr) {
            continue;
        }
        if (seen == get_count) {
            return bad_field("responses", err);
        }
        rc = scan_object(range, names[0], range_names, RANGE_FIELDS, fields, err);
        if (rc == DEIS_OK) {
            rets[seen].revision = revision;
            rc = decode_range_fields(fields, &rets[seen++], &more, NULL, err);
        }
    }
    return rc == DEIS_OK && (bad || seen != get_count) ? bad_field("responses", err) : rc;
}

int deis_etcd_decode_txn(struct deis_str text, struct deis_etcd_range *rets, unsigned get_count,
                         int64_t *ret_revision, struct deis_err *err)
{
    static const char *const names[] = { "header", "succeeded", "responses" };
    struct deis_str fields[DEIS_COUNT(names)];
    struct deis_etcd_header header;
    bool succeeded;

    if (!deis_json_scan_object(text, names, DEIS_COUNT(names), fields)) {
        return deis_err_set(err, DEIS_PROTOCOL, "etcd's answer is not a JSON object");
    }
    int rc = scan_header(fields[0], &header, err);
    if (rc == DEIS_OK) {
        rc = scan_flag(fields[1], names[1], &succeeded, err);
    }
    if (rc == DEIS_OK && !succeeded) {
        return deis_err_set(err, DEIS_CONFLICT, "what the change builds on has changed meanwhile");
    }
    if (rc == DEIS_OK) {
        rc = decode_responses(fields[2], rets, get_count, header.revision, err);
    }
    if (rc == DEIS_OK && ret_revision) {
        *ret_revision = header.revision;
    }
    return rc;
}

int deis_etcd_decode_lease(struct deis_str text, int64_t *ret_lease, unsigned *ret_ttl_s,
                           struct deis_err *err)
{
    static const char *const names[] = { "ID", "TTL", "error", "result" };
    struct deis_str fields[DEIS_COUNT(names)];
    int64_t ttl = 0;

    if (!deis_json_scan_object(text, names, DEIS_COUNT(names), fields)) {
        return deis_err_set(err, DEIS_PROTOCOL, "etcd's answer is not a JSON object");
    }
    if (fields[2].ptr) {
        return stream_error(text, err);
    }
    /* A keepalive answers as a stream does, with its message inside of "result". */
    int rc = fields[3].ptr ? scan_object(fields[3], names[3], names, 2, fields, err) : DEIS_OK;
    if (rc == DEIS_OK) {
        rc = scan_i64(fields[0], names[0], ret_lease, err);
    }
    if (rc == DEIS_OK) {
        rc = scan_i64(fields[1], names[1], &ttl, err);
    }
    if (rc < 0) {
        return rc;
    }
    *ret_ttl_s = ttl > 0 && ttl < INT32_MAX ? (unsigned)ttl : 0;
    return DEIS_OK;
}

/* --- watch --- */

static int decode_event(struct deis_str object, struct deis_etcd_event *ret, struct deis_err *err)
{
    static const char *const names[] = { "type", "kv" };
    struct deis_str fields[DEIS_COUNT(names)];

    int rc = scan_object(object, "events", names, DEIS_COUNT(names), fields, err);
    if (rc < 0) {
        return rc;
    }
    ret->deleted = deis_str_eq_cstr(fields[0], "\"DELETE\"");
    if (fields[0].ptr && !ret->deleted && !deis_str_eq_cstr(fields[0], "\"PUT\"")) {
        return bad_field("type", err);
    }
    rc = decode_kv(fields[1], &ret->kv, err);
    if (rc == DEIS_OK && ret->kv.mod_revision <= 0) {
        kv_clear(&ret->kv);
        return bad_field("mod_revision", err);
    }
    return rc;
}

static int take_event(struct deis_str item, struct deis_etcd_watch_line *ret, size_t *room,
                      int64_t *before, struct deis_err *err)
{
    struct deis_etcd_event ev;
    int rc = decode_event(item, &ev, err);

    if (rc < 0) {
        return rc;
    }
    if (ev.kv.mod_revision < *before) {
        kv_clear(&ev.kv);
        return deis_err_set(err, DEIS_PROTOCOL, "etcd sent events out of order");
    }
    *before = ev.kv.mod_revision;
    if (key_length(&ev.kv) != strlen(ev.kv.key)) {
        kv_clear(&ev.kv);
        return DEIS_OK;
    }
    if (ret->count == *room) {
        *room = *room > 0 ? *room * 2 : 1;
        ret->events = deis_realloc_array(ret->events, *room, sizeof(*ret->events));
    }
    ret->events[ret->count++] = ev;
    return DEIS_OK;
}

static int decode_events(struct deis_str at, struct deis_etcd_watch_line *ret, struct deis_err *err)
{
    struct deis_str item;
    int64_t before = 0;
    size_t room = 0;
    bool bad = false;
    int rc = DEIS_OK;

    while (rc == DEIS_OK && at.ptr && deis_json_scan_array(&at, &item, &bad)) {
        rc = take_event(item, ret, &room, &before, err);
    }
    return rc == DEIS_OK && bad ? bad_field("events", err) : rc;
}

static int decode_watch_result(struct deis_str result, struct deis_etcd_watch_line *ret,
                               struct deis_err *err)
{
    enum { HEADER, CREATED, CANCELED, FRAGMENT, COMPACT, REASON, EVENTS, FIELDS };

    static const char *const names[FIELDS] = { "header",   "created",          "canceled",
                                               "fragment", "compact_revision", "cancel_reason",
                                               "events" };
    struct deis_str fields[FIELDS], reason = DEIS_STR("no reason given");
    bool *const flags[] = { &ret->created, &ret->canceled, &ret->fragment };

    int rc = scan_object(result, "result", names, FIELDS, fields, err);
    if (rc == DEIS_OK) {
        rc = scan_header(fields[HEADER], &ret->header, err);
    }
    for (size_t i = 0; rc == DEIS_OK && i < DEIS_COUNT(flags); i++) {
        rc = scan_flag(fields[CREATED + i], names[CREATED + i], flags[i], err);
    }
    if (rc == DEIS_OK) {
        rc = scan_i64(fields[COMPACT], names[COMPACT], &ret->compact_revision, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (fields[REASON].ptr && !deis_json_scan_text(fields[REASON], &reason)) {
        return bad_field("cancel_reason", err);
    }
    snprintf(ret->reason, sizeof(ret->reason), "%.*s", DEIS_STR_ARG(reason));
    return decode_events(fields[EVENTS], ret, err);
}

int deis_etcd_decode_watch_line(struct deis_str text, struct deis_etcd_watch_line *ret,
                                struct deis_err *err)
{
    static const char *const names[] = { "error", "result" };
    struct deis_str fields[DEIS_COUNT(names)];

    *ret = (struct deis_etcd_watch_line){ 0 };
    if (!deis_json_scan_object(text, names, DEIS_COUNT(names), fields)) {
        return deis_err_set(err, DEIS_PROTOCOL, "line of a watch is not a JSON object");
    }
    if (fields[0].ptr) {
        return stream_error(text, err);
    }
    int rc = fields[1].ptr ? decode_watch_result(fields[1], ret, err) : bad_field("result", err);
    if (rc < 0) {
        deis_etcd_watch_line_clear(ret);
    }
    return rc;
}
