/* SPDX-License-Identifier: MIT */
#include "client/core/command.h"

#define ANY_NUMBER SIZE_MAX

#define APP                                                                                        \
    {                                                                                              \
        OPTION_APP, 'a', "app", "<app>", "the app; default: the one of this folder's git remote"   \
    }
#define LIMIT                                                                                      \
    {                                                                                              \
        OPTION_LIMIT, 'l', "limit", "<num>", "show that many results at most"                      \
    }
#define JSON                                                                                       \
    {                                                                                              \
        OPTION_JSON, 0, "json", NULL, "print JSON for programs"                                    \
    }
#define ADMIN(help)                                                                                \
    {                                                                                              \
        OPTION_ADMIN, 0, "admin", NULL, help                                                       \
    }
#define REMOTE(help)                                                                               \
    {                                                                                              \
        OPTION_REMOTE, 'r', "remote", "<remote>", help                                             \
    }
#define PASSWORD                                                                                   \
    {                                                                                              \
        OPTION_PASSWORD, 0, "password", "<password>", "the password, instead of being asked"       \
    }
#define USERNAME(letter, help)                                                                     \
    {                                                                                              \
        OPTION_USERNAME, letter, "username", "<username>", help                                    \
    }
#define SSL_VERIFY                                                                                 \
    {                                                                                              \
        OPTION_SSL_VERIFY, 0, "ssl-verify", "<true|false>",                                        \
            "whether to verify the controller's certificate; default false"                        \
    }
#define CPU(help)                                                                                  \
    {                                                                                              \
        OPTION_CPU, 'c', "cpu", NULL, help                                                         \
    }
#define MEMORY(help)                                                                               \
    {                                                                                              \
        OPTION_MEMORY, 'm', "memory", NULL, help                                                   \
    }

