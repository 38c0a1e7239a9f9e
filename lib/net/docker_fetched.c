/* SPDX-License-Identifier: MIT */
#include "lib/net/docker_fetched.h"

#include "lib/base/clock.h"
#include "lib/crypto/secret.h"
#include "lib/net/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE_MAX_BYTES 1024 /* "<id> <image>" */

/* --- notes: their time is that of the last use --- */

static char *path_of(const char *folder, const char *image)
{
    char name[65];

    deis_sha256_hex(deis_str(image), name);
    return deis_asprintf("%s/%s", folder, name);
}

static bool touch(const char *path)
{
    return utimensat(AT_FDCWD, path, NULL, 0) == 0;
}

static uint64_t age_ms(const char *path)
{
    struct stat st;
    uint64_t now = deis_wall_ms();

    if (stat(path, &st) < 0) {
        return 0;
    }
    uint64_t used = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
    return now > used ? now - used : 0;
}

static int take_note(const char *folder, const char *image, const json_t *info,
                     struct deis_err *err)
{
    deis_autofree char *path = path_of(folder, image);
    const char *id = NULL;

    int rc = deis_json_get_str(info, "Id", &id, err);
    if (rc < 0) {
        return rc;
    }
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        return deis_err_errno(err, errno, "can't make the folder '%s'", folder);
    }
    deis_autofree char *text = deis_asprintf("%s %s", id, image);
    return deis_file_replace(path, deis_str(text), 0600, err);
}

int deis_fetched_get(struct deis_docker *d, const char *folder, const char *image,
                     const struct deis_docker_transfer *t, json_t **ret_info, struct deis_err *err)
{
    deis_autofree char *path = path_of(folder, image);
    deis_autojson json_t *info = NULL;

    int rc = deis_docker_image_inspect(d, image, &info, err);
    if (rc == DEIS_OK) {
        touch(path);
    } else if (rc == DEIS_NOT_FOUND) {
        *err = (struct deis_err)DEIS_ERR_INIT;
        rc = deis_docker_pull(d, image, t, err);
        if (rc == DEIS_OK) {
            rc = deis_docker_image_inspect(d, image, &info, err);
        }
        if (rc == DEIS_OK) {
            rc = take_note(folder, image, info, err);
        }
    }
    if (rc == DEIS_OK && ret_info) {
        *ret_info = DEIS_TAKE(info);
    }
    return rc;
}

/* --- the sweep --- */

/* Remove an image that is still the one that was fetched under this name. */
static int forget(struct deis_docker *d, const char *image, struct deis_str id, unsigned *removed,
                  struct deis_err *err)
{
    deis_autojson json_t *info = NULL;
    const char *found = NULL;

    int rc = deis_docker_image_inspect(d, image, &info, err);
    if (rc == DEIS_OK) {
        rc = deis_json_get_str(info, "Id", &found, err);
    }
    if (rc < 0 || !deis_str_eq_cstr(id, found)) {
        return rc == DEIS_NOT_FOUND ? DEIS_OK : rc;
    }
    rc = deis_docker_image_remove(d, image, err);
    *removed += rc == DEIS_OK;
    return rc;
}

static int sweep_one(struct deis_docker *d, const char *path, unsigned *removed,
                     struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(NOTE_MAX_BYTES);
    struct deis_str rest, id;

    int rc = deis_file_read(path, &text, err);
    if (rc < 0) {
        return rc;
    }
    rest = deis_buf_str(&text);
    deis_str_split(&rest, ' ', &id);
    deis_autofree char *image = deis_str_dup(rest);
    rc = *image ? forget(d, image, id, removed, err) : DEIS_OK;
    if (rc == DEIS_CONFLICT) { /* a container has it */
        touch(path);
        return DEIS_OK;
    }
    if (rc == DEIS_OK) {
        unlink(path);
    }
    return rc;
}

int deis_fetched_sweep(struct deis_docker *d, const char *folder, uint64_t kept_ms,
                       unsigned *ret_removed, struct deis_err *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *e;
    int rc = DEIS_OK;

    *ret_removed = 0;
    if (!dir) {
        return errno == ENOENT ? DEIS_OK : deis_err_errno(err, errno, "can't open '%s'", folder);
    }
    while ((e = readdir(dir)) != NULL) {
        deis_autofree char *path = deis_asprintf("%s/%s", folder, e->d_name);
        struct deis_err why = DEIS_ERR_INIT;
        if (e->d_name[0] != '.' && age_ms(path) >= kept_ms &&
            sweep_one(d, path, ret_removed, &why) < 0) {
            rc = deis_err_set(err, why.code, "%s", why.msg); /* of the last; the others may go */
        }
    }
    closedir(dir);
    return rc;
}
