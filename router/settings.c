/* SPDX-License-Identifier: MIT */
#include "router/settings.h"

#include "router/edge.h"
#include "router/tls.h"

#include "lib/model/firewall.h"
#include "lib/model/tls_versions.h"
#include "lib/net/log.h"

#include <unistd.h>

enum {
    WORKERS_MAX = 256,
    RECORD_MIN = 512, /* what a record may be limited to (RFC 5246 section 6.2.1) */
    RECORD_MAX = 16384,
};

#define AT(field) offsetof(struct settings, field)

static const struct deis_conf_row rows[] = {
    { "etcd", NULL, DEIS_CONF_TEXT, AT(etcd), "http://127.0.0.1:2379", 0,
      "URLs of etcd, separated by commas" },
    { "cluster-key", NULL, DEIS_CONF_TEXT, AT(cluster_key), "/etc/deis/cluster.key", 0,
      "file with the cluster key" },
    { "instance", NULL, DEIS_CONF_TEXT, AT(instance), NULL, 0,
      "name of this router (default: the host's name)" },
    { "data", NULL, DEIS_CONF_TEXT, AT(data), "/data", 0,
      "folder for the routing table that is kept for a start without etcd, and for the socket by "
      "which a new process takes over from a running one" },
    { "routes", NULL, DEIS_CONF_TEXT, AT(routes), NULL, 0,
      "take the routes from this file of lines 'HOST ADDR:PORT' and use no etcd" },
    { "control", NULL, DEIS_CONF_TEXT, AT(control), NULL, 0,
      "with --routes: Unix socket that takes changes" },
    { "access-log", NULL, DEIS_CONF_TEXT, AT(access_log), NULL, 0,
      "file for the access log, '-' for none (default: to the logger, with --routes none)" },
    { "http", NULL, DEIS_CONF_TEXT, AT(http), "0.0.0.0:80", 0, "address for HTTP" },
    { "https", NULL, DEIS_CONF_TEXT, AT(https), "-", 0, "address for HTTPS, '-' for none" },
    { "http2", "http2", DEIS_CONF_BOOL, AT(h2), "true", DEIS_CONF_LIVE, "offer HTTP/2 over HTTPS" },
    { "h2c", "h2c", DEIS_CONF_BOOL, AT(h2c), "false", DEIS_CONF_LIVE,
      "take HTTP/2 over plain connections, too, from clients that know of it" },
    { "cert", NULL, DEIS_CONF_TEXT, AT(cert), NULL, 0,
      "file with the platform's certificate and its chain (instead of config router/sslCert)" },
    { "key", NULL, DEIS_CONF_TEXT, AT(key), NULL, 0, "file with the key of --cert" },
    { "ocsp-ca", NULL, DEIS_CONF_TEXT, AT(ocsp_ca), "/etc/ssl/certs/ca-certificates.crt", 0,
      "file with the authorities whose OCSP answers are stapled, '-' for none" },
    { "ssl-protocols", "sslProtocols", DEIS_CONF_TEXT, AT(ssl_protocols), "TLSv1.2 TLSv1.3",
      DEIS_CONF_LIVE, "versions of TLS that are offered" },
    { "ssl-ciphers", "sslCiphers", DEIS_CONF_TEXT, AT(ssl_ciphers), NULL, DEIS_CONF_LIVE,
      "cipher suites of TLS 1.2 as OpenSSL lists them, the preferred first (default: ECDHE with "
      "AES-GCM or ChaCha20)" },
    { "ssl-session-tickets", "sslSessionTickets", DEIS_CONF_BOOL, AT(ssl_tickets), "true",
      DEIS_CONF_LIVE, "give clients tickets to resume their session with, at any router" },
    { "ssl-session-timeout", "sslSessionTimeout", DEIS_CONF_MS, AT(ssl_session_ms), "6h",
      DEIS_CONF_LIVE, "time for which such a ticket is good, 6h at most" },
    { "ssl-buffer-size", "sslBufferSize", DEIS_CONF_BYTES, AT(ssl_record_max), "16k",
      DEIS_CONF_LIVE, "bytes of a TLS record, 512 to 16k; small ones can be read sooner" },
    { "ssh", NULL, DEIS_CONF_TEXT, AT(ssh), "0.0.0.0:2222", 0,
      "address for SSH to the builder, '-' for none; with --routes there is none" },
    { "metrics", NULL, DEIS_CONF_TEXT, AT(metrics), "127.0.0.1:9090", 0,
      "private address for /healthz, /metrics and /routes, '-' for none" },
    { "workers", "workerProcesses", DEIS_CONF_TEXT, AT(workers), "auto", 0,
      "worker threads; auto or 0 = one per core" },
    { "error-log-level", "errorLogLevel", DEIS_CONF_TEXT, AT(log_level), NULL, DEIS_CONF_LIVE,
      "what is logged at least: debug, info, notice, warn, error, crit, alert or emerg; the last "
      "three as error (default: as DEIS_LOG says)" },
    { "worker-connections", "maxWorkerConnections", DEIS_CONF_U32, AT(worker_connections), "0", 0,
      "client connections of a worker; 0 = as many as descriptors allow" },
    { "io-uring", "ioUring", DEIS_CONF_BOOL, AT(io_uring), "true", 0,
      "send small messages together by io_uring, where the kernel and the container allow it" },
    { "body-size", "bodySize", DEIS_CONF_BYTES, AT(body_max), "100m", DEIS_CONF_LIVE,
      "bytes of a request body; more is answered with 413; 0 = any number" },
    { "default-timeout", "defaultTimeout", DEIS_CONF_MS, AT(answer_timeout_ms), "1300",
      DEIS_CONF_LIVE, "silence of an app during an answer; more than 0" },
    { "ssh-timeout", "builder/timeout/tcp", DEIS_CONF_MS, AT(ssh_timeout_ms), "1200", 0,
      "silence on an SSH connection" },
    { "ssh-connect-timeout", "builder/timeout/connect", DEIS_CONF_MS, AT(ssh_connect_ms), "7s",
      DEIS_CONF_LIVE, "to connect to a builder, 1 s at least" },
    { "leave-timeout", "leaveTimeout", DEIS_CONF_MS, AT(leave_timeout_ms), "24h", DEIS_CONF_LIVE,
      "time for connections to end after another process took over" },
    { "enforce-whitelist", "enforceWhitelist", DEIS_CONF_BOOL, AT(enforce_whitelist), "false",
      DEIS_CONF_LIVE, "answer 403 for apps and the API to all who are on no whitelist of theirs" },
    { "controller-whitelist", "controller/whitelist", DEIS_CONF_TEXT, AT(controller_whitelist),
      NULL, DEIS_CONF_LIVE, "who may use the API: addresses and networks, separated by commas" },
    { "controller-connect-timeout", "controller/timeout/connect", DEIS_CONF_MS,
      AT(controller_connect_ms), "0", DEIS_CONF_LIVE,
      "to connect to a controller; 0 = as to apps" },
    { "controller-read-timeout", "controller/timeout/read", DEIS_CONF_MS, AT(controller_read_ms),
      "0", DEIS_CONF_LIVE, "silence of a controller during an answer; 0 = as of apps" },
    { "controller-send-timeout", "controller/timeout/send", DEIS_CONF_MS, AT(controller_send_ms),
      "0", DEIS_CONF_LIVE,
      "time in which a controller takes none of a request; 0 = as its silence during an answer" },
    { "affinity-arg", "affinityArg", DEIS_CONF_TEXT, AT(affinity_arg), NULL, DEIS_CONF_LIVE,
      "query variable whose value chooses the unit" },
    { "app-requests", "maxRequests", DEIS_CONF_U32, AT(app_requests), "0", DEIS_CONF_LIVE,
      "requests of an app at work at once, if it sets no maxRequests; 0 = any number" },
    { "app-connections", "maxConnections", DEIS_CONF_U32, AT(app_connections), "0", DEIS_CONF_LIVE,
      "upgraded connections of an app at once, if it sets no maxConnections; 0 = any number" },
    { "app-address-requests", "addressRequests", DEIS_CONF_U32, AT(app_address), "0",
      DEIS_CONF_LIVE,
      "requests and upgraded connections of one client address to an app at once, if it sets no "
      "addressRequests; 0 = any number" },
    { "app-rate", "rateLimit", DEIS_CONF_U32, AT(app_rate), "0", DEIS_CONF_LIVE,
      "requests of one client address to an app a minute, if it sets no rateLimit; 0 = any number" },
    { "app-burst", "rateBurst", DEIS_CONF_U32, AT(app_burst), "0", DEIS_CONF_LIVE,
      "of these at once; 0 = a sixth, 10 at least" },
    { "gzip", "gzip", DEIS_CONF_TEXT, AT(gzip), "off", DEIS_CONF_LIVE,
      "compress answers of apps that don't say: on or off" },
    { "gzip-comp-level", "gzipCompLevel", DEIS_CONF_TEXT, AT(gzip_comp_level), "5", DEIS_CONF_LIVE,
      "1 (quick) to 9 (small)" },
    { "gzip-min-length", "gzipMinLength", DEIS_CONF_TEXT, AT(gzip_min_length), "256",
      DEIS_CONF_LIVE, "bytes that an answer must have to be compressed, if its length is known" },
    { "gzip-types", "gzipTypes", DEIS_CONF_TEXT, AT(gzip_types), NULL, DEIS_CONF_LIVE,
      "media types that are compressed, beside text/html; * = all (default: those of text)" },
    { "gzip-vary", "gzipVary", DEIS_CONF_TEXT, AT(gzip_vary), "on", DEIS_CONF_LIVE,
      "tell caches of both forms by Vary: on or off" },
    { "gzip-http-version", "gzipHttpVersion", DEIS_CONF_TEXT, AT(gzip_http_version), "1.1",
      DEIS_CONF_LIVE, "of a client, at least: 1.1 or 1.0" },
    { "gzip-proxied", "gzipProxied", DEIS_CONF_TEXT, AT(gzip_proxied), "any", DEIS_CONF_LIVE,
      "answers to requests that came through a proxy (Via): any or off" },
    { "gzip-disable", "gzipDisable", DEIS_CONF_TEXT, AT(gzip_disable), NULL, DEIS_CONF_LIVE,
      "parts of User-Agent, with commas between: such clients get nothing compressed" },
    { "enforce-https", "enforceHTTPS", DEIS_CONF_TEXT, AT(enforce_https), NULL, DEIS_CONF_LIVE,
      "send plain requests to HTTPS: true or false (default: as --hsts)" },
    { "hsts", "hsts/enabled", DEIS_CONF_BOOL, AT(hsts), "false", DEIS_CONF_LIVE,
      "Strict-Transport-Security on answers over HTTPS" },
    { "hsts-max-age", "hsts/maxAge", DEIS_CONF_U32, AT(hsts_max_age), "10886400", DEIS_CONF_LIVE,
      "seconds that browsers remember it" },
    { "hsts-include-subdomains", "hsts/includeSubDomains", DEIS_CONF_BOOL, AT(hsts_subdomains),
      "false", DEIS_CONF_LIVE, "for all names below, too" },
    { "hsts-preload", "hsts/preload", DEIS_CONF_BOOL, AT(hsts_preload), "false", DEIS_CONF_LIVE,
      "agree to lists that browsers carry" },
    { "firewall", "firewall/enabled", DEIS_CONF_BOOL, AT(firewall), "false", DEIS_CONF_LIVE,
      "examine requests to apps that don't say, and block what looks like an attack" },
    { "firewall-error-code", "firewall/errorCode", DEIS_CONF_U32, AT(firewall_status), "400",
      DEIS_CONF_LIVE, "status of what is blocked, 400 to 499" },
    { "firewall-body-size", "firewall/bodySize", DEIS_CONF_BYTES, AT(firewall_body_max), "128k",
      DEIS_CONF_LIVE,
      "bytes of a form, JSON or XML that are held and examined, 1k to 1m; more is answered with "
      "413" },
    { "firewall-module", NULL, DEIS_CONF_TEXT, AT(firewall_module), NULL, 0,
      "file with the firewall's module, beside its setup (default: lib/deis/deis-router-firewall.so "
      "beside the folder of this program)" },
    { "firewall-rules", NULL, DEIS_CONF_TEXT, AT(firewall_rules),
      "/usr/share/modsecurity-crs/rules", 0, "folder with the OWASP Core Rule Set" },
    { "address-connections", "addressConnections", DEIS_CONF_U32, AT(address_connections), "0",
      DEIS_CONF_LIVE,
      "connections of one client address (IPv6: /64) at a time; 0 = half of all, any number from "
      "the loopback" },
    { "address-rate", "addressRate", DEIS_CONF_U32, AT(address_rate), "0", DEIS_CONF_LIVE,
      "new connections of one client address a second; 0 = any number" },
    { "body-rate", "bodyRate", DEIS_CONF_BYTES, AT(body_rate), "100", DEIS_CONF_LIVE,
      "bytes a second that a request body must bring, 20 s after it began and until the app answers; 0 = any" },
    { "buffer-memory", "bufferMemory", DEIS_CONF_BYTES, AT(buffer_memory), "256m", 0,
      "bytes of all buffers together; beyond, the laziest clients are let go; 0 = any number" },
    { "proxy-protocol", "proxyProtocol", DEIS_CONF_BOOL, AT(proxy_protocol), "false",
      DEIS_CONF_LIVE, "HTTP and HTTPS: load balancers send a PROXY header first" },
    { "ssh-proxy-protocol", "builder/proxyProtocol", DEIS_CONF_BOOL, AT(ssh_proxy_protocol),
      "false", DEIS_CONF_LIVE, "the same for SSH" },
    { "proxy-real-ip-cidr", "proxyRealIpCidr", DEIS_CONF_TEXT, AT(proxy_real_ip_cidr), NULL,
      DEIS_CONF_LIVE,
      "ranges of load balancers whose PROXY headers (default: 10.0.0.0/8) and X-Forwarded-* "
      "fields (default: nobody's) are believed" },
};

