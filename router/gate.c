/* SPDX-License-Identifier: MIT */
#include "router/gate.h"

#include "router/core/crowd.h"
#include "router/core/http_head.h"
#include "router/core/http_wish.h"
#include "router/core/rate.h"
#include "router/firewall.h"

bool gate_enforces_https(const struct route_settings *s, bool platform)
{
    switch (s->r.enforce_https) {
    case DEIS_YES: return true;
    case DEIS_NO: return false;
    case DEIS_UNSET: break;
    }
    return s->r.hsts == DEIS_YES || platform;
}

struct deis_str gate_hsts(const struct route_settings *s, const struct route_https *h)
{
    bool on = s->r.hsts == DEIS_UNSET ? h->hsts_len > 0 : s->r.hsts == DEIS_YES;

    return on ? deis_str_n(h->hsts, h->hsts_app_len) : DEIS_STR_NONE;
}

bool gate_is_examined(const struct exchange *x)
{
    const struct firewall_place *place = x->worker->opts.firewall;
    const struct route_settings *s = x->app->settings;

    if (x->app->kind != ROUTE_APP) {
        return false;
    }
    bool on = s && s->r.firewall != DEIS_UNSET ? s->r.firewall == DEIS_YES
                                               : x->worker->table->firewall.on;
    return on && (atomic_load_explicit(&place->loaded, memory_order_acquire) ||
                  atomic_load_explicit(&place->failed, memory_order_relaxed));
}

struct firewall *gate_firewall(const struct exchange *x)
{
    return atomic_load_explicit(&x->worker->opts.firewall->loaded, memory_order_acquire);
}

int gate_status(const struct exchange *x, enum page page)
{
    return page == PAGE_BLOCKED ? x->worker->table->firewall.status : page_info(page)->status;
}

void gate_page(const struct exchange *x, enum page page, struct page_opts *opts)
{
    const struct deis_routing *r = &x->app->settings->r;
    const char *own = NULL;

    switch (gate_status(x, page)) {
    case 403: own = r->pages[DEIS_PAGE_403]; break;
    case 413: own = r->pages[DEIS_PAGE_413]; break;
    case 429: own = r->pages[DEIS_PAGE_429]; break;
    case 502: own = r->pages[DEIS_PAGE_502]; break;
    case 503: own = r->pages[DEIS_PAGE_503]; break;
    case 504: own = r->pages[DEIS_PAGE_504]; break;
    default: break;
    }
    if (page == PAGE_MAINTENANCE && r->pages[DEIS_PAGE_MAINTENANCE]) {
        own = r->pages[DEIS_PAGE_MAINTENANCE];
    }
    opts->own = own ? deis_str(own) : DEIS_STR_NONE;
    opts->retry_after_s = x->retry_after_s;
}

static bool refuse(struct exchange *x, enum page page)
{
    /* Who reads the page slowly takes no room from others meanwhile. */
    exchange_uncount(x);
    x->turned_away = true;
    x->json = http_wants_json(&x->worker->request);
    (void)exchange_fail(x, page);
    return false;
}

/* Does the app have more of these than it may, this one included? max 0: any number. */
static bool is_beyond(const atomic_int *count, uint32_t max)
{
    return max > 0 && atomic_load_explicit(count, memory_order_relaxed) > (int)max;
}

bool gate_pass(struct exchange *x)
{
    const struct deis_routing *r = &x->app->settings->r;
    const struct route_stats *s = x->app->stats;

    if (!route_settings_admit(x->app->settings, &x->from.ip)) {
        return refuse(x, PAGE_NOT_ALLOWED);
    }
    if (r->rate_minute > 0) {
        uint64_t wait_ms = rate_take(s->rate, &x->from.ip, r->rate_minute, r->rate_burst,
                                     x->worker->now_us / 1000);
        if (wait_ms > 0) {
            x->retry_after_s = (wait_ms + 999) / 1000;
            return refuse(x, PAGE_TOO_FAST);
        }
    }
    if (r->maintenance) {
        return refuse(x, PAGE_MAINTENANCE);
    }
    if (is_beyond(&s->in_flight, r->requests_max)) {
        return refuse(x, PAGE_BUSY);
    }
    if (x->upgrade && is_beyond(&s->connections, r->connections_max)) {
        return refuse(x, PAGE_CONNECTED);
    }
    if (r->address_max > 0 &&
        crowd_enter(s->crowd, &x->from.ip, r->address_max, &x->seat) == CROWD_FULL) {
        return refuse(x, PAGE_CROWDED);
    }
    if (r->sticky) {
        x->wish.tag = http_cookie_tag(&x->worker->request);
    }
    if (r->affinity_arg) {
        x->wish.value = route_wish_value(http_query_value(x->target, r->affinity_arg));
    }
    return true;
}

uint64_t gate_wait_ms(const struct exchange *x, enum wait wait)
{
    const struct route_settings *s = x->app->settings;
    const struct deis_routing *r = &s->r;

    if (wait == WAIT_ANSWER) {
        return s->send_ms > 0 && exchange_is_sending(x) ? s->send_ms : r->timeout_ms;
    }
    return wait == WAIT_CONNECT ? r->connect_timeout_ms : 0;
}

struct deis_str gate_cookie(const struct exchange *x, char out[GATE_COOKIE_MAX])
{
    if (!x->app->settings->r.sticky || x->endpoint->tag == x->wish.tag) {
        return DEIS_STR_NONE;
    }
    int n =
        snprintf(out, GATE_COOKIE_MAX,
                 "Set-Cookie: " HTTP_COOKIE_NAME "=%016llx; Path=/; HttpOnly; SameSite=Lax%s\r\n",
                 (unsigned long long)x->endpoint->tag, x->from.https ? "; Secure" : "");
    return deis_str_n(out, (size_t)n);
}
