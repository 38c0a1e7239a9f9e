/* SPDX-License-Identifier: MIT */
/*
 * etcd v3 through its JSON gateway (HTTP/1.1, TLS if asked). Calls block and may be made from any
 * thread (a small pool of kept-alive connections inside); watches live on the loop. Several
 * endpoints: the next one is tried when one can't be reached; a write whose outcome is unknown is
 * *not* repeated, the caller reads back (DEIS_TIMEOUT).
 */
#ifndef DEIS_ETCD_ETCD_H
#define DEIS_ETCD_ETCD_H

#include "lib/base/buf.h"
#include "lib/net/httpc.h"

struct deis_etcd;

struct deis_etcd_opts {
    const char *endpoints;     /* "http://127.0.0.1:2379,http://10.0.0.2:2379" */
    struct deis_httpc_tls tls; /* zero: plain or system CA */
    uint64_t timeout_ms;       /* of one call on one endpoint; default 2 s */
};

struct deis_etcd *deis_etcd_new(const struct deis_etcd_opts *opts,
                                struct deis_err *err) deis_must_check;
/* After its watches and leases were stopped. */
void deis_etcd_free(struct deis_etcd *e);

struct deis_etcd_kv {
    char *key;             /* NUL-terminated */
    struct deis_str value; /* NUL-terminated too */
    int64_t create_revision;
    int64_t mod_revision;
    int64_t version;
    int64_t lease;
};

struct deis_etcd_range {
    struct deis_etcd_kv *kvs; /* in key order */
    size_t count;             /* of kvs */
    int64_t revision;         /* of the store, when read */
};

#define deis_autorange __attribute__((cleanup(deis_etcd_range_clear)))
void deis_etcd_range_clear(struct deis_etcd_range *r);

/* All linearizable. DEIS_UNAVAILABLE: no member answered, no quorum, or etcd is out of space;
 * nothing was done. DEIS_TIMEOUT (writes only): unknown. DEIS_LIMIT: over the 1.5 MiB that etcd
 * takes. A deletion of nothing is fine. ret is cleared on failure. */

/* One key: DEIS_NOT_FOUND when absent. */
int deis_etcd_get(struct deis_etcd *e, const char *key, struct deis_etcd_range *ret,
                  struct deis_err *err) deis_must_check;
/* All keys below prefix, paged inside at one revision. limit 0 = all. */
int deis_etcd_list(struct deis_etcd *e, const char *prefix, size_t limit,
                   struct deis_etcd_range *ret, struct deis_err *err) deis_must_check;
/* Keys only (values empty). */
int deis_etcd_list_keys(struct deis_etcd *e, const char *prefix, struct deis_etcd_range *ret,
                        struct deis_err *err) deis_must_check;
int deis_etcd_put(struct deis_etcd *e, const char *key, struct deis_str value, int64_t lease,
                  struct deis_err *err) deis_must_check;
int deis_etcd_delete(struct deis_etcd *e, const char *key, struct deis_err *err) deis_must_check;
int deis_etcd_delete_prefix(struct deis_etcd *e, const char *prefix,
                            struct deis_err *err) deis_must_check;

/* --- transactions: all or nothing --- */
struct deis_etcd_txn;
struct deis_etcd_txn *deis_etcd_txn_new(void);
void deis_etcd_txn_free(struct deis_etcd_txn *t);
#define deis_autotxn __attribute__((cleanup(deis_etcd_txn_autofree_)))

static inline void deis_etcd_txn_autofree_(struct deis_etcd_txn **t)
{
    deis_etcd_txn_free(*t);
}

/* Guards, all must hold. mod_revision 0 = the key must be absent. */
void deis_etcd_if_mod(struct deis_etcd_txn *t, const char *key, int64_t mod_revision);
void deis_etcd_if_create(struct deis_etcd_txn *t, const char *key, int64_t create_revision);
void deis_etcd_if_absent(struct deis_etcd_txn *t, const char *key);
void deis_etcd_if_exists(struct deis_etcd_txn *t, const char *key);
void deis_etcd_if_prefix_empty(struct deis_etcd_txn *t, const char *prefix);
/* Nothing was put below prefix after that revision of the store; deletions don't count. */
void deis_etcd_if_prefix_unchanged(struct deis_etcd_txn *t, const char *prefix, int64_t revision);
void deis_etcd_then_put(struct deis_etcd_txn *t, const char *key, struct deis_str value,
                        int64_t lease);
