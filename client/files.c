/* SPDX-License-Identifier: MIT */
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, const char *name, size_t max, struct deis_buf *ret,
                    struct deis_err *err)
{
    deis_buf_init(ret, max);
    for (;;) {
        char chunk[8192];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            int code = deis_err_errno(err, errno, "can't read %s", name);
            deis_buf_clear(ret);
            return code;
        }
        if (n == 0) {
            break;
        }
        deis_buf_add(ret, chunk, (size_t)n);
        if (deis_buf_failed(ret)) {
            deis_buf_clear(ret);
            return deis_err_set(err, DEIS_LIMIT, "%s has more than %zu bytes", name, max);
        }
    }
    return 0;
}

int file_read(const char *path, size_t max, struct deis_buf *ret, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    deis_autofree char *name = deis_asprintf("'%s'", path);

    deis_buf_init(ret, max);
    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    return read_all(fd, name, max, ret, err);
}

int file_read_stdin(size_t max, struct deis_buf *ret, struct deis_err *err)
{
    return read_all(STDIN_FILENO, "stdin", max, ret, err);
}

static int write_all(int fd, struct deis_str text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        text = deis_str_skip(text, (size_t)n);
    }
    return 0;
}

int file_write(const char *path, struct deis_str text, unsigned mode, struct deis_err *err)
{
    deis_autofree char *temp = deis_asprintf("%s.XXXXXX", path);
    deis_autoclose int fd = mkostemp(temp, O_CLOEXEC);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't write '%s'", path);
    }
    if (write_all(fd, text) < 0 || fchmod(fd, mode) < 0 || rename(temp, path) < 0) {
        int code = deis_err_errno(err, errno, "can't write '%s'", path);
        unlink(temp);
        return code;
    }
    return 0;
}
