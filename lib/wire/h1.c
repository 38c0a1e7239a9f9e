/* SPDX-License-Identifier: MIT */
/* Start lines and the body that follows a head. */
#include "lib/wire/h1.h"

#include "lib/wire/h1_internal.h"

enum {
    EMPTY_LINES_MAX = 2,
    VERSION_LEN = 8, /* HTTP/1.1 */
};

static void clear_head(struct deis_h1_head *head, bool is_request)
{
    /* Not the header table: it is large and header_count says what counts. */
    memset(head, 0, offsetof(struct deis_h1_head, headers));
    head->header_count = 0;
    head->framing = DEIS_H1_NO_BODY;
    head->content_length = 0;
    head->keep_alive = false;
    head->expect_continue = false;
    head->upgrade = false;
    head->connection_names_fields = false;
    head->is_request = is_request;
}

/*
 * Look for the empty line that ends the head which starts at `start`. Every line end in between is
 * checked, so that a bare LF is refused no matter how the bytes arrive. DONE: *ret_end is behind
 * it.
 */
static enum deis_h1_result find_end(struct h1_parse *parse, struct deis_str input, size_t start,
                                    const struct deis_h1_limits *limits, size_t *scanned,
                                    size_t *ret_end)
{
    size_t limit = input.len;
    if (limit - start > limits->head_max) {
        limit = start + limits->head_max;
    }
    size_t at = *scanned > start ? *scanned : start;

    while (at < limit) {
        const char *lf = memchr(input.ptr + at, '\n', limit - at);
        if (!lf) {
            break;
        }
        at = (size_t)(lf - input.ptr) + 1;
        if (at - start < 2 || lf[-1] != '\r') {
            return h1_bad(parse, 400, "line ends without CR");
        }
        if (at - start >= 3 && lf[-2] == '\n') {
            *ret_end = at;
            return DEIS_H1_DONE;
        }
    }
    *scanned = limit;
    if (limit == input.len) {
        return DEIS_H1_MORE;
    }
    if (parse->head->is_request && !memchr(input.ptr + start, '\n', limit - start)) {
        return h1_bad(parse, 414, "request line longer than %zu bytes", limits->head_max);
    }
    return h1_bad(parse, 431, "head longer than %zu bytes", limits->head_max);
}