void deis_etcd_then_delete(struct deis_etcd_txn *t, const char *key);
void deis_etcd_then_delete_prefix(struct deis_etcd_txn *t, const char *prefix);
void deis_etcd_then_get(struct deis_etcd_txn *t, const char *key_or_prefix, bool prefix);
/* 0: done (*ret_revision = the store's revision after it; may be NULL). DEIS_CONFLICT: a guard did
 * not hold, nothing was done. DEIS_TIMEOUT: unknown, read back; never when it has gets only.
 * DEIS_LIMIT: over 128 guards or operations. The answers of then_get, in order, go to rets (an
 * array of that many; may be NULL if there are none). */
int deis_etcd_commit(struct deis_etcd *e, struct deis_etcd_txn *t, struct deis_etcd_range *rets,
                     int64_t *ret_revision, struct deis_err *err) deis_must_check;

/* --- leases --- */
/* A lease kept alive from the loop until it is released. on_lost is called on the loop when it
 * could not be renewed within its TTL (and again never): whoever relied on it must act at once; a
 * new lease is taken with a new call. thread: loop */
struct deis_etcd_lease;
void deis_etcd_lease_start(struct deis_etcd *e, struct deis_loop *loop, unsigned ttl_s,
                           void (*on_granted)(int64_t lease, void *arg), void (*on_lost)(void *arg),
                           void *arg, struct deis_etcd_lease **ret);
/* From its callbacks too; NULL is fine. revoke gives the lease back before it returns (waits for
 * 0.5 s an endpoint at most; it expires by itself when that fails). */
void deis_etcd_lease_stop(struct deis_etcd_lease *l, bool revoke);
/* Blocking single calls, for tools and tests. */
int deis_etcd_lease_grant(struct deis_etcd *e, unsigned ttl_s, int64_t *ret,
                          struct deis_err *err) deis_must_check;
int deis_etcd_lease_keepalive(struct deis_etcd *e, int64_t lease, unsigned *ret_ttl_s,
                              struct deis_err *err) deis_must_check;
int deis_etcd_lease_revoke(struct deis_etcd *e, int64_t lease,
                           struct deis_err *err) deis_must_check;

/* --- watch: a mirror of a prefix, for ever --- */
/*
 * Lists the prefix, then follows it; reconnects with back-off, at another endpoint if need be;
 * after a compaction lists again and reports what changed, deletions included. Every change of the
 * mirror is reported exactly once and in order.
 *
 * on_change: value NULL = deleted. kv->key, kv->value borrowed; mod_revision set.
 * on_synced: the first list is complete, and again after each batch: the mirror is consistent at
 *   `revision`. Act here, not in on_change.
 * on_state: connected or not (for /healthz and for "etcd is away"); may be NULL. First called when
 * the watch stands, or when the first try has failed; not called with what was said last. etcd
 * should run with a progress interval of 5 s: a stream that is silent for 20 s counts as dead.
 * thread: loop
 */
struct deis_etcd_watch_ops {
    void (*on_change)(const struct deis_etcd_kv *kv, bool deleted, void *arg);
    void (*on_synced)(int64_t revision, void *arg);
    void (*on_state)(bool connected, void *arg);
};
struct deis_etcd_watch;
struct deis_etcd_watch *deis_etcd_watch_start(struct deis_etcd *e, struct deis_loop *loop,
                                              const char *prefix,
                                              const struct deis_etcd_watch_ops *ops, void *arg);
/*
 * One mirror of several prefixes, each given without `below`, which all have in common: they are
 * listed at one revision, and what one transaction changes in them is told as one batch. All that
 * changes below `below` is received, so that it comes in the order and in the groups in which it
 * was done; of that what is in none of the prefixes is dropped. No prefix is a beginning of
 * another.
 */
struct deis_etcd_watch *deis_etcd_watch_start_several(struct deis_etcd *e, struct deis_loop *loop,
                                                      const char *below,
                                                      const char *const *prefixes, size_t count,
                                                      const struct deis_etcd_watch_ops *ops,
                                                      void *arg);
void deis_etcd_watch_stop(struct deis_etcd_watch *w); /* from its callbacks too; NULL is fine */
/* The id of the cluster that was listed last; 0: none yet. */
uint64_t deis_etcd_watch_cluster(const struct deis_etcd_watch *w);

#endif
