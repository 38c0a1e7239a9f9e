/* SPDX-License-Identifier: MIT */
#include "deisctl/core/setting_table.h"

/* clang-format off */
#define ROW(component, name, kind) { component, name, SETTING_##kind, NULL }
#define CHOICE(component, name, words) { component, name, SETTING_CHOICE, words }
#define NONE(name, why) { "router", name, SETTING_ABSENT, why }

static const struct setting settings[] = {
    ROW("platform", "domain", TEXT),
    ROW("platform", "httpPort", PORT),
    ROW("platform", "sshPort", PORT),
    ROW("controller", "acme/agree", TRUTH),
    ROW("controller", "acme/ca", TEXT),
    ROW("controller", "acme/contact", TEXT),
    ROW("controller", "acme/directory", TEXT),
    ROW("controller", "acme/retry", TIME),
    ROW("controller", "appsPerUser", NUMBER),
    ROW("controller", "auditKept", NUMBER),
    CHOICE("controller", "bootstrap", "first-user|operator"),
    ROW("controller", "certsPerUser", NUMBER),
    ROW("controller", "domainsPerApp", NUMBER),
    ROW("controller", "keysPerUser", NUMBER),
    ROW("controller", "proxyFrom", RANGES),
    CHOICE("controller", "registrationMode", "enabled|admin_only|disabled"),
    ROW("controller", "registry", TEXT),
    ROW("controller", "releasesKept", NUMBER),
    ROW("controller", "runTimeout", TIME),
    ROW("controller", "runsPerUser", NUMBER),
    ROW("controller", "startTimeout", TIME),
    ROW("controller", "stopGrace", TIME),
    ROW("controller", "subdomain", TEXT),
    ROW("controller", "tokenLife", TIME),
    ROW("controller", "usersPerApp", NUMBER),
    ROW("controller", "wildcardDomains", TRUTH),
    ROW("builder", "baseIdle", TIME),
    ROW("builder", "buildMemory", SIZE),
    ROW("builder", "buildProcesses", NUMBER),
    ROW("builder", "buildsMax", NUMBER),
    ROW("builder", "buildTimeout", TIME),
    ROW("builder", "contextMax", SIZE),
    ROW("builder", "imagesKept", NUMBER),
    ROW("builder", "outputMax", SIZE),
    ROW("builder", "pushMax", SIZE),
    ROW("builder", "pushTimeout", TIME),
    ROW("router", "acceptStore", TEXT),
    ROW("router", "addressConnections", NUMBER),
    ROW("router", "addressRate", NUMBER),
    ROW("router", "addressRequests", LIMIT),
    ROW("router", "affinityArg", OF_APPS),
    ROW("router", "bodyRate", SIZE),
    ROW("router", "bodySize", SIZE),
    ROW("router", "bufferMemory", SIZE),
    ROW("router", "builder/proxyProtocol", TRUTH),
    ROW("router", "builder/timeout/connect", TIME),
    ROW("router", "builder/timeout/tcp", TIME),
    ROW("router", "controller/timeout/connect", TIME_OF_DAY),
    ROW("router", "controller/timeout/read", TIME_OF_DAY),
    ROW("router", "controller/timeout/send", TIME_OF_DAY),
    ROW("router", "controller/whitelist", NETWORKS),
    ROW("router", "defaultTimeout", TIME_SOME),
    ROW("router", "enforceHTTPS", TRUTH),
    ROW("router", "enforceWhitelist", TRUTH),
    CHOICE("router", "errorLogLevel", "debug|info|notice|warn|error|crit|alert|emerg"),
    ROW("router", "firewall/bodySize", FIREWALL),
    ROW("router", "firewall/enabled", TRUTH),
    ROW("router", "firewall/errorCode", FIREWALL),
    ROW("router", "gzip", GZIP),
    ROW("router", "gzipCompLevel", GZIP),
    ROW("router", "gzipDisable", GZIP),
    ROW("router", "gzipHttpVersion", GZIP),
    ROW("router", "gzipMinLength", GZIP),
    ROW("router", "gzipProxied", GZIP),
    ROW("router", "gzipTypes", GZIP),
    ROW("router", "gzipVary", GZIP),
    ROW("router", "h2c", TRUTH),
    ROW("router", "hsts/enabled", TRUTH),
    ROW("router", "hsts/includeSubDomains", TRUTH),
    ROW("router", "hsts/maxAge", NUMBER),
    ROW("router", "hsts/preload", TRUTH),
    ROW("router", "http2", TRUTH),
    ROW("router", "ioUring", TRUTH),
    ROW("router", "leaveTimeout", TIME),
    ROW("router", "maxConnections", LIMIT),
    ROW("router", "maxRequests", LIMIT),
    ROW("router", "maxWorkerConnections", NUMBER),
    ROW("router", "proxyProtocol", TRUTH),
    ROW("router", "proxyRealIpCidr", RANGES),
    ROW("router", "rateBurst", LIMIT),
    ROW("router", "rateLimit", LIMIT),
    ROW("router", "sslBufferSize", SIZE),
    ROW("router", "sslCert", TEXT),
    ROW("router", "sslCiphers", TEXT),
    ROW("router", "sslKey", TEXT),
    ROW("router", "sslProtocols", VERSIONS),
    ROW("router", "sslSessionTickets", TRUTH),
    ROW("router", "sslSessionTimeout", TIME),
    ROW("router", "workerProcesses", WORKERS),

    NONE("enableNginxStatus",
         "what it showed is at the private address, http://127.0.0.1:9090/metrics"),
    NONE("image", "deploy/quickstart --upgrade replaces images"),
    NONE("serverNameHashBucketSize", "there may be any number of domains"),
    NONE("serverNameHashMaxSize", "there may be any number of domains"),
    NONE("serverTokens", "the router never names itself to clients"),
    NONE("sslDhparam", "keys are exchanged by elliptic curves only"),
    NONE("sslSessionCache", "sessions are resumed by tickets, at any router"),
    NONE("trafficStatusZoneSize", "there is no limit to what is counted"),
};

/* clang-format on */

static const struct setting *find(const char *component, struct deis_str name,
                                  bool (*is_name)(struct deis_str name, const char *other))
{
    for (size_t i = 0; i < DEIS_COUNT(settings); i++) {
        const struct setting *s = &settings[i];
        if (strcmp(component, s->component) == 0 && is_name(name, s->name)) {
            return s;
        }
    }
    return NULL;
}

static bool is_same(struct deis_str name, const char *other)
{
    return deis_str_eq_cstr(name, other);
}

const struct setting *setting_find(const char *component, struct deis_str name)
{
    return find(component, name, is_same);
}

const struct setting *setting_like(const char *component, struct deis_str name)
{
    return find(component, name, deis_str_ieq_cstr);
}

bool setting_has_component(const char *component)
{
    for (size_t i = 0; i < DEIS_COUNT(settings); i++) {
        if (strcmp(component, settings[i].component) == 0) {
            return true;
        }
    }
    return false;
}
