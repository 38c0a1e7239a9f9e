/* SPDX-License-Identifier: MIT */
/* Domains and certificates. */
#include "client/client.h"
#include "client/core/show.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)
#define PEM_MAX  ((size_t)256 << 10)

int domains_print(struct client *c, const char *app, long limit)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *domains = NULL;
    long total = 0;

    if (api_list(c, request_app_list(app, "domains", limit), &list, &domains, &total) < 0) {
        return -1;
    }
    deis_buf_addf(&text, "=== %s Domains", app);
    show_count(json_array_size(domains), total, &text);
    show_sorted(domains, "domain", &text);
    term_print(&text);
    return 0;
}

int domains_list(struct client *c, const struct options *o)
{
    const char *app = NULL;
    long limit = 0;

    if (session_limit(c, o, &limit) < 0 || session_app(c, o, &app) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return api_list_json(c, o, request_app_list(app, "domains", limit));
    }
    return domains_print(c, app, limit);
}

static int finish(struct client *c, struct request r)
{
    term_spin_start();
    if (api_do(c, r, NULL) < 0) {
        return -1;
    }
    printf("done\n");
    return 0;
}

int domains_add(struct client *c, const struct options *o)
{
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    printf("Adding %s to %s... ", o->words[0], app);
    return finish(c, request_domain_add(app, o->words[0]));
}

int domains_remove(struct client *c, const struct options *o)
{
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    printf("Removing %s from %s... ", o->words[0], app);
    return finish(c, request_domain_remove(app, o->words[0]));
}

int certs_list(struct client *c, const struct options *o)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *certs = NULL;
    long limit = 0;
    long total = 0;

    if (session_limit(c, o, &limit) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return api_list_json(c, o, request_list("certs", limit));
    }
    if (api_list(c, request_list("certs", limit), &list, &certs, &total) < 0) {
        return -1;
    }
    if (json_array_size(certs) == 0) {
        deis_buf_add_cstr(&text, "No certs\n");
    } else {
        show_certs(certs, &text);
    }
    deis_autojson json_t *wanted = api_list_if_known(c, request_list("autocerts", limit));
    show_awaited_certs(wanted, &text);
    term_print(&text);
    return 0;
}

/* One request for each of the comma-separated names. */
static int add_for_names(struct client *c, const char *cert, const char *key, const char *names)
{
    struct deis_str rest = deis_str(names);
    struct deis_str part;

    while (deis_str_split(&rest, ',', &part)) {
        deis_autofree char *name = deis_str_dup(part);
        if (api_do(c, request_cert_add(cert, key, name), NULL) < 0) {
            return -1;
        }
    }
    return 0;
}

static int read_pem(const char *path, struct deis_buf *ret, struct deis_err *err)
{
    int r = deis_file_read(path, ret, err);

    if (r == 0 &&
        (ret->len == 0 || strlen(ret->data) < ret->len || !deis_str_is_utf8(deis_buf_str(ret)))) {
        r = deis_err_set(err, DEIS_INVALID, "'%s' is no PEM file", path);
    }
    return r;
}

int certs_add(struct client *c, const struct options *o)
{
    const char *names = options_get(o, OPTION_SUBJECT_ALT_NAME, NULL);
    deis_autobuf struct deis_buf cert = DEIS_BUF_INIT(PEM_MAX);
    deis_autobuf struct deis_buf key = DEIS_BUF_INIT(PEM_MAX);
    struct deis_err err;

    if (session_load(c) < 0) {
        return -1;
    }
    printf("Adding SSL endpoint... ");
    term_spin_start();
    if (read_pem(o->words[0], &cert, &err) < 0 || read_pem(o->words[1], &key, &err) < 0) {
        term_spin_stop();
        return client_fail_err(c, &err);
    }
    int r = names ? add_for_names(c, cert.data, key.data, names)
                  : api_do(c,
                           request_cert_add(cert.data, key.data,
                                            options_get(o, OPTION_COMMON_NAME, NULL)),
                           NULL);
    explicit_bzero(key.data, key.len);
    if (r == 0) {
        printf("done\n");
    }
    return r;
}

int certs_remove(struct client *c, const struct options *o)
{
    if (session_load(c) < 0) {
        return -1;
    }
    printf("Removing %s... ", o->words[0]);
    return finish(c, request_cert_remove(o->words[0]));
}
