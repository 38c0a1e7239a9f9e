/* SPDX-License-Identifier: MIT */
/*
 * A raw client of a server that runs on the same loop and thread: whoever waits turns the loop.
 * Every wait ends after half a minute by failing the test.
 */
#ifndef DEIS_TESTS_LOOP_CLIENT_H
#define DEIS_TESTS_LOOP_CLIENT_H

#include "lib/base/buf.h"
#include "lib/net/loop.h"

struct loop_client {
    struct deis_loop *loop;
    int fd;
    bool ended; /* the server has closed its side */
    bool reset; /* not in an orderly way */
    struct deis_buf got;
};

/* Turn the loop until ready(arg) is true. */
void loop_until(struct deis_loop *loop, bool (*ready)(void *arg), void *arg);
/* Turn it until nothing is left to do at once. */
void loop_settle(struct deis_loop *loop);

void client_open(struct loop_client *c, struct deis_loop *loop, uint16_t port);
void client_open_unix(struct loop_client *c, struct deis_loop *loop, const char *path);
/* Send all, turning the loop while the socket is full. */
void client_send(struct loop_client *c, const char *data, size_t len);
void client_say(struct loop_client *c, const char *text);
/* Send what goes without turning the loop; the number of bytes that went. */
size_t client_push(struct loop_client *c, const char *data, size_t len);
/* Read until the text has come (counted from the start of got). */
void client_expect(struct loop_client *c, const char *text);
void client_expect_bytes(struct loop_client *c, size_t count);
void client_expect_end(struct loop_client *c);
/* Read what is there without waiting. */
void client_poll(struct loop_client *c);
void client_forget(struct loop_client *c); /* what was received */
void client_close(struct loop_client *c);

#endif
