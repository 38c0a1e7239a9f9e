/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/pairs.h"
#include "client/core/show.h"

#include "lib/base/clock.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)

static int print_list(struct client *c, const char *app, struct request r)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *containers = NULL;
    long total = 0;

    if (api_list(c, r, &list, &containers, &total) < 0) {
        return -1;
    }
    show_processes(app, containers, total, &text);
    term_print(&text);
    return 0;
}

int ps_print(struct client *c, const char *app, long limit)
{
    return print_list(c, app, request_app_list(app, "containers", limit));
}

static int print_details(struct client *c, const char *app, struct request r)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *containers = NULL;
    long total = 0;

    if (api_list(c, r, &list, &containers, &total) < 0) {
        return -1;
    }
    show_process_details(app, containers, total, deis_wall_ms() / 1000, &text);
    term_print(&text);
    return 0;
}

int ps_list(struct client *c, const struct options *o)
{
    const char *app = NULL;
    long limit = 0;

    if (session_limit(c, o, &limit) < 0 || session_app(c, o, &app) < 0) {
        return -1;
    }
    bool detail = o->given[OPTION_JSON] || o->given[OPTION_DETAIL];
    struct request r =
        detail ? request_containers_detail(app, limit) : request_app_list(app, "containers", limit);
    request_add_runs(&r);
    if (o->given[OPTION_JSON]) {
        return api_list_json(c, o, r);
    }
    return detail ? print_details(c, app, r) : print_list(c, app, r);
}

static const char *drink(void)
{
    const char *choice = getenv("DEIS_DRINK_OF_CHOICE");

    return choice && choice[0] ? choice : "coffee";
}

/* A request that takes as long as processes do, then the processes. */
static int change(struct client *c, const char *what, const char *app, struct request r)
{
    printf("%s processes... but first, %s!\n", what, drink());
    uint64_t start = deis_now_ms();
    term_spin_start();
    if (api_do(c, r, NULL) < 0) {
        return -1;
    }
    printf("done in %llus\n", (unsigned long long)(deis_now_ms() - start) / 1000);
    return ps_print(c, app, c->profile.response_limit);
}

int ps_scale(struct client *c, const struct options *o)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(TEXT_MAX);
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    deis_autojson json_t *targets = pairs_scale(o->words, o->word_count, &note);
    term_print(&note);
    return change(c, "Scaling", app, request_scale(app, targets));
}

int ps_restart(struct client *c, const struct options *o)
{
    deis_autofree char *type = NULL;
    deis_autofree char *num = NULL;
    const char *app = NULL;
    struct deis_err err;

    if (o->word_count > 0 && pairs_process(o->words[0], &type, &num, &err) < 0) {
        return client_fail_err(c, &err);
    }
    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    return change(c, "Restarting", app, request_restart(app, type, num));
}
