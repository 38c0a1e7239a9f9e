/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/answer.h"
#include "client/core/pairs.h"
#include "client/core/show.h"

#include "lib/wire/b64.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)16 << 20)
#define FILE_MAX ((size_t)4 << 20)

static int print_config(struct client *c, const char *app, bool oneline)
{
    deis_autojson json_t *config = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);

    if (api_do(c, request_config_get(app), &config) < 0) {
        return -1;
    }
    show_config(app, config, oneline, &text);
    term_print(&text);
    return 0;
}

int config_list(struct client *c, const struct options *o)
{
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        deis_autojson json_t *config = NULL;
        if (api_do(c, request_config_get(app), &config) < 0) {
            return -1;
        }
        return term_print_json(c, o, json_object_get(config, "values"));
    }
    return print_config(c, app, o->given[OPTION_ONELINE]);
}

int config_get(struct client *c, const struct options *o)
{
    deis_autojson json_t *config = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    const char *app = NULL;
    const char *key = o->words[0];

    if (session_app(c, o, &app) < 0 || api_do(c, request_config_get(app), &config) < 0) {
        return -1;
    }
    json_t *value = json_object_get(json_object_get(config, "values"), key);
    if (!json_is_string(value)) {
        return client_fail(c, "%s has no variable '%s'; 'deis config -a %s' lists them", app, key,
                           app);
    }
    if (o->given[OPTION_JSON]) {
        deis_autojson json_t *one = json_pack("{s:O}", key, value);
        return term_print_json(c, o, one);
    }
    deis_buf_add(&text, json_string_value(value), json_string_length(value));
    deis_buf_add_char(&text, '\n');
    term_print(&text);
    return 0;
}

/* Sends a change of the values and shows what came of it. */
static int change_values(struct client *c, const char *what, const char *app, json_t *values,
                         bool show_release)
{
    deis_autojson json_t *answer = NULL;

    printf("%s config... ", what);
    term_spin_start();
    if (api_do(c, request_config_set(app, "values", values), &answer) < 0) {
        return -1;
    }
    const char *release = answer_text(json_object_get(answer, "values"), "DEIS_RELEASE");
    printf("done%s%s\n\n", show_release && release[0] ? ", " : "", show_release ? release : "");
    return print_config(c, app, false);
}

/* SSH_KEY is a private key or the name of a file with one; it travels in base64. */
static int encode_ssh_key(struct client *c, json_t *values)
{
    const char *value = json_string_value(json_object_get(values, "SSH_KEY"));
    deis_autobuf struct deis_buf file = DEIS_BUF_INIT(FILE_MAX);
    deis_autobuf struct deis_buf encoded = DEIS_BUF_INIT(2 * FILE_MAX);
    struct deis_err err;

    if (!value) {
        return 0;
    }
    struct deis_str key = deis_str(value);
    if (deis_file_read(value, &file, &err) == 0) {
        key = deis_buf_str(&file);
    }
    if (!pairs_is_private_key(key)) {
        return client_fail(c, "Could not parse SSH private key:\n %.*s", DEIS_STR_ARG(key));
    }
    deis_b64_encode(key, &encoded);
    json_object_set_new(values, "SSH_KEY", json_string(encoded.data));
    return 0;
}

static int set_values(struct client *c, const char *app, json_t *values)
{
    if (encode_ssh_key(c, values) < 0) {
        return -1;
    }
    return change_values(c, "Creating", app, values, true);
}

static int add_file(struct client *c, const char *arg, json_t *values)
{
    deis_autofree char *key = NULL;
    deis_autofree char *path = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(FILE_MAX);
    struct deis_err err;

    if (pairs_from_file(arg, &key, &path, &err) < 0 || deis_file_read(path, &text, &err) < 0 ||
        pairs_set_read(values, key, deis_buf_str(&text), &err) < 0) {
        return client_fail_err(c, &err);
    }
    explicit_bzero(text.data, text.len);
    return 0;
}

