/* SPDX-License-Identifier: MIT */
/*
 * The deis command: what its commands share. A command returns 0, or -1 after client_fail(): main
 * then prints "Error: " and the text. One thread, one command per process.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/core/options.h"
#include "client/core/profile.h"
#include "client/core/request.h"

#include "lib/net/file.h"
#include "lib/net/httpc.h"

#define CLIENT_VERSION "1.13.4" /* of the Deis client whose contract this one keeps */

struct client {
    char *profile_path;
    struct profile profile;
    bool logged_in;   /* profile was read */
    char *folder_app; /* app that was found out here */
    const char *app;  /* that the command is about, or NULL; see session_app() */
    bool app_guessed; /* it is the folder's name only */
    bool json;        /* stdout is for a program: nothing but JSON */
    struct deis_httpc *http;
    struct deis_buf error; /* text after "Error: " */
    struct deis_buf hint;  /* what to do next, or nothing */
    int exit_status;       /* of a command that returned 0; one that failed: 0 = the usual 1 */
};

typedef int command_fn(struct client *c, const struct options *o);

/* Set the error's text; returns -1. */
int client_fail(struct client *c, const char *format, ...) deis_printf(2, 3);
int client_fail_err(struct client *c, const struct deis_err *err);

/* --- session.c --- */
/* Read the profile; fails when there is none. */
int session_load(struct client *c) deis_must_check;
/* Read it if it is there; the rest is as empty. Fails only when it can't be read. */
int session_load_if_any(struct client *c) deis_must_check;
int session_save(struct client *c) deis_must_check;
int session_forget(struct client *c) deis_must_check;
/* The app that the command is about: -a, or the git remote's, or this folder's name. Loads the
 * profile. Borrowed in *ret. */
int session_app(struct client *c, const struct options *o, const char **ret) deis_must_check;
/* The value of -l, else the profile's limit. Loads the profile. */
int session_limit(struct client *c, const struct options *o, long *ret) deis_must_check;

/* --- api.c --- */
/* One request with the profile's token; the profile is loaded. *ret (yours, may be NULL) gets the
 * JSON of the answer, NULL when it has none. */
int api_call(struct client *c, const struct request *r, json_t **ret) deis_must_check;
/* Send and take r. */
int api_do(struct client *c, struct request r, json_t **ret) deis_must_check;
/* The body as it is. */
int api_text(struct client *c, struct request r, struct deis_buf *ret) deis_must_check;
/* The body as it comes, until the server ends it. */
int api_stream(struct client *c, struct request r, void (*on_data)(struct deis_str data, void *arg),
               void *arg) deis_must_check;
/* A connection that was upgraded to another protocol; *ret is yours. */
struct deis_tunnel;
int api_upgrade(struct client *c, struct request r, const char *protocol,
                struct deis_tunnel **ret) deis_must_check;
/* Results of a list; *ret_list is yours, *ret_results borrowed from it. */
int api_list(struct client *c, struct request r, json_t **ret_list, json_t **ret_results,
             long *ret_total) deis_must_check;
/* Results of a list that other controllers may not have; yours, NULL when there are none. Says
 * nothing of failures. */
json_t *api_list_if_known(struct client *c, struct request r);
/* A list as JSON on stdout in the command's shape: whole, or as much as -l says. */
int api_list_json(struct client *c, const struct options *o, struct request r) deis_must_check;
/* Is there a controller at the profile's address? */
int api_check(struct client *c) deis_must_check;

/* --- term.c --- */
/* To standard output; on a terminal without what could steer it (core/safe.h). */
void term_print(const struct deis_buf *b);
void term_print_error(const struct deis_buf *b); /* the same to standard error */
/* A value as JSON in the command's shape. */
int term_print_json(struct client *c, const struct options *o, const json_t *value) deis_must_check;
/* Has the user nothing against colour? */
bool term_may_colour(void);
/* Moving dots after what was printed, from start to stop; drawn while a request waits. */
void term_spin_start(void);
void term_spin(void);
void term_spin_stop(void);
/* First word of the answer, yours; end of input is an empty answer. */
char *term_ask(const char *prompt);
/* Without echo; yours. Fails when stdin is no terminal. */
int term_ask_password(struct client *c, const char *prompt, char **ret) deis_must_check;

/* --- rawmode.c --- */
/* The terminal on stdin gives every key as it is, until stop, or the end of the process by exit().
 */
int rawmode_start(struct client *c) deis_must_check;
void rawmode_again(void); /* after others had the terminal: we were stopped and go on */
void rawmode_stop(void);  /* also when it was never started */

/* --- attach.c --- */
struct attach {
    const char *app;
    const char *command;
    bool tty;
    struct deis_str input; /* what was read of stdin already */
};

/* Run a command with stdin and stdout connected to it; sets exit_status: that of the command, or
 * 255 when it was lost. */
int attach_run(struct client *c, const struct attach *a) deis_must_check;

/* --- run.c --- */
/* Run a program (15 words at most) and collect one of its outputs (the other is dropped).
 * *ret_status: its exit status, 127 when it could not be started, 128 + signal. */
int run_program(const char *const *argv, bool want_stderr, struct deis_buf *ret, int *ret_status,
                struct deis_err *err) deis_must_check;

/* --- git.c --- */
/* *ret_status: git's exit status when it ran. */
int git_add_remote(struct client *c, const char *remote, const char *app,
                   int *ret_status) deis_must_check;
int git_remove_remote(struct client *c, const char *app) deis_must_check;
/* The app of this repository's remote, yours; NULL when there is none. */
char *git_app(const char *host);

/* --- procfile.c --- */
/* A YAML map of texts as JSON object; yours. */
int procfile_parse(struct deis_str yaml, json_t **ret, struct deis_err *err) deis_must_check;

/* One for each row of the table. */
extern command_fn *const command_functions[COMMAND_COUNT];

command_fn apps_create, apps_destroy, apps_info, apps_list, apps_logs, apps_open, apps_run,
    apps_transfer;
command_fn audit_list;
command_fn auth_cancel, auth_login, auth_logout, auth_passwd, auth_regenerate, auth_register,
    auth_revoke, auth_tokens, auth_whoami;
command_fn builds_create, builds_list;
command_fn certs_add, certs_auto, certs_auto_list, certs_auto_off, certs_info, certs_list,
    certs_remove;
command_fn config_get, config_list, config_pull, config_push, config_set, config_unset;
command_fn domains_add, domains_list, domains_remove;
command_fn git_remote;
command_fn keys_add, keys_list, keys_remove;
command_fn limits_list, limits_set, limits_unset;
command_fn maintenance_off, maintenance_on;
command_fn perms_create, perms_delete, perms_list;
command_fn ps_list, ps_restart, ps_scale, ps_stop;
command_fn releases_info, releases_list, releases_rollback;
command_fn routing_list, routing_set, routing_unset;
command_fn tags_list, tags_set, tags_unset;
command_fn self_completion, self_man;
command_fn users_list;
command_fn whitelist_add, whitelist_list, whitelist_remove;

/* Parts of apps:info. */
int ps_print(struct client *c, const char *app, long limit) deis_must_check;
int domains_print(struct client *c, const char *app, long limit) deis_must_check;

#endif
