/* SPDX-License-Identifier: MIT */
/* The controller's settings. Rows with an etcd key follow etcd live. thread: see each */
#ifndef CONTROLLER_SETTINGS_H
#define CONTROLLER_SETTINGS_H

#include "lib/etcd/etcd.h"
#include "lib/wire/ip.h"

struct settings {
    char *http;
    char *bus;
    char *etcd;
    char *cluster_key;
    char *instance;
    char *domain;       /* of all apps */
    uint32_t http_port; /* the router's public one, for links */
    uint32_t ssh_port;  /* where `git push` goes */
    char *proxy_from;   /* ranges of the routers */
    char *subdomain;    /* where the API is: <subdomain>.<domain> */
    char *registration; /* "enabled", "admin_only", "disabled" */
    char *bootstrap;    /* "first-user", "operator" */
    char *registry;     /* the image registry as each machine sees it */
    uint64_t start_timeout_ms;
    uint64_t grace_ms;
    uint64_t run_timeout_ms;
    uint32_t releases_kept; /* of each app */
    uint32_t audit_kept;
    uint64_t token_life_ms; /* 0 = for ever */
    uint32_t apps_per_user; /* this and the next: of each who is no administrator */
    uint32_t certs_per_user;
    uint32_t keys_per_user;
    uint32_t domains_per_app;
    uint32_t users_per_app;
    uint32_t runs_per_user; /* at once */
    bool wildcard_domains;
    bool acme_agree; /* to the terms of the authority; without it there is no ACME */
    char *acme_directory;
    char *acme_ca;      /* PEM text; "" = the system's authorities do */
    char *acme_contact; /* "" = none */
    char *acme_client;  /* program */
    char *acme_dir;     /* where its files may stand for a moment */
    uint64_t acme_retry_ms;
};

struct settings_live;

/* Parse argv and the environment. *ret is yours. */
int settings_load(int argc, char **argv, struct settings_live **ret,
                  struct deis_err *err) deis_must_check;
void settings_free(struct settings_live *s);
/* Follow /deis/config/. thread: loop */
void settings_follow(struct settings_live *s, struct deis_etcd *etcd, struct deis_loop *loop);
void settings_unfollow(struct settings_live *s);
/* A copy of all settings as they are now; clear it. thread: any */
void settings_get(struct settings_live *s, struct settings *ret);
void settings_clear(struct settings *s);
#define settings_auto __attribute__((cleanup(settings_clear)))
/* Have the settings in etcd been read? Before that only flags and defaults are known. thread: any
 */
bool settings_synced(struct settings_live *s);
/* As settings_synced(), but after a start it waits a moment for them. thread: a worker */
bool settings_await(struct settings_live *s);
/* Just one of them. thread: any */
uint32_t settings_ssh_port(struct settings_live *s);
uint64_t settings_token_life_ms(struct settings_live *s);
/* Does a router speak from this address? thread: any */
bool settings_is_router(struct settings_live *s, const struct deis_ip *peer);
/* "blog.example.com" and "http://blog.example.com:8080" for a label; yours. thread: any */
char *settings_host(const struct settings *s, const char *label);
char *settings_url(const struct settings *s, const char *label);

#endif
