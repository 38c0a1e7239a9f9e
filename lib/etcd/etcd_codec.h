/* SPDX-License-Identifier: MIT */
/*
 * The JSON of etcd's gateway, pure: request bodies out, answers in. The gateway drops unknown
 * request fields without a word (a misspelled guard makes a transaction unconditional), so bodies
 * are made here and nowhere else. Answers omit what is zero: absent always means zero. thread: any
 */
#ifndef DEIS_ETCD_ETCD_CODEC_H
#define DEIS_ETCD_ETCD_CODEC_H

#include "lib/etcd/etcd.h"

/* etcd takes 1.5 MiB per request: that as base64, and what is around it. */
#define DEIS_ETCD_BODY_MAX  (2304u * 1024u)
#define DEIS_ETCD_TXN_MAX   128u
#define DEIS_ETCD_KEY_MAX   4096u
#define DEIS_ETCD_PAGE_KEYS 250u

/* --- requests: one JSON object appended to out, which should have DEIS_ETCD_BODY_MAX as its limit.
 * Check deis_buf_failed(out) once: the request was too large. --- */

/* The range that a prefix covers: the first key, and the end in end_out (both raw, not text). The
 * first key is a view of prefix, or of a constant for the empty prefix. */
struct deis_str deis_etcd_prefix_range(struct deis_str prefix, struct deis_buf *end_out);

struct deis_etcd_range_args {
    struct deis_str key;
    struct deis_str range_end; /* empty: this key only */
    uint64_t limit;            /* 0 = all */
    int64_t revision;          /* 0 = now */
    bool keys_only;
};

void deis_etcd_encode_range(const struct deis_etcd_range_args *args, struct deis_buf *out);
void deis_etcd_encode_put(struct deis_str key, struct deis_str value, int64_t lease,
                          struct deis_buf *out);
void deis_etcd_encode_delete(struct deis_str key, struct deis_str range_end, struct deis_buf *out);
void deis_etcd_encode_txn(const struct deis_etcd_txn *t, struct deis_buf *out);
void deis_etcd_encode_grant(unsigned ttl_s, struct deis_buf *out);
void deis_etcd_encode_lease_id(int64_t lease, struct deis_buf *out); /* keepalive, revoke */
/* Fragments and progress lines asked for. */
void deis_etcd_encode_watch(struct deis_str prefix, int64_t start_revision, struct deis_buf *out);

/* DEIS_LIMIT when t has more guards or operations than etcd takes, or is too large. */
int deis_etcd_txn_check(const struct deis_etcd_txn *t, struct deis_err *err) deis_must_check;
unsigned deis_etcd_txn_gets(const struct deis_etcd_txn *t);
/* Does it do anything but read? */
bool deis_etcd_txn_writes(const struct deis_etcd_txn *t);

/* --- answers. DEIS_PROTOCOL when they are none --- */

struct deis_etcd_header {
    uint64_t cluster_id;
    int64_t revision;
};

/* Appends to into->kvs; into->revision is the header's. Keys that hold a NUL are left out.
 * *ret_more: there are further keys; last_key get_count the last key of the answer. */
int deis_etcd_decode_range(struct deis_str text, struct deis_etcd_range *into,
                           struct deis_etcd_header *ret_header, bool *ret_more,
                           struct deis_buf *last_key, struct deis_err *err) deis_must_check;
/* DEIS_CONFLICT: a guard did not hold. rets: one range per then_get, in order. */
int deis_etcd_decode_txn(struct deis_str text, struct deis_etcd_range *rets, unsigned get_count,
                         int64_t *ret_revision, struct deis_err *err) deis_must_check;
/* Answer of grant and of keepalive. ttl 0: the lease is dead. */
int deis_etcd_decode_lease(struct deis_str text, int64_t *ret_lease, unsigned *ret_ttl_s,
                           struct deis_err *err) deis_must_check;

/* What a failure says about the request. */
enum deis_etcd_fault {
    DEIS_ETCD_FINE,      /* none */
    DEIS_ETCD_FINAL,     /* refused; asking again won't help */
    DEIS_ETCD_NEXT,      /* nothing was done; another member may do better */
    DEIS_ETCD_UNKNOWN,   /* a write may have been applied */
    DEIS_ETCD_COMPACTED, /* the revision asked for is gone */
};
/* An answer with a status other than 200. Fills err: the code is UNAVAILABLE for NEXT and TIMEOUT
 * for UNKNOWN. */
enum deis_etcd_fault deis_etcd_decode_error(int status, struct deis_str text, struct deis_err *err);

struct deis_etcd_event {
    struct deis_etcd_kv kv; /* value empty for a deletion */
    bool deleted;
};

struct deis_etcd_watch_line {
    struct deis_etcd_header header;
    bool created;
    bool canceled;
    bool fragment;            /* more lines of the same answer follow */
    int64_t compact_revision; /* not 0: canceled because of a compaction */
    char reason[128];         /* of canceled */
    struct deis_etcd_event *events;
    size_t count;
};

/* One line of a watch stream. A failure of the stream itself ({"error":...}) is returned with the
 * code that deis_etcd_decode_error would give. */
int deis_etcd_decode_watch_line(struct deis_str text, struct deis_etcd_watch_line *ret,
                                struct deis_err *err) deis_must_check;
void deis_etcd_watch_line_clear(struct deis_etcd_watch_line *line);

/* --- paging through a prefix at one revision --- */
struct deis_etcd_pager {
    struct deis_buf next; /* the key to go on from */
    struct deis_buf end;
    uint64_t page_keys; /* per request; halved by deis_etcd_pager_shrink */
    uint64_t left;      /* keys still wanted, UINT64_MAX = all */
    int64_t revision;   /* 0 until the first page came */
    uint64_t cluster_id;
    bool keys_only;
    bool done;
};

void deis_etcd_pager_init(struct deis_etcd_pager *p, struct deis_str prefix, size_t limit,
                          bool keys_only);
void deis_etcd_pager_clear(struct deis_etcd_pager *p);
/* Go on with another prefix, at the same revision; only one without a limit that is done. */
void deis_etcd_pager_turn_to(struct deis_etcd_pager *p, struct deis_str prefix);
void deis_etcd_pager_request(const struct deis_etcd_pager *p, struct deis_buf *out);
/* Take one answer; its keys are appended to into. p->done afterwards: that was the last page. */
int deis_etcd_pager_answer(struct deis_etcd_pager *p, struct deis_str text,
                           struct deis_etcd_range *into, struct deis_err *err) deis_must_check;
/* The answer was too large to take: ask for fewer keys. false when it can't be fewer. */
bool deis_etcd_pager_shrink(struct deis_etcd_pager *p);

#endif
