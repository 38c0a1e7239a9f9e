/* SPDX-License-Identifier: MIT */
/*
 * deis-router-firewall.so: the rules, and requests held against them by libmodsecurity. Its rules
 * are read-only once they are loaded and shared by all workers; a transaction belongs to one.
 */
#include "router/firewall/module.h"

#include "router/firewall/multipart.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <glob.h>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

/* Of the rules' files only those that judge requests; see setup.conf for what is left out. */
#define RULE_FILES "REQUEST-9[0-9][0-9]-*.conf"

enum {
    IDS_MAX = 256, /* bytes of the rules' ids that are told */
    ID_LEN = 12,
};

struct firewall_rules {
    ModSecurity *engine;
    RulesSet *set;
};

struct check {
    struct firewall_check base;
    Transaction *transaction;
    bool body;
    bool judged;
    char boundary[MULTIPART_BOUNDARY_MAX + 1]; /* "": it is no multipart body */
    char ids[IDS_MAX];
};

static void *allocate(size_t size)
{
    void *p = calloc(1, size);

    if (!p) {
        abort();
    }
    return p;
}

static char *copy(struct deis_str s)
{
    char *text = allocate(s.len + 1);

    if (s.len > 0) {
        memcpy(text, s.ptr, s.len);
    }
    return text;
}

/* --- rules --- */

static bool is_noted(const struct check *c, const char *id, size_t len)
{
    for (const char *p = c->ids; *p; p += strcspn(p, ","), p += *p == ',') {
        if (strcspn(p, ",") == len && memcmp(p, id, len) == 0) {
            return true;
        }
    }
    return false;
}

/* A rule was met: remember its id, once. The text has it as [id "942100"]. */
static void note_rule(struct check *c, const char *text)
{
    static const char mark[] = "[id \"";
    const char *id = text ? strstr(text, mark) : NULL;

    if (!id) {
        return;
    }
    id += sizeof(mark) - 1;
    size_t len = strspn(id, "0123456789");
    size_t used = strlen(c->ids);
    if (len > 0 && len < ID_LEN && used + len + 2 < sizeof(c->ids) && !is_noted(c, id, len)) {
        (void)snprintf(c->ids + used, sizeof(c->ids) - used, "%s%.*s", used > 0 ? "," : "",
                       (int)len, id);
    }
}

static void on_log(void *data, const void *text)
{
    if (data) {
        note_rule(data, text);
    }
}

static void close_rules(struct firewall_rules *r)
{
    if (r->set) {
        (void)msc_rules_cleanup(r->set);
    }
    if (r->engine) {
        msc_cleanup(r->engine);
    }
    free(r);
}

static bool add_file(RulesSet *set, const char *path, char *err, size_t cap)
{
    const char *fault = NULL;
    bool good = msc_rules_add_file(set, path, &fault) >= 0;

    if (!good) {
        (void)snprintf(err, cap, "%s: %s", path, fault && *fault ? fault : "it can't be read");
        /* One line, as logs have it. */
        for (char *p = err; *p; p++) {
            *p = iscntrl((unsigned char)*p) ? ' ' : *p;
        }
    }
    free((void *)(uintptr_t)fault);
    return good;
}

static bool add_rules(RulesSet *set, const char *folder, char *err, size_t cap)
{
    char pattern[4096];
    glob_t found;
    bool good = true;

    int len = snprintf(pattern, sizeof(pattern), "%s/%s", folder, RULE_FILES);
    if (len >= (int)sizeof(pattern) || glob(pattern, 0, NULL, &found) != 0) {
        (void)snprintf(err, cap, "%.200s has no files %s", folder, RULE_FILES);
        return false;
    }
    for (size_t i = 0; good && i < found.gl_pathc; i++) {
        good = add_file(set, found.gl_pathv[i], err, cap);
    }
    globfree(&found);
    return good;
}

static struct firewall_rules *open_rules(const char *setup, const char *folder, char *err,
                                         size_t cap)
{
    struct firewall_rules *r = allocate(sizeof(*r));

    r->engine = msc_init();
    r->set = msc_create_rules_set();
    if (!r->engine || !r->set) {
        (void)snprintf(err, cap, "libmodsecurity does not start");
    } else {
        msc_set_connector_info(r->engine, "deis-router");
        msc_set_log_cb(r->engine, on_log);
        if (add_file(r->set, setup, err, cap) && add_rules(r->set, folder, err, cap)) {
            return r;
        }
    }
    close_rules(r);
    return NULL;
}

/* --- requests --- */