const struct command command_table[COMMAND_COUNT] = {
    [COMMAND_APPS_CREATE] = {
        "apps:create", "[<id>]", 0, 1, "create an app",
        .options = {
            { OPTION_NO_REMOTE, 0, "no-remote", NULL, "do not make a git remote" },
            { OPTION_BUILDPACK, 'b', "buildpack", "<url>", "the buildpack to build with" },
            REMOTE("name of the git remote; default deis"),
        },
    },
    [COMMAND_APPS_DESTROY] = {
        "apps:destroy", "", 0, 0, "destroy an app",
        .options = {
            APP,
            { OPTION_CONFIRM, 0, "confirm", "<app>", "the app's name again, instead of being asked" },
        },
    },
    [COMMAND_APPS_INFO] = {
        "apps:info", "", 0, 0, "show an app, its processes and domains",
        .options = { APP, JSON },
        .json = "{id owner url created updated uuid structure processes domains}",
    },
    [COMMAND_APPS_LIST] = {
        "apps:list", "", 0, 0, "list the apps that you may use",
        .options = { LIMIT, JSON },
        .json = "[id owner url created updated uuid structure]",
    },
    [COMMAND_APPS_LOGS] = {
        "apps:logs", "", 0, 0, "show what an app and the platform said about it",
        .options = {
            APP,
            { OPTION_LINES, 'n', "lines", "<num>", "show the last so many lines" },
            { OPTION_PS, 'p', "ps", "<process>", "of these processes only: a type (web) or one (web.2)" },
            { OPTION_TAIL, 't', "tail", NULL, "go on with new lines until interrupted" },
            JSON,
        },
        .json = "*{time process text}",
    },
    [COMMAND_APPS_OPEN] = {
        "apps:open", "", 0, 0, "open an app in the browser", .options = { APP },
    },
    [COMMAND_APPS_RUN] = {
        "apps:run", "[--] <command>...", 1, ANY_NUMBER, "run a command in a container of an app",
        .options = {
            APP,
            { OPTION_DETACH, 'd', "detach", NULL, "do not wait for it: print its name; its output goes to the log" },
            { OPTION_NO_TTY, 0, "no-tty", NULL, "no terminal: stdin, stdout and stderr as they are" },
        },
        .rivals = { OPTION_DETACH, OPTION_NO_TTY },
        .has_rivals = true,
        .rest_after_dashes = true,
    },
    [COMMAND_APPS_TRANSFER] = {
        "apps:transfer", "<username>", 1, 1, "give an app to another user", .options = { APP },
    },
    [COMMAND_AUDIT_LIST] = {
        "audit:list", "", 0, 0, "list who changed what (administrators only)",
        .options = {
            { OPTION_APP, 'a', "app", "<app>", "changes of this app only" },
            USERNAME('u', "changes by this user only"),
            LIMIT,
            JSON,
        },
        .json = "[time user action object result request]",
    },
    [COMMAND_AUTH_CANCEL] = {
        "auth:cancel", "", 0, 0, "delete an account",
        .options = {
            USERNAME(0, "the account; default: your own"),
            PASSWORD,
            { OPTION_YES, 0, "yes", NULL, "do not ask" },
        },
    },
    [COMMAND_AUTH_LOGIN] = {
        "auth:login", "<controller>", 1, 1, "log in to a controller",
        .options = { USERNAME(0, "the account"), PASSWORD, SSL_VERIFY },
    },
    [COMMAND_AUTH_LOGOUT] = { "auth:logout", "", 0, 0, "forget the login" },
    [COMMAND_AUTH_PASSWD] = {
        "auth:passwd", "", 0, 0, "change a password",
        .options = {
            USERNAME(0, "the account; default: your own"),
            { OPTION_PASSWORD, 0, "password", "<password>", "the current password" },
            { OPTION_NEW_PASSWORD, 0, "new-password", "<new-password>", "the new password" },
        },
    },
    [COMMAND_AUTH_REGENERATE] = {
        "auth:regenerate", "", 0, 0, "replace a token",
        .options = {
            USERNAME('u', "whose token; default: your own"),
            { OPTION_ALL, 0, "all", NULL, "the tokens of all users" },
        },
    },
    [COMMAND_AUTH_REGISTER] = {
        "auth:register", "<controller>", 1, 1, "make an account on a controller and log in",
        .options = {
            USERNAME(0, "name of the new account"),
            PASSWORD,
            { OPTION_EMAIL, 0, "email", "<email>", "mail address of the new account" },
            SSL_VERIFY,
        },
    },
    [COMMAND_AUTH_REVOKE] = { "auth:revoke", "<token-id>...", 1, ANY_NUMBER, "end logins, by the id of their token" },
    [COMMAND_AUTH_TOKENS] = {
        "auth:tokens", "", 0, 0, "list your logins: when each was made and last used",
        .options = { LIMIT, JSON },
        .json = "[id created last_used current]",
    },
    [COMMAND_AUTH_WHOAMI] = {
        "auth:whoami", "", 0, 0, "show the login",
        .options = { JSON },
        .json = "{username controller}",
    },
    [COMMAND_BUILDS_CREATE] = {
        "builds:create", "<image>", 1, 1, "deploy an image",
        .options = {
            APP,
            { OPTION_PROCFILE, 'p', "procfile", "<yaml>", "process types, instead of ./Procfile" },
        },
    },
    [COMMAND_BUILDS_LIST] = {
        "builds:list", "", 0, 0, "list the builds of an app",
        .options = { APP, LIMIT, JSON },
        .json = "[uuid image sha procfile dockerfile owner created updated]",
    },
    [COMMAND_CERTS_ADD] = {
        "certs:add", "<cert> <key>", 2, 2, "add a certificate and its key, both files in PEM",
        .options = {
            { OPTION_COMMON_NAME, 0, "common-name", "<name>", "the domain that it is for" },
            { OPTION_SUBJECT_ALT_NAME, 0, "subject-alt-names", "<names>",
              "several domains, separated by commas" },
        },
        .takes_files = true,
    },
    [COMMAND_CERTS_AUTO] = {
        "certs:auto", "<domain>", 1, 1, "get a domain's certificate, and renew it in time",
    },
    [COMMAND_CERTS_AUTO_LIST] = {
        "certs:auto:list", "", 0, 0, "list the certificates that come by themselves",
        .options = { LIMIT, JSON },
        .json = "[domain app state detail attempts expires owner created updated]",
    },
    [COMMAND_CERTS_AUTO_OFF] = {
        "certs:auto:off", "<domain>", 1, 1, "end that, and remove the certificate",
    },
    [COMMAND_CERTS_INFO] = {
        "certs:info", "<cn>", 1, 1, "show a certificate and, if it comes by itself, how it stands",
        .options = { JSON },
        .json = "{common_name expires owner created updated auto state detail app}",
    },
    [COMMAND_CERTS_LIST] = {
        "certs:list", "", 0, 0, "list your certificates",
        .options = { LIMIT, JSON },
        .json = "[common_name expires owner created updated]",
    },
    [COMMAND_CERTS_REMOVE] = { "certs:remove", "<cn>", 1, 1, "remove a certificate" },
    [COMMAND_COMPLETION] = {
        "completion", "bash|zsh|fish", 1, 1, "write a completion script for a shell",
    },
    [COMMAND_CONFIG_GET] = {
        "config:get", "<key>", 1, 1, "print one environment variable of an app",
        .options = { APP, JSON },
        .json = "{}",
    },
    [COMMAND_CONFIG_LIST] = {
        "config:list", "", 0, 0, "list the environment variables of an app",
        .options = { APP, { OPTION_ONELINE, 0, "oneline", NULL, "all on one line" }, JSON },
        .json = "{}",
    },
    [COMMAND_CONFIG_PULL] = {
        "config:pull", "", 0, 0, "write the environment variables to .env",
        .options = {
            APP,
            { OPTION_INTERACTIVE, 'i', "interactive", NULL, "ask about each difference" },
            { OPTION_OVERWRITE, 'o', "overwrite", NULL, "overwrite an existing .env" },
        },
    },
    [COMMAND_CONFIG_PUSH] = {
        "config:push", "", 0, 0, "set the environment variables of a .env file",
        .options = { APP, { OPTION_PATH, 'p', "path", "<path>", "the file; default .env" } },
    },
    [COMMAND_CONFIG_SET] = {
        "config:set", "[<var>=<value>...]", 1, ANY_NUMBER, "set environment variables of an app",
        .options = {
            APP,
            { OPTION_FROM_FILE, 0, "from-file", "<var>=<path>",
              "the value is what the file holds, without a newline at its end", .many = true },
            { OPTION_STDIN, 0, "stdin", "<var>",
              "the value is what stdin holds, without a newline at its end" },
        },
        .instead = { OPTION_FROM_FILE, OPTION_STDIN },
        .has_instead = true,
    },
    [COMMAND_CONFIG_UNSET] = {
        "config:unset", "<key>...", 1, ANY_NUMBER, "unset environment variables of an app",
        .options = { APP },
    },
    [COMMAND_DOMAINS_ADD] = {
        "domains:add", "<domain>", 1, 1, "add a domain to an app", .options = { APP },
    },
    [COMMAND_DOMAINS_LIST] = {
        "domains:list", "", 0, 0, "list the domains of an app",
        .options = { APP, LIMIT, JSON },
        .json = "[domain app owner created updated]",
    },
    [COMMAND_DOMAINS_REMOVE] = {
        "domains:remove", "<domain>", 1, 1, "remove a domain from an app", .options = { APP },
    },
    [COMMAND_GIT_REMOTE] = {
        "git:remote", "", 0, 0, "add the git remote of an app to this repository",
        .options = { APP, REMOTE("name of the git remote; default deis") },
    },
    [COMMAND_KEYS_ADD] = {
        "keys:add", "[<path>]", 0, 1, "add an SSH public key", .takes_files = true,
    },
    [COMMAND_KEYS_LIST] = {
        "keys:list", "", 0, 0, "list your SSH public keys",
        .options = { LIMIT, JSON },
        .json = "[id public fingerprint owner created updated uuid]",
    },
    [COMMAND_KEYS_REMOVE] = { "keys:remove", "<key>", 1, 1, "remove an SSH public key" },
    [COMMAND_LIMITS_LIST] = {
        "limits:list", "", 0, 0, "list the resource limits of an app",
        .options = { APP, JSON },
        .json = "{memory cpu}",
    },
    [COMMAND_LIMITS_SET] = {
        "limits:set", "<type>=<limit>...", 1, ANY_NUMBER, "set resource limits of an app",
        .options = { APP, CPU("limits are CPU shares"),
                     MEMORY("limits are memory, with unit B, K, M or G; the default") },
        .rivals = { OPTION_CPU, OPTION_MEMORY },
        .has_rivals = true,
    },
    [COMMAND_LIMITS_UNSET] = {
        "limits:unset", "<type>...", 1, ANY_NUMBER, "unset resource limits of an app",
        .options = { APP, CPU("those of CPU shares"), MEMORY("those of memory; the default") },
        .rivals = { OPTION_CPU, OPTION_MEMORY },
        .has_rivals = true,
    },
    [COMMAND_MAINTENANCE_OFF] = {
        "maintenance:off", "", 0, 0, "let requests through to an app again", .options = { APP },
    },
    [COMMAND_MAINTENANCE_ON] = {
        "maintenance:on", "", 0, 0, "answer requests for an app with a page; its processes go on",
        .options = { APP },
    },
    [COMMAND_MAN] = { "man", "", 0, 0, "write the manual page, for man -l" },
    [COMMAND_PERMS_CREATE] = {
        "perms:create", "<username>", 1, 1, "let a user work on an app",
        .options = { APP, ADMIN("make the user an administrator") },
        .rivals = { OPTION_APP, OPTION_ADMIN },
        .has_rivals = true,
    },
    [COMMAND_PERMS_DELETE] = {
        "perms:delete", "<username>", 1, 1, "end a user's rights on an app",
        .options = { APP, ADMIN("those of an administrator") },
        .rivals = { OPTION_APP, OPTION_ADMIN },
        .has_rivals = true,
    },
    [COMMAND_PERMS_LIST] = {
        "perms:list", "", 0, 0, "list who may work on an app",
        .options = { APP, ADMIN("list the administrators"), LIMIT, JSON },
        .rivals = { OPTION_APP, OPTION_ADMIN },
        .has_rivals = true,
        .json = "[]",
    },
    [COMMAND_PS_LIST] = {
        "ps:list", "", 0, 0, "list the processes of an app",
        .options = {
            APP,
            LIMIT,
            { OPTION_DETAIL, 0, "detail", NULL, "also machine, age, restarts and how the last one ended" },
            JSON,
        },
        .json = "[type num state release ready machine since restarts exit reason created uuid]",
    },
    [COMMAND_PS_RESTART] = {
        "ps:restart", "[<type>]", 0, 1, "restart all processes, those of a type, or one (web.2)",
        .options = { APP },
    },
    [COMMAND_PS_SCALE] = {
        "ps:scale", "<type>=<num>...", 1, ANY_NUMBER, "set the number of processes of a type",
        .options = { APP },
    },
    [COMMAND_PS_STOP] = {
        "ps:stop", "<process>...", 1, ANY_NUMBER, "stop one-off commands (run.3)", .options = { APP },
    },
    [COMMAND_RELEASES_INFO] = {
        "releases:info", "<version>", 1, 1, "show a release",
        .options = { APP, JSON },
        .json = "{version summary build config owner created updated uuid}",
    },
    [COMMAND_RELEASES_LIST] = {
        "releases:list", "", 0, 0, "list the releases of an app",
        .options = { APP, LIMIT, JSON },
        .json = "[version summary build config owner created updated uuid]",
    },
    [COMMAND_RELEASES_ROLLBACK] = {
        "releases:rollback", "[<version>]", 0, 1, "go back to an earlier release; default: by one",
        .options = { APP },
    },
    [COMMAND_ROUTING_LIST] = {
        "routing:list", "", 0, 0, "show how routers treat an app",
        .options = { APP, JSON },
        .json = "{app settings config_whitelist updated}",
    },
    [COMMAND_ROUTING_SET] = {
        "routing:set", "<setting>=<value>...", 1, ANY_NUMBER,
        "change how routers treat an app, at once; @<path> stands for what a file holds",
        .options = { APP },
    },
    [COMMAND_ROUTING_UNSET] = {
        "routing:unset", "<setting>...", 1, ANY_NUMBER, "leave a setting of an app to the platform",
        .options = { APP },
    },
    [COMMAND_TAGS_LIST] = {
        "tags:list", "", 0, 0, "list the tags of an app",
        .options = { APP, JSON },
        .json = "{}",
    },
    [COMMAND_TAGS_SET] = {
        "tags:set", "<key>=<value>...", 1, ANY_NUMBER, "run an app on machines with these tags only",
        .options = { APP },
    },
    [COMMAND_TAGS_UNSET] = {
        "tags:unset", "<key>...", 1, ANY_NUMBER, "unset tags of an app", .options = { APP },
    },
    [COMMAND_USERS_LIST] = {
        "users:list", "", 0, 0, "list all users (administrators only)",
        .options = { LIMIT, JSON },
        .json = "[username email first_name last_name is_superuser is_active date_joined last_login]",
    },
    [COMMAND_WHITELIST_ADD] = {
        "whitelist:add", "<network>...", 1, ANY_NUMBER,
        "let these addresses use an app: 10.1.2.3, 10.0.0.0/8:office; with the first, nobody else may",
        .options = { APP },
    },
    [COMMAND_WHITELIST_LIST] = {
        "whitelist:list", "", 0, 0, "list the addresses that may use an app",
        .options = { APP, JSON },
        .json = "[]",
    },
    [COMMAND_WHITELIST_REMOVE] = {
        "whitelist:remove", "<network>...", 1, ANY_NUMBER,
        "take addresses off the whitelist; without the last, everybody may",
        .options = { APP },
    },
};

