/* SPDX-License-Identifier: MIT */
#include "deisctl/keyfile.h"

#include "lib/net/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *keyfile_default(void)
{
    const char *env = getenv("DEISCTL_KEY_FILE");

    return env && *env ? env : KEYFILE_DEFAULT;
}

/* The folder, locked: a lock on the file itself would go with it. */
static int lock_folder(const char *path, struct deis_err *err)
{
    const char *slash = strrchr(path, '/');
    deis_autofree char *folder =
        !slash ? deis_strdup(".") : deis_str_dup(deis_str_n(path, (size_t)(slash - path) + 1));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", folder);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int code = errno == EWOULDBLOCK
                       ? deis_err_set(err, DEIS_CONFLICT, "another deisctl is changing '%s'", path)
                       : deis_err_errno(err, errno, "can't lock '%s'", folder);
        close(fd);
        return code;
    }
    return fd;
}

static int replace(const char *path, int folder, struct deis_str text, struct deis_err *err)
{
    deis_autofree char *temp = deis_asprintf("%s.new", path);
    struct stat st;

    if (stat(path, &st) < 0) {
        return deis_err_errno(err, errno, "can't look at '%s'", path);
    }
    if (unlink(temp) < 0 && errno != ENOENT) { /* of one that was killed */
        return deis_err_errno(err, errno, "can't remove '%s'", temp);
    }
    deis_autoclose int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return deis_err_errno(err, errno, "can't make '%s'", temp);
    }
    if (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 0640) < 0 ||
        deis_write_all(fd, text) < 0 || fsync(fd) < 0 || rename(temp, path) < 0 ||
        fsync(folder) < 0) {
        int code = deis_err_errno(err, errno, "can't write '%s'", path);
        (void)unlink(temp);
        return code;
    }
    return 0;
}

int keyfile_change(const char *path,
                   int (*change)(struct deis_keyring *ring, void *arg, struct deis_err *err),
                   void *arg, struct deis_keyring *ret, struct deis_err *err)
{
    struct deis_keyring ring = { 0 };
    struct deis_buf text = DEIS_BUF_INIT(DEIS_KEYRING_TEXT);
    int lock = lock_folder(path, err);

    if (lock < 0) {
        return lock;
    }
    int r = deis_keyring_load(path, &ring, err);
    if (r == 0) {
        r = change(&ring, arg, err);
    }
    if (r == 0) {
        deis_keyring_format(&ring, &text);
        r = replace(path, lock, deis_buf_str(&text), err);
    }
    if (r == 0 && ret) {
        *ret = ring;
    }
    if (text.data) {
        OPENSSL_cleanse(text.data, text.len);
    }
    deis_buf_clear(&text);
    deis_keyring_clear(&ring);
    close(lock);
    return r;
}
