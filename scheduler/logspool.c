/* SPDX-License-Identifier: MIT */
#include "scheduler/logspool.h"

#include "lib/net/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX (1024 * 1024)

struct logspool {
    char *folder;
    uint64_t bytes; /* of all files */
    int fd;         /* of the file being sent, or -1 */
    char *name;     /* its name */
    off_t offset;
    size_t record; /* bytes of the record given out */
    Deis__LogAppend *message;
};

static char *path_of(const struct logspool *s, const char *name, const char *ending)
{
    return deis_asprintf("%s/%s%s", s->folder, name, ending);
}

/* Files that were being written when a former process ended are whole up to their last record. */
static void adopt(struct logspool *s)
{
    DIR *dir = opendir(s->folder);
    struct dirent *d;

    while (dir && (d = readdir(dir))) {
        struct deis_str name = deis_str(d->d_name);
        deis_autofree char *path = path_of(s, d->d_name, "");
        struct stat st;
        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
            continue;
        }
        s->bytes += (uint64_t)st.st_size;
        if (deis_str_ends(name, ".part")) {
            deis_autofree char *base = deis_str_dup(deis_str_first(name, name.len - 5));
            deis_autofree char *whole = path_of(s, base, ".log");
            if (rename(path, whole) < 0) {
                deis_warn("can't rename a spool file", KV_S("file", path));
            }
        }
    }
    if (dir) {
        closedir(dir);
    }
}

struct logspool *logspool_open(const char *data_dir, struct deis_err *err)
{
    deis_autofree char *folder = deis_asprintf("%s/spool", data_dir);

    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        deis_err_errno(err, errno, "can't create '%s'", folder);
        return NULL;
    }
    struct logspool *s = deis_alloc(sizeof(*s));
    s->folder = DEIS_TAKE(folder);
    s->fd = -1;
    adopt(s);
    return s;
}

static void forget_file(struct logspool *s)
{
    if (s->message) {
        deis__log_append__free_unpacked(s->message, NULL);
        s->message = NULL;
    }
    deis_autoclose_(&s->fd);
    s->fd = -1;
    free(DEIS_TAKE(s->name));
}

void logspool_close(struct logspool *s)
{
    if (s) {
        forget_file(s);
        free(s->folder);
        free(s);
    }
}

int logspool_add(struct logspool *s, const char *container, const struct logbatch *b,
                 struct deis_err *err)
{
    size_t len = deis__log_append__get_packed_size(&b->message);
    deis_autofree char *path = path_of(s, container, ".part");

    if (s->bytes + len + 4 > LOGSPOOL_MAX_BYTES) {
        return deis_err_set(err, DEIS_LIMIT, "the log spool is full (%llu bytes)",
                            (unsigned long long)s->bytes);
    }
    deis_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    deis_autofree uint8_t *record = deis_alloc(len + 4);
    record[0] = (uint8_t)(len >> 24);
    record[1] = (uint8_t)(len >> 16);
    record[2] = (uint8_t)(len >> 8);
    record[3] = (uint8_t)len;
    deis__log_append__pack(&b->message, record + 4);
    off_t before = lseek(fd, 0, SEEK_END);
    ssize_t n = write(fd, record, len + 4);
    if (n != (ssize_t)(len + 4)) {
        int code = deis_err_errno(err, n < 0 ? errno : ENOSPC, "can't write '%s'", path);
        /* What follows half a record could not be told from its rest. */
        if (n > 0 && (before < 0 || ftruncate(fd, before) < 0)) {
            (void)unlink(path);
        }
        return code;
    }
    s->bytes += len + 4;
    return 0;
}

/* A process that was killed before it had finished has left a file of the same lines. */
static void forget_former(struct logspool *s, const char *path)
{
    deis_autofree char *sent = s->name ? path_of(s, s->name, "") : NULL;
    struct stat st;

    if (sent && strcmp(sent, path) == 0) {
        forget_file(s);
    }
    if (stat(path, &st) == 0 && unlink(path) == 0) {
        s->bytes -= s->bytes < (uint64_t)st.st_size ? s->bytes : (uint64_t)st.st_size;
    }
}

void logspool_finish(struct logspool *s, const char *container)
{
    deis_autofree char *part = path_of(s, container, ".part");
    deis_autofree char *whole = path_of(s, container, ".log");
    deis_autoclose int fd = open(part, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return; /* nothing was left */
    }
    forget_former(s, whole);
    if (fsync(fd) < 0 || rename(part, whole) < 0) {
        deis_error("can't finish a spool file", KV_S("file", part));
    }
}

static bool open_next(struct logspool *s)
{
    DIR *dir = opendir(s->folder);
    struct dirent *d;

    while (dir && s->fd < 0 && (d = readdir(dir))) {
        if (deis_str_ends(deis_str(d->d_name), ".log")) {
            deis_autofree char *path = path_of(s, d->d_name, "");
            s->fd = open(path, O_RDONLY | O_CLOEXEC);
            s->name = deis_strdup(d->d_name);
            s->offset = 0;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return s->fd >= 0;
}

static Deis__LogAppend *read_record(struct logspool *s)
{
    uint8_t head[4];

    if (pread(s->fd, head, 4, s->offset) != 4) {
        return NULL;
    }
    size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (len > RECORD_MAX) {
        return NULL;
    }
    deis_autofree uint8_t *record = deis_alloc(len + 1);
    if (pread(s->fd, record, len, s->offset + 4) != (ssize_t)len) {
        return NULL;
    }
    s->record = len + 4;
    return deis__log_append__unpack(NULL, len, record);
}

static void remove_file(struct logspool *s)
{
    deis_autofree char *path = path_of(s, s->name, "");
    struct stat st = { 0 };

    fstat(s->fd, &st);
    unlink(path);
    s->bytes -= s->bytes < (uint64_t)st.st_size ? s->bytes : (uint64_t)st.st_size;
    forget_file(s);
}

Deis__LogAppend *logspool_next(struct logspool *s)
{
    while (!s->message && (s->fd >= 0 || open_next(s))) {
        s->message = read_record(s);
        if (!s->message) { /* its end, or a record cut by a crash */
            remove_file(s);
        }
    }
    return s->message;
}

void logspool_sent(struct logspool *s)
{
    if (s->message) {
        deis__log_append__free_unpacked(s->message, NULL);
        s->message = NULL;
        s->offset += (off_t)s->record;
    }
}
