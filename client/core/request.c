/* SPDX-License-Identifier: MIT */
#include "client/core/request.h"

#define PATH_MAX_BYTES 8192

void request_clear(struct request *r)
{
    free(r->path);
    json_decref(r->body);
    *r = (struct request){ 0 };
}

/* "/v1/" and the parts; each '*' in the pattern stands for the next part, encoded. */
static struct request make(const char *method, json_t *body, const char *pattern, const char *a,
                           const char *b, const char *c)
{
    const char *parts[] = { a, b, c };
    size_t next = 0;
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(PATH_MAX_BYTES);

    deis_buf_add_cstr(&path, "/v1/");
    for (const char *p = pattern; *p; p++) {
        if (*p == '*') {
            deis_buf_add_urlencoded(&path, deis_str(parts[next++]), false);
        } else {
            deis_buf_add_char(&path, *p);
        }
    }
    return (struct request){ method, deis_buf_take(&path, NULL), body };
}

static json_t *one(const char *key, const char *value)
{
    return json_pack("{s:s}", key, value);
}

struct request request_check(void)
{
    return make("GET", NULL, "", NULL, NULL, NULL);
}

struct request request_register(const char *username, const char *password, const char *email)
{
    return make(
        "POST",
        json_pack("{s:s, s:s, s:s}", "username", username, "password", password, "email", email),
        "auth/register/", NULL, NULL, NULL);
}

struct request request_login(const char *username, const char *password)
{
    return make("POST", json_pack("{s:s, s:s}", "username", username, "password", password),
                "auth/login/", NULL, NULL, NULL);
}

struct request request_regenerate(const char *username, bool all)
{
    json_t *body = NULL;

    if (all) {
        body = json_pack("{s:b}", "all", 1);
    } else if (username) {
        body = one("username", username);
    }
    return make("POST", body, "auth/tokens/", NULL, NULL, NULL);
}

struct request request_passwd(const char *username, const char *password, const char *new_password)
{
    return make("POST",
                json_pack("{s:s*, s:s*, s:s}", "username", username, "password", password,
                          "new_password", new_password),
                "auth/passwd/", NULL, NULL, NULL);
}

struct request request_cancel(const char *username)
{
    return make("DELETE", username ? one("username", username) : NULL, "auth/cancel/", NULL, NULL,
                NULL);
}

static void add_parameter(struct request *r, const char *name, const char *value)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(PATH_MAX_BYTES);

    deis_buf_addf(&path, "%s%c%s=", r->path, strchr(r->path, '?') ? '&' : '?', name);
    deis_buf_add_urlencoded(&path, deis_str(value), false);
    free(r->path);
    r->path = deis_buf_take(&path, NULL);
}

static struct request with_limit(struct request r, long limit)
{
    deis_autofree char *text = deis_asprintf("%ld", limit);

    add_parameter(&r, "page_size", text);
    return r;
}

void request_set_page(struct request *r, long page)
{
    deis_autofree char *text = deis_asprintf("%ld", page);
    char *old = strstr(r->path, "&page=");

    if (old) {
        *old = '\0';
    }
    add_parameter(r, "page", text);
}

struct request request_list(const char *what, long limit)
{
    deis_autofree char *pattern = deis_asprintf("%s/", what);

    return with_limit(make("GET", NULL, pattern, NULL, NULL, NULL), limit);
}

struct request request_app_list(const char *app, const char *what, long limit)
{
    return with_limit(make("GET", NULL, "apps/*/*/", app, what, NULL), limit);
}

struct request request_containers_detail(const char *app, long limit)
{
    struct request r = request_app_list(app, "containers", limit);

    add_parameter(&r, "detail", "true");
    return r;
}

void request_add_runs(struct request *r)
{
    add_parameter(r, "runs", "true");
}

struct request request_audit(const char *app, const char *username, long limit)
{
    struct request r = with_limit(make("GET", NULL, "audit/", NULL, NULL, NULL), limit);

    if (app) {
        add_parameter(&r, "app", app);
    }
    if (username) {
        add_parameter(&r, "user", username);
    }
    return r;
}

struct request request_token_revoke(const char *id)
{
    return make("DELETE", NULL, "auth/tokens/*", id, NULL, NULL);
}

struct request request_app_create(const char *id)
{
    return make("POST", id ? one("id", id) : NULL, "apps/", NULL, NULL, NULL);
}

struct request request_app_get(const char *app)
{
    return make("GET", NULL, "apps/*/", app, NULL, NULL);
}

struct request request_app_destroy(const char *app)
{
    return make("DELETE", NULL, "apps/*/", app, NULL, NULL);
}

struct request request_app_transfer(const char *app, const char *username)
{
    return make("POST", one("owner", username), "apps/*/", app, NULL, NULL);
}

struct request request_logs(const char *app, long lines, const char *process, bool follow)
{
    struct request r = make("GET", NULL, "apps/*/logs", app, NULL, NULL);

