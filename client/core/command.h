/* SPDX-License-Identifier: MIT */
/*
 * The table of commands. It alone drives dispatch, options, usage and help; the shell adds one
 * function for each row, by its id. thread: any
 */
#ifndef CLIENT_CORE_COMMAND_H
#define CLIENT_CORE_COMMAND_H

#include "lib/base/str.h"

#define COMMAND_OPTIONS_MAX 6
#define COMMAND_RIVALS      2

enum command_id {
    COMMAND_APPS_CREATE,
    COMMAND_APPS_DESTROY,
    COMMAND_APPS_INFO,
    COMMAND_APPS_LIST,
    COMMAND_APPS_LOGS,
    COMMAND_APPS_OPEN,
    COMMAND_APPS_RUN,
    COMMAND_APPS_TRANSFER,
    COMMAND_AUDIT_LIST,
    COMMAND_AUTH_CANCEL,
    COMMAND_AUTH_LOGIN,
    COMMAND_AUTH_LOGOUT,
    COMMAND_AUTH_PASSWD,
    COMMAND_AUTH_REGENERATE,
    COMMAND_AUTH_REGISTER,
    COMMAND_AUTH_REVOKE,
    COMMAND_AUTH_TOKENS,
    COMMAND_AUTH_WHOAMI,
    COMMAND_BUILDS_CREATE,
    COMMAND_BUILDS_LIST,
    COMMAND_CERTS_ADD,
    COMMAND_CERTS_AUTO,
    COMMAND_CERTS_AUTO_LIST,
    COMMAND_CERTS_AUTO_OFF,
    COMMAND_CERTS_INFO,
    COMMAND_CERTS_LIST,
    COMMAND_CERTS_REMOVE,
    COMMAND_COMPLETION,
    COMMAND_CONFIG_GET,
    COMMAND_CONFIG_LIST,
    COMMAND_CONFIG_PULL,
    COMMAND_CONFIG_PUSH,
    COMMAND_CONFIG_SET,
    COMMAND_CONFIG_UNSET,
    COMMAND_DOMAINS_ADD,
    COMMAND_DOMAINS_LIST,
    COMMAND_DOMAINS_REMOVE,
    COMMAND_GIT_REMOTE,
    COMMAND_KEYS_ADD,
    COMMAND_KEYS_LIST,
    COMMAND_KEYS_REMOVE,
    COMMAND_LIMITS_LIST,
    COMMAND_LIMITS_SET,
    COMMAND_LIMITS_UNSET,
    COMMAND_MAINTENANCE_OFF,
    COMMAND_MAINTENANCE_ON,
    COMMAND_MAN,
    COMMAND_PERMS_CREATE,
    COMMAND_PERMS_DELETE,
    COMMAND_PERMS_LIST,
    COMMAND_PS_LIST,
    COMMAND_PS_RESTART,
    COMMAND_PS_SCALE,
    COMMAND_PS_STOP,
    COMMAND_RELEASES_INFO,
    COMMAND_RELEASES_LIST,
    COMMAND_RELEASES_ROLLBACK,
    COMMAND_ROUTING_LIST,
    COMMAND_ROUTING_SET,
    COMMAND_ROUTING_UNSET,
    COMMAND_TAGS_LIST,
    COMMAND_TAGS_SET,
    COMMAND_TAGS_UNSET,
    COMMAND_USERS_LIST,
    COMMAND_WHITELIST_ADD,
    COMMAND_WHITELIST_LIST,
    COMMAND_WHITELIST_REMOVE,
    COMMAND_COUNT,
};

/* What a command can be told by options; the same meaning has the same id everywhere. */
enum option_id {
    OPTION_ADMIN,
    OPTION_ALL,
    OPTION_APP,
    OPTION_BUILDPACK,
    OPTION_COMMON_NAME,
    OPTION_CONFIRM,
    OPTION_CPU,
    OPTION_DETACH,
    OPTION_DETAIL,
    OPTION_EMAIL,
    OPTION_FROM_FILE,
    OPTION_INTERACTIVE,
    OPTION_JSON,
    OPTION_LIMIT,
    OPTION_LINES,
    OPTION_MEMORY,
    OPTION_NEW_PASSWORD,
    OPTION_NO_REMOTE,
    OPTION_NO_TTY,
    OPTION_ONELINE,
    OPTION_OVERWRITE,
    OPTION_PASSWORD,
    OPTION_PATH,
    OPTION_PROCFILE,
    OPTION_PS,
    OPTION_REMOTE,
    OPTION_SSL_VERIFY,
    OPTION_STDIN,
    OPTION_SUBJECT_ALT_NAME,
    OPTION_TAIL,
    OPTION_USERNAME,
    OPTION_YES,
    OPTION_COUNT,
};

struct option {
    enum option_id id;
    char letter;       /* 0 = none */
    const char *name;  /* without dashes */
    const char *value; /* what stands for its argument in help; NULL = a flag */
    const char *help;
    bool many; /* may be given again and again; one such option in a command at most */
};

struct command {
    const char *name;  /* "apps:create" */
    const char *words; /* as in usage: "<id>..." */
    size_t min_words;
    size_t max_words;
    const char *summary;
    struct option options[COMMAND_OPTIONS_MAX]; /* ends with a NULL name */
    /* Options of which one at most may be given. */
    enum option_id rivals[COMMAND_RIVALS];
    bool has_rivals;
    /* Options that stand for the words: with one of them there may be none. */
    enum option_id instead[COMMAND_RIVALS];
    bool has_instead;
    bool rest_after_dashes; /* "--" ends the options */
    bool takes_files;       /* its words are names of files */
    /* What --json prints, see shape.h; a command has the option when it has this. */
    const char *json;
};

extern const struct command command_table[COMMAND_COUNT];

struct shortcut {
    const char *name;
    const char *full;
};

extern const struct shortcut command_shortcuts[];
extern const size_t command_shortcut_count;

/* The row of "apps:create", or NULL. */
const struct command *command_find(struct deis_str name);
enum command_id command_id_of(const struct command *c);
/* "apps" of "apps:create". */
struct deis_str command_group(const struct command *c);
bool command_group_exists(struct deis_str group);
/* What a bare group means ("apps" is "apps:list"), or NULL when its help is shown. */
const struct command *command_of_group(struct deis_str group);
/* Does this argument, as in usage ("<path>"), name a file? */
bool command_is_file(const char *value);
/* Its choices with '|' between them ("true|false"), or NONE when it has none. */
struct deis_str command_choices(const char *value);
/* The options of a row one by one: NULL after the last; start with NULL. */
const struct option *command_next_option(const struct command *c, const struct option *o);
/* The full name of a shortcut, else name itself. */
const char *command_expand(const char *name);

#endif
