/* SPDX-License-Identifier: MIT */
#include "tests/support/cutter.h"

#include "tests/support/port.h"
#include "tests/support/test.h"

#include "lib/base/str.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { CLIENT, SERVER, SIDES, PAIRS_MAX = 32, PIECE = 256 * 1024 };

struct test_cutter {
    uint16_t port, to;
    int listener;
    int end[2]; /* a pipe: closed to end the thread */
    int pairs[PAIRS_MAX][SIDES];
    nfds_t count;
    _Atomic(const char *) text; /* NULL: nothing is cut */
    atomic_uint cuts;
    pthread_t thread;
    char piece[PIECE];
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static void check(bool ok)
{
    if (!ok) {
        perror("test support: cutter");
        abort();
    }
}

static void take_client(struct test_cutter *c)
{
    struct sockaddr_in to = loopback(c->to);
    int *pair = c->pairs[c->count];

    check(c->count < PAIRS_MAX);
    pair[CLIENT] = accept(c->listener, NULL, NULL);
    pair[SERVER] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(pair[CLIENT] >= 0 && pair[SERVER] >= 0);
    (void)connect(pair[SERVER], (const struct sockaddr *)&to,
                  sizeof(to)); /* else it reads an end */
    c->count++;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* false: the pair has come to its end. */
static bool relay(struct test_cutter *c, const int pair[SIDES], int from)
{
    ssize_t n = recv(pair[from], c->piece, sizeof(c->piece) - 1, 0);

    if (n <= 0) {
        return false;
    }
    c->piece[n] = '\0';
    const char *text = from == SERVER ? atomic_load(&c->text) : NULL;
    bool cut = text && strstr(c->piece, text);
    if (!write_all(pair[1 - from], c->piece, (size_t)(cut ? n / 2 : n))) {
        return false;
    }
    if (cut) {
        atomic_store(&c->text, NULL);
        atomic_fetch_add(&c->cuts, 1);
    }
    return !cut;
}

static void drop(struct test_cutter *c, nfds_t i)
{
    close(c->pairs[i][CLIENT]);
    close(c->pairs[i][SERVER]);
    c->count--;
    memcpy(c->pairs[i], c->pairs[c->count], sizeof(c->pairs[i]));
}

static void *run(void *arg)
{
    struct test_cutter *c = arg;
    struct pollfd fds[2 + PAIRS_MAX * SIDES];

    for (;;) {
        fds[0] = (struct pollfd){ .fd = c->end[0], .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = c->listener, .events = POLLIN };
        for (nfds_t i = 0; i < c->count * SIDES; i++) {
            fds[2 + i] = (struct pollfd){ .fd = c->pairs[i / SIDES][i % SIDES], .events = POLLIN };
        }
        check(poll(fds, 2 + c->count * SIDES, -1) > 0);
        if (fds[0].revents) {
            break;
        }
        for (nfds_t i = c->count; i-- > 0;) { /* what takes a dropped one's place was looked at */
            const struct pollfd *of = &fds[2 + i * SIDES];
            if ((of[CLIENT].revents && !relay(c, c->pairs[i], CLIENT)) ||
                (of[SERVER].revents && !relay(c, c->pairs[i], SERVER))) {
                drop(c, i);
            }
        }
        if (fds[1].revents) {
            take_client(c);
        }
    }
    while (c->count > 0) {
        drop(c, 0);
    }
    return NULL;
}

struct test_cutter *test_cutter_start(uint16_t to)
{
    struct test_cutter *c = deis_alloc(sizeof(*c));

    c->to = to;
    c->port = test_free_port();
    c->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = loopback(c->port);
    check(bind(c->listener, (const struct sockaddr *)&at, sizeof(at)) == 0);
    check(listen(c->listener, PAIRS_MAX) == 0);
    check(pipe(c->end) == 0);
    check(pthread_create(&c->thread, NULL, run, c) == 0);
    return c;
}

uint16_t test_cutter_port(const struct test_cutter *c)
{
    return c->port;
}

void test_cutter_arm(struct test_cutter *c, const char *text)
{
    atomic_store(&c->text, text);
}

unsigned test_cutter_cuts(const struct test_cutter *c)
{
    return atomic_load(&c->cuts);
}

void test_cutter_stop(struct test_cutter *c)
{
    close(c->end[1]);
    pthread_join(c->thread, NULL);
    close(c->end[0]);
    close(c->listener);
    free(c);
}
