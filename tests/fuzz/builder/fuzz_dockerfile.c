/* SPDX-License-Identifier: MIT */
/* Any bytes as a Dockerfile: what is written anew names no image but by the ids that were given
 * for it, read as the first one was. */
#include "builder/core/dockerfile.h"

#define SOME_ID "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int find(const char *reference, char ret_id[DOCKERFILE_ID_LEN + 1], void *arg,
                struct deis_err *err)
{
    const bool *second = arg;

    if (*second && strcmp(reference, SOME_ID) != 0) {
        abort();
    }
    memcpy(ret_id, SOME_ID, DOCKERFILE_ID_LEN + 1);
    return DEIS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf first = DEIS_BUF_INIT(4 * DOCKERFILE_MAX_BYTES);
    deis_autobuf struct deis_buf second = DEIS_BUF_INIT(4 * DOCKERFILE_MAX_BYTES);
    struct deis_str text = deis_str_n((const char *)data, size);
    bool again = false;

    if (dockerfile_rewrite(text, find, &again, &first, &err) < 0) {
        return err.msg[0] != '\0' ? 0 : (abort(), 0);
    }
    again = true;
    (void)!dockerfile_rewrite(deis_buf_str(&first), find, &again, &second, &err);
    dockerfile_trigger_ok(text);
    return 0;
}
