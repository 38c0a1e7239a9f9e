/* SPDX-License-Identifier: MIT */
#include "tests/integration/scheduler/image.h"

#include "tests/support/test.h"

#include "lib/net/httpc.h"

#include <stdio.h>

static void tar_add(struct deis_buf *tar, const char *name, struct deis_str content)
{
    char head[512] = { 0 };
    unsigned sum = 0;

    snprintf(head, 100, "%s", name);
    snprintf(head + 100, 8, "%07o", 0755u);
    snprintf(head + 108, 8, "%07o", 0u);
    snprintf(head + 116, 8, "%07o", 0u);
    snprintf(head + 124, 12, "%011zo", content.len);
    snprintf(head + 136, 12, "%011o", 0u);
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof(head); i++) {
        sum += (unsigned char)head[i];
    }
    snprintf(head + 148, 8, "%06o", sum);
    deis_buf_add(tar, head, sizeof(head));
    deis_buf_add_str(tar, content);
    memset(head, 0, sizeof(head));
    deis_buf_add(tar, head, (512 - content.len % 512) % 512);
}

void image_import(const char *socket_path, const char *name)
{
    static char zero[1024];
    static const char *const headers[] = { "Content-Type: application/x-tar", NULL };
    deis_autobuf struct deis_buf busybox = DEIS_BUF_INIT(8 << 20);
    deis_autobuf struct deis_buf tar = DEIS_BUF_INIT(10 << 20);
    deis_autofree char *url =
        deis_asprintf("http://docker/v1.41/images/create?fromSrc=-&repo=%s", name);
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    FILE *f = fopen(IMAGE_BUSYBOX, "rb");

    assert_non_null(f);
    for (size_t n = 1; n > 0;) {
        char *room = deis_buf_reserve(&busybox, 65536);
        assert_non_null(room);
        n = fread(room, 1, 65536, f);
        deis_buf_added(&busybox, n);
    }
    fclose(f);
    tar_add(&tar, "bin/busybox", deis_buf_str(&busybox));
    tar_add(&tar, "bin/sh", deis_buf_str(&busybox));
    deis_buf_add(&tar, zero, sizeof(zero));
    struct deis_httpc_request req = { .method = "POST",
                                      .url = url,
                                      .unix_socket = socket_path,
                                      .headers = headers,
                                      .body = deis_buf_str(&tar),
                                      .timeout_ms = 60000 };
    struct deis_httpc *client = deis_httpc_new();
    int rc = deis_httpc_call(client, &req, &answer, &err);
    deis_httpc_free(client);
    if (rc < 0 || answer.status != 200) {
        fail_msg("import: %s %s", err.msg, answer.body.data);
    }
}
