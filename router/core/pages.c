/* SPDX-License-Identifier: MIT */
#include "router/core/pages.h"

#include "lib/wire/h1.h"

#include <stdio.h>

static const struct page_info pages[PAGE_COUNT] = {
    [PAGE_NONE] = { 200, NULL, NULL, "", "" },
    [PAGE_BAD_REQUEST] = { 400, "H26", "Bad request", "Bad request",
                           "The browser or program sent a request that could not be understood." },
    [PAGE_METHOD] = { 405, "H26", "Method not allowed", "Method not allowed",
                      "This method is not available here." },
    [PAGE_NO_APP] = { 404, NULL, "No such app", "No such app",
                      "There is no app at this address. Check the spelling of the name, or ask its "
                      "owner whether it has moved." },
    [PAGE_NO_PROCESS] = { 503, "H14", "No web processes running", "Nothing is running here",
                          "The app exists, but no web process of it is running. Its owner can start "
                          "one: deis ps:scale web=1" },
    [PAGE_NOT_READY] = { 503, "H10", "No process is ready", "The app is not ready",
                         "Its processes are starting or have stopped. Try again in a moment; its "
                         "owner finds the reason with: deis logs" },
    [PAGE_REQUEST_TIMEOUT] = { 408, "H28", "Client request timed out", "Request timed out",
                               "The request did not arrive completely in time." },
    [PAGE_TOO_LARGE] = { 413, "H26", "Request body too large", "Too large",
                         "The request body is larger than this platform accepts." },
    [PAGE_TARGET_TOO_LONG] = { 414, "H26", "Request target too long", "Address too long",
                               "The address of the request is longer than this platform accepts." },
    [PAGE_HEAD_TOO_LARGE] = { 431, "H26", "Request header too large", "Header too large",
                              "The header of the request is larger than this platform accepts." },
    [PAGE_NOT_IMPLEMENTED] = { 501, "H26", "Not implemented", "Not implemented",
                               "The request asks for something that this platform does not do." },
    [PAGE_VERSION] = { 505, "H26", "HTTP version not supported", "HTTP version not supported",
                       "This platform speaks HTTP/1.1." },
    [PAGE_REFUSED] = { 502, "H21", "Backend connection refused", "The app can't be reached",
                       "None of its processes accepted the connection. Try again in a moment." },
    [PAGE_CONNECT_TIMEOUT] = { 502, "H19", "Backend connection timeout", "The app can't be reached",
                               "None of its processes accepted the connection in time." },
    [PAGE_NO_ANSWER] = { 502, "H13", "Connection closed without response", "The app did not answer",
                         "Its process closed the connection without an answer." },
    [PAGE_BAD_ANSWER] = { 502, "H17", "Poorly formatted HTTP response",
                          "The app's answer can't be used",
                          "Its process sent something that is not valid HTTP." },
    [PAGE_ANSWER_TIMEOUT] = { 504, "H12", "Request timeout", "The app takes too long",
                              "Its process did not answer in time." },
    [PAGE_CUT_SHORT] = { 502, "H18", "Server request interrupted", "", "" },
    [PAGE_CLIENT_GONE] = { 499, "H27", "Client request interrupted", "", "" },
    [PAGE_CLIENT_STALLED] = { 499, "H28", "Client connection idle", "", "" },
    [PAGE_ADDRESS] = { 429, "D03", "Too many connections of one address", "Too many connections",
                       "Your address has opened as many connections as one may. Close some, or try "
                       "again in a moment." },
    [PAGE_TOO_MANY] = { 503, "H22", "Connection limit reached", "Too busy",
                        "The platform has as many connections as it can serve. Try again in a "
                        "moment." },
    [PAGE_MAINTENANCE] = { 503, "H80", "Maintenance mode", "Down for maintenance",
                           "The app is closed for a while. Try again later." },
    [PAGE_NOT_ALLOWED] = { 403, "D01", "Address not on the whitelist", "Not allowed",
                           "The app is not open to your address. Ask its owner to add it to the "
                           "whitelist." },
    [PAGE_TOO_FAST] = { 429, "D02", "Too many requests of one address", "Too many requests",
                        "Your address has sent more requests than the app takes in a minute. Try "
                        "again in a moment." },
    [PAGE_CROWDED] = { 429, "D04", "Too many requests of one address at once", "Too many requests",
                       "Your address has as many requests at work as the app takes at once. Try "
                       "again in a moment." },
    [PAGE_BUSY] = { 503, "H11", "Too many requests at once", "Too busy",
                    "The app has as many requests at work as it may. Try again in a moment." },
    [PAGE_CONNECTED] = { 503, "H22", "Too many connections at once", "Too busy",
                         "The app has as many connections open as it may. Try again in a "
                         "moment." },
    [PAGE_BLOCKED] = { 400, "D05", "Blocked by the firewall", "Not accepted",
                       "The request looks like an attack. If it is none, tell the owner of the app "
                       "the number below." },
    [PAGE_UNEXAMINED] = { 503, "D06", "Not examined by the firewall", "Not available",
                          "The request can't be checked at the moment. Try again later." },
};

