/* SPDX-License-Identifier: MIT */
/*
 * One API request: what was asked, who asks, and the answer that a handler gives. A handler is
 * straight code on a worker thread; it gives exactly one answer. thread: the worker of the request
 */
#ifndef CONTROLLER_API_H
#define CONTROLLER_API_H

#include "controller/core/fields.h"
#include "controller/core/page.h"
#include "controller/core/route.h"
#include "controller/store.h"

#include "lib/net/httpd.h"

/* What was read ahead for the handler, at the revision of the caller and the app; see ahead.c. */
#define AHEAD_MAX 2

struct ahead {
    struct deis_etcd_range ranges[AHEAD_MAX];
    size_t count;
};

enum api_kind {
    API_JSON, /* doc */
    API_TEXT, /* text with its type */
    API_EMPTY,
    API_FOLLOW,  /* the log of app_id, as a stream on the loop */
    API_SESSION, /* an attached command of app_id, see session.h */
};

struct api {
    struct ctl *ctl;
    struct deis_http_req *req; /* NULL once the peer is gone. thread: loop */

    /* what was asked */
    struct route_match match;
    char *method;
    char *path;
    char *query;
    char *content_type;
    char *authorization; /* NULL when absent */
    char *builder_auth;
    char *source; /* address of the client, as far as it is known */
    char *raw_body;
    size_t raw_body_len;
    char id[17];
    json_t *body; /* an object */
    bool upgrade; /* to frames of an attached command */

    /* who asks, about what */
    struct access_caller caller;
    char *user;     /* "" when nobody is known */
    char token[65]; /* hash of the caller's token, "" when there is none */
    char *app_id;   /* of routes on an app */
    json_t *app;
    int64_t app_revision;
    struct ahead ahead;
    char *quota_turn; /* of quota.c: held until the handler is through */
    int64_t quota_revision;

    /* the answer */
    int status;
    enum api_kind kind;
    json_t *doc;
    char *text;
    size_t text_len;
    const char *type;
    uint64_t retry_after_s; /* for Retry-After, 0 = none */
    uint32_t release;       /* for Deis-Release, 0 = none */
    char *follow_process;
    uint32_t follow_lines;
};

typedef void api_handler(struct api *a);

/* Every handler of the route table is declared here. */
#define API_HANDLER_DECLARE(method, pattern, handler, right) void handle_##handler(struct api *a);
CONTROLLER_ROUTES(API_HANDLER_DECLARE)
#undef API_HANDLER_DECLARE

void api_free(struct api *a);

/* --- answers --- */
void api_json(struct api *a, int status, json_t *doc); /* takes doc */
void api_empty(struct api *a, int status);
void api_text(struct api *a, int status, const char *type, char *text, size_t len); /* takes text */
void api_session(struct api *a);
/* {"detail": ...} */
void api_detail(struct api *a, int status, const char *format, ...) deis_printf(3, 4);
void api_not_found(struct api *a);
void api_forbidden(struct api *a);
/* 400 with the faults of f. */
void api_invalid(struct api *a, struct fields *f);
/* What a failed call means to the caller. */
void api_error(struct api *a, const struct deis_err *err);
/* A page of documents that are shown as they are kept, without looking into them. */
void api_page_kept(struct api *a, const struct deis_etcd_range *docs);
/* A page of all rows of `docs` (taken). */
void api_page(struct api *a, json_t *docs);
/* A page of the documents `prefix`<name>, for names from an index (taken). */
void api_page_named(struct api *a, const char *prefix, json_t *names, json_t *(*show)(json_t *doc));
/* Likewise for documents that may be large, read `step` at once: few such lists are made at the
 * same time, the others wait. */
void api_page_large(struct api *a, const char *prefix, json_t *names, size_t step,
                    json_t *(*show)(json_t *doc));
/* Likewise for a list that may be much longer than the page, written without a tree: names has
 * `count` of them, each with a newline after it; add appends a document's row as JSON. */
void api_page_listed(struct api *a, const char *prefix, const char *names, size_t count,
                     void (*add)(struct deis_buf *out, struct deis_str doc, const void *arg),
                     const void *arg);

/* --- helpers of handlers --- */
const char *api_param(const struct api *a, const char *name);
/* Begin a change with its audit entry; object as in "app/blog". */
void api_change(struct api *a, struct change *c, const char *action, const char *object_format, ...)
    deis_printf(4, 5);
/* Commit; on failure the answer is given (409 for a guard that did not hold) and false returned. */
bool api_commit(struct api *a, struct change *c);

/* --- reading ahead --- */
/* Add to the transaction what the route's handler will read for this user, as far as it is known
 * already: how many ranges come back, AHEAD_MAX at most. */
size_t ahead_ask(struct api *a, struct deis_etcd_txn *txn);
/* The mark of the last change of all, and of the last one that concerns which apps there are, as
 * they stood before anything else of a list of apps was read; empty when there is none. */
struct deis_str ahead_changed(const struct api *a);
struct deis_str ahead_changed_apps(const struct api *a);

/* --- authentication --- */
/* Fill in caller, user, and for routes on an app the app; judge the rights. False: the answer is
 * given. */
bool auth_admit(struct api *a);
/* May this user do that on this app? For callers that come with names instead of a token.
 * DEIS_NOT_FOUND: no such user or app; DEIS_DENIED. ret_app (may be NULL) gets the app's document.
 */
int auth_app_user(struct ctl *ctl, const char *user, const char *app, enum access_right right,
                  json_t **ret_app, struct deis_err *err) deis_must_check;
/* Does what a request was admitted for still hold? DEIS_DENIED or DEIS_NOT_FOUND: no more. */
int auth_still(struct ctl *ctl, const char *user, const char *token_hash, const char *app,
               enum access_right right, struct deis_err *err) deis_must_check;
/* SHA-256 of a token as in its key. */
void auth_token_hash(const char *token, char out[65]);

#endif
