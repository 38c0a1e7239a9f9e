/* SPDX-License-Identifier: MIT */
#include "lib/net/httpc_transfer.h"

#define POLL_MS        1000
#define POLL_CANCEL_MS 200

struct deis_httpc {
    CURLM *multi; /* keeps the connections */
    CURL *easy;   /* for one call after the other */
};

struct deis_httpc *deis_httpc_new(void)
{
    struct deis_httpc *c = deis_alloc(sizeof(*c));
    c->multi = curl_multi_init();
    c->easy = curl_easy_init();
    if (c->multi == NULL || c->easy == NULL) {
        abort();
    }
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, 4L);
    return c;
}

void deis_httpc_free(struct deis_httpc *c)
{
    if (c != NULL) {
        curl_easy_cleanup(c->easy);
        curl_multi_cleanup(c->multi);
        free(c);
    }
}

static CURLcode take_result(CURLM *multi)
{
    int left = 0;
    for (;;) {
        const CURLMsg *msg = curl_multi_info_read(multi, &left);
        if (msg == NULL) {
            return CURLE_FAILED_INIT;
        }
        if (msg->msg == CURLMSG_DONE) {
            return msg->data.result;
        }
    }
}

static CURLcode perform(struct deis_httpc *c, struct httpc_transfer *t,
                        const struct deis_httpc_request *req)
{
    for (;;) {
        int running = 0;
        if (curl_multi_perform(c->multi, &running) != CURLM_OK) {
            return CURLE_FAILED_INIT;
        }
        if (running == 0) {
            return take_result(c->multi);
        }
        if (req->cancelled != NULL && req->cancelled(req->arg)) {
            t->halt = HTTPC_STOPPED;
            return CURLE_ABORTED_BY_CALLBACK;
        }
        int wait_ms = req->cancelled != NULL ? POLL_CANCEL_MS : POLL_MS;
        if (curl_multi_poll(c->multi, NULL, 0, wait_ms, NULL) != CURLM_OK) {
            return CURLE_FAILED_INIT;
        }
    }
}

int deis_httpc_call(struct deis_httpc *c, const struct deis_httpc_request *req,
                    struct deis_httpc_answer *ret, struct deis_err *err)
{
    struct httpc_transfer t;
    int rc = httpc_transfer_init(&t, c->easy, req, ret, err);
    if (rc == 0 && curl_multi_add_handle(c->multi, t.easy) != CURLM_OK) {
        rc = deis_err_set(err, DEIS_INTERNAL, "cannot start a request");
    } else if (rc == 0) {
        CURLcode code = perform(c, &t, req);
        rc = httpc_transfer_result(&t, code, err);
        curl_multi_remove_handle(c->multi, t.easy);
    }
    httpc_transfer_clear(&t);
    return rc;
}
