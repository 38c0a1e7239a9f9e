/* SPDX-License-Identifier: MIT */
#include "tests/integration/controller/calls.h"

#include "tests/support/test.h"

#include "lib/base/clock.h"

#include <time.h>

#define WAIT_MS 40000

void create_app(const struct controller *c, const char *token, const char *id)
{
    char *body = deis_asprintf("{\"id\":\"%s\"}", id);

    assert_int_equal(api_status(c, "POST", "/v1/apps", token, body), 201);
    free(body);
}

void pause_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

void await_key(struct world *w, const char *key, bool there)
{
    uint64_t until = deis_now_ms() + WAIT_MS;

    while (key_exists(w, key) != there) {
        if (deis_now_ms() > until) {
            fail_msg("%s is %s", key, there ? "not there" : "still there");
        }
        pause_ms(5);
    }
}

void check_releases(const struct controller *c, const char *token, const char *app, size_t expected)
{
    char path[128];

    snprintf(path, sizeof(path), "/v1/apps/%s/releases?page_size=1000", app);
    answer_auto struct answer a = api(c, "GET", path, token, NULL);
    const json_t *rows = json_object_get(a.json, "results");
    assert_int_equal(json_array_size(rows), expected);
    for (size_t i = 0; i < expected; i++) {
        json_int_t version =
            json_integer_value(json_object_get(json_array_get(rows, i), "version"));
        assert_int_equal(version, expected - i);
    }
}

/* --- calls on threads of their own --- */

static void *call_work(void *arg)
{
    struct call *c = arg;
    deis_autoanswer struct deis_httpc_answer got = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_httpc *client = deis_httpc_new();
    char *url = deis_asprintf("%s%s", c->controller->base, c->path);
    char *auth = deis_asprintf("Authorization: token %s", c->token);
    const char *headers[] = { "Content-Type: application/json", auth, NULL };
    const struct deis_httpc_request req = { .method = "POST",
                                            .url = url,
                                            .headers = headers,
                                            .body = deis_str(c->body),
                                            .timeout_ms = 60000 };

    if (deis_httpc_call(client, &req, &got, &err) == DEIS_OK) {
        c->status = got.status;
        snprintf(c->detail, sizeof(c->detail), "%s", got.body.data ? got.body.data : "");
    }
    deis_httpc_free(client);
    free(url);
    free(auth);
    return NULL;
}

void call_start(struct call *c, const struct controller *controller, const char *token,
                const char *path, const char *body)
{
    c->controller = controller;
    c->token = token;
    c->path = path;
    snprintf(c->body, sizeof(c->body), "%s", body);
    c->status = 0;
    assert_int_equal(pthread_create(&c->thread, NULL, call_work, c), 0);
}

int call_end(struct call *c)
{
    pthread_join(c->thread, NULL);
    return c->status;
}
