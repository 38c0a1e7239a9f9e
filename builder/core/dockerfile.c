/* SPDX-License-Identifier: MIT */
#include "builder/core/dockerfile.h"

#include "builder/core/dockerfile_expand.h"

#define VALUE_MAX 4096 /* bytes of a variable */
#define LOOSE_MAX (2 * DOCKERFILE_LINE_MAX)

struct arg {
    char *name;
    char *value; /* NULL: declared, but not set */
};

struct writer {
    dockerfile_find_fn find;
    void *arg;
    struct deis_buf *out;
    unsigned line_out; /* that the next instruction would be written to */
    char escape;
    struct arg args[DOCKERFILE_ARGS_MAX]; /* those before the first FROM */
    size_t arg_count;
    char *stages[DOCKERFILE_STAGES_MAX]; /* their names, "" for none */
    size_t stage_count;
    unsigned images;
};

static int fail(struct deis_err *err, const char *format, ...) deis_printf(2, 3);

static int fail(struct deis_err *err, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return deis_err_set(err, DEIS_INVALID, "%s", text);
}

/* --- words --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct deis_str trim(struct deis_str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s = deis_str_skip(s, 1);
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* The next word, of what stands between blanks; false: there is none. */
static bool take_word(struct deis_str *rest, struct deis_str *ret)
{
    *rest = trim(*rest);
    ret->ptr = rest->ptr;
    ret->len = 0;
    while (ret->len < rest->len && !is_blank(rest->ptr[ret->len])) {
        ret->len++;
    }
    *rest = deis_str_skip(*rest, ret->len);
    return ret->len > 0;
}

static bool all_in(struct deis_str s, const char *punctuation)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (c == '\0' || !strchr(punctuation, c))) {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_reference(struct deis_str s)
{
    return all_in(s, "._-/:@") && s.len <= DOCKERFILE_REFERENCE;
}

/* How often "--from" stands there, however it is quoted, escaped or spaced. */
static unsigned count_from(struct deis_str text)
{
    deis_autobuf struct deis_buf bare = DEIS_BUF_INIT(LOOSE_MAX);
    unsigned n = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (!strchr("'\"\\`", text.ptr[i])) {
            deis_buf_add_char(&bare, text.ptr[i]);
        }
    }
    for (const char *p = strstr(bare.data, "--from"); p; p = strstr(p + 6, "--from")) {
        n++;
    }
    return n;
}

bool dockerfile_trigger_ok(struct deis_str trigger)
{
    /* More than a line, or a NUL, and it could be read in two ways. */
    return trigger.len < DOCKERFILE_LINE_MAX && deis_str_find(trigger, '\n') < 0 &&
           deis_str_find(trigger, '\r') < 0 && deis_str_find(trigger, '\0') < 0 &&
           count_from(trigger) == 0;
}

/* --- what is written --- */

/* On the line that it had, where the Engine's messages will name it. */
static void begin_line(struct writer *w, unsigned line)
{
    for (; w->line_out < line; w->line_out++) {
        deis_buf_add_char(w->out, '\n');
    }
}

static void end_line(struct writer *w)
{
    deis_buf_add_char(w->out, '\n');
    w->line_out++;
}

static void write_plain(struct writer *w, struct deis_str word, struct deis_str rest)
{
    deis_buf_add_str(w->out, word);
    if (rest.len > 0) {
        deis_buf_add_char(w->out, ' ');
        deis_buf_add_str(w->out, rest);
    }
}

/* --- variables --- */

static const char *get_arg(struct deis_str name, void *arg)
{
    const struct writer *w = arg;

    for (size_t i = w->arg_count; i > 0; i--) {
        if (deis_str_eq_cstr(name, w->args[i - 1].name)) {
            return w->args[i - 1].value;
        }
    }
    return NULL;
}

static int expand(struct writer *w, struct deis_str word, struct deis_buf *out,
                  struct deis_err *err)
{
    const struct dockerfile_vars vars = { w->escape, get_arg, w };

    return dockerfile_expand(word, &vars, out, err);
}

/* The next word, in which quotes and escapes may hold blanks. */
static bool take_quoted_word(struct writer *w, struct deis_str *rest, struct deis_str *ret)
{
    char quote = '\0';

    *rest = trim(*rest);
    *ret = deis_str_first(*rest, 0);
    while (ret->len < rest->len && (quote || !is_blank(rest->ptr[ret->len]))) {
        char c = rest->ptr[ret->len++];
        if (c == w->escape && quote != '\'' && ret->len < rest->len) {
            ret->len++;
        } else if (quote) {
            quote = c == quote ? '\0' : quote;
        } else if (c == '\'' || c == '"') {
            quote = c;
        }
    }
    *rest = deis_str_skip(*rest, ret->len);
    return ret->len > 0;
}

