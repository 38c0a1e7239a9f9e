/* SPDX-License-Identifier: MIT */
/* Watches and leases against a real etcd that is killed, moved, compacted and frozen under them. */
#include "tests/support/cutter.h"
#include "tests/support/etcd_server.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/etcd/etcd.h"
#include "lib/etcd/etcd_codec.h"
#include "lib/net/httpc.h"

#include <inttypes.h>
#include <stdio.h>

#define DEADLINE_MS 60000u

/* The call names its last argument "why". */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct deis_err why_ = DEIS_ERR_INIT;                                                      \
        struct deis_err *why = &why_;                                                              \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, why->msg);                                                   \
        }                                                                                          \
    } while (0)

/* What a watch has told, and the loop that runs until it has told enough. */
struct mirror {
    struct test_etcd server;
    struct deis_etcd *etcd; /* that the watch uses */
    struct deis_loop *loop;
    struct deis_timer *deadline;
    struct deis_etcd_watch *watch;
    bool several;             /* prefixes, not one */
    struct deis_map *keys;    /* key -> value */
    struct deis_map *reports; /* "key@revision" */
    unsigned changes;
    unsigned deletions;
    unsigned synced;
    unsigned connects;
    unsigned losses;
    bool connected;
    int64_t revision;
    size_t wanted_keys;
    const char *wanted_value; /* of /t/last */
    bool (*enough)(struct mirror *m);

    struct deis_etcd_lease *lease;
    int64_t lease_id;
    unsigned lost;
};

static struct deis_etcd *connect_to(const char *endpoints)
{
    const struct deis_etcd_opts opts = { .endpoints = endpoints, .timeout_ms = 10000 };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_etcd *e = deis_etcd_new(&opts, &err);
    assert_non_null(e);
    return e;
}

static void check_enough(struct mirror *m)
{
    if (m->enough && m->enough(m)) {
        m->enough = NULL;
        deis_loop_stop(m->loop);
    }
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct mirror *m = arg;
    deis_autofree char *report =
        deis_asprintf("%s@%" PRId64 "%s", kv->key, kv->mod_revision, deleted ? "-" : "+");

    if (deis_map_get(m->reports, deis_str(report))) {
        fail_msg("reported twice: %s", report);
    }
    deis_map_set(m->reports, deis_str(report), deis_strdup(report));
    m->changes++;
    if (deleted) {
        m->deletions++;
        assert_true(deis_map_remove(m->keys, deis_str(kv->key)));
    } else {
        deis_map_set(m->keys, deis_str(kv->key), deis_str_dup(kv->value));
    }
}

static void on_synced(int64_t revision, void *arg)
{
    struct mirror *m = arg;
    assert_true(revision >= m->revision);
    m->revision = revision;
    m->synced++;
    check_enough(m);
}

static void on_state(bool connected, void *arg)
{
    struct mirror *m = arg;
    m->connected = connected;
    if (connected) {
        m->connects++;
    } else {
        m->losses++;
    }
    check_enough(m);
}

static const struct deis_etcd_watch_ops OPS = { on_change, on_synced, on_state };

static void on_deadline(void *arg)
{
    const struct mirror *m = arg;
    fail_msg("not there in time: %zu keys, %u changes, %u synced, %u connects, %u losses",
             deis_map_count(m->keys), m->changes, m->synced, m->connects, m->losses);
}

static void run_until(struct mirror *m, bool (*enough)(struct mirror *m))
{
    m->enough = enough;
    deis_timer_after(m->deadline, DEADLINE_MS);
    deis_loop_run(m->loop);
    deis_timer_cancel(m->deadline);
}

static bool is_connected(struct mirror *m)
{
    return m->connected;
}

static bool is_away(struct mirror *m)
{
    return m->losses > 0 && !m->connected;
}

static bool has_keys(struct mirror *m)
{
    const char *last = deis_map_get(m->keys, DEIS_STR("/t/last"));
    return deis_map_count(m->keys) == m->wanted_keys &&
           (!m->wanted_value || (last && strcmp(last, m->wanted_value) == 0));
}

