/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/show.h"

#include <stdio.h>

#define TEXT_MAX     ((size_t)16 << 20)
#define PROCFILE_MAX ((size_t)256 << 10)

int builds_list(struct client *c, const struct options *o)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *builds = NULL;
    const char *app = NULL;
    long limit = 0;
    long total = 0;

    if (session_limit(c, o, &limit) < 0 || session_app(c, o, &app) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return api_list_json(c, o, request_app_list(app, "builds", limit));
    }
    if (api_list(c, request_app_list(app, "builds", limit), &list, &builds, &total) < 0) {
        return -1;
    }
    deis_buf_addf(&text, "=== %s Builds", app);
    show_count(json_array_size(builds), total, &text);
    show_builds(builds, &text);
    term_print(&text);
    return 0;
}

/* What -p says, or ./Procfile; *ret NULL when there is neither. */
static int read_procfile(struct client *c, const char *given, json_t **ret)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(PROCFILE_MAX);
    struct deis_err err;

    *ret = NULL;
    if (given) {
        int r = procfile_parse(deis_str(given), ret, &err);
        return r < 0 ? client_fail_err(c, &err) : 0;
    }
    int r = deis_file_read("Procfile", &text, &err);
    if (r == DEIS_NOT_FOUND) {
        return 0;
    }
    if (r == 0) {
        r = procfile_parse(deis_buf_str(&text), ret, &err);
    }
    return r < 0 ? client_fail_err(c, &err) : 0;
}

int builds_create(struct client *c, const struct options *o)
{
    deis_autojson json_t *procfile = NULL;
    const char *app = NULL;

    if (session_app(c, o, &app) < 0 ||
        read_procfile(c, options_get(o, OPTION_PROCFILE, NULL), &procfile) < 0) {
        return -1;
    }
    printf("Creating build... ");
    term_spin_start();
    if (api_do(c, request_build(app, o->words[0], procfile), NULL) < 0) {
        return -1;
    }
    printf("done\n");
    return 0;
}