/* 1, 0, or -1 for what is neither. */
static int truth(const char *text)
{
    static const char *const words[] = { "false", "true", "off", "on", "0", "1" };

    for (size_t i = 0; i < DEIS_COUNT(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            return (int)(i % 2);
        }
    }
    return -1;
}

static void drop_if(char **field, const char *none)
{
    if (*field && strcmp(*field, none) == 0) {
        free(*field);
        *field = NULL;
    }
}

/* -1: neither a number of threads nor "auto". */
static int worker_number(const char *text)
{
    uint64_t n = 0;

    if (strcmp(text, "auto") == 0) {
        return 0;
    }
    return deis_str_to_u64(deis_str(text), 0, WORKERS_MAX, &n, NULL) < 0 ? -1 : (int)n;
}

static int check_record_max(uint64_t bytes, struct deis_err *err)
{
    return bytes < RECORD_MIN || bytes > RECORD_MAX
               ? deis_err_set(err, DEIS_INVALID, "must be %d to %d bytes", RECORD_MIN, RECORD_MAX)
               : DEIS_OK;
}

static int check_timeout(uint64_t ms, struct deis_err *err)
{
    return ms == 0 ? deis_err_set(err, DEIS_INVALID, "must be more than 0") : DEIS_OK;
}

/* What its type alone does not say of a number. */
static int check_number(struct deis_str key, const char *value, struct deis_err *err)
{
    uint64_t n;

    if (deis_str_eq_cstr(key, "defaultTimeout")) {
        return deis_str_to_ms(deis_str(value), UINT64_MAX / 2, &n, err) < 0 ? err->code
                                                                            : check_timeout(n, err);
    }
    if (deis_str_eq_cstr(key, "sslBufferSize")) {
        return deis_str_to_bytes(deis_str(value), UINT32_MAX, &n, err) < 0
                   ? err->code
                   : check_record_max(n, err);
    }
    return deis_firewall_check(key, deis_str(value), err);
}

