/* SPDX-License-Identifier: MIT */
/* Permissions and users. */
#include "client/client.h"
#include "client/core/show.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)
#define LIST_MAX 1000000

/* The app that is meant, or NULL with --admin. */
static int scope(struct client *c, const struct options *o, const char **ret)
{
    *ret = NULL;
    return o->given[OPTION_ADMIN] ? session_load(c) : session_app(c, o, ret);
}

/* A list of objects whose one member is a user's name. */
static int print_users(struct client *c, const char *title, struct request r)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *users = NULL;
    long total = 0;

    if (api_list(c, r, &list, &users, &total) < 0) {
        return -1;
    }
    deis_buf_addf(&text, "=== %s", title);
    show_count(json_array_size(users), total, &text);
    show_sorted(users, "username", &text);
    term_print(&text);
    return 0;
}

/* The administrators' names. */
static int print_admins_json(struct client *c, const struct options *o, long limit)
{
    deis_autojson json_t *list = NULL;
    deis_autojson json_t *names = json_array();
    json_t *users = NULL;
    long total = 0;

    if (api_list(c, request_perms_list(NULL, o->given[OPTION_LIMIT] ? limit : LIST_MAX), &list,
                 &users, &total) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(users); i++) {
        json_array_append(names, json_object_get(json_array_get(users, i), "username"));
    }
    return term_print_json(c, o, names);
}

int perms_list(struct client *c, const struct options *o)
{
    deis_autojson json_t *answer = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    const char *app = NULL;
    long limit = 0;

    if (session_limit(c, o, &limit) < 0 || scope(c, o, &app) < 0) {
        return -1;
    }
    if (!app && o->given[OPTION_JSON]) {
        return print_admins_json(c, o, limit);
    }
    if (!app) {
        return print_users(c, "Administrators", request_perms_list(NULL, limit));
    }
    if (api_do(c, request_perms_list(app, limit), &answer) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return term_print_json(c, o, json_object_get(answer, "users"));
    }
    deis_buf_addf(&text, "=== %s's Users\n", app);
    show_names(json_object_get(answer, "users"), &text);
    term_print(&text);
    return 0;
}

static int finish(struct client *c, struct request r)
{
    fflush(stdout);
    if (api_do(c, r, NULL) < 0) {
        return -1;
    }
    printf("done\n");
    return 0;
}

static void print_scope(const char *app)
{
    if (app) {
        printf("%s collaborators... ", app);
    } else {
        printf("system administrators... ");
    }
}

int perms_create(struct client *c, const struct options *o)
{
    const char *app = NULL;

    if (scope(c, o, &app) < 0) {
        return -1;
    }
    printf("Adding %s to ", o->words[0]);
    print_scope(app);
    return finish(c, request_perm_create(app, o->words[0]));
}

int perms_delete(struct client *c, const struct options *o)
{
    const char *app = NULL;

    if (scope(c, o, &app) < 0) {
        return -1;
    }
    printf("Removing %s from ", o->words[0]);
    print_scope(app);
    return finish(c, request_perm_delete(app, o->words[0]));
}

int users_list(struct client *c, const struct options *o)
{
    long limit = 0;

    if (session_limit(c, o, &limit) < 0) {
        return -1;
    }
    return o->given[OPTION_JSON] ? api_list_json(c, o, request_list("users", limit))
                                 : print_users(c, "Users", request_list("users", limit));
}