static const struct deis_h1_header *content_type(const struct deis_h1_head *head)
{
    for (size_t i = 0; i < head->header_count; i++) {
        const struct deis_h1_header *h = &head->headers[i];
        if (h->name.len == 12 && strncasecmp(h->name.ptr, "content-type", 12) == 0) {
            return h;
        }
    }
    return NULL;
}

static void add_head(Transaction *t, const struct deis_h1_head *head)
{
    char *target = copy(head->target);
    char *method = copy(head->method);

    (void)msc_process_uri(t, target, method, head->minor == 0 ? "1.0" : "1.1");
    free(target);
    free(method);
    for (size_t i = 0; i < head->header_count; i++) {
        const struct deis_h1_header *h = &head->headers[i];
        (void)msc_add_n_request_header(t, (const unsigned char *)h->name.ptr, h->name.len,
                                       (const unsigned char *)h->value.ptr, h->value.len);
    }
}

/* FIREWALL_SYMBOL */
extern const struct firewall_module deis_router_firewall __attribute__((visibility("default")));

static struct firewall_check *new_check(struct firewall_rules *r, const struct firewall_request *q)
{
    struct check *c = allocate(sizeof(*c));
    char client[INET6_ADDRSTRLEN] = "";
    char *id = copy(q->request_id);

    c->base.module = &deis_router_firewall;
    c->body = q->body;
    if (q->client.len < sizeof(client)) {
        memcpy(client, q->client.ptr, q->client.len);
    }
    c->transaction = msc_new_transaction_with_id(r->engine, r->set, id, c);
    free(id);
    (void)msc_process_connection(c->transaction, client, 0, "", 0);
    add_head(c->transaction, q->head);
    const struct deis_h1_header *type = q->body ? content_type(q->head) : NULL;
    if (type) {
        struct deis_str boundary = multipart_boundary(type->value);
        (void)snprintf(c->boundary, sizeof(c->boundary), "%.*s", DEIS_STR_ARG(boundary));
    }
    return &c->base;
}

static enum firewall_verdict verdict(struct check *c)
{
    ModSecurityIntervention i = { .status = 200 };
    bool blocked = msc_intervention(c->transaction, &i) != 0 && i.disruptive;

    if (blocked) {
        note_rule(c, i.log); /* of the rule that blocks */
    }
    free(i.url);
    free(i.log);
    if (blocked) { /* its page may wait for a slow client: only the rules' numbers are needed */
        msc_transaction_cleanup(c->transaction);
        c->transaction = NULL;
        c->judged = true;
    }
    return blocked ? FIREWALL_BLOCK : FIREWALL_PASS;
}

/* Most rules look at line, fields and body at once, when the body is there, or known to be none. */
static enum firewall_verdict judge(struct check *c)
{
    c->judged = true;
    (void)msc_process_request_body(c->transaction);
    return verdict(c);
}

static enum firewall_verdict check_head(struct firewall_check *base)
{
    struct check *c = (struct check *)base;

    (void)msc_process_request_headers(c->transaction);
    enum firewall_verdict v = verdict(c);
    return v == FIREWALL_BLOCK || c->body ? v : judge(c);
}

static void append(struct check *c, const char *data, size_t len)
{
    if (len > 0) {
        (void)msc_append_request_body(c->transaction, (const unsigned char *)data, len);
    }
}

static enum firewall_verdict check_body(struct firewall_check *base, struct deis_str body,
                                        bool whole)
{
    struct check *c = (struct check *)base;
    bool open = false;
    size_t len = body.len;

    if (c->judged) {
        return FIREWALL_BLOCK; /* it did not say that there would be a body */
    }
    bool parts = c->boundary[0] != '\0';
    if (parts && !whole) {
        len = multipart_end(body, deis_str(c->boundary), &open);
    }
    append(c, body.ptr, len);
    if (parts && whole && len > 0 && body.ptr[len - 1] != '\n') {
        append(c, "\r\n", 2); /* RFC 2046 does not ask for it behind the last delimiter */
    } else if (open) {
        char end[MULTIPART_BOUNDARY_MAX + 9];
        int n = snprintf(end, sizeof(end), "\r\n--%s--\r\n", c->boundary);
        append(c, end, (size_t)n);
    }
    return judge(c);
}

static const char *check_rules(const struct firewall_check *base)
{
    return ((const struct check *)base)->ids;
}

static void free_check(struct firewall_check *base)
{
    struct check *c = (struct check *)base;

    if (c->transaction) {
        msc_transaction_cleanup(c->transaction);
    }
    free(c);
}

const struct firewall_module deis_router_firewall = {
    .abi = FIREWALL_ABI,
    .open = open_rules,
    .close = close_rules,
    .check_new = new_check,
    .check_head = check_head,
    .check_body = check_body,
    .check_rules = check_rules,
    .check_free = free_check,
};
