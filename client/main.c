/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/dispatch.h"
#include "client/core/help.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define ERROR_MAX ((size_t)64 << 10)
#define HELP_MAX  ((size_t)64 << 10)

command_fn *const command_functions[COMMAND_COUNT] = {
    [COMMAND_APPS_CREATE] = apps_create,
    [COMMAND_APPS_DESTROY] = apps_destroy,
    [COMMAND_APPS_INFO] = apps_info,
    [COMMAND_APPS_LIST] = apps_list,
    [COMMAND_APPS_LOGS] = apps_logs,
    [COMMAND_APPS_OPEN] = apps_open,
    [COMMAND_APPS_RUN] = apps_run,
    [COMMAND_APPS_TRANSFER] = apps_transfer,
    [COMMAND_AUDIT_LIST] = audit_list,
    [COMMAND_AUTH_CANCEL] = auth_cancel,
    [COMMAND_AUTH_LOGIN] = auth_login,
    [COMMAND_AUTH_LOGOUT] = auth_logout,
    [COMMAND_AUTH_PASSWD] = auth_passwd,
    [COMMAND_AUTH_REGENERATE] = auth_regenerate,
    [COMMAND_AUTH_REGISTER] = auth_register,
    [COMMAND_AUTH_REVOKE] = auth_revoke,
    [COMMAND_AUTH_TOKENS] = auth_tokens,
    [COMMAND_AUTH_WHOAMI] = auth_whoami,
    [COMMAND_BUILDS_CREATE] = builds_create,
    [COMMAND_BUILDS_LIST] = builds_list,
    [COMMAND_CERTS_ADD] = certs_add,
    [COMMAND_CERTS_AUTO] = certs_auto,
    [COMMAND_CERTS_AUTO_LIST] = certs_auto_list,
    [COMMAND_CERTS_AUTO_OFF] = certs_auto_off,
    [COMMAND_CERTS_INFO] = certs_info,
    [COMMAND_CERTS_LIST] = certs_list,
    [COMMAND_CERTS_REMOVE] = certs_remove,
    [COMMAND_COMPLETION] = self_completion,
    [COMMAND_CONFIG_GET] = config_get,
    [COMMAND_CONFIG_LIST] = config_list,
    [COMMAND_CONFIG_PULL] = config_pull,
    [COMMAND_CONFIG_PUSH] = config_push,
    [COMMAND_CONFIG_SET] = config_set,
    [COMMAND_CONFIG_UNSET] = config_unset,
    [COMMAND_DOMAINS_ADD] = domains_add,
    [COMMAND_DOMAINS_LIST] = domains_list,
    [COMMAND_DOMAINS_REMOVE] = domains_remove,
    [COMMAND_GIT_REMOTE] = git_remote,
    [COMMAND_KEYS_ADD] = keys_add,
    [COMMAND_KEYS_LIST] = keys_list,
    [COMMAND_KEYS_REMOVE] = keys_remove,
    [COMMAND_LIMITS_LIST] = limits_list,
    [COMMAND_LIMITS_SET] = limits_set,
    [COMMAND_LIMITS_UNSET] = limits_unset,
    [COMMAND_MAINTENANCE_OFF] = maintenance_off,
    [COMMAND_MAINTENANCE_ON] = maintenance_on,
    [COMMAND_MAN] = self_man,
    [COMMAND_PERMS_CREATE] = perms_create,
    [COMMAND_PERMS_DELETE] = perms_delete,
    [COMMAND_PERMS_LIST] = perms_list,
    [COMMAND_PS_LIST] = ps_list,
    [COMMAND_PS_RESTART] = ps_restart,
    [COMMAND_PS_SCALE] = ps_scale,
    [COMMAND_PS_STOP] = ps_stop,
    [COMMAND_RELEASES_INFO] = releases_info,
    [COMMAND_RELEASES_LIST] = releases_list,
    [COMMAND_RELEASES_ROLLBACK] = releases_rollback,
    [COMMAND_ROUTING_LIST] = routing_list,
    [COMMAND_ROUTING_SET] = routing_set,
    [COMMAND_ROUTING_UNSET] = routing_unset,
    [COMMAND_TAGS_LIST] = tags_list,
    [COMMAND_TAGS_SET] = tags_set,
    [COMMAND_TAGS_UNSET] = tags_unset,
    [COMMAND_USERS_LIST] = users_list,
    [COMMAND_WHITELIST_ADD] = whitelist_add,
    [COMMAND_WHITELIST_LIST] = whitelist_list,
    [COMMAND_WHITELIST_REMOVE] = whitelist_remove,
};

