/* SPDX-License-Identifier: MIT */
#include "client/core/complete.h"

#include "client/core/command.h"

/* The command and its short names, with a text between them. */
static void add_names(const struct command *c, const char *joint, struct deis_buf *out)
{
    deis_buf_add_cstr(out, c->name);
    for (size_t i = 0; i < command_shortcut_count; i++) {
        if (strcmp(command_shortcuts[i].full, c->name) == 0) {
            deis_buf_addf(out, "%s%s", joint, command_shortcuts[i].name);
        }
    }
}

/* All words that stand for the command: its group, too, if that means it. */
static void add_words(const struct command *c, const char *joint, struct deis_buf *out)
{
    struct deis_str group = command_group(c);

    add_names(c, joint, out);
    if (command_of_group(group) == c) {
        deis_buf_addf(out, "%s%.*s", joint, DEIS_STR_ARG(group));
    }
}

/* The text with a backslash before each of these characters, inside single quotes of a shell. */
static void add_quoted(const char *text, const char *special, const char *quote,
                       struct deis_buf *out)
{
    for (; *text; text++) {
        if (*text == '\'') {
            deis_buf_add_cstr(out, quote);
            continue;
        }
        if (strchr(special, *text)) {
            deis_buf_add_char(out, '\\');
        }
        deis_buf_add_char(out, *text);
    }
}

static void add_choices(const char *value, const char *before, struct deis_buf *out)
{
    struct deis_str rest = command_choices(value);
    struct deis_str choice;

    while (deis_str_split(&rest, '|', &choice)) {
        deis_buf_addf(out, "%s%.*s", before, DEIS_STR_ARG(choice));
    }
}

/* --- bash --- */

static void bash_add_options(const struct command *c, struct deis_buf *out)
{
    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        if (o->letter) {
            deis_buf_addf(out, " -%c", o->letter);
        }
        if (o->value && command_choices(o->value).len > 0) {
            deis_autofree char *before = deis_asprintf(" --%s=", o->name);
            add_choices(o->value, before, out);
        } else {
            deis_buf_addf(out, " --%s%s", o->name, o->value ? "=" : "");
        }
    }
}

/* Options that take a value; of files only, or all. */
static void bash_add_takers(const struct command *c, bool files, struct deis_buf *out)
{
    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        if (!o->value || (files && !command_is_file(o->value))) {
            continue;
        }
        deis_buf_addf(out, " --%s", o->name);
        if (o->letter) {
            deis_buf_addf(out, " -%c", o->letter);
        }
    }
}

static void bash_add_command(const struct command *c, struct deis_buf *out)
{
    deis_buf_add_cstr(out, "    ");
    add_words(c, "|", out);
    deis_buf_add_cstr(out, ")\n        words='");
    add_choices(c->words, " ", out);
    deis_buf_add_cstr(out, "'\n        options='");
    bash_add_options(c, out);
    deis_buf_add_cstr(out, " --help'\n        takers='");
    bash_add_takers(c, false, out);
    deis_buf_add_cstr(out, " '\n        file_takers='");
    bash_add_takers(c, true, out);
    deis_buf_addf(out, " '\n        files=%s\n        ;;\n", c->takes_files ? "yes" : "");
}

static const char bash_head[] = "# bash completion of deis, written by 'deis completion bash'\n"
                                "_deis_command()\n"
                                "{\n"
                                "    case $1 in\n";

/* Readline takes ':' and '=' as ends of words, so the words are made from the whole line, and what
 * stands before the last of them is cut off the answers. */
