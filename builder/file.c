/* SPDX-License-Identifier: MIT */
#include "builder/file.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

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
