/* SPDX-License-Identifier: MIT */
#include "client/core/request.h"

#define PATH_MAX_BYTES 8192

void request_clear(struct request *r)
{
    free(r->path);
    json_decref(r->body);
    *r = (struct request){ 0 };
}

/* "/v1/" and the parts; each '*' in the pattern stands for the next part, encoded. No body. */
static struct request make(const char *method, const char *pattern, const char *a, const char *b,
                           const char *c)
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
    return (struct request){ .method = method, .path = deis_buf_take(&path, NULL) };
}

/* Takes body. One that could not be made must not be taken for none: without a body some requests
 * mean the caller himself. */
static struct request with_body(struct request r, json_t *body)
{
    r.body = body;
    r.unfit = !body;
    return r;
}

static json_t *one(const char *key, const char *value)
{
    return json_pack("{s:s}", key, value);
}

struct request request_check(void)
{
    return make("GET", "", NULL, NULL, NULL);
}

struct request request_register(const char *username, const char *password, const char *email)
{
    return with_body(
        make("POST", "auth/register/", NULL, NULL, NULL),
        json_pack("{s:s, s:s, s:s}", "username", username, "password", password, "email", email));
}

struct request request_login(const char *username, const char *password)
{
    return with_body(make("POST", "auth/login/", NULL, NULL, NULL),
                     json_pack("{s:s, s:s}", "username", username, "password", password));
}

struct request request_regenerate(const char *username, bool all)
{
    struct request r = make("POST", "auth/tokens/", NULL, NULL, NULL);

    if (all) {
        return with_body(r, json_pack("{s:b}", "all", 1));
    }
    return username ? with_body(r, one("username", username)) : r;
}

struct request request_passwd(const char *username, const char *password, const char *new_password)
{
    return with_body(make("POST", "auth/passwd/", NULL, NULL, NULL),
                     json_pack("{s:s*, s:s*, s:s}", "username", username, "password", password,
                               "new_password", new_password));
}

struct request request_cancel(const char *username)
{
    struct request r = make("DELETE", "auth/cancel/", NULL, NULL, NULL);

    return username ? with_body(r, one("username", username)) : r;
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

    return with_limit(make("GET", pattern, NULL, NULL, NULL), limit);
}

struct request request_app_list(const char *app, const char *what, long limit)
{
    return with_limit(make("GET", "apps/*/*/", app, what, NULL), limit);
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
    struct request r = with_limit(make("GET", "audit/", NULL, NULL, NULL), limit);

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
    return make("DELETE", "auth/tokens/*", id, NULL, NULL);
}

struct request request_app_create(const char *id)
{
    struct request r = make("POST", "apps/", NULL, NULL, NULL);

    return id ? with_body(r, one("id", id)) : r;
}

struct request request_app_get(const char *app)
{
    return make("GET", "apps/*/", app, NULL, NULL);
}

struct request request_app_destroy(const char *app)
{
    return make("DELETE", "apps/*/", app, NULL, NULL);
}

struct request request_app_transfer(const char *app, const char *username)
{
    return with_body(make("POST", "apps/*/", app, NULL, NULL), one("owner", username));
}

struct request request_logs(const char *app, long lines, const char *process, bool follow)
{
    struct request r = make("GET", "apps/*/logs", app, NULL, NULL);

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

    if (detach && body) {
        json_object_set_new(body, "detach", json_true());
    }
    return with_body(make("POST", "apps/*/run", app, NULL, NULL), body);
}

struct request request_run_attached(const char *app)
{
    return make("POST", "apps/*/run", app, NULL, NULL);
}

struct request request_stop(const char *app, const char *type, const char *num)
{
    return make("POST", "apps/*/containers/*/*/stop", app, type, num);
}

struct request request_scale(const char *app, json_t *targets)
{
    return with_body(make("POST", "apps/*/scale/", app, NULL, NULL), json_incref(targets));
}

