/* SPDX-License-Identifier: MIT */
/*
 * Requests per second and CPU per request between two processes over TCP on loopback: the bus
 * (sealed, with resends and stored answers) and, as the floor, the same bytes over bare nanomsg.
 *
 *   bus_bench [seconds per row, default 1]
 */
#include "build.pb-c.h"

#include "lib/base/clock.h"
#include "lib/net/bus_wire.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD    200
#define ROUNDS     3
#define FIRST_PORT 17390

static struct deis_key bench_key(void)
{
    struct deis_key key;

    memset(key.bytes, 9, sizeof(key.bytes));
    memset(key.id, 9, sizeof(key.id));
    return key;
}

static void deis_noreturn die(const char *what)
{
    fprintf(stderr, "bus_bench: %s\n", what);
    exit(1);
}

static void say_ready(void)
{
    if (write(STDOUT_FILENO, "r", 1) != 1) {
        die("nobody waits for this server");
    }
}

/* --- servers: this program, started again --- */

static void handle_echo(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__KeyLookup *m = (const Deis__KeyLookup *)msg;
    Deis__KeyOwner answer = DEIS__KEY_OWNER__INIT;

    answer.user = m->fingerprint;
    deis_bus_reply(call, &answer.base);
}

static void serve_bus(const char *address)
{
    static const struct deis_bus_method methods[] = {
        { "bench.echo", &deis__key_lookup__descriptor, handle_echo, false },
    };
    struct deis_key key = bench_key();
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_loop *loop = deis_loop_new();
    struct deis_bus_server *s =
        deis_bus_server_new(loop, address, &key, "bench-server", methods, 1, NULL, &err);

    if (!s) {
        die(err.msg);
    }
    say_ready();
    deis_loop_run(loop);
}

static void serve_bare(const char *address)
{
    int sock = -1;
    struct deis_bus_packet p = { 0 };

    if (deis_bus_socket_open(NN_REP, &sock, NULL) < 0 || nn_bind(sock, address) < 0) {
        die("can't listen");
    }
    say_ready();
    while (deis_bus_receive(sock, 0, &p)) {
        deis_bus_transmit(sock, NN_DONTWAIT, p.frame, p.route, p.route_len);
    }
}

/* --- measuring --- */

struct sample {
    double per_second;
    double client_us;
    double server_us;
};

struct bench {
    const char *kind;
    unsigned window;
    uint64_t run_ms;
    char address[64];
    /* of the bus's client */
    struct deis_loop *loop;
    struct deis_bus_client *client;
    uint64_t end_ms;
    uint64_t done;
    unsigned in_flight;
};

