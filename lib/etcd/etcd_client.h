/* SPDX-License-Identifier: MIT */
/* What etcd.c shares with watch.c and lease.c: the endpoints, and the streams on the loop. */
#ifndef DEIS_ETCD_ETCD_CLIENT_H
#define DEIS_ETCD_ETCD_CLIENT_H

#include "lib/etcd/etcd_codec.h"

/* Fails at once with "no leader" on a member without a quorum, and ends a watch there. */
#define DEIS_ETCD_HAS_LEADER "Grpc-Metadata-hasleader: true"
#define DEIS_ETCD_CONNECT_MS 1000u

/* Endpoints are counted on and on: pass any number. Borrowed, "http://host:port". thread: any */
const char *deis_etcd_endpoint(const struct deis_etcd *e, unsigned number);
unsigned deis_etcd_preferred(const struct deis_etcd *e);
/* The endpoint did not answer: others start with the next one. */
void deis_etcd_avoid(struct deis_etcd *e, unsigned number);
const struct deis_httpc_tls *deis_etcd_tls(const struct deis_etcd *e);
uint64_t deis_etcd_timeout_ms(const struct deis_etcd *e);

/* deis_etcd_lease_revoke() for who can't wait long. thread: any */
int deis_etcd_revoke_within(struct deis_etcd *e, int64_t lease, uint64_t timeout_ms,
                            struct deis_err *err) deis_must_check;

/* The one set of streams of the client, made with the first use and freed with the last. thread:
 * loop */
struct deis_httpc_streams *deis_etcd_streams_ref(struct deis_etcd *e, struct deis_loop *loop);
void deis_etcd_streams_unref(struct deis_etcd *e);

#endif
