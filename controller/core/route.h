/* SPDX-License-Identifier: MIT */
/*
 * The routes of the API as data. A row is (method, pattern, handler, right); the shell declares one
 * handler for each name, so a handler without a row, or a row without a handler, does not build. In
 * a pattern ":name" takes one whole path segment, "x:name" one that begins with x. A final slash is
 * optional on every route. The first row that fits wins. Pure. thread: any
 */
#ifndef CONTROLLER_CORE_ROUTE_H
#define CONTROLLER_CORE_ROUTE_H

#include "controller/core/access.h"

#include "lib/base/buf.h"

/* clang-format off */
#define CONTROLLER_ROUTES(X)                                                                         \
    X(GET,    "/v1",                                         root,              ACCESS_USER)         \
    X(GET,    "/v1/openapi.json",                            openapi,           ACCESS_ANYONE)       \
    X(POST,   "/v1/auth/register",                           auth_register,     ACCESS_ANYONE)       \
    X(POST,   "/v1/auth/login",                              auth_login,        ACCESS_ANYONE)       \
    X(POST,   "/v1/auth/tokens",                             auth_tokens,       ACCESS_USER)         \
    X(GET,    "/v1/auth/tokens",                             tokens_list,       ACCESS_USER)         \
    X(DELETE, "/v1/auth/tokens/:token",                      tokens_remove,     ACCESS_USER)         \
    X(POST,   "/v1/auth/passwd",                             auth_passwd,       ACCESS_USER)         \
    X(DELETE, "/v1/auth/cancel",                             auth_cancel,       ACCESS_USER)         \
    X(GET,    "/v1/users",                                   users_list,        ACCESS_ADMIN)        \
    X(GET,    "/v1/audit",                                   audit_list,        ACCESS_ADMIN)        \
    X(GET,    "/v1/admin/perms",                             admins_list,       ACCESS_ADMIN)        \
    X(POST,   "/v1/admin/perms",                             admins_add,        ACCESS_ADMIN)        \
    X(DELETE, "/v1/admin/perms/:user",                       admins_remove,     ACCESS_ADMIN)        \
    X(GET,    "/v1/keys",                                    keys_list,         ACCESS_USER)         \
    X(POST,   "/v1/keys",                                    keys_add,          ACCESS_USER)         \
    X(GET,    "/v1/keys/:key",                               keys_get,          ACCESS_USER)         \
    X(DELETE, "/v1/keys/:key",                               keys_remove,       ACCESS_USER)         \
    X(GET,    "/v1/certs",                                   certs_list,        ACCESS_USER)         \
    X(POST,   "/v1/certs",                                   certs_add,         ACCESS_USER)         \
    X(GET,    "/v1/certs/:cn",                               certs_get,         ACCESS_USER)         \
    X(DELETE, "/v1/certs/:cn",                               certs_remove,      ACCESS_USER)         \
    X(GET,    "/v1/autocerts",                               autocerts_list,    ACCESS_USER)         \
    X(POST,   "/v1/autocerts",                               autocerts_add,     ACCESS_USER)         \
    X(GET,    "/v1/autocerts/:domain",                       autocerts_get,     ACCESS_USER)         \
    X(DELETE, "/v1/autocerts/:domain",                       autocerts_remove,  ACCESS_USER)         \
    X(GET,    "/v1/apps",                                    apps_list,         ACCESS_USER)         \
    X(POST,   "/v1/apps",                                    apps_create,       ACCESS_USER)         \
    X(GET,    "/v1/apps/:app",                               apps_get,          ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app",                               apps_update,       ACCESS_APP_USE)      \
    X(DELETE, "/v1/apps/:app",                               apps_destroy,      ACCESS_APP_OWN)      \
    X(GET,    "/v1/apps/:app/config",                        config_get,        ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/config",                        config_set,        ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/builds",                        builds_list,       ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/builds",                        builds_create,     ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/builds/:uuid",                  builds_get,        ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/releases",                      releases_list,     ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/releases/rollback",             releases_rollback, ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/releases/v:version",            releases_get,      ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/containers",                    containers_list,   ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/containers/restart",            containers_restart, ACCESS_APP_USE)     \
    X(POST,   "/v1/apps/:app/containers/:type/restart",      containers_restart_type, ACCESS_APP_USE) \
    X(POST,   "/v1/apps/:app/containers/:type/:num/restart", containers_restart_one, ACCESS_APP_USE) \
    X(GET,    "/v1/apps/:app/containers/:type",              containers_type,   ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/containers/:type/:num",         containers_get,    ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/containers/:type/:num/stop",    containers_stop,   ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/scale",                         apps_scale,        ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/logs",                          apps_logs,         ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/run",                           apps_run,          ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/domains",                       domains_list,      ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/domains",                       domains_add,       ACCESS_APP_USE)      \
    X(DELETE, "/v1/apps/:app/domains/:domain",               domains_remove,    ACCESS_APP_OWN)      \
    X(GET,    "/v1/apps/:app/routing",                       routing_get,       ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/routing",                       routing_set,       ACCESS_APP_USE)      \
    X(GET,    "/v1/apps/:app/perms",                         perms_list,        ACCESS_APP_USE)      \
    X(POST,   "/v1/apps/:app/perms",                         perms_add,         ACCESS_APP_OWN)      \
    X(DELETE, "/v1/apps/:app/perms/:user",                   perms_remove,      ACCESS_APP_REVOKE)   \
    X(POST,   "/v1/hooks/push",                              hooks_push,        ACCESS_HOOK)         \
    X(POST,   "/v1/hooks/config",                            hooks_config,      ACCESS_HOOK)         \
    X(POST,   "/v1/hooks/build",                             hooks_build,       ACCESS_HOOK)         \
    X(POST,   "/v1/hooks/builds",                            hooks_builds,      ACCESS_HOOK)

/* clang-format on */

enum route_id {

#define CONTROLLER_ROUTE_ID(method, pattern, handler, right) ROUTE_##handler,
    CONTROLLER_ROUTES(CONTROLLER_ROUTE_ID)
#undef CONTROLLER_ROUTE_ID
        ROUTE_COUNT
};

struct route {
    const char *method;
    const char *pattern;
    enum route_id id;
    enum access_right right;
};

#define ROUTE_PARAMS_MAX  3
#define ROUTE_SEGMENT_MAX 600 /* decoded bytes: a key id of 128 characters fits */
#define ROUTE_ALLOW_MAX   64

struct route_match {
    const struct route *route;   /* NULL: the path is known but not with this method */
    const struct route *path;    /* a row of that path */
    char allow[ROUTE_ALLOW_MAX]; /* "GET, HEAD, POST": the methods of the path */
    size_t param_count;
    char name[ROUTE_PARAMS_MAX][12];
    char *param[ROUTE_PARAMS_MAX]; /* decoded; owned */
};

/* The whole table, ROUTE_COUNT rows. */
const struct route *route_table(void);
/* path: raw, without the query. HEAD matches as GET. False: no such path; *ret is then empty. Clear
 * *ret with route_match_clear() in both cases. */
bool route_find(struct deis_str method, struct deis_str path, struct route_match *ret);
void route_match_clear(struct route_match *m);
/* Value of a parameter of the pattern; NULL when there is none of that name. */
const char *route_param(const struct route_match *m, const char *name);

#endif
