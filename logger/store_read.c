/* SPDX-License-Identifier: MIT */
#include "logger/store_priv.h"

#include "lib/net/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* One that can't be opened for want of descriptors or memory may be read another time. */
static bool may_pass(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM;
}

static int pass_over(struct log_store *s, const struct app_log *a, struct segment *seg,
                     const char *path, int errnum)
{
    deis_buf_reset(&s->scratch);
    if (!seg->unreadable) {
        seg->unreadable = true;
        s->unreadable++;
        deis_error("a part of a log can't be read and is passed over", KV_S("app", a->name),
                   KV_S("path", path), KV_S("err", strerror(errnum)),
                   KV_I("so_far", s->unreadable));
    }
    return 0;
}

int log_segment_load(struct log_store *s, const struct app_log *a, struct segment *seg,
                     uint64_t offset, struct deis_err *err)
{
    char path[LOG_PATH_BYTES];
    deis_autoclose int fd =
        open(log_segment_path(s, a, seg->first_seq, path), O_RDONLY | O_CLOEXEC);
    uint64_t end = seg->bytes < LOG_SEGMENT_ROOM ? seg->bytes : LOG_SEGMENT_ROOM;
    size_t left = offset < end ? (size_t)(end - offset) : 0;

    deis_buf_reset(&s->scratch);
    if (fd < 0) {
        return may_pass(errno) ? deis_err_errno(err, errno, "can't open '%s'", path)
                               : pass_over(s, a, seg, path, errno);
    }
    while (left > 0) {
        char *room = deis_buf_reserve(&s->scratch, left);
        if (!room) {
            return deis_err_set(err, DEIS_LIMIT, "no room to read '%s'", path);
        }
        ssize_t n = pread(fd, room, left, (off_t)offset);
        if (n < 0) {
            return pass_over(s, a, seg, path, errno);
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

static void begin(struct log_search *x, const struct app_log *a)
{
    x->begun = true;
    x->end = x->next = a ? a->next_seq : 1;
    x->from = x->q.from_seq > 0 ? x->q.from_seq : x->end;
    x->missing = x->q.from_seq > 0 ? 0 : x->q.lines;
    x->before = UINT64_MAX;
}

/* Look through the next older segment for the last lines. */
static int find_tail(struct log_store *s, const struct app_log *a, struct log_search *x,
                     struct deis_err *err)
{
    size_t i = a->count;
    struct record r;
    size_t seen = 0;

    while (i > 0 && a->segments[i - 1].first_seq >= x->before) {
        i--;
    }
    if (i == 0) {
        x->missing = 0;
        return 0;
    }
    int rc = log_segment_load(s, a, &a->segments[i - 1], 0, err);
    if (rc < 0) {
        return rc;
    }
    deis_autofree uint64_t *ring = deis_alloc(x->missing * sizeof(*ring));
    struct deis_str rest = deis_buf_str(&s->scratch);
    while (record_decode(&rest, &r) == RECORD_OK) {
        if (record_matches(&r, x->q.filter)) {
            ring[seen++ % x->missing] = r.seq;
        }
    }
    if (seen > 0) {
        x->from = seen >= x->missing ? ring[seen % x->missing] : ring[0];
        x->missing -= seen < x->missing ? seen : x->missing;
    }
    x->before = a->segments[i - 1].first_seq;
    return 0;
}

/* Give what is in the segment of the line `from`. */
static int read_segment(struct log_store *s, const struct app_log *a, struct log_search *x,
                        void (*fn)(const struct record *r, void *arg), void *arg,
                        struct deis_err *err)
{
    struct record r;
    size_t i = 0;

    while (i + 1 < a->count && a->segments[i + 1].first_seq <= x->from) {
        i++;
    }
    int rc = log_segment_load(s, a, &a->segments[i], begin_of(a, i, x->from), err);
    if (rc < 0) {
        return rc;
    }
    struct deis_str rest = deis_buf_str(&s->scratch);
    while (record_decode(&rest, &r) == RECORD_OK && r.seq < x->end) {
        if (r.seq < x->from || !record_matches(&r, x->q.filter)) {
            continue;
        }
        if (x->bytes > 0 && x->bytes + r.text.len > x->q.max_bytes) {
            x->more = true;
            x->next = r.seq;
            break;
        }
        x->bytes += r.text.len + RECORD_NAME_MAX;
        fn(&r, arg);
    }
    x->from = x->more || i + 1 == a->count ? x->end : a->segments[i + 1].first_seq;
    return 0;
}

int log_store_search(struct log_store *s, struct log_search *x,
                     void (*fn)(const struct record *r, void *arg), void *arg, struct deis_err *err)
{
    const struct app_log *a = deis_map_get(s->apps, x->q.app);
    int rc = 0;

    if (!x->begun) {
        begin(x, a);
    }
    if (!a || a->count == 0) {
        return 0;
    }
    if (x->missing > 0) {
        rc = find_tail(s, a, x, err);
    } else if (x->from < x->end) {
        rc = read_segment(s, a, x, fn, arg, err);
    }
    x->scanned += s->scratch.len;
    deis_buf_clear(&s->scratch);
    return rc < 0 ? rc : x->missing > 0 || x->from < x->end;
}
