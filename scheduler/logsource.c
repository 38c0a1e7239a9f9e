/* SPDX-License-Identifier: MIT */
#include "scheduler/logsource.h"

#include "lib/net/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES   JSONLOG_ENTRY_MAX
#define FILES_AHEAD   4
#define TAIL_LINE_MAX 1024

struct logsource {
    char *folder;
    char *file;            /* path of the newest file; older ones have .1, .2, ... */
    int fd;                /* of the file being read, or -1 */
    struct logplace place; /* there; offset = bytes taken */
    struct logplace
        previous;       /* the file before, inode 0 = none: an unfinished line may begin there */
    uint64_t successor; /* inode of the file that follows, once it was seen */
    struct jsonlog lines;
    bool fresh;  /* place was given from outside and not opened yet */
    bool unsure; /* of the base of what was opened since */
};

struct logsource *logsource_new(const char *docker_root, const char *container,
                                const struct logplace *from)
{
    struct logsource *s = deis_alloc(sizeof(*s));

    s->folder = deis_asprintf("%s/containers/%s", docker_root, container);
    s->file = deis_asprintf("%s/%s-json.log", s->folder, container);
    s->fd = -1;
    jsonlog_init(&s->lines);
    logsource_rewind(s, from);
    return s;
}

void logsource_free(struct logsource *s)
{
    if (!s) {
        return;
    }
    deis_autoclose_(&s->fd);
    jsonlog_clear(&s->lines);
    free(s->folder);
    free(s->file);
    free(s);
}

const char *logsource_folder(const struct logsource *s)
{
    return s->folder;
}

void logsource_rewind(struct logsource *s, const struct logplace *to)
{
    deis_autoclose_(&s->fd);
    s->fd = -1;
    s->place = to ? *to : (struct logplace){ 0 };
    s->previous = (struct logplace){ 0 };
    s->successor = 0;
    s->fresh = true;
    s->unsure = false;
    jsonlog_clear(&s->lines);
    jsonlog_init(&s->lines);
    s->lines.last = s->place.base + s->place.offset;
}

static char *path_of(const struct logsource *s, size_t index)
{
    return index == 0 ? deis_strdup(s->file) : deis_asprintf("%s.%zu", s->file, index);
}

static size_t list_files(const struct logsource *s, struct logfile files[LOGFILES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < LOGFILES_MAX; i++) {
        deis_autofree char *path = path_of(s, i);
        struct stat st;
        bool there = stat(path, &st) == 0;
        files[i] =
            there ? (struct logfile){ st.st_ino, (uint64_t)st.st_size } : (struct logfile){ 0 };
        if (there) {
            count = i + 1;
        } else if (i > 0) {
            break;
        }
    }
    return count;
}

static bool head_matches(int fd, const struct logplace *p)
{
    char head[LOGFILES_HEAD_MAX];
    ssize_t n = pread(fd, head, p->head_len, 0);

    return n == (ssize_t)p->head_len && logfiles_hash(deis_str_n(head, (size_t)n)) == p->head_hash;
}

/* Remember enough of the file's first bytes to know it again. */
static void take_head(struct logsource *s)
{
    char head[LOGFILES_HEAD_MAX];
    struct logplace *p = &s->place;
    size_t len = p->offset < LOGFILES_HEAD_MAX ? (size_t)p->offset : LOGFILES_HEAD_MAX;

    if (s->fd >= 0 && p->head_len < len && pread(s->fd, head, len, 0) == (ssize_t)len) {
        p->head_len = (uint32_t)len;
        p->head_hash = logfiles_hash(deis_str_n(head, len));
    }
}

/* Open one of the files at its start, as the one that follows what was read. */
static bool open_file(struct logsource *s, size_t index, uint64_t inode, uint64_t base)
{
    deis_autofree char *path = path_of(s, index);
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 ||
        st.st_ino != inode) { /* rotated just now: look again later */
        deis_autoclose_(&fd);
        return false;
    }
    take_head(s);
    deis_autoclose_(&s->fd);
    s->fd = fd;
    s->previous = s->place;
    s->place = (struct logplace){ .inode = inode, .base = base };
    s->successor = 0;
    return true;
}

/* Find the file of a place that was saved; if it is there no more the place stays, and its inode is
 * not found by logfiles_next(). */
static void reopen(struct logsource *s, const struct logfile *files, size_t count)
{
    s->fresh = false;
    for (size_t i = 0; i < count && s->place.inode != 0; i++) {
        if (files[i].inode != s->place.inode || files[i].size < s->place.offset) {
            continue;
        }
        deis_autofree char *path = path_of(s, i);
        struct stat st;
        deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == s->place.inode &&
            head_matches(fd, &s->place)) {
            s->fd = fd;
            fd = -1;
            return;
        }
    }
    if (s->place.inode != 0) {
        s->place.inode = UINT64_MAX; /* gone, or its inode names another file now */
    }
}

