/* SPDX-License-Identifier: MIT */
#include "router/core/latency.h"
#include "router/core/metrics_text.h"
#include "tests/support/test.h"

static void bucket__is_the_first_that_is_wide_enough(void **state)
{
    for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++) {
        uint64_t bound = latency_bound_us(i);
        assert_int_equal(latency_bucket(bound), i);
        assert_int_equal(latency_bucket(bound + 1), i + 1);
        assert_int_equal(latency_bucket(bound / 2 + 1), i == 0 ? 0 : i);
    }
    assert_int_equal(latency_bucket(0), 0);
    assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

static void label__is_escaped(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(1000);

    metrics_sample(&b, "a", "b", "x\"y\\z\nw", 18446744073709551615u);
    assert_string_equal(b.data, "a{b=\"x\\\"y\\\\z\\nw\"} 18446744073709551615\n");
}

static void apps__have_cumulative_histograms(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(1 << 16);
    struct route_registry *r = route_registry_new();
    struct route_stats *s = route_registry_stats(r, "blog");
    struct route_limits limits = { 1, 1 };
    struct route_hosts *hosts = route_hosts_new(1);
    struct route_app *app = route_app_new("blog", ROUTE_APP, 0, s, NULL, 0);

    s->latency[0] = 2;
    s->latency[3] = 1;
    s->latency[LATENCY_BUCKETS - 1] = 1;
    s->latency_us = 70005001;
    s->answers[2] = 4;
    struct route_table *t = route_table_new(1, &limits, hosts, NULL, &app, 1);
    metrics_apps(&b, t);
    static const char *const lines[] = {
        "deis_router_app_requests_total{app=\"blog\",class=\"2xx\"} 4\n",
        "deis_router_app_request_seconds_bucket{app=\"blog\",le=\"0.000500\"} 2\n",
        "deis_router_app_request_seconds_bucket{app=\"blog\",le=\"0.002000\"} 2\n",
        "deis_router_app_request_seconds_bucket{app=\"blog\",le=\"0.004000\"} 3\n",
        "deis_router_app_request_seconds_bucket{app=\"blog\",le=\"65.536000\"} 3\n",
        "deis_router_app_request_seconds_bucket{app=\"blog\",le=\"+Inf\"} 4\n",
        "deis_router_app_request_seconds_sum{app=\"blog\"} 70.005001\n",
        "deis_router_app_request_seconds_count{app=\"blog\"} 4\n",
    };
    for (size_t i = 0; i < DEIS_COUNT(lines); i++) {
        assert_non_null(strstr(b.data, lines[i]));
    }
    route_table_unref(t);
    route_hosts_unref(hosts);
    route_app_unref(app);
    route_stats_unref(s);
    route_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket__is_the_first_that_is_wide_enough),
        cmocka_unit_test(label__is_escaped),
        cmocka_unit_test(apps__have_cumulative_histograms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
