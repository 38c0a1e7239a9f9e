/* SPDX-License-Identifier: MIT */
#include "client/core/dispatch.h"

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* "help X" and "-h X" become "X --help"; true when nothing but help is asked. */
static bool rearrange(const char **words, size_t count)
{
    if (strcmp(words[0], "help") != 0 && !is_help(words[0])) {
        return false;
    }
    if (count == 1) {
        return true;
    }
    for (size_t i = 1; i < count; i++) {
        words[i - 1] = words[i];
    }
    words[count - 1] = "--help";
    return false;
}

static void to_plugin(struct dispatch *d, struct deis_str verb)
{
    size_t count = 0;

    d->kind = DISPATCH_PLUGIN;
    if (verb.len == 0) {
        return;
    }
    while (d->args[count]) {
        count++;
    }
    d->verb = deis_str_dup(verb);
    d->args = deis_realloc_array(d->args, count + 2, sizeof(*d->args));
    memmove(d->args + 1, d->args, (count + 1) * sizeof(*d->args));
    d->args[0] = d->verb;
}

static void resolve_name(struct dispatch *d, const char *word)
{
    struct deis_str name = deis_str(command_expand(word));
    ptrdiff_t colon = deis_str_find(name, ':');
    struct deis_str group = colon >= 0 ? deis_str_first(name, (size_t)colon) : name;
    struct deis_str verb = colon >= 0 ? deis_str_skip(name, (size_t)colon + 1) : DEIS_STR_NONE;

    d->group = deis_str_dup(group);
    d->command = command_find(name);
    if (d->command) {
        d->kind = DISPATCH_COMMAND;
        return;
    }
    if (!command_group_exists(group)) {
        to_plugin(d, verb);
        return;
    }
    if (d->args[0] && is_help(d->args[0])) {
        d->kind = DISPATCH_GROUP_HELP;
        return;
    }
    if (colon >= 0) {
        d->kind = DISPATCH_UNKNOWN;
        return;
    }
    d->command = command_of_group(group);
    d->kind = d->command ? DISPATCH_COMMAND : DISPATCH_GROUP_HELP;
}

void dispatch_resolve(const char *const *words, struct dispatch *ret)
{
    size_t count = 0;

    *ret = (struct dispatch){ .kind = DISPATCH_NOTHING };
    while (words[count]) {
        count++;
    }
    if (count == 0) {
        return;
    }
    const char **copy = deis_realloc_array(NULL, count + 1, sizeof(*copy));
    memcpy(copy, words, (count + 1) * sizeof(*copy));
    bool help = rearrange(copy, count);
    const char *first = copy[0];
    memmove(copy, copy + 1, count * sizeof(*copy));
    ret->args = copy;
    if (help) {
        ret->kind = DISPATCH_HELP;
    } else if (strcmp(first, "version") == 0 || strcmp(first, "--version") == 0 ||
               strcmp(first, "-v") == 0) {
        ret->kind = DISPATCH_VERSION;
    } else if (first[0] == '-') {
        ret->kind = DISPATCH_OPTION;
    } else {
        resolve_name(ret, first);
    }
}

void dispatch_clear(struct dispatch *d)
{
    free(d->args);
    free(d->group);
    free(d->verb);
    *d = (struct dispatch){ .kind = DISPATCH_NOTHING };
}