static int setup_server(void **state)
{
    struct mirror *m = deis_alloc(sizeof(*m));

    test_etcd_init(&m->server);
    m->etcd = connect_to(m->server.url);
    m->loop = deis_loop_new();
    m->deadline = deis_timer_new(m->loop, on_deadline, m);
    m->keys = deis_map_new(free);
    m->reports = deis_map_new(free);
    *state = m;
    return 0;
}

static int setup(void **state)
{
    setup_server(state);
    struct mirror *m = *state;
    test_etcd_start(&m->server);
    return 0;
}

static int setup_server_several(void **state)
{
    setup_server(state);
    struct mirror *m = *state;
    m->several = true;
    return 0;
}

static int setup_several(void **state)
{
    setup(state);
    struct mirror *m = *state;
    m->several = true;
    return 0;
}

static int teardown(void **state)
{
    struct mirror *m = *state;

    deis_etcd_watch_stop(m->watch);
    deis_etcd_lease_stop(m->lease, false);
    deis_etcd_free(m->etcd);
    deis_timer_free(m->deadline);
    deis_loop_free(m->loop);
    deis_map_free(m->keys);
    deis_map_free(m->reports);
    test_etcd_clear(&m->server);
    free(m);
    return 0;
}

static void put(struct mirror *m, const char *key, const char *value)
{
    OK(deis_etcd_put(m->etcd, key, deis_str(value), 0, why));
}

static void put_many(struct deis_etcd *e, unsigned count)
{
    for (unsigned i = 0; i < count;) {
        deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
        for (unsigned j = 0; j < 128 && i < count; j++, i++) {
            deis_autofree char *key = deis_asprintf("/t/many/%04u", i);
            deis_etcd_then_put(t, key, deis_str(key), 0);
        }
        OK(deis_etcd_commit(e, t, NULL, NULL, why));
    }
}

static void start_watch(struct mirror *m)
{
    /* All that the tests have below /t/. */
    static const char *const parts[] = { "t/0", "t/1", "t/2", "t/3", "t/4", "t/5", "t/6", "t/7",
                                         "t/8", "t/9", "t/a", "t/b", "t/g", "t/k", "t/l", "t/m" };

    m->watch = m->several ? deis_etcd_watch_start_several(m->etcd, m->loop, "/", parts,
                                                          DEIS_COUNT(parts), &OPS, m)
                          : deis_etcd_watch_start(m->etcd, m->loop, "/t/", &OPS, m);
}

/* --- the usual course --- */

static void watch__lists_then_follows(void **state)
{
    struct mirror *m = *state;

    put(m, "/s", "outside");
    put(m, "/u", "outside");
    put_many(m->etcd, 600);
    m->wanted_keys = 600;
    start_watch(m);
    run_until(m, has_keys);
    assert_int_equal(m->synced, 1);
    run_until(m, is_connected);

    put(m, "/t/last", "1");
    m->wanted_keys = 601;
    m->wanted_value = "1";
    run_until(m, has_keys);
    put(m, "/s", "outside still");
    put(m, "/t/last", "");
    m->wanted_value = "";
    run_until(m, has_keys);
    OK(deis_etcd_delete_prefix(m->etcd, "/t/many/", why));
    m->wanted_keys = 1;
    run_until(m, has_keys);
    assert_int_equal(m->deletions, 600);
    assert_int_equal(m->changes, 600 + 2 + 600);
    assert_int_equal(m->losses, 0);
}

static void watch__tells_a_transaction_as_one(void **state)
{
    struct mirror *m = *state;

    start_watch(m);
    run_until(m, is_connected);
    unsigned before = m->synced;
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    for (int i = 0; i < 100; i++) {
        deis_autofree char *key = deis_asprintf("/t/%d", i);
        deis_etcd_then_put(t, key, DEIS_STR("x"), 0);
    }
    OK(deis_etcd_commit(m->etcd, t, NULL, NULL, why));
    m->wanted_keys = 100;
    run_until(m, has_keys);
    assert_int_equal(m->synced, before + 1);
}

static bool stop_here(struct mirror *m)
{
    deis_etcd_watch_stop(m->watch);
    m->watch = NULL;
    return true;
}

