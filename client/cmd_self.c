/* SPDX-License-Identifier: MIT */
/* What the command can say about itself. */
#include "client/client.h"
#include "client/core/complete.h"
#include "client/core/man.h"

#define TEXT_MAX ((size_t)1 << 20)

int self_completion(struct client *c, const struct options *o)
{
    static const struct {
        const char *shell;
        void (*add)(struct deis_buf *out);
    } rows[] = { { "bash", complete_bash }, { "zsh", complete_zsh }, { "fish", complete_fish } };
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        if (strcmp(o->words[0], rows[i].shell) == 0) {
            rows[i].add(&text);
            term_print(&text);
            return 0;
        }
    }
    return client_fail(c, "no completion for '%s': must be bash, zsh or fish", o->words[0]);
}

int self_man(struct client *c, const struct options *o)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);

    man_page(CLIENT_VERSION, &text);
    term_print(&text);
    return 0;
}
