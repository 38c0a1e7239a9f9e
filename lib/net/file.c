/* SPDX-License-Identifier: MIT */
#include "lib/net/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int deis_fd_read(int fd, const char *name, struct deis_buf *out, struct deis_err *err)
{
    for (;;) {
        char data[16384];
        ssize_t n = read(fd, data, sizeof(data));
        if (n < 0 && errno != EINTR) {
            return deis_err_errno(err, errno, "can't read '%s'", name);
        }
        if (n == 0) {
            return DEIS_OK;
        }
        deis_buf_add(out, data, n > 0 ? (size_t)n : 0);
        if (deis_buf_failed(out)) {
            return deis_err_set(err, DEIS_LIMIT, "'%s' is larger than %zu bytes", name,
                                out->max_bytes);
        }
    }
}

int deis_file_read(const char *path, struct deis_buf *out, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? deis_err_errno(err, errno, "can't open '%s'", path)
                  : deis_fd_read(fd, path, out, err);
}

int deis_write_all(int fd, struct deis_str text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        text = deis_str_skip(text, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

/* So that the new name outlives a power cut. */
int deis_folder_sync(const char *folder, struct deis_err *err)
{
    deis_autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? deis_err_errno(err, errno, "can't sync '%s'", folder)
                                   : DEIS_OK;
}

int deis_folder_lock(const char *folder, int *ret_fd, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/.lock", folder);
    deis_autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK
                   ? deis_err_set(err, DEIS_CONFLICT, "another process uses '%s'", folder)
                   : deis_err_errno(err, errno, "can't lock '%s'", folder);
    }
    *ret_fd = fd;
    fd = -1;
    return DEIS_OK;
}

int deis_file_put(const char *path, struct deis_str text, unsigned mode, struct deis_err *err)
{
    /* A name of its own: process ids do not tell containers that share a folder apart. */
    deis_autofree char *fresh = deis_asprintf("%s.XXXXXX", path);
    deis_autoclose int fd = mkostemp(fresh, O_CLOEXEC);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't write '%s'", path);
    }
    if (fchmod(fd, mode) < 0 || deis_write_all(fd, text) < 0 || fsync(fd) < 0 ||
        rename(fresh, path) < 0) {
        int code = deis_err_errno(err, errno, "can't write '%s'", path);
        (void)unlink(fresh);
        return code;
    }
    return DEIS_OK;
}

int deis_file_replace(const char *path, struct deis_str text, unsigned mode, struct deis_err *err)
{
    deis_autofree char *folder = deis_strdup(path);
    char *slash = strrchr(folder, '/');
    int code = deis_file_put(path, text, mode, err);

    if (slash) {
        slash[slash == folder] = '\0';
    }
    return code < 0 ? code : deis_folder_sync(slash ? folder : ".", err);
}
