/* SPDX-License-Identifier: MIT */
/* What all parts of the controller share, for the life of the process. */
#ifndef CONTROLLER_CTL_H
#define CONTROLLER_CTL_H

#include "controller/settings.h"

#include "lib/crypto/keys.h"
#include "lib/model/directory.h"
#include "lib/net/bus.h"

struct acme;
struct applog;
struct rollouts;
struct lives;
struct gate;
struct memo;
struct pages;
struct logins;
struct waits;

/* When values are sealed anew next; of reseal.c alone. */
struct reseal_pace {
    unsigned version; /* of the keys that this is about */
    uint64_t next_ms;
    uint64_t quiet_ms;
};

struct ctl {
    struct deis_loop *loop;
    struct settings_live *settings;
    struct deis_keys *keys;
    struct reseal_pace reseal;
    char instance[128];
    char boot[17]; /* random, of this process */
    struct deis_etcd *etcd;
    struct deis_directory *directory;
    struct deis_workers *requests;   /* one job a request */
    struct deis_workers *operations; /* one job an operation that no request carries */
    struct deis_workers *destroys;   /* likewise, of apps that go */
    struct deis_workers *upkeep;     /* what is looked after every few seconds */
    struct deis_bus_sync *bus;
    struct deis_bus_client *bus_client;
    struct applog *applog;
    struct acme *acme;
    struct rollouts *rollouts;
    struct lives *lives;
    struct gate *apps;      /* one at a time: changes of an app's release */
    struct memo *tokens;    /* hash -> user: a hash belongs to one user for ever */
    struct memo *configs;   /* app -> uuid of its config, when last seen */
    struct pages *releases; /* app -> all of its releases; stamp: the app's revision */
    struct pages *names; /* user ("" = all) -> the apps to see; stamp: the last change of these */
    struct pages *lists; /* a question -> its page of apps; stamp: the last change of all */
    struct logins *logins;
    struct gate *passwords; /* two at a time: scrypt */
    struct gate *large;     /* two at a time: lists of large documents */
    struct gate *quotas;    /* one at a time: who counts the things of one owner and adds one */
    struct waits *waits;    /* requests that wait for a rollout or a command */
};

#endif
