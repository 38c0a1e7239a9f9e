/* SPDX-License-Identifier: MIT */
#include "controller/settings.h"

#include "lib/base/clock.h"
#include "lib/conf/conf.h"
#include "lib/model/model.h"
#include "lib/net/log.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define START_MAX_MS 3000 /* after a start requests wait so long for the settings */

#define ROW(flag, key, type, field, def, flags, help)                                              \
    {                                                                                              \
        flag, key, type, offsetof(struct settings, field), def, flags, help                        \
    }

static const struct deis_conf_row rows[] = {
    ROW("http", NULL, DEIS_CONF_TEXT, http, "127.0.0.1:8000", 0, "address of the REST API"),
    ROW("bus", NULL, DEIS_CONF_TEXT, bus, "tcp://127.0.0.1:7001", 0, "address of the bus server"),
    ROW("etcd", NULL, DEIS_CONF_TEXT, etcd, "http://127.0.0.1:2379", 0,
        "etcd endpoints, with commas"),
    ROW("cluster-key", NULL, DEIS_CONF_TEXT, cluster_key, "/etc/deis/cluster.key", 0,
        "file with the cluster key"),
    ROW("instance", NULL, DEIS_CONF_TEXT, instance, "", 0,
        "name of this controller (the host name)"),
    ROW("domain", "platform/domain", DEIS_CONF_TEXT, domain, "localhost", DEIS_CONF_LIVE,
        "domain of all apps"),
    ROW("public-http-port", "platform/httpPort", DEIS_CONF_U32, http_port, "80", DEIS_CONF_LIVE,
        "the router's port, for links"),
    ROW("public-ssh-port", "platform/sshPort", DEIS_CONF_U32, ssh_port, "2222", DEIS_CONF_LIVE,
        "the port of git push, for clients"),
    ROW("proxy-from", "proxyFrom", DEIS_CONF_TEXT, proxy_from, "127.0.0.0/8,::1/128",
        DEIS_CONF_LIVE, "ranges of the routers, whose X-Forwarded-For is believed"),
    ROW("subdomain", "subdomain", DEIS_CONF_TEXT, subdomain, "deis", DEIS_CONF_LIVE,
        "label of the API below the domain"),
    ROW("registration-mode", "registrationMode", DEIS_CONF_TEXT, registration, "enabled",
        DEIS_CONF_LIVE, "who may register: enabled, admin_only, disabled"),
    ROW("bootstrap", "bootstrap", DEIS_CONF_TEXT, bootstrap, "first-user", DEIS_CONF_LIVE,
        "first administrator: first-user (who registers first) or operator"),
    ROW("registry", "registry", DEIS_CONF_TEXT, registry, "127.0.0.1:5555", DEIS_CONF_LIVE,
        "the image registry as each machine sees it"),
    ROW("start-timeout", "startTimeout", DEIS_CONF_MS, start_timeout_ms, "60s", DEIS_CONF_LIVE,
        "time for a new process to become ready"),
    ROW("stop-grace", "stopGrace", DEIS_CONF_MS, grace_ms, "10s", DEIS_CONF_LIVE,
        "time between SIGTERM and SIGKILL"),
    ROW("run-timeout", "runTimeout", DEIS_CONF_MS, run_timeout_ms, "20m", DEIS_CONF_LIVE,
        "longest run of a one-off command"),
    ROW("releases-kept", "releasesKept", DEIS_CONF_U32, releases_kept, "100", DEIS_CONF_LIVE,
        "newest releases of an app that stay (2 at least)"),
    ROW("audit-kept", "auditKept", DEIS_CONF_U32, audit_kept, "20000", DEIS_CONF_LIVE,
        "newest entries of the audit that stay"),
    ROW("token-life", "tokenLife", DEIS_CONF_MS, token_life_ms, "0", DEIS_CONF_LIVE,
        "age at which a token ends (0: never)"),
    ROW("apps-per-user", "appsPerUser", DEIS_CONF_U32, apps_per_user, "1000", DEIS_CONF_LIVE,
        "apps that a user may own; administrators have no such bounds"),
    ROW("certs-per-user", "certsPerUser", DEIS_CONF_U32, certs_per_user, "200", DEIS_CONF_LIVE,
        "certificates that a user may add, and as many that come by themselves"),
    ROW("keys-per-user", "keysPerUser", DEIS_CONF_U32, keys_per_user, "100", DEIS_CONF_LIVE,
        "SSH keys that a user may have"),
    ROW("domains-per-app", "domainsPerApp", DEIS_CONF_U32, domains_per_app, "500", DEIS_CONF_LIVE,
        "domains that an app may have"),
    ROW("users-per-app", "usersPerApp", DEIS_CONF_U32, users_per_app, "500", DEIS_CONF_LIVE,
        "collaborators that an app may have"),
    ROW("runs-per-user", "runsPerUser", DEIS_CONF_U32, runs_per_user, "32", DEIS_CONF_LIVE,
        "one-off commands of a user at once"),
    ROW("wildcard-domains", "wildcardDomains", DEIS_CONF_BOOL, wildcard_domains, "false",
        DEIS_CONF_LIVE, "take domains and certificates like *.example.com"),
    ROW("acme-agree", "acme/agree", DEIS_CONF_BOOL, acme_agree, "false", DEIS_CONF_LIVE,
        "agree to the terms of the certificate authority: without it there is no certs:auto"),
    ROW("acme-directory", "acme/directory", DEIS_CONF_TEXT, acme_directory,
        "https://acme-v02.api.letsencrypt.org/directory", DEIS_CONF_LIVE,
        "URL of the certificate authority (ACME)"),
    ROW("acme-ca", "acme/ca", DEIS_CONF_TEXT, acme_ca, "", DEIS_CONF_LIVE,
        "root certificates, as PEM text, for an authority whose own server has a private one"),
    ROW("acme-contact", "acme/contact", DEIS_CONF_TEXT, acme_contact, "", DEIS_CONF_LIVE,
        "mail address that the authority may write to"),
    ROW("acme-retry", "acme/retry", DEIS_CONF_MS, acme_retry_ms, "5m", DEIS_CONF_LIVE,
        "time before a failed request for a certificate is made again; doubles each time"),
    ROW("acme-client", NULL, DEIS_CONF_TEXT, acme_client, "/usr/bin/uacme", 0,
        "the ACME client, uacme"),
    ROW("acme-dir", NULL, DEIS_CONF_TEXT, acme_dir, "/dev/shm", 0,
        "memory file system for the files of the ACME client while it runs"),
};

