/* SPDX-License-Identifier: MIT */
#include "controller/core/openapi_rows.h"

#include "controller/core/route.h"

#define NEW_BUILD "image:string sha:string~? procfile:texts~? dockerfile:string~?"
#define HOOK      "receive_user:string receive_repo:string"
#define CHANGE    "values:any~ memory:any~ cpu:any~ tags:any~"
#define PERSON    "username:string password:string email:string~ first_name:string~ last_name:string~"

const struct openapi_schema openapi_schemas[] = {
    { "Nothing", "" },
    { "User", "username:string email:string first_name:string last_name:string "
              "is_superuser:boolean is_staff:boolean is_active:boolean date_joined:time "
              "last_login:time groups:any[] user_permissions:any[]" },
    { "Token", "token:string" },
    { "Login", "id:string created:time last_used:time? current:boolean" },
    { "Status", "status:string" },
    { "Entry", "time:time user:string action:string object:string result:string request:string "
               "source:string~" },
    { "Admin", "username:string is_superuser:boolean" },
    { "Key", "uuid:string owner:string id:string public:string fingerprint:string created:time "
             "updated:time" },
    { "Cert", "id:integer owner:string common_name:string expires:time created:time updated:time "
              "auto:boolean~" },
    { "CertInfo", "id:integer~ owner:string common_name:string expires:time? created:time "
                  "updated:time auto:boolean~ state:string~ detail:string~ app:string~" },
    { "Autocert", "domain:string app:string owner:string state:string detail:string "
                  "attempts:integer expires:time? created:time updated:time" },
    { "App", "uuid:string id:string owner:string structure:counts url:string created:time "
             "updated:time" },
    { "Config", "uuid:string app:string owner:string values:texts memory:any cpu:any tags:any "
                "created:time updated:time" },
    { "Build", "uuid:string app:string owner:string image:string sha:string procfile:texts "
               "dockerfile:string created:time updated:time" },
    { "Release", "uuid:string app:string owner:string version:integer summary:string "
                 "config:string build:string? created:time updated:time" },
    { "Version", "version:integer" },
    { "Container", "uuid:string app:string owner:string release:string type:string num:integer "
                   "state:string created:time updated:time machine:string?~ ready:boolean~ "
                   "since:time?~ restarts:integer~ exit:Exit?~ reason:string~" },
    { "Exit", "code:integer oom:boolean error:string at:time?" },
    { "Domain", "app:string owner:string domain:string created:time updated:time" },
    { "Routing", "app:string settings:any config_whitelist:string[] updated:time?" },
    { "Users", "users:string[]" },
    { "Push", "uuid:string owner:string app:string receive_user:string receive_repo:string "
              "sha:string fingerprint:string ssh_connection:string ssh_original_command:string "
              "created:time updated:time" },
    { "Deployed", "release:Version domains:string[]" },
    { 0 },
};

