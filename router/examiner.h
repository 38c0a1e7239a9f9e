/* SPDX-License-Identifier: MIT */
/*
 * A thread beside a worker for checks of the firewall that take long: some rules look at each byte
 * again and again, so that a request of 100 KiB can cost seconds. The worker's other clients do not
 * wait for it. One check at a time, in the order in which they came.
 */
#ifndef DEIS_ROUTER_EXAMINER_H
#define DEIS_ROUTER_EXAMINER_H

#include "router/firewall.h"

struct examiner;
struct worker;

/* Part of a struct of its owner's, who leaves it and what it names alone until on_done. */
struct examiner_job {
    struct examiner_job *next;
    struct firewall_check *check;
    bool is_body; /* check this; else the head */
    struct deis_str body;
    bool is_whole; /* body is all of it, not its start */
    enum firewall_verdict verdict;
    void (*on_done)(struct examiner_job *job); /* thread: worker */
};

/* As many wait as may. thread: worker, as with all that follows */
bool examiner_is_full(const struct examiner *e); /* NULL is not */
/* Made, with its thread, when it is first asked. on_done may be called before the return. */
void examiner_add(struct worker *w, struct examiner_job *job);
/* Nobody wants to know any more. True: the check had not begun, on_done is not called. */
bool examiner_cancel(struct examiner *e, struct examiner_job *job);
/* Waits for the check at work; the others are not made, their on_done is called all the same.
 * Nothing is added any more. NULL is fine. */
void examiner_free(struct examiner *e);

#endif