static int add_arg(struct writer *w, struct deis_str word, struct deis_err *err)
{
    deis_autobuf struct deis_buf value = DEIS_BUF_INIT(VALUE_MAX);
    struct deis_str rest = word, name;

    if (w->arg_count == DOCKERFILE_ARGS_MAX) {
        return fail(err, "more than %d ARGs before the first FROM", DOCKERFILE_ARGS_MAX);
    }
    deis_str_split(&rest, '=', &name);
    int rc = rest.ptr ? expand(w, rest, &value, err) : DEIS_OK;
    if (rc == DEIS_OK) {
        w->args[w->arg_count++] = (struct arg){
            deis_str_dup(name),
            rest.ptr ? deis_str_dup(deis_buf_str(&value)) : NULL,
        };
    }
    return rc;
}

static int do_arg(struct writer *w, struct deis_str word, struct deis_str rest,
                  struct deis_err *err)
{
    struct deis_str left = rest, one;
    int rc = DEIS_OK;

    while (w->stage_count == 0 && rc == DEIS_OK && take_quoted_word(w, &left, &one)) {
        rc = add_arg(w, one, err);
    }
    write_plain(w, word, rest);
    return rc;
}

/* --- images --- */

/* Is it the name of one of the first count stages? */
static bool is_stage(const struct writer *w, struct deis_str name, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (name.len > 0 && deis_str_ieq_cstr(name, w->stages[i])) {
            return true;
        }
    }
    return false;
}

/* Write what stands for an image: a stage before this one, or an id. */
static int write_image(struct writer *w, struct deis_str name, size_t stages, struct deis_err *err)
{
    char id[DOCKERFILE_ID_LEN + 1];

    if (is_stage(w, name, stages)) {
        deis_buf_add_cstr(w->out, DOCKERFILE_STAGE_PREFIX);
        deis_buf_add_str(w->out, name);
        return DEIS_OK;
    }
    if (!is_reference(name)) {
        return fail(err, "'%.*s' is no name of an image", (int)(name.len < 200 ? name.len : 200),
                    name.ptr);
    }
    if (w->images++ == DOCKERFILE_IMAGES_MAX) {
        return fail(err, "more than %d images are named", DOCKERFILE_IMAGES_MAX);
    }
    deis_autofree char *reference = deis_str_dup(name);
    int rc = w->find(reference, id, w->arg, err);
    if (rc == DEIS_OK) {
        deis_buf_add_cstr(w->out, id);
    }
    return rc;
}

/* "AS name", or nothing. */
static int read_stage_name(struct deis_str rest, struct deis_str *ret, struct deis_err *err)
{
    struct deis_str as, more;

    *ret = DEIS_STR_NONE;
    if (!take_word(&rest, &as)) {
        return DEIS_OK;
    }
    if (!deis_str_ieq_cstr(as, "as") || !take_word(&rest, ret) || take_word(&rest, &more)) {
        return fail(err, "FROM takes an image, or an image AS a name");
    }
    return all_in(*ret, "._-") && ret->len <= 100 ? DEIS_OK
                                                  : fail(err, "the name of the stage is not valid");
}

/* Write FROM and its flag; *rest is left behind them. */
static int write_from(struct writer *w, struct deis_str *rest, struct deis_err *err)
{
    struct deis_str flag, behind = *rest;

    deis_buf_add_cstr(w->out, "FROM ");
    while (take_word(&behind, &flag) && deis_str_starts(flag, "--")) {
        if (!deis_str_starts(flag, "--platform=") ||
            !all_in(deis_str_skip(flag, 11), "/._-${}:+")) {
            return fail(err, "FROM has a flag that is not known");
        }
        deis_buf_add_str(w->out, flag);
        deis_buf_add_char(w->out, ' ');
        *rest = behind;
    }
    return DEIS_OK;
}

