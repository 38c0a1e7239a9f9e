/* SPDX-License-Identifier: MIT */
#include "router/core/gzip_head.h"

#define CODED "Accept-Encoding"

enum {
    WEIGHT_ONE = 1000,
    FIELD_MAX = 512, /* bytes of a Vary or ETag that is changed; longer ones keep answers as is */
    ADDED = 2,       /* fields that may come on top */
};

/* "0.25" as 250 (RFC 9110 section 12.4.2); -1: it is none. */
static int weight_of(struct deis_str s)
{
    int scale = WEIGHT_ONE;
    int weight = 0;

    if (s.len == 0 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1') ||
        (s.len > 1 && s.ptr[1] != '.')) {
        return -1;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (i != 1) {
            if (s.ptr[i] < '0' || s.ptr[i] > '9') {
                return -1;
            }
            weight += (s.ptr[i] - '0') * scale;
            scale /= 10;
        }
    }
    return weight <= WEIGHT_ONE ? weight : -1;
}

/* The weight of "gzip", "gzip;q=0.5": 0 to 1000. *ret_name is the coding. */
static int read_coding(struct deis_str element, struct deis_str *ret_name)
{
    struct deis_str rest = element;

    *ret_name = DEIS_STR_NONE;
    if (deis_str_split(&rest, ';', ret_name)) {
        *ret_name = deis_str_trim(*ret_name);
    }
    if (!rest.ptr) {
        return WEIGHT_ONE;
    }
    rest = deis_str_trim(rest);
    int weight = deis_str_ieq(deis_str_first(rest, 2), DEIS_STR("q="))
                     ? weight_of(deis_str_skip(rest, 2))
                     : -1;
    return weight < 0 ? 0 : weight;
}

/* Named twice, the lower counts. -1: not named so far. */
static void take_weight(int *kept, int weight)
{
    *kept = *kept < 0 || weight < *kept ? weight : *kept;
}

bool gzip_is_accepted(const struct deis_h1_head *request)
{
    int gzip = -1, any = -1, plain = -1;

    for (size_t i = 0; i < request->header_count; i++) {
        struct deis_str rest = request->headers[i].value;
        struct deis_str element;
        if (!deis_str_ieq_cstr(request->headers[i].name, "accept-encoding")) {
            continue;
        }
        while (deis_str_split(&rest, ',', &element)) {
            struct deis_str name;
            int weight = read_coding(element, &name);
            if (deis_str_ieq_cstr(name, "gzip") || deis_str_ieq_cstr(name, "x-gzip")) {
                take_weight(&gzip, weight);
            } else if (deis_str_eq_cstr(name, "*")) {
                take_weight(&any, weight);
            } else if (deis_str_ieq_cstr(name, "identity")) {
                take_weight(&plain, weight);
            }
        }
    }
    int weight = gzip >= 0 ? gzip : any;
    return weight > 0 && weight >= plain;
}

bool gzip_is_taken(const struct deis_gzip *rules, const struct deis_h1_head *request)
{
    const struct deis_h1_header *agent = deis_h1_find(request, "user-agent");

    return request->minor >= rules->minor && gzip_is_accepted(request) &&
           !deis_h1_find(request, "range") &&
           /* RFC 9111 section 5.2.1.6 */
           !deis_h1_has_token(request, "cache-control", "no-transform") &&
           !(rules->not_to_proxies && deis_h1_find(request, "via")) &&
           !(agent && deis_gzip_has_client(rules, agent->value));
}

static size_t count(const struct deis_h1_head *head, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < head->header_count; i++) {
        n += deis_str_ieq_cstr(head->headers[i].name, name);
    }
    return n;
}

/* The first of this name, to be changed; or NULL. */
static struct deis_h1_header *find(struct deis_h1_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++) {
        if (deis_str_ieq_cstr(head->headers[i].name, name)) {
            return &head->headers[i];
        }
    }
    return NULL;
}

/* Does Connection name it, so that it goes no further? */
static bool is_dropped_field(const struct deis_h1_head *answer, struct deis_str name)
{
    return answer->connection_names_fields && deis_h1_is_hop_by_hop(answer, name);
}

/* Can its head be changed? */
static bool is_editable(const struct deis_h1_head *answer)
{
    const struct deis_h1_header *vary = deis_h1_find(answer, "vary");
    const struct deis_h1_header *tag = deis_h1_find(answer, "etag");

    return answer->header_count + ADDED <= DEIS_H1_MAX_HEADERS && count(answer, "etag") < 2 &&
           !is_dropped_field(answer, DEIS_STR("content-encoding")) &&
           !is_dropped_field(answer, DEIS_STR("vary")) && (!vary || vary->value.len <= FIELD_MAX) &&
           (!tag || tag->value.len <= FIELD_MAX);
}

/* Is it a whole, plain body of a listed type? */
static bool is_compressible(const struct deis_gzip *rules, const struct deis_h1_head *answer)
{
    const struct deis_h1_header *type = deis_h1_find(answer, "content-type");

    return count(answer, "content-type") == 1 && deis_gzip_has_type(rules, type->value) &&
           !deis_h1_find(answer, "content-encoding") &&
           /* RFC 9111 section 5.2.2.6 */
           !deis_h1_has_token(answer, "cache-control", "no-transform");
}

