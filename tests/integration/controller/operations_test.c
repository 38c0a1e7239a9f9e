/* SPDX-License-Identifier: MIT */
/* Deploys as durable operations: a restart, several controllers, the bus, a lost etcd. */
#include "build.pb-c.h"
#include "tests/integration/controller/calls.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/model/model.h"
#include "lib/net/bus.h"

#include <signal.h>

static struct world world;
static char *mira;

#define C (&world.first)

static int setup(void **state)
{
    world_start(&world);
    mira = api_user(C, "mira", "pw");
    return 0;
}

static int teardown(void **state)
{
    free(mira);
    world_stop(&world);
    return 0;
}

/* --- the cases --- */

static void operations__a_killed_controller_finishes_after_its_restart(void **state)
{
    struct call build;

    create_app(C, mira, "phoenix");
    fake_platform_hold(world.platform, true);
    call_start(&build, C, mira, "/v1/apps/phoenix/builds", "{\"image\":\"ok\"}");
    await_key(&world, "/deis/operations/phoenix", true);
    program_stop(&C->program, SIGKILL);
    assert_int_equal(call_end(&build), 0);
    controller_start(&world, C, "one");
    fake_platform_hold(world.platform, false);
    await_key(&world, "/deis/operations/phoenix", false);
    check_releases(C, mira, "phoenix", 2);
    assert_int_equal(api_status(C, "GET", "/v1/apps/phoenix/containers/cmd/1", mira, NULL), 200);
}

static void operations__the_loser_hears_who_holds_the_app(void **state)
{
    struct call build;

    create_app(C, mira, "busy");
    fake_platform_hold(world.platform, true);
    call_start(&build, C, mira, "/v1/apps/busy/builds", "{\"image\":\"ok\"}");
    await_key(&world, "/deis/operations/busy", true);
    answer_auto struct answer destroy = api(C, "DELETE", "/v1/apps/busy", mira, NULL);
    answer_auto struct answer config = api(C, "POST", "/v1/apps/busy/config", mira, "{}");
    assert_int_equal(destroy.status, 409);
    assert_non_null(strstr(text_of(destroy.json, "detail"), "a build of mira is under way"));
    assert_int_equal(config.status, 409);
    assert_non_null(strstr(text_of(config.json, "error"), "Config changes already in progress.\n"));
    assert_null(json_object_get(config.json, "values"));
    fake_platform_hold(world.platform, false);
    assert_int_equal(call_end(&build), 201);
}

/* Takes as long as the lease of a dead controller's address. */
static void operations__another_controller_takes_over(void **state)
{
    struct call build;

    if (!world.second.program.pid) {
        controller_start(&world, &world.second, "two");
    }
    create_app(C, mira, "heir");
    fake_platform_hold(world.platform, true);
    call_start(&build, C, mira, "/v1/apps/heir/builds", "{\"image\":\"ok\"}");
    await_key(&world, "/deis/operations/heir", true);
    program_stop(&C->program, SIGKILL);
    assert_int_equal(call_end(&build), 0);
    fake_platform_hold(world.platform, false);
    await_key(&world, "/deis/operations/heir", false);
    check_releases(&world.second, mira, "heir", 2);
    controller_start(&world, C, "one");
}

static json_t *read_doc(const char *key, int64_t *ret_revision)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_get(world.etcd, key, &range, &err) < 0) {
        fail_msg("%s: %s", key, err.msg);
    }
    json_t *doc = deis_json_parse(range.kvs[0].value, &err);
    assert_non_null(doc);
    *ret_revision = range.kvs[0].mod_revision;
    return doc;
}

/* A change of the cluster key seals what an operation holds anew while that is under way. Its end
 * must not bring back what the old key sealed: soon nobody can open that. */