static double cpu_us(clockid_t clock)
{
    struct timespec ts;

    if (clock_gettime(clock, &ts) != 0) {
        die("no CPU clock");
    }
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void send_one(struct bench *b);

static void on_done(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct bench *b = arg;

    if (err) {
        die(err->msg);
    }
    b->done++;
    b->in_flight--;
    if (deis_now_ms() < b->end_ms) {
        send_one(b);
    } else if (b->in_flight == 0) {
        deis_loop_stop(b->loop);
    }
}

static void send_one(struct bench *b)
{
    Deis__KeyLookup ask = DEIS__KEY_LOOKUP__INIT;
    char text[PAYLOAD + 1];

    memset(text, 'x', PAYLOAD);
    text[PAYLOAD] = '\0';
    ask.fingerprint = text;
    b->in_flight++;
    deis_bus_send(b->client, b->address, "bench.echo", NULL, &ask.base,
                  &deis__key_owner__descriptor, 10000, on_done, b);
}

static void drive_bus(struct bench *b)
{
    for (unsigned i = 0; i < b->window; i++) {
        send_one(b);
    }
    deis_loop_run(b->loop);
}

static void drive_bare(struct bench *b)
{
    int sock = -1;
    struct deis_bus_packet p = { 0 };
    uint64_t sent = 0;

    if (deis_bus_socket_open(NN_REQ, &sock, NULL) < 0 || nn_connect(sock, b->address) < 0) {
        die("can't connect");
    }
    while (b->done < sent || deis_now_ms() < b->end_ms) {
        while (sent - b->done < b->window && deis_now_ms() < b->end_ms) {
            uint8_t *body = nn_allocmsg(PAYLOAD, 0);
            const uint8_t route[4] = { 0x80, (uint8_t)(sent >> 16), (uint8_t)(sent >> 8),
                                       (uint8_t)sent };
            memset(body, 'x', PAYLOAD);
            if (!deis_bus_transmit(sock, 0, body, route, sizeof(route))) {
                die("can't send");
            }
            sent++;
        }
        if (b->done < sent && deis_bus_receive(sock, 0, &p)) {
            deis_bus_packet_clear(&p);
            b->done++;
        }
    }
    nn_close(sock);
}

static pid_t start_server(const struct bench *b)
{
    int ready[2];
    char mode[16];
    char address[64];
    char name[] = "bus_bench";
    char *const argv[] = { name, mode, address, NULL };
    char c;

    snprintf(mode, sizeof(mode), "--%s", b->kind);
    snprintf(address, sizeof(address), "%s", b->address);
    if (pipe(ready) != 0) {
        die("no pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ready[1], STDOUT_FILENO);
        close(ready[0]);
        close(ready[1]);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    close(ready[1]);
    if (pid < 0 || read(ready[0], &c, 1) != 1) {
        die("the server did not start");
    }
    close(ready[0]);
    return pid;
}

static struct sample measure(struct bench *b, void (*drive)(struct bench *b))
{
    clockid_t server_clock;
    struct sample s;

    pid_t pid = start_server(b);
    if (clock_getcpuclockid(pid, &server_clock) != 0) {
        die("no CPU clock");
    }
    double client = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
    double server = cpu_us(server_clock);
    double start = cpu_us(CLOCK_MONOTONIC);
    b->done = 0;
    b->end_ms = deis_now_ms() + b->run_ms;
    drive(b);
    s.per_second = (double)b->done * 1e6 / (cpu_us(CLOCK_MONOTONIC) - start);
    s.client_us = (cpu_us(CLOCK_PROCESS_CPUTIME_ID) - client) / (double)b->done;
    s.server_us = (cpu_us(server_clock) - server) / (double)b->done;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return s;
}

static int by_rate(const void *a, const void *b)
{
    const struct sample *x = a;
    const struct sample *y = b;

    return (x->per_second > y->per_second) - (x->per_second < y->per_second);
}

struct row {
    const char *kind;
    unsigned window;
    void (*drive)(struct bench *b);
    struct sample samples[ROUNDS];
};

static void run_row(struct row *row, int round, int port, uint64_t run_ms)
{
    struct bench b = { .kind = row->kind, .window = row->window, .run_ms = run_ms };
    struct deis_key key = bench_key();

    snprintf(b.address, sizeof(b.address), "tcp://127.0.0.1:%d", port);
    b.loop = deis_loop_new();
    b.client = deis_bus_client_new(b.loop, &key, "bench-client");
    row->samples[round] = measure(&b, row->drive);
    deis_bus_client_free(b.client);
    deis_loop_free(b.loop);
}

int main(int argc, char **argv)
{
    struct row rows[] = {
        { "bus", 1, drive_bus, { { 0 } } },
        { "bare", 1, drive_bare, { { 0 } } },
        { "bus", 64, drive_bus, { { 0 } } },
        { "bare", 64, drive_bare, { { 0 } } },
    };
    uint64_t seconds = 1;

    deis_runtime_init("bus-bench");
    if (argc == 3 && strcmp(argv[1], "--bus") == 0) {
        serve_bus(argv[2]);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--bare") == 0) {
        serve_bare(argv[2]);
        return 0;
    }
    if (argc > 1 && deis_str_to_u64(deis_str(argv[1]), 1, 60, &seconds, NULL) < 0) {
        die("usage: bus_bench [seconds per row, 1 to 60]");
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
            run_row(&rows[i], round, FIRST_PORT + round * (int)DEIS_COUNT(rows) + (int)i,
                    seconds * 1000);
        }
    }
    printf("requests of %d bytes, echoed; two processes, TCP on loopback; median of %d rounds of "
           "%llu s\n",
           PAYLOAD, ROUNDS, (unsigned long long)seconds);
    printf("%-22s %9s %12s %14s %14s\n", "", "in flight", "requests/s", "client CPU us",
           "server CPU us");
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        qsort(rows[i].samples, ROUNDS, sizeof(rows[i].samples[0]), by_rate);
        const struct sample *s = &rows[i].samples[ROUNDS / 2];
        printf("%-22s %9u %12.0f %14.1f %14.1f\n",
               strcmp(rows[i].kind, "bus") == 0 ? "bus (sealed)" : "bare nanomsg (floor)",
               rows[i].window, s->per_second, s->client_us, s->server_us);
    }
    return 0;
}
