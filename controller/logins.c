/* SPDX-License-Identifier: MIT */
#include "controller/logins.h"

#include "controller/core/limiter.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/wire/ip.h"

#include <pthread.h>

#define ACCOUNT_FREE 10 /* failures of one account from one source */
#define SOURCE_FREE  50 /* of one source altogether */

struct logins {
    pthread_mutex_t lock;
    struct limiter limiter;
};

struct names {
    uint64_t account;
    uint64_t source;
};

/* IPv6 counts by /64, which is what one client has. */
static char *counted_source(const char *source)
{
    char text[DEIS_IP_TEXT];
    struct deis_ip ip;

    if (!deis_ip_parse(deis_str(source), &ip) || deis_ip_is_v4(&ip)) {
        return deis_strdup(source);
    }
    memset(ip.bytes + 8, 0, 8);
    deis_ip_format(&ip, text);
    return deis_strdup(text);
}

static struct names names_of(const char *account, const char *source)
{
    deis_autofree char *counted = counted_source(source);
    deis_autofree char *both = deis_asprintf("%s\n%s", counted, account);

    return (struct names){ deis_hash(deis_str(both)), deis_hash(deis_str(counted)) };
}

struct logins *logins_new(void)
{
    struct logins *l = deis_alloc(sizeof(*l));

    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void logins_free(struct logins *l)
{
    if (l) {
        pthread_mutex_destroy(&l->lock);
        free(l);
    }
}

uint64_t logins_wait_s(struct logins *l, const char *account, const char *source)
{
    struct names n = names_of(account, source);
    uint64_t now = deis_now_ms();

    pthread_mutex_lock(&l->lock);
    uint64_t account_ms = limiter_wait_ms(&l->limiter, n.account, ACCOUNT_FREE, now);
    uint64_t source_ms = limiter_wait_ms(&l->limiter, n.source, SOURCE_FREE, now);
    pthread_mutex_unlock(&l->lock);
    uint64_t wait_ms = account_ms > source_ms ? account_ms : source_ms;
    return (wait_ms + 999) / 1000;
}

void logins_failed(struct logins *l, const char *account, const char *source)
{
    struct names n = names_of(account, source);
    uint64_t now = deis_now_ms();

    pthread_mutex_lock(&l->lock);
    limiter_fail(&l->limiter, n.account, now);
    limiter_fail(&l->limiter, n.source, now);
    pthread_mutex_unlock(&l->lock);
}

void logins_succeeded(struct logins *l, const char *account, const char *source)
{
    struct names n = names_of(account, source);

    pthread_mutex_lock(&l->lock);
    limiter_forget(&l->limiter, n.account);
    pthread_mutex_unlock(&l->lock);
}
