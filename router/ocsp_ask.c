/* SPDX-License-Identifier: MIT */
/* One request to an OCSP responder, and what its answer is worth. */
#include "router/ocsp.h"
#include "router/tls_server.h"

#include "lib/base/clock.h"
#include "lib/crypto/asn1.h"
#include "lib/net/httpc.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

enum {
    URL_MAX = 1024,
    TIMEOUT_MS = 10000,
    SKEW_S = 300,
    WITHOUT_END_MS = 3600 * 1000, /* an answer that names no end */
};

/* Its first responder, yours; NULL: none that is asked over HTTP. */
static char *responder(const struct tls_cert *cert)
{
    STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert->leaf);
    char *found = NULL;

    for (int i = 0; i < sk_OPENSSL_STRING_num(urls) && !found; i++) {
        const char *url = sk_OPENSSL_STRING_value(urls, i);
        if (strncmp(url, "http://", 7) == 0 && strlen(url) <= URL_MAX) {
            found = deis_strdup(url);
        }
    }
    X509_email_free(urls);
    ERR_clear_error();
    return found;
}

bool ocsp_has_responder(const struct tls_cert *cert)
{
    deis_autofree char *url = responder(cert);

    return url != NULL;
}

/* The chain up to an authority in the store, yours; NULL when there is none. */
static STACK_OF(X509) * verified_chain(const struct tls_cert *cert, X509_STORE *store)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = NULL;

    if (ctx && X509_STORE_CTX_init(ctx, store, cert->leaf, cert->chain) == 1 &&
        X509_verify_cert(ctx) == 1) {
        chain = X509_STORE_CTX_get1_chain(ctx);
    }
    X509_STORE_CTX_free(ctx);
    if (sk_X509_num(chain) < 2) {
        sk_X509_pop_free(chain, X509_free);
        chain = NULL;
    }
    return chain;
}

static int post(const char *url, OCSP_CERTID *id, struct deis_httpc_answer *ret,
                struct deis_err *err)
{
    static const char *const headers[] = { "Content-Type: application/ocsp-request", NULL };
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *own = OCSP_CERTID_dup(id);
    unsigned char *der = NULL;
    int code = DEIS_INTERNAL;

    if (request && own && OCSP_request_add0_id(request, own)) {
        int len = i2d_OCSP_REQUEST(request, &der);
        struct deis_httpc *http = deis_httpc_new();
        const struct deis_httpc_request req = {
            .method = "POST",
            .url = url,
            .headers = headers,
            .body = deis_str_n((const char *)der, len > 0 ? (size_t)len : 0),
            .timeout_ms = TIMEOUT_MS,
            .answer_max = OCSP_ANSWER_MAX,
        };
        code = deis_httpc_call(http, &req, ret, err);
        deis_httpc_free(http);
        if (code == 0 && ret->status != 200) {
            code = deis_err_set(err, DEIS_PROTOCOL, "the responder answered %d", ret->status);
        }
    } else {
        OCSP_CERTID_free(own);
        deis_err_set(err, DEIS_INTERNAL, "no request can be made");
    }
    OPENSSL_free(der);
    OCSP_REQUEST_free(request);
    return code;
}

/* The status of the certificate in a response whose signature is good. */
static int judge(OCSP_BASICRESP *basic, OCSP_CERTID *id, uint64_t *ret_until_ms,
                 struct deis_err *err)
{
    ASN1_GENERALIZEDTIME *revoked, *from, *until;
    int status, reason;

    if (OCSP_resp_find_status(basic, id, &status, &reason, &revoked, &from, &until) != 1) {
        return deis_err_set(err, DEIS_PROTOCOL, "the answer is for another certificate");
    }
    if (OCSP_check_validity(from, until, SKEW_S, -1) != 1) {
        return deis_err_set(err, DEIS_PROTOCOL, "the answer is not of this time");
    }
    if (status != V_OCSP_CERTSTATUS_GOOD) {
        return deis_err_set(err, DEIS_DENIED, "the certificate is %s",
                            OCSP_cert_status_str(status));
    }
    *ret_until_ms = until ? deis_asn1_time_ms(until) : deis_wall_ms() + WITHOUT_END_MS;
    return 0;
}

static int take_answer(struct deis_str der, OCSP_CERTID *id, STACK_OF(X509) * chain,
                       X509_STORE *store, struct ocsp_answer *ret, struct deis_err *err)
{
    const unsigned char *p = (const unsigned char *)der.ptr;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, (long)der.len);
    OCSP_BASICRESP *basic = NULL;
    int code;

    if (!response || p != (const unsigned char *)der.ptr + der.len) {
        code = deis_err_set(err, DEIS_PROTOCOL, "the answer is no OCSP response");
    } else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        code = deis_err_set(err, DEIS_PROTOCOL, "the responder says: %s",
                            OCSP_response_status_str(OCSP_response_status(response)));
    } else if (!(basic = OCSP_response_get1_basic(response)) ||
               OCSP_basic_verify(basic, chain, store, 0) != 1) {
        code = deis_err_set(err, DEIS_PROTOCOL, "the answer's signature is not good");
    } else {
        code = judge(basic, id, &ret->until_ms, err);
    }
    if (code == 0) {
        deis_buf_add_str(&ret->der, der);
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return code;
}

int ocsp_ask(const struct tls_cert *cert, const char *ca_file, struct ocsp_answer *ret,
             struct deis_err *err)
{
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    deis_autofree char *url = responder(cert);
    X509_STORE *store = X509_STORE_new(); /* read anew each time: it is rarely needed, and large */
    STACK_OF(X509) *chain = NULL;
    int code;

    deis_buf_init(&ret->der, OCSP_ANSWER_MAX);
    if (!url || !store || X509_STORE_load_file(store, ca_file) != 1 ||
        !(chain = verified_chain(cert, store))) {
        code = deis_err_set(err, DEIS_NOT_FOUND, "its authority is not trusted here");
    } else {
        OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert->leaf, sk_X509_value(chain, 1));
        code = id ? post(url, id, &answer, err)
                  : deis_err_set(err, DEIS_INTERNAL, "no request can be made");
        if (code == 0) {
            code = take_answer(deis_buf_str(&answer.body), id, chain, store, ret, err);
        }
        OCSP_CERTID_free(id);
    }
    sk_X509_pop_free(chain, X509_free);
    X509_STORE_free(store);
    ERR_clear_error();
    return code;
}
