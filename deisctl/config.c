/* SPDX-License-Identifier: MIT */
/* deisctl config <component> get <key>... | set <key>=<value>... | rm <key>... | list */
#include "deisctl/core/setting.h"
#include "deisctl/deisctl.h"
#include "deisctl/keyfile.h"
#include "deisctl/secrets.h"

#include "lib/model/model.h"

#include <errno.h>
#include <stdio.h>

#define VALUE_MAX_BYTES (64 * 1024)

/* A component or a key: parts of letters, digits, '-', '_', '.' joined by '/'. */
static bool is_config_name(struct deis_str s, bool slashes)
{
    if (s.len == 0 || s.len > 128 || s.ptr[0] == '/' || s.ptr[s.len - 1] == '/') {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.';
        if (!plain && !(slashes && c == '/' && s.ptr[i - 1] != '/')) {
            return false;
        }
    }
    return true;
}

static int check_key(struct deis_str key, struct deis_err *err)
{
    if (!is_config_name(key, true)) {
        return deis_err_set(err, DEIS_INVALID, "'%.*s' is no name of a setting",
                            (int)(key.len > 64 ? 64 : key.len), key.ptr);
    }
    return 0;
}

static int config_get(struct deis_etcd *etcd, const char *component, char **keys,
                      struct deis_err *err)
{
    for (; *keys; keys++) {
        char key[DEIS_KEY_MAX];
        deis_autorange struct deis_etcd_range range = { 0 };
        int r = check_key(deis_str(*keys), err);

        if (r == 0) {
            r = deis_etcd_get(etcd, deis_key(key, "config/%s/%s", component, *keys), &range, err);
        }
        if (r == DEIS_NOT_FOUND) {
            return deis_err_set(err, r, "%s/%s is not set", component, *keys);
        }
        if (r < 0) {
            return r;
        }
        printf("%.*s\n", DEIS_STR_ARG(range.kvs[0].value));
    }
    return 0;
}

static int check_pair(const char *pair, struct deis_str *ret_key, struct deis_str *ret_value,
                      struct deis_err *err)
{
    struct deis_str rest = deis_str(pair);

    deis_str_split(&rest, '=', ret_key);
    *ret_value = rest;
    if (!rest.ptr || rest.len == 0) {
        return deis_err_set(err, DEIS_INVALID, "'%.64s' is not of the form key=value", pair);
    }
    if (rest.len > VALUE_MAX_BYTES) {
        return deis_err_set(err, DEIS_LIMIT, "a value is longer than %d bytes", VALUE_MAX_BYTES);
    }
    return check_key(*ret_key, err);
}

/* Settings whose value is given as the name of a file: too long, or too secret, for a command line.
 */
static bool is_file_setting(const char *component, struct deis_str name)
{
    static const char *const settings[][2] = {
        { "router", "sslCert" },
        { "router", "sslKey" },
        { "controller", "acme/ca" },
    };

    for (size_t i = 0; i < DEIS_COUNT(settings); i++) {
        if (strcmp(component, settings[i][0]) == 0 && deis_str_eq_cstr(name, settings[i][1])) {
            return true;
        }
    }
    return false;
}

static int read_value(struct deis_str path, struct deis_buf *ret, struct deis_err *err)
{
    deis_autofree char *name = deis_str_dup(path);
    FILE *f = fopen(name, "re");

    if (!f) {
        return deis_err_errno(err, errno, "can't open '%s'", name);
    }
    char *p = deis_buf_reserve(ret, VALUE_MAX_BYTES + 1);
    size_t n = fread(p, 1, VALUE_MAX_BYTES + 1, f);
    int r = ferror(f) ? deis_err_errno(err, errno, "can't read '%s'", name) : 0;
    (void)fclose(f);
    if (r == 0 && n > VALUE_MAX_BYTES) {
        r = deis_err_set(err, DEIS_LIMIT, "'%s' is longer than %d bytes", name, VALUE_MAX_BYTES);
    }
    if (r == 0) {
        deis_buf_added(ret, n);
    }
    return r;
}

/* Secret ones are sealed, bound to their name. */
static int seal_value(const char *place, struct deis_str plain, struct deis_buf *ret,
                      struct deis_err *err)
{
    struct deis_key key;
    int r = deis_key_load(keyfile_default(), &key, err);

    if (r == 0) {
        deis_seal(&key, deis_str(place), plain, ret);
        explicit_bzero(&key, sizeof(key));
    }
    return r < 0 ? deis_err_wrap(err, "it is kept sealed (DEISCTL_KEY_FILE names the key file)")
                 : r;
}

