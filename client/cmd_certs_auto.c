/* SPDX-License-Identifier: MIT */
/* Certificates that come by themselves. */
#include "client/client.h"
#include "client/core/show.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)

int certs_auto(struct client *c, const struct options *o)
{
    deis_autojson json_t *doc = NULL;
    const char *domain = o->words[0];

    if (session_load(c) < 0) {
        return -1;
    }
    printf("Asking for a certificate for %s... ", domain);
    term_spin_start();
    if (api_do(c, request_autocert_add(domain), &doc) < 0) {
        return -1;
    }
    printf("done, it comes within a minute: deis certs:info %s\n", domain);
    return 0;
}

int certs_auto_off(struct client *c, const struct options *o)
{
    if (session_load(c) < 0) {
        return -1;
    }
    printf("Ending the certificate of %s... ", o->words[0]);
    term_spin_start();
    if (api_do(c, request_autocert_remove(o->words[0]), NULL) < 0) {
        return -1;
    }
    printf("done\n");
    return 0;
}

int certs_auto_list(struct client *c, const struct options *o)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    deis_autojson json_t *list = NULL;
    json_t *rows = NULL;
    long limit = 0;
    long total = 0;

    if (session_limit(c, o, &limit) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return api_list_json(c, o, request_list("autocerts", limit));
    }
    if (api_list(c, request_list("autocerts", limit), &list, &rows, &total) < 0) {
        return -1;
    }
    show_autocerts(rows, &text);
    term_print(&text);
    return 0;
}

int certs_info(struct client *c, const struct options *o)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    deis_autojson json_t *cert = NULL;

    if (session_load(c) < 0 || api_do(c, request_cert_get(o->words[0]), &cert) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return term_print_json(c, o, cert);
    }
    show_cert(cert, &text);
    term_print(&text);
    return 0;
}
