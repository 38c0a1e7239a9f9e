/* SPDX-License-Identifier: MIT */
/*
 * Certificates by themselves: what a document autocerts/<domain> says, when the next try is due and
 * what a try makes of it. Pure; the time comes in, Unix ms. thread: any
 */
#ifndef CONTROLLER_CORE_AUTOCERT_H
#define CONTROLLER_CORE_AUTOCERT_H

#include "lib/wire/json.h"

#define AUTOCERT_DETAIL_MAX 400
#define AUTOCERT_AGAIN_MS   ((uint64_t)60 * 1000) /* who asks again waits so long after a try */
#define AUTOCERT_DELAY_MAX  ((uint64_t)12 * 3600 * 1000)

/* Whose name is it? */
enum autocert_kind {
    AUTOCERT_CUSTOM, /* a domain that was added to an app, or of nobody */
    AUTOCERT_APP,    /* <app>.<platform domain> */
    AUTOCERT_API,    /* the controller's own host name */
};

/* domain: lower case. ret_label: of AUTOCERT_APP, views into domain. */
enum autocert_kind autocert_kind(const char *domain, const char *platform, const char *subdomain,
                                 struct deis_str *ret_label);

/* A new document, due now; yours. now: in the layout of documents. */
json_t *autocert_new(const char *domain, const char *app, const char *owner, const char *now);
/* A text of it, "" when it is absent; borrowed. doc may be NULL. */
const char *autocert_text(const json_t *doc, const char *name);
/* As the API shows it; yours. */
json_t *autocert_show(const json_t *doc);
bool autocert_is_due(const json_t *doc, uint64_t now_ms);
/* Its owner asks again: due now, or AUTOCERT_AGAIN_MS after the last try. False: nothing changes.
 */
bool autocert_again(json_t *doc, uint64_t now_ms);
/* A certificate with this life was issued: renewed when a third of it is left. */
void autocert_issued(json_t *doc, const char *expires, uint64_t from_ms, uint64_t until_ms,
                     uint64_t now_ms);
/* It failed: again after base_ms, doubled with each failure in a row, random[0, 2^32) spread. */
void autocert_failed(json_t *doc, const char *why, uint64_t base_ms, uint32_t random,
                     uint64_t now_ms);

/* What a certificate client printed, for people: what the authority said, else its last lines;
 * printable. */
void autocert_reason(struct deis_str output, char ret[AUTOCERT_DETAIL_MAX + 1]);

/* A message of the hook: "method\0type\0ident\0token\0answer\0". */
struct autocert_hook {
    const char *method;
    const char *type;
    const char *ident;
    const char *token;
    const char *answer;
};

enum { AUTOCERT_HOOK_MAX = 2048 };

/* Views into data. False: it is none, or token or answer are no base64url. */
bool autocert_hook_parse(const char *data, size_t len, struct autocert_hook *ret);

#endif
