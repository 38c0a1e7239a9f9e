/* SPDX-License-Identifier: MIT */
/* deisctl router:routes: where a router sends what, as it says itself. */
#include "deisctl/core/routes.h"

#include "deisctl/deisctl.h"

#include "lib/net/httpc.h"
#include "lib/wire/url.h"

#include <stdio.h>

#define ROUTER_DEFAULT   "127.0.0.1:9090"
#define OUTPUT_MAX_BYTES (64 * 1024 * 1024)
#define WAIT_MS          10000

struct options {
    const char *router;
    const char *only;
    bool json;
};

static int read_options(int argc, char **argv, struct options *o, struct deis_err *err)
{
    struct deis_str host;
    uint16_t port;

    o->router = ROUTER_DEFAULT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (strcmp(argv[i], "--router") == 0 && i + 1 < argc) {
            o->router = argv[++i];
        } else if (argv[i][0] == '-' || o->only) {
            return deis_err_set(err, DEIS_INVALID, "'%.64s' is not expected", argv[i]);
        } else {
            o->only = argv[i];
        }
    }
    return deis_addr_split(deis_str(o->router), &host, &port, err);
}

static int fetch(const char *router, struct deis_httpc_answer *answer, struct deis_err *err)
{
    deis_autofree char *url = deis_asprintf("http://%s/routes", router);
    struct deis_httpc_request req = { .url = url,
                                      .timeout_ms = WAIT_MS,
                                      .answer_max = OUTPUT_MAX_BYTES };
    struct deis_httpc *client = deis_httpc_new();

    int r = deis_httpc_call(client, &req, answer, err);
    deis_httpc_free(client);
    if (r < 0) {
        return deis_err_wrap(err, "no router answers at '%s'", router);
    }
    return answer->status == 200
               ? 0
               : deis_err_set(err, DEIS_PROTOCOL, "'%s' is not a router: status %d", router,
                              answer->status);
}

static int print_json(const json_t *routes)
{
    deis_autofree char *text = deis_json_dump(routes);

    puts(text);
    return 0;
}

static int print_table(const json_t *routes)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUTPUT_MAX_BYTES);
    struct table t;

    routes_tabulate(routes, &t);
    table_format(&t, &out);
    fwrite(out.data, 1, out.len, stdout);
    table_clear(&t);
    return 0;
}

int command_router_routes(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err)
{
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    struct options o = { 0 };
    int r = read_options(argc, argv, &o, err);

    if (r < 0 || (r = fetch(o.router, &answer, err)) < 0) {
        return r;
    }
    deis_autojson json_t *routes = routes_read(deis_buf_str(&answer.body), o.only, err);
    if (!routes) {
        return err->code;
    }
    if (o.only && json_array_size(routes) == 0) {
        return deis_err_set(err, DEIS_NOT_FOUND, "the router knows no host and no app '%.64s'",
                            o.only);
    }
    return o.json ? print_json(routes) : print_table(routes);
}