int client_fail(struct client *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    deis_buf_vaddf(&c->error, format, args);
    va_end(args);
    return -1;
}

int client_fail_err(struct client *c, const struct deis_err *err)
{
    return client_fail(c, "%s", err->msg);
}

static int run_command(const struct options *o)
{
    struct client c = { .json = o->given[OPTION_JSON],
                        .error = DEIS_BUF_INIT(ERROR_MAX),
                        .hint = DEIS_BUF_INIT(ERROR_MAX) };

    int r = command_functions[command_id_of(o->command)](&c, o);
    fflush(stdout);
    if (r < 0) {
        fputs("Error: ", stderr);
        term_print_error(&c.error);
        fputs("\n", stderr);
        term_print_error(&c.hint);
    }
    int status = r < 0 && c.exit_status == 0 ? 1 : c.exit_status;
    deis_httpc_free(c.http);
    profile_clear(&c.profile);
    free(c.profile_path);
    free(c.folder_app);
    deis_buf_clear(&c.error);
    deis_buf_clear(&c.hint);
    return status;
}

static int parse_and_run(const struct dispatch *d)
{
    struct options o;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(HELP_MAX);
    int status = 1;

    switch (options_parse(d->command, d->args, &o, &text)) {
    case OPTIONS_OK: status = run_command(&o); break;
    case OPTIONS_HELP:
        help_command(d->command, &text);
        term_print(&text);
        status = 0;
        break;
    case OPTIONS_WRONG:
        help_usage(d->command, &text);
        term_print(&text);
        break;
    }
    options_clear(&o);
    return status;
}

static int unknown(int status)
{
    fprintf(stderr, "Found no matching command, try 'deis help'\n" HELP_USAGE);
    return status;
}

/* Becomes the program deis-<group>, or returns. */
static int run_plugin(const struct dispatch *d)
{
    deis_autofree char *program = deis_asprintf("deis-%s", d->group);
    size_t count = 0;

    while (d->args[count]) {
        count++;
    }
    deis_autofree char **argv = deis_realloc_array(NULL, count + 2, sizeof(*argv));
    argv[0] = program;
    for (size_t i = 0; i <= count; i++) {
        /* exec takes texts that it does not change, though not as const */
        memcpy(&argv[i + 1], &d->args[i], sizeof(argv[0]));
    }
    execvp(program, argv);
    if (errno != ENOENT) {
        fprintf(stderr, "Error: can't run '%s': %s\n", program, strerror(errno));
        return 1;
    }
    return unknown(1);
}

static int act(const struct dispatch *d)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(HELP_MAX);

    switch (d->kind) {
    case DISPATCH_COMMAND: return parse_and_run(d);
    case DISPATCH_HELP: help_main(&text); break;
    case DISPATCH_GROUP_HELP: help_group(deis_str(d->group), &text); break;
    case DISPATCH_VERSION: deis_buf_add_cstr(&text, CLIENT_VERSION "\n"); break;
    case DISPATCH_PLUGIN: return run_plugin(d);
    case DISPATCH_UNKNOWN: return unknown(0);
    case DISPATCH_NOTHING: fprintf(stderr, HELP_USAGE); return 1;
    case DISPATCH_OPTION:
        printf(HELP_USAGE);
        fprintf(stderr, "\n");
        return 1;
    }
    term_print(&text);
    return 0;
}

int main(int argc, char **argv)
{
    struct dispatch d;
    char **words = deis_realloc_array(NULL, (size_t)argc + 1, sizeof(*words));
    size_t count = 0;

    /* Passwords and config values are among the words: a copy works, the list of processes shows
     * none. */
    for (int i = 1; i < argc; i++) {
        words[count++] = deis_strdup(argv[i]);
        if (i > 1) {
            explicit_bzero(argv[i], strlen(argv[i]));
        }
    }
    words[count] = NULL;
    dispatch_resolve((const char *const *)words, &d);
    int status = act(&d);
    dispatch_clear(&d);
    for (size_t i = 0; i < count; i++) {
        free(words[i]);
    }
    free(words);
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (!written && status == 0) {
        fputs("Error: can't write to stdout\n", stderr);
        status = 1;
    }
    return status;
}
