/* SPDX-License-Identifier: MIT */
#include "lib/crypto/keyring.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key file, and what is sealed: whatever is read is written the same way again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct deis_keyring fixed = { .count = 2, .keys = { { .id = { 1 } } } };
    struct deis_str input = deis_str_n((const char *)data, size);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(2 * DEIS_KEYRING_TEXT);
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(size + 64);
    struct deis_keyring ring, again;
    char id[DEIS_KEY_ID_TEXT];

    if (deis_keyring_parse(input, &ring, NULL) == DEIS_OK) {
        check(ring.count > 0 && ring.count <= DEIS_KEYRING_MAX);
        deis_keyring_format(&ring, &text);
        check(!deis_buf_failed(&text) && text.len <= DEIS_KEYRING_TEXT);
        check(deis_keyring_parse(deis_buf_str(&text), &again, NULL) == DEIS_OK);
        check(memcmp(&ring, &again, sizeof(ring)) == 0);
    }
    struct deis_str name = deis_sealed_name(input);
    check(name.len <= input.len);
    check(!deis_sealed_key(input, id) || name.len == 16);
    check(deis_keyring_unseal(&fixed, DEIS_STR("place"), input, &out, NULL) <= 0);
    return 0;
}
