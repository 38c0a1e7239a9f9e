/* SPDX-License-Identifier: MIT */
#include "deisctl/core/setting.h"
#include "tests/support/test.h"

static struct deis_err said;

static int check(const char *component, const char *name, const char *value)
{
    said = (struct deis_err)DEIS_ERR_INIT;
    return setting_check(component, deis_str(name), deis_str(value), &said);
}

static void values(void **state)
{
    static const char *const good[][3] = {
        { "router", "enforceWhitelist", "true" },
        { "router", "controller/whitelist", "10.0.0.0/8:office,::1" },
        { "router", "controller/timeout/read", "20m" },
        { "router", "controller/timeout/send", "20m" },
        { "router", "builder/timeout/connect", "10s" },
        { "router", "errorLogLevel", "emerg" },
        { "router", "affinityArg", "sid" },
        { "router", "maxConnections", "1000" },
        { "router", "maxConnections", "0" },
        { "router", "firewall/enabled", "true" },
        { "router", "firewall/errorCode", "403" },
        { "router", "firewall/bodySize", "1m" },
        { "router", "gzip", "on" },
        { "router", "gzipTypes", "text/css application/x" },
        { "router", "bodySize", "1m" },
        { "router", "defaultTimeout", "1300" },
        { "router", "proxyRealIpCidr", "10.0.0.0/8,2001:db8::/32" },
        { "router", "sslProtocols", "TLSv1.2 TLSv1.3" },
        { "router", "sslProtocols", "TLSv1.3" },
        { "router", "sslCiphers", "ECDHE-RSA-AES256-GCM-SHA384" },
        { "router", "workerProcesses", "auto" },
        { "router", "workerProcesses", "4" },
        { "controller", "wildcardDomains", "on" },
        { "controller", "tokenLife", "720h" },
        { "builder", "buildMemory", "2GB" },
        { "platform", "domain", "example.com" },
        { "platform", "httpPort", "8080" },
        { "router", "addressRequests", "20" },
        { "router", "hsts/maxAge", "10886400" },
        { "router", "leaveTimeout", "48h" },
        { "controller", "registrationMode", "admin_only" },
        { "controller", "bootstrap", "operator" },
        { "controller", "proxyFrom", "127.0.0.0/8,::1/128" },
        { "controller", "auditKept", "20000" },
        { "builder", "pushTimeout", "45m" },
    };
    static const char *const bad[][3] = {
        { "router", "enforceWhitelist", "yes" },
        { "router", "controller/whitelist", "10.0.0.0/8,office" },
        { "router", "controller/whitelist", "\xff" },
        { "router", "controller/timeout/read", "soon" },
        { "router", "controller/timeout/send", "25h" },
        { "router", "builder/timeout/connect", "10 s" },
        { "router", "defaultTimeout", "0" },
        { "router", "errorLogLevel", "warning" },
        { "router", "affinityArg", "a=b" },
        { "router", "maxConnections", "many" },
        { "router", "rateBurst", "1000000" },
        { "router", "firewall/enabled", "perhaps" },
        { "router", "firewall/errorCode", "399" },
        { "router", "firewall/errorCode", "500" },
        { "router", "firewall/errorCode", "teapot" },
        { "router", "firewall/bodySize", "1023" },
        { "router", "firewall/bodySize", "2m" },
        { "router", "firewall/bodySize", "" },
        { "router", "gzip", "perhaps" },
        { "router", "gzipTypes", "css" },
        { "router", "bodySize", "what" },
        { "router", "proxyRealIpCidr", "10.0.0.0/8:office" },
        { "router", "sslProtocols", "TLSv1 TLSv1.1 TLSv1.2" },
        { "router", "sslProtocols", " " },
        { "router", "sslCiphers", "\xff" },
        { "router", "workerProcesses", "257" },
        { "controller", "wildcardDomains", "2" },
        { "builder", "buildsMax", "-1" },
        { "platform", "httpPort", "0" },
        { "platform", "sshPort", "65536" },
        { "router", "addressRequests", "-1" },
        { "router", "hsts/enabled", "yes" },
        { "router", "hsts/maxAge", "126d" },
        { "router", "leaveTimeout", "2d" },
        { "router", "proxyRealIpCidr", "10.0.0.0/33" },
        { "controller", "tokenLife", "30days" },
        { "controller", "registrationMode", "adminonly" },
        { "controller", "bootstrap", "first" },
        { "controller", "proxyFrom", "here" },
        { "controller", "auditKept", "4294967296" },
        { "builder", "buildMemory", "2 GB" },
        { "builder", "pushTimeout", "45 min" },
    };

    for (size_t i = 0; i < DEIS_COUNT(good); i++) {
        assert_int_equal(check(good[i][0], good[i][1], good[i][2]), 0);
    }
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(check(bad[i][0], bad[i][1], bad[i][2]), DEIS_INVALID);
        deis_autofree char *place = deis_asprintf("%s/%s: ", bad[i][0], bad[i][1]);
        assert_true(deis_str_starts(deis_str(said.msg), place));
    }
}

static void unknown_names(void **state)
{
    assert_int_equal(check("router", "enforceHttps", "true"), DEIS_INVALID);
    assert_string_equal(said.msg,
                        "router/enforceHttps: there is no such setting, but 'enforceHTTPS'");
    assert_int_equal(check("builder", "affinityArg", "sid"), DEIS_INVALID);
    assert_non_null(strstr(said.msg, "there is no such setting"));
    assert_int_equal(check("routers", "gzip", "on"), DEIS_INVALID);
    assert_non_null(strstr(said.msg, "'routers' has no settings"));
}

/* Who comes from Deis v1 learns that it is not there, and why; never that all is well. */
static void absent_ones(void **state)
{
    assert_int_equal(check("router", "serverTokens", "off"), DEIS_INVALID);
    assert_string_equal(said.msg, "router/serverTokens: there is none here: the router never names "
                                  "itself to clients");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(absent_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
