/* SPDX-License-Identifier: MIT */
#include "scheduler/core/jsonlog.h"

struct scan {
    const char *at;
    const char *end;
};

static bool take(struct scan *s, char c)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t')) {
        s->at++;
    }
    if (s->at < s->end && *s->at == c) {
        s->at++;
        return true;
    }
    return false;
}

static bool take_hex4(struct scan *s, unsigned *ret)
{
    unsigned v = 0;

    if (s->end - s->at < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = *s->at++;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return false;
        }
        v = v * 16 + (unsigned)digit;
    }
    *ret = v;
    return true;
}

static void add_utf8(struct deis_buf *out, unsigned cp)
{
    if (cp < 0x80) {
        deis_buf_add_char(out, (char)cp);
    } else if (cp < 0x800) {
        deis_buf_add_char(out, (char)(0xc0 | cp >> 6));
        deis_buf_add_char(out, (char)(0x80 | (cp & 0x3f)));
    } else if (cp < 0x10000) {
        deis_buf_add_char(out, (char)(0xe0 | cp >> 12));
        deis_buf_add_char(out, (char)(0x80 | (cp >> 6 & 0x3f)));
        deis_buf_add_char(out, (char)(0x80 | (cp & 0x3f)));
    } else {
        deis_buf_add_char(out, (char)(0xf0 | cp >> 18));
        deis_buf_add_char(out, (char)(0x80 | (cp >> 12 & 0x3f)));
        deis_buf_add_char(out, (char)(0x80 | (cp >> 6 & 0x3f)));
        deis_buf_add_char(out, (char)(0x80 | (cp & 0x3f)));
    }
}

