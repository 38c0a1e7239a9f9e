/* SPDX-License-Identifier: MIT */
/* Logins of the account, and the record of what was changed. */
#include "client/client.h"
#include "client/core/show.h"

#include <stdio.h>

#define TEXT_MAX ((size_t)16 << 20)

typedef void show_fn(const json_t *results, struct deis_buf *out);

static int print_list(struct client *c, const char *title, struct request r, show_fn *show)
{
    deis_autojson json_t *list = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    json_t *results = NULL;
    long total = 0;

    if (api_list(c, r, &list, &results, &total) < 0) {
        return -1;
    }
    deis_buf_addf(&text, "=== %s", title);
    show_count(json_array_size(results), total, &text);
    show(results, &text);
    term_print(&text);
    return 0;
}

int auth_tokens(struct client *c, const struct options *o)
{
    long limit = 0;

    if (session_limit(c, o, &limit) < 0) {
        return -1;
    }
    deis_autofree char *title = deis_asprintf("%s Tokens", c->profile.username);
    return o->given[OPTION_JSON]
               ? api_list_json(c, o, request_list("auth/tokens", limit))
               : print_list(c, title, request_list("auth/tokens", limit), show_tokens);
}

int auth_revoke(struct client *c, const struct options *o)
{
    if (session_load(c) < 0) {
        return -1;
    }
    for (size_t i = 0; i < o->word_count; i++) {
        printf("Revoking %s... ", o->words[i]);
        fflush(stdout);
        if (api_do(c, request_token_revoke(o->words[i]), NULL) < 0) {
            return -1;
        }
        printf("done\n");
    }
    return 0;
}

int audit_list(struct client *c, const struct options *o)
{
    const char *app = options_get(o, OPTION_APP, NULL);
    const char *user = options_get(o, OPTION_USERNAME, NULL);
    long limit = 0;

    if (session_limit(c, o, &limit) < 0) {
        return -1;
    }
    return o->given[OPTION_JSON]
               ? api_list_json(c, o, request_audit(app, user, limit))
               : print_list(c, "Audit", request_audit(app, user, limit), show_audit);
}
