/* SPDX-License-Identifier: MIT */
#include "client/core/man.h"

#include "client/core/command.h"
#include "client/core/shape.h"

/* Text that roff leaves as it is: dashes that can be copied, no requests at the start of lines. */
static void add_text(const char *text, struct deis_buf *out)
{
    if (text[0] == '.' || text[0] == '\'') {
        deis_buf_add_cstr(out, "\\&");
    }
    for (; *text; text++) {
        switch (*text) {
        case '\\': deis_buf_add_cstr(out, "\\e"); break;
        case '-': deis_buf_add_cstr(out, "\\-"); break;
        case '\'': deis_buf_add_cstr(out, "\\(aq"); break;
        case '`': deis_buf_add_cstr(out, "\\(ga"); break;
        case '^': deis_buf_add_cstr(out, "\\(ha"); break;
        case '~': deis_buf_add_cstr(out, "\\(ti"); break;
        default: deis_buf_add_char(out, *text); break;
        }
    }
}

static void add_bold(const char *text, struct deis_buf *out)
{
    deis_buf_add_cstr(out, "\\fB");
    add_text(text, out);
    deis_buf_add_cstr(out, "\\fR");
}

static void add_italic(const char *text, struct deis_buf *out)
{
    deis_buf_add_cstr(out, "\\fI");
    add_text(text, out);
    deis_buf_add_cstr(out, "\\fR");
}

/* An entry: what stands at the left comes next, then the text. */
static void add_entry(const char *name, const char *text, struct deis_buf *out)
{
    deis_buf_add_cstr(out, ".TP\n");
    add_bold(name, out);
    deis_buf_add_char(out, '\n');
    add_text(text, out);
    deis_buf_add_char(out, '\n');
}

static void add_option(const struct option *o, struct deis_buf *out)
{
    deis_buf_add_cstr(out, ".TP\n");
    if (o->letter) {
        const char letter[] = { '-', o->letter, '\0' };
        add_bold(letter, out);
        deis_buf_add_cstr(out, ", ");
    }
    deis_autofree char *name = deis_asprintf("--%s%s", o->name, o->value ? "=" : "");
    add_bold(name, out);
    if (o->value) {
        add_italic(o->value, out);
    }
    deis_buf_add_char(out, '\n');
    add_text(o->help, out);
    if (o->many) {
        deis_buf_add_cstr(out, "; may be repeated");
    }
    deis_buf_add_char(out, '\n');
}

static void add_short_names(const struct command *c, struct deis_buf *out)
{
    for (size_t i = 0; i < command_shortcut_count; i++) {
        if (strcmp(command_shortcuts[i].full, c->name) == 0) {
            deis_buf_add_cstr(out, "\nShort: ");
            add_bold(command_shortcuts[i].name, out);
            deis_buf_add_char(out, '.');
        }
    }
    deis_buf_add_char(out, '\n');
}

static void add_command(const struct command *c, struct deis_buf *out)
{
    deis_buf_add_cstr(out, ".SS ");
    add_bold(c->name, out);
    if (c->words[0]) {
        deis_buf_add_char(out, ' ');
        add_italic(c->words, out);
    }
    deis_buf_add_char(out, '\n');
    /* The summary as a sentence. */
    const char first[] = { (char)(c->summary[0] - 'a' + 'A'), '\0' };
    add_text(first, out);
    add_text(c->summary + 1, out);
    deis_buf_add_char(out, '.');
    add_short_names(c, out);
    for (const struct option *o = NULL; (o = command_next_option(c, o)) != NULL;) {
        add_option(o, out);
    }
    if (c->json) {
        deis_autobuf struct deis_buf shape = DEIS_BUF_INIT(4096);
        shape_describe(c->json, &shape);
        deis_buf_add_cstr(out, ".PP\nWith ");
        add_bold("--json", out);
        deis_buf_add_cstr(out, ": ");
        add_text(shape.data, out);
        deis_buf_add_cstr(out, ".\n");
    }
}

static void add_environment(struct deis_buf *out)
{
    deis_buf_add_cstr(out, ".SH ENVIRONMENT\n");
    add_entry("HOME", "where the profiles are.", out);
    add_entry("DEIS_PROFILE", "name of the profile; client when unset.", out);
    add_entry("DEIS_DRINK_OF_CHOICE", "what to have while processes start.", out);
    add_entry("NO_COLOR", "when set and not empty, lines of logs have no colour.", out);
}

static void add_rest(struct deis_buf *out)
{
    deis_buf_add_cstr(out, ".SH FILES\n");
    add_entry("~/.deis/client.json", "the login: the controller and a token for it.", out);
    add_entry("Procfile", "process types for builds:create.", out);
    add_entry(".env", "environment variables of config:pull and config:push.", out);
    deis_buf_add_cstr(out, ".SH EXIT STATUS\n"
                           "0 when all went well, 1 when not; the reason is on stderr.\n");
    add_bold("apps:run", out);
    deis_buf_add_cstr(out, " ends with the status of the command that it ran, and a program\n");
    add_bold("deis-", out);
    add_italic("x", out);
    deis_buf_add_cstr(out, " with its own.\n.SH SEE ALSO\n.BR git (1)\n");
}

void man_page(const char *version, struct deis_buf *out)
{
    deis_buf_addf(out, ".TH DEIS 1 \"\" \"deis %s\" \"User commands\"\n", version);
    deis_buf_add_cstr(out, ".SH NAME\ndeis \\- work on the apps of a Deis controller\n"
                           ".SH SYNOPSIS\n.B deis\n.I command\n.RI [ words ]\n.RI [ options ]\n"
                           ".SH DESCRIPTION\n"
                           "Makes apps, sets their configuration, scales and watches them.\n"
                           "Code gets there with git push.\n"
                           "The app is the one of\n");
    add_bold("-a", out);
    deis_buf_add_cstr(out, ", else that of the git remote of this folder,\n"
                           "else the name of the folder.\n"
                           ".PP\nOptions may stand anywhere among the words and may be cut short "
                           "as long as one fits only.\n"
                           ".PP\nA group without a verb lists: ");
    add_bold("deis apps", out);
    deis_buf_add_cstr(out, " is ");
    add_bold("deis apps:list", out);
    deis_buf_add_cstr(out, ".\nAny other command ");
    add_italic("x", out);
    deis_buf_add_cstr(out, " runs the program deis\\-");
    add_italic("x", out);
    deis_buf_add_cstr(out, ".\n.PP\nWith ");
    add_bold("--json", out);
    deis_buf_add_cstr(out, " the members named below are always there, null when the controller "
                           "sent none;\nlater versions may add some.\n"
                           "Lists are whole unless there is a limit.\n"
                           ".SH COMMANDS\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        add_command(&command_table[i], out);
    }
    add_environment(out);
    add_rest(out);
}
