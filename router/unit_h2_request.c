/* SPDX-License-Identifier: MIT */
/* Begins a request to a unit that speaks HTTP/2. */
#include "router/h2_fields.h"
#include "router/unit_h2_priv.h"

enum { FIELDS_MAX = DEIS_H1_MAX_HEADERS + 6 };

/* What is no field of HTTP/2 (section 8.2.2), or goes by another name there. */
static bool is_dropped(const struct unit_h2 *h, struct deis_str name)
{
    return deis_str_ieq_cstr(name, "host") || deis_str_ieq_cstr(name, "transfer-encoding") ||
           deis_str_ieq_cstr(name, "connection") || deis_str_ieq_cstr(name, "upgrade") ||
           (h->websocket && deis_str_ieq_cstr(name, "sec-websocket-key"));
}

static bool submit(struct unit_h2 *h, const struct deis_h1_head *head, bool trailers)
{
    nghttp2_data_provider provider = { .source.ptr = NULL, .read_callback = unit_h2_read_body };
    bool has_body = head->framing != DEIS_H1_NO_BODY || h->websocket;
    nghttp2_nv fields[FIELDS_MAX];
    size_t n = 0;

    fields[n++] = h2_field(DEIS_STR(":method"), h->websocket ? DEIS_STR("CONNECT") : head->method);
    if (h->websocket) {
        fields[n++] = h2_field(DEIS_STR(":protocol"), DEIS_STR("websocket"));
    }
    fields[n++] = h2_field(DEIS_STR(":scheme"), DEIS_STR("http"));
    fields[n++] = h2_field(DEIS_STR(":authority"), head->host);
    fields[n++] = h2_field(DEIS_STR(":path"), head->target);
    for (size_t i = 0; i < head->header_count; i++) {
        if (!is_dropped(h, head->headers[i].name)) {
            fields[n++] = h2_field(head->headers[i].name, head->headers[i].value);
        }
    }
    if (trailers && !h->websocket) {
        fields[n++] = h2_field(DEIS_STR("te"), DEIS_STR("trailers"));
    }
    h->stream =
        nghttp2_submit_request(h->session, NULL, fields, n, has_body ? &provider : NULL, NULL);
    return h->stream > 0;
}

/* May it be asked for a WebSocket now? BEGUN: yes. */
static enum unit_h2_begun ask_for_websocket(struct unit_h2 *h, const struct deis_h1_head *head)
{
    if (!deis_str_eq_cstr(head->method, "GET") || !websocket_accept(head, h->accept)) {
        return UNIT_H2_NO_REQUEST;
    }
    h->later = !h->settled;
    if (h->later) {
        return UNIT_H2_LATER;
    }
    return nghttp2_session_get_remote_settings(h->session,
                                               NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
               ? UNIT_H2_BEGUN
               : UNIT_H2_CANNOT;
}

enum unit_h2_begun unit_h2_request(struct unit_h2 *h, const struct deis_h1_head *head,
                                   bool trailers)
{
    h->stream = 0;
    h->final = false;
    h->body = false;
    h->ended = false;
    h->closed = false;
    h->deferred = false;
    h->sent = false;
    h->refused = false;
    h->websocket = deis_h1_has_token(head, "upgrade", "websocket");
    bytes_release(&h->worker->pool, &h->trailers);
    enum unit_h2_begun begun = h->websocket ? ask_for_websocket(h, head) : UNIT_H2_BEGUN;
    if (begun == UNIT_H2_BEGUN && (!unit_h2_takes_requests(h) || !submit(h, head, trailers))) {
        return UNIT_H2_FULL;
    }
    return begun;
}

bool unit_h2_is_due(const struct unit_h2 *h)
{
    return h->later && h->settled;
}