const struct shortcut command_shortcuts[] = {
    { "create", "apps:create" },
    { "destroy", "apps:destroy" },
    { "info", "apps:info" },
    { "login", "auth:login" },
    { "logout", "auth:logout" },
    { "logs", "apps:logs" },
    { "open", "apps:open" },
    { "passwd", "auth:passwd" },
    { "pull", "builds:create" },
    { "register", "auth:register" },
    { "rollback", "releases:rollback" },
    { "run", "apps:run" },
    { "scale", "ps:scale" },
    { "sharing", "perms:list" },
    { "sharing:add", "perms:create" },
    { "sharing:list", "perms:list" },
    { "sharing:remove", "perms:delete" },
    { "whoami", "auth:whoami" },
};

const size_t command_shortcut_count = DEIS_COUNT(command_shortcuts);

const struct command *command_find(struct deis_str name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (deis_str_eq_cstr(name, command_table[i].name)) {
            return &command_table[i];
        }
    }
    return NULL;
}

enum command_id command_id_of(const struct command *c)
{
    return (enum command_id)(c - command_table);
}

struct deis_str command_group(const struct command *c)
{
    struct deis_str name = deis_str(c->name);

    return deis_str_first(name, (size_t)deis_str_find(name, ':'));
}

bool command_group_exists(struct deis_str group)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (deis_str_eq(group, command_group(&command_table[i]))) {
            return true;
        }
    }
    return false;
}

const struct command *command_of_group(struct deis_str group)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *c = &command_table[i];
        struct deis_str verb = deis_str_skip(deis_str(c->name), group.len);
        if (deis_str_eq(group, command_group(c)) && deis_str_eq_cstr(verb, ":list")) {
            return c;
        }
    }
    return NULL;
}

const char *command_expand(const char *name)
{
    for (size_t i = 0; i < command_shortcut_count; i++) {
        if (strcmp(name, command_shortcuts[i].name) == 0) {
            return command_shortcuts[i].full;
        }
    }
    return name;
}

bool command_is_file(const char *value)
{
    return strcmp(value, "<path>") == 0;
}

struct deis_str command_choices(const char *value)
{
    struct deis_str s = deis_str(value);

    if (deis_str_find(s, '|') < 0) {
        return DEIS_STR_NONE;
    }
    return s.ptr[0] == '<' ? deis_str_first(deis_str_skip(s, 1), s.len - 2) : s;
}

const struct option *command_next_option(const struct command *c, const struct option *o)
{
    o = o ? o + 1 : c->options;
    return o < c->options + COMMAND_OPTIONS_MAX && o->name ? o : NULL;
}
