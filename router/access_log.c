/* SPDX-License-Identifier: MIT */
#include "router/access_log.h"

#include "lib/base/clock.h"

#include <unistd.h>

enum {
    FILE_BUFFER = 64 * 1024,
    RING = 256 * 1024, /* a power of two */
    APP_MAX = 255,
};

struct entry_head {
    uint32_t text_len;
    uint32_t app_len;
    uint64_t time_ms;
};

void access_log_flush(struct access_log *log)
{
    size_t done = 0;

    while (done < log->len) {
        ssize_t n = write(log->fd, log->data + done, log->len - done);
        if (n <= 0) {
            atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
            break;
        }
        done += (size_t)n;
    }
    log->len = 0;
}

/* "ts=2026-03-05T17:14:27.123Z ", the part up to the second made once a second. */
static size_t put_time(char *out)
{
    static _Thread_local uint64_t second;
    static _Thread_local char text[32];
    uint64_t now = deis_wall_ms();

    if (now / 1000 != second) {
        struct deis_buf b = DEIS_BUF_INIT(64);
        second = now / 1000;
        deis_time_format_iso(second * 1000000, &b);
        memcpy(text, "ts=", 3);
        memcpy(text + 3, b.data, 20);
        deis_buf_clear(&b);
    }
    memcpy(out, text, 23);
    out[23] = (char)('0' + now / 100 % 10);
    out[24] = (char)('0' + now / 10 % 10);
    out[25] = (char)('0' + now % 10);
    memcpy(out + 26, "Z ", 2);
    return 28;
}

static void add_to_file(struct access_log *log, const struct log_line *line)
{
    if (!log->data) {
        log->data = deis_realloc_array(NULL, FILE_BUFFER, 1);
    }
    log->len += put_time(log->data + log->len);
    log->len += log_line_format(log->data + log->len, line);
    log->data[log->len++] = '\n';
    if (log->len > FILE_BUFFER - LOG_LINE_MAX - 64) {
        access_log_flush(log);
    }
}

static void ring_write(struct access_log *log, uint64_t *at, const void *data, size_t len)
{
    size_t i = (size_t)(*at & (RING - 1));
    size_t first = len < RING - i ? len : RING - i;

    memcpy(log->data + i, data, first);
    memcpy(log->data, (const char *)data + first, len - first);
    *at += len;
}

static void add_to_ring(struct access_log *log, const struct log_line *line)
{
    char text[LOG_LINE_MAX];
    uint64_t head = atomic_load_explicit(&log->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&log->tail, memory_order_acquire);
    struct deis_str app = deis_str_first(deis_str(line->app), APP_MAX);
    struct entry_head e = { (uint32_t)log_line_format(text, line), (uint32_t)app.len,
                            deis_wall_ms() };

    if (!log->data) {
        log->data = deis_realloc_array(NULL, RING, 1);
    }
    if (RING - (head - tail) < sizeof(e) + e.text_len + e.app_len) {
        atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
        return;
    }
    uint64_t at = head;
    ring_write(log, &at, &e, sizeof(e));
    ring_write(log, &at, app.ptr, app.len);
    ring_write(log, &at, text, e.text_len);
    atomic_store(&log->head, at);
    if (atomic_load(&log->tail) == head) {
        log->on_first(log->arg);
    }
}

void access_log_add(struct access_log *log, const struct log_line *line, bool user_app)
{
    if (log->fd >= 0) {
        add_to_file(log, line);
    } else if (log->to_ring && user_app) {
        add_to_ring(log, line);
    }
}

static void ring_read(struct access_log *log, uint64_t *at, void *out, size_t len)
{
    size_t i = (size_t)(*at & (RING - 1));
    size_t first = len < RING - i ? len : RING - i;

    memcpy(out, log->data + i, first);
    memcpy((char *)out + first, log->data, len - first);
    *at += len;
}

bool access_log_next(struct access_log *log, char *scratch, struct access_entry *ret)
{
    uint64_t at = atomic_load_explicit(&log->tail, memory_order_relaxed);
    struct entry_head e;

    if (at == atomic_load(&log->head)) {
        return false;
    }
    ring_read(log, &at, &e, sizeof(e));
    ring_read(log, &at, scratch, e.app_len + e.text_len);
    ret->time_ms = e.time_ms;
    ret->app = deis_str_n(scratch, e.app_len);
    ret->text = deis_str_n(scratch + e.app_len, e.text_len);
    atomic_store(&log->tail, at);
    return true;
}

void access_log_clear(struct access_log *log)
{
    if (log->fd >= 0) {
        access_log_flush(log);
    }
    free(log->data);
    log->data = NULL;
}