static const char bash_tail[] =
    "    esac\n"
    "}\n"
    "_deis()\n"
    "{\n"
    "    local line=${COMP_LINE:0:COMP_POINT} typed=() current previous='' i head=''\n"
    "    local words='' options='' takers='' file_takers='' files=''\n"
    "    read -ra typed <<< \"$line\"\n"
    "    [[ $line == *[[:space:]] ]] && typed+=('')\n"
    "    current=${typed[${#typed[@]}-1]}\n"
    "    (( ${#typed[@]} > 1 )) && previous=${typed[${#typed[@]}-2]}\n"
    "    if (( ${#typed[@]} <= 2 )); then\n"
    "        words=$_deis_commands\n"
    "    elif [[ ${typed[1]} == help ]]; then\n"
    "        words=$_deis_commands\n"
    "    else\n"
    "        _deis_command \"${typed[1]}\"\n"
    "        if [[ $takers == *\" $previous \"* ]]; then\n"
    "            words='' options=''\n"
    "            [[ $file_takers == *\" $previous \"* ]] && files=yes || files=''\n"
    "        elif [[ $current == --*=* && $file_takers == *\" ${current%%=*} \"* ]]; then\n"
    "            local IFS=$'\\n'\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            COMPREPLY=($(compgen -f -- \"${current#*=}\"))\n"
    "            return\n"
    "        elif [[ $current == -* ]]; then\n"
    "            words=$options files=''\n"
    "        fi\n"
    "    fi\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
    "    if [[ $files ]]; then\n"
    "        local IFS=$'\\n'\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        COMPREPLY+=($(compgen -f -- \"$current\"))\n"
    "        return\n"
    "    fi\n"
    "    [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && head=${current%\"${current##*:}\"}\n"
    "    [[ $COMP_WORDBREAKS == *=* && $current == *=* ]] && head=${current%\"${current##*=}\"}\n"
    "    for i in \"${!COMPREPLY[@]}\"; do\n"
    "        COMPREPLY[i]=${COMPREPLY[i]#\"$head\"}\n"
    "    done\n"
    "    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then\n"
    "        compopt -o nospace 2>/dev/null\n"
    "    fi\n"
    "}\n"
    "complete -F _deis deis\n";

void complete_bash(struct deis_buf *out)
{
    deis_buf_add_cstr(out, bash_head);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        bash_add_command(&command_table[i], out);
    }
    deis_buf_add_cstr(out, bash_tail);
    deis_buf_add_cstr(out, "_deis_commands='help version");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        deis_buf_add_char(out, ' ');
        add_names(&command_table[i], " ", out);
    }
    deis_buf_add_cstr(out, "'\n");
}

/* --- zsh --- */

static void zsh_add_text(const char *text, struct deis_buf *out)
{
    add_quoted(text, "[]:\\", "'\\''", out);
}

/* ":what it is:what it may be" */
static void zsh_add_argument(const char *value, bool files, struct deis_buf *out)
{
    deis_buf_add_char(out, ':');
    zsh_add_text(value, out);
    deis_buf_add_char(out, ':');
    if (files) {
        deis_buf_add_cstr(out, "_files");
    } else if (command_choices(value).len > 0) {
        deis_buf_add_cstr(out, "(");
        add_choices(value, " ", out);
        deis_buf_add_cstr(out, " )");
    }
    deis_buf_add_char(out, '\'');
}

static void zsh_add_option(const struct option *o, bool letter, struct deis_buf *out)
{
    deis_buf_add_cstr(out, " \\\n            '");
    if (o->many) {
        deis_buf_add_char(out, '*');
    } else if (o->letter) {
        deis_buf_addf(out, "(-%c --%s)", o->letter, o->name);
    }
    if (letter) {
        deis_buf_addf(out, "-%c%s[", o->letter, o->value ? "+" : "");
    } else {
        deis_buf_addf(out, "--%s%s[", o->name, o->value ? "=" : "");
    }
    zsh_add_text(o->help, out);
    deis_buf_add_char(out, ']');
    if (o->value) {
        zsh_add_argument(o->value, command_is_file(o->value), out);
    } else {
        deis_buf_add_char(out, '\'');
    }
}

static void zsh_add_command(const struct command *c, struct deis_buf *out)
{
    deis_buf_add_cstr(out, "    ");
    add_words(c, "|", out);
    deis_buf_add_cstr(out, ")\n        _arguments -s '--help[show how to use it]'");
    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        if (o->letter) {
            zsh_add_option(o, true, out);
        }
        zsh_add_option(o, false, out);
    }
    if (c->max_words > 0) {
        deis_buf_add_cstr(out, " \\\n            '*");
        zsh_add_argument(c->words, c->takes_files, out);
    }
    deis_buf_add_cstr(out, "\n        ;;\n");
}

static void zsh_add_name(const char *name, const char *summary, struct deis_buf *out)
{
    deis_buf_add_cstr(out, "        '");
    zsh_add_text(name, out);
    deis_buf_add_char(out, ':');
    zsh_add_text(summary, out);
    deis_buf_add_cstr(out, "'\n");
}

