/* SPDX-License-Identifier: MIT */
#include "lib/etcd/etcd_codec.h"
#include "lib/wire/b64.h"
#include "lib/wire/json.h"

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

/* --- members of an answer: absent is zero, integers come as text --- */

static int bad_field(const char *key, struct deis_err *err)
{
    return deis_err_set(err, DEIS_PROTOCOL, "etcd's answer: field '%s' is not what it should be",
                        key);
}

static struct deis_str text_of(const json_t *value)
{
    return deis_str_n(json_string_value(value), json_string_length(value));
}

static int get_u64(const json_t *obj, const char *key, uint64_t *ret, struct deis_err *err)
{
    const json_t *v = json_object_get(obj, key);

    *ret = 0;
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *ret = (uint64_t)json_integer_value(v);
    } else if (json_is_string(v)) {
        if (deis_str_to_u64(text_of(v), 0, UINT64_MAX, ret, NULL) < 0) {
            return bad_field(key, err);
        }
    } else if (v && !json_is_null(v)) {
        return bad_field(key, err);
    }
    return DEIS_OK;
}

static int get_i64(const json_t *obj, const char *key, int64_t *ret, struct deis_err *err)
{
    const json_t *v = json_object_get(obj, key);

    *ret = 0;
    if (json_is_integer(v)) {
        *ret = json_integer_value(v);
    } else if (json_is_string(v)) {
        struct deis_str s = text_of(v);
        bool negative = deis_str_starts(s, "-");
        uint64_t n;
        if (deis_str_to_u64(deis_str_skip(s, negative ? 1 : 0), 0, INT64_MAX, &n, NULL) < 0) {
            return bad_field(key, err);
        }
        *ret = negative ? -(int64_t)n : (int64_t)n;
    } else if (v && !json_is_null(v)) {
        return bad_field(key, err);
    }
    return DEIS_OK;
}

static int get_flag(const json_t *obj, const char *key, bool *ret, struct deis_err *err)
{
    const json_t *v = json_object_get(obj, key);

    *ret = json_is_true(v);
    return !v || json_is_boolean(v) || json_is_null(v) ? DEIS_OK : bad_field(key, err);
}

/* An object or array, or NULL when absent. */
static int get_part(const json_t *obj, const char *key, json_type type, const json_t **ret,
                    struct deis_err *err)
{
    const json_t *v = json_object_get(obj, key);

    *ret = json_is_null(v) ? NULL : v;
    return !*ret || json_typeof(v) == type ? DEIS_OK : bad_field(key, err);
}

static int add_decoded(const json_t *obj, const char *key, struct deis_buf *out,
                       struct deis_err *err)
{
    const json_t *v = json_object_get(obj, key);

    if (!v || json_is_null(v)) {
        return DEIS_OK;
    }
    if (!json_is_string(v) || deis_b64_decode(text_of(v), out, NULL) < 0) {
        return bad_field(key, err);
    }
    return DEIS_OK;
}

static int decode_header(const json_t *answer, struct deis_etcd_header *ret, struct deis_err *err)
{
    const json_t *header;

    int rc = get_part(answer, "header", JSON_OBJECT, &header, err);
    if (rc == DEIS_OK) {
        rc = get_u64(header, "cluster_id", &ret->cluster_id, err);
    }
    return rc < 0 ? rc : get_i64(header, "revision", &ret->revision, err);
}

