/* SPDX-License-Identifier: MIT */
/*
 * A web server with one page, for examples: pageserver PORT TEXT answers every request with TEXT
 * and writes a line for it. One thread a connection, kept alive. /wait/<ms> answers after a while.
 * After SIGTERM what is under way is finished, then it exits.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX        16384
#define BODY_MAX        (1L << 20)
#define IDLE_MS         75000
#define LINGER_MS       300 /* after SIGTERM, for a request that is already on its way */
#define STOP_MS         30000
#define WAIT_MAX_MS     10000
#define CONNECTIONS_MAX 1024
#define STACK_BYTES     (128 * 1024)

static const char *page;
static int stop_event = -1; /* readable once we are told to stop */
static atomic_int connections;
static atomic_bool stopping;

struct connection {
    int fd;
    size_t have;
    char data[HEAD_MAX];
};

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* Wait for bytes; while a request is awaited (idle) the end of the process cuts that short. */
static bool wait_readable(int fd, bool idle)
{
    struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = stop_event, .events = POLLIN } };

    if (idle && poll(p, 2, IDLE_MS) > 0 && p[0].revents) {
        return true;
    }
    return (!idle || p[1].revents) && poll(p, 1, idle ? LINGER_MS : IDLE_MS) > 0;
}

static bool receive(struct connection *c, bool idle)
{
    if (c->have == sizeof(c->data) - 1 || !wait_readable(c->fd, idle)) {
        return false;
    }
    ssize_t n = recv(c->fd, c->data + c->have, sizeof(c->data) - 1 - c->have, 0);
    if (n <= 0) {
        return false;
    }
    c->have += (size_t)n;
    c->data[c->have] = '\0';
    return true;
}

static void drop(struct connection *c, size_t n)
{
    c->have -= n;
    memmove(c->data, c->data + n, c->have + 1);
}

/* Value of a field in a head that ends with an empty line, or NULL. */
static const char *field(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            return line + 3 + len + strspn(line + 3 + len, " \t");
        }
    }
    return NULL;
}

static bool skip_body(struct connection *c, long length)
{
    while (length > 0) {
        if (c->have == 0 && !receive(c, false)) {
            return false;
        }
        size_t n = c->have < (size_t)length ? c->have : (size_t)length;
        drop(c, n);
        length -= (long)n;
    }
    return true;
}

static bool answer(struct connection *c, const char *status, bool head_only, bool keep)
{
    char head[256];
    const char *body = strncmp(status, "200", 3) == 0 ? page : "";

    int n =
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                 "%s\r\n",
                 status, strlen(body), keep ? "" : "Connection: close\r\n");
    return send_all(c->fd, head, (size_t)n) && (head_only || send_all(c->fd, body, strlen(body)));
}

static void log_request(const char *method, const char *path)
{
    char line[1024];

    /* One write is one line, whatever other threads do. */
    int n = snprintf(line, sizeof(line) - 1, "%s %.900s", method, path);
    line[n] = '\n';
    (void)!write(STDOUT_FILENO, line, (size_t)n + 1);
}

static void wait_as_asked(const char *path)
{
    if (strncmp(path, "/wait/", 6) == 0) {
        long ms = strtol(path + 6, NULL, 10);
        poll(NULL, 0, ms < 0 ? 0 : ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)ms);
    }
}

/* One request and its answer; false when the connection is over. */
static bool serve_one(struct connection *c)
{
    char *end;
    char method[16] = "";
    char path[1000] = "";
    int minor = 0;

    while (!(end = strstr(c->data, "\r\n\r\n"))) {
        if (!receive(c, c->have == 0)) {
            return false;
        }
    }
    end[2] = '\0';
    if (sscanf(c->data, "%15s %999s HTTP/1.%d", method, path, &minor) != 3) {
        answer(c, "400 Bad Request", false, false);
        return false;
    }
    const char *length_field = field(c->data, "Content-Length");
    const char *connection = field(c->data, "Connection");
    long length = length_field ? strtol(length_field, NULL, 10) : 0;
    bool keep = minor == 1 && !(connection && strncasecmp(connection, "close", 5) == 0);
    if (field(c->data, "Transfer-Encoding") || length < 0 || length > BODY_MAX) {
        answer(c, "411 Length Required", false, false);
        return false;
    }
    drop(c, (size_t)(end - c->data) + 4);
    if (!skip_body(c, length)) {
        return false;
    }
    log_request(method, path);
    wait_as_asked(path);
    keep = keep && !stopping;
    return answer(c, "200 OK", strcmp(method, "HEAD") == 0, keep) && keep;
}

static void *serve(void *arg)
{
    struct connection *c = arg;

    while (serve_one(c)) {
    }
    close(c->fd);
    free(c);
    connections--;
    return NULL;
}

static void start(int fd, const pthread_attr_t *attributes)
{
    struct connection *c = connections < CONNECTIONS_MAX ? calloc(1, sizeof(*c)) : NULL;
    pthread_t thread;
    int on = 1;

    if (!c) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->fd = fd;
    connections++;
    if (pthread_create(&thread, attributes, serve, c) != 0) {
        connections--;
        close(fd);
        free(c);
    }
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int on = 1;

    long number = strtol(port, NULL, 10);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sin_port = htons((uint16_t)number);
    if (fd < 0 || number < 1 || number > 65535 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 511) < 0) {
        fprintf(stderr, "pageserver: can't listen on port %s: %s\n", port, strerror(errno));
        exit(1);
    }
    return fd;
}

static void accept_all(int listener, const pthread_attr_t *attributes)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            start(fd, attributes);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    sigset_t signals;
    uint64_t one = 1;

    if (argc != 3) {
        fputs("usage: pageserver PORT TEXT\n", stderr);
        return 2;
    }
    page = argv[2];
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    stop_event = eventfd(0, EFD_CLOEXEC);
    struct pollfd p[2] = { { .fd = listen_on(argv[1]), .events = POLLIN },
                           { .fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN } };
    printf("listening on port %s\n", argv[1]);
    fflush(stdout);
    while (!p[1].revents) {
        poll(p, 2, -1);
        accept_all(p[0].fd, &attributes);
    }
    stopping = true;
    (void)!write(stop_event, &one, sizeof(one));
    close(p[0].fd);
    for (int waited = 0; connections > 0 && waited < STOP_MS; waited += 10) {
        poll(NULL, 0, 10);
    }
    return 0;
}