/* clang-format off */
const struct openapi_row openapi_rows[] = {
    [ROUTE_root] = { "Is the token good?", "200:Nothing", NULL, NULL },
    [ROUTE_openapi] = { "This document", "200:any", NULL, NULL },
    [ROUTE_auth_register] = { "Register a user", "201:User", PERSON, NULL },
    [ROUTE_auth_login] = { "Log in: a new token", "200:Token", "username:string password:string", NULL },
    [ROUTE_auth_tokens] = { "Replace all tokens by a new one (of a user or all: administrators)", "200:any",
                            "username:string~ all:any~", NULL },
    [ROUTE_tokens_list] = { "Own tokens, newest first", "200:Login*", NULL, NULL },
    [ROUTE_tokens_remove] = { "Revoke a token", "204", NULL, NULL },
    [ROUTE_auth_passwd] = { "Change a password", "200:Status",
                            "new_password:string password:string~ username:string~", NULL },
    [ROUTE_auth_cancel] = { "Leave the platform", "204", "username:string~", NULL },
    [ROUTE_users_list] = { "All users", "200:User*", NULL, NULL },
    [ROUTE_audit_list] = { "Who changed what, newest first", "200:Entry*", NULL, "user:string app:string" },
    [ROUTE_admins_list] = { "Administrators", "200:Admin*", NULL, NULL },
    [ROUTE_admins_add] = { "Make a user an administrator", "201", "username:string", NULL },
    [ROUTE_admins_remove] = { "Make an administrator a user", "204", NULL, NULL },
    [ROUTE_keys_list] = { "Own SSH keys", "200:Key*", NULL, NULL },
    [ROUTE_keys_add] = { "Add an SSH key", "201:Key", "id:string public:string", NULL },
    [ROUTE_keys_get] = { "An SSH key", "200:Key", NULL, NULL },
    [ROUTE_keys_remove] = { "Remove an SSH key", "204", NULL, NULL },
    [ROUTE_certs_list] = { "Own certificates", "200:Cert*", NULL, NULL },
    [ROUTE_certs_add] = { "Add a certificate", "201:Cert",
                          "certificate:string key:string common_name:string~?", NULL },
    [ROUTE_certs_get] = { "A certificate", "200:CertInfo", NULL, NULL },
    [ROUTE_certs_remove] = { "Remove a certificate", "204", NULL, NULL },
    [ROUTE_autocerts_list] = { "Own domains whose certificates come by themselves", "200:Autocert*", NULL,
                               NULL },
    [ROUTE_autocerts_add] = { "Get a domain's certificate, and renew it", "200:Autocert 201:Autocert",
                              "domain:string", NULL },
    [ROUTE_autocerts_get] = { "How it stands", "200:Autocert", NULL, NULL },
    [ROUTE_autocerts_remove] = { "No more; its certificate goes, too", "204", NULL, NULL },
    [ROUTE_apps_list] = { "Apps that the caller may use", "200:App*", NULL, NULL },
    [ROUTE_apps_create] = { "Create an app", "201:App", "id:string~ structure:any~", NULL },
    [ROUTE_apps_get] = { "An app", "200:App", NULL, NULL },
    [ROUTE_apps_update] = { "Give an app to another owner", "200", "owner:string~", NULL },
    [ROUTE_apps_destroy] = { "Destroy an app", "204", NULL, NULL },
    [ROUTE_config_get] = { "The config of the newest release", "200:Config", NULL, NULL },
    [ROUTE_config_set] = { "Change the config: a new release", "201:Config", CHANGE, NULL },
    [ROUTE_builds_list] = { "Builds, newest first", "200:Build*", NULL, NULL },
    [ROUTE_builds_create] = { "Deploy an image: a new release", "201:Build", NEW_BUILD, NULL },
    [ROUTE_builds_get] = { "A build", "200:Build", NULL, NULL },
    [ROUTE_releases_list] = { "Releases, newest first", "200:Release*", NULL, NULL },
    [ROUTE_releases_rollback] = { "Go back to a release: a new one", "201:Version", "version:any~", NULL },
    [ROUTE_releases_get] = { "A release", "200:Release", NULL, NULL },
    [ROUTE_containers_list] = { "Containers", "200:Container*", NULL, "detail:boolean runs:boolean" },
    [ROUTE_containers_restart] = { "Restart all containers", "200:Container[]", NULL, NULL },
    [ROUTE_containers_restart_type] = { "Restart those of a type", "200:Container[]", NULL, NULL },
    [ROUTE_containers_restart_one] = { "Restart one", "200:Container[]", NULL, NULL },
    [ROUTE_containers_type] = { "Containers of a type", "200:Container*", NULL, "detail:boolean" },
    [ROUTE_containers_get] = { "A container", "200:Container", NULL, "detail:boolean" },
    [ROUTE_containers_stop] = { "Stop a one-off command", "204", NULL, NULL },
    [ROUTE_apps_scale] = { "Set how many of each type run", "204", "", NULL },
    [ROUTE_apps_logs] = { "The app's log", "200:text 204", NULL,
                          "log_lines:integer process:string follow:boolean" },
    [ROUTE_apps_run] = { "Run a command: [status, output] as JSON; detached: its container",
                         "200:text 201:Container", "command:string detach:boolean~", NULL },
    [ROUTE_domains_list] = { "Domains", "200:Domain*", NULL, NULL },
    [ROUTE_domains_add] = { "Add a domain", "201:Domain", "domain:string", NULL },
    [ROUTE_domains_remove] = { "Remove a domain", "204", NULL, NULL },
    [ROUTE_routing_get] = { "How routers treat the app", "200:Routing", NULL, NULL },
    [ROUTE_routing_set] = { "Change that, at once; null unsets", "200:Routing", "settings:any", NULL },
    [ROUTE_perms_list] = { "Collaborators", "200:Users", NULL, NULL },
    [ROUTE_perms_add] = { "Add a collaborator", "201", "username:string", NULL },
    [ROUTE_perms_remove] = { "Remove a collaborator", "204", NULL, NULL },
    [ROUTE_hooks_push] = { "A push was received", "201:Push",
                           HOOK " sha:string fingerprint:string ssh_connection:string "
                           "ssh_original_command:string", NULL },
    [ROUTE_hooks_config] = { "The config for a build", "200:Config", HOOK, NULL },
    [ROUTE_hooks_build] = { "A build was made: deploy it", "200:Deployed", HOOK " " NEW_BUILD, NULL },
    [ROUTE_hooks_builds] = { "Likewise", "200:Deployed", HOOK " " NEW_BUILD, NULL },
};
/* clang-format on */

_Static_assert(sizeof(openapi_rows) / sizeof(openapi_rows[0]) == ROUTE_COUNT,
               "each route has a row");