static void operations__an_end_keeps_what_was_sealed_anew(void **state)
{
    static const char anew[] = "v1:00000000:c2VhbGVkIGFuZXcsIHdpdGggYW5vdGhlciBrZXk=";
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    struct deis_err err = DEIS_ERR_INIT;
    int64_t revision;
    struct call build;

    create_app(C, mira, "resealed");
    assert_int_equal(api_status(C, "POST", "/v1/apps/resealed/builds", mira, "{\"image\":\"ok\"}"),
                     201);
    fake_platform_hold(world.platform, true);
    call_start(&build, C, mira, "/v1/apps/resealed/builds", "{\"image\":\"broken\"}");
    await_key(&world, "/deis/operations/resealed", true);
    deis_autojson json_t *operation = read_doc("/deis/operations/resealed", &revision);
    json_t *previous = json_object_get(operation, "previous");
    assert_string_not_equal(text_of(previous, "env"), "");
    json_object_set_new(previous, "env", json_string(anew));
    deis_autofree char *text = deis_json_dump(operation);
    deis_etcd_if_mod(txn, "/deis/operations/resealed", revision);
    deis_etcd_then_put(txn, "/deis/operations/resealed", deis_str(text), 0);
    assert_int_equal(deis_etcd_commit(world.etcd, txn, NULL, NULL, &err), 0);
    fake_platform_hold(world.platform, false);
    assert_int_equal(call_end(&build), 503);
    deis_autojson json_t *formation = read_doc("/deis/formations/resealed", &revision);
    assert_string_equal(text_of(formation, "env"), anew);
}

/* What can't be written would be tried again and again, and the app could not even be destroyed. */
static void operations__an_end_that_can_not_be_written_is_a_failure(void **state)
{
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    struct deis_err err = DEIS_ERR_INIT;
    int64_t revision;
    struct call config;

    create_app(C, mira, "stuck");
    assert_int_equal(api_status(C, "POST", "/v1/apps/stuck/builds", mira, "{\"image\":\"ok\"}"),
                     201);
    fake_platform_hold(world.platform, true);
    call_start(&config, C, mira, "/v1/apps/stuck/config", "{\"values\":{\"A\":\"b\"}}");
    await_key(&world, "/deis/operations/stuck", true);
    deis_autojson json_t *operation = read_doc("/deis/operations/stuck", &revision);
    json_t *kept = json_object_get(json_object_get(operation, "candidate"), "config");
    json_object_set_new(kept, "values", json_string("damaged"));
    deis_autofree char *text = deis_json_dump(operation);
    deis_etcd_if_mod(txn, "/deis/operations/stuck", revision);
    deis_etcd_then_put(txn, "/deis/operations/stuck", deis_str(text), 0);
    assert_int_equal(deis_etcd_commit(world.etcd, txn, NULL, NULL, &err), 0);
    fake_platform_hold(world.platform, false);
    assert_int_equal(call_end(&config), 503);
    assert_non_null(strstr(config.detail, "sealed value"));
    assert_false(key_exists(&world, "/deis/operations/stuck"));
    check_releases(C, mira, "stuck", 2);
    assert_int_equal(api_status(C, "DELETE", "/v1/apps/stuck", mira, NULL), 204);
}

/* All that one user may wait for at once can be changes that hang: of apps on a machine that died.
 * He could not even destroy the others. */
static void operations__who_waits_for_much_can_still_destroy(void **state)
{
    enum { WAITS = 24 };

    struct call builds[WAITS];
    char paths[WAITS][64], name[16], key[64];

    create_app(C, mira, "last");
    assert_int_equal(api_status(C, "POST", "/v1/apps/last/builds", mira, "{\"image\":\"ok\"}"),
                     201);
    fake_platform_hold(world.platform, true);
    for (unsigned i = 0; i < WAITS; i++) {
        snprintf(name, sizeof(name), "hung%u", i);
        snprintf(paths[i], sizeof(paths[i]), "/v1/apps/hung%u/builds", i);
        create_app(C, mira, name);
        call_start(&builds[i], C, mira, paths[i], "{\"image\":\"ok\"}");
    }
    for (unsigned i = 0; i < WAITS; i++) {
        snprintf(key, sizeof(key), "/deis/operations/hung%u", i);
        await_key(&world, key, true);
    }
    assert_int_equal(api_status(C, "DELETE", "/v1/apps/last", mira, NULL), 204);
    assert_true(key_exists(&world, "/deis/operations/last"));
    fake_platform_hold(world.platform, false);
    await_key(&world, "/deis/apps/last", false);
    assert_false(key_exists(&world, "/deis/operations/last"));
    for (unsigned i = 0; i < WAITS; i++) {
        assert_int_equal(call_end(&builds[i]), 201);
    }
}

/* --- the bus --- */

struct bus {
    struct deis_key key;
    struct deis_bus_sync *client;
};