const struct page_info *page_info(enum page page)
{
    return &pages[page];
}

enum page page_of_status(int status)
{
    switch (status) {
    case 408: return PAGE_REQUEST_TIMEOUT;
    case 413: return PAGE_TOO_LARGE;
    case 414: return PAGE_TARGET_TOO_LONG;
    case 431: return PAGE_HEAD_TOO_LARGE;
    case 501: return PAGE_NOT_IMPLEMENTED;
    case 505: return PAGE_VERSION;
    default: return PAGE_BAD_REQUEST;
    }
}

static int write_json(char *out, size_t cap, const struct page_info *p, int status,
                      struct deis_str id)
{
    return snprintf(out, cap,
                    "{\"status\":%d,\"error\":\"%s\",\"detail\":\"%s\",\"code\":\"%s\","
                    "\"request_id\":\"%.*s\"}\n",
                    status, p->title, p->text, p->code ? p->code : "", DEIS_STR_ARG(id));
}

static int write_html(char *out, size_t cap, const struct page_info *p, int status,
                      struct deis_str id)
{
    return snprintf(
        out, cap,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title>"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><style>"
        "body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;"
        "background:#f5f6f8;color:#22303f;font:17px/1.6 system-ui,sans-serif}"
        "main{max-width:30rem;margin:2rem;padding:2.5rem 3rem;background:#fff;"
        "border-top:4px solid #2f7dc1;border-radius:4px;box-shadow:0 2px 12px #0001}"
        "h1{margin:0 0 .6rem;font-size:1.5rem;font-weight:600}p{margin:0 0 1.4rem}"
        "small{color:#66727e;font-family:ui-monospace,monospace;word-break:break-all}"
        "@media(prefers-color-scheme:dark){body{background:#14181d;color:#d9dfe6}"
        "main{background:#1d232a;box-shadow:none}small{color:#93a0ad}}"
        "</style></head><body><main><h1>%s</h1><p>%s</p><small>%d %s%s%s%s%.*s</small></main></body>"
        "</html>\n",
        p->title, p->title, p->text, status, deis_h1_reason(status), p->code ? " &middot; " : "",
        p->code ? p->code : "", id.len > 0 ? " &middot; " : "", DEIS_STR_ARG(id));
}

size_t page_write(char *out, size_t cap, enum page page, const struct page_opts *opts,
                  size_t *ret_body)
{
    const struct page_info *p = &pages[page];
    int status = opts->status > 0 ? opts->status : p->status;
    const char *connection = "";
    char body[PAGES_MAX - 512];

    if (!opts->keep_alive) {
        connection = "Connection: close\r\n";
    } else if (opts->http10) {
        connection = "Connection: keep-alive\r\n";
    }
    bool own = opts->own.ptr && !opts->json;
    const char *content = own ? opts->own.ptr : body;
    int len = (int)opts->own.len;
    if (!own) {
        len = opts->json ? write_json(body, sizeof(body), p, status, opts->request_id)
                         : write_html(body, sizeof(body), p, status, opts->request_id);
    }
    char retry[48] = "";
    if (opts->retry_after_s > 0) {
        (void)snprintf(retry, sizeof(retry), "Retry-After: %llu\r\n",
                       (unsigned long long)opts->retry_after_s);
    }
    int head =
        snprintf(out, cap,
                 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
                 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s%s%s\r\n",
                 status, deis_h1_reason(status),
                 opts->json ? "application/json" : "text/html; charset=utf-8", len,
                 status == 405 ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" : "",
                 retry, connection);
    *ret_body = 0;
    if (!opts->head) {
        memcpy(out + head, content, (size_t)len);
        *ret_body = (size_t)len;
    }
    return (size_t)head + *ret_body;
}
