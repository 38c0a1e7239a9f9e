/* SPDX-License-Identifier: MIT */
#include "router/core/gzip_head.h"
#include "router/core/http_head.h"
#include "tests/support/test.h"

static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
static char text[65536];

static struct deis_gzip defaults(void)
{
    struct deis_gzip r;

    deis_gzip_default(&r);
    return r;
}

static struct deis_h1_head request_of(const char *fields)
{
    struct deis_h1_head head;
    size_t scanned = 0;
    size_t used;
    int status;

    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a.test\r\n%s\r\n", fields);
    assert_in_range(n, 1, sizeof(text) - 1);
    assert_int_equal(deis_h1_parse_request(deis_str_n(text, (size_t)n), &limits, &scanned, &head,
                                           &used, &status, NULL),
                     DEIS_H1_DONE);
    return head;
}

/* Of an answer to this method. */
static struct deis_h1_head answer_of(const char *status, const char *fields, const char *method)
{
    struct deis_h1_head head;
    size_t scanned = 0;
    size_t used;

    int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\n%s\r\n", status, fields);
    assert_in_range(n, 1, sizeof(text) - 1);
    assert_int_equal(deis_h1_parse_response(deis_str_n(text, (size_t)n), deis_str(method), &limits,
                                            &scanned, &head, &used, NULL),
                     DEIS_H1_DONE);
    return head;
}

static void accept_encoding(void **state)
{
    static const struct {
        const char *value; /* NULL: no such field; '|': another line */
        bool accepted;
    } rows[] = {
        { NULL, false },
        { "", false },
        { "gzip", true },
        { "GZIP", true },
        { "x-gzip", true },
        { "gzip, deflate, br, zstd", true },
        { "br;q=1.0, gzip;q=0.8, *;q=0.1", true },
        { "deflate|gzip", true },
        { "*", true },
        { "identity", false },
        { "deflate, br", false },
        { "gzip;q=0", false },
        { "gzip;q=0.0, *", false },
        { "gzip;q=0.000", false },
        { "gzip;q=0.001", true },
        { "gzip ; q=1.000", true },
        { "gzip;Q=0.5", true },
        { "*;q=0", false },
        { "*;q=0, gzip", true },
        { "identity;q=0", false },
        { "identity, gzip", true },
        { "identity;q=1, gzip;q=0.5", false },
        { "identity;q=0.5, gzip;q=0.5", true },
        { "identity;q=0.5, *;q=0.4", false },
        { ",,, gzip ,,", true },
        /* hostile */
        { "gzip;q=2", false },
        { "gzip;q=1.001", false },
        { "gzip;q=0.5555", false },
        { "gzip;q=.5", false },
        { "gzip;q=-1", false },
        { "gzip;q=", false },
        { "gzip;q", false },
        { "gzip;", false },
        { "gzip;level=9", false },
        { "gzip;q=1;q=0", false },
        { "gzip;q= 1", false },
        { "gzip;q=1e1", false },
        { "gzip;q=0x1", false },
        { "gzip, gzip;q=0", false },
        { "gzip;q=0|gzip", false },
        { "x-gzip;q=0, gzip", false },
        { "gzipped", false },
        { "notgzip", false },
        { "gzip deflate", false },
        { "\"gzip\"", false },
        { "gzip\t;\tq=0.3", true },
        { ";q=1", false },
        { ";gzip", false },
        { "=gzip", false },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        char fields[256] = "";
        if (rows[i].value) {
            const char *second = strchr(rows[i].value, '|');
            int first = (int)(second ? (size_t)(second - rows[i].value) : strlen(rows[i].value));
            snprintf(fields, sizeof(fields), "Accept-Encoding: %.*s\r\n%s%s%s", first,
                     rows[i].value, second ? "accept-encoding: " : "", second ? second + 1 : "",
                     second ? "\r\n" : "");
        }
        struct deis_h1_head head = request_of(fields);
        if (gzip_is_accepted(&head) != rows[i].accepted) {
            fail_msg("%s", rows[i].value ? rows[i].value : "none");
        }
    }
}