static void watch__may_be_stopped_from_its_callbacks(void **state)
{
    struct mirror *m = *state;

    put(m, "/t/a", "x");
    start_watch(m); /* in on_synced after the list */
    run_until(m, stop_here);
    assert_int_equal(m->synced, 1);
    assert_int_equal(m->connects, 0);
    deis_map_free(m->reports);
    m->reports = deis_map_new(free);
    start_watch(m);
    run_until(m, is_connected);
    put(m, "/t/b", "x"); /* in on_synced after an event */
    run_until(m, stop_here);
    test_etcd_kill(&m->server);
    start_watch(m); /* in on_state */
    run_until(m, stop_here);
    assert_int_equal(m->losses, 1);
}

/* --- etcd goes away and comes back --- */

static void watch__waits_for_an_etcd_that_is_away(void **state)
{
    struct mirror *m = *state;

    start_watch(m);
    run_until(m, is_away);
    assert_int_equal(m->synced, 0);
    test_etcd_start(&m->server);
    put(m, "/t/a", "x");
    run_until(m, is_connected);
    assert_int_equal(m->synced, 1);
    assert_int_equal(deis_map_count(m->keys), 1);
}

/* Make changes that the watch can't see: etcd runs on another port meanwhile. */
static struct deis_etcd *move_away(struct mirror *m)
{
    uint16_t port = test_free_port();
    deis_autofree char *url = deis_asprintf("http://127.0.0.1:%u", port);

    test_etcd_kill(&m->server);
    run_until(m, is_away);
    test_etcd_start_on(&m->server, port);
    return connect_to(url);
}

static void move_back(struct mirror *m, struct deis_etcd *elsewhere)
{
    deis_etcd_free(elsewhere);
    test_etcd_kill(&m->server);
    test_etcd_start(&m->server);
}

static void watch__resumes_after_a_kill_with_what_it_missed(void **state)
{
    struct mirror *m = *state;

    put(m, "/t/gone", "x");
    put(m, "/t/kept", "x");
    start_watch(m);
    run_until(m, is_connected);
    assert_int_equal(m->changes, 2);

    struct deis_etcd *elsewhere = move_away(m);
    OK(deis_etcd_delete(elsewhere, "/t/gone", why));
    OK(deis_etcd_put(elsewhere, "/t/brief", DEIS_STR("x"), 0, why));
    OK(deis_etcd_delete(elsewhere, "/t/brief", why));
    OK(deis_etcd_put(elsewhere, "/t/last", DEIS_STR("2"), 0, why));
    move_back(m, elsewhere);
    m->wanted_keys = 2;
    m->wanted_value = "2";
    run_until(m, has_keys);
    assert_int_equal(m->changes, 2 + 4); /* every change of the gap, no list */
    assert_int_equal(m->deletions, 2);
    put(m, "/t/last", "3");
    m->wanted_value = "3";
    run_until(m, has_keys);
}

static void watch__takes_a_replay_in_fragments(void **state)
{
    struct mirror *m = *state;
    deis_autobuf struct deis_buf big = DEIS_BUF_INIT(2 << 20);

    while (big.len < 1000000) {
        deis_buf_add_cstr(&big, "0123456789abcdef");
    }
    start_watch(m);
    run_until(m, is_connected);
    struct deis_etcd *elsewhere = move_away(m);
    for (int i = 0; i < 6; i++) {
        deis_autofree char *key = deis_asprintf("/t/big/%d", i);
        OK(deis_etcd_put(elsewhere, key, deis_buf_str(&big), 0, why));
    }
    OK(deis_etcd_put(elsewhere, "/t/last", DEIS_STR("1"), 0, why));
    move_back(m, elsewhere);
    m->wanted_keys = 7;
    m->wanted_value = "1";
    run_until(m, has_keys);
    assert_int_equal(m->changes, 7);
    assert_int_equal(strlen(deis_map_get(m->keys, DEIS_STR("/t/big/5"))), big.len);
}

