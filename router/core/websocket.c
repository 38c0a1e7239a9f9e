/* SPDX-License-Identifier: MIT */
#include "router/core/websocket.h"

#include "lib/wire/b64.h"

#include <openssl/evp.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* section 1.3 */

enum { SHA1_LEN = 20 };

void websocket_key(const uint64_t random[2], char out[WEBSOCKET_KEY_LEN + 1])
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(64);
    char bytes[16];

    memcpy(bytes, random, sizeof(bytes));
    deis_b64_encode(deis_str_n(bytes, sizeof(bytes)), &text);
    memcpy(out, text.data, WEBSOCKET_KEY_LEN + 1);
}

bool websocket_accept(const struct deis_h1_head *request, char out[WEBSOCKET_ACCEPT_LEN + 1])
{
    const struct deis_h1_header *key = deis_h1_find(request, "sec-websocket-key");
    deis_autobuf struct deis_buf input = DEIS_BUF_INIT(128);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(64);
    uint8_t digest[SHA1_LEN];

    if (!key || key->value.len != WEBSOCKET_KEY_LEN) {
        return false;
    }
    deis_buf_addf(&input, "%.*s" GUID, DEIS_STR_ARG(key->value));
    if (deis_buf_failed(&input) ||
        EVP_Digest(input.data, input.len, digest, NULL, EVP_sha1(), NULL) != 1) {
        return false;
    }
    deis_b64_encode(deis_str_n((const char *)digest, sizeof(digest)), &text);
    memcpy(out, text.data, WEBSOCKET_ACCEPT_LEN + 1);
    return true;
}

bool websocket_is_accepted(const struct deis_h1_head *request, const struct deis_h1_head *answer)
{
    const struct deis_h1_header *accept = deis_h1_find(answer, "sec-websocket-accept");
    char expected[WEBSOCKET_ACCEPT_LEN + 1];

    return accept && deis_h1_has_token(answer, "upgrade", "websocket") &&
           websocket_accept(request, expected) && deis_str_eq_cstr(accept->value, expected);
}
