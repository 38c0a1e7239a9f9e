/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/pairs.h"
#include "client/core/show.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)

int releases_list(struct client *c, const struct options *o)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *releases = NULL;
    const char *app = NULL;
    long limit = 0;
    long total = 0;

    if (session_limit(c, o, &limit) < 0 || session_app(c, o, &app) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return api_list_json(c, o, request_app_list(app, "releases", limit));
    }
    if (api_list(c, request_app_list(app, "releases", limit), &list, &releases, &total) < 0) {
        return -1;
    }
    deis_buf_addf(&text, "=== %s Releases", app);
    show_count(json_array_size(releases), total, &text);
    show_releases(releases, &text);
    term_print(&text);
    return 0;
}

int releases_info(struct client *c, const struct options *o)
{
    deis_autojson json_t *release = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    const char *app = NULL;
    struct deis_err err;
    uint64_t version = 0;

    if (pairs_version(o->words[0], &version, &err) < 0) {
        return client_fail_err(c, &err);
    }
    if (session_app(c, o, &app) < 0 || api_do(c, request_release_get(app, version), &release) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        return term_print_json(c, o, release);
    }
    show_release(app, release, &text);
    term_print(&text);
    return 0;
}

int releases_rollback(struct client *c, const struct options *o)
{
    deis_autojson json_t *answer = NULL;
    const char *app = NULL;
    struct deis_err err;
    uint64_t version = 0;

    if (o->word_count > 0 && pairs_version(o->words[0], &version, &err) < 0) {
        return client_fail_err(c, &err);
    }
    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    if (o->word_count > 0) {
        printf("Rolling back to v%llu... ", (unsigned long long)version);
    } else {
        printf("Rolling back one release... ");
    }
    term_spin_start();
    if (api_do(c, request_rollback(app, version), &answer) < 0) {
        return -1;
    }
    printf("done, v%lld\n", (long long)json_integer_value(json_object_get(answer, "version")));
    return 0;
}
