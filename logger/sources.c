/* SPDX-License-Identifier: MIT */
#include "logger/sources.h"

#include "lib/base/map.h"
#include "lib/net/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORGET_AFTER_MS    (24ull * 3600 * 1000)
#define FORGET_AT_LEAST_MS 60000
#define FILE_MAX_BYTES     (16 * 1024 * 1024)

struct source {
    uint64_t position;
    uint64_t seen_ms;
};

struct sources {
    char *path;
    struct deis_map *map;
};

uint64_t sources_position(const struct sources *s, struct deis_str source)
{
    const struct source *found = deis_map_get(s->map, source);

    return found ? found->position : 0;
}

void sources_store(struct sources *s, struct deis_str source, uint64_t position, uint64_t now_ms)
{
    struct source *found = deis_map_get(s->map, source);

    if (!found) {
        found = deis_alloc(sizeof(*found));
        deis_map_set(s->map, source, found);
    }
    found->position = position > found->position ? position : found->position;
    found->seen_ms = now_ms > found->seen_ms ? now_ms : found->seen_ms;
}

/* Lines of "<position> <seen> <source>". */
static bool load_line(struct sources *s, struct deis_str line)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str position;
    struct deis_str seen;
    uint64_t position_value;
    uint64_t seen_value;

    if (!deis_str_split(&line, ' ', &position) || !deis_str_split(&line, ' ', &seen) ||
        line.len == 0 || deis_str_to_u64(position, 0, UINT64_MAX, &position_value, &err) < 0 ||
        deis_str_to_u64(seen, 0, UINT64_MAX, &seen_value, &err) < 0) {
        return false;
    }
    sources_store(s, line, position_value, seen_value);
    return true;
}

static int load(struct sources *s, struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(FILE_MAX_BYTES + 1);
    deis_autoclose int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &st) < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", s->path);
    }
    char *room = st.st_size <= FILE_MAX_BYTES ? deis_buf_reserve(&text, (size_t)st.st_size) : NULL;
    ssize_t n = room ? read(fd, room, (size_t)st.st_size) : 0;
    if (n < 0) {
        return deis_err_errno(err, errno, "can't read '%s'", s->path);
    }
    deis_buf_added(&text, (size_t)n);
    struct deis_str rest = deis_buf_str(&text);
    struct deis_str line;
    while (deis_str_split(&rest, '\n', &line)) {
        load_line(s, line);
    }
    return 0;
}

struct sources *sources_open(const char *path, struct deis_err *err)
{
    struct sources *s = deis_alloc(sizeof(*s));

    s->path = deis_strdup(path);
    s->map = deis_map_new(free);
    if (load(s, err) < 0) {
        sources_free(s);
        return NULL;
    }
    return s;
}

void sources_free(struct sources *s)
{
    if (s) {
        deis_map_free(s->map);
        free(s->path);
        free(s);
    }
}

static void forget_before(struct sources *s, uint64_t then_ms)
{
    size_t cursor = 0;
    struct deis_str name;
    void *value;

    while (deis_map_next(s->map, &cursor, &name, &value)) {
        const struct source *source = value;
        if (source->seen_ms < then_ms) {
            deis_map_remove(s->map, name);
        }
    }
}

static void format(const struct sources *s, struct deis_buf *out)
{
    size_t cursor = 0;
    struct deis_str name;
    void *value;

    while (deis_map_next(s->map, &cursor, &name, &value)) {
        const struct source *source = value;
        deis_buf_addf(out, "%llu %llu %.*s\n", (unsigned long long)source->position,
                      (unsigned long long)source->seen_ms, DEIS_STR_ARG(name));
    }
}

/* Of very many, those are forgotten sooner that were silent longest. */
int sources_save(struct sources *s, uint64_t now_ms, struct deis_err *err)
{
    for (uint64_t age_ms = FORGET_AFTER_MS; age_ms >= FORGET_AT_LEAST_MS; age_ms /= 2) {
        deis_autobuf struct deis_buf text = DEIS_BUF_INIT(FILE_MAX_BYTES);
        forget_before(s, now_ms > age_ms ? now_ms - age_ms : 0);
        format(s, &text);
        if (!deis_buf_failed(&text)) {
            return deis_file_replace(s->path, deis_buf_str(&text), 0600, err);
        }
    }
    return deis_err_set(err, DEIS_LIMIT, "'%s' would be too large", s->path);
}
