/* SPDX-License-Identifier: MIT */
/* The cluster key is changed under a bus that is in use: server and callers read the same file. */
#include "build.pb-c.h"
#include "tests/support/port.h"
#include "tests/support/test.h"

#include "lib/net/bus.h"
#include "lib/net/keywatch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CALLERS 4
#define A       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define B       "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf\n"

struct world {
    char folder[64];
    char path[96];
    char address[64];
    pthread_t thread;
    struct deis_loop *loop;
    struct deis_keys *keys; /* the server's */
    struct deis_keywatch *watch;
    struct deis_bus_server *server;
    pthread_mutex_t lock;
    pthread_cond_t told;
    unsigned changes; /* that the server was told of */
    atomic_bool over;
};

static void write_keys(struct world *w, const char *text)
{
    deis_autofree char *temp = deis_asprintf("%s.new", w->path);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(rename(temp, w->path), 0);
}

static void on_change(void *arg)
{
    struct world *w = arg;

    pthread_mutex_lock(&w->lock);
    w->changes++;
    pthread_cond_broadcast(&w->told);
    pthread_mutex_unlock(&w->lock);
}

/* Writes the file and waits until the server has it. */
static void change(struct world *w, const char *text)
{
    struct timespec end;
    int r = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    pthread_mutex_lock(&w->lock);
    unsigned before = w->changes;
    write_keys(w, text);
    while (w->changes == before && r == 0) {
        r = pthread_cond_timedwait(&w->told, &w->lock, &end);
    }
    pthread_mutex_unlock(&w->lock);
    assert_int_equal(r, 0);
}

static void echo(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    Deis__KeyOwner answer = DEIS__KEY_OWNER__INIT;

    answer.user = ((const Deis__KeyLookup *)(const void *)msg)->fingerprint;
    deis_bus_reply(call, &answer.base);
}

static void *run_loop(void *arg)
{
    struct world *w = arg;

    deis_loop_run(w->loop);
    return NULL;
}

static void free_address(char out[64])
{
    snprintf(out, 64, "tcp://127.0.0.1:%u", test_free_port());
}

static struct deis_key first_key(struct deis_keys *keys)
{
    struct deis_keyring ring;

    deis_keys_get(keys, &ring);
    return ring.keys[0];
}

static int setup(void **state)
{
    static const struct deis_bus_method methods[] = {
        { "test.echo", &deis__key_lookup__descriptor, echo, true },
    };
    struct world *w = deis_alloc(sizeof(*w));
    struct deis_err err = DEIS_ERR_INIT;

    snprintf(w->folder, sizeof(w->folder), "/tmp/deis-bus-keys-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof(w->path), "%s/cluster.key", w->folder);
    write_keys(w, A);
    free_address(w->address);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->told, NULL);
    w->keys = deis_keys_open(w->path, &err);
    assert_non_null(w->keys);
    w->loop = deis_loop_new();
    w->watch = deis_keywatch_start(w->loop, w->keys, on_change, w);
    struct deis_key key = first_key(w->keys);
    w->server = deis_bus_server_new(w->loop, w->address, &key, "server", methods, 1, w, &err);
    assert_non_null(w->server);
    deis_bus_server_follow(w->server, w->keys);
    assert_int_equal(pthread_create(&w->thread, NULL, run_loop, w), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    deis_loop_stop(w->loop);
    pthread_join(w->thread, NULL);
    deis_bus_server_free(w->server);
    deis_keywatch_stop(w->watch);
    deis_loop_free(w->loop);
    deis_keys_free(w->keys);
    unlink(w->path);
    rmdir(w->folder);
    free(w);
    return 0;
}

struct caller {
    struct world *world;
    pthread_t thread;
    unsigned good;
    unsigned bad;
    char why[256]; /* the first that was bad */
};

static int call(struct deis_bus_sync *bus, const char *address, uint64_t ms, struct deis_err *err)
{
    Deis__KeyLookup ask = DEIS__KEY_LOOKUP__INIT;
    char text[] = "hello";

    ask.fingerprint = text;
    return deis_bus_call_sync(bus, address, "test.echo", NULL, &ask.base,
                              &deis__key_owner__descriptor, ms, NULL, err);
}

static void *run_caller(void *arg)
{
    struct caller *c = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_keys *keys = deis_keys_open(c->world->path, &err);
    struct deis_key key = first_key(keys);
    struct deis_bus_sync *bus = deis_bus_sync_new(&key, "caller");

    deis_bus_sync_follow(bus, keys);
    while (!c->world->over) {
        if (call(bus, c->world->address, 20000, &err) == 0) {
            c->good++;
        } else if (c->bad++ == 0) {
            snprintf(c->why, sizeof(c->why), "%.250s", err.msg);
        }
    }
    deis_bus_sync_free(bus);
    deis_keys_free(keys);
    return NULL;
}

static void bus_keys__change_while_calls_go_on(void **state)
{
    struct world *w = *state;
    struct caller callers[CALLERS];
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_key old = first_key(w->keys);

    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){ .world = w };
        assert_int_equal(pthread_create(&callers[i].thread, NULL, run_caller, &callers[i]), 0);
    }
    for (int round = 0; round < 5; round++) {
        change(w, A B);
        change(w, B A);
        change(w, B);
        change(w, B A);
        change(w, A B);
        change(w, A);
    }
    change(w, A B);
    change(w, B A);
    change(w, B);
    w->over = true;
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        if (callers[i].bad > 0 || callers[i].good == 0) {
            fail_msg("caller %zu: %u good, %u bad: %s", i, callers[i].good, callers[i].bad,
                     callers[i].why);
        }
    }
    /* Who has the old key alone is not heard any more. */
    struct deis_bus_sync *late = deis_bus_sync_new(&old, "late");
    assert_int_equal(call(late, w->address, 3000, &err), DEIS_TIMEOUT);
    deis_bus_sync_free(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bus_keys__change_while_calls_go_on, setup, teardown),
    };

    deis_runtime_init("bus-keys-test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