/* Go to the file that follows. false: there is none, for now. */
static bool advance(struct logsource *s, uint64_t tail)
{
    struct logfile files[LOGFILES_MAX];
    size_t count = list_files(s, files), next = 0;
    uint64_t end = s->place.base + s->place.offset;

    if (s->fresh) {
        reopen(s, files, count);
        if (s->fd >= 0) {
            return true;
        }
    }
    switch (logfiles_next(files, count, s->place.inode, s->successor, &next)) {
    case LOGFILES_STAY:
    case LOGFILES_NONE: return false;
    case LOGFILES_NEXT:
        if (s->fd >= 0 && s->successor == 0) { /* it may have grown before it was rotated */
            s->successor = files[next].inode;
            return true;
        }
        bool begins = s->place.inode == 0;
        if (!open_file(s, next, files[next].inode, end + tail)) {
            return false;
        }
        s->unsure = s->unsure || (begins && count >= LOGFILES_KEPT);
        jsonlog_skip(&s->lines, tail);
        return true;
    case LOGFILES_GAP:
        if (!open_file(s, next, files[next].inode, end + tail + 1)) {
            return false;
        }
        deis_warn("part of a container's log is gone", KV_S("folder", s->folder));
        s->unsure = true;
        jsonlog_skip(&s->lines, tail + 1);
        s->previous = (struct logplace){ 0 };
        return true;
    }
    return false;
}

/* Was the file emptied by somebody? Then the Engine, which only appends, goes on at its start. */
static bool begin_anew(struct logsource *s)
{
    struct stat st;

    if (s->fd < 0 || fstat(s->fd, &st) < 0 || (uint64_t)st.st_size >= s->place.offset) {
        return false;
    }
    deis_warn("a container's log was emptied", KV_S("folder", s->folder));
    s->place =
        (struct logplace){ .inode = s->place.inode, .base = s->place.base + s->place.offset };
    s->previous = (struct logplace){ 0 };
    return true;
}

bool logsource_read(struct logsource *s, struct logbatch *b)
{
    deis_autofree char *chunk = malloc(CHUNK_BYTES);
    unsigned files = 0;

    while (chunk && b->count < LOGBATCH_LINES - 2 && b->text.len < LOGBATCH_BYTES) {
        ssize_t n = s->fd < 0 ? 0 : pread(s->fd, chunk, CHUNK_BYTES, (off_t)s->place.offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        struct deis_str text = deis_str_n(chunk, n > 0 ? (size_t)n : 0);
        size_t used =
            jsonlog_feed(&s->lines, text, s->place.base + s->place.offset, logbatch_add, b);
        s->place.offset += used;
        if (used == 0 && (files++ > 2 * FILES_AHEAD || (!begin_anew(s) && !advance(s, text.len)))) {
            return false;
        }
    }
    return true;
}

bool logsource_begin(struct logsource *s, struct logplace *ret)
{
    char head[LOGFILES_HEAD_MAX];

    if (s->place.inode != 0 || !advance(s, 0) || s->unsure) {
        return false;
    }
    ssize_t n = pread(s->fd, head, sizeof(head), 0);
    *ret = s->place;
    ret->head_len = n > 0 ? (uint32_t)n : 0;
    ret->head_hash = logfiles_hash(deis_str_n(head, ret->head_len));
    return true;
}

bool logsource_is_unsure(const struct logsource *s)
{
    return s->unsure;
}

bool logsource_is_pending(const struct logsource *s)
{
    return s->lines.pending[0].open || s->lines.pending[1].open;
}

void logsource_flush(struct logsource *s, struct logbatch *b)
{
    jsonlog_flush(&s->lines, logbatch_add, b);
}

bool logsource_place(struct logsource *s, struct logplace *ret)
{
    if (s->fd < 0) {
        return false;
    }
    take_head(s);
    uint64_t at = jsonlog_resume(&s->lines, s->place.base + s->place.offset);
    *ret = at < s->place.base && s->previous.inode != 0 ? s->previous : s->place;
    ret->offset = at > ret->base ? at - ret->base : 0;
    return true;
}

/* --- the last lines --- */

struct tail {
    struct deis_buf *out;
    size_t skip; /* lines before those that count */
    size_t count;
};

static bool count_line(const struct jsonlog_line *line, void *arg)
{
    ((struct tail *)arg)->count++;
    return true;
}

static bool tail_line(const struct jsonlog_line *line, void *arg)
{
    struct tail *t = arg;

    if (t->count++ >= t->skip) {
        deis_buf_add_str(t->out, deis_str_first(line->text, TAIL_LINE_MAX));
        deis_buf_add_char(t->out, '\n');
    }
    return true;
}

static void each_line(struct deis_str text, jsonlog_emit_fn *emit, struct tail *t)
{
    struct jsonlog j;

    jsonlog_init(&j);
    jsonlog_feed(&j, text, 0, emit, t);
    jsonlog_flush(&j, emit, t);
    jsonlog_clear(&j);
}

static size_t read_end(const char *path, char *to, size_t max)
{
    struct stat st;
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0) {
        return 0;
    }
    off_t from = (size_t)st.st_size > max ? st.st_size - (off_t)max : 0;
    ssize_t n = pread(fd, to, max, from);
    return n > 0 ? (size_t)n : 0;
}

void logsource_tail(const char *docker_root, const char *container, size_t lines,
                    struct deis_buf *out)
{
    deis_autofree char *path =
        deis_asprintf("%s/containers/%s/%s-json.log", docker_root, container, container);
    deis_autofree char *older = deis_asprintf("%s.1", path);
    deis_autofree char *text = deis_alloc(2 * CHUNK_BYTES);
    struct tail t = { .out = out };

    size_t len = read_end(older, text, CHUNK_BYTES);
    len += read_end(path, text + len, CHUNK_BYTES);
    /* the first entry may be cut: it is skipped as no valid one */
    each_line(deis_str_n(text, len), count_line, &t);
    t.skip = t.count > lines ? t.count - lines : 0;
    t.count = 0;
    each_line(deis_str_n(text, len), tail_line, &t);
}