    if (lines > 0) {
        deis_autofree char *count = deis_asprintf("%ld", lines);
        add_parameter(&r, "log_lines", count);
    }
    if (process) {
        add_parameter(&r, "process", process);
    }
    if (follow) {
        add_parameter(&r, "follow", "true");
    }
    return r;
}

struct request request_run(const char *app, const char *command, bool detach)
{
    json_t *body = one("command", command);

    if (detach) {
        json_object_set_new(body, "detach", json_true());
    }
    return make("POST", body, "apps/*/run", app, NULL, NULL);
}

struct request request_run_attached(const char *app)
{
    return make("POST", NULL, "apps/*/run", app, NULL, NULL);
}

struct request request_stop(const char *app, const char *type, const char *num)
{
    return make("POST", NULL, "apps/*/containers/*/*/stop", app, type, num);
}

struct request request_scale(const char *app, json_t *targets)
{
    return make("POST", json_incref(targets), "apps/*/scale/", app, NULL, NULL);
}

struct request request_restart(const char *app, const char *type, const char *num)
{
    if (!type) {
        return make("POST", NULL, "apps/*/containers/restart/", app, NULL, NULL);
    }
    if (!num) {
        return make("POST", NULL, "apps/*/containers/*/restart/", app, type, NULL);
    }
    return make("POST", NULL, "apps/*/containers/*/*/restart/", app, type, num);
}

struct request request_build(const char *app, const char *image, json_t *procfile)
{
    json_t *body = one("image", image);

    if (json_object_size(procfile) > 0) {
        json_object_set(body, "procfile", procfile);
    }
    return make("POST", body, "apps/*/builds/", app, NULL, NULL);
}

struct request request_config_get(const char *app)
{
    return make("GET", NULL, "apps/*/config/", app, NULL, NULL);
}

struct request request_config_set(const char *app, const char *map, json_t *values)
{
    json_t *body = json_object();

    if (json_object_size(values) > 0) {
        json_object_set(body, map, values);
    }
    return make("POST", body, "apps/*/config/", app, NULL, NULL);
}

struct request request_release_get(const char *app, uint64_t version)
{
    deis_autofree char *name = deis_asprintf("v%llu", (unsigned long long)version);

    return make("GET", NULL, "apps/*/releases/*/", app, name, NULL);
}

struct request request_rollback(const char *app, uint64_t version)
{
    json_t *body = version ? json_pack("{s:I}", "version", (json_int_t)version) : NULL;

    return make("POST", body, "apps/*/releases/rollback/", app, NULL, NULL);
}

struct request request_routing_get(const char *app)
{
    return make("GET", NULL, "apps/*/routing/", app, NULL, NULL);
}

struct request request_routing_set(const char *app, json_t *settings)
{
    return make("POST", json_pack("{s:O}", "settings", settings), "apps/*/routing/", app, NULL,
                NULL);
}

struct request request_domain_add(const char *app, const char *domain)
{
    return make("POST", one("domain", domain), "apps/*/domains/", app, NULL, NULL);
}

struct request request_domain_remove(const char *app, const char *domain)
{
    return make("DELETE", NULL, "apps/*/domains/*", app, domain, NULL);
}

struct request request_cert_add(const char *certificate, const char *key, const char *common_name)
{
    return make("POST",
                json_pack("{s:s, s:s, s:s*}", "certificate", certificate, "key", key, "common_name",
                          common_name),
                "certs/", NULL, NULL, NULL);
}

struct request request_cert_remove(const char *common_name)
{
    return make("DELETE", NULL, "certs/*", common_name, NULL, NULL);
}

struct request request_cert_get(const char *common_name)
{
    return make("GET", NULL, "certs/*", common_name, NULL, NULL);
}

struct request request_autocert_add(const char *domain)
{
    return make("POST", one("domain", domain), "autocerts/", NULL, NULL, NULL);
}

struct request request_autocert_remove(const char *domain)
{
    return make("DELETE", NULL, "autocerts/*", domain, NULL, NULL);
}

struct request request_key_add(const char *id, const char *public_key)
{
    return make("POST", json_pack("{s:s, s:s}", "id", id, "public", public_key), "keys/", NULL,
                NULL, NULL);
}

struct request request_key_remove(const char *id)
{
    return make("DELETE", NULL, "keys/*", id, NULL, NULL);
}

struct request request_perms_list(const char *app, long limit)
{
    return app ? make("GET", NULL, "apps/*/perms/", app, NULL, NULL)
               : request_list("admin/perms", limit);
}

struct request request_perm_create(const char *app, const char *username)
{
    json_t *body = one("username", username);

    return app ? make("POST", body, "apps/*/perms/", app, NULL, NULL)
               : make("POST", body, "admin/perms/", NULL, NULL, NULL);
}

struct request request_perm_delete(const char *app, const char *username)
{
    return app ? make("DELETE", NULL, "apps/*/perms/*", app, username, NULL)
               : make("DELETE", NULL, "admin/perms/*", username, NULL, NULL);
}
