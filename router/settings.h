/* SPDX-License-Identifier: MIT */
/* The router's settings: flags, environment, /deis/config/router/. */
#ifndef DEIS_ROUTER_SETTINGS_H
#define DEIS_ROUTER_SETTINGS_H

#include "lib/conf/conf.h"
#include "lib/model/gzip.h"

struct settings {
    char *etcd;
    char *cluster_key;
    char *instance; /* never NULL after settings_load() */
    char *data;
    char *routes; /* static mode when set */
    char *control;
    char *access_log;
    char *http;
    char *https; /* NULL: none */
    bool h2;
    bool h2c;
    bool io_uring;
    char *cert;
    char *key;
    char *ocsp_ca; /* NULL: no OCSP */
    char *ssl_protocols;
    char *ssl_ciphers; /* NULL: the default */
    bool ssl_tickets;
    uint64_t ssl_session_ms;
    uint64_t ssl_record_max; /* bytes */
    char *ssh;
    char *metrics;
    char *workers; /* a number, or "auto" */
    uint32_t worker_connections;
    uint64_t body_max;
    uint64_t answer_timeout_ms;
    uint64_t ssh_timeout_ms;
    uint64_t ssh_connect_ms;
    char *log_level; /* a word of lib/net/log.h; NULL: as DEIS_LOG says */
    uint64_t leave_timeout_ms;
    bool enforce_whitelist;
    char *controller_whitelist;     /* NULL: none */
    uint64_t controller_connect_ms; /* 0: as for apps */
    uint64_t controller_read_ms;    /* likewise */
    uint64_t controller_send_ms;    /* 0: as controller_read_ms */
    char *affinity_arg;             /* NULL: none */
    uint32_t app_requests;          /* 0: any number, as with the next */
    uint32_t app_connections;
    uint32_t app_address;
    uint32_t app_rate;
    uint32_t app_burst;  /* 0: as app_rate suggests */
    char *enforce_https; /* NULL: as hsts */
    bool hsts;
    uint32_t hsts_max_age; /* seconds */
    bool hsts_subdomains;
    bool hsts_preload;
    char *gzip; /* this and the next: texts of lib/model/gzip.h; NULL: the default */
    char *gzip_comp_level;
    char *gzip_min_length;
    char *gzip_types;
    char *gzip_vary;
    char *gzip_http_version;
    char *gzip_proxied;
    char *gzip_disable;
    bool firewall; /* of apps that don't say */
    uint32_t firewall_status;
    uint64_t firewall_body_max;
    char *firewall_module; /* NULL: the one that came with the program */
    char *firewall_rules;
    bool proxy_protocol;
    bool ssh_proxy_protocol;
    uint32_t address_connections;
    uint32_t address_rate;
    uint64_t buffer_memory;
    uint64_t body_rate;
    char *proxy_real_ip_cidr; /* NULL: unset */
};

/* After a failure, too, settings_clear() is to be called. */
int settings_load(int argc, char **argv, struct settings *ret,
                  struct deis_err *err) deis_must_check;
/* One key below config/router/; keys that are not ours give DEIS_NOT_FOUND. */
int settings_apply(struct settings *s, struct deis_str key, const char *value,
                   struct deis_err *err) deis_must_check;
/* How many worker threads there are to be, 1 at least. */
unsigned settings_workers(const struct settings *s);
/* Are plain requests sent to HTTPS? */
bool settings_enforce_https(const struct settings *s);
/* Which answers are compressed. */
void settings_gzip(const struct settings *s, struct deis_gzip *ret);
void settings_clear(struct settings *s);

#endif
