/* SPDX-License-Identifier: MIT */
/* The first byte chooses the answer that the rest is taken for. */
#include "lib/etcd/etcd_codec.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

static void check_kv(const struct deis_etcd_kv *kv)
{
    check(kv->key[0] != '\0' && kv->value.ptr[kv->value.len] == '\0');
}

static void try_range(struct deis_str text)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_etcd_pager p;

    deis_etcd_pager_init(&p, DEIS_STR("/deis/"), 0, false);
    if (deis_etcd_pager_answer(&p, text, &r, &err) == DEIS_OK && !p.done) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
        deis_etcd_pager_request(&p, &out);
        check(!deis_buf_failed(&out));
    }
    for (size_t i = 0; i < r.count; i++) {
        check_kv(&r.kvs[i]);
    }
    deis_etcd_pager_clear(&p);
}

static void try_txn(struct deis_str text)
{
    struct deis_etcd_range rets[2] = { { 0 }, { 0 } };
    struct deis_err err = DEIS_ERR_INIT;
    int64_t revision;

    int rc = deis_etcd_decode_txn(text, rets, 2, &revision, &err);
    check(rc == (int)err.code);
    for (size_t i = 0; i < 2; i++) {
        deis_etcd_range_clear(&rets[i]);
    }
}

static void try_watch_line(struct deis_str text)
{
    struct deis_etcd_watch_line line;
    struct deis_err err = DEIS_ERR_INIT;

    int rc = deis_etcd_decode_watch_line(text, &line, &err);
    check(rc == (int)err.code);
    check(rc == DEIS_OK || line.events == NULL);
    for (size_t i = 0; i < line.count; i++) {
        check_kv(&line.events[i].kv);
        check(line.events[i].kv.mod_revision > 0);
    }
    deis_etcd_watch_line_clear(&line);
}

static void try_lease(struct deis_str text)
{
    struct deis_err err = DEIS_ERR_INIT;
    int64_t id;
    unsigned ttl_s;

    int rc = deis_etcd_decode_lease(text, &id, &ttl_s, &err);
    check(rc == (int)err.code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (size == 0) {
        return 0;
    }
    struct deis_str text = deis_str_n((const char *)data + 1, size - 1);
    switch (data[0]) {
    case 'r': try_range(text); break;
    case 't': try_txn(text); break;
    case 'w': try_watch_line(text); break;
    case 'l': try_lease(text); break;
    default: check(deis_etcd_decode_error(500, text, &err) != DEIS_ETCD_FINE); break;
    }
    return 0;
}
