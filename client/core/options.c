/* SPDX-License-Identifier: MIT */
#include "client/core/options.h"

struct parser {
    struct options *o;
    const char *const *next;
    struct deis_buf *note;
    bool help;
    bool wrong;
};

static const struct option *by_letter(const struct command *c, char letter)
{
    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        if (o->letter == letter) {
            return o;
        }
    }
    return NULL;
}

/* The option of that name, or the only one that starts so. */
static const struct option *by_name(const struct command *c, struct deis_str name)
{
    const struct option *found = NULL;
    size_t count = 0;

    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        if (deis_str_eq_cstr(name, o->name)) {
            return o;
        }
        if (name.len > 0 && strncmp(o->name, name.ptr, name.len) == 0) {
            found = o;
            count++;
        }
    }
    return count == 1 ? found : NULL;
}

static void set(struct parser *p, const struct option *o, const char *value)
{
    if (o->many) {
        p->o->many[p->o->many_count++] = value;
    } else if (p->o->given[o->id]) {
        p->wrong = true;
        return;
    }
    p->o->given[o->id] = true;
    p->o->values[o->id] = value && value[0] ? value : NULL;
}

static void parse_long(struct parser *p, const char *text)
{
    struct deis_str whole = deis_str(text + 2);
    ptrdiff_t equals = deis_str_find(whole, '=');
    struct deis_str name = equals >= 0 ? deis_str_first(whole, (size_t)equals) : whole;
    const char *value = equals >= 0 ? whole.ptr + equals + 1 : NULL;

    if (deis_str_eq_cstr(name, "help") && !value) {
        p->help = true;
        return;
    }
    const struct option *o = by_name(p->o->command, name);
    if (!o) {
        p->wrong = true;
        return;
    }
    if (!o->value && value) {
        deis_buf_addf(p->note, "--%s must not have an argument\n", o->name);
        p->wrong = true;
        return;
    }
    if (o->value && !value) {
        value = *p->next;
        if (!value) {
            deis_buf_addf(p->note, "--%s requires argument\n", o->name);
            p->wrong = true;
            return;
        }
        p->next++;
    }
    set(p, o, value);
}

static void parse_letters(struct parser *p, const char *letters)
{
    for (const char *l = letters; *l; l++) {
        const struct option *o = by_letter(p->o->command, *l);
        if (!o) {
            p->help = p->help || *l == 'h';
            p->wrong = p->wrong || *l != 'h';
            continue;
        }
        if (!o->value) {
            set(p, o, NULL);
            continue;
        }
        const char *value = l[1] ? l + 1 : *p->next;
        if (!value) {
            deis_buf_addf(p->note, "-%c requires argument\n", o->letter);
            p->wrong = true;
            return;
        }
        p->next += l[1] ? 0 : 1;
        set(p, o, value);
        return;
    }
}

static void parse_all(struct parser *p)
{
    struct options *o = p->o;
    bool rest = false;

    while (*p->next && p->note->len == 0) {
        const char *arg = *p->next++;
        if (!rest && strcmp(arg, "--") == 0 && o->command->rest_after_dashes) {
            rest = true;
        } else if (!rest && strncmp(arg, "--", 2) == 0 && arg[2]) {
            parse_long(p, arg);
        } else if (!rest && arg[0] == '-' && arg[1] && arg[1] != '-') {
            parse_letters(p, arg + 1);
        } else {
            o->words[o->word_count++] = arg;
        }
    }
}

/* May the command run with so few words, or so many? */
static bool words_fit(const struct options *o)
{
    const struct command *c = o->command;
    bool instead = c->has_instead && (o->given[c->instead[0]] || o->given[c->instead[1]]);

    return (o->word_count >= c->min_words || instead) && o->word_count <= c->max_words;
}

enum options_result options_parse(const struct command *command, const char *const *args,
                                  struct options *ret, struct deis_buf *note)
{
    struct parser p = { .o = ret, .next = args, .note = note };
    size_t count = 0;

    while (args[count]) {
        count++;
    }
    *ret = (struct options){ .command = command };
    ret->words = deis_realloc_array(NULL, count + 1, sizeof(*ret->words));
    ret->many = deis_realloc_array(NULL, count + 1, sizeof(*ret->many));
    parse_all(&p);
    ret->words[ret->word_count] = NULL;
    if (p.note->len > 0) {
        return OPTIONS_WRONG;
    }
    if (p.help) {
        return OPTIONS_HELP;
    }
    bool rivals =
        command->has_rivals && ret->given[command->rivals[0]] && ret->given[command->rivals[1]];
    if (p.wrong || rivals || !words_fit(ret)) {
        return OPTIONS_WRONG;
    }
    return OPTIONS_OK;
}

void options_clear(struct options *o)
{
    free(o->words);
    free(o->many);
    o->words = NULL;
    o->many = NULL;
}

const char *options_get(const struct options *o, enum option_id id, const char *def)
{
    return o->values[id] ? o->values[id] : def;
}
