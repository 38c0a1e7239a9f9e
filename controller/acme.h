/* SPDX-License-Identifier: MIT */
/*
 * Certificates by themselves: one controller at a time, the one that holds leader/acme, asks the
 * certificate authority for what autocerts/ wants, and takes away what its domain no longer needs.
 */
#ifndef CONTROLLER_ACME_H
#define CONTROLLER_ACME_H

#include "controller/store.h"

struct acme;

struct acme *acme_start(struct ctl *ctl);
/* Gives up what is under way. NULL is fine */
void acme_stop(struct acme *a);
/* Something is to be done, look soon. thread: any */
void acme_poke(struct ctl *ctl);

/* --- between the files of this part. thread: its worker --- */

/* The time as issuer. */
struct acme_turn {
    struct acme *acme;
    struct ctl *ctl;
    struct settings settings;
    int64_t lease;
    int64_t epoch; /* create revision of leader/acme: guards all that is written */
    uint64_t renewed_ms;
    const char *domain; /* that is being issued */
};

/* Is it still ours? Renews the lease when it is time. */
bool acme_go_on(struct acme_turn *t);
/* As change_begin(), guarded by the leader key. */
void acme_change(struct acme_turn *t, struct change *c, const char *action, const char *domain,
                 const char *result);
/* Get a certificate for doc's domain and write it, with the new doc. DEIS_CANCELLED,
 * DEIS_UNAVAILABLE: no fault of the domain; other failures are for its owner. */
int acme_issue(struct acme_turn *t, json_t *doc, int64_t revision,
               struct deis_err *err) deis_must_check;

/* A folder of our own at this path, anew. */
int acme_files_make(const char *dir, struct deis_err *err) deis_must_check;
void acme_files_remove(const char *dir);
/* All of a file below it, at most max bytes. */
int acme_files_read(const char *dir, const char *name, size_t max, struct deis_buf *ret,
                    struct deis_err *err) deis_must_check;
int acme_files_write(const char *dir, const char *name, struct deis_str text,
                     struct deis_err *err) deis_must_check;

/* While the ACME client runs it trusts these authorities, too: certificates as PEM text, "" for
 * none. dir: where a file of theirs may stand meanwhile. DEIS_INVALID names the setting. */
int acme_trust_begin(const char *dir, const char *ca, struct deis_err *err) deis_must_check;
void acme_trust_end(const char *dir);

#endif
