/* SPDX-License-Identifier: MIT */
#include "lib/crypto/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

struct deis_keys {
    char *path; /* NULL: fixed */
    pthread_mutex_t lock;
    struct deis_keyring ring;
    unsigned version;
    struct stat seen; /* of the file, when it was read last */
};

static int check_file(const char *path, const struct stat *st, struct deis_err *err)
{
    if (!S_ISREG(st->st_mode)) {
        return deis_err_set(err, DEIS_INVALID, "cluster key '%s' is no regular file", path);
    }
    if ((st->st_mode & 0137) != 0) {
        return deis_err_set(err, DEIS_INVALID,
                            "cluster key '%s' has mode %04o, others may read or change it: "
                            "it must be 0600 or 0640",
                            path, (unsigned)(st->st_mode & 07777));
    }
    return 0;
}

static int read_file(const char *path, char *text, size_t size, size_t *ret_len,
                     struct stat *ret_st, struct deis_err *err)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t len = 0;
    ssize_t n = 1;

    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open the cluster key '%s'", path);
    }
    if (fstat(fd, ret_st) < 0) {
        return deis_err_errno(err, errno, "can't look at the cluster key '%s'", path);
    }
    int r = check_file(path, ret_st, err);
    while (r == 0 && n > 0 && len < size) {
        n = read(fd, text + len, size - len);
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n < 0) {
            r = deis_err_errno(err, errno, "can't read the cluster key '%s'", path);
        } else {
            len += (size_t)n;
        }
    }
    *ret_len = len;
    return r;
}

static int load(const char *path, struct deis_keyring *ret, struct stat *ret_st,
                struct deis_err *err)
{
    char text[DEIS_KEYRING_TEXT + 1];
    size_t len = 0;
    int r = read_file(path, text, sizeof(text), &len, ret_st, err);

    if (r == 0) {
        r = deis_keyring_parse(deis_str_n(text, len), ret, err);
        if (r < 0) {
            deis_err_wrap(err, "cluster key '%s'", path);
        }
    }
    OPENSSL_cleanse(text, sizeof(text));
    return r;
}

int deis_keyring_load(const char *path, struct deis_keyring *ret, struct deis_err *err)
{
    struct stat st;

    return load(path, ret, &st, err);
}

struct deis_keys *deis_keys_open(const char *path, struct deis_err *err)
{
    struct deis_keys *k = deis_alloc(sizeof(*k));

    if (load(path, &k->ring, &k->seen, err) < 0) {
        free(k);
        return NULL;
    }
    k->path = deis_strdup(path);
    k->version = 1;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

struct deis_keys *deis_keys_fixed(const struct deis_key *key)
{
    struct deis_keys *k = deis_alloc(sizeof(*k));

    k->ring.count = 1;
    k->ring.keys[0] = *key;
    k->version = 1;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

void deis_keys_free(struct deis_keys *k)
{
    if (k) {
        deis_keyring_clear(&k->ring);
        pthread_mutex_destroy(&k->lock);
        free(k->path);
        free(k);
    }
}

const char *deis_keys_path(const struct deis_keys *k)
{
    return k->path;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool same_keys(const struct deis_keyring *a, const struct deis_keyring *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (CRYPTO_memcmp(a->keys[i].bytes, b->keys[i].bytes, sizeof(a->keys[i].bytes)) != 0) {
            return false;
        }
    }
    return true;
}

int deis_keys_refresh(struct deis_keys *k, struct deis_err *err)
{
    struct deis_keyring ring;
    struct stat st;

    if (!k->path) {
        return 0;
    }
    if (stat(k->path, &st) < 0) {
        return deis_err_errno(err, errno, "can't look at the cluster key '%s'", k->path);
    }
    pthread_mutex_lock(&k->lock);
    bool same = same_file(&st, &k->seen);
    pthread_mutex_unlock(&k->lock);
    if (same) {
        return 0;
    }
    int r = load(k->path, &ring, &st, err);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&k->lock);
    k->seen = st;
    bool changed = !same_keys(&ring, &k->ring);
    if (changed) {
        k->ring = ring;
        k->version++;
    }
    pthread_mutex_unlock(&k->lock);
    deis_keyring_clear(&ring);
    return changed ? 1 : 0;
}

unsigned deis_keys_version(struct deis_keys *k)
{
    pthread_mutex_lock(&k->lock);
    unsigned version = k->version;
    pthread_mutex_unlock(&k->lock);
    return version;
}

unsigned deis_keys_get(struct deis_keys *k, struct deis_keyring *ret)
{
    pthread_mutex_lock(&k->lock);
    *ret = k->ring;
    unsigned version = k->version;
    pthread_mutex_unlock(&k->lock);
    return version;
}

char **deis_keys_ids(struct deis_keys *k)
{
    struct deis_keyring ring;
    char id[DEIS_KEY_ID_TEXT];

    deis_keys_get(k, &ring);
    char **ids = deis_alloc((ring.count + 1) * sizeof(*ids));
    for (size_t i = 0; i < ring.count; i++) {
        deis_key_id_text(&ring.keys[i], id);
        ids[i] = deis_strdup(id);
    }
    deis_keyring_clear(&ring);
    return ids;
}

void deis_keys_seal(struct deis_keys *k, struct deis_str aad, struct deis_str plain,
                    struct deis_buf *out)
{
    struct deis_keyring ring;

    deis_keys_get(k, &ring);
    deis_seal(&ring.keys[0], aad, plain, out);
    deis_keyring_clear(&ring);
}

int deis_keys_unseal(struct deis_keys *k, struct deis_str aad, struct deis_str sealed,
                     struct deis_buf *out, struct deis_err *err)
{
    struct deis_keyring ring;

    deis_keys_get(k, &ring);
    int r = deis_keyring_unseal(&ring, aad, sealed, out, err);
    deis_keyring_clear(&ring);
    return r;
}
