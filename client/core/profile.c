/* SPDX-License-Identifier: MIT */
#include "client/core/profile.h"

#include "lib/wire/json.h"
#include "lib/wire/url.h"

#define LIMIT_MAX 1000000

static int copy_text(const json_t *obj, const char *key, char **ret, struct deis_err *err)
{
    const char *text = NULL;

    int r = deis_json_str_or(obj, key, "", &text, err);
    if (r == 0) {
        *ret = deis_strdup(text);
    }
    return r;
}

static long limit_of(const json_t *obj)
{
    json_int_t n = json_integer_value(json_object_get(obj, "response_limit"));

    return n > 0 && n <= LIMIT_MAX ? (long)n : PROFILE_LIMIT_DEFAULT;
}

int profile_parse(struct deis_str text, struct profile *ret, struct deis_err *err)
{
    uint64_t port = PROFILE_SSH_PORT;

    *ret = (struct profile){ .response_limit = PROFILE_LIMIT_DEFAULT };
    deis_autojson json_t *obj = deis_json_parse(text, err);
    if (!obj) {
        return err->code;
    }
    int r = json_is_object(obj) ? 0 : deis_err_set(err, DEIS_INVALID, "profile is no JSON object");
    r = r < 0 ? r : copy_text(obj, "username", &ret->username, err);
    r = r < 0 ? r : copy_text(obj, "controller", &ret->controller, err);
    r = r < 0 ? r : copy_text(obj, "token", &ret->token, err);
    r = r < 0 ? r : deis_json_bool_or(obj, "ssl_verify", false, &ret->ssl_verify, err);
    r = r < 0 ? r : deis_json_u64_or(obj, "ssh_port", PROFILE_SSH_PORT, &port, err);
    if (r == 0 && (port == 0 || port > UINT16_MAX)) {
        r = deis_err_set(err, DEIS_INVALID, "field 'ssh_port' must be a port");
    }
    if (r < 0) {
        profile_clear(ret);
        return r;
    }
    ret->ssh_port = (uint16_t)port;
    ret->response_limit = limit_of(obj);
    return 0;
}

char *profile_format(const struct profile *p)
{
    deis_autojson json_t *obj =
        json_pack("{s:s, s:b, s:s, s:s, s:I}", "username", p->username, "ssl_verify", p->ssl_verify,
                  "controller", p->controller, "token", p->token, "response_limit",
                  (json_int_t)p->response_limit);

    if (obj && p->ssh_port != PROFILE_SSH_PORT) {
        json_object_set_new(obj, "ssh_port", json_integer(p->ssh_port));
    }
    return deis_json_dump(obj);
}

void profile_clear(struct profile *p)
{
    free(p->username);
    free(p->controller);
    if (p->token) {
        explicit_bzero(p->token, strlen(p->token));
    }
    free(p->token);
    *p = (struct profile){ 0 };
}

int profile_path(const char *home, const char *name, char **ret, struct deis_err *err)
{
    if (!home || !home[0]) {
        return deis_err_set(err, DEIS_INVALID, "environment variable HOME is not set");
    }
    if (!name || !name[0]) {
        name = "client";
    }
    if (strchr(name, '/')) {
        return deis_err_set(err, DEIS_INVALID, "DEIS_PROFILE '%s' must not have a slash", name);
    }
    *ret = deis_asprintf("%s/.deis/%s.json", home, name);
    return 0;
}

static int split(const char *controller, struct deis_url *ret, struct deis_err *err)
{
    int r = deis_url_parse(deis_str(controller), ret, err);

    if (r == 0 && (ret->host.len == 0 || (!deis_str_eq_cstr(ret->scheme, "http") &&
                                          !deis_str_eq_cstr(ret->scheme, "https")))) {
        r = deis_err_set(err, DEIS_INVALID, "scheme must be http or https");
    }
    return r;
}

int profile_controller(const char *typed, char **ret, struct deis_err *err)
{
    struct deis_url url;
    deis_autofree char *full =
        strstr(typed, "://") ? deis_strdup(typed) : deis_asprintf("http://%s", typed);

    if (split(full, &url, err) < 0) {
        return deis_err_wrap(err, "'%s' is no controller URL", typed);
    }
    *ret = DEIS_TAKE(full);
    return 0;
}

char *profile_base_url(const char *controller)
{
    struct deis_url url;
    struct deis_err err;

    if (split(controller, &url, &err) < 0) {
        return NULL;
    }
    bool v6 = deis_str_find(url.host, ':') >= 0;
    deis_autofree char *host = deis_asprintf("%.*s://%s%.*s%s", DEIS_STR_ARG(url.scheme),
                                             v6 ? "[" : "", DEIS_STR_ARG(url.host), v6 ? "]" : "");
    return url.port ? deis_asprintf("%s:%u", host, url.port) : deis_strdup(host);
}

char *profile_host(const char *controller)
{
    struct deis_url url;
    struct deis_err err;

    return split(controller, &url, &err) < 0 ? NULL : deis_str_dup(url.host);
}
