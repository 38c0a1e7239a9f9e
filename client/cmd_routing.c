/* SPDX-License-Identifier: MIT */
/* How routers treat an app. */
#include "client/client.h"
#include "client/core/pairs.h"
#include "client/core/routing.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)4 << 20)
#define FILE_MAX ((size_t)256 << 10)

typedef void show_fn(const json_t *routing, struct deis_buf *out);

static void print_routing(const json_t *routing, show_fn *show)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);

    show(routing, &text);
    term_print(&text);
}

static int fetch(struct client *c, const struct options *o, json_t **ret)
{
    const char *app = NULL;

    return session_app(c, o, &app) < 0 ? -1 : api_do(c, request_routing_get(app), ret);
}

int routing_list(struct client *c, const struct options *o)
{
    deis_autojson json_t *routing = NULL;

    if (fetch(c, o, &routing) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return term_print_json(c, o, routing);
    }
    print_routing(routing, routing_show_all);
    return 0;
}

int whitelist_list(struct client *c, const struct options *o)
{
    deis_autojson json_t *routing = NULL;

    if (fetch(c, o, &routing) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        deis_autojson json_t *list = routing_whitelists(routing);
        return term_print_json(c, o, list);
    }
    print_routing(routing, routing_show_whitelist);
    return 0;
}

/* Sends settings; show NULL: says no more than that it is done. */
static int change(struct client *c, const struct options *o, const char *what, json_t *settings,
                  show_fn *show)
{
    deis_autojson json_t *routing = NULL;
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    printf("%s %s... ", what, app);
    term_spin_start();
    if (api_do(c, request_routing_set(app, settings), &routing) < 0) {
        return -1;
    }
    printf("done\n");
    if (show) {
        printf("\n");
        print_routing(routing, show);
    }
    return 0;
}

static int add_setting(struct client *c, const char *arg, json_t *settings)
{
    deis_autofree char *name = NULL;
    deis_autofree char *value = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(FILE_MAX);
    struct deis_err err;
    bool file;

    if (routing_pair(arg, &name, &value, &file, &err) < 0 ||
        (file && deis_file_read(value, &text, &err) < 0)) {
        return client_fail_err(c, &err);
    }
    json_t *kept = file ? json_stringn(text.data ? text.data : "", text.len) : json_string(value);
    if (!kept) {
        return client_fail(c, "the value of '%s' must be UTF-8", name);
    }
    json_object_set_new(settings, name, kept);
    return 0;
}

int routing_set(struct client *c, const struct options *o)
{
    deis_autojson json_t *settings = json_object();

    for (size_t i = 0; i < o->word_count; i++) {
        if (add_setting(c, o->words[i], settings) < 0) {
            return -1;
        }
    }
    return change(c, o, "Changing the routing of", settings, routing_show_all);
}

int routing_unset(struct client *c, const struct options *o)
{
    deis_autojson json_t *settings = pairs_removals(o->words, o->word_count);

    return change(c, o, "Changing the routing of", settings, routing_show_all);
}

int maintenance_on(struct client *c, const struct options *o)
{
    deis_autojson json_t *settings = json_pack("{s:b}", "maintenance", 1);

    return change(c, o, "Turning on maintenance of", settings, NULL);
}

int maintenance_off(struct client *c, const struct options *o)
{
    deis_autojson json_t *settings = json_pack("{s:n}", "maintenance");

    return change(c, o, "Turning off maintenance of", settings, NULL);
}

int whitelist_add(struct client *c, const struct options *o)
{
    deis_autojson json_t *settings = routing_whitelist("add", o->words, o->word_count);

    return change(c, o, "Changing the whitelist of", settings, routing_show_whitelist);
}

int whitelist_remove(struct client *c, const struct options *o)
{
    deis_autojson json_t *settings = routing_whitelist("remove", o->words, o->word_count);

    return change(c, o, "Changing the whitelist of", settings, routing_show_whitelist);
}
