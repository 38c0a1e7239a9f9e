/* SPDX-License-Identifier: MIT */
/* Shared by the files of unit_h2 only. thread: worker */
#ifndef DEIS_ROUTER_UNIT_H2_PRIV_H
#define DEIS_ROUTER_UNIT_H2_PRIV_H

#include "router/core/h2_answer.h"
#include "router/core/websocket.h"
#include "router/unit_h2.h"

#include <nghttp2/nghttp2.h>

struct unit_h2 {
    struct upstream *up;
    struct worker *worker;
    nghttp2_session *session;
    int32_t stream;        /* of the request under way; 0: none */
    struct h2_answer head; /* that is coming in */
    struct bytes block;    /* its text so far */
    struct bytes text;     /* what the exchange has not read */
    size_t heads;          /* of these bytes, which no window counts */
    struct bytes trailers;
    struct bytes out; /* what the socket did not take */
    bool heading;     /* the block that comes in is a head, no trailers */
    bool final;       /* the head of the answer itself has come */
    bool body;        /* bytes of its body */
    bool ended;       /* all of the answer has come */
    bool failed;      /* the stream, or the connection */
    bool closed;      /* both sides are done with the stream */
    bool deferred;    /* the body waits for more */
    bool sent;        /* bytes since the request began */
    bool refused;     /* by the unit, which has done nothing for it */
    bool websocket;   /* is asked for */
    bool settled;     /* the unit has sent its settings */
    bool later;       /* a request waits for them */
    char accept[WEBSOCKET_ACCEPT_LEN + 1];
};

/* Does the connection take requests: no GOAWAY has come, and not "no streams" (section 5.1.2)? */
bool unit_h2_takes_requests(const struct unit_h2 *h);
/* What nghttp2 reads a request's body with. */
ssize_t unit_h2_read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                          uint32_t *flags, nghttp2_data_source *source, void *arg);

#endif
