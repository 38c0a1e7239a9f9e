/* SPDX-License-Identifier: MIT */
#include "builder/core/ssh_command.h"

#define USER_MAX       150
#define KEY_TYPE_MAX   64
#define PUBLIC_KEY_MAX 16384

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool only(struct deis_str s, const char *extra)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alnum(s.ptr[i]) && (s.ptr[i] == '\0' || !strchr(extra, s.ptr[i]))) {
            return false;
        }
    }
    return s.len > 0;
}

static bool take_repository(struct deis_str arg, struct deis_str *ret_app)
{
    if (arg.len >= 2 && arg.ptr[0] == '\'' && arg.ptr[arg.len - 1] == '\'') {
        arg = deis_str_n(arg.ptr + 1, arg.len - 2);
    }
    if (deis_str_starts(arg, "/")) {
        arg = deis_str_skip(arg, 1);
    }
    if (deis_str_ends(arg, "/")) {
        arg = deis_str_first(arg, arg.len - 1);
    }
    if (deis_str_ends(arg, ".git")) {
        arg = deis_str_first(arg, arg.len - 4);
    }
    *ret_app = arg;
    return deis_str_is_label(arg);
}

int ssh_command_parse(struct deis_str text, struct ssh_command *ret, struct deis_err *err)
{
    struct deis_str rest = text;
    struct deis_str verb = DEIS_STR_NONE;

    *ret = (struct ssh_command){ .app = DEIS_STR_NONE };
    if (text.len == 0) {
        return deis_err_set(err, DEIS_INVALID,
                            "there is no shell here, only git push and git fetch");
    }
    if (text.len > SSH_COMMAND_MAX) {
        return deis_err_set(err, DEIS_INVALID, "command is longer than %d bytes", SSH_COMMAND_MAX);
    }
    if (deis_str_eq_cstr(text, "ping")) {
        ret->verb = SSH_PING;
        return DEIS_OK;
    }
    deis_str_split(&rest, ' ', &verb);
    if (deis_str_eq_cstr(verb, "git-receive-pack")) {
        ret->verb = SSH_PUSH;
    } else if (deis_str_eq_cstr(verb, "git-upload-pack")) {
        ret->verb = SSH_FETCH;
    } else {
        return deis_err_set(err, DEIS_INVALID, "only git push and git fetch are possible here");
    }
    if (!take_repository(rest, &ret->app)) {
        ret->app = DEIS_STR_NONE;
        return deis_err_set(err, DEIS_INVALID,
                            "repository must be the name of an app, such as 'blog.git'");
    }
    return DEIS_OK;
}

bool ssh_user_ok(struct deis_str user)
{
    return user.len <= USER_MAX && only(user, "_.@+-") &&
           (is_alnum(user.ptr[0]) || user.ptr[0] == '_');
}

bool ssh_fingerprint_ok(struct deis_str fingerprint)
{
    return fingerprint.len == 7 + 43 && deis_str_starts(fingerprint, "SHA256:") &&
           only(deis_str_skip(fingerprint, 7), "+/");
}

bool ssh_public_key_ok(struct deis_str type, struct deis_str key)
{
    return type.len <= KEY_TYPE_MAX && only(type, "-@.") && is_alnum(type.ptr[0]) &&
           key.len <= PUBLIC_KEY_MAX && only(key, "+/=");
}