struct settings_live {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* synced */
    struct settings now;
    struct deis_cidrs
        *routers; /* of now.proxy_from, or of the last one that was a list of ranges */
    bool synced;
    uint64_t born_ms;
    struct deis_etcd_watch *watch;
};

static int read_routers(struct settings_live *s, struct deis_err *err)
{
    struct deis_cidrs *list = NULL;

    if (deis_cidrs_parse(deis_str(s->now.proxy_from), &list, err) < 0) {
        return deis_err_wrap(err, "proxy-from");
    }
    free(s->routers);
    s->routers = list;
    return DEIS_OK;
}

int settings_load(int argc, char **argv, struct settings_live **ret, struct deis_err *err)
{
    struct settings_live *s = deis_alloc(sizeof(*s));
    char host[256] = "";

    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->born_ms = deis_now_ms();
    int r = deis_conf_load(rows, DEIS_COUNT(rows), "deis-controller",
                           "The platform's truth: the REST API, releases, deploys.", argc, argv,
                           &s->now, NULL, err);
    if (r == DEIS_OK && s->now.instance[0] == '\0') {
        gethostname(host, sizeof(host) - 1);
        free(s->now.instance);
        s->now.instance = deis_strdup(host[0] ? host : "controller");
    }
    if (r == DEIS_OK) {
        r = read_routers(s, err);
    }
    if (r < 0) {
        settings_free(s);
        return r;
    }
    *ret = s;
    return DEIS_OK;
}

