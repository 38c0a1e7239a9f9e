/* SPDX-License-Identifier: MIT */
/*
 * The names of the apps that a user sees, by user, as they were read from one or two indexes. A
 * list is never taken on trust: a request asks etcd what was put below its indexes since they were
 * read, and how many keys they have. Whatever is added has a higher revision, so with nothing added
 * and as many keys as before they are the same keys. Bounded. thread: any
 */
#ifndef CONTROLLER_NAMELISTS_H
#define CONTROLLER_NAMELISTS_H

#include "lib/etcd/etcd.h"
#include "lib/wire/json.h"

#define NAMELIST_PARTS 2

struct namelist {
    char *text;   /* each name with a newline after it */
    size_t count; /* of names */

    struct {
        int64_t revision; /* when it was read; 0: there is no such part */
        size_t keys;
    } parts[NAMELIST_PARTS];
};

#define namelist_auto __attribute__((cleanup(namelist_clear)))
void namelist_clear(struct namelist *l);
/* Names first .. first + count of the list (cut at its end) as an array of texts. Yours. */
json_t *namelist_slice(const struct namelist *l, size_t first, size_t count);

struct namelists;
struct namelists *namelists_new(void);
void namelists_free(struct namelists *n);
/* Since which revisions etcd is to be asked about the parts of who's list. False: none is known. */
bool namelists_since(struct namelists *n, const char *who, int64_t ret[NAMELIST_PARTS]);
/* The list, when the answers of deis_etcd_then_changed() to those questions say that it holds; one
 * for each part that has a revision. */
bool namelists_get(struct namelists *n, const char *who, const int64_t since[NAMELIST_PARTS],
                   const struct deis_etcd_range changes[NAMELIST_PARTS], struct namelist *ret);
void namelists_put(struct namelists *n, const char *who, const struct namelist *l);

#endif
