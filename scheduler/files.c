/* SPDX-License-Identifier: MIT */
#include "scheduler/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CHUNK_BYTES 4096

int files_read(const char *path, struct deis_buf *out, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    for (;;) {
        size_t left = out->max_bytes - out->len;
        size_t step = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        char *room = step > 0 ? deis_buf_reserve(out, step) : NULL;
        if (!room) {
            return deis_err_set(err, DEIS_LIMIT, "'%s' is not smaller than %zu bytes", path,
                                out->max_bytes);
        }
        ssize_t n = read(fd, room, step);
        if (n < 0 && errno != EINTR) {
            return deis_err_errno(err, errno, "can't read '%s'", path);
        }
        if (n == 0) {
            return 0;
        }
        deis_buf_added(out, n > 0 ? (size_t)n : 0);
    }
}

static int write_all(int fd, struct deis_str text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        text = deis_str_skip(text, n > 0 ? (size_t)n : 0);
    }
    return fsync(fd);
}

static int sync_folder(const char *path)
{
    deis_autofree char *folder = deis_strdup(path);
    char *slash = strrchr(folder, '/');

    if (slash) {
        *slash = '\0';
    }
    deis_autoclose int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int files_replace(const char *path, struct deis_str text, struct deis_err *err)
{
    deis_autofree char *fresh = deis_asprintf("%s.new", path);
    deis_autoclose int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't create '%s'", fresh);
    }
    if (write_all(fd, text) < 0 || rename(fresh, path) < 0 || sync_folder(path) < 0) {
        int errnum = errno;
        unlink(fresh);
        return deis_err_errno(err, errnum, "can't write '%s'", path);
    }
    return 0;
}
