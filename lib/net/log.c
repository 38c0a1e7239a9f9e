/* SPDX-License-Identifier: MIT */
#include "lib/net/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* One line is one write(2), so that lines of several threads don't mix; what does not fit is cut.
 */
#define LINE_MAX_BYTES  2048
#define VALUE_MAX_BYTES 700

struct line {
    char data[LINE_MAX_BYTES];
    size_t len;
};

static char service_name[32] = "deis";
static enum deis_log_level start_level = DEIS_LOG_INFO;
static atomic_int max_level = DEIS_LOG_INFO;

static const char *const level_names[] = {
    [DEIS_LOG_ERROR] = "error",
    [DEIS_LOG_WARN] = "warn",
    [DEIS_LOG_INFO] = "info",
    [DEIS_LOG_DEBUG] = "debug",
};

bool deis_log_level(const char *word, enum deis_log_level *ret)
{
    static const struct {
        const char *word;
        enum deis_log_level level;
    } words[] = {
        { "debug", DEIS_LOG_DEBUG }, { "info", DEIS_LOG_INFO },   { "notice", DEIS_LOG_INFO },
        { "warn", DEIS_LOG_WARN },   { "error", DEIS_LOG_ERROR }, { "crit", DEIS_LOG_ERROR },
        { "alert", DEIS_LOG_ERROR }, { "emerg", DEIS_LOG_ERROR },
    };

    for (size_t i = 0; i < DEIS_COUNT(words); i++) {
        if (strcmp(word, words[i].word) == 0) {
            *ret = words[i].level;
            return true;
        }
    }
    return false;
}

void deis_log_set_level(const char *word)
{
    enum deis_log_level level = start_level;

    if (word) {
        (void)deis_log_level(word, &level);
    }
    atomic_store(&max_level, (int)level);
}

void deis_log_init(const char *service)
{
    snprintf(service_name, sizeof(service_name), "%s", service);
    const char *wanted = getenv("DEIS_LOG");
    if (wanted) {
        (void)deis_log_level(wanted, &start_level);
    }
    deis_log_set_level(NULL);
}

/* Room is kept for the closing quote, "..." and the newline. */
static bool has_room(const struct line *l, size_t n)
{
    return l->len + n + 8 <= sizeof(l->data);
}

static void add(struct line *l, const char *text, size_t len)
{
    if (has_room(l, len)) {
        memcpy(l->data + l->len, text, len);
        l->len += len;
    }
}

static void add_cstr(struct line *l, const char *text)
{
    add(l, text, strlen(text));
}

static bool needs_quotes(struct deis_str v)
{
    if (v.len == 0) {
        return true;
    }
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f) {
            return true;
        }
    }
    return false;
}

static void add_escaped_byte(struct line *l, unsigned char c, bool utf8)
{
    char text[5];
    if (c == '"' || c == '\\') {
        snprintf(text, sizeof(text), "\\%c", c);
    } else if (c == '\n') {
        snprintf(text, sizeof(text), "\\n");
    } else if (c < ' ' || c == 0x7f || (c >= 0x80 && !utf8)) {
        snprintf(text, sizeof(text), "\\x%02x", c);
    } else {
        snprintf(text, sizeof(text), "%c", c);
    }
    add_cstr(l, text);
}

static void add_value(struct line *l, struct deis_str v)
{
    bool cut = v.len > VALUE_MAX_BYTES;
    v = deis_str_first(v, VALUE_MAX_BYTES);
    if (!cut && !needs_quotes(v)) {
        add(l, v.ptr, v.len);
        return;
    }
    bool utf8 = deis_str_is_utf8(v);
    add(l, "\"", 1);
    for (size_t i = 0; i < v.len; i++) {
        if (!has_room(l, 4)) {
            cut = true;
            break;
        }
        add_escaped_byte(l, (unsigned char)v.ptr[i], utf8);
    }
    const char *end = cut ? "...\"" : "\"";
    memcpy(l->data + l->len, end, strlen(end));
    l->len += strlen(end);
}

static void add_time(struct line *l)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    char text[64];
    size_t n = strftime(text, sizeof(text), "ts=%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof(text) - n, ".%03ldZ", now.tv_nsec / 1000000);
    add_cstr(l, text);
}

static void add_pair(struct line *l, const struct deis_kv *kv)
{
    if (!has_room(l, strlen(kv->key) + 24)) {
        return;
    }
    add(l, " ", 1);
    add_cstr(l, kv->key);
    add(l, "=", 1);
    char number[24];
    switch (kv->kind) {
    case DEIS_KV_TEXT: add_value(l, deis_str(kv->text)); break;
    case DEIS_KV_VIEW: add_value(l, kv->view); break;
    case DEIS_KV_NUMBER:
        snprintf(number, sizeof(number), "%lld", (long long)kv->number);
        add_cstr(l, number);
        break;
    }
}

void deis_log_write(enum deis_log_level level, const char *msg, const struct deis_kv *kv, size_t n)
{
    if ((int)level > atomic_load(&max_level)) {
        return;
    }
    int saved = errno;
    struct line l = { .len = 0 };
    add_time(&l);
    add_cstr(&l, " level=");
    add_cstr(&l, level_names[level]);
    add_cstr(&l, " svc=");
    add_cstr(&l, service_name);
    add_cstr(&l, " msg=");
    add_value(&l, deis_str(msg));
    for (size_t i = 0; i < n; i++) {
        add_pair(&l, &kv[i]);
    }
    l.data[l.len++] = '\n';
    ssize_t written;
    do {
        written = write(STDERR_FILENO, l.data, l.len);
    } while (written < 0 && errno == EINTR);
    errno = saved;
}
