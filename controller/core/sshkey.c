/* SPDX-License-Identifier: MIT */
#include "controller/core/sshkey.h"

#include "lib/wire/b64.h"

/* Take a length-prefixed string off *in. */
static bool take_string(struct deis_str *in, struct deis_str *ret)
{
    const unsigned char *p = (const unsigned char *)in->ptr;

    if (in->len < 4) {
        return false;
    }
    size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (len > in->len - 4) {
        return false;
    }
    *ret = deis_str_n(in->ptr + 4, len);
    *in = deis_str_skip(*in, 4 + len);
    return true;
}

static bool rsa_fits(struct deis_str rest, struct deis_err *err)
{
    struct deis_str e, n;

    if (!take_string(&rest, &e) || !take_string(&rest, &n) || rest.len != 0 || e.len == 0) {
        return false;
    }
    while (n.len > 0 && n.ptr[0] == '\0') {
        n = deis_str_skip(n, 1);
    }
    if (n.len < 128 || n.len > 2048) {
        deis_err_set(err, DEIS_INVALID, "RSA keys must have 1024 to 16384 bits");
        return false;
    }
    return true;
}

static bool ecdsa_fits(struct deis_str *rest, const char *curve, size_t point_len)
{
    struct deis_str name, point;

    return take_string(rest, &name) && deis_str_eq_cstr(name, curve) && take_string(rest, &point) &&
           point.len == point_len && point.ptr[0] == 4;
}

static bool ed25519_fits(struct deis_str *rest)
{
    struct deis_str point;

    return take_string(rest, &point) && point.len == 32;
}

static bool application_fits(struct deis_str *rest)
{
    struct deis_str application;

    return take_string(rest, &application) && application.len > 0;
}

/* Is what follows the type word in the blob a key of that type? */
static bool blob_fits(struct deis_str type, struct deis_str rest, struct deis_err *err)
{
    bool fits = false;

    if (deis_str_eq_cstr(type, "ssh-rsa")) {
        return rsa_fits(rest, err);
    }
    if (deis_str_eq_cstr(type, "ssh-ed25519")) {
        fits = ed25519_fits(&rest);
    } else if (deis_str_eq_cstr(type, "ecdsa-sha2-nistp256")) {
        fits = ecdsa_fits(&rest, "nistp256", 65);
    } else if (deis_str_eq_cstr(type, "ecdsa-sha2-nistp384")) {
        fits = ecdsa_fits(&rest, "nistp384", 97);
    } else if (deis_str_eq_cstr(type, "ecdsa-sha2-nistp521")) {
        fits = ecdsa_fits(&rest, "nistp521", 133);
    } else if (deis_str_eq_cstr(type, "sk-ssh-ed25519@openssh.com")) {
        fits = ed25519_fits(&rest) && application_fits(&rest);
    } else if (deis_str_eq_cstr(type, "sk-ecdsa-sha2-nistp256@openssh.com")) {
        fits = ecdsa_fits(&rest, "nistp256", 65) && application_fits(&rest);
    } else {
        deis_err_set(err, DEIS_INVALID, "Key type '%.*s' is not supported",
                     DEIS_STR_ARG(deis_str_first(type, 64)));
    }
    return fits && rest.len == 0;
}

int sshkey_parse(const char *text, struct deis_buf *ret_blob, char **ret_plain,
                 struct deis_err *err)
{
    struct deis_str line = deis_str_trim(deis_str(text));
    struct deis_str type, body;

    if (line.len > SSHKEY_TEXT_MAX || deis_str_find(line, '\n') >= 0 ||
        deis_str_find(line, '\r') >= 0) {
        return deis_err_set(err, DEIS_INVALID, "The key must be one line of at most %d characters",
                            SSHKEY_TEXT_MAX);
    }
    if (!deis_str_split(&line, ' ', &type) || !deis_str_split(&line, ' ', &body) || body.len == 0) {
        return deis_err_set(err, DEIS_INVALID, "The key must be a type word and a base64 text");
    }
    size_t before = ret_blob->len;
    if (deis_b64_decode(body, ret_blob, NULL) < 0 || deis_buf_failed(ret_blob)) {
        return deis_err_set(err, DEIS_INVALID, "Incorrect padding");
    }
    struct deis_str blob = deis_str_skip(deis_buf_str(ret_blob), before);
    struct deis_str inner;
    if (!take_string(&blob, &inner) || !deis_str_eq(inner, type)) {
        return deis_err_set(err, DEIS_INVALID, "The type word and the key do not agree");
    }
    deis_err_set(err, DEIS_INVALID, "The key is damaged");
    if (!blob_fits(type, blob, err)) {
        return DEIS_INVALID;
    }
    *ret_plain = deis_asprintf("%.*s %.*s", DEIS_STR_ARG(type), DEIS_STR_ARG(body));
    return DEIS_OK;
}

void sshkey_format_md5(const uint8_t digest[16], char out[48])
{
    for (size_t i = 0; i < 16; i++) {
        snprintf(out + 3 * i, 48 - 3 * i, "%02x%s", digest[i], i < 15 ? ":" : "");
    }
}