static void bus_open(struct bus *b)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_key_load(world.key_file, &b->key, &err), 0);
    b->client = deis_bus_sync_new(&b->key, "builder");
}

/* Deploy and poll to the end; free the answer. */
static Deis__DeployStatus *bus_deploy(struct bus *b, const char *operation, const char *image)
{
    Deis__Deploy request = DEIS__DEPLOY__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    char op[64], name[64], sha[] = "0123456789abcdef0123456789abcdef01234567";
    char user[] = "mira", app[] = "pushed";

    snprintf(op, sizeof(op), "%s", operation);
    snprintf(name, sizeof(name), "%s", image);
    request.operation = op;
    request.user = user;
    request.app = app;
    request.sha = sha;
    request.image = name;
    request.dockerfile = true;
    request.wait_ms = 5000;
    for (unsigned i = 0; i < 20; i++) {
        ProtobufCMessage *msg = NULL;
        if (deis_bus_call_sync(b->client, C->bus, "controller.deploy", NULL, &request.base,
                               &deis__deploy_status__descriptor, 20000, &msg, &err) < 0) {
            fail_msg("deploy: %s", err.msg);
        }
        Deis__DeployStatus *status = (Deis__DeployStatus *)(void *)msg;
        if (strcmp(status->state, "running") != 0) {
            return status;
        }
        request.seen += (uint32_t)status->n_progress;
        deis__deploy_status__free_unpacked(status, NULL);
    }
    fail_msg("deploy did not end");
    return NULL;
}

static void bus__a_repeated_deploy_gets_the_first_outcome(void **state)
{
    struct bus b;

    create_app(C, mira, "pushed");
    bus_open(&b);
    Deis__DeployStatus *first = bus_deploy(&b, "op-1", "127.0.0.1:5555/pushed@sha256:00");
    assert_string_equal(first->state, "done");
    assert_int_equal(first->version, 2);
    assert_string_equal(first->url, "http://pushed.example.net");
    Deis__DeployStatus *again = bus_deploy(&b, "op-1", "127.0.0.1:5555/pushed@sha256:00");
    assert_string_equal(again->state, "done");
    assert_int_equal(again->version, 2);
    check_releases(C, mira, "pushed", 2);
    Deis__DeployStatus *failed = bus_deploy(&b, "op-2", "broken");
    assert_string_equal(failed->state, "failed");
    assert_non_null(strstr(failed->reason, "exited with code 1"));
    assert_int_equal(failed->n_log, 1);
    deis__deploy_status__free_unpacked(first, NULL);
    deis__deploy_status__free_unpacked(again, NULL);
    deis__deploy_status__free_unpacked(failed, NULL);
    deis_bus_sync_free(b.client);
}

enum { POLLS = 100 }; /* more than there are threads for requests */

struct polls {
    struct deis_loop *loop;
    unsigned ended, done;
    unsigned ended_before; /* the other call did */
    bool other_answered;
};

static void on_poll(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct polls *p = arg;
    const Deis__DeployStatus *status = (const Deis__DeployStatus *)(const void *)msg;

    p->done += status && strcmp(status->state, "done") == 0;
    if (++p->ended == POLLS && p->other_answered) {
        deis_loop_stop(p->loop);
    }
}

static void on_authorized(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct polls *p = arg;

    p->other_answered = msg != NULL;
    p->ended_before = p->ended;
    fake_platform_hold(world.platform, false);
    if (p->ended == POLLS || !msg) {
        deis_loop_stop(p->loop);
    }
}

/* Each had a thread of the API, so that 64 pushes whose processes were slow to start held all of
 * it. */
