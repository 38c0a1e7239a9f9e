/* SPDX-License-Identifier: MIT */
/* Take a PROXY header off the front of a connection, and not a byte more. thread: any, one owner */
#ifndef DEIS_NET_PROXY_READ_H
#define DEIS_NET_PROXY_READ_H

#include "lib/wire/proxy_head.h"

/* How long to wait for a whole header (proxy-protocol.txt section 2: 3 s at least). */
enum { DEIS_PROXY_WAIT_MS = 10000 };

struct deis_proxy_held; /* the part of a header that has come so far */

/* Call when fd is readable; never blocks. *held is NULL at first and yours: free() it when the
 * connection ends early. MORE: wait until fd is readable again. DONE: what follows the header is
 * still to be read from fd. BAD: no header, or the peer has gone; err says which. */
enum deis_proxy_result deis_proxy_read(int fd, struct deis_proxy_held **held,
                                       struct deis_proxy_head *ret, struct deis_err *err);

#endif