static void requests(void **state)
{
    static const struct {
        const char *fields; /* with Accept-Encoding: gzip */
        const char *name;
        const char *value;
        bool taken;
    } rows[] = {
        { "", NULL, NULL, true },
        { "Range: bytes=0-1\r\n", NULL, NULL, false },
        { "Cache-Control: max-age=0, No-Transform\r\n", NULL, NULL, false },
        { "Via: 1.1 cache\r\n", NULL, NULL, true },
        { "Via: 1.1 cache\r\n", "gzipProxied", "off", false },
        { "", "gzipProxied", "off", true },
        { "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\r\n", NULL, NULL, true },
        { "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\r\n", "gzipDisable", "msie6", false },
        { "User-Agent: Mozilla/4.0 (compatible; MSIE 7.0)\r\n", "gzipDisable", "msie6", true },
        { "User-Agent: my old browser/1.2\r\n", "gzipDisable", "x, Old Browser,", false },
        { "User-Agent: ol\r\n", "gzipDisable", "Old Browser", true },
        { "", "gzipDisable", "Old Browser", true },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        char fields[256];
        struct deis_gzip r = defaults();
        snprintf(fields, sizeof(fields), "Accept-Encoding: gzip\r\n%s", rows[i].fields);
        if (rows[i].name) {
            assert_int_equal(deis_gzip_set(&r, deis_str(rows[i].name), rows[i].value, NULL), 0);
        }
        struct deis_h1_head head = request_of(fields);
        if (gzip_is_taken(&r, &head) != rows[i].taken) {
            fail_msg("%s", rows[i].fields);
        }
    }
    struct deis_gzip r = defaults();
    struct deis_h1_head head = request_of("Accept-Encoding: gzip\r\n");
    head.minor = 0;
    assert_false(gzip_is_taken(&r, &head));
    assert_int_equal(deis_gzip_set(&r, DEIS_STR("gzipHttpVersion"), "1.0", NULL), 0);
    assert_true(gzip_is_taken(&r, &head));
}

#define CSS    "Content-Type: text/css\r\n"
#define LENGTH "Content-Length: 1000\r\n"

static void judge(void **state)
{
    static const struct {
        const char *status;
        const char *fields;
        enum gzip_verdict verdict; /* for who takes it; VARY in place of COMPRESS for others */
    } rows[] = {
        { "200 OK", CSS LENGTH, GZIP_COMPRESS },
        { "404 Not Found", CSS LENGTH, GZIP_COMPRESS },
        { "500 Oops", CSS LENGTH, GZIP_COMPRESS },
        { "200 OK", CSS "Transfer-Encoding: chunked\r\n", GZIP_COMPRESS },
        { "200 OK", CSS, GZIP_COMPRESS }, /* to the connection's end */
        { "200 OK", CSS "Content-Length: 256\r\n", GZIP_COMPRESS },
        { "200 OK", CSS "Content-Length: 255\r\n", GZIP_PASS },
        { "200 OK", CSS "Content-Length: 0\r\n", GZIP_PASS },
        { "200 OK", LENGTH, GZIP_PASS },
        { "200 OK", "Content-Type: image/png\r\n" LENGTH, GZIP_PASS },
        { "200 OK", CSS CSS LENGTH, GZIP_PASS },
        { "200 OK", CSS LENGTH "Content-Encoding: br\r\n", GZIP_PASS },
        { "200 OK", CSS LENGTH "Content-Encoding: identity\r\n", GZIP_PASS },
        { "200 OK", CSS LENGTH "Cache-Control: public, no-transform\r\n", GZIP_PASS },
        { "200 OK", CSS LENGTH "Cache-Control: public\r\nCache-Control: NO-TRANSFORM\r\n",
          GZIP_PASS },
        { "200 OK", CSS LENGTH "Content-Range: bytes 0-999/2000\r\n", GZIP_PASS },
        { "204 No Content", CSS, GZIP_PASS },
        { "205 Reset Content", CSS LENGTH, GZIP_PASS },
        { "304 Not Modified", CSS LENGTH, GZIP_PASS },
        { "206 Partial Content", CSS LENGTH "Content-Range: bytes 0-999/2000\r\n", GZIP_VARY },
        { "206 Partial Content", "Content-Type: image/png\r\n" LENGTH, GZIP_PASS },
        { "103 Early Hints", CSS, GZIP_PASS },
        { "200 OK", CSS LENGTH "ETag: \"a\"\r\nETag: \"b\"\r\n", GZIP_PASS },
        /* What Connection names goes no further: what has been done would stay unsaid. */
        { "200 OK", CSS LENGTH "Connection: close, Content-Encoding\r\n", GZIP_PASS },
        { "200 OK", CSS LENGTH "Connection: x\r\nConnection: vary\r\n", GZIP_PASS },
        { "200 OK", CSS LENGTH "Connection: x\r\n", GZIP_COMPRESS },
    };
    struct deis_gzip r = defaults();

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_h1_head head = answer_of(rows[i].status, rows[i].fields, "GET");
        enum gzip_verdict other = rows[i].verdict == GZIP_COMPRESS ? GZIP_VARY : rows[i].verdict;
        if (gzip_judge(&r, &head, true, false) != rows[i].verdict ||
            gzip_judge(&r, &head, false, false) != other) {
            fail_msg("%s %s", rows[i].status, rows[i].fields);
        }
    }
    r.min_length = 0;
    struct deis_h1_head none = answer_of("200 OK", CSS "Content-Length: 0\r\n", "GET");
    assert_int_equal(gzip_judge(&r, &none, true, false), GZIP_PASS);
    /* HTTP/2 may say that nothing follows a head without a length. */
    none = answer_of("200 OK", CSS, "GET");
    none.framing = DEIS_H1_NO_BODY;
    assert_int_equal(gzip_judge(&r, &none, true, false), GZIP_PASS);
}

