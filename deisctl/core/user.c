/* SPDX-License-Identifier: MIT */
#include "deisctl/core/user.h"

#define NAME_MAX_LEN 30
#define EMAIL_MAX    75
#define PASSWORD_MAX 128

int user_check(const char *name, const char *email, struct deis_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_.@+-";
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_LEN || strspn(name, allowed) != len) {
        return deis_err_set(err, DEIS_INVALID,
                            "a user name has %d letters, digits or _.@+- at most", NAME_MAX_LEN);
    }
    if (*email && (strlen(email) > EMAIL_MAX || !strchr(email, '@') ||
                   strpbrk(email, " \t\r\n\"\\") || !deis_str_is_utf8(deis_str(email)))) {
        return deis_err_set(err, DEIS_INVALID, "the email address is not valid");
    }
    return DEIS_OK;
}

int user_check_password(const char *password, struct deis_err *err)
{
    size_t len = strlen(password);

    if (len == 0 || len > PASSWORD_MAX) {
        return deis_err_set(err, DEIS_INVALID, "the password must have 1 to %d bytes",
                            PASSWORD_MAX);
    }
    return DEIS_OK;
}

json_t *user_document(const char *name, const char *email, const char *hash, const char *now)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:b, s:s}", "username", name, "email",
                     email, "first_name", "", "last_name", "", "is_active", 1, "date_joined", now,
                     "last_login", now, "is_superuser", 1, "password", hash);
}

json_t *user_audit(const char *name, const char *now, const char *id)
{
    deis_autofree char *object = deis_asprintf("user/%s", name);

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "time", now, "user", "deisctl", "action",
                     "user.bootstrap", "object", object, "result", "done", "request", id);
}
