/* SPDX-License-Identifier: MIT */
/* What the client asks of the controller: method, path and body of each request. thread: any */
#ifndef CLIENT_CORE_REQUEST_H
#define CLIENT_CORE_REQUEST_H

#include "lib/wire/json.h"

struct request {
    const char *method;
    char *path;   /* from "/v1/" on, encoded */
    json_t *body; /* or NULL */
    bool unfit;   /* the body can't be made, one of its texts is no UTF-8: not to be sent */
};

#define request_auto __attribute__((cleanup(request_clear)))
void request_clear(struct request *r);

struct request request_check(void);
struct request request_register(const char *username, const char *password, const char *email);
struct request request_login(const char *username, const char *password);
struct request request_regenerate(const char *username, bool all);
struct request request_passwd(const char *username, const char *password, const char *new_password);
struct request request_cancel(const char *username);

/* "GET /v1/<what>/?page_size=<limit>"; what = "users", "keys", "certs", "apps",
 * "auth/tokens", "admin/perms". */
struct request request_list(const char *what, long limit);
/* The same below an app: what = "builds", "releases", "containers", "domains". */
struct request request_app_list(const char *app, const char *what, long limit);
/* Containers with machine, age and restarts. */
struct request request_containers_detail(const char *app, long limit);
/* A list of containers also has the one-off commands that run; changes r. */
void request_add_runs(struct request *r);
/* A list's further page, 2 and up; changes r. */
void request_set_page(struct request *r, long page);
/* app, username: NULL = all. */
struct request request_audit(const char *app, const char *username, long limit);
struct request request_token_revoke(const char *id);

struct request request_app_create(const char *id); /* NULL = the controller chooses */
struct request request_app_get(const char *app);
struct request request_app_destroy(const char *app);
struct request request_app_transfer(const char *app, const char *username);
/* lines <= 0: not sent; process NULL: all */
struct request request_logs(const char *app, long lines, const char *process, bool follow);
struct request request_run(const char *app, const char *command, bool detach);
/* To be upgraded: the command goes over the connection. */
struct request request_run_attached(const char *app);
struct request request_stop(const char *app, const char *type, const char *num);

/* targets, maps, procfile: borrowed; type -> count, field -> value. */
struct request request_scale(const char *app, json_t *targets);
struct request request_restart(const char *app, const char *type, const char *num); /* or NULL */
struct request request_build(const char *app, const char *image, json_t *procfile); /* or NULL */

struct request request_config_get(const char *app);
/* map = "values", "memory", "cpu" or "tags"; an empty one is not sent. */
struct request request_config_set(const char *app, const char *map, json_t *values);

struct request request_release_get(const char *app, uint64_t version);
struct request request_rollback(const char *app, uint64_t version); /* 0 = by one */

struct request request_routing_get(const char *app);
/* settings: borrowed; null unsets. */
struct request request_routing_set(const char *app, json_t *settings);
struct request request_domain_add(const char *app, const char *domain);
struct request request_domain_remove(const char *app, const char *domain);
struct request request_cert_add(const char *certificate, const char *key, const char *common_name);
struct request request_cert_remove(const char *common_name);
struct request request_cert_get(const char *common_name);
struct request request_autocert_add(const char *domain);
struct request request_autocert_remove(const char *domain);
struct request request_key_add(const char *id, const char *public_key);
struct request request_key_remove(const char *id);
/* app NULL: the platform's administrators. */
struct request request_perms_list(const char *app, long limit);
struct request request_perm_create(const char *app, const char *username);
struct request request_perm_delete(const char *app, const char *username);

#endif