static int put_file(struct deis_etcd_txn *txn, const char *component, struct deis_str name,
                    struct deis_str path, struct deis_err *err)
{
    struct deis_buf text = DEIS_BUF_INIT(2 * VALUE_MAX_BYTES);
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(4 * VALUE_MAX_BYTES);
    deis_autofree char *place = deis_asprintf("config/%s/%.*s", component, DEIS_STR_ARG(name));
    bool secret = secrets_is_secret(component, name);
    char key[DEIS_KEY_MAX];
    int r = read_value(path, &text, err);

    if (r == 0 && secret) {
        r = seal_value(place, deis_buf_str(&text), &sealed, err);
    }
    if (r == 0) {
        deis_etcd_then_put(txn, deis_key(key, "%s", place), deis_buf_str(secret ? &sealed : &text),
                           0);
    }
    if (text.data) {
        explicit_bzero(text.data, text.len);
    }
    deis_buf_clear(&text);
    return r;
}

static int config_set(struct deis_etcd *etcd, const char *component, char **pairs,
                      struct deis_err *err)
{
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    struct deis_str name;
    struct deis_str value;
    char key[DEIS_KEY_MAX];

    for (char **p = pairs; *p; p++) {
        int r = check_pair(*p, &name, &value, err);
        if (r == 0) {
            r = setting_check(component, name, value, err);
        }
        if (r < 0) {
            return r;
        }
        deis_key(key, "config/%s/%.*s", component, DEIS_STR_ARG(name));
        if (!is_file_setting(component, name)) {
            deis_etcd_then_put(txn, key, value, 0);
        } else if ((r = put_file(txn, component, name, value, err)) < 0) {
            return r;
        }
    }
    int r = deis_etcd_commit(etcd, txn, NULL, NULL, err);
    for (char **p = pairs; r == 0 && *p; p++) {
        r = check_pair(*p, &name, &value, err);
        printf("%.*s\n", DEIS_STR_ARG(value));
    }
    return r;
}

/* All or none of them. */
static int config_rm(struct deis_etcd *etcd, const char *component, char **keys,
                     struct deis_err *err)
{
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();

    for (; *keys; keys++) {
        char key[DEIS_KEY_MAX];
        deis_autorange struct deis_etcd_range range = { 0 };
        int r = check_key(deis_str(*keys), err);

        if (r == 0) {
            r = deis_etcd_get(etcd, deis_key(key, "config/%s/%s", component, *keys), &range, err);
        }
        if (r == DEIS_NOT_FOUND) {
            return deis_err_set(err, r, "%s/%s is not set", component, *keys);
        }
        if (r < 0) {
            return r;
        }
        deis_etcd_then_delete(txn, key);
    }
    return deis_etcd_commit(etcd, txn, NULL, NULL, err);
}

static int config_list(struct deis_etcd *etcd, const char *component, struct deis_err *err)
{
    char prefix[DEIS_KEY_MAX];
    deis_autorange struct deis_etcd_range range = { 0 };
    int r = deis_etcd_list(etcd, deis_key(prefix, "config/%s/", component), 0, &range, err);

    for (size_t i = 0; r == 0 && i < range.count; i++) {
        printf("%s=%.*s\n", range.kvs[i].key + strlen(prefix), DEIS_STR_ARG(range.kvs[i].value));
    }
    return r;
}

int command_config(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err)
{
    if (argc < 3) {
        return deis_err_set(err, DEIS_INVALID, "a component and get, set, rm or list are needed");
    }
    const char *component = argv[1];
    const char *verb = argv[2];

    if (!is_config_name(deis_str(component), false)) {
        return deis_err_set(err, DEIS_INVALID, "'%.64s' is no name of a component", component);
    }
    if (strcmp(verb, "list") == 0 && argc == 3) {
        return config_list(etcd, component, err);
    }
    if (argc < 4) {
        return deis_err_set(err, DEIS_INVALID, "'%.16s' needs at least one setting", verb);
    }
    if (strcmp(verb, "get") == 0) {
        return config_get(etcd, component, argv + 3, err);
    }
    if (strcmp(verb, "set") == 0) {
        return config_set(etcd, component, argv + 3, err);
    }
    if (strcmp(verb, "rm") == 0) {
        return config_rm(etcd, component, argv + 3, err);
    }
    return deis_err_set(err, DEIS_INVALID, "'%.16s' is none of get, set, rm, list", verb);
}