static void bus__who_waits_for_a_rollout_keeps_nobody_waiting(void **state)
{
    struct polls polls = { .loop = deis_loop_new() };
    Deis__Authorize other = DEIS__AUTHORIZE__INIT;
    Deis__Deploy request = DEIS__DEPLOY__INIT;
    char operation[] = "slow-1", user[] = "mira", app[] = "slow", image[] = "ok", action[] = "push";
    struct deis_err err = DEIS_ERR_INIT;
    ProtobufCMessage *msg = NULL;
    struct bus b;

    create_app(C, mira, app);
    bus_open(&b);
    fake_platform_hold(world.platform, true);
    request.operation = operation;
    request.user = other.user = user;
    request.app = other.app = app;
    request.image = image;
    request.wait_ms = 25000;
    other.action = action;
    assert_int_equal(deis_bus_call_sync(b.client, C->bus, "controller.deploy", NULL, &request.base,
                                        &deis__deploy_status__descriptor, 40000, &msg, &err),
                     0);
    protobuf_c_message_free_unpacked(msg, NULL);
    request.seen = 1000; /* only the end is news */
    struct deis_bus_client *client = deis_bus_client_new(polls.loop, &b.key, "builder");
    for (unsigned i = 0; i < POLLS; i++) {
        deis_bus_send(client, C->bus, "controller.deploy", NULL, &request.base,
                      &deis__deploy_status__descriptor, 60000, on_poll, &polls);
    }
    deis_bus_send(client, C->bus, "controller.authorize", NULL, &other.base,
                  &deis__authorized__descriptor, 60000, on_authorized, &polls);
    deis_loop_run(polls.loop);
    assert_true(polls.other_answered);
    assert_int_equal(polls.ended_before, 0);
    assert_int_equal(polls.done, POLLS);
    deis_bus_client_free(client);
    deis_loop_free(polls.loop);
    deis_bus_sync_free(b.client);
}

/* Who waits hears of the end itself, never of a pause that makes him ask once more: that would
 * begin the deploy again. */
static void bus__a_deploy_that_can_not_begin_has_failed(void **state)
{
    Deis__Deploy request = DEIS__DEPLOY__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    char op[16], key[256], user[] = "mira", app[] = "damaged", image[] = "ok";
    int64_t revision;
    struct bus b;

    create_app(C, mira, app);
    deis_autojson json_t *doc = read_doc("/deis/apps/damaged", &revision);
    snprintf(key, sizeof(key), "/deis/apps/damaged/configs/%s", text_of(doc, "config"));
    assert_int_equal(deis_etcd_put(world.etcd, key, DEIS_STR("{}"), 0, &err), 0);
    bus_open(&b);
    request.operation = op;
    request.user = user;
    request.app = app;
    request.image = image;
    request.wait_ms = 20000;
    for (unsigned i = 0; i < 200; i++) {
        ProtobufCMessage *msg = NULL;
        snprintf(op, sizeof(op), "damaged-%u", i);
        assert_int_equal(deis_bus_call_sync(b.client, C->bus, "controller.deploy", NULL,
                                            &request.base, &deis__deploy_status__descriptor, 40000,
                                            &msg, &err),
                         DEIS_OK);
        const Deis__DeployStatus *status = (const Deis__DeployStatus *)(const void *)msg;
        assert_string_equal(status->state, "failed");
        assert_non_null(strstr(status->reason, "config document without values"));
        protobuf_c_message_free_unpacked(msg, NULL);
    }
    deis_bus_sync_free(b.client);
}

