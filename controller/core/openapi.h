/* SPDX-License-Identifier: MIT */
/* The API described by itself: an OpenAPI 3.1 document made from the table of routes. Pure.
 * thread: any */
#ifndef CONTROLLER_CORE_OPENAPI_H
#define CONTROLLER_CORE_OPENAPI_H

#include "controller/core/route.h"

#include "lib/wire/json.h"

/* server: "http://deis.example.com". Yours. */
json_t *openapi_document(const char *server);

#endif
