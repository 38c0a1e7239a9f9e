/* SPDX-License-Identifier: MIT */
#include "controller/core/autocert.h"

enum { TOKEN_MAX = 128, ANSWER_MAX = 512, LINES = 2 };

enum autocert_kind autocert_kind(const char *domain, const char *platform, const char *subdomain,
                                 struct deis_str *ret_label)
{
    struct deis_str d = deis_str(domain);
    size_t tail = strlen(platform);

    *ret_label = DEIS_STR_NONE;
    if (tail == 0 || d.len < tail + 2 || !deis_str_ends(d, platform) ||
        domain[d.len - tail - 1] != '.') {
        return AUTOCERT_CUSTOM;
    }
    struct deis_str label = deis_str_first(d, d.len - tail - 1);
    if (!deis_str_is_label(label)) {
        return AUTOCERT_CUSTOM;
    }
    if (deis_str_eq_cstr(label, subdomain)) {
        return AUTOCERT_API;
    }
    *ret_label = label;
    return AUTOCERT_APP;
}

json_t *autocert_new(const char *domain, const char *app, const char *owner, const char *now)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:n, s:s, s:s}", "domain", domain,
                     "app", app, "owner", owner, "state", "waiting", "detail", "", "attempts", 0,
                     "tried_ms", 0, "next_ms", 0, "expires", "created", now, "updated", now);
}

const char *autocert_text(const json_t *doc, const char *name)
{
    const char *text = json_string_value(json_object_get(doc, name));

    return text ? text : "";
}

static uint64_t number_of(const json_t *doc, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(doc, name));

    return n > 0 ? (uint64_t)n : 0;
}

static void set_number(json_t *doc, const char *name, uint64_t n)
{
    json_object_set_new(doc, name, json_integer((json_int_t)n));
}

json_t *autocert_show(const json_t *doc)
{
    static const char *const texts[] = { "domain", "app",     "owner",  "state",
                                         "detail", "created", "updated" };
    json_t *out = json_object();

    for (size_t i = 0; i < DEIS_COUNT(texts); i++) {
        json_object_set_new(out, texts[i], json_string(autocert_text(doc, texts[i])));
    }
    const json_t *expires = json_object_get(doc, "expires");
    json_object_set_new(out, "expires",
                        json_is_string(expires) ? json_copy((json_t *)(uintptr_t)expires)
                                                : json_null());
    set_number(out, "attempts", number_of(doc, "attempts"));
    return out;
}

bool autocert_is_due(const json_t *doc, uint64_t now_ms)
{
    return now_ms >= number_of(doc, "next_ms");
}

bool autocert_again(json_t *doc, uint64_t now_ms)
{
    uint64_t earliest = number_of(doc, "tried_ms") + AUTOCERT_AGAIN_MS;
    uint64_t next = number_of(doc, "tried_ms") == 0 || earliest < now_ms ? now_ms : earliest;

    if (strcmp(autocert_text(doc, "state"), "issued") == 0 || next >= number_of(doc, "next_ms")) {
        return false;
    }
    set_number(doc, "next_ms", next);
    return true;
}

void autocert_issued(json_t *doc, const char *expires, uint64_t from_ms, uint64_t until_ms,
                     uint64_t now_ms)
{
    uint64_t life = until_ms > from_ms ? until_ms - from_ms : 0;
    uint64_t renew = until_ms - life / 3;

    /* One that has hardly any life left is not asked for again and again. */
    uint64_t soonest = now_ms + AUTOCERT_AGAIN_MS / 12;
    json_object_set_new(doc, "state", json_string("issued"));
    json_object_set_new(doc, "detail", json_string(""));
    json_object_set_new(doc, "expires", json_string(expires));
    set_number(doc, "attempts", 0);
    set_number(doc, "tried_ms", now_ms);
    set_number(doc, "next_ms", renew > soonest ? renew : soonest);
}