/* Would it be too short? Of unknown length it is not. */
static bool is_short(const struct deis_gzip *rules, const struct deis_h1_head *answer,
                     bool head_only)
{
    const struct deis_h1_header *length = deis_h1_find(answer, "content-length");
    uint64_t bytes;

    if (!length || deis_str_to_u64(length->value, 0, UINT64_MAX, &bytes, NULL) < 0) {
        return answer->framing == DEIS_H1_NO_BODY && !head_only;
    }
    return bytes == 0 || bytes < rules->min_length;
}

enum gzip_verdict gzip_judge(const struct deis_gzip *rules, const struct deis_h1_head *answer,
                             bool taken, bool head_only)
{
    switch (answer->status) {
    case 204:
    case 205:
    case 304: return GZIP_PASS;
    case 206: return is_compressible(rules, answer) && is_editable(answer) ? GZIP_VARY : GZIP_PASS;
    default: break;
    }
    if (answer->status < 200 || is_short(rules, answer, head_only) ||
        !is_compressible(rules, answer) || !is_editable(answer) ||
        deis_h1_find(answer, "content-range")) {
        return GZIP_PASS;
    }
    return taken ? GZIP_COMPRESS : GZIP_VARY;
}

/* What holds for the plain form only, or for its bytes (RFC 9530 section 2 and 3). */
static bool is_of_plain_form(struct deis_str name)
{
    static const char *const names[] = { "content-length", "accept-ranges",  "content-md5",
                                         "digest",         "content-digest", "repr-digest" };

    for (size_t i = 0; i < DEIS_COUNT(names); i++) {
        if (deis_str_ieq_cstr(name, names[i])) {
            return true;
        }
    }
    return false;
}

static void drop(struct deis_h1_head *head, bool (*is_dropped)(struct deis_str name))
{
    size_t kept = 0;

    for (size_t i = 0; i < head->header_count; i++) {
        if (!is_dropped(head->headers[i].name)) {
            head->headers[kept++] = head->headers[i];
        }
    }
    head->header_count = kept;
}

static void add(struct deis_h1_head *head, struct deis_str name, struct deis_str value)
{
    head->headers[head->header_count++] = (struct deis_h1_header){ name, value };
}

/* Appends to text; the view of what was appended. */
static struct deis_str join(char **text, struct deis_str a, struct deis_str b)
{
    char *start = *text;

    memcpy(start, a.ptr, a.len);
    memcpy(start + a.len, b.ptr, b.len);
    *text += a.len + b.len;
    return deis_str_n(start, a.len + b.len);
}

/* Section 12.5.5 */
static void set_vary(struct deis_h1_head *head, char **text)
{
    struct deis_h1_header *h = find(head, "vary");

    if (deis_h1_has_token(head, "vary", "*") || deis_h1_has_token(head, "vary", CODED)) {
        return;
    }
    if (!h) {
        add(head, DEIS_STR("Vary"), DEIS_STR(CODED));
    } else {
        h->value = h->value.len > 0 ? join(text, h->value, DEIS_STR(", " CODED)) : DEIS_STR(CODED);
    }
}

static bool is_tag(struct deis_str name)
{
    return deis_str_ieq_cstr(name, "etag");
}

/* Section 8.8.1: two forms of the same have no strong validator in common. What is no validator at
 * all goes. */
static void weaken(struct deis_h1_head *head, char **text)
{
    struct deis_h1_header *h = find(head, "etag");

    if (h && deis_str_starts(h->value, "\"")) {
        h->value = join(text, DEIS_STR("W/"), h->value);
    } else if (h && !deis_str_starts(h->value, "W/\"")) {
        drop(head, is_tag);
    }
}

void gzip_edit(struct deis_h1_head *answer, enum gzip_verdict verdict, bool vary,
               char text[GZIP_TEXT_MAX])
{
    char *end = text;

    if (verdict == GZIP_PASS) {
        return;
    }
    if (verdict == GZIP_COMPRESS) {
        drop(answer, is_of_plain_form);
        add(answer, DEIS_STR("Content-Encoding"), DEIS_STR("gzip"));
        weaken(answer, &end);
        if (answer->framing == DEIS_H1_LENGTH) {
            answer->framing = DEIS_H1_UNTIL_CLOSE;
        }
    }
    if (vary) {
        set_vary(answer, &end);
    }
}

/* Does If-None-Match name the weak form of this validator? */
static bool asks_for_weak(const struct deis_h1_head *request, struct deis_str weak)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct deis_h1_header *h = &request->headers[i];
        if (deis_str_ieq_cstr(h->name, "if-none-match") &&
            memmem(h->value.ptr, h->value.len, weak.ptr, weak.len)) {
            return true;
        }
    }
    return false;
}

void gzip_edit_not_modified(struct deis_h1_head *answer, const struct deis_h1_head *request,
                            bool vary, char text[GZIP_TEXT_MAX])
{
    char *end = text;
    struct deis_h1_header *h = find(answer, "etag");

    if (!h || !is_editable(answer) || !deis_str_starts(h->value, "\"")) {
        return;
    }
    struct deis_str weak = join(&end, DEIS_STR("W/"), h->value);
    if (asks_for_weak(request, weak)) {
        h->value = weak;
        if (vary) {
            set_vary(answer, &end);
        }
    }
}
