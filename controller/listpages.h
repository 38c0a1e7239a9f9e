/* SPDX-License-Identifier: MIT */
/*
 * Pages of lists as they were written last, by who asked for what. A page is never taken on trust:
 * it is of a certain reading of the list (namelists.h), and a request asks etcd whether each of its
 * documents still has the revision that it was written from. Bounded. thread: any
 */
#ifndef CONTROLLER_LISTPAGES_H
#define CONTROLLER_LISTPAGES_H

#include "controller/namelists.h"

struct listpage {
    char *text;
    size_t len;
    int64_t *revisions; /* of the documents, in the order of their rows */
    size_t count;
    int64_t parts[NAMELIST_PARTS]; /* the list's */
};

#define listpage_auto __attribute__((cleanup(listpage_clear)))
void listpage_clear(struct listpage *p);

struct listpages;
struct listpages *listpages_new(void);
void listpages_free(struct listpages *l);
/* A page of this very reading of the list; yours. key: all else that the text follows from. */
bool listpages_get(struct listpages *l, const char *key, const struct namelist *names,
                   struct listpage *ret);
void listpages_put(struct listpages *l, const char *key, const struct listpage *p);

#endif
