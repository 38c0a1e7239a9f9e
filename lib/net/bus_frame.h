/* SPDX-License-Identifier: MIT */
/*
 * The sealed frame of the bus, apart from sockets and clock: what is said in proto/README.md. A
 * sender seals; a gate lets requests in once; an answer fits the one request that it names. thread:
 * one owner per object
 */
#ifndef DEIS_NET_BUS_FRAME_H
#define DEIS_NET_BUS_FRAME_H

#include "lib/crypto/keyring.h"

#define DEIS_FRAME_MAX       1048576
#define DEIS_FRAME_NAME_MAX  63
#define DEIS_FRAME_ID_BYTES  8
#define DEIS_FRAME_TAG_BYTES 16

/* Names a request: its sender's boot id and its counter. */
struct deis_frame_ref {
    uint8_t boot[DEIS_FRAME_ID_BYTES];
    uint64_t counter;
};

struct deis_frame {
    struct deis_frame_ref ref;
    uint8_t token[DEIS_FRAME_ID_BYTES];   /* requests: the server's as last heard; answers: its
                                             current one */
    char sender[DEIS_FRAME_NAME_MAX + 1]; /* service name */
    uint8_t *body;                        /* in the frame's bytes; plain after opening */
    size_t body_len;
};

/* --- sealing --- */
struct deis_frame_sealer;

/* name: a DNS label. Draws a boot id; its counter starts at 1. */
struct deis_frame_sealer *deis_frame_sealer_new(const struct deis_key *key, const char *name);
/* From now on with another key. Draws another boot id; the counter goes on, so that no two frames
 * of a sealer have the same. */
void deis_frame_sealer_rekey(struct deis_frame_sealer *s, const struct deis_key *key);
void deis_frame_sealer_free(struct deis_frame_sealer *s);
/* Bytes of the header, which the plain text follows, and of header and tag together. */
size_t deis_frame_head_size(const struct deis_frame_sealer *s);
size_t deis_frame_overhead(const struct deis_frame_sealer *s);
/* Seals in place: frame has overhead + plain_len bytes, the plain text at deis_frame_head_size().
 * answers: the request that this answers, NULL when it is a request itself. Returns its own ref. */
struct deis_frame_ref deis_frame_seal(struct deis_frame_sealer *s,
                                      const uint8_t token[DEIS_FRAME_ID_BYTES],
                                      const struct deis_frame_ref *answers, uint8_t *frame,
                                      size_t plain_len);

/* --- the server's side --- */
struct deis_frame_gate;

struct deis_frame_gate *deis_frame_gate_new(const struct deis_key *key, uint64_t now_ms);
/* From now on these keys open, and no other. */
void deis_frame_gate_rekey(struct deis_frame_gate *g, const struct deis_keyring *keys);
void deis_frame_gate_free(struct deis_frame_gate *g);
/* Opens a request in place; now_ms is monotonic. 0: authentic, addressed to this gate, never seen
 * before. DEIS_CONFLICT: authentic, but the token is none of ours: answer with the current one, do
 * nothing else. Others: to be dropped; they are counted. */
int deis_frame_gate_open(struct deis_frame_gate *g, uint8_t *frame, size_t len, uint64_t now_ms,
                         struct deis_frame *ret, struct deis_err *err) deis_must_check;
const uint8_t *deis_frame_gate_token(const struct deis_frame_gate *g); /* borrowed */
uint64_t deis_frame_gate_refused(const struct deis_frame_gate *g);
size_t deis_frame_gate_senders(const struct deis_frame_gate *g);

/* --- the client's side --- */
struct deis_frame_opener;

struct deis_frame_opener *deis_frame_opener_new(const struct deis_key *key);
/* From now on these keys open, and no other. */
void deis_frame_opener_rekey(struct deis_frame_opener *o, const struct deis_keyring *keys);
void deis_frame_opener_free(struct deis_frame_opener *o);
/* Opens in place an answer to that request. */
int deis_frame_open_answer(struct deis_frame_opener *o, const struct deis_frame_ref *request,
                           uint8_t *frame, size_t len, struct deis_frame *ret,
                           struct deis_err *err) deis_must_check;

#endif