/* Step over the empty lines in front of a request. */
static enum deis_h1_result skip_empty_lines(struct h1_parse *parse, struct deis_str input,
                                            size_t *ret_start)
{
    size_t at = 0;

    for (size_t count = 0; at < input.len && input.ptr[at] == '\r'; count++) {
        if (count == EMPTY_LINES_MAX) {
            return h1_bad(parse, 400, "empty lines before the request");
        }
        if (at + 1 == input.len) {
            return DEIS_H1_MORE;
        }
        if (input.ptr[at + 1] != '\n') {
            return h1_bad(parse, 400, "CR without LF");
        }
        at += 2;
    }
    *ret_start = at;
    return at < input.len ? DEIS_H1_DONE : DEIS_H1_MORE;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.0" or "HTTP/1.1". */
static enum deis_h1_result parse_version(struct h1_parse *parse, struct deis_str s)
{
    if (s.len != VERSION_LEN || memcmp(s.ptr, "HTTP/", 5) != 0 || !is_digit(s.ptr[5]) ||
        s.ptr[6] != '.' || !is_digit(s.ptr[7])) {
        return h1_bad(parse, 400, "invalid HTTP version");
    }
    if (s.ptr[5] != '1' || s.ptr[7] > '1') {
        return h1_bad(parse, 505, "HTTP version %.*s is not supported", DEIS_STR_ARG(s));
    }
    parse->head->minor = s.ptr[7] - '0';
    return DEIS_H1_DONE;
}

/* scheme://authority/path?query */
static enum deis_h1_result split_absolute(struct h1_parse *parse, struct deis_str *ret_authority)
{
    struct deis_h1_head *head = parse->head;
    size_t skip;

    if (deis_str_ieq_cstr(deis_str_first(head->target, 7), "http://")) {
        skip = 7;
    } else if (deis_str_ieq_cstr(deis_str_first(head->target, 8), "https://")) {
        skip = 8;
    } else {
        return h1_bad(parse, 400, "invalid request target");
    }
    struct deis_str rest = deis_str_skip(head->target, skip);
    ptrdiff_t slash = deis_str_find(rest, '/');
    *ret_authority = slash < 0 ? rest : deis_str_first(rest, (size_t)slash);
    if (!h1_is_host(*ret_authority)) {
        return h1_bad(parse, 400, "invalid host in the request target");
    }
    if (slash >= 0) {
        head->target = deis_str_skip(rest, (size_t)slash);
    } else if (deis_str_eq_cstr(head->method, "OPTIONS")) {
        head->target = DEIS_STR("*");
    } else {
        head->target = DEIS_STR("/");
    }
    return DEIS_H1_DONE;
}

/* The line in [p, end), without its CR LF. *ret_authority is NONE unless the target is absolute. */
static enum deis_h1_result parse_request_line(struct h1_parse *parse, const char *p,
                                              const char *end, size_t target_max,
                                              struct deis_str *ret_authority)
{
    struct deis_h1_head *head = parse->head;
    const char *from = p;

    while (h1_is(*p, H1_TOKEN)) {
        p++;
    }
    if (p == from || *p != ' ') {
        return h1_bad(parse, 400, "invalid method");
    }
    head->method = deis_str_n(from, (size_t)(p - from));
    from = ++p;
    while (h1_is(*p, H1_TARGET)) {
        p++;
    }
    head->target = deis_str_n(from, (size_t)(p - from));
    if (head->target.len > target_max) {
        return h1_bad(parse, 414, "request target longer than %zu bytes", target_max);
    }
    if (p == from || *p != ' ') {
        return h1_bad(parse, 400, "invalid request target");
    }
    p++;
    if (parse_version(parse, deis_str_n(p, (size_t)(end - p))) == DEIS_H1_BAD) {
        return DEIS_H1_BAD;
    }
    if (deis_str_eq_cstr(head->method, "CONNECT")) {
        return h1_bad(parse, 501, "method CONNECT is not supported");
    }
    if (head->target.ptr[0] == '/') {
        return DEIS_H1_DONE;
    }
    if (deis_str_eq_cstr(head->target, "*")) {
        return deis_str_eq_cstr(head->method, "OPTIONS")
                   ? DEIS_H1_DONE
                   : h1_bad(parse, 400, "invalid request target");
    }
    return split_absolute(parse, ret_authority);
}

static enum deis_h1_result parse_request_head(struct h1_parse *parse, const char *p,
                                              const char *end, const struct deis_h1_limits *limits)
{
    struct deis_h1_head *head = parse->head;
    struct deis_str authority = DEIS_STR_NONE;
    const char *lf = memchr(p, '\n', (size_t)(end - p));

    if (parse_request_line(parse, p, lf - 1, limits->target_max, &authority) == DEIS_H1_BAD ||
        h1_parse_fields(parse, lf + 1, end - 2) == DEIS_H1_BAD) {
        return DEIS_H1_BAD;
    }
    if (!parse->has_host) {
        return h1_bad(parse, 400, "Host field is missing");
    }
    if (authority.ptr && !deis_str_ieq(authority, head->host)) {
        return h1_bad(parse, 400, "Host field and request target name different hosts");
    }
    if (parse->has_coding) {
        head->framing = DEIS_H1_CHUNKED;
    } else if (parse->has_length && head->content_length > 0) {
        head->framing = DEIS_H1_LENGTH;
    }
    head->expect_continue = head->expect_continue && head->minor == 1;
    return DEIS_H1_DONE;
}

enum deis_h1_result deis_h1_parse_request(struct deis_str input,
                                          const struct deis_h1_limits *limits, size_t *scanned,
                                          struct deis_h1_head *head, size_t *ret_used,
                                          int *ret_status, struct deis_err *err)
{
    struct h1_parse parse = { .head = head, .err = err };
    size_t start = 0;
    size_t end;

    clear_head(head, true);
    enum deis_h1_result result = skip_empty_lines(&parse, input, &start);
    /* What is no HTTP at all (a TLS client, say) is told so at once. */
    if (result == DEIS_H1_DONE && input.ptr[start] != '\n' && !h1_is(input.ptr[start], H1_TOKEN)) {
        result = h1_bad(&parse, 400, "invalid method");
    }
    if (result == DEIS_H1_DONE) {
        result = find_end(&parse, input, start, limits, scanned, &end);
    }
    if (result == DEIS_H1_DONE) {
        result = parse_request_head(&parse, input.ptr + start, input.ptr + end, limits);
    }
    if (result == DEIS_H1_DONE) {
        *ret_used = end;
    } else if (result == DEIS_H1_BAD) {
        *ret_status = parse.status;
    }
    return result;
}

/* HTTP/1.1 200 OK; some servers leave out the blank before an empty reason. */
static enum deis_h1_result parse_status_line(struct h1_parse *parse, const char *p, const char *end)
{
    struct deis_h1_head *head = parse->head;
    struct deis_str line = deis_str_n(p, (size_t)(end - p));

    if (parse_version(parse, deis_str_first(line, VERSION_LEN)) == DEIS_H1_BAD) {
        return DEIS_H1_BAD;
    }
    line = deis_str_skip(line, VERSION_LEN);
    if (line.len < 4 || line.ptr[0] != ' ' || line.ptr[1] < '1' || line.ptr[1] > '5' ||
        !is_digit(line.ptr[2]) || !is_digit(line.ptr[3]) || (line.len > 4 && line.ptr[4] != ' ')) {
        return h1_bad(parse, 502, "invalid status code");
    }
    head->status = (line.ptr[1] - '0') * 100 + (line.ptr[2] - '0') * 10 + (line.ptr[3] - '0');
    head->reason = deis_str_skip(line, 5);
    if (!h1_is_text(head->reason.ptr, head->reason.len)) {
        return h1_bad(parse, 502, "control byte in the reason phrase");
    }
    return DEIS_H1_DONE;
}

static void set_response_framing(struct h1_parse *parse, struct deis_str request_method)
{
    struct deis_h1_head *head = parse->head;
    bool announces_body = parse->has_coding || (parse->has_length && head->content_length > 0);

    if (head->status < 200 || head->status == 204) {
        /* Whoever announces a body here may well send one: nothing behind it can be trusted. */
        head->keep_alive = head->keep_alive && !announces_body;
    } else if (deis_str_eq_cstr(request_method, "HEAD") || head->status == 304) {
        return;
    } else if (parse->has_coding) {
        head->framing = DEIS_H1_CHUNKED;
    } else if (parse->has_length) {
        head->framing = head->content_length > 0 ? DEIS_H1_LENGTH : DEIS_H1_NO_BODY;
    } else {
        head->framing = DEIS_H1_UNTIL_CLOSE;
        head->keep_alive = false;
    }
}

enum deis_h1_result deis_h1_parse_response(struct deis_str input, struct deis_str request_method,
                                           const struct deis_h1_limits *limits, size_t *scanned,
                                           struct deis_h1_head *head, size_t *ret_used,
                                           struct deis_err *err)
{
    static const char prefix[] = "HTTP/";
    struct h1_parse parse = { .head = head, .err = err };
    size_t known = input.len < sizeof(prefix) - 1 ? input.len : sizeof(prefix) - 1;
    size_t end;

    clear_head(head, false);
    if (known > 0 && memcmp(input.ptr, prefix, known) != 0) {
        return h1_bad(&parse, 502, "answer is not HTTP");
    }
    enum deis_h1_result result = find_end(&parse, input, 0, limits, scanned, &end);
    if (result != DEIS_H1_DONE) {
        return result;
    }
    const char *lf = memchr(input.ptr, '\n', end);
    if (parse_status_line(&parse, input.ptr, lf - 1) == DEIS_H1_BAD ||
        h1_parse_fields(&parse, lf + 1, input.ptr + end - 2) == DEIS_H1_BAD) {
        return DEIS_H1_BAD;
    }
    set_response_framing(&parse, request_method);
    *ret_used = end;
    return DEIS_H1_DONE;
}
