/* SPDX-License-Identifier: MIT */
#include "logger/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int log_segment_load(struct log_store *s, const struct app_log *a, const struct segment *seg,
                     uint64_t offset, struct deis_err *err)
{
    char path[LOG_PATH_BYTES];
    deis_autoclose int fd =
        open(log_segment_path(s, a, seg->first_seq, path), O_RDONLY | O_CLOEXEC);
    uint64_t end = seg->bytes < LOG_SEGMENT_ROOM ? seg->bytes : LOG_SEGMENT_ROOM;
    size_t left = offset < end ? (size_t)(end - offset) : 0;

    deis_buf_reset(&s->scratch);
    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    while (left > 0) {
        char *room = deis_buf_reserve(&s->scratch, left);
        ssize_t n = room ? pread(fd, room, left, (off_t)offset) : -1;
        if (n < 0) {
            return deis_err_errno(err, errno, "can't read '%s'", path);
        }
        if (n == 0) {
            break;
        }
        deis_buf_added(&s->scratch, (size_t)n);
        offset += (uint64_t)n;
        left -= (size_t)n;
    }
    return 0;
}

uint64_t log_store_next_seq(const struct log_store *s, struct deis_str app)
{
    const struct app_log *a = deis_map_get(s->apps, app);

    return a ? a->next_seq : 1;
}

/* Find where the last `lines` matching records begin: the seq of the first of them. */
static int find_tail(struct log_store *s, const struct app_log *a, const struct log_query *q,
                     uint64_t *ret_from, struct deis_err *err)
{
    deis_autofree uint64_t *ring = deis_alloc((q->lines + 1) * sizeof(*ring));
    size_t wanted = q->lines;

    *ret_from = a->next_seq;
    for (size_t i = a->count; i-- > 0 && wanted > 0;) {
        struct record r;
        size_t seen = 0;
        int rc = log_segment_load(s, a, &a->segments[i], 0, err);
        if (rc < 0) {
            return rc;
        }
        struct deis_str rest = deis_buf_str(&s->scratch);
        while (record_decode(&rest, &r) == RECORD_OK) {
            if (record_matches(&r, q->filter)) {
                ring[seen++ % wanted] = r.seq;
            }
        }
        if (seen > 0) {
            *ret_from = seen >= wanted ? ring[seen % wanted] : ring[0];
            wanted -= seen < wanted ? seen : wanted;
        }
    }
    return 0;
}

/* From where to read a segment for the line `from`: who follows a log asks for its end again and
 * again. */
static uint64_t begin_of(const struct app_log *a, size_t segment, uint64_t from)
{
    uint64_t offset = 0;

    for (size_t i = 0; segment + 1 == a->count && i < a->mark_count; i++) {
        offset = a->marks[i].seq <= from ? a->marks[i].offset : offset;
    }
    return offset;
}

int log_store_read(struct log_store *s, const struct log_query *q,
                   void (*fn)(const struct record *r, void *arg), void *arg, uint64_t *ret_next,
                   bool *ret_more, struct deis_err *err)
{
    const struct app_log *a = deis_map_get(s->apps, q->app);
    uint64_t from = q->from_seq;
    size_t bytes = 0;
    int rc = 0;

    *ret_more = false;
    *ret_next = a ? a->next_seq : 1;
    if (!a) {
        return 0;
    }
    if (from == 0) {
        rc = find_tail(s, a, q, &from, err);
    }
    for (size_t i = 0; rc == 0 && !*ret_more && i < a->count; i++) {
        struct record r;
        if (i + 1 < a->count && a->segments[i + 1].first_seq <= from) {
            continue;
        }
        rc = log_segment_load(s, a, &a->segments[i], begin_of(a, i, from), err);
        struct deis_str rest = deis_buf_str(&s->scratch);
        while (rc == 0 && record_decode(&rest, &r) == RECORD_OK) {
            if (r.seq < from || !record_matches(&r, q->filter)) {
                continue;
            }
            if (bytes > 0 && bytes + r.text.len > q->max_bytes) {
                *ret_more = true;
                *ret_next = r.seq;
                break;
            }
            bytes += r.text.len + RECORD_NAME_MAX;
            fn(&r, arg);
        }
    }
    deis_buf_clear(&s->scratch);
    return rc;
}
