/* SPDX-License-Identifier: MIT */
/*
 * Where the services are: registers this process under services/<component>/<instance> with a lease
 * that is kept and taken anew when lost, and keeps a mirror of all services/ for look-ups. When
 * etcd is away the last known addresses stay. thread: loop, look-ups any
 */
#ifndef DEIS_MODEL_DIRECTORY_H
#define DEIS_MODEL_DIRECTORY_H

#include "lib/crypto/keys.h"
#include "lib/etcd/etcd.h"
#include "lib/model/model.h"

struct deis_directory;

struct deis_directory *deis_directory_start(struct deis_etcd *e, struct deis_loop *loop);
void deis_directory_stop(struct deis_directory *d); /* removes what was registered */
/* Follow the file of the cluster keys, and say in the registration which of them are held. keys is
 * borrowed. Call it before registering. */
void deis_directory_follow_keys(struct deis_directory *d, struct deis_keys *keys);
/* Does every service that names keys seal with this one? False while none is known. thread: any */
bool deis_directory_all_seal_with(struct deis_directory *d, const char *key_id);
/* One registration per process. */
void deis_directory_register(struct deis_directory *d, const char *component, const char *instance,
                             const struct deis_service *where);
/* Is our key in etcd, as far as we know? The lease that holds it, 0 = none now. thread: loop */
bool deis_directory_registered(const struct deis_directory *d);
int64_t deis_directory_lease(const struct deis_directory *d);
/* Address of one instance (the first by name): kind is "http", "bus" or "ssh".
 * Copies to out of DEIS_KEY_MAX bytes; false when none was ever seen. thread: any */
bool deis_directory_find(struct deis_directory *d, const char *component, const char *kind,
                         char out[DEIS_KEY_MAX]);
/* Called on the loop after a change. */
void deis_directory_on_change(struct deis_directory *d, void (*fn)(void *arg), void *arg);

#endif
