/* SPDX-License-Identifier: MIT */
/* One HTTP exchange on a curl easy handle: what both forms of the client share. Inside lib/net
 * only. */
#ifndef DEIS_NET_HTTPC_TRANSFER_H
#define DEIS_NET_HTTPC_TRANSFER_H

#include "lib/net/httpc.h"

#include <curl/curl.h>

struct httpc_transfer {
    CURL *easy;
    bool lent; /* easy is not ours */
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];

    enum {
        HTTPC_GOING,
        HTTPC_STOPPED,
        HTTPC_TOO_LARGE,
        HTTPC_NO_BODY,
        HTTPC_LOST
    } halt;                           /* we ended it */
    struct deis_httpc_answer *answer; /* headers and body are collected when set */
    bool repeatable;                  /* curl may send it again over another connection */
    unsigned attempts;
    int status;     /* of the head that was read last */
    bool head_done; /* of the final answer */
    bool (*on_data)(int status, struct deis_str data, void *arg);
    void *arg;
    ptrdiff_t (*read_body)(char *data, size_t cap, void *arg);
    void *read_arg;
};

/* Make an easy handle ready: `lent` (new, or reset by the clear of its last exchange), or one of
 * its own when that is NULL. req may go afterwards, but its body must stay when a handle is lent;
 * *t must stay where it is until clear. */
int httpc_transfer_init(struct httpc_transfer *t, CURL *lent, const struct deis_httpc_request *req,
                        struct deis_httpc_answer *answer, struct deis_err *err) deis_must_check;
/* What curl's result means, as said at deis_httpc_call(). */
int httpc_transfer_result(struct httpc_transfer *t, CURLcode code,
                          struct deis_err *err) deis_must_check;
void httpc_transfer_clear(struct httpc_transfer *t);

#endif