/* Is this value good? NULL: the default. Others are judged by their type alone. */
static int check(struct deis_str key, const char *value, struct deis_err *err)
{
    enum deis_log_level level;
    struct deis_gzip any;

    if (deis_str_eq_cstr(key, "errorLogLevel") && value && !deis_log_level(value, &level)) {
        return deis_err_set(err, DEIS_INVALID,
                            "must be debug, info, notice, warn, error, crit, "
                            "alert or emerg, not '%.32s'",
                            value);
    }
    if (deis_str_eq_cstr(key, "enforceHTTPS") && value && truth(value) < 0) {
        return deis_err_set(err, DEIS_INVALID, "must be true or false, not '%.32s'", value);
    }
    if (deis_str_eq_cstr(key, "proxyRealIpCidr")) {
        return edge_check_cidrs(value, err);
    }
    if (deis_str_eq_cstr(key, "workerProcesses") && value && worker_number(value) < 0) {
        return deis_err_set(err, DEIS_INVALID, "must be auto, or a number up to %d", WORKERS_MAX);
    }
    if (deis_str_eq_cstr(key, "sslProtocols") && value) {
        struct deis_tls_versions versions;
        return deis_tls_versions_parse(deis_str(value), &versions, err);
    }
    if (deis_str_eq_cstr(key, "sslCiphers") && value) {
        return tls_check_ciphers(value, err);
    }
    if (value && check_number(key, value, err) < 0) {
        return err->code;
    }
    int code = deis_gzip_set(&any, key, value, err);
    return code == DEIS_NOT_FOUND ? DEIS_OK : code;
}