void autocert_failed(json_t *doc, const char *why, uint64_t base_ms, uint32_t random,
                     uint64_t now_ms)
{
    uint64_t attempts = number_of(doc, "attempts") + 1;
    uint64_t delay = base_ms;

    for (uint64_t i = 1; i < attempts && delay < AUTOCERT_DELAY_MAX; i++) {
        delay *= 2;
    }
    delay = delay < AUTOCERT_DELAY_MAX ? delay : AUTOCERT_DELAY_MAX;
    delay += delay / 4 * random / UINT32_MAX;
    /* One that is to be renewed serves until it ends. */
    json_object_set_new(doc, "state", json_string("failed"));
    json_object_set_new(doc, "detail", json_string(why));
    set_number(doc, "attempts", attempts);
    set_number(doc, "tried_ms", now_ms);
    set_number(doc, "next_ms", now_ms + delay);
}

/* The last lines of the text, at most. */
static struct deis_str last_lines(struct deis_str s, unsigned lines)
{
    size_t i = s.len;

    while (i > 0) {
        if (s.ptr[i - 1] == '\n' && --lines == 0) {
            break;
        }
        i--;
    }
    return deis_str_skip(s, i);
}

/* The "detail" of the last problem document (RFC 7807) in the text, printed one member a line.
 * Yours; NULL when there is none. */
static char *last_detail(struct deis_str text)
{
    char *found = NULL;
    struct deis_str line;

    while (deis_str_split(&text, '\n', &line)) {
        line = deis_str_trim(line);
        if (!deis_str_starts(line, "\"detail\":")) {
            continue;
        }
        line.len -= line.ptr[line.len - 1] == ',';
        deis_autofree char *member = deis_asprintf("{%.*s}", DEIS_STR_ARG(line));
        deis_autojson json_t *doc = deis_json_parse(deis_str(member), NULL);
        const char *detail;
        if (doc && deis_json_get_str(doc, "detail", &detail, NULL) == 0 && detail[0]) {
            free(found);
            found = deis_strdup(detail);
        }
    }
    return found;
}

/* Why the authority could not be spoken to, the last time: "GET https://... failed: ...". */
static struct deis_str last_failure(struct deis_str text)
{
    struct deis_str found = DEIS_STR_NONE;
    struct deis_str line;

    while (deis_str_split(&text, '\n', &line)) {
        struct deis_str said = line;
        struct deis_str part = DEIS_STR_NONE;
        for (int i = 0; i < 2; i++) { /* "uacme: curl_get: " */
            deis_str_split(&said, ' ', &part);
        }
        if (said.ptr && deis_str_starts(part, "curl_") &&
            memmem(said.ptr, said.len, " failed: ", 9)) {
            found = said;
        }
    }
    return found;
}

void autocert_reason(struct deis_str output, char ret[AUTOCERT_DETAIL_MAX + 1])
{
    deis_autofree char *detail = last_detail(output);
    struct deis_str rest = detail ? deis_str(detail) : last_failure(output);
    struct deis_str line;
    size_t len = 0;

    if (!rest.ptr) {
        rest = last_lines(deis_str_trim(output), LINES);
    }
    while (deis_str_split(&rest, '\n', &line)) {
        if (deis_str_starts(line, "uacme: ")) {
            line = deis_str_skip(line, strlen("uacme: "));
        }
        if (len > 0 && len + 2 < AUTOCERT_DETAIL_MAX) {
            ret[len++] = ';';
            ret[len++] = ' ';
        }
        for (size_t i = 0; i < line.len && len < AUTOCERT_DETAIL_MAX; i++) {
            char c = line.ptr[i];
            ret[len++] = (char)(c >= ' ' && c <= '~' ? c : ' ');
        }
    }
    ret[len] = '\0';
}

static bool is_text(const char *s, size_t max, const char *allowed)
{
    size_t len = strlen(s);

    return len > 0 && len <= max && strspn(s, allowed) == len;
}

bool autocert_hook_parse(const char *data, size_t len, struct autocert_hook *ret)
{
#define BASE64URL "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
    const char **fields[] = { &ret->method, &ret->type, &ret->ident, &ret->token, &ret->answer };
    const char *end = data + len;

    if (len > AUTOCERT_HOOK_MAX) {
        return false;
    }
    for (size_t i = 0; i < DEIS_COUNT(fields); i++) {
        const char *stop = data < end ? memchr(data, '\0', (size_t)(end - data)) : NULL;
        if (!stop) {
            return false;
        }
        *fields[i] = data;
        data = stop + 1;
    }
    return data == end && is_text(ret->token, TOKEN_MAX, BASE64URL) &&
           is_text(ret->answer, ANSWER_MAX, BASE64URL ".");
#undef BASE64URL
}
