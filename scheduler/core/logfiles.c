/* SPDX-License-Identifier: MIT */
#include "scheduler/core/logfiles.h"

static bool find(const struct logfile *files, size_t count, uint64_t inode, size_t *ret)
{
    for (size_t i = 0; i < count && inode != 0; i++) {
        if (files[i].inode == inode) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool oldest(const struct logfile *files, size_t count, size_t *ret)
{
    while (count > 0 && files[count - 1].inode == 0) {
        count--;
    }
    *ret = count > 0 ? count - 1 : 0;
    return count > 0;
}

enum logfiles_step logfiles_next(const struct logfile *files, size_t count, uint64_t inode,
                                 uint64_t successor, size_t *ret)
{
    size_t at;

    if (inode == 0) {
        return oldest(files, count, ret) ? LOGFILES_NEXT : LOGFILES_NONE;
    }
    if (find(files, count, inode, &at)) {
        if (at == 0 || files[at - 1].inode == 0) { /* or between the rename and the new file */
            return LOGFILES_STAY;
        }
        *ret = at - 1;
        return LOGFILES_NEXT;
    }
    if (find(files, count, successor, ret)) {
        return LOGFILES_NEXT;
    }
    return oldest(files, count, ret) ? LOGFILES_GAP : LOGFILES_NONE;
}

uint64_t logfiles_hash(struct deis_str head)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < head.len; i++) {
        h = (h ^ (unsigned char)head.ptr[i]) * 1099511628211u;
    }
    return h >> 1; /* fits a JSON integer */
}

json_t *logplace_format(const struct logplace *p)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "inode", (json_int_t)p->inode, "base",
                     (json_int_t)p->base, "offset", (json_int_t)p->offset, "head_len",
                     (json_int_t)p->head_len, "head_hash", (json_int_t)p->head_hash);
}

int logplace_parse(const json_t *obj, struct logplace *ret, struct deis_err *err)
{
    uint64_t head_len;
    int r;

    *ret = (struct logplace){ 0 };
    if ((r = deis_json_get_u64(obj, "inode", &ret->inode, err)) < 0 ||
        (r = deis_json_get_u64(obj, "base", &ret->base, err)) < 0 ||
        (r = deis_json_get_u64(obj, "offset", &ret->offset, err)) < 0 ||
        (r = deis_json_get_u64(obj, "head_len", &head_len, err)) < 0 ||
        (r = deis_json_get_u64(obj, "head_hash", &ret->head_hash, err)) < 0) {
        return r;
    }
    if (head_len > LOGFILES_HEAD_MAX) {
        return deis_err_set(err, DEIS_INVALID, "field 'head_len' is too large");
    }
    ret->head_len = (uint32_t)head_len;
    return 0;
}