static const char *text_of(const struct settings *s, const struct deis_conf_row *row)
{
    return *(char *const *)(const void *)((const char *)s + row->offset);
}

static int check_texts(const struct settings *s, struct deis_err *err)
{
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        const struct deis_conf_row *row = &rows[i];
        if (row->type == DEIS_CONF_TEXT && row->etcd_key &&
            check(deis_str(row->etcd_key), text_of(s, row), err) < 0) {
            return deis_err_wrap(err, "--%s", row->flag);
        }
    }
    return DEIS_OK;
}

static int check_numbers(const struct settings *s, struct deis_err *err)
{
    if (check_timeout(s->answer_timeout_ms, err) < 0) {
        return deis_err_wrap(err, "--default-timeout");
    }
    if (check_record_max(s->ssl_record_max, err) < 0) {
        return deis_err_wrap(err, "--ssl-buffer-size");
    }
    if (deis_firewall_check_status(s->firewall_status, err) < 0) {
        return deis_err_wrap(err, "--firewall-error-code");
    }
    return deis_firewall_check_body(s->firewall_body_max, err) < 0
               ? deis_err_wrap(err, "--firewall-body-size")
               : DEIS_OK;
}

int settings_load(int argc, char **argv, struct settings *ret, struct deis_err *err)
{
    char host[256] = "router";

    memset(ret, 0, sizeof(*ret));
    int code = deis_conf_load(rows, DEIS_COUNT(rows), "deis-router",
                              "carries every request from a domain to a healthy unit", argc, argv,
                              ret, NULL, err);
    if (code < 0) {
        return code;
    }
    if (ret->control && !ret->routes) {
        return deis_err_set(err, DEIS_INVALID, "--control needs --routes");
    }
    drop_if(&ret->https, "-");
    drop_if(&ret->ocsp_ca, "-");
    if (!ret->cert != !ret->key || (ret->cert && !ret->https)) {
        return deis_err_set(err, DEIS_INVALID, "--cert and --key go together, with --https");
    }
    if (check_texts(ret, err) < 0) {
        return err->code;
    }
    drop_if(&ret->ssh, "-");
    drop_if(&ret->metrics, "-");
    if (!ret->instance) {
        (void)gethostname(host, sizeof(host) - 1);
        ret->instance = deis_strdup(host);
    }
    return check_numbers(ret, err);
}

int settings_apply(struct settings *s, struct deis_str key, const char *value, struct deis_err *err)
{
    if (check(key, value, err) < 0) {
        return err->code;
    }
    return deis_conf_apply(rows, DEIS_COUNT(rows), s, key, value, err);
}

unsigned settings_workers(const struct settings *s)
{
    int wanted = worker_number(s->workers);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (wanted > 0) {
        return (unsigned)wanted;
    }
    return cores > 0 ? (unsigned)(cores < WORKERS_MAX ? cores : WORKERS_MAX) : 1;
}

bool settings_enforce_https(const struct settings *s)
{
    return s->enforce_https ? truth(s->enforce_https) == 1 : s->hsts;
}

void settings_gzip(const struct settings *s, struct deis_gzip *ret)
{
    deis_gzip_default(ret);
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        const struct deis_conf_row *row = &rows[i];
        if (row->type == DEIS_CONF_TEXT && row->etcd_key) {
            /* They were checked, and others are none of these. */
            (void)!deis_gzip_set(ret, deis_str(row->etcd_key), text_of(s, row), NULL);
        }
    }
}

void settings_clear(struct settings *s)
{
    deis_conf_free(rows, DEIS_COUNT(rows), s);
}