/* The first half of a line holds all that there is of one key of a transaction. */
static void watch__takes_all_or_nothing_of_a_line_that_was_cut(void **state)
{
    struct mirror *m = *state;
    struct test_cutter *cutter = test_cutter_start(m->server.port);
    deis_autofree char *url = deis_asprintf("http://127.0.0.1:%u", test_cutter_port(cutter));
    struct deis_etcd *direct = DEIS_TAKE(m->etcd);

    m->etcd = connect_to(url);
    OK(deis_etcd_put(direct, "/t/b", DEIS_STR("1"), 0, why));
    start_watch(m);
    run_until(m, is_connected);
    unsigned synced = m->synced;
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    deis_etcd_then_put(t, "/t/a", DEIS_STR("2"), 0);
    deis_etcd_then_put(t, "/t/last", DEIS_STR("2"), 0);
    deis_etcd_then_delete(t, "/t/b");
    test_cutter_arm(cutter, "\"events\"");
    OK(deis_etcd_commit(direct, t, NULL, NULL, why));
    m->wanted_keys = 2;
    m->wanted_value = "2";
    run_until(m, has_keys);
    assert_int_equal(test_cutter_cuts(cutter), 1);
    assert_int_equal(m->synced, synced + 1);
    assert_int_equal(m->changes, 1 + 3);
    assert_int_equal(m->losses, 1);
    deis_etcd_watch_stop(DEIS_TAKE(m->watch));
    deis_etcd_free(m->etcd);
    m->etcd = direct;
    test_cutter_stop(cutter);
}

static void compact(const char *url, int64_t revision)
{
    deis_autofree char *path = deis_asprintf("%s/v3/kv/compaction", url);
    deis_autofree char *body =
        deis_asprintf("{\"revision\":\"%" PRId64 "\",\"physical\":true}", revision);
    const struct deis_httpc_request req = {
        .method = "POST",
        .url = path,
        .body = deis_str(body),
        .timeout_ms = DEADLINE_MS,
    };
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    struct deis_httpc *c = deis_httpc_new();

    OK(deis_httpc_call(c, &req, &answer, why));
    assert_int_equal(answer.status, 200);
    deis_httpc_free(c);
}

static void watch__lists_again_after_a_compaction(void **state)
{
    struct mirror *m = *state;
    deis_autorange struct deis_etcd_range r = { 0 };

    put(m, "/t/gone", "x");
    put(m, "/t/kept", "x");
    put(m, "/t/last", "1");
    start_watch(m);
    run_until(m, is_connected);
    assert_int_equal(m->changes, 3);

    uint16_t port = test_free_port();
    deis_autofree char *url = deis_asprintf("http://127.0.0.1:%u", port);
    test_etcd_kill(&m->server);
    run_until(m, is_away);
    test_etcd_start_on(&m->server, port);
    struct deis_etcd *elsewhere = connect_to(url);
    OK(deis_etcd_delete(elsewhere, "/t/gone", why));
    OK(deis_etcd_put(elsewhere, "/t/brief", DEIS_STR("x"), 0, why));
    OK(deis_etcd_delete(elsewhere, "/t/brief", why));
    OK(deis_etcd_put(elsewhere, "/t/last", DEIS_STR("2"), 0, why));
    OK(deis_etcd_get(elsewhere, "/t/last", &r, why));
    compact(url, r.revision);
    move_back(m, elsewhere);
    m->wanted_keys = 2;
    m->wanted_value = "2";
    run_until(m, has_keys);
    /* What differs, and nothing else: one change, one deletion. */
    assert_int_equal(m->changes, 3 + 2);
    assert_int_equal(m->deletions, 1);
    run_until(m, is_connected);
    put(m, "/t/last", "3");
    m->wanted_value = "3";
    run_until(m, has_keys);
    assert_int_equal(m->changes, 3 + 3);
}

static void watch__notices_that_etcd_began_anew(void **state)
{
    struct mirror *m = *state;
    struct test_etcd fresh;

    for (int i = 0; i < 5; i++) {
        deis_autofree char *key = deis_asprintf("/t/%d", i);
        put(m, key, "old");
    }
    start_watch(m);
    run_until(m, is_connected);
    test_etcd_kill(&m->server);
    run_until(m, is_away);
    test_etcd_init(&fresh);
    fresh.port = m->server.port;
    fresh.peer_port = m->server.peer_port;
    test_etcd_start(&fresh);
    deis_map_free(m->reports);
    m->reports = deis_map_new(free);
    m->revision = 0;
    put(m, "/t/last", "new");
    m->wanted_keys = 1;
    m->wanted_value = "new";
    run_until(m, has_keys);
    assert_int_equal(m->deletions, 5);
    deis_etcd_watch_stop(DEIS_TAKE(m->watch));
    test_etcd_clear(&fresh);
}

