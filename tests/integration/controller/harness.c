/* SPDX-License-Identifier: MIT */
#include "tests/integration/controller/harness.h"

#include "tests/support/test.h"

#include <signal.h>

void controller_start(struct world *w, struct controller *c, const char *name)
{
    char http[64];
    uint16_t port = test_free_port();

    snprintf(c->name, sizeof(c->name), "%s", name);
    snprintf(c->base, sizeof(c->base), "http://127.0.0.1:%u", port);
    snprintf(http, sizeof(http), "127.0.0.1:%u", port);
    snprintf(c->bus, sizeof(c->bus), "tcp://127.0.0.1:%u", test_free_port());
    const char *const argv[] = { "--http",
                                 http,
                                 "--bus",
                                 c->bus,
                                 "--etcd",
                                 w->etcd_server.url,
                                 "--cluster-key",
                                 w->key_file,
                                 "--instance",
                                 name,
                                 "--domain",
                                 "example.net",
                                 NULL };
    program_start(&c->program, "deis-controller", argv);
    program_wait_port(port);
}

void world_start(struct world *w)
{
    struct deis_err err = DEIS_ERR_INIT;

    deis_runtime_init("test");
    test_etcd_init(&w->etcd_server);
    test_etcd_start(&w->etcd_server);
    w->folder = program_temp_folder();
    w->key_file = program_write_key(w->folder);
    const struct deis_etcd_opts opts = { .endpoints = w->etcd_server.url };
    w->etcd = deis_etcd_new(&opts, &err);
    assert_non_null(w->etcd);
    w->platform = fake_platform_start(w->etcd_server.url, w->key_file);
    controller_start(w, &w->first, "one");
}

void world_stop(struct world *w)
{
    if (w->second.program.pid) {
        program_stop(&w->second.program, SIGTERM);
    }
    if (w->first.program.pid) {
        program_stop(&w->first.program, SIGTERM);
    }
    fake_platform_stop(w->platform);
    deis_etcd_free(w->etcd);
    test_etcd_clear(&w->etcd_server);
    free(w->key_file);
    program_remove_folder(w->folder);
}

void answer_clear(struct answer *a)
{
    free(a->text);
    free(a->headers);
    json_decref(a->json);
}

struct answer api(const struct controller *c, const char *method, const char *path,
                  const char *token, const char *body)
{
    deis_autoanswer struct deis_httpc_answer got = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_httpc *client = deis_httpc_new();
    char *url = deis_asprintf("%s%s", c->base, path);
    char *auth = deis_asprintf("Authorization: token %s", token ? token : "");
    const char *headers[] = { "Content-Type: application/json", token ? auth : NULL, NULL };
    const struct deis_httpc_request req = { .method = method,
                                            .url = url,
                                            .headers = headers,
                                            .body = deis_str(body),
                                            .timeout_ms = 60000 };
    struct answer a = { 0 };

    if (deis_httpc_call(client, &req, &got, &err) < 0) {
        fail_msg("%s %s: %s", method, path, err.msg);
    }
    a.status = got.status;
    snprintf(a.reason, sizeof(a.reason), "%s", got.reason);
    a.text = deis_strdup(got.body.data ? got.body.data : "");
    a.headers = deis_strdup(got.headers.data ? got.headers.data : "");
    a.json = deis_json_parse(deis_str(a.text), NULL);
    deis_httpc_free(client);
    free(url);
    free(auth);
    return a;
}

int api_status(const struct controller *c, const char *method, const char *path, const char *token,
               const char *body)
{
    answer_auto struct answer a = api(c, method, path, token, body);

    return a.status;
}

char *api_user(const struct controller *c, const char *name, const char *password)
{
    char *body =
        deis_asprintf("{\"username\":\"%s\",\"password\":\"%s\",\"email\":\"\"}", name, password);
    answer_auto struct answer registered = api(c, "POST", "/v1/auth/register", NULL, body);
    answer_auto struct answer login = api(c, "POST", "/v1/auth/login/", NULL, body);

    free(body);
    if (registered.status != 201 || login.status != 200) {
        fail_msg("register %s: %d %s, login %d %s", name, registered.status, registered.text,
                 login.status, login.text);
    }
    return deis_strdup(text_of(login.json, "token"));
}

const char *text_of(const json_t *obj, const char *name)
{
    const char *text = json_string_value(json_object_get(obj, name));

    return text ? text : "";
}

bool key_exists(struct world *w, const char *key)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    int r = deis_etcd_get(w->etcd, key, &range, &err);

    assert_true(r == DEIS_OK || r == DEIS_NOT_FOUND);
    return r == DEIS_OK;
}
