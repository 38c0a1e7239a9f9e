/* SPDX-License-Identifier: MIT */
#include "registry-proxy/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

int disk_sync_parent(const char *path, struct deis_err *err)
{
    char dir[DISK_PATH_BYTES];

    snprintf(dir, sizeof(dir), "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash) {
        slash[slash == dir ? 1 : 0] = '\0';
    } else {
        snprintf(dir, sizeof(dir), ".");
    }
    deis_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return deis_err_errno(err, errno, "can't sync the folder '%s'", dir);
    }
    return 0;
}

int disk_make_folders(char *path, struct deis_err *err)
{
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        int r = mkdir(path, 0700);
        int errnum = errno;
        if (r == 0) {
            r = disk_sync_parent(path, err);
        } else if (errnum == EEXIST) {
            r = 0;
        } else {
            r = deis_err_errno(err, errnum, "can't make the folder '%s'", path);
        }
        *p = '/';
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int disk_write_all(int fd, struct deis_str data, struct deis_err *err)
{
    while (data.len > 0) {
        ssize_t n = write(fd, data.ptr, data.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return deis_err_errno(err, errno, "registry storage: write failed");
        }
        data = deis_str_skip(data, (size_t)n);
    }
    return 0;
}

int disk_read_small(const char *path, char *out, size_t size, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    ssize_t n = read(fd, out, size - 1);
    if (n < 0) {
        return deis_err_errno(err, errno, "can't read '%s'", path);
    }
    out[n] = '\0';
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

int disk_remove_tree(const char *path, struct deis_err *err)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT) {
        return deis_err_errno(err, errno, "can't remove '%s'", path);
    }
    return 0;
}

int disk_open_folder(const char *path, DIR **ret, struct deis_err *err)
{
    *ret = opendir(path);
    if (!*ret && errno != ENOENT) {
        return deis_err_errno(err, errno, "can't open the folder '%s'", path);
    }
    return 0;
}

void disk_close_folder(DIR *dir)
{
    if (dir) {
        closedir(dir);
    }
}