static bool take_unicode(struct scan *s, struct deis_buf *out)
{
    unsigned cp, low;

    if (!take_hex4(s, &cp)) {
        return false;
    }
    if (cp >= 0xd800 && cp < 0xdc00 && s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u') {
        s->at += 2;
        if (!take_hex4(s, &low) || low < 0xdc00 || low > 0xdfff) {
            return false;
        }
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    add_utf8(out, cp >= 0xd800 && cp <= 0xdfff ? 0xfffd : cp);
    return true;
}

static bool take_escape(struct scan *s, struct deis_buf *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";

    if (s->at == s->end) {
        return false;
    }
    char c = *s->at++;
    if (c == 'u') {
        return take_unicode(s, out);
    }
    const char *p = memchr(from, c, sizeof(from) - 1);
    if (!p) {
        return false;
    }
    deis_buf_add_char(out, to[p - from]);
    return true;
}

/* A JSON string. */
static bool take_string(struct scan *s, struct deis_buf *out)
{
    if (!take(s, '"')) {
        return false;
    }
    while (s->at < s->end) {
        const char *run = s->at;
        while (s->at < s->end && *s->at != '"' && *s->at != '\\' && (unsigned char)*s->at >= 0x20) {
            s->at++;
        }
        deis_buf_add(out, run, (size_t)(s->at - run));
        if (s->at == s->end || (unsigned char)*s->at < 0x20) {
            return false;
        }
        if (*s->at++ == '"') {
            return true;
        }
        if (!take_escape(s, out)) {
            return false;
        }
    }
    return false;
}

static bool two_digits(struct deis_str t, size_t at, unsigned max, unsigned *ret)
{
    if (at + 2 > t.len || t.ptr[at] < '0' || t.ptr[at] > '9' || t.ptr[at + 1] < '0' ||
        t.ptr[at + 1] > '9') {
        return false;
    }
    *ret = (unsigned)(t.ptr[at] - '0') * 10 + (unsigned)(t.ptr[at + 1] - '0');
    return *ret <= max;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

static bool time_zone(struct deis_str t, int64_t *ret_seconds)
{
    unsigned hours, minutes;

    *ret_seconds = 0;
    if (t.len == 1 && t.ptr[0] == 'Z') {
        return true;
    }
    if (t.len != 6 || (t.ptr[0] != '+' && t.ptr[0] != '-') || t.ptr[3] != ':' ||
        !two_digits(t, 1, 23, &hours) || !two_digits(t, 4, 59, &minutes)) {
        return false;
    }
    *ret_seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    if (t.ptr[0] == '-') {
        *ret_seconds = -*ret_seconds;
    }
    return true;
}

int jsonlog_time(struct deis_str t, uint64_t *ret_ms, struct deis_err *err)
{
    unsigned century, year, month, day, hour, minute, second, ms = 0;
    int64_t zone;

    if (t.len < 20 || !two_digits(t, 0, 99, &century) || !two_digits(t, 2, 99, &year) ||
        t.ptr[4] != '-' || !two_digits(t, 5, 12, &month) || t.ptr[7] != '-' ||
        !two_digits(t, 8, 31, &day) || t.ptr[10] != 'T' || !two_digits(t, 11, 23, &hour) ||
        t.ptr[13] != ':' || !two_digits(t, 14, 59, &minute) || t.ptr[16] != ':' ||
        !two_digits(t, 17, 60, &second) || month == 0 || day == 0 || century < 19) {
        return deis_err_set(err, DEIS_INVALID, "bad time");
    }
    size_t at = 19;
    if (t.ptr[at] == '.') {
        unsigned scale = 100;
        for (at++; at < t.len && t.ptr[at] >= '0' && t.ptr[at] <= '9'; at++) {
            ms += (unsigned)(t.ptr[at] - '0') * scale;
            scale /= 10;
        }
    }
    if (!time_zone(deis_str_skip(t, at), &zone)) {
        return deis_err_set(err, DEIS_INVALID, "bad time zone");
    }
    int64_t seconds = days_of((int64_t)century * 100 + year, month, day) * 86400 +
                      (int64_t)hour * 3600 + (int64_t)minute * 60 + second - zone;
    *ret_ms = seconds < 0 ? 0 : (uint64_t)seconds * 1000 + ms;
    return 0;
}

/* The value of one member. Others than the three are texts or flat objects of texts ("attrs"). */
static bool take_member(struct scan *s, struct deis_str name, struct jsonlog_entry *entry,
                        struct deis_buf *text, struct deis_buf *other)
{
    if (deis_str_eq_cstr(name, "log")) {
        return take_string(s, text);
    }
    bool is_stream = deis_str_eq_cstr(name, "stream");
    bool is_time = deis_str_eq_cstr(name, "time");
    if (take(s, '{')) {
        for (bool first = true; !take(s, '}'); first = false) {
            if ((!first && !take(s, ',')) || !take_string(s, other) || !take(s, ':') ||
                !take_string(s, other)) {
                return false;
            }
        }
        return !is_stream && !is_time;
    }
    deis_buf_reset(other);
    if (!take_string(s, other)) {
        return false;
    }
    if (is_stream) {
        entry->err = deis_str_eq_cstr(deis_buf_str(other), "stderr");
    }
    return !is_time || jsonlog_time(deis_buf_str(other), &entry->time_ms, NULL) == 0;
}

int jsonlog_parse(struct deis_str line, struct jsonlog_entry *ret, struct deis_buf *text,
                  struct deis_err *err)
{
    struct scan s = { line.ptr, line.ptr + line.len };
    deis_autobuf struct deis_buf name = DEIS_BUF_INIT(256);
    deis_autobuf struct deis_buf other = DEIS_BUF_INIT(4096);
    size_t before = text->len;
    bool ok = take(&s, '{');

    *ret = (struct jsonlog_entry){ 0 };
    for (bool first = true; ok && !take(&s, '}'); first = false) {
        deis_buf_reset(&name);
        ok = (first || take(&s, ',')) && take_string(&s, &name) && take(&s, ':') &&
             take_member(&s, deis_buf_str(&name), ret, text, &other);
    }
    if (!ok || s.at != s.end || deis_buf_failed(text)) {
        return deis_err_set(err, DEIS_INVALID, "no entry of a json-file log");
    }
    ret->partial = text->len == before || text->data[text->len - 1] != '\n';
    if (!ret->partial) {
        text->data[--text->len] = '\0';
    }
    return 0;
}

void jsonlog_init(struct jsonlog *j)
{
    *j = (struct jsonlog){ 0 };
    deis_buf_init(&j->pending[0].text, JSONLOG_LINE_MAX);
    deis_buf_init(&j->pending[1].text, JSONLOG_LINE_MAX);
    deis_buf_init(&j->text, JSONLOG_ENTRY_MAX);
}

void jsonlog_clear(struct jsonlog *j)
{
    deis_buf_clear(&j->pending[0].text);
    deis_buf_clear(&j->pending[1].text);
    deis_buf_clear(&j->text);
}

static bool give(struct jsonlog *j, struct deis_str text, uint64_t time_ms, uint64_t end,
                 jsonlog_emit_fn *emit, void *arg)
{
    /* a line given out late, after one of the other stream, still needs a position of its own */
    struct jsonlog_line line = {
        .position = end > j->last ? end : j->last + 1,
        .time_ms = time_ms,
        .text = text,
        .lost = j->lost,
    };

    j->last = line.position;
    j->lost = 0;
    return emit(&line, arg);
}

static bool give_pending(struct jsonlog *j, struct jsonlog_pending *p, jsonlog_emit_fn *emit,
                         void *arg)
{
    bool more = true;

    if (p->open) {
        more = give(j, deis_buf_str(&p->text), p->time_ms, p->end, emit, arg);
    }
    p->open = false;
    deis_buf_clear(&p->text);
    return more;
}

/* One entry's text: a whole line, or a piece of one. */
static bool add(struct jsonlog *j, const struct jsonlog_entry *e, struct deis_str text,
                uint64_t start, uint64_t end, jsonlog_emit_fn *emit, void *arg)
{
    struct jsonlog_pending *p = &j->pending[e->err];
    bool more = true;

    if (text.len > JSONLOG_LINE_MAX) { /* the Engine cuts its entries far below */
        j->lost += text.len - JSONLOG_LINE_MAX;
        text = deis_str_first(text, JSONLOG_LINE_MAX);
    }
    if (p->open && p->text.len + text.len > JSONLOG_LINE_MAX) {
        more = give_pending(j, p, emit, arg);
    }
    if (!p->open && !e->partial) {
        return give(j, text, e->time_ms, end, emit, arg) && more;
    }
    if (!p->open) {
        p->open = true;
        p->start = start;
        p->time_ms = e->time_ms;
    }
    deis_buf_add_str(&p->text, text);
    p->end = end;
    return (e->partial || give_pending(j, p, emit, arg)) && more;
}

size_t jsonlog_feed(struct jsonlog *j, struct deis_str chunk, uint64_t position,
                    jsonlog_emit_fn *emit, void *arg)
{
    size_t used = 0;

    for (bool more = true; more;) {
        struct deis_str rest = deis_str_skip(chunk, used);
        ptrdiff_t newline = deis_str_find(rest, '\n');
        struct jsonlog_entry entry;
        if (newline < 0) {
            if (rest.len >= JSONLOG_ENTRY_MAX) {
                j->lost += rest.len;
                used += rest.len;
            }
            break;
        }
        size_t len = (size_t)newline + 1;
        deis_buf_reset(&j->text);
        if (jsonlog_parse(deis_str_first(rest, len - 1), &entry, &j->text, NULL) == 0) {
            more = add(j, &entry, deis_buf_str(&j->text), position + used, position + used + len,
                       emit, arg);
        } else {
            j->lost += len;
        }
        used += len;
    }
    return used;
}

void jsonlog_flush(struct jsonlog *j, jsonlog_emit_fn *emit, void *arg)
{
    give_pending(j, &j->pending[0], emit, arg);
    give_pending(j, &j->pending[1], emit, arg);
}

void jsonlog_skip(struct jsonlog *j, uint64_t bytes)
{
    j->lost += bytes;
}

uint64_t jsonlog_resume(const struct jsonlog *j, uint64_t read)
{
    uint64_t from = read;

    for (int i = 0; i < 2; i++) {
        if (j->pending[i].open && j->pending[i].start < from) {
            from = j->pending[i].start;
        }
    }
    return from;
}