static void watch__goes_to_another_endpoint(void **state)
{
    struct mirror *m = *state;
    deis_autofree char *urls =
        deis_asprintf("http://127.0.0.1:%u,%s", test_free_port(), m->server.url);

    deis_etcd_free(m->etcd);
    m->etcd = connect_to(urls);
    put(m, "/t/last", "1");
    deis_etcd_free(m->etcd); /* another one, that has not learnt yet which endpoint is alive */
    m->etcd = connect_to(urls);
    m->wanted_keys = 1;
    start_watch(m);
    run_until(m, has_keys);
}

/* --- leases on the loop --- */

static void on_granted(int64_t lease, void *arg)
{
    struct mirror *m = arg;
    assert_int_equal(m->lease_id, 0);
    m->lease_id = lease;
    check_enough(m);
}

static void on_lost(void *arg)
{
    struct mirror *m = arg;
    m->lost++;
    check_enough(m);
}

static bool is_granted(struct mirror *m)
{
    return m->lease_id != 0;
}

static bool is_lost(struct mirror *m)
{
    return m->lost > 0;
}

static void start_lease(struct mirror *m, unsigned ttl_s)
{
    deis_etcd_lease_start(m->etcd, m->loop, ttl_s, on_granted, on_lost, m, &m->lease);
}

static void expect_gone(struct mirror *m, const char *key)
{
    struct deis_etcd_range r;
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(deis_etcd_get(m->etcd, key, &r, &err), DEIS_NOT_FOUND);
}

static bool has_no_keys_or_lost(struct mirror *m)
{
    return m->lost > 0 || (m->synced > 1 && deis_map_count(m->keys) == 0);
}

static void stop_loop(void *arg)
{
    struct mirror *m = arg;
    deis_loop_stop(m->loop);
}

static void lease__lives_longer_than_its_ttl(void **state)
{
    struct mirror *m = *state;

    start_lease(m, 8);
    run_until(m, is_granted);
    OK(deis_etcd_put(m->etcd, "/t/leased", DEIS_STR("x"), m->lease_id, why));
    start_watch(m);
    m->wanted_keys = 1;
    run_until(m, has_keys);
    struct deis_timer *t = deis_timer_new(m->loop, stop_loop, m);
    deis_timer_after(t, 17000);
    run_until(m, has_no_keys_or_lost);
    deis_timer_free(t);
    assert_int_equal(m->lost, 0);
    assert_int_equal(deis_map_count(m->keys), 1);

    deis_etcd_lease_stop(DEIS_TAKE(m->lease), true);
    expect_gone(m, "/t/leased");
}

static void lease__is_lost_when_etcd_forgets_it(void **state)
{
    struct mirror *m = *state;

    start_lease(m, 3);
    run_until(m, is_granted);
    OK(deis_etcd_lease_revoke(m->etcd, m->lease_id, why));
    run_until(m, is_lost);
    assert_int_equal(m->lost, 1);
}

static void lease__is_lost_in_time_when_etcd_is_away(void **state)
{
    struct mirror *m = *state;

    uint64_t asked_ms = deis_now_ms();
    start_lease(m, 3);
    run_until(m, is_granted);
    test_etcd_freeze(&m->server);
    /* The lease was granted a moment before we count; etcd ends it no earlier. On a busy machine
     * both timers are late, but not in another order. */
    struct deis_timer *too_late = deis_timer_new(m->loop, stop_loop, m);
    deis_timer_after(too_late, 3200);
    run_until(m, is_lost);
    assert_true(deis_now_ms() - asked_ms > 1500);
    deis_timer_free(too_late);
    test_etcd_thaw(&m->server);
    assert_int_equal(m->lost, 1);
}

