/* SPDX-License-Identifier: MIT */
/* Public SSH keys as a user sends them. */
#include "controller/core/sshkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    deis_autobuf struct deis_buf blob = DEIS_BUF_INIT(SSHKEY_TEXT_MAX);
    deis_autofree char *text = deis_str_dup(deis_str_n((const char *)data, size));
    deis_autofree char *plain = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    if (sshkey_parse(text, &blob, &plain, &err) < 0 && err.msg[0] == '\0') {
        abort(); /* a refusal says why */
    }
    return 0;
}
