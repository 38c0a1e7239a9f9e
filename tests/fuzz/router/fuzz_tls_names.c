/* SPDX-License-Identifier: MIT */
/* Whatever a client sends for its server name, the certificate is one whose name it asked for. */
#include "router/core/tls_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* The pattern matches the host: the same without regard to case and a final dot, or one label more.
 */
static bool covers(const char *pattern, struct deis_str host)
{
    host.len -= host.ptr[host.len - 1] == '.';
    if (deis_str_starts(deis_str(pattern), "*.")) {
        ptrdiff_t dot = deis_str_find(host, '.');
        return dot > 0 && deis_str_ieq(deis_str_skip(host, (size_t)dot), deis_str(pattern + 1));
    }
    return deis_str_ieq(host, deis_str(pattern));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const own[] = { "a.b", "*.c.b", "p.q" };
    static const char *const platform[] = { "*.q", "x.y" };
    struct tls_names *n = tls_names_new("q", 4);
    struct deis_str host;

    for (uint32_t i = 0; i < DEIS_COUNT(own); i++) {
        check(tls_names_add(n, deis_str(own[i]), i));
    }
    for (size_t i = 0; i < DEIS_COUNT(platform); i++) {
        check(tls_names_add_platform(n, deis_str(platform[i])));
    }
    if (tls_names_parse_sni(data, size, &host) && host.ptr) {
        check(host.ptr >= (const char *)data && host.len <= size);
        int64_t i = tls_names_pick(n, host);
        if (i == TLS_NAMES_PLATFORM) {
            check(covers(platform[0], host) || covers(platform[1], host));
        } else if (i != TLS_NAMES_NONE) {
            check(i < (int64_t)DEIS_COUNT(own) && covers(own[i], host) && !covers("p.q", host));
        }
    }
    tls_names_free(n);
    return 0;
}
