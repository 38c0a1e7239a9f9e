/* SPDX-License-Identifier: MIT */
#include "builder/core/tar.h"

#define USTAR_NAME_MAX   100
#define USTAR_PREFIX_MAX 155
#define USTAR_SIZE_MAX   077777777777ULL
#define MTIME            1
#define PAX_MAX          ((size_t)3 * TAR_PATH_MAX) /* two names, their keys and lengths */

/* The header block of POSIX.1-1988, all fields text. */
struct ustar {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char pad[12];
};

_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

/* Octal digits that fill the field but its last byte, which stays NUL. */
static void put_octal(char *field, size_t width, uint64_t value)
{
    for (size_t i = width - 1; i-- > 0;) {
        field[i] = (char)('0' + (value & 7));
        value >>= 3;
    }
}

static void put_checksum(struct ustar *h)
{
    unsigned sum = 0;
    unsigned char bytes[sizeof(*h)];

    memset(h->checksum, ' ', sizeof(h->checksum));
    memcpy(bytes, h, sizeof(*h));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        sum += bytes[i];
    }
    put_octal(h->checksum, sizeof(h->checksum) - 1, sum);
    h->checksum[6] = '\0';
}

/* Put path into name, or split at a slash into prefix and name; false when neither fits. */
static bool put_path(struct ustar *h, struct deis_str path)
{
    if (path.len <= USTAR_NAME_MAX) {
        memcpy(h->name, path.ptr, path.len);
        return true;
    }
    for (size_t i = path.len > USTAR_PREFIX_MAX ? USTAR_PREFIX_MAX : path.len - 1; i > 0; i--) {
        size_t tail = path.len - i - 1;
        if (path.ptr[i] == '/' && tail > 0 && tail <= USTAR_NAME_MAX) {
            memcpy(h->prefix, path.ptr, i);
            memcpy(h->name, path.ptr + i + 1, tail);
            return true;
        }
    }
    return false;
}

static void add_block(struct ustar *h, struct deis_buf *out)
{
    memcpy(h->magic, "ustar", 6);
    memcpy(h->version, "00", 2);
    put_octal(h->uid, sizeof(h->uid), 0);
    put_octal(h->gid, sizeof(h->gid), 0);
    put_octal(h->mtime, sizeof(h->mtime), MTIME);
    put_checksum(h);
    deis_buf_add(out, h, sizeof(*h));
}

static void add_zeros(struct deis_buf *out, size_t n)
{
    static const char zeros[TAR_BLOCK];

    deis_buf_add(out, zeros, n);
}

/* "<length> <key>=<value>\n", where length counts itself. */
static void add_pax_record(struct deis_buf *out, const char *key, struct deis_str value)
{
    size_t rest = strlen(key) + value.len + 3;
    size_t total = rest + 1;

    for (;;) {
        char digits[24];
        size_t want = rest + (size_t)snprintf(digits, sizeof(digits), "%zu", total);
        if (want == total) {
            break;
        }
        total = want;
    }
    deis_buf_addf(out, "%zu %s=", total, key);
    deis_buf_add_str(out, value);
    deis_buf_add_char(out, '\n');
}

static void add_pax_header(struct deis_str records, struct deis_buf *out)
{
    struct ustar h = { .name = "PaxHeaders/entry", .type = 'x' };

    put_octal(h.mode, sizeof(h.mode), 0644);
    put_octal(h.size, sizeof(h.size), records.len);
    add_block(&h, out);
    deis_buf_add_str(out, records);
    add_zeros(out, tar_padding(records.len));
}

int tar_add_header(const struct tar_entry *e, struct deis_buf *out, struct deis_err *err)
{
    static const struct {
        char type;
        unsigned mode;
    } kinds[] = {
        [TAR_FILE] = { '0', 0644 },
        [TAR_EXECUTABLE] = { '0', 0755 },
        [TAR_SYMLINK] = { '2', 0777 },
        [TAR_DIRECTORY] = { '5', 0755 },
    };
    struct ustar h = { .type = kinds[e->kind].type };
    deis_autobuf struct deis_buf pax = DEIS_BUF_INIT(PAX_MAX);

    if (e->path.len == 0 || e->path.len > TAR_PATH_MAX || e->link.len > TAR_PATH_MAX) {
        return deis_err_set(err, DEIS_LIMIT,
                            "path or link target of %zu bytes, allowed are 1 to %d",
                            e->path.len > e->link.len ? e->path.len : e->link.len, TAR_PATH_MAX);
    }
    if (!put_path(&h, e->path)) {
        add_pax_record(&pax, "path", e->path);
        memcpy(h.name, e->path.ptr, USTAR_NAME_MAX);
    }
    if (e->link.len > sizeof(h.link)) {
        add_pax_record(&pax, "linkpath", e->link);
    }
    if (e->link.len > 0) {
        memcpy(h.link, e->link.ptr, e->link.len > sizeof(h.link) ? sizeof(h.link) : e->link.len);
    }
    if (e->size > USTAR_SIZE_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "file of %llu bytes", (unsigned long long)e->size);
    }
    if (pax.len > 0) {
        add_pax_header(deis_buf_str(&pax), out);
    }
    put_octal(h.mode, sizeof(h.mode), kinds[e->kind].mode);
    put_octal(h.size, sizeof(h.size), e->size);
    add_block(&h, out);
    return DEIS_OK;
}

size_t tar_padding(uint64_t size)
{
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

void tar_add_end(struct deis_buf *out)
{
    add_zeros(out, TAR_BLOCK);
    add_zeros(out, TAR_BLOCK);
}