struct request request_restart(const char *app, const char *type, const char *num)
{
    if (!type) {
        return make("POST", "apps/*/containers/restart/", app, NULL, NULL);
    }
    if (!num) {
        return make("POST", "apps/*/containers/*/restart/", app, type, NULL);
    }
    return make("POST", "apps/*/containers/*/*/restart/", app, type, num);
}

struct request request_build(const char *app, const char *image, json_t *procfile)
{
    json_t *body = one("image", image);

    if (body && json_object_size(procfile) > 0) {
        json_object_set(body, "procfile", procfile);
    }
    return with_body(make("POST", "apps/*/builds/", app, NULL, NULL), body);
}

struct request request_config_get(const char *app)
{
    return make("GET", "apps/*/config/", app, NULL, NULL);
}

struct request request_config_set(const char *app, const char *map, json_t *values)
{
    json_t *body = values ? json_object() : NULL;

    if (json_object_size(values) > 0) {
        json_object_set(body, map, values);
    }
    return with_body(make("POST", "apps/*/config/", app, NULL, NULL), body);
}

struct request request_release_get(const char *app, uint64_t version)
{
    deis_autofree char *name = deis_asprintf("v%llu", (unsigned long long)version);

    return make("GET", "apps/*/releases/*/", app, name, NULL);
}

struct request request_rollback(const char *app, uint64_t version)
{
    struct request r = make("POST", "apps/*/releases/rollback/", app, NULL, NULL);

    return version ? with_body(r, json_pack("{s:I}", "version", (json_int_t)version)) : r;
}

struct request request_routing_get(const char *app)
{
    return make("GET", "apps/*/routing/", app, NULL, NULL);
}

struct request request_routing_set(const char *app, json_t *settings)
{
    return with_body(make("POST", "apps/*/routing/", app, NULL, NULL),
                     json_pack("{s:O}", "settings", settings));
}

struct request request_domain_add(const char *app, const char *domain)
{
    return with_body(make("POST", "apps/*/domains/", app, NULL, NULL), one("domain", domain));
}

struct request request_domain_remove(const char *app, const char *domain)
{
    return make("DELETE", "apps/*/domains/*", app, domain, NULL);
}

struct request request_cert_add(const char *certificate, const char *key, const char *common_name)
{
    return with_body(make("POST", "certs/", NULL, NULL, NULL),
                     json_pack("{s:s, s:s, s:s*}", "certificate", certificate, "key", key,
                               "common_name", common_name));
}

struct request request_cert_remove(const char *common_name)
{
    return make("DELETE", "certs/*", common_name, NULL, NULL);
}

struct request request_cert_get(const char *common_name)
{
    return make("GET", "certs/*", common_name, NULL, NULL);
}

struct request request_autocert_add(const char *domain)
{
    return with_body(make("POST", "autocerts/", NULL, NULL, NULL), one("domain", domain));
}

struct request request_autocert_remove(const char *domain)
{
    return make("DELETE", "autocerts/*", domain, NULL, NULL);
}

struct request request_key_add(const char *id, const char *public_key)
{
    return with_body(make("POST", "keys/", NULL, NULL, NULL),
                     json_pack("{s:s, s:s}", "id", id, "public", public_key));
}

struct request request_key_remove(const char *id)
{
    return make("DELETE", "keys/*", id, NULL, NULL);
}

struct request request_perms_list(const char *app, long limit)
{
    return app ? make("GET", "apps/*/perms/", app, NULL, NULL) : request_list("admin/perms", limit);
}

struct request request_perm_create(const char *app, const char *username)
{
    struct request r = app ? make("POST", "apps/*/perms/", app, NULL, NULL)
                           : make("POST", "admin/perms/", NULL, NULL, NULL);

    return with_body(r, one("username", username));
}

struct request request_perm_delete(const char *app, const char *username)
{
    return app ? make("DELETE", "apps/*/perms/*", app, username, NULL)
               : make("DELETE", "admin/perms/*", username, NULL, NULL);
}
