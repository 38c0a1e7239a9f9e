/* SPDX-License-Identifier: MIT */
#include "deisctl/secrets.h"

#include "lib/model/model.h"

#include <stdio.h>

#define VALUE_MAX_BYTES (256 * 1024)

const char *const secret_settings[] = { "router/sslKey", NULL };

bool secrets_is_secret(const char *component, struct deis_str name)
{
    for (const char *const *s = secret_settings; *s; s++) {
        struct deis_str rest = deis_str(*s);
        struct deis_str first;
        deis_str_split(&rest, '/', &first);
        if (deis_str_eq_cstr(first, component) && deis_str_eq(rest, name)) {
            return true;
        }
    }
    return false;
}

static int reseal(struct deis_etcd *etcd, const struct deis_keyring *ring, const char *name,
                  struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(VALUE_MAX_BYTES);
    deis_autofree char *place = deis_asprintf("config/%s", name);
    char key[DEIS_KEY_MAX];
    char id[DEIS_KEY_ID_TEXT];
    int r = deis_etcd_get(etcd, deis_key(key, "%s", place), &range, err);

    if (r == DEIS_NOT_FOUND) {
        return 0;
    }
    if (r < 0) {
        return r;
    }
    if (deis_sealed_key(range.kvs[0].value, id)) {
        r = deis_keyring_reseal(ring, deis_str(place), range.kvs[0].value, &out, err);
    } else {
        deis_seal(&ring->keys[0], deis_str(place), range.kvs[0].value, &out);
    }
    if (r != 0) {
        return r > 0 ? 0 : deis_err_wrap(err, "'%s'", name);
    }
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    deis_etcd_if_mod(txn, key, range.kvs[0].mod_revision);
    deis_etcd_then_put(txn, key, deis_buf_str(&out), 0);
    return deis_etcd_commit(etcd, txn, NULL, NULL, err);
}

int secrets_reseal(struct deis_etcd *etcd, const struct deis_keyring *ring, struct deis_err *err)
{
    int r = 0;

    for (const char *const *s = secret_settings; r == 0 && *s; s++) {
        r = reseal(etcd, ring, *s, err);
    }
    return r;
}
