/* SPDX-License-Identifier: MIT */
#include "builder/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(const char *path, struct deis_buf *out, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    for (;;) {
        char data[4096];
        ssize_t n = read(fd, data, sizeof(data));
        if (n < 0 && errno != EINTR) {
            return deis_err_errno(err, errno, "can't read '%s'", path);
        }
        if (n == 0) {
            break;
        }
        if (n > 0) {
            deis_buf_add(out, data, (size_t)n);
        }
        if (deis_buf_failed(out)) {
            return deis_err_set(err, DEIS_LIMIT, "'%s' is over %zu bytes", path, out->max_bytes);
        }
    }
    return DEIS_OK;
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
    return 0;
}

int file_replace(const char *path, struct deis_str text, struct deis_err *err)
{
    deis_autofree char *temporary = deis_asprintf("%s.%d.new", path, (int)getpid());
    deis_autoclose int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't create '%s'", temporary);
    }
    if (write_all(fd, text) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0) {
        int code = deis_err_errno(err, errno, "can't write '%s'", path);
        unlink(temporary);
        return code;
    }
    return DEIS_OK;
}

int folder_make(const char *path, struct deis_err *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return deis_err_errno(err, errno, "can't make folder '%s'", path);
    }
    return DEIS_OK;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int folder_remove(const char *path, struct deis_err *err)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return deis_err_errno(err, errno, "can't remove '%s'", path);
    }
    return DEIS_OK;
}

void folder_each(const char *path, void (*fn)(const char *name, void *arg), void *arg)
{
    DIR *dir = opendir(path);

    if (!dir) {
        return;
    }
    const struct dirent *e;
    while ((e = readdir(dir)) != NULL) {
        if (e->d_name[0] != '.') {
            fn(e->d_name, arg);
        }
    }
    closedir(dir);
}
