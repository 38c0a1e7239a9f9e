/* SPDX-License-Identifier: MIT */
/*
 * The first byte is the kind, then a path and behind the first newline a link target: whole blocks
 * come out, the name can be read back, and an accepted link does not leave the tree. The same bytes
 * also run through the formatter of build output, which must leave no control byte.
 */
#include "builder/core/push_output.h"
#include "builder/core/tar.h"
#include "builder/core/tree_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_link(struct deis_str path, struct deis_str target)
{
    long depth = 0;
    struct deis_str part;

    if (!tree_path_link_ok(path, target)) {
        return;
    }
    for (size_t i = 0; i < path.len; i++) {
        depth += path.ptr[i] == '/';
    }
    while (deis_str_split(&target, '/', &part)) {
        depth -= deis_str_eq_cstr(part, "..");
        if (depth < 0) {
            abort();
        }
    }
}

static void check_output(struct deis_str text)
{
    struct push_output o = { 0 };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(16u << 20);

    push_output_feed(&o, text, &out);
    push_output_flush(&o, &out);
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(64 * 1024);
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str link = deis_str_n((const char *)data, size);
    struct deis_str path = DEIS_STR_NONE;

    check_output(link);
    if (size == 0) {
        return 0;
    }
    link = deis_str_skip(link, 1);
    deis_str_split(&link, '\n', &path);
    check_link(path, link);
    struct tar_entry e = { (enum tar_kind)(data[0] % 4), path, link, data[0] };
    if (tar_add_header(&e, &out, &err) == DEIS_OK) {
        if (out.len % TAR_BLOCK != 0 || deis_buf_failed(&out)) {
            abort();
        }
        if (path.len <= 100 && link.len <= 100 && memcmp(out.data, path.ptr, path.len) != 0) {
            abort();
        }
    }
    return 0;
}