void settings_free(struct settings_live *s)
{
    if (!s) {
        return;
    }
    deis_conf_free(rows, DEIS_COUNT(rows), &s->now);
    free(s->routers);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct settings_live *s = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str name = deis_key_below(kv->key, "config/controller/");

    if (!name.ptr) {
        name = deis_key_below(kv->key, "config/");
        if (!deis_str_starts(name, "platform/")) {
            return;
        }
    }
    pthread_mutex_lock(&s->lock);
    int r = deis_conf_apply(rows, DEIS_COUNT(rows), &s->now, name, deleted ? NULL : kv->value.ptr,
                            &err);
    if (r == DEIS_OK && deis_str_eq_cstr(name, "proxyFrom")) {
        r = read_routers(s, &err);
    }
    pthread_mutex_unlock(&s->lock);
    if (r == DEIS_OK) {
        deis_info("setting changed", KV_V("key", name));
    } else if (r != DEIS_NOT_FOUND) {
        deis_warn("setting refused", KV_V("key", name), KV_ERR(&err));
    }
}

static void on_synced(int64_t revision, void *arg)
{
    struct settings_live *s = arg;

    pthread_mutex_lock(&s->lock);
    s->synced = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    deis_debug("settings are up to date", KV_I("revision", revision));
}

void settings_follow(struct settings_live *s, struct deis_etcd *etcd, struct deis_loop *loop)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_change,
                                                    .on_synced = on_synced };

    s->watch = deis_etcd_watch_start(etcd, loop, "/deis/config/", &ops, s);
}

void settings_unfollow(struct settings_live *s)
{
    if (s->watch) {
        deis_etcd_watch_stop(DEIS_TAKE(s->watch));
    }
}

void settings_get(struct settings_live *s, struct settings *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = s->now;
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        if (rows[i].type == DEIS_CONF_TEXT) {
            char **field = (char **)((char *)ret + rows[i].offset);
            *field = deis_strdup(*field ? *field : "");
        }
    }
    pthread_mutex_unlock(&s->lock);
}

bool settings_synced(struct settings_live *s)
{
    pthread_mutex_lock(&s->lock);
    bool synced = s->synced;
    pthread_mutex_unlock(&s->lock);
    return synced;
}

bool settings_await(struct settings_live *s)
{
    struct timespec until;

    pthread_mutex_lock(&s->lock);
    uint64_t age_ms = deis_now_ms() - s->born_ms;
    uint64_t left_ms = age_ms < START_MAX_MS ? START_MAX_MS - age_ms : 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(left_ms / 1000) + 1;
    while (!s->synced && left_ms > 0 &&
           pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0) {
    }
    bool synced = s->synced;
    pthread_mutex_unlock(&s->lock);
    return synced;
}

uint32_t settings_ssh_port(struct settings_live *s)
{
    pthread_mutex_lock(&s->lock);
    uint32_t port = s->now.ssh_port;
    pthread_mutex_unlock(&s->lock);
    return port;
}

uint64_t settings_token_life_ms(struct settings_live *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t life = s->now.token_life_ms;
    pthread_mutex_unlock(&s->lock);
    return life;
}

bool settings_is_router(struct settings_live *s, const struct deis_ip *peer)
{
    pthread_mutex_lock(&s->lock);
    bool is = deis_cidrs_contain(s->routers, peer);
    pthread_mutex_unlock(&s->lock);
    return is;
}

void settings_clear(struct settings *s)
{
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        if (rows[i].type == DEIS_CONF_TEXT) {
            free(*(char **)((char *)s + rows[i].offset));
        }
    }
    *s = (struct settings){ 0 };
}

char *settings_host(const struct settings *s, const char *label)
{
    return deis_asprintf("%s.%s", label, s->domain);
}

char *settings_url(const struct settings *s, const char *label)
{
    return s->http_port == 80 ? deis_asprintf("http://%s.%s", label, s->domain)
                              : deis_asprintf("http://%s.%s:%u", label, s->domain, s->http_port);
}
