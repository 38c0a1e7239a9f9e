/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/answer.h"

#include <stdio.h>

static int use_controller(struct client *c, const char *typed, const char *ssl_verify)
{
    struct deis_err err;
    char *controller = NULL;

    if (profile_controller(typed, &controller, &err) < 0) {
        return client_fail_err(c, &err);
    }
    if (ssl_verify && strcmp(ssl_verify, "true") != 0 && strcmp(ssl_verify, "false") != 0) {
        free(controller);
        return client_fail(c, "--ssl-verify must be true or false");
    }
    free(c->profile.controller);
    c->profile.controller = controller;
    c->profile.ssl_verify = ssl_verify && strcmp(ssl_verify, "true") == 0;
    return api_check(c);
}

static void set_token(struct client *c, const char *token)
{
    free(c->profile.token);
    c->profile.token = deis_strdup(token);
}

/* Log in to the profile's controller and save the profile. */
static int log_in(struct client *c, const char *username, const char *password)
{
    deis_autojson json_t *answer = NULL;

    set_token(c, "");
    if (api_do(c, request_login(username, password), &answer) < 0) {
        return -1;
    }
    const char *token = answer_text(answer, "token");
    if (!token[0]) {
        return client_fail(c, "the controller's answer has no token");
    }
    set_token(c, token);
    char *name = deis_strdup(username);
    free(c->profile.username);
    c->profile.username = name;
    if (session_save(c) < 0) {
        return -1;
    }
    printf("Logged in as %s\n", username);
    return 0;
}

/* The given text, or the answer to a question; yours. */
static char *given_or_asked(const char *given, const char *prompt)
{
    return given ? deis_strdup(given) : term_ask(prompt);
}

static int given_or_asked_password(struct client *c, const char *given, const char *prompt,
                                   char **ret)
{
    if (given) {
        *ret = deis_strdup(given);
        return 0;
    }
    return term_ask_password(c, prompt, ret);
}