static void lease__survives_a_restart_of_etcd(void **state)
{
    struct mirror *m = *state;

    start_lease(m, 60);
    run_until(m, is_granted);
    OK(deis_etcd_put(m->etcd, "/t/leased", DEIS_STR("x"), m->lease_id, why));
    start_watch(m);
    run_until(m, is_connected);
    test_etcd_kill(&m->server);
    run_until(m, is_away);
    test_etcd_start(&m->server);
    run_until(m, is_connected);
    assert_int_equal(m->lost, 0);
    assert_int_equal(deis_map_count(m->keys), 1);
}

static void lease__waits_for_an_etcd_that_is_away(void **state)
{
    struct mirror *m = *state;

    start_lease(m, 5);
    start_watch(m);
    run_until(m, is_away);
    assert_int_equal(m->lease_id, 0);
    test_etcd_start(&m->server);
    run_until(m, is_granted);
}

/* --- TLS --- */

static void tls__needs_the_right_certificates_both_ways(void **state)
{
    struct mirror *m = *state;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_etcd_range r;

    test_etcd_clear(&m->server);
    if (!test_etcd_init_tls(&m->server)) {
        print_message("SKIP tls: no openssl is installed\n");
        return;
    }
    test_etcd_start(&m->server);

    /* Without a certificate of our own, and without knowing that of etcd. */
    const struct deis_httpc_tls all = test_etcd_tls(&m->server);
    const struct deis_httpc_tls wrong[] = {
        { .ca_file = all.ca_file }, { .cert_file = all.cert_file, .key_file = all.key_file }
    };
    for (size_t i = 0; i < DEIS_COUNT(wrong); i++) {
        const struct deis_etcd_opts opts = { .endpoints = m->server.url, .tls = wrong[i] };
        struct deis_etcd *e = deis_etcd_new(&opts, &err);
        assert_non_null(e);
        assert_int_equal(deis_etcd_get(e, "/t/a", &r, &err), DEIS_UNAVAILABLE);
        deis_etcd_free(e);
    }
    const struct deis_etcd_opts opts = { .endpoints = m->server.url, .tls = all };
    deis_etcd_free(m->etcd);
    m->etcd = deis_etcd_new(&opts, &err);
    assert_non_null(m->etcd);
    start_watch(m);
    run_until(m, is_connected);
    start_lease(m, 5);
    run_until(m, is_granted);
    put(m, "/t/last", "1");
    m->wanted_keys = 1;
    m->wanted_value = "1";
    run_until(m, has_keys);
}

int main(void)
{
#define CASE(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CASE_AWAY(name) cmocka_unit_test_setup_teardown(name, setup_server, teardown)
/* With one prefix, and with several. */
#define BOTH(name)                                                                                 \
    CASE(name),                                                                                    \
    {                                                                                              \
#        name " (several)", name, setup_several, teardown, NULL                                    \
    }
#define BOTH_AWAY(name)                                                                            \
    CASE_AWAY(name),                                                                               \
    {                                                                                              \
#        name " (several)", name, setup_server_several, teardown, NULL                             \
    }
    const struct CMUnitTest tests[] = {
        BOTH(watch__lists_then_follows),
        BOTH(watch__tells_a_transaction_as_one),
        BOTH(watch__may_be_stopped_from_its_callbacks),
        BOTH_AWAY(watch__waits_for_an_etcd_that_is_away),
        BOTH(watch__resumes_after_a_kill_with_what_it_missed),
        BOTH(watch__takes_a_replay_in_fragments),
        BOTH(watch__takes_all_or_nothing_of_a_line_that_was_cut),
        BOTH(watch__lists_again_after_a_compaction),
        BOTH(watch__notices_that_etcd_began_anew),
        CASE(watch__goes_to_another_endpoint),
        CASE(lease__lives_longer_than_its_ttl),
        CASE(lease__is_lost_when_etcd_forgets_it),
        CASE(lease__is_lost_in_time_when_etcd_is_away),
        CASE(lease__survives_a_restart_of_etcd),
        CASE_AWAY(lease__waits_for_an_etcd_that_is_away),
        CASE_AWAY(tls__needs_the_right_certificates_both_ways),
    };

    if (!test_etcd_installed("etcd_watch_test")) {
        return 0;
    }
    deis_runtime_init("etcd-watch-test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