static int do_from(struct writer *w, struct deis_str rest, struct deis_err *err)
{
    deis_autobuf struct deis_buf image = DEIS_BUF_INIT(VALUE_MAX);
    struct deis_str word = DEIS_STR_NONE, stage = DEIS_STR_NONE;

    if (w->stage_count == DOCKERFILE_STAGES_MAX) {
        return fail(err, "more than %d stages", DOCKERFILE_STAGES_MAX);
    }
    int rc = write_from(w, &rest, err);
    if (rc == DEIS_OK && !take_quoted_word(w, &rest, &word)) {
        rc = fail(err, "FROM names no image");
    }
    if (rc == DEIS_OK) {
        rc = read_stage_name(rest, &stage, err);
    }
    if (rc == DEIS_OK) {
        rc = expand(w, word, &image, err);
    }
    if (rc == DEIS_OK && strcmp(image.data, "scratch") == 0) {
        deis_buf_add_cstr(w->out, "scratch");
    } else if (rc == DEIS_OK) {
        rc = image.len == 0 ? fail(err, "FROM names no image")
                            : write_image(w, deis_buf_str(&image), w->stage_count, err);
    }
    if (rc == DEIS_OK && stage.len > 0) {
        deis_buf_add_cstr(w->out, " AS " DOCKERFILE_STAGE_PREFIX);
        deis_buf_add_str(w->out, stage);
    }
    w->stages[w->stage_count++] = stage.len > 0 ? deis_str_dup(stage) : deis_strdup("");
    return rc;
}

static int write_copy_flag(struct writer *w, struct deis_str flag, struct deis_err *err)
{
    uint64_t number;

    if (!deis_str_starts(flag, "--from=")) {
        deis_buf_add_str(w->out, flag);
        return DEIS_OK;
    }
    struct deis_str name = deis_str_skip(flag, 7);
    deis_buf_add_cstr(w->out, "--from=");
    if (deis_str_to_u64(name, 0, DOCKERFILE_STAGES_MAX, &number, NULL) == DEIS_OK) {
        deis_buf_addf(w->out, "%u", (unsigned)number); /* which stage, never an image */
        return DEIS_OK;
    }
    return write_image(w, name, w->stage_count > 0 ? w->stage_count - 1 : 0, err);
}

/* COPY and ADD. */
static int do_copy(struct writer *w, struct deis_str word, struct deis_str rest,
                   struct deis_err *err)
{
    struct deis_str behind = rest, flag;
    int rc = DEIS_OK;

    deis_buf_add_str(w->out, word);
    if (count_from(rest) == 0) {
        deis_buf_add_char(w->out, ' ');
        deis_buf_add_str(w->out, rest);
        return DEIS_OK;
    }
    while (rc == DEIS_OK && take_word(&behind, &flag) && deis_str_starts(flag, "--")) {
        deis_buf_add_char(w->out, ' ');
        rc = all_in(flag, "._-/:@=+,${}") ? write_copy_flag(w, flag, err)
                                          : fail(err, "flags may not hold quotes and escapes");
        rest = behind;
    }
    if (rc == DEIS_OK && count_from(rest) > 0) {
        rc = fail(err, "'--from' stands where it is no flag");
    }
    deis_buf_add_char(w->out, ' ');
    deis_buf_add_str(w->out, trim(rest));
    return rc;
}

/* --- instructions --- */

static int do_instruction(struct writer *w, struct deis_str text, unsigned line,
                          struct deis_err *err)
{
    struct deis_str rest = text, word;
    int rc = DEIS_OK;

    take_word(&rest, &word);
    rest = trim(rest);
    begin_line(w, line);
    if (!all_in(word, "") || word.len > 20) {
        rc = fail(err, "unknown instruction: %.*s", (int)(word.len < 100 ? word.len : 100),
                  word.ptr);
    } else if (deis_str_ieq_cstr(word, "from")) {
        rc = do_from(w, rest, err);
    } else if (deis_str_ieq_cstr(word, "arg")) {
        rc = do_arg(w, word, rest, err);
    } else if (deis_str_ieq_cstr(word, "copy") || deis_str_ieq_cstr(word, "add")) {
        rc = do_copy(w, word, rest, err);
    } else if (deis_str_ieq_cstr(word, "onbuild") && count_from(rest) > 0) {
        rc = fail(err, "ONBUILD with '--from' is not supported");
    } else {
        write_plain(w, word, rest);
    }
    end_line(w);
    return rc;
}

/* --- lines --- */

/* Cut an escape at the end off; true: the instruction goes on in the next line. */
static bool cut_continuation(struct deis_str *line, char escape)
{
    struct deis_str s = *line;

    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    if (s.len == 0 || s.ptr[s.len - 1] != escape) {
        return false;
    }
    line->len = s.len - 1;
    return true;
}

/* An escape at the very end would draw the next line in. */
static struct deis_str without_escapes(struct deis_str text, char escape)
{
    do {
        text = trim(text);
    } while (cut_continuation(&text, escape));
    return text;
}

