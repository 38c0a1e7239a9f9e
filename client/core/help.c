/* SPDX-License-Identifier: MIT */
#include "client/core/help.h"

#include "client/core/shape.h"

#define NAME_WIDTH 20

static void add_row(struct deis_buf *out, const char *name, const char *text)
{
    deis_buf_addf(out, "  %-*s%s\n", NAME_WIDTH, name, text);
}

static const char *const group_titles[][2] = {
    { "auth", "accounts and logins" },
    { "apps", "apps" },
    { "ps", "processes" },
    { "config", "environment variables" },
    { "domains", "domain names" },
    { "routing", "how requests reach an app" },
    { "whitelist", "who may use an app" },
    { "maintenance", "close an app for a while" },
    { "builds", "builds" },
    { "limits", "resource limits" },
    { "tags", "tags of machines" },
    { "releases", "releases and rollback" },
    { "certs", "TLS certificates" },
    { "keys", "SSH keys for git push" },
    { "perms", "who may do what" },
    { "git", "git remotes" },
    { "users", "users" },
    { "audit", "who changed what" },
    { "completion", "completion scripts for shells" },
    { "man", "the manual page" },
};

void help_main(struct deis_buf *out)
{
    deis_buf_add_cstr(out, "The deis command works on apps of a Deis controller.\n\n" HELP_USAGE
                           "\nGroups of commands, use 'deis help <group>' for each:\n\n");
    for (size_t i = 0; i < DEIS_COUNT(group_titles); i++) {
        add_row(out, group_titles[i][0], group_titles[i][1]);
    }
    deis_buf_add_cstr(out, "\nShort names:\n\n");
    for (size_t i = 0; i < command_shortcut_count; i++) {
        const struct command *c = command_find(deis_str(command_shortcuts[i].full));
        add_row(out, command_shortcuts[i].name, c->summary);
    }
    deis_buf_add_cstr(out, "\nAny other command <x> runs the program deis-<x>.\n"
                           "Use 'git push deis master' to deploy to an app.\n");
}

void help_group(struct deis_str group, struct deis_buf *out)
{
    deis_buf_addf(out, "Valid commands for %.*s:\n\n", DEIS_STR_ARG(group));
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];
        if (deis_str_eq(group, command_group(c))) {
            add_row(out, c->name, c->summary);
        }
    }
    deis_buf_add_cstr(out, "\nUse 'deis help <command>' to learn more.\n");
}

void help_usage(const struct command *c, struct deis_buf *out)
{
    deis_buf_addf(out, "Usage: deis %s", c->name);
    if (c->words[0]) {
        deis_buf_addf(out, " %s", c->words);
    }
    deis_buf_add_cstr(out, c->options[0].name ? " [options]\n" : "\n");
}

void help_command(const struct command *c, struct deis_buf *out)
{
    deis_buf_addf(out, "%s: %s\n\n", c->name, c->summary);
    help_usage(c, out);
    if (c->options[0].name) {
        deis_buf_add_cstr(out, "\nOptions:\n");
    }
    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        deis_buf_add_cstr(out, "  ");
        if (o->letter) {
            deis_buf_addf(out, "-%c ", o->letter);
        }
        deis_buf_addf(out, "--%s%s%s\n    %s%s\n", o->name, o->value ? "=" : "",
                      o->value ? o->value : "", o->help, o->many ? "; may be repeated" : "");
        if (o->id == OPTION_JSON) {
            deis_buf_add_cstr(out, "    ");
            shape_describe(c->json, out);
            deis_buf_add_char(out, '\n');
        }
    }
}