static void judge__of_HEAD_is_that_of_GET(void **state)
{
    struct deis_gzip r = defaults();

    struct deis_h1_head head = answer_of("200 OK", CSS LENGTH, "HEAD");
    assert_int_equal(gzip_judge(&r, &head, true, true), GZIP_COMPRESS);
    head = answer_of("200 OK", CSS, "HEAD");
    assert_int_equal(gzip_judge(&r, &head, true, true), GZIP_COMPRESS);
    head = answer_of("200 OK", CSS "Content-Length: 9\r\n", "HEAD");
    assert_int_equal(gzip_judge(&r, &head, true, true), GZIP_PASS);
}

/* What cannot be written anew goes on as it is. */
static void judge__minds_the_room(void **state)
{
    struct deis_gzip r = defaults();
    char fields[8192];
    size_t n;

    (void)snprintf(fields, sizeof(fields), CSS LENGTH "Vary: %0512d\r\n", 0);
    struct deis_h1_head head = answer_of("200 OK", fields, "GET");
    assert_int_equal(gzip_judge(&r, &head, true, false), GZIP_COMPRESS);
    (void)snprintf(fields, sizeof(fields), CSS LENGTH "Vary: %0513d\r\n", 0);
    head = answer_of("200 OK", fields, "GET");
    assert_int_equal(gzip_judge(&r, &head, true, false), GZIP_PASS);
    snprintf(fields, sizeof(fields), CSS LENGTH "ETag: \"%0511d\"\r\n", 0);
    head = answer_of("200 OK", fields, "GET");
    assert_int_equal(gzip_judge(&r, &head, true, false), GZIP_PASS);
    for (int more = 96; more <= 98; more++) {
        n = (size_t)snprintf(fields, sizeof(fields), CSS LENGTH);
        for (int i = 0; i < more; i++) {
            n += (size_t)snprintf(fields + n, sizeof(fields) - n, "X-%d: 1\r\n", i);
        }
        head = answer_of("200 OK", fields, "GET");
        assert_int_equal(gzip_judge(&r, &head, true, false),
                         more == 96 ? GZIP_COMPRESS : GZIP_PASS);
    }
}

/* Name: value\r\n of all fields. */
static void fields_of(const struct deis_h1_head *head, char *out, size_t cap)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < head->header_count; i++) {
        n += (size_t)snprintf(out + n, cap - n, "%.*s: %.*s\r\n",
                              DEIS_STR_ARG(head->headers[i].name),
                              DEIS_STR_ARG(head->headers[i].value));
        assert_true(n < cap);
    }
}

