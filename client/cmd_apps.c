/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/answer.h"
#include "client/core/remote.h"
#include "client/core/shape.h"
#include "client/core/show.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX         ((size_t)64 << 20)
#define LIST_MAX         1000000
#define GIT_NO_REPO      128
#define GIT_REMOTE_THERE 3

static int set_buildpack(struct client *c, const char *app, const char *url)
{
    deis_autojson json_t *values = json_pack("{s:s}", "BUILDPACK_URL", url);

    return api_do(c, request_config_set(app, "values", values), NULL);
}

static int add_remote(struct client *c, const char *remote, const char *app)
{
    int status = 0;

    int r = git_add_remote(c, remote, app, &status);
    if (r < 0 && (status == GIT_NO_REPO || status == GIT_REMOTE_THERE)) {
        printf("To replace the existing git remote entry, run:\n"
               "  git remote rename deis deis.old && deis git:remote -a %s\n",
               app);
    }
    return r;
}

int apps_create(struct client *c, const struct options *o)
{
    const char *buildpack = options_get(o, OPTION_BUILDPACK, NULL);
    const char *remote = options_get(o, OPTION_REMOTE, "deis");
    deis_autojson json_t *app = NULL;

    if (session_load(c) < 0) {
        return -1;
    }
    printf("Creating Application... ");
    term_spin_start();
    if (api_do(c, request_app_create(o->word_count > 0 ? o->words[0] : NULL), &app) < 0) {
        return -1;
    }
    const char *id = answer_text(app, "id");
    printf("done, created %s\n", id);
    if (buildpack && set_buildpack(c, id, buildpack) < 0) {
        return -1;
    }
    if (!o->given[OPTION_NO_REMOTE] && add_remote(c, remote, id) < 0) {
        return -1;
    }
    deis_autofree char *host = profile_host(c->profile.controller);
    deis_autofree char *url = remote_url(host ? host : "", c->profile.ssh_port, id);
    printf("remote available at %s\n", url);
    return 0;
}

int apps_list(struct client *c, const struct options *o)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *apps = NULL;
    long limit = 0;
    long total = 0;

    if (session_limit(c, o, &limit) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return api_list_json(c, o, request_list("apps", limit));
    }
    if (api_list(c, request_list("apps", limit), &list, &apps, &total) < 0) {
        return -1;
    }
    deis_buf_add_cstr(&text, "=== Apps");
    show_count(json_array_size(apps), total, &text);
    show_sorted(apps, "id", &text);
    term_print(&text);
    return 0;
}

/* A list below the app as a member of it, in the shape of the command that lists it. */
static int add_list(struct client *c, json_t *app, const char *member, enum command_id lister,
                    struct request r)
{
    deis_autojson json_t *list = NULL;
    json_t *results = NULL;
    long total = 0;

    if (api_list(c, r, &list, &results, &total) < 0) {
        return -1;
    }
    json_t *shaped = shape_apply(command_table[lister].json, results);
    if (!shaped) {
        return client_fail(c, "the controller's answer is no list of %s", member);
    }
    json_object_set_new(app, member, shaped);
    return 0;
}

static int info_json(struct client *c, const struct options *o, const char *id, json_t *app)
{
    if (add_list(c, app, "processes", COMMAND_PS_LIST, request_containers_detail(id, LIST_MAX)) <
            0 ||
        add_list(c, app, "domains", COMMAND_DOMAINS_LIST,
                 request_app_list(id, "domains", LIST_MAX)) < 0) {
        return -1;
    }
    return term_print_json(c, o, app);
}

int apps_info(struct client *c, const struct options *o)
{
    deis_autojson json_t *app = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    const char *id = NULL;

    if (session_app(c, o, &id) < 0 || api_do(c, request_app_get(id), &app) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return info_json(c, o, id, app);
    }
    show_app(app, &text);
    term_print(&text);
    if (ps_print(c, id, c->profile.response_limit) < 0) {
        return -1;
    }
    printf("\n");
    if (domains_print(c, id, c->profile.response_limit) < 0) {
        return -1;
    }
    printf("\n");
    return 0;
}

int apps_open(struct client *c, const struct options *o)
{
    deis_autojson json_t *app = NULL;
    const char *id = NULL;
    struct deis_err err;

    if (session_app(c, o, &id) < 0 || api_do(c, request_app_get(id), &app) < 0) {
        return -1;
    }
    deis_autofree char *url = deis_asprintf("http://%s", answer_text(app, "url"));
    execlp("xdg-open", "xdg-open", url, (char *)NULL);
    deis_err_errno(&err, errno, "can't run 'xdg-open' for %s", url);
    return client_fail_err(c, &err);
}

static int confirm_destroy(struct client *c, const char *app, const char *confirm)
{
    deis_autofree char *asked = NULL;

    if (!confirm) {
        deis_autofree char *prompt =
            deis_asprintf(" !    WARNING: Potentially Destructive Action\n"
                          " !    This command will destroy the application: %s\n"
                          " !    To proceed, type \"%s\" or re-run this command with --confirm=%s\n"
                          "\n> ",
                          app, app, app);
        asked = term_ask(prompt);
        confirm = asked;
    }
    if (strcmp(confirm, app) != 0) {
        return client_fail(c, "App %s does not match confirm %s, aborting.", app, confirm);
    }
    return 0;
}

int apps_destroy(struct client *c, const struct options *o)
{
    const char *app = NULL;

    if (session_app(c, o, &app) < 0 ||
        confirm_destroy(c, app, options_get(o, OPTION_CONFIRM, NULL)) < 0) {
        return -1;
    }
    printf("Destroying %s...\n", app);
    fflush(stdout);
    uint64_t start = deis_now_ms();
    if (api_do(c, request_app_destroy(app), NULL) < 0) {
        return -1;
    }
    printf("done in %llus\n", (unsigned long long)(deis_now_ms() - start) / 1000);
    return options_get(o, OPTION_APP, NULL) ? 0 : git_remove_remote(c, app);
}

int apps_transfer(struct client *c, const struct options *o)
{
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    printf("Transferring %s to %s... ", app, o->words[0]);
    fflush(stdout);
    if (api_do(c, request_app_transfer(app, o->words[0]), NULL) < 0) {
        return -1;
    }
    printf("done\n");
    return 0;
}