void complete_zsh(struct deis_buf *out)
{
    deis_buf_add_cstr(out, "#compdef deis\n"
                           "# zsh completion of deis, written by 'deis completion zsh'\n"
                           "_deis()\n"
                           "{\n"
                           "    local -a commands\n"
                           "    commands=(\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        zsh_add_name(command_table[i].name, command_table[i].summary, out);
    }
    for (size_t i = 0; i < command_shortcut_count; i++) {
        const struct command *c = command_find(deis_str(command_shortcuts[i].full));
        zsh_add_name(command_shortcuts[i].name, c->summary, out);
    }
    deis_buf_add_cstr(out, "        'help:show how to use a command'\n"
                           "        'version:show the version'\n"
                           "    )\n"
                           "    if (( CURRENT == 2 )) || [[ $words[2] == help ]]; then\n"
                           "        _describe -t commands 'deis command' commands\n"
                           "        return\n"
                           "    fi\n"
                           "    shift words\n"
                           "    (( CURRENT-- ))\n"
                           "    case $words[1] in\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        zsh_add_command(&command_table[i], out);
    }
    /* Read as a file of $fpath it runs at the first completion, sourced it registers itself. */
    deis_buf_add_cstr(out, "    esac\n"
                           "}\n"
                           "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
                           "    _deis \"$@\"\n"
                           "else\n"
                           "    compdef _deis deis\n"
                           "fi\n");
}

/* --- fish --- */

static void fish_add_text(const char *text, struct deis_buf *out)
{
    deis_buf_add_char(out, '\'');
    add_quoted(text, "\\", "\\'", out);
    deis_buf_add_char(out, '\'');
}

static void fish_add_name(const char *name, const char *summary, struct deis_buf *out)
{
    deis_buf_addf(out, "complete -c deis -n __deis_no_command -a %s -d ", name);
    fish_add_text(summary, out);
    deis_buf_add_char(out, '\n');
}

static void fish_start(const struct command *c, struct deis_buf *out)
{
    deis_buf_add_cstr(out, "complete -c deis -n '__deis_command ");
    add_words(c, " ", out);
    deis_buf_add_char(out, '\'');
}

static void fish_add_argument(const char *value, bool files, struct deis_buf *out)
{
    if (files) {
        deis_buf_add_cstr(out, " -F");
    } else if (command_choices(value).len > 0) {
        deis_buf_add_cstr(out, " -a '");
        add_choices(value, " ", out);
        deis_buf_add_char(out, '\'');
    }
}

static void fish_add_command(const struct command *c, struct deis_buf *out)
{
    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        fish_start(c, out);
        if (o->letter) {
            deis_buf_addf(out, " -s %c", o->letter);
        }
        deis_buf_addf(out, " -l %s", o->name);
        if (o->value) {
            deis_buf_add_cstr(out, command_is_file(o->value) ? " -r" : " -x");
            fish_add_argument(o->value, command_is_file(o->value), out);
        }
        deis_buf_add_cstr(out, " -d ");
        fish_add_text(o->help, out);
        deis_buf_add_char(out, '\n');
    }
    if (c->takes_files || command_choices(c->words).len > 0) {
        fish_start(c, out);
        fish_add_argument(c->words, c->takes_files, out);
        deis_buf_add_char(out, '\n');
    }
}

void complete_fish(struct deis_buf *out)
{
    deis_buf_add_cstr(out, "# fish completion of deis, written by 'deis completion fish'\n"
                           "function __deis_no_command\n"
                           "    set -l words (commandline -opc)\n"
                           "    test (count $words) -eq 1; or contains -- \"$words[2]\" help\n"
                           "end\n"
                           "function __deis_command\n"
                           "    set -l words (commandline -opc)\n"
                           "    test (count $words) -gt 1; and contains -- $words[2] $argv\n"
                           "end\n"
                           "complete -c deis -f\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fish_add_name(command_table[i].name, command_table[i].summary, out);
    }
    for (size_t i = 0; i < command_shortcut_count; i++) {
        const struct command *c = command_find(deis_str(command_shortcuts[i].full));
        fish_add_name(command_shortcuts[i].name, c->summary, out);
    }
    fish_add_name("help", "show how to use a command", out);
    fish_add_name("version", "show the version", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fish_add_command(&command_table[i], out);
    }
}