static int add_stdin(struct client *c, const char *key, json_t *values)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(FILE_MAX);
    struct deis_err err;

    if (!pairs_is_key(deis_str(key))) {
        return client_fail(c, "--stdin '%s' must be the name of a variable", key ? key : "");
    }
    if (deis_fd_read(STDIN_FILENO, "stdin", &text, &err) < 0 ||
        pairs_set_read(values, key, deis_buf_str(&text), &err) < 0) {
        return client_fail_err(c, &err);
    }
    explicit_bzero(text.data, text.len);
    return 0;
}

/* Values that --from-file and --stdin name. */
static int add_read_values(struct client *c, const struct options *o, json_t *values)
{
    for (size_t i = 0; i < o->many_count; i++) {
        if (add_file(c, o->many[i], values) < 0) {
            return -1;
        }
    }
    return o->given[OPTION_STDIN] ? add_stdin(c, o->values[OPTION_STDIN], values) : 0;
}

int config_set(struct client *c, const struct options *o)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(TEXT_MAX);
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    deis_autojson json_t *values = pairs_config(o->words, o->word_count, &note);
    term_print(&note);
    return add_read_values(c, o, values) < 0 ? -1 : set_values(c, app, values);
}

int config_unset(struct client *c, const struct options *o)
{
    const char *app = NULL;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    deis_autojson json_t *values = pairs_removals(o->words, o->word_count);
    return change_values(c, "Removing", app, values, false);
}

int config_push(struct client *c, const struct options *o)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(TEXT_MAX);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(FILE_MAX);
    const char *app = NULL;
    struct deis_err err;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    if (deis_file_read(options_get(o, OPTION_PATH, ".env"), &text, &err) < 0) {
        return client_fail_err(c, &err);
    }
    deis_autojson json_t *values = pairs_env_file(deis_buf_str(&text), &note);
    term_print(&note);
    return set_values(c, app, values);
}

static bool may_overwrite(const char *key, const json_t *local, const json_t *remote)
{
    deis_autofree char *prompt = deis_asprintf("%s: overwrite %s with %s? (y/N) ", key,
                                               answer_text(local, key), answer_text(remote, key));
    deis_autofree char *answer = term_ask(prompt);

    return strcmp(answer, "y") == 0 || strcmp(answer, "Y") == 0;
}

/* The local file's values with the remote ones over them, as far as the user agrees. */
static int merge(struct client *c, json_t *remote, json_t **ret)
{
    deis_autobuf struct deis_buf note = DEIS_BUF_INIT(TEXT_MAX);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(FILE_MAX);
    struct deis_err err;
    const char *key = NULL;
    json_t *value = NULL;

    if (deis_file_read(".env", &text, &err) < 0) {
        return client_fail_err(c, &err);
    }
    json_t *merged = pairs_env_file(deis_buf_str(&text), &note);
    json_object_foreach(remote, key, value)
    {
        const json_t *local = json_object_get(merged, key);
        if (!local || json_equal(local, value) || may_overwrite(key, merged, remote)) {
            json_object_set(merged, key, value);
        }
    }
    *ret = merged;
    return 0;
}

/* An .env that is there keeps its mode, and a link to one stays a link. */
static int write_env(struct deis_str text, struct deis_err *err)
{
    deis_autofree char *target = realpath(".env", NULL);
    mode_t mask = umask(0);
    struct stat st;

    umask(mask);
    bool there = target && stat(target, &st) == 0;
    return deis_file_replace(target ? target : ".env", text,
                             there ? st.st_mode & 0777 : 0755 & ~mask, err);
}

int config_pull(struct client *c, const struct options *o)
{
    deis_autojson json_t *config = NULL;
    deis_autojson json_t *values = NULL;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    const char *app = NULL;
    struct deis_err err;
    bool there = access(".env", F_OK) == 0;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    if (there && !o->given[OPTION_OVERWRITE]) {
        return client_fail(c, ".env already exists, pass -o to overwrite");
    }
    if (api_do(c, request_config_get(app), &config) < 0) {
        return -1;
    }
    json_t *remote = json_object_get(config, "values");
    if (there && o->given[OPTION_INTERACTIVE]) {
        if (merge(c, remote, &values) < 0) {
            return -1;
        }
        remote = values;
    }
    pairs_format_env(remote, &text);
    if (write_env(deis_buf_str(&text), &err) < 0) {
        return client_fail_err(c, &err);
    }
    return 0;
}
