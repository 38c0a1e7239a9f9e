/* SPDX-License-Identifier: MIT */
/*
 * Documents in etcd, and changes of them: a change is one transaction that holds its audit entry,
 * so that an outcome that got lost on the wire can be read back. Blocking. thread: workers
 */
#ifndef CONTROLLER_STORE_H
#define CONTROLLER_STORE_H

#include "controller/ctl.h"

/* One document. DEIS_NOT_FOUND when absent. *ret is yours; ret_revision may be NULL. */
int store_get(struct ctl *ctl, const char *key, json_t **ret, int64_t *ret_revision,
              struct deis_err *err) deis_must_check;
/* The document of a key that was read. */
int store_parse(const struct deis_etcd_kv *kv, json_t **ret, struct deis_err *err) deis_must_check;
/* Several keys at one revision; rets[i] is NULL where there is none. revisions may be NULL; is 0
 * then. */
int store_get_all(struct ctl *ctl, const char *const *keys, size_t count, json_t **rets,
                  int64_t *revisions, struct deis_err *err) deis_must_check;
/* The documents below a prefix, in key order, as an array. */
int store_list(struct ctl *ctl, const char *prefix, json_t **ret,
               struct deis_err *err) deis_must_check;
/* The names below an index prefix in the order of their creation: an array of texts. */
int store_names(struct ctl *ctl, const char *prefix, json_t **ret,
                struct deis_err *err) deis_must_check;
/* Likewise, with the revision of the store that they were read at. */
int store_names_at(struct ctl *ctl, const char *prefix, json_t **ret, int64_t *ret_revision,
                   struct deis_err *err) deis_must_check;
/* Calls `each` with the documents `prefix`<name> for an array of names, in this order, as they are
 * kept; absent ones are left out. */
int store_each_named(struct ctl *ctl, const char *prefix, const json_t *names,
                     void (*each)(const struct deis_etcd_kv *kv, void *arg), void *arg,
                     struct deis_err *err) deis_must_check;
#define STORE_LIST_MAX   ((size_t)16 << 20) /* bytes of the documents of an array */
#define STORE_SMALL_STEP 100                /* documents of some KB */

/* Likewise, all of them as an array, read from etcd `step` at once: few where they may be large,
 * since etcd has each answer in memory several times. DEIS_LIMIT: they have more than
 * STORE_LIST_MAX bytes. */
int store_get_named(struct ctl *ctl, const char *prefix, const json_t *names, size_t step,
                    json_t **ret, struct deis_err *err) deis_must_check;

/* Each change leaves its mark here: a value that was never there before. Whoever finds the one that
 * was there before he read something knows that it is still so. */
#define STORE_CHANGED      "changed/any"
#define STORE_CHANGED_APPS "changed/apps" /* which apps there are, and who sees which */

struct change {
    struct deis_etcd_txn *txn;
    char audit[DEIS_KEY_MAX];
    char mark[DEIS_KEY_MAX];
};

#define change_auto __attribute__((cleanup(change_clear)))
void change_clear(struct change *c);
/* user may be "" (nobody yet). source: the address that the request came from, NULL when there is
 * none; anything but an address is left out. Secrets must not be in any of the texts. */
void change_begin(struct change *c, const char *user, const char *action, const char *object,
                  const char *result, const char *request, const char *source);
/* It changes which apps there are, or who sees them. */
void change_of_apps(struct change *c);
void change_put(struct change *c, const char *key, const json_t *doc);
void change_put_text(struct change *c, const char *key, const char *text);
/* DEIS_CONFLICT: a guard did not hold. DEIS_TIMEOUT: nobody can say whether it happened. */
int change_commit(struct ctl *ctl, struct change *c, struct deis_err *err) deis_must_check;

/* Now, and a wall time in ms, in the layout of the documents: texts sort as the times do. */
void store_now(char out[32]);
void store_time(uint64_t ms, char out[32]);

#endif