static void edit(void **state)
{
    static const struct {
        enum gzip_verdict verdict;
        bool no_vary;
        const char *before;
        const char *after;
    } rows[] = {
        { GZIP_PASS, false, CSS LENGTH, CSS LENGTH },
        { GZIP_VARY, false, CSS LENGTH "ETag: \"a\"\r\n",
          CSS LENGTH "ETag: \"a\"\r\nVary: Accept-Encoding\r\n" },
        { GZIP_VARY, true, CSS LENGTH, CSS LENGTH },
        { GZIP_COMPRESS, false, CSS LENGTH,
          CSS "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n" },
        { GZIP_COMPRESS, true, LENGTH CSS, CSS "Content-Encoding: gzip\r\n" },
        { GZIP_COMPRESS, true, "ETag: \"a,b\"\r\n" CSS,
          "ETag: W/\"a,b\"\r\n" CSS "Content-Encoding: gzip\r\n" },
        { GZIP_COMPRESS, true, "etag: W/\"a\"\r\n", "etag: W/\"a\"\r\nContent-Encoding: gzip\r\n" },
        { GZIP_COMPRESS, true, "ETag: abc\r\n", "Content-Encoding: gzip\r\n" },
        { GZIP_COMPRESS, true, "ETag:\r\n", "Content-Encoding: gzip\r\n" },
        { GZIP_COMPRESS, true,
          "Accept-Ranges: bytes\r\nContent-MD5: x\r\nDigest: x\r\nContent-Digest: x\r\n"
          "Repr-Digest: x\r\ncontent-LENGTH: 1\r\nContent-Language: de\r\n",
          "Content-Language: de\r\nContent-Encoding: gzip\r\n" },
        { GZIP_VARY, false, "Vary: Cookie\r\n", "Vary: Cookie, Accept-Encoding\r\n" },
        { GZIP_VARY, false, "Vary:\r\n", "Vary: Accept-Encoding\r\n" },
        { GZIP_VARY, false, "Vary: *\r\n", "Vary: *\r\n" },
        { GZIP_VARY, false, "vary: a,accept-ENCODING\r\n", "vary: a,accept-ENCODING\r\n" },
        { GZIP_VARY, false, "Vary: a\r\nVary: accept-encoding\r\n",
          "Vary: a\r\nVary: accept-encoding\r\n" },
        { GZIP_VARY, false, "Vary: a\r\nVary: b\r\n", "Vary: a, Accept-Encoding\r\nVary: b\r\n" },
    };

    char changed[GZIP_TEXT_MAX];
    char out[4096];

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_h1_head head = answer_of("200 OK", rows[i].before, "GET");
        gzip_edit(&head, rows[i].verdict, !rows[i].no_vary, changed);
        fields_of(&head, out, sizeof(out));
        assert_string_equal(out, rows[i].after);
        if (rows[i].verdict == GZIP_COMPRESS) {
            assert_int_equal(head.framing, DEIS_H1_UNTIL_CLOSE);
        }
    }
    struct deis_h1_head head = answer_of("200 OK", CSS LENGTH, "HEAD");
    gzip_edit(&head, GZIP_COMPRESS, true, changed);
    assert_int_equal(head.framing, DEIS_H1_NO_BODY);
}

/* The longest values that are changed fit. */
static void edit__of_long_values(void **state)
{
    char fields[4096];
    char changed[GZIP_TEXT_MAX];
    struct deis_gzip r = defaults();

    snprintf(fields, sizeof(fields), CSS LENGTH "ETag: \"%0510d\"\r\nVary: %0512d\r\n", 1, 2);
    struct deis_h1_head head = answer_of("200 OK", fields, "GET");
    assert_int_equal(gzip_judge(&r, &head, true, false), GZIP_COMPRESS);
    gzip_edit(&head, GZIP_COMPRESS, true, changed);
    assert_int_equal(deis_h1_find(&head, "etag")->value.len, 514);
    assert_true(deis_str_ends(deis_h1_find(&head, "etag")->value, "1\""));
    assert_true(deis_str_ends(deis_h1_find(&head, "vary")->value, "2, Accept-Encoding"));
}

static void not_modified(void **state)
{
    static const struct {
        const char *tag;
        const char *asked;
        const char *after;
    } rows[] = {
        { "ETag: \"a\"\r\n", "W/\"a\"", "ETag: W/\"a\"\r\nVary: Accept-Encoding\r\n" },
        { "ETag: \"a\"\r\n", "\"x\", W/\"a\"", "ETag: W/\"a\"\r\nVary: Accept-Encoding\r\n" },
        { "ETag: \"a\"\r\n", "\"a\"", "ETag: \"a\"\r\n" },
        { "ETag: \"a\"\r\n", "W/\"ab\", W/\"ba\"", "ETag: \"a\"\r\n" },
        { "ETag: \"a\"\r\n", "*", "ETag: \"a\"\r\n" },
        { "ETag: W/\"a\"\r\n", "W/\"a\"", "ETag: W/\"a\"\r\n" },
        { "", "W/\"a\"", "" },
    };

    char changed[GZIP_TEXT_MAX];
    char out[4096];

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_h1_head request = {
            .headers = { { DEIS_STR("If-None-Match"), deis_str(rows[i].asked) } }, .header_count = 1
        };
        struct deis_h1_head head = answer_of("304 Not Modified", rows[i].tag, "GET");
        gzip_edit_not_modified(&head, &request, true, changed);
        fields_of(&head, out, sizeof(out));
        assert_string_equal(out, rows[i].after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_encoding),
        cmocka_unit_test(requests),
        cmocka_unit_test(judge),
        cmocka_unit_test(judge__of_HEAD_is_that_of_GET),
        cmocka_unit_test(judge__minds_the_room),
        cmocka_unit_test(edit),
        cmocka_unit_test(edit__of_long_values),
        cmocka_unit_test(not_modified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
