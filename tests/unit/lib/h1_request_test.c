/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/buf.h"
#include "lib/wire/h1.h"

static const struct deis_h1_limits limits = { .head_max = 2048, .target_max = 200 };

/* One parse as a connection does it: the bytes arrive in steps, until there is a verdict. */
struct outcome {
    enum deis_h1_result result;
    int status;
    size_t used;
    size_t seen; /* bytes that had arrived */
    struct deis_h1_head head;
};

static void parse_in_steps(struct deis_str input, size_t first, size_t step, struct outcome *ret)
{
    size_t scanned = 0;
    size_t have = first;

    memset(ret, 0, sizeof(*ret));
    for (;;) {
        struct deis_err err = DEIS_ERR_INIT;
        have = have < input.len ? have : input.len;
        /* A copy of its exact size, so that the sanitizer sees a read past what has arrived. */
        deis_autofree char *copy = malloc(have ? have : 1);
        memcpy(copy, input.ptr, have);
        ret->result = deis_h1_parse_request(deis_str_n(copy, have), &limits, &scanned, &ret->head,
                                            &ret->used, &ret->status, &err);
        ret->seen = have;
        if (ret->result == DEIS_H1_BAD) {
            assert_true(err.code < 0);
            assert_true(strlen(err.msg) > 0);
        }
        if (ret->result != DEIS_H1_MORE || have == input.len) {
            return;
        }
        have += step;
    }
}

/* Views are gone with the copy: compare what is left. */
static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->result, b->result);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->used, b->used);
    if (a->result == DEIS_H1_DONE) {
        assert_int_equal(a->head.minor, b->head.minor);
        assert_int_equal(a->head.method.len, b->head.method.len);
        assert_int_equal(a->head.target.len, b->head.target.len);
        assert_int_equal(a->head.header_count, b->head.header_count);
        assert_int_equal(a->head.framing, b->head.framing);
        assert_int_equal(a->head.content_length, b->head.content_length);
        assert_int_equal(a->head.keep_alive, b->head.keep_alive);
    }
}

/* Every split in two, and byte by byte. */
static void assert_splits_agree(struct deis_str input, const struct outcome *whole)
{
    struct outcome other;

    for (size_t first = 0; first <= input.len; first++) {
        parse_in_steps(input, first, input.len, &other);
        assert_same(whole, &other);
    }
    parse_in_steps(input, 0, 1, &other);
    assert_same(whole, &other);
    if (whole->result == DEIS_H1_DONE) {
        assert_int_equal(other.seen, whole->used);
    }
}

#define HOST "Host: a\r\n"
#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

