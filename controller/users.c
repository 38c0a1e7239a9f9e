/* SPDX-License-Identifier: MIT */
#include "controller/users.h"

#include "controller/core/names.h"
#include "controller/gate.h"
#include "controller/logins.h"

#define SCRYPT_WAIT_MS 15000

int users_get(struct ctl *ctl, const char *name, json_t **ret, int64_t *ret_revision,
              struct deis_err *err)
{
    char key[DEIS_KEY_MAX];

    if (strlen(name) > 30 || !names_is_user(name)) {
        return deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    return store_get(ctl, deis_key(key, "users/%s", name), ret, ret_revision, err);
}

bool users_is_true(const json_t *doc, const char *name)
{
    return json_is_true(json_object_get(doc, name));
}

json_t *users_show(json_t *doc)
{
    json_t *out = json_copy(doc);

    json_object_del(out, "password");
    json_object_set(out, "is_staff", json_object_get(doc, "is_superuser"));
    json_object_set_new(out, "groups", json_array());
    json_object_set_new(out, "user_permissions", json_array());
    return out;
}

static int enter(struct ctl *ctl, struct deis_err *err)
{
    if (!gate_enter(ctl->passwords, "scrypt", SCRYPT_WAIT_MS)) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "too many passwords are being checked");
    }
    return DEIS_OK;
}

int users_hash_password(struct ctl *ctl, const char *password, struct deis_buf *out,
                        struct deis_err *err)
{
    int r = enter(ctl, err);

    if (r == DEIS_OK) {
        r = deis_password_hash(deis_str(password), out, err);
        gate_leave(ctl->passwords, "scrypt");
    }
    return r;
}

static bool is_password(const char *password, const json_t *doc)
{
    /* Of no password: so that an unknown name takes as long as a known one. */
    static const char nobody[] = "scrypt$15$8$1$AAAAAAAAAAAAAAAAAAAAAA==$"
                                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const char *hash = json_string_value(json_object_get(doc, "password"));

    return deis_password_verify(deis_str(password), hash ? hash : nobody) && hash;
}

/* Within the gate: what came before this one is counted. */
static enum claim_verdict judge(struct ctl *ctl, const struct claim *c, const json_t *doc,
                                uint64_t *ret_wait_s)
{
    *ret_wait_s = logins_wait_s(ctl->logins, c->name, c->source);
    if (*ret_wait_s > 0) {
        return CLAIM_TOO_MANY;
    }
    if (is_password(c->password, doc)) {
        logins_succeeded(ctl->logins, c->name, c->source);
        return CLAIM_RIGHT;
    }
    logins_failed(ctl->logins, c->name, c->source);
    return CLAIM_WRONG;
}

int users_check_password(struct ctl *ctl, const struct claim *claim, const json_t *doc,
                         enum claim_verdict *ret, uint64_t *ret_wait_s, struct deis_err *err)
{
    *ret = CLAIM_TOO_MANY;
    *ret_wait_s = logins_wait_s(ctl->logins, claim->name, claim->source);
    if (*ret_wait_s > 0) { /* it need not wait for its turn to hear that */
        return DEIS_OK;
    }
    int r = enter(ctl, err);
    if (r == DEIS_OK) {
        *ret = judge(ctl, claim, doc, ret_wait_s);
        gate_leave(ctl->passwords, "scrypt");
    }
    return r;
}

void handle_users_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    json_t *names = NULL;

    if (store_names(a->ctl, "/deis/users/", &names, &err) < 0) {
        api_error(a, &err);
        return;
    }
    api_page_named(a, "/deis/users/", names, users_show);
}

static json_t *show_admin(json_t *doc)
{
    return json_pack("{s:O, s:O}", "username", json_object_get(doc, "username"), "is_superuser",
                     json_object_get(doc, "is_superuser"));
}

void handle_admins_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    json_t *names = NULL;

    if (store_names(a->ctl, "/deis/index/admin/", &names, &err) < 0) {
        api_error(a, &err);
        return;
    }
    api_page_named(a, "/deis/users/", names, show_admin);
}

/* Make `name` a superuser or an ordinary user. False: answered. */
static bool set_admin(struct api *a, const char *name, bool admin)
{
    struct deis_err err = DEIS_ERR_INIT;
    char user_key[DEIS_KEY_MAX], index_key[DEIS_KEY_MAX];
    deis_autojson json_t *doc = NULL;
    change_auto struct change c = { 0 };
    int64_t revision = 0;

    if (users_get(a->ctl, name, &doc, &revision, &err) < 0) {
        api_error(a, &err);
        return false;
    }
    if (users_is_true(doc, "is_superuser") == admin) {
        return true;
    }
    json_object_set_new(doc, "is_superuser", json_boolean(admin));
    api_change(a, &c, admin ? "admin.grant" : "admin.revoke", "user/%s", name);
    deis_etcd_if_mod(c.txn, deis_key(user_key, "users/%s", name), revision);
    change_put(&c, user_key, doc);
    deis_key(index_key, "index/admin/%s", name);
    if (admin) {
        change_put_text(&c, index_key, "{}");
    } else {
        deis_etcd_then_delete(c.txn, index_key);
    }
    return api_commit(a, &c);
}

void handle_admins_add(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    deis_autofree char *name = fields_text(&f, "username", FIELD_REQUIRED, 200);
    if (!name) {
        api_invalid(a, &f);
    } else if (set_admin(a, name, true)) {
        api_empty(a, 201);
    }
    fields_clear(&f);
}

void handle_admins_remove(struct api *a)
{
    if (set_admin(a, api_param(a, "user"), false)) {
        api_empty(a, 204);
    }
}
