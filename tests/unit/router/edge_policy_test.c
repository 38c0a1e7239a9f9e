/* SPDX-License-Identifier: MIT */
#include "router/core/edge_policy.h"
#include "tests/support/test.h"

static struct edge_policy *policy(const struct edge_options *o)
{
    struct edge_policy *p = NULL;

    assert_int_equal(edge_policy_new(o, &p, NULL), 0);
    return p;
}

static struct deis_ip ip(const char *text)
{
    struct deis_ip out;

    assert_true(deis_ip_parse(deis_str(text), &out));
    return out;
}

static void proxies__are_those_of_v1_unless_set(void **state)
{
    struct edge_options o = { .http_proxy = true };
    struct edge_policy *p = policy(&o);
    struct deis_ip ten = ip("10.1.2.3");
    struct deis_ip other = ip("192.168.1.2");

    assert_true(deis_cidrs_contain(p->http_proxies, &ten));
    assert_null(p->ssh_proxies);
    assert_null(p->forwarders); /* nobody is believed unasked */
    edge_policy_unref(p);
    o.ssh_proxy = true;
    o.cidrs = "192.168.0.0/16";
    p = policy(&o);
    assert_false(deis_cidrs_contain(p->http_proxies, &ten));
    assert_true(deis_cidrs_contain(p->http_proxies, &other));
    assert_true(deis_cidrs_contain(p->ssh_proxies, &other));
    assert_true(deis_cidrs_contain(p->forwarders, &other));
    assert_true(edge_policy_is_proxy(p, &other) && !edge_policy_is_proxy(p, &ten));
    edge_policy_unref(p);
    o.http_proxy = false;
    p = policy(&o);
    assert_null(p->http_proxies);
    assert_non_null(p->forwarders);
    edge_policy_unref(p);
}

static void connections__default_to_half_but_for_the_loopback(void **state)
{
    struct edge_options o = { .connections_all = 1000 };
    struct edge_policy *p = policy(&o);
    struct deis_ip loopbacks[] = { ip("127.0.0.1"), ip("127.9.9.9"), ip("::1"),
                                   ip("::ffff:127.0.0.1") };
    struct deis_ip others[] = { ip("192.0.2.1"), ip("128.0.0.1"), ip("::2"), ip("2001:db8::1") };

    assert_int_equal(p->connections, 500);
    for (size_t i = 0; i < DEIS_COUNT(loopbacks); i++) {
        assert_false(edge_policy_counts(p, &loopbacks[i]));
        assert_true(edge_policy_counts(p, &others[i]));
    }
    edge_policy_unref(p);
    o.connections = 7;
    o.rate = 4000000000;
    p = policy(&o);
    assert_int_equal(p->connections, 7);
    assert_int_equal(p->rate, 64000);
    assert_true(edge_policy_counts(p, &loopbacks[0]));
    edge_policy_unref(p);
    o.connections = 0;
    o.connections_all = 1;
    p = policy(&o);
    assert_int_equal(p->connections, 1);
    edge_policy_unref(p);
}

static void trickle__is_judged_after_a_while(void **state)
{
    static const struct {
        uint64_t rate;
        uint64_t bytes;
        uint64_t seconds;
        bool trickle;
    } rows[] = { { 100, 0, 20, false },         { 100, 0, 21, true },    { 100, 100, 21, false },
                 { 100, 199, 22, true },        { 100, 200, 22, false }, { 0, 0, 10000, false },
                 { 100, 1000000, 3600, false }, { 100, 10, 3600, true } };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct edge_options o = { .body_rate = rows[i].rate };
        struct edge_policy *p = policy(&o);
        assert_int_equal(edge_policy_is_trickle(p, rows[i].bytes, rows[i].seconds * 1000000),
                         rows[i].trickle);
        edge_policy_unref(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proxies__are_those_of_v1_unless_set),
        cmocka_unit_test(connections__default_to_half_but_for_the_loopback),
        cmocka_unit_test(trickle__is_judged_after_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