/* status 0: DONE, -1: MORE, else what to answer. */
static const struct {
    const char *name;
    struct deis_str raw;
    int status;
} rows[] = {
    { "plain", DEIS_STR(GET HOST "\r\n"), 0 },
    { "body follows", DEIS_STR(POST "Content-Length: 3\r\n\r\nabc"), 0 },
    { "nothing", DEIS_STR(""), -1 },
    { "half a line", DEIS_STR("GET /"), -1 },
    { "no final empty line", DEIS_STR(GET HOST), -1 },
    { "half an empty line", DEIS_STR(GET HOST "\r"), -1 },
    { "two empty lines in front", DEIS_STR("\r\n\r\n" GET HOST "\r\n"), 0 },
    { "three empty lines in front", DEIS_STR("\r\n\r\n\r\n" GET HOST "\r\n"), 400 },
    { "bare LF in front", DEIS_STR("\n" GET HOST "\r\n"), 400 },
    { "bare CR in front", DEIS_STR("\r" GET HOST "\r\n"), 400 },
    { "line ends by LF", DEIS_STR("GET / HTTP/1.1\nHost: a\n\n"), 400 },
    { "one field ends by LF", DEIS_STR(GET "A: b\n" HOST "\r\n"), 400 },
    { "head ends by LF", DEIS_STR(GET HOST "\n"), 400 },
    { "bare CR in a value", DEIS_STR(GET HOST "A: b\rc\r\n\r\n"), 400 },
    { "CR CR LF", DEIS_STR(GET "Host: a\r\r\n\r\n"), 400 },
    { "bare CR in the line", DEIS_STR("GET /\r HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "TLS hello", DEIS_STR("\x16\x03\x01\x02"), 400 },
    { "HTTP/2 preface", DEIS_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505 },
    { "HTTP/1.0", DEIS_STR("GET / HTTP/1.0\r\n" HOST "\r\n"), 0 },
    { "HTTP/1.2", DEIS_STR("GET / HTTP/1.2\r\n" HOST "\r\n"), 505 },
    { "HTTP/0.9", DEIS_STR("GET /\r\n\r\n"), 400 },
    { "http/1.1", DEIS_STR("GET / http/1.1\r\n" HOST "\r\n"), 400 },
    { "HTTP/1.1x", DEIS_STR("GET / HTTP/1.1x\r\n" HOST "\r\n"), 400 },
    { "HTTP/11", DEIS_STR("GET / HTTP/11\r\n" HOST "\r\n"), 400 },
    { "blank behind the version", DEIS_STR("GET / HTTP/1.1 \r\n" HOST "\r\n"), 400 },
    { "two blanks", DEIS_STR("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "two blanks behind the target", DEIS_STR("GET /  HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "tab", DEIS_STR("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "blank in front", DEIS_STR(" GET / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "no method", DEIS_STR("/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "own method", DEIS_STR("PURGE / HTTP/1.1\r\n" HOST "\r\n"), 0 },
    { "odd method", DEIS_STR("GE(T / HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "CONNECT", DEIS_STR("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n"), 501 },
    { "blank in the target", DEIS_STR("GET /a b HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "fragment", DEIS_STR("GET /a#b HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "UTF-8 in the target", DEIS_STR("GET /\xc3\xbc HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "NUL in the target", DEIS_STR("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "as browsers send it", DEIS_STR("GET /?a=[1]|{2}^\"' HTTP/1.1\r\n" HOST "\r\n"), 0 },
    { "no slash", DEIS_STR("GET a HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "asterisk", DEIS_STR("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 0 },
    { "asterisk for GET", DEIS_STR("GET * HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "absolute", DEIS_STR("GET http://a/x?y HTTP/1.1\r\n" HOST "\r\n"), 0 },
    { "absolute, other host", DEIS_STR("GET http://b/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "absolute without host", DEIS_STR("GET http:///x HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "absolute with user", DEIS_STR("GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "other scheme", DEIS_STR("GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"), 400 },
    { "no Host", DEIS_STR(GET "\r\n"), 400 },
    { "no Host in HTTP/1.0", DEIS_STR("GET / HTTP/1.0\r\n\r\n"), 400 },
    { "two Hosts", DEIS_STR(GET HOST HOST "\r\n"), 400 },
    { "empty Host", DEIS_STR(GET "Host:\r\n\r\n"), 400 },
    { "Host with port", DEIS_STR(GET "Host: a-b.c_d:8080\r\n\r\n"), 0 },
    { "Host with bad port", DEIS_STR(GET "Host: a:80x\r\n\r\n"), 400 },
    { "Host with empty port", DEIS_STR(GET "Host: a:\r\n\r\n"), 400 },
    { "Host as IPv6", DEIS_STR(GET "Host: [::1]:80\r\n\r\n"), 0 },
    { "Host as IPv6, open", DEIS_STR(GET "Host: [::1\r\n\r\n"), 400 },
    { "Host as IPv6, bare", DEIS_STR(GET "Host: ::1\r\n\r\n"), 400 },
    { "Host with path", DEIS_STR(GET "Host: a/b\r\n\r\n"), 400 },
    { "Host with user", DEIS_STR(GET "Host: u@a\r\n\r\n"), 400 },
    { "Host with list", DEIS_STR(GET "Host: a, b\r\n\r\n"), 400 },
    { "blank before the colon", DEIS_STR(GET "Host : a\r\n\r\n"), 400 },
    { "no name", DEIS_STR(GET HOST ": x\r\n\r\n"), 400 },
    { "no colon", DEIS_STR(GET HOST "abc\r\n\r\n"), 400 },
    { "odd name", DEIS_STR(GET HOST "a(b): c\r\n\r\n"), 400 },
    { "name with 8 bits", DEIS_STR(GET HOST "\xc3\xbc: c\r\n\r\n"), 400 },
    { "folded", DEIS_STR(GET HOST "A: b\r\n c\r\n\r\n"), 400 },
    { "folded by tab", DEIS_STR(GET "\tA: b\r\n" HOST "\r\n"), 400 },
    { "blank in front of the first field", DEIS_STR(GET " " HOST "\r\n"), 400 },
    { "empty value", DEIS_STR(GET HOST "A:\r\nB: \t \r\n\r\n"), 0 },
    { "value with 8 bits", DEIS_STR(GET HOST "A: gr\xc3\xbc\xc3\x9f\r\n\r\n"), 0 },
    { "value with tab", DEIS_STR(GET HOST "A: b\tc\r\n\r\n"), 0 },
    { "value with NUL", DEIS_STR(GET HOST "A: b\0c\r\n\r\n"), 400 },
    { "value with ESC", DEIS_STR(GET HOST "A: 0123456789abcdef\x1b\r\n\r\n"), 400 },
    { "value with DEL",
      DEIS_STR(GET HOST "A: 0123\x7f"
                        "456789\r\n\r\n"),
      400 },
    { "chunked", DEIS_STR(POST "Transfer-Encoding: chunked\r\n\r\n"), 0 },
    { "Chunked", DEIS_STR(POST "transfer-encoding:\tChunked \r\n\r\n"), 0 },
    { "both lengths", DEIS_STR(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
      400 },
    { "both lengths, other order",
      DEIS_STR(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), 400 },
    { "two lengths", DEIS_STR(POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"), 400 },
    { "two equal lengths", DEIS_STR(POST "Content-Length: 3\r\ncontent-length: 3\r\n\r\n"), 400 },
    { "list of lengths", DEIS_STR(POST "Content-Length: 3, 3\r\n\r\n"), 400 },
    { "signed length", DEIS_STR(POST "Content-Length: +3\r\n\r\n"), 400 },
    { "negative length", DEIS_STR(POST "Content-Length: -1\r\n\r\n"), 400 },
    { "hex length", DEIS_STR(POST "Content-Length: 0x3\r\n\r\n"), 400 },
    { "octal length", DEIS_STR(POST "Content-Length: 010\r\n\r\n"), 400 },
    { "empty length", DEIS_STR(POST "Content-Length:\r\n\r\n"), 400 },
    { "length with a blank", DEIS_STR(POST "Content-Length: 1 0\r\n\r\n"), 400 },
    { "length with 65 bits", DEIS_STR(POST "Content-Length: 18446744073709551617\r\n\r\n"), 400 },
    { "coding twice",
      DEIS_STR(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
    { "coding hidden by a second line",
      DEIS_STR(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), 400 },
    { "chunked chunked", DEIS_STR(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400 },
    { "chunked not last", DEIS_STR(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"), 400 },
    { "gzip chunked", DEIS_STR(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501 },
    { "gzip only", DEIS_STR(POST "Transfer-Encoding: gzip\r\n\r\n"), 400 },
    { "identity", DEIS_STR(POST "Transfer-Encoding: identity\r\n\r\n"), 400 },
    { "xchunked", DEIS_STR(POST "Transfer-Encoding: xchunked\r\n\r\n"), 400 },
    { "chunked with parameter", DEIS_STR(POST "Transfer-Encoding: chunked;a=b\r\n\r\n"), 400 },
    { "chunked, quoted", DEIS_STR(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), 400 },
    { "chunked and VT",
      DEIS_STR(POST "Transfer-Encoding: \x0b"
                    "chunked\r\n\r\n"),
      400 },
    { "empty coding", DEIS_STR(POST "Transfer-Encoding:\r\n\r\n"), 400 },
    { "coding with a blank name", DEIS_STR(POST "Transfer-Encoding : chunked\r\n\r\n"), 400 },
    { "coding in HTTP/1.0",
      DEIS_STR("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"), 400 },
};

static void table__gets_its_verdicts_in_every_split(void **state)
{
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct outcome whole;
        parse_in_steps(rows[i].raw, rows[i].raw.len, 1, &whole);
        int got = whole.result == DEIS_H1_DONE   ? 0
                  : whole.result == DEIS_H1_MORE ? -1
                                                 : whole.status;
        if (got != rows[i].status) {
            print_error("%s: %d instead of %d\n", rows[i].name, got, rows[i].status);
        }
        assert_int_equal(got, rows[i].status);
        assert_splits_agree(rows[i].raw, &whole);
    }
}

/* For texts that outlive the call. */
static struct deis_h1_head parse(const char *text)
{
    struct deis_h1_head head;
    struct deis_err err = DEIS_ERR_INIT;
    size_t scanned = 0;
    size_t used = 0;
    int status = 0;
    enum deis_h1_result result =
        deis_h1_parse_request(deis_str(text), &limits, &scanned, &head, &used, &status, &err);
    if (result != DEIS_H1_DONE) {
        print_error("%s: %s\n", text, err.msg);
    }
    assert_int_equal(result, DEIS_H1_DONE);
    assert_int_equal(used, strlen(text));
    return head;
}

static void assert_str(struct deis_str got, const char *wanted)
{
    deis_autofree char *text = deis_str_dup(got);
    assert_string_equal(text, wanted);
}

static void parts__are_views_without_blanks(void **state)
{
    struct deis_h1_head head =
        parse("PUT /a%20b?c=d HTTP/1.1\r\nhOsT: \t blog.example.com:80\t \r\nX-Empty:\r\n"
              "X-Two:  a  b \r\n\r\n");
    assert_true(head.is_request);
    assert_int_equal(head.minor, 1);
    assert_str(head.method, "PUT");
    assert_str(head.target, "/a%20b?c=d");
    assert_str(head.host, "blog.example.com:80");
    assert_int_equal(head.header_count, 3);
    assert_str(head.headers[0].name, "hOsT");
    assert_str(deis_h1_find(&head, "x-empty")->value, "");
    assert_str(deis_h1_find(&head, "x-two")->value, "a  b");
    assert_null(deis_h1_find(&head, "x-three"));
}

static void absolute_target__is_split(void **state)
{
    struct deis_h1_head head = parse("GET http://A:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n");
    assert_str(head.target, "/x?y");
    head = parse("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_str(head.target, "/");
    head = parse("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_str(head.target, "*");
}

static void framing__follows_the_fields(void **state)
{
    struct deis_h1_head head = parse(GET HOST "\r\n");
    assert_int_equal(head.framing, DEIS_H1_NO_BODY);
    head = parse(POST "Content-Length: 0\r\n\r\n");
    assert_int_equal(head.framing, DEIS_H1_NO_BODY);
    head = parse(POST "Content-Length: 1152921504606846976\r\n\r\n");
    assert_int_equal(head.framing, DEIS_H1_LENGTH);
    assert_true(head.content_length == UINT64_C(1) << 60);
    head = parse(POST "Transfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(head.framing, DEIS_H1_CHUNKED);
}

static void persistence__follows_version_and_connection(void **state)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
        { GET HOST "\r\n", true },
        { GET HOST "Connection: close\r\n\r\n", false },
        { GET HOST "Connection: keep-alive, Close\r\n\r\n", false },
        { GET HOST "Connection: x\r\nConnection: close\r\n\r\n", false },
        { GET HOST "Connection: closed\r\n\r\n", true },
        { "GET / HTTP/1.0\r\n" HOST "\r\n", false },
        { "GET / HTTP/1.0\r\n" HOST "Connection: Keep-Alive\r\n\r\n", true },
        { "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive, close\r\n\r\n", false },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_h1_head head = parse(cases[i].text);
        assert_int_equal(head.keep_alive, cases[i].keep_alive);
    }
}

static void expect_and_upgrade__need_http_1_1(void **state)
{
    struct deis_h1_head head = parse(POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
    assert_true(head.expect_continue);
    head = parse("POST / HTTP/1.0\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_false(head.expect_continue);
    head = parse(POST "Expect: something\r\n\r\n");
    assert_false(head.expect_continue);

    head = parse(GET HOST "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_true(head.upgrade);
    head = parse(GET HOST "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade:\r\n\r\n");
    assert_true(head.upgrade);
    head = parse(GET HOST "Upgrade: websocket\r\n\r\n");
    assert_false(head.upgrade);
    head = parse(GET HOST "Connection: upgrade\r\n\r\n");
    assert_false(head.upgrade);
    head = parse("GET / HTTP/1.0\r\n" HOST "Connection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert_false(head.upgrade);
}

static void tokens__are_found_in_all_lines_of_a_list(void **state)
{
    struct deis_h1_head head = parse(GET HOST "Accept-Encoding: br ,gzip\r\n"
                                              "accept-encoding:,, deflate\r\n\r\n");
    assert_true(deis_h1_has_token(&head, "Accept-Encoding", "GZIP"));
    assert_true(deis_h1_has_token(&head, "Accept-Encoding", "deflate"));
    assert_false(deis_h1_has_token(&head, "Accept-Encoding", "zip"));
    assert_false(deis_h1_has_token(&head, "Accept", "br"));
}

static void hop_by_hop__is_fixed_or_named(void **state)
{
    struct deis_h1_head head = parse(
        GET HOST "Connection: X-Hop, Host, close\r\nconnection: x-two, content-length\r\n\r\n");
    static const char *const hops[] = { "Connection", "KEEP-ALIVE", "Proxy-Connection",
                                        "TE",         "Trailer",    "Transfer-Encoding",
                                        "upgrade",    "x-hop",      "X-Two" };
    static const char *const ends[] = { "Host", "Content-Length", "X-Three", "Cookie", "X-Ho" };
    for (size_t i = 0; i < DEIS_COUNT(hops); i++) {
        assert_true(deis_h1_is_hop_by_hop(&head, deis_str(hops[i])));
    }
    for (size_t i = 0; i < DEIS_COUNT(ends); i++) {
        assert_false(deis_h1_is_hop_by_hop(&head, deis_str(ends[i])));
    }
}

static void add_head(struct deis_buf *b, size_t target_len, size_t fill_len)
{
    deis_buf_add_cstr(b, "GET /");
    for (size_t i = 1; i < target_len; i++) {
        deis_buf_add_char(b, 'a');
    }
    deis_buf_add_cstr(b, " HTTP/1.1\r\n" HOST "F: ");
    for (size_t i = 0; i < fill_len; i++) {
        deis_buf_add_char(b, 'f');
    }
    deis_buf_add_cstr(b, "\r\n\r\n");
}

static void limits__are_exact(void **state)
{
    static const struct {
        size_t target_len;
        size_t head_len;
        int status;
    } cases[] = {
        { 200, 500, 0 },    { 201, 500, 414 },   { 1, 2048, 0 },      { 1, 2049, 431 },
        { 201, 2049, 431 }, { 1900, 5000, 431 }, { 3000, 5000, 414 },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autobuf struct deis_buf probe = DEIS_BUF_INIT(10000);
        deis_autobuf struct deis_buf b = DEIS_BUF_INIT(10000);
        struct outcome whole;
        add_head(&probe, cases[i].target_len, 0);
        add_head(&b, cases[i].target_len, cases[i].head_len - probe.len);
        assert_int_equal(b.len, cases[i].head_len);
        deis_buf_add_cstr(&b, "behind the head");
        parse_in_steps(deis_buf_str(&b), b.len, 1, &whole);
        if (whole.status != cases[i].status) {
            print_error("case %zu: %d\n", i, whole.status);
        }
        assert_int_equal(whole.status, cases[i].status);
        struct outcome bytewise;
        parse_in_steps(deis_buf_str(&b), 0, 1, &bytewise);
        assert_same(&whole, &bytewise);
    }
}

static void count__of_fields_is_limited(void **state)
{
    for (size_t extra = 0; extra < 2; extra++) {
        deis_autobuf struct deis_buf b = DEIS_BUF_INIT(10000);
        struct outcome whole;
        deis_buf_add_cstr(&b, GET HOST);
        for (size_t i = 1; i < DEIS_H1_MAX_HEADERS + extra; i++) {
            deis_buf_add_cstr(&b, "a: b\r\n");
        }
        deis_buf_add_cstr(&b, "\r\n");
        parse_in_steps(deis_buf_str(&b), b.len, 1, &whole);
        assert_int_equal(whole.status, extra ? 431 : 0);
    }
}

/* Each field's name is compared with each of them. */
static void count__of_connection_options_is_limited(void **state)
{
    for (size_t extra = 0; extra < 2; extra++) {
        deis_autobuf struct deis_buf b = DEIS_BUF_INIT(10000);
        struct outcome whole;
        deis_buf_add_cstr(&b, GET HOST "Connection: a");
        for (size_t i = 1; i < 64 + extra; i++) {
            deis_buf_add_cstr(&b, i == 30 ? "\r\nConnection: b" : ",");
        }
        deis_buf_add_cstr(&b, "\r\n\r\n");
        parse_in_steps(deis_buf_str(&b), b.len, 1, &whole);
        assert_int_equal(whole.status, extra ? 431 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(count__of_connection_options_is_limited),
        cmocka_unit_test(table__gets_its_verdicts_in_every_split),
        cmocka_unit_test(parts__are_views_without_blanks),
        cmocka_unit_test(absolute_target__is_split),
        cmocka_unit_test(framing__follows_the_fields),
        cmocka_unit_test(persistence__follows_version_and_connection),
        cmocka_unit_test(expect_and_upgrade__need_http_1_1),
        cmocka_unit_test(tokens__are_found_in_all_lines_of_a_list),
        cmocka_unit_test(hop_by_hop__is_fixed_or_named),
        cmocka_unit_test(limits__are_exact),
        cmocka_unit_test(count__of_fields_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
