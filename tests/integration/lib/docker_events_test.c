/* SPDX-License-Identifier: MIT */
/* Events of an Engine that goes away, refuses and comes back: a socket of our own plays its part.
 */
#include "tests/support/test.h"

#include "lib/net/docker.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE_MS 60000u
#define HEAD                                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
#define EVENT_A     "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"a\"}}\n"
#define EVENT_B     "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"b\","
#define EVENT_B_END "\"Attributes\":{\"exitCode\":\"3\"}}}\n"

/* One answer for each connection, in this order; the connection is closed after it. */
static const char *const ANSWERS[] = {
    HEAD "39\r\n" EVENT_A "\r\n",
    "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 21\r\n\r\n{\"message\":\"not yet\"}",
    "",
    HEAD "35\r\n" EVENT_B "\r\n20\r\n" EVENT_B_END "\r\n",
};

struct engine {
    int fd;
    char path[64];
    pthread_t thread;
    char request[4096]; /* the last one */
};

static void *serve(void *arg)
{
    struct engine *e = arg;

    for (size_t i = 0; i < DEIS_COUNT(ANSWERS); i++) {
        int fd = accept(e->fd, NULL, NULL);
        size_t have = 0;
        while (have < sizeof(e->request) - 1) {
            ssize_t n = read(fd, e->request + have, sizeof(e->request) - 1 - have);
            have += n > 0 ? (size_t)n : 0;
            e->request[have] = '\0';
            if (n <= 0 || strstr(e->request, "\r\n\r\n")) {
                break;
            }
        }
        size_t len = strlen(ANSWERS[i]);
        if (send(fd, ANSWERS[i], len, MSG_NOSIGNAL) != (ssize_t)len) {
            abort();
        }
        close(fd);
    }
    return NULL;
}

static void engine_start(struct engine *e)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    snprintf(e->path, sizeof(e->path), "/tmp/deis-test-engine-%d.sock", (int)getpid());
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", e->path);
    unlink(e->path);
    e->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(e->fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(e->fd, 4), 0);
    assert_int_equal(pthread_create(&e->thread, NULL, serve, e), 0);
}

static void engine_stop(struct engine *e)
{
    pthread_join(e->thread, NULL);
    close(e->fd);
    unlink(e->path);
}

struct told {
    struct deis_loop *loop;
    struct deis_docker_events *events;
    unsigned connects;
    char seen[64];
};

static void on_event(const char *action, const char *id, const json_t *attributes, void *arg)
{
    struct told *t = arg;
    const char *code = json_string_value(json_object_get(attributes, "exitCode"));
    size_t len = strlen(t->seen);

    snprintf(t->seen + len, sizeof(t->seen) - len, "%s %s %s;", action, id, code ? code : "-");
    if (strcmp(id, "b") == 0) {
        deis_docker_events_stop(t->events);
        deis_loop_stop(t->loop);
    }
}

static void on_reconnected(void *arg)
{
    struct told *t = arg;
    t->connects++;
}

static void on_deadline(void *arg)
{
    const struct told *t = arg;
    fail_msg("not there in time: %u connects, seen '%s'", t->connects, t->seen);
}

static void events__go_on_after_the_engine_was_away(void **state)
{
    struct engine engine = { 0 };
    struct told t = { .loop = deis_loop_new() };
    struct deis_timer *deadline = deis_timer_new(t.loop, on_deadline, &t);

    engine_start(&engine);
    struct deis_docker *d = deis_docker_new(engine.path);
    deis_timer_after(deadline, DEADLINE_MS);
    t.events = deis_docker_events_start(d, t.loop, "owner=x", on_event, on_reconnected, &t);
    deis_loop_run(t.loop);
    assert_int_equal(t.connects, 2);
    assert_string_equal(t.seen, "start a -;die b 3;");
    assert_non_null(strstr(engine.request, "GET /v1.41/events?since="));
    assert_non_null(strstr(engine.request, "owner%3Dx"));
    engine_stop(&engine);
    deis_timer_free(deadline);
    deis_docker_free(d);
    deis_loop_free(t.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events__go_on_after_the_engine_was_away),
    };
    deis_runtime_init("docker-events-test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