static int check_line(struct deis_str line, struct deis_err *err)
{
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return fail(err, "control characters are not allowed");
        }
    }
    return DEIS_OK;
}

/* A comment in front of all else: "# escape=`" (Dockerfile reference, "Parser directives"). True
 * while such lines may follow. */
static bool read_directive(struct writer *w, struct deis_str line, struct deis_err *err)
{
    struct deis_str value = deis_str_skip(trim(line), 1), key;

    if (!deis_str_starts(line, "#") || !deis_str_split(&value, '=', &key) || !value.ptr ||
        !all_in(trim(key), "")) {
        return false;
    }
    value = trim(value);
    if (deis_str_ieq_cstr(trim(key), "escape")) {
        if (!deis_str_eq_cstr(value, "\\") && !deis_str_eq_cstr(value, "`")) {
            fail(err, "the escape must be \\ or `");
        } else if (value.ptr[0] == '`') {
            w->escape = '`';
        }
    }
    return true;
}

struct lines {
    struct deis_str rest;
    struct deis_buf text; /* the instruction as far as it was read */
    unsigned line;
    unsigned begun; /* line of its beginning */
    bool directives;
    bool going_on;
};

static int take_instruction(struct writer *w, struct lines *l, struct deis_err *err)
{
    struct deis_str text = without_escapes(deis_buf_str(&l->text), w->escape);
    int rc = DEIS_OK;

    l->going_on = false;
    if (deis_buf_failed(&l->text)) {
        rc = fail(err, "an instruction is over %d bytes", DOCKERFILE_LINE_MAX);
    } else if (text.len > 0) {
        rc = do_instruction(w, text, l->begun, err);
    }
    deis_buf_reset(&l->text);
    return rc;
}

static int take_directive(struct writer *w, struct lines *l, struct deis_str line,
                          struct deis_err *err)
{
    l->directives = read_directive(w, line, err);
    if (!l->directives && w->escape == '`') {
        deis_buf_add_cstr(w->out, "# escape=`");
        end_line(w);
    }
    return err->code;
}

static int take_line(struct writer *w, struct lines *l, struct deis_str line, struct deis_err *err)
{
    struct deis_str bare = trim(line);

    if (l->directives && take_directive(w, l, line, err) != DEIS_OK) {
        return err->code;
    }
    if (bare.len == 0 || bare.ptr[0] == '#') {
        return DEIS_OK;
    }
    l->begun = l->going_on ? l->begun : l->line;
    int rc = check_line(line, err);
    if (rc < 0) {
        return rc;
    }
    l->going_on = cut_continuation(&line, w->escape);
    deis_buf_add_str(&l->text, line);
    return l->going_on ? DEIS_OK : take_instruction(w, l, err);
}

static int rewrite(struct writer *w, struct deis_str text, struct deis_err *err)
{
    struct lines l = { .rest = text,
                       .text = DEIS_BUF_INIT(DOCKERFILE_LINE_MAX),
                       .directives = true };
    struct deis_str line;
    int rc = DEIS_OK;

    if (deis_str_starts(text, "\xef\xbb\xbf")) {
        l.rest = deis_str_skip(text, 3);
    }
    while (rc == DEIS_OK && deis_str_split(&l.rest, '\n', &line)) {
        l.line++;
        line.len -= line.len > 0 && line.ptr[line.len - 1] == '\r';
        rc = take_line(w, &l, line, err);
    }
    if (rc == DEIS_OK && l.going_on) {
        rc = take_instruction(w, &l, err);
    }
    deis_buf_clear(&l.text);
    if (rc < 0) {
        deis_err_wrap(err, "Dockerfile line %u", l.begun > 0 ? l.begun : l.line);
    }
    return rc;
}

int dockerfile_rewrite(struct deis_str text, dockerfile_find_fn find, void *arg,
                       struct deis_buf *out, struct deis_err *err)
{
    struct writer w = { .find = find, .arg = arg, .out = out, .line_out = 1, .escape = '\\' };
    struct deis_err why = DEIS_ERR_INIT;
    int rc = rewrite(&w, text, &why);

    if (rc == DEIS_OK && deis_buf_failed(out)) {
        rc = deis_err_set(&why, DEIS_LIMIT, "the Dockerfile is too large");
    }
    for (size_t i = 0; i < w.arg_count; i++) {
        free(w.args[i].name);
        free(w.args[i].value);
    }
    for (size_t i = 0; i < w.stage_count; i++) {
        free(w.stages[i]);
    }
    return rc < 0 ? deis_err_set(err, rc, "%s", why.msg) : DEIS_OK;
}
