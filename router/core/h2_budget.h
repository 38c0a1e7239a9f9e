/* SPDX-License-Identifier: MIT */
/*
 * What a client of HTTP/2 may cost. The protocol lets a peer cause work for which it pays next to
 * nothing: streams that are opened and reset at once (CVE-2023-44487), or made to fail, so that the
 * server resets them; frames that carry nothing (RFC 9113 section 10.5). Such acts are paid out of
 * two accounts that fill up with time, the second also with each frame of real use. Pure: the time
 * comes in. thread: any, one owner per budget
 */
#ifndef DEIS_ROUTER_H2_BUDGET_H
#define DEIS_ROUTER_H2_BUDGET_H

#include "lib/base/attr.h"

enum {
    H2_RESETS_MAX = 400, /* broken-off streams at once: browsers drop all of a page's */
    H2_RESETS_PER_S = 40,
    H2_FRAMES_MAX = 2000, /* frames that carry nothing, at once */
    H2_FRAMES_PER_S = 100,
    H2_FRAMES_PER_USE = 4, /* that a frame of use allows: two updates of windows, and some more */
};

struct h2_budget {
    uint64_t at_ms;
    uint32_t resets; /* thousandths */
    uint32_t frames;
};

void h2_budget_init(struct h2_budget *b, uint64_t now_ms);
/* A stream ended before its answer did. False: that was one too many. */
bool h2_budget_reset(struct h2_budget *b, uint64_t now_ms) deis_must_check;
/* A frame that is neither a request nor part of a body came. False: one too many. */
bool h2_budget_frame(struct h2_budget *b, uint64_t now_ms) deis_must_check;
/* A frame of a body went or came, or a request. */
void h2_budget_use(struct h2_budget *b);

#endif