static void forget_text(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static int log_in_asking(struct client *c, const char *username, const char *password)
{
    deis_autofree char *name = given_or_asked(username, "username: ");
    char *secret = NULL;

    int r = given_or_asked_password(c, password, "password: ", &secret);
    if (r == 0) {
        r = log_in(c, name, secret);
    }
    forget_text(secret);
    return r;
}

/* A new password, asked twice; mismatch is what to say when the answers differ. */
static int ask_new_password(struct client *c, const char *first, const char *second,
                            const char *mismatch, char **ret)
{
    char *again = NULL;

    if (term_ask_password(c, first, ret) < 0) {
        printf("%s\n", second);
        return -1;
    }
    int r = term_ask_password(c, second, &again);
    if (r == 0 && strcmp(*ret, again) != 0) {
        r = client_fail(c, "%s", mismatch);
    }
    forget_text(again);
    return r;
}

static int register_account(struct client *c, const char *username, const char *password,
                            const char *email)
{
    if (api_do(c, request_register(username, password, email), NULL) < 0) {
        fflush(stdout);
        fprintf(stderr, "Registration failed: ");
        return -1;
    }
    printf("Registered %s\n", username);
    return log_in(c, username, password);
}

int auth_register(struct client *c, const struct options *o)
{
    char *password = NULL;
    const char *given = options_get(o, OPTION_PASSWORD, NULL);

    if (session_load_if_any(c) < 0 ||
        use_controller(c, o->words[0], options_get(o, OPTION_SSL_VERIFY, NULL)) < 0) {
        return -1;
    }
    deis_autofree char *username =
        given_or_asked(options_get(o, OPTION_USERNAME, NULL), "username: ");
    int r = 0;
    if (given) {
        password = deis_strdup(given);
    } else {
        r = ask_new_password(c, "password: ", "password (confirm): ",
                             "Password mismatch, aborting registration.", &password);
    }
    if (r == 0) {
        deis_autofree char *email = given_or_asked(options_get(o, OPTION_EMAIL, NULL), "email: ");
        r = register_account(c, username, password, email);
    }
    forget_text(password);
    return r;
}

int auth_login(struct client *c, const struct options *o)
{
    /* The profile that is there is not looked at: a broken one is mended by logging in again. */
    c->profile.response_limit = PROFILE_LIMIT_DEFAULT;
    c->profile.ssh_port = PROFILE_SSH_PORT;
    if (use_controller(c, o->words[0], options_get(o, OPTION_SSL_VERIFY, NULL)) < 0) {
        return -1;
    }
    return log_in_asking(c, options_get(o, OPTION_USERNAME, NULL),
                         options_get(o, OPTION_PASSWORD, NULL));
}

int auth_logout(struct client *c, const struct options *o)
{
    if (session_forget(c) < 0) {
        return -1;
    }
    printf("Logged out\n");
    return 0;
}

int auth_passwd(struct client *c, const struct options *o)
{
    const char *username = options_get(o, OPTION_USERNAME, NULL);
    const char *given = options_get(o, OPTION_PASSWORD, NULL);
    const char *given_new = options_get(o, OPTION_NEW_PASSWORD, NULL);
    char *password = given ? deis_strdup(given) : NULL;
    char *new_password = given_new ? deis_strdup(given_new) : NULL;

    int r = session_load(c);
    if (r == 0 && !password && !username) {
        r = term_ask_password(c, "current password: ", &password);
    }
    if (r == 0 && !new_password) {
        r = ask_new_password(c, "new password: ", "new password (confirm): ",
                             "Password mismatch, not changing.", &new_password);
    }
    if (r == 0 && api_do(c, request_passwd(username, password, new_password), NULL) < 0) {
        fflush(stdout);
        fprintf(stderr, "Password change failed: ");
        r = -1;
    }
    forget_text(password);
    forget_text(new_password);
    if (r == 0) {
        printf("Password change succeeded.\n");
    }
    return r;
}

int auth_whoami(struct client *c, const struct options *o)
{
    if (session_load(c) < 0) {
        return -1;
    }
    if (o->given[OPTION_JSON]) {
        deis_autojson json_t *login = json_pack("{s:s, s:s}", "username", c->profile.username,
                                                "controller", c->profile.controller);
        return term_print_json(c, o, login);
    }
    printf("You are %s at %s\n", c->profile.username, c->profile.controller);
    return 0;
}

static bool confirm_cancel(struct client *c, const char *username)
{
    deis_autofree char *prompt =
        deis_asprintf("cancel account %s at %s? (y/N): ", username, c->profile.controller);
    deis_autofree char *answer = term_ask(prompt);

    return strcmp(answer, "y") == 0 || strcmp(answer, "Y") == 0;
}

int auth_cancel(struct client *c, const struct options *o)
{
    const char *username = options_get(o, OPTION_USERNAME, NULL);
    const char *password = options_get(o, OPTION_PASSWORD, NULL);

    if (session_load(c) < 0) {
        return -1;
    }
    if (!username || password) {
        printf("Please log in again in order to cancel this account\n");
        if (log_in_asking(c, username, password) < 0) {
            return -1;
        }
    }
    if (!o->given[OPTION_YES] && !confirm_cancel(c, username ? username : c->profile.username)) {
        fflush(stdout);
        fprintf(stderr, "Account not changed\n");
        return 0;
    }
    if (api_do(c, request_cancel(username), NULL) < 0) {
        return -1;
    }
    bool own = !username || strcmp(username, c->profile.username) == 0;
    if (own && session_forget(c) < 0) {
        return -1;
    }
    printf("Account cancelled\n");
    return 0;
}

int auth_regenerate(struct client *c, const struct options *o)
{
    const char *username = options_get(o, OPTION_USERNAME, NULL);
    bool all = o->given[OPTION_ALL];
    deis_autojson json_t *answer = NULL;

    if (session_load(c) < 0 || api_do(c, request_regenerate(username, all), &answer) < 0) {
        return -1;
    }
    if (!username && !all) {
        set_token(c, answer_text(answer, "token"));
        if (session_save(c) < 0) {
            return -1;
        }
    }
    printf("Token Regenerated\n");
    return 0;
}
