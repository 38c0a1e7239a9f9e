/* SPDX-License-Identifier: MIT */
/*
 * The router's own answers: error codes as Heroku numbers them, and the page that people see. The
 * code stands in the access log, the page says what is the matter in a sentence. thread: any
 */
#ifndef DEIS_ROUTER_PAGES_H
#define DEIS_ROUTER_PAGES_H

#include "lib/base/str.h"

/* No page is larger, head included. */
#define PAGES_MAX 4096

enum page {
    PAGE_NONE,
    PAGE_BAD_REQUEST,
    PAGE_METHOD, /* TRACE */
    PAGE_NO_APP,
    PAGE_NO_PROCESS, /* nothing of the app should run */
    PAGE_NOT_READY,  /* units should run, none is ready */
    PAGE_REQUEST_TIMEOUT,
    PAGE_TOO_LARGE,
    PAGE_TARGET_TOO_LONG,
    PAGE_HEAD_TOO_LARGE,
    PAGE_NOT_IMPLEMENTED,
    PAGE_VERSION,
    PAGE_REFUSED, /* no connection to any unit */
    PAGE_CONNECT_TIMEOUT,
    PAGE_NO_ANSWER,  /* the unit closed without an answer */
    PAGE_BAD_ANSWER, /* the unit's answer is no HTTP, or it answered 101 unasked */
    PAGE_ANSWER_TIMEOUT,
    PAGE_CUT_SHORT,      /* the unit's answer broke off; there is no page */
    PAGE_CLIENT_GONE,    /* there is no page */
    PAGE_CLIENT_STALLED, /* the client stopped reading or sending; there is no page */
    PAGE_ADDRESS,        /* the client's address has too many connections */
    PAGE_TOO_MANY,       /* connections */
    PAGE_MAINTENANCE,    /* the app is closed by its owner */
    PAGE_NOT_ALLOWED,    /* the client's address is not on the whitelist */
    PAGE_TOO_FAST,       /* the client's address sends more than the app's rate */
    PAGE_CROWDED,        /* the client's address has as many in flight at the app as it may */
    PAGE_BUSY,           /* the app has as many requests in flight as it may */
    PAGE_CONNECTED,      /* the app has as many upgraded connections as it may */
    PAGE_BLOCKED,        /* it looks like an attack; the platform chooses the status */
    PAGE_UNEXAMINED,     /* whether it does can't be said: the firewall could not be loaded */
    PAGE_COUNT,
};

struct page_info {
    int status;
    const char *code; /* "H12", or NULL */
    const char *desc; /* for the log */
    const char *title;
    const char *text;
};

const struct page_info *page_info(enum page page);
/* The page for a status of the HTTP parser. */
enum page page_of_status(int status);

struct page_opts {
    bool json;
    bool head; /* an answer to HEAD */
    bool keep_alive;
    bool http10;
    struct deis_str request_id; /* shown, if any */
    struct deis_str own;        /* HTML of the app's own, instead of ours; or NONE */
    uint64_t retry_after_s;     /* 0: not said */
    int status;                 /* 0: the page's */
};

/* The whole answer; its length. cap at least PAGES_MAX and the length of an own page. */
size_t page_write(char *out, size_t cap, enum page page, const struct page_opts *opts,
                  size_t *ret_body);

#endif
