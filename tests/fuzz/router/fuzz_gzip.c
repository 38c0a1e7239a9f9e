/* SPDX-License-Identifier: MIT */
/* Whatever a client asks for and a unit answers, a head that says "compressed" has no length and no
 * strong validator, and it still reads as one. Input: a request's head, then an answer's. */
#include "router/core/gzip_head.h"
#include "router/core/http_head.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
static const struct deis_h1_limits wide = { 64 * 1024, 16 * 1024 };
static struct deis_h1_head request;
static struct deis_h1_head answer;
static struct deis_h1_head out;
static char text[64 * 1024];

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static size_t count(const struct deis_h1_head *head, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < head->header_count; i++) {
        n += deis_str_ieq_cstr(head->headers[i].name, name);
    }
    return n;
}

static void check_compressed(void)
{
    const struct deis_h1_header *tag = deis_h1_find(&out, "etag");

    check(!deis_h1_find(&out, "content-length") && !deis_h1_find(&out, "accept-ranges"));
    check(count(&out, "content-encoding") == 1);
    check(!tag || (count(&out, "etag") == 1 && deis_str_starts(tag->value, "W/")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str s = deis_str_n((const char *)data, size);
    char changed[GZIP_TEXT_MAX];
    struct deis_gzip rules;
    size_t scanned = 0;
    size_t used;
    int status;

    if (deis_h1_parse_request(s, &limits, &scanned, &request, &used, &status, NULL) !=
        DEIS_H1_DONE) {
        return 0;
    }
    s = deis_str_skip(s, used);
    scanned = 0;
    if (deis_h1_parse_response(s, request.method, &limits, &scanned, &answer, &used, NULL) !=
        DEIS_H1_DONE) {
        return 0;
    }
    deis_gzip_default(&rules);
    bool head_only = deis_str_eq_cstr(request.method, "HEAD");
    bool coded = deis_h1_find(&answer, "content-encoding") != NULL;
    enum gzip_verdict verdict =
        gzip_judge(&rules, &answer, gzip_is_taken(&rules, &request), head_only);
    check(verdict == GZIP_PASS || (answer.status >= 200 && !coded));
    if (answer.status == 304) {
        gzip_edit_not_modified(&answer, &request, true, changed);
    } else {
        gzip_edit(&answer, verdict, true, changed);
    }
    check(answer.header_count <= DEIS_H1_MAX_HEADERS);
    struct http_answer how = { .chunked = answer.framing == DEIS_H1_UNTIL_CLOSE,
                               .keep_alive = true,
                               .client_minor = 1 };
    size_t len = http_head_write_answer(text, sizeof(text), &answer, &how);
    scanned = 0;
    if (deis_h1_parse_response(deis_str_n(text, len), request.method, &wide, &scanned, &out, &used,
                               NULL) == DEIS_H1_DONE &&
        verdict == GZIP_COMPRESS) {
        check(used == len && out.status == answer.status);
        check_compressed();
    }
    return 0;
}