/* Key and value share one block of memory: the key, a NUL, the value, a NUL. */
static int decode_kv(const json_t *obj, struct deis_etcd_kv *ret, struct deis_err *err)
{
    size_t value_chars = json_string_length(json_object_get(obj, "value"));
    size_t key_chars = json_string_length(json_object_get(obj, "key"));
    deis_autobuf struct deis_buf mem = DEIS_BUF_INIT(key_chars + value_chars + 2);
    int64_t numbers[4];
    static const char *const names[4] = { "create_revision", "mod_revision", "version", "lease" };

    *ret = (struct deis_etcd_kv){ 0 };
    for (size_t i = 0; i < DEIS_COUNT(names); i++) {
        int rc = get_i64(obj, names[i], &numbers[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = add_decoded(obj, "key", &mem, err);
    size_t key_len = mem.len;
    deis_buf_add_char(&mem, '\0');
    if (rc == DEIS_OK) {
        rc = add_decoded(obj, "value", &mem, err);
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

static int decode_range_object(const json_t *answer, struct deis_etcd_range *into, bool *ret_more,
                               struct deis_buf *last_key, struct deis_err *err)
{
    const json_t *kvs;

    int rc = get_part(answer, "kvs", JSON_ARRAY, &kvs, err);
    if (rc == DEIS_OK) {
        rc = get_flag(answer, "more", ret_more, err);
    }
    size_t n = json_array_size(kvs);
    if (rc < 0 || n == 0) {
        return rc;
    }
    into->kvs = deis_realloc_array(into->kvs, into->count + n, sizeof(*into->kvs));
    for (size_t i = 0; i < n; i++) {
        struct deis_etcd_kv kv;
        rc = decode_kv(json_array_get(kvs, i), &kv, err);
        if (rc < 0) {
            return rc;
        }
        if (last_key && i == n - 1) {
            deis_buf_add(last_key, kv.key, key_length(&kv));
        }
        if (key_length(&kv) != strlen(kv.key)) {
            kv_clear(&kv);
        } else {
            into->kvs[into->count++] = kv;
        }
    }
    return DEIS_OK;
}

int deis_etcd_decode_range(struct deis_str text, struct deis_etcd_range *into,
                           struct deis_etcd_header *ret_header, bool *ret_more,
                           struct deis_buf *last_key, struct deis_err *err)
{
    deis_autojson json_t *answer = deis_json_parse(text, err);

    *ret_more = false;
    if (!json_is_object(answer)) {
        return deis_err_set(err, DEIS_PROTOCOL, "etcd's answer is not a JSON object");
    }
    int rc = decode_header(answer, ret_header, err);
    if (rc < 0) {
        return rc;
    }
    into->revision = ret_header->revision;
    return decode_range_object(answer, into, ret_more, last_key, err);
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
    deis_autojson json_t *answer = deis_json_parse(deis_str_trim(text), NULL);
    const json_t *inner = json_object_get(answer, "error"); /* of a stream; else it is text */
    bool in_stream = json_is_object(inner);
    const json_t *obj = in_stream ? inner : answer;
    const char *message = json_string_value(json_object_get(obj, "message"));
    int64_t grpc;

    if (get_i64(obj, in_stream ? "grpc_code" : "code", &grpc, NULL) < 0 || grpc == 0) {
        deis_err_set(err, DEIS_PROTOCOL, "etcd answered with status %d", status);
        return DEIS_ETCD_FINAL;
    }
    message = message ? message : "no reason given";
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

int deis_etcd_decode_txn(struct deis_str text, struct deis_etcd_range *rets, unsigned get_count,
                         int64_t *ret_revision, struct deis_err *err)
{
    deis_autojson json_t *answer = deis_json_parse(text, err);
    struct deis_etcd_header header;
    const json_t *responses = NULL;
    bool succeeded;
    unsigned seen = 0;

    if (!json_is_object(answer)) {
        return deis_err_set(err, DEIS_PROTOCOL, "etcd's answer is not a JSON object");
    }
    int rc = decode_header(answer, &header, err);
    if (rc == DEIS_OK) {
        rc = get_flag(answer, "succeeded", &succeeded, err);
    }
    if (rc == DEIS_OK && !succeeded) {
        return deis_err_set(err, DEIS_CONFLICT, "what the change builds on has changed meanwhile");
    }
    if (rc == DEIS_OK) {
        rc = get_part(answer, "responses", JSON_ARRAY, &responses, err);
    }
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; i < json_array_size(responses); i++) {
        const json_t *range = json_object_get(json_array_get(responses, i), "response_range");
        bool more;
        if (!range) {
            continue;
        }
        if (seen == get_count) {
            return bad_field("responses", err);
        }
        rets[seen].revision = header.revision;
        rc = decode_range_object(range, &rets[seen++], &more, NULL, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (seen != get_count) {
        return bad_field("responses", err);
    }
    if (ret_revision) {
        *ret_revision = header.revision;
    }
    return DEIS_OK;
}

int deis_etcd_decode_lease(struct deis_str text, int64_t *ret_lease, unsigned *ret_ttl_s,
                           struct deis_err *err)
{
    deis_autojson json_t *answer = deis_json_parse(deis_str_trim(text), err);
    int64_t ttl;

    if (!json_is_object(answer)) {
        return deis_err_set(err, DEIS_PROTOCOL, "etcd's answer is not a JSON object");
    }
    if (json_object_get(answer, "error")) {
        return stream_error(text, err);
    }
    /* A keepalive answers as a stream does, with its message inside of "result". */
    const json_t *result = json_object_get(answer, "result");
    const json_t *body = json_is_object(result) ? result : answer;
    int rc = get_i64(body, "ID", ret_lease, err);
    if (rc == DEIS_OK) {
        rc = get_i64(body, "TTL", &ttl, err);
    }
    if (rc < 0) {
        return rc;
    }
    *ret_ttl_s = ttl > 0 && ttl < INT32_MAX ? (unsigned)ttl : 0;
    return DEIS_OK;
}

/* --- watch --- */

static int decode_event(const json_t *obj, struct deis_etcd_event *ret, struct deis_err *err)
{
    const char *type = json_string_value(json_object_get(obj, "type"));
    const json_t *kv;

    ret->deleted = type && strcmp(type, "DELETE") == 0;
    if (type && !ret->deleted && strcmp(type, "PUT") != 0) {
        return bad_field("type", err);
    }
    int rc = get_part(obj, "kv", JSON_OBJECT, &kv, err);
    if (rc < 0) {
        return rc;
    }
    rc = decode_kv(kv, &ret->kv, err);
    if (rc == DEIS_OK && ret->kv.mod_revision <= 0) {
        kv_clear(&ret->kv);
        return bad_field("mod_revision", err);
    }
    return rc;
}

static int decode_events(const json_t *list, struct deis_etcd_watch_line *ret, struct deis_err *err)
{
    size_t n = json_array_size(list);
    int64_t before = 0;

    if (n == 0) {
        return DEIS_OK;
    }
    ret->events = deis_realloc_array(NULL, n, sizeof(*ret->events));
    for (size_t i = 0; i < n; i++) {
        struct deis_etcd_event ev;
        int rc = decode_event(json_array_get(list, i), &ev, err);
        if (rc < 0) {
            return rc;
        }
        if (ev.kv.mod_revision < before) {
            kv_clear(&ev.kv);
            return deis_err_set(err, DEIS_PROTOCOL, "etcd sent events out of order");
        }
        before = ev.kv.mod_revision;
        if (key_length(&ev.kv) != strlen(ev.kv.key)) {
            kv_clear(&ev.kv);
        } else {
            ret->events[ret->count++] = ev;
        }
    }
    return DEIS_OK;
}

static int decode_watch_result(const json_t *result, struct deis_etcd_watch_line *ret,
                               struct deis_err *err)
{
    const json_t *events = NULL;

    int rc = decode_header(result, &ret->header, err);
    if (rc == DEIS_OK) {
        rc = get_flag(result, "created", &ret->created, err);
    }
    if (rc == DEIS_OK) {
        rc = get_flag(result, "canceled", &ret->canceled, err);
    }
    if (rc == DEIS_OK) {
        rc = get_flag(result, "fragment", &ret->fragment, err);
    }
    if (rc == DEIS_OK) {
        rc = get_i64(result, "compact_revision", &ret->compact_revision, err);
    }
    if (rc == DEIS_OK) {
        rc = get_part(result, "events", JSON_ARRAY, &events, err);
    }
    if (rc < 0) {
        return rc;
    }
    const char *reason = json_string_value(json_object_get(result, "cancel_reason"));
    snprintf(ret->reason, sizeof(ret->reason), "%s", reason ? reason : "no reason given");
    return decode_events(events, ret, err);
}

int deis_etcd_decode_watch_line(struct deis_str text, struct deis_etcd_watch_line *ret,
                                struct deis_err *err)
{
    deis_autojson json_t *line = deis_json_parse(text, err);
    const json_t *result;

    *ret = (struct deis_etcd_watch_line){ 0 };
    if (!json_is_object(line)) {
        return deis_err_set(err, DEIS_PROTOCOL, "line of a watch is not a JSON object");
    }
    if (json_object_get(line, "error")) {
        return stream_error(text, err);
    }
    int rc = get_part(line, "result", JSON_OBJECT, &result, err);
    if (rc == DEIS_OK && !result) {
        rc = bad_field("result", err);
    }
    if (rc == DEIS_OK) {
        rc = decode_watch_result(result, ret, err);
    }
    if (rc < 0) {
        deis_etcd_watch_line_clear(ret);
    }
    return rc;
}
