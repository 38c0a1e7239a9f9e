/* SPDX-License-Identifier: MIT */
#include "lib/crypto/registry_login.h"

#include "lib/wire/b64.h"

#define PURPOSE   "registry"
#define TEXT_MAX  128 /* of user and password, also in base64 */
#define FIELD_MAX 256

static void add_credentials(const struct deis_key *key, struct deis_buf *out)
{
    char password[65];
    char text[TEXT_MAX];

    deis_key_derive_hex(key, PURPOSE, password);
    int n = snprintf(text, sizeof(text), DEIS_REGISTRY_USER ":%s", password);
    deis_b64_encode(deis_str_n(text, (size_t)n), out);
    explicit_bzero(password, sizeof(password));
    explicit_bzero(text, sizeof(text));
}

void deis_registry_password(struct deis_keys *k, char out[65])
{
    struct deis_keyring ring;

    deis_keys_get(k, &ring);
    deis_key_derive_hex(&ring.keys[0], PURPOSE, out);
    deis_keyring_clear(&ring);
}

void deis_registry_authorize(struct deis_keys *k, struct deis_buf *out)
{
    struct deis_keyring ring;

    deis_keys_get(k, &ring);
    deis_buf_add_cstr(out, "Authorization: Basic ");
    add_credentials(&ring.keys[0], out);
    deis_keyring_clear(&ring);
}

bool deis_registry_admits(struct deis_keys *k, struct deis_str authorization)
{
    struct deis_str credentials = authorization, scheme;
    struct deis_keyring ring;
    bool fits = false;

    deis_str_split(&credentials, ' ', &scheme);
    credentials = deis_str_trim(credentials);
    if (!deis_str_ieq_cstr(scheme, "basic") || credentials.len == 0) {
        return false;
    }
    deis_keys_get(k, &ring);
    for (size_t i = 0; i < ring.count; i++) {
        deis_autobuf struct deis_buf own = DEIS_BUF_INIT(FIELD_MAX);
        add_credentials(&ring.keys[i], &own);
        fits |= deis_secret_eq(credentials, deis_buf_str(&own));
    }
    deis_keyring_clear(&ring);
    return fits;
}
