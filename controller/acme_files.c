/* SPDX-License-Identifier: MIT */
/* The folder of the ACME client. */
#include "controller/acme.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 8 };

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)remove(path);
    return 0;
}

void acme_files_remove(const char *dir)
{
    (void)nftw(dir, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS);
}

int acme_files_make(const char *dir, struct deis_err *err)
{
    deis_autofree char *private_dir = deis_asprintf("%s/private", dir);

    acme_files_remove(dir);
    if (mkdir(dir, 0700) < 0 || mkdir(private_dir, 0700) < 0) {
        return deis_err_errno(err, errno, "can't make '%s'", dir);
    }
    return 0;
}

int acme_files_read(const char *dir, const char *name, size_t max, struct deis_buf *ret,
                    struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/%s", dir, name);
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = -1;

    deis_buf_init(ret, max);
    while (fd >= 0) {
        char *room = deis_buf_reserve(ret, 4096);
        n = room ? read(fd, room, 4096) : -1;
        if (n <= 0) {
            break;
        }
        deis_buf_added(ret, (size_t)n);
    }
    if (deis_buf_failed(ret)) {
        return deis_err_set(err, DEIS_LIMIT, "'%s' is longer than %zu bytes", name, max);
    }
    return n < 0 ? deis_err_errno(err, errno, "can't read '%s'", name) : 0;
}

int acme_files_write(const char *dir, const char *name, struct deis_str text, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/%s", dir, name);
    deis_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't write '%s'", name);
    }
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0) {
            return deis_err_errno(err, errno, "can't write '%s'", name);
        }
        text = deis_str_skip(text, (size_t)n);
    }
    return 0;
}
