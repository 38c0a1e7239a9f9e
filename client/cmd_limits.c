/* SPDX-License-Identifier: MIT */
/* Limits and tags: the parts of an app's config that are not environment variables. */
#include "client/client.h"
#include "client/core/pairs.h"
#include "client/core/show.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)

typedef void show_fn(const char *app, const json_t *config, struct deis_buf *out);

static int print_part(struct client *c, const char *app, show_fn *show)
{
    deis_autojson json_t *config = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);

    if (api_do(c, request_config_get(app), &config) < 0) {
        return -1;
    }
    show(app, config, &text);
    term_print(&text);
    return 0;
}

/* member NULL: all of the config that the shape has. */
static int print_part_json(struct client *c, const struct options *o, const char *app,
                           const char *member)
{
    deis_autojson json_t *config = NULL;

    if (api_do(c, request_config_get(app), &config) < 0) {
        return -1;
    }
    return term_print_json(c, o, member ? json_object_get(config, member) : config);
}

static int list_part(struct client *c, const struct options *o, show_fn *show, const char *member)
{
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    return o->given[OPTION_JSON] ? print_part_json(c, o, app, member) : print_part(c, app, show);
}

static const char *limits_map(const struct options *o)
{
    return o->given[OPTION_CPU] ? "cpu" : "memory";
}

/* Sends values (taken) for one map of the config, then shows it. */
static int change_part(struct client *c, const struct options *o, const char *map, json_t *values,
                       show_fn *show)
{
    deis_autojson json_t *taken = values;
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    printf("Applying %s... ", show == show_tags ? "tags" : "limits");
    term_spin_start();
    if (api_do(c, request_config_set(app, map, taken), NULL) < 0) {
        return -1;
    }
    printf("done\n\n");
    return print_part(c, app, show);
}

int limits_list(struct client *c, const struct options *o)
{
    return list_part(c, o, show_limits, NULL);
}

int limits_set(struct client *c, const struct options *o)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(TEXT_MAX);
    json_t *values = pairs_limits(o->words, o->word_count, &note);

    term_print(&note);
    return change_part(c, o, limits_map(o), values, show_limits);
}

int limits_unset(struct client *c, const struct options *o)
{
    return change_part(c, o, limits_map(o), pairs_removals(o->words, o->word_count), show_limits);
}

int tags_list(struct client *c, const struct options *o)
{
    return list_part(c, o, show_tags, "tags");
}

int tags_set(struct client *c, const struct options *o)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(TEXT_MAX);
    json_t *values = pairs_tags(o->words, o->word_count, &note);

    term_print(&note);
    return change_part(c, o, "tags", values, show_tags);
}

int tags_unset(struct client *c, const struct options *o)
{
    return change_part(c, o, "tags", pairs_removals(o->words, o->word_count), show_tags);
}