static void bus__keys_and_rights(void **state)
{
    /* SHA-256 of the blob below, as OpenSSH prints it. */
    static char print[] = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA";
    static const char body[] =
        "{\"id\":\"k\",\"public\":\"ssh-ed25519 "
        "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f k\"}";
    Deis__KeyLookup lookup = DEIS__KEY_LOOKUP__INIT;
    Deis__Authorize authorize = DEIS__AUTHORIZE__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    ProtobufCMessage *msg = NULL;
    char user[] = "mira", app[] = "pushed", none[] = "no-such-app", push[] = "push";
    struct bus b;

    bus_open(&b);
    lookup.fingerprint = print;
    assert_int_equal(deis_bus_call_sync(b.client, C->bus, "controller.key", NULL, &lookup.base,
                                        &deis__key_owner__descriptor, 20000, &msg, &err),
                     DEIS_NOT_FOUND);
    assert_int_equal(api_status(C, "POST", "/v1/keys", mira, body), 201);
    assert_int_equal(deis_bus_call_sync(b.client, C->bus, "controller.key", NULL, &lookup.base,
                                        &deis__key_owner__descriptor, 20000, &msg, &err),
                     DEIS_OK);
    const Deis__KeyOwner *owner = (const Deis__KeyOwner *)(const void *)msg;
    assert_string_equal(owner->user, "mira");
    assert_string_equal(
        owner->public_key,
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f");
    protobuf_c_message_free_unpacked(msg, NULL);
    authorize.user = user;
    authorize.app = app;
    authorize.action = push;
    assert_int_equal(deis_bus_call_sync(b.client, C->bus, "controller.authorize", NULL,
                                        &authorize.base, &deis__authorized__descriptor, 20000, NULL,
                                        &err),
                     DEIS_OK);
    authorize.app = none;
    assert_int_equal(deis_bus_call_sync(b.client, C->bus, "controller.authorize", NULL,
                                        &authorize.base, &deis__authorized__descriptor, 20000, NULL,
                                        &err),
                     DEIS_DENIED);
    deis_bus_sync_free(b.client);
}

/* --- logs --- */

struct follow {
    struct deis_buf text;
    bool begun;
};

static bool on_data(int status, struct deis_str data, void *arg)
{
    struct follow *f = arg;

    assert_int_equal(status, 200);
    deis_buf_add_str(&f->text, data);
    if (!f->begun) { /* the stream stands: now let something happen */
        f->begun = true;
        assert_int_equal(api_status(C, "POST", "/v1/apps/chatty/domains", mira,
                                    "{\"domain\":\"chatty.example.org\"}"),
                         201);
    }
    return strstr(f->text.data, "domain chatty.example.org added") == NULL;
}

static void logs__follow_shows_what_comes(void **state)
{
    struct follow f = { .text = DEIS_BUF_INIT(1 << 20) };
    deis_autoanswer struct deis_httpc_answer got = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    create_app(C, mira, "chatty");
    assert_true(fake_platform_logged(world.platform, "chatty", "created initial release"));
    answer_auto struct answer all = api(C, "GET", "/v1/apps/chatty/logs", mira, NULL);
    assert_int_equal(all.status, 200);
    assert_non_null(strstr(all.text, "chatty[deis-controller]: mira created initial release\n"));
    struct deis_httpc *client = deis_httpc_new();
    char *url = deis_asprintf("%s/v1/apps/chatty/logs?follow=true", C->base);
    char *auth = deis_asprintf("Authorization: token %s", mira);
    const char *headers[] = { auth, NULL };
    const struct deis_httpc_request req = {
        .url = url, .headers = headers, .timeout_ms = 60000, .on_data = on_data, .arg = &f
    };
    assert_int_equal(deis_httpc_call(client, &req, &got, &err), DEIS_CANCELLED);
    assert_non_null(strstr(f.text.data, "domain chatty.example.org added"));
    deis_httpc_free(client);
    deis_buf_clear(&f.text);
    free(url);
    free(auth);
}

/* --- etcd --- */

static void etcd__away_is_503_at_once_and_back_is_well(void **state)
{
    create_app(C, mira, "patient");
    test_etcd_kill(&world.etcd_server);
    uint64_t begun = deis_now_ms();
    answer_auto struct answer a = api(C, "GET", "/v1/apps/patient", mira, NULL);
    assert_int_equal(a.status, 503);
    assert_true(strlen(text_of(a.json, "detail")) > 0);
    assert_true(deis_now_ms() - begun < 20000); /* on a machine that is busy, too */
    assert_int_equal(api_status(C, "GET", "/healthz", NULL, NULL), 200);
    test_etcd_start(&world.etcd_server);
    assert_int_equal(api_status(C, "GET", "/v1/apps/patient", mira, NULL), 200);
    assert_int_equal(api_status(C, "POST", "/v1/apps/patient/builds", mira, "{\"image\":\"ok\"}"),
                     201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations__a_killed_controller_finishes_after_its_restart),
        cmocka_unit_test(operations__the_loser_hears_who_holds_the_app),
        cmocka_unit_test(operations__an_end_keeps_what_was_sealed_anew),
        cmocka_unit_test(operations__an_end_that_can_not_be_written_is_a_failure),
        cmocka_unit_test(operations__who_waits_for_much_can_still_destroy),
        cmocka_unit_test(bus__a_repeated_deploy_gets_the_first_outcome),
        cmocka_unit_test(bus__who_waits_for_a_rollout_keeps_nobody_waiting),
        cmocka_unit_test(bus__a_deploy_that_can_not_begin_has_failed),
        cmocka_unit_test(bus__keys_and_rights),
        cmocka_unit_test(logs__follow_shows_what_comes),
        cmocka_unit_test(operations__another_controller_takes_over),
        cmocka_unit_test(etcd__away_is_503_at_once_and_back_is_well),
    };

    if (!test_etcd_installed("controller_operations")) {
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
