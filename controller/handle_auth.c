/* SPDX-License-Identifier: MIT */
/* Registration, login, tokens, passwords, leaving. */
#include "controller/core/names.h"
#include "controller/core/openapi.h"
#include "controller/logins.h"
#include "controller/tokens.h"
#include "controller/users.h"

#include "lib/base/clock.h"

#define TRIES     5
#define STRIP_MAX 100 /* things of a user taken away in one transaction */

void handle_root(struct api *a)
{
    api_json(a, 200, json_object());
}

void handle_openapi(struct api *a)
{
    settings_auto struct settings s = { 0 };

    settings_get(a->ctl->settings, &s);
    deis_autofree char *server = settings_url(&s, s.subdomain);
    api_json(a, 200, openapi_document(server));
}

/* May the caller register somebody now? False: answered. */
static bool registration_open(struct api *a, const struct settings *s)
{
    if (strcmp(s->registration, "enabled") == 0) {
        return true;
    }
    if (strcmp(s->registration, "disabled") == 0) {
        api_detail(a, 403, "Registration is disabled");
    } else if (strcmp(s->registration, "admin_only") != 0) {
        api_detail(a, 500, "'%s' is not a valid registration mode", s->registration);
    } else if (a->caller.admin) {
        return true;
    } else {
        api_forbidden(a);
    }
    return false;
}

/* The new user's document without password and rights; NULL: answered. */
static json_t *register_parse(struct api *a, char **ret_password)
{
    deis_autobuf struct deis_buf now = DEIS_BUF_INIT(64);
    struct fields f;
    json_t *doc = NULL;

    fields_init(&f, a->body);
    deis_autofree char *username = fields_text(&f, "username", FIELD_REQUIRED, 30);
    deis_autofree char *password = fields_text(&f, "password", FIELD_REQUIRED, 128);
    deis_autofree char *email = fields_text(&f, "email", FIELD_BLANK_OK, 75);
    deis_autofree char *first = fields_text(&f, "first_name", FIELD_BLANK_OK, 30);
    deis_autofree char *last = fields_text(&f, "last_name", FIELD_BLANK_OK, 30);
    if (username && !names_is_user(username)) {
        fields_error(&f, "username", "Enter a valid username.");
    }
    if (email && *email && !names_is_email(email)) {
        fields_error(&f, "email", "Enter a valid email address.");
    }
    if (fields_failed(&f)) {
        api_invalid(a, &f);
    } else {
        deis_time_format_iso(deis_wall_us(), &now);
        doc = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s}", "username", username, "email",
                        email ? email : "", "first_name", first ? first : "", "last_name",
                        last ? last : "", "is_active", 1, "date_joined", now.data, "last_login",
                        now.data);
        *ret_password = DEIS_TAKE(password);
    }
    fields_clear(&f);
    return doc;
}

static int has_admin(struct ctl *ctl, bool *ret, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    int r = deis_etcd_list(ctl->etcd, "/deis/index/admin/", 1, &range, err);

    *ret = r == DEIS_OK && range.count > 0;
    return r;
}

/* One try at writing the user. DEIS_CONFLICT: somebody else registered at the same moment. */
static int register_once(struct api *a, const char *name, bool first, const json_t *doc,
                         struct deis_err *err)
{
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX];

    change_begin(&c, *a->user ? a->user : name, "user.register", name, "done", a->id, a->source);
    deis_etcd_if_absent(c.txn, deis_key(key, "users/%s", name));
    change_put(&c, key, doc);
    if (first) {
        deis_etcd_if_prefix_empty(c.txn, "/deis/index/admin/");
        change_put_text(&c, deis_key(key, "index/admin/%s", name), "{}");
    }
    return change_commit(a->ctl, &c, err);
}

/* Write the user; the first one becomes superuser where the setting says so. False: answered. */
static bool register_write(struct api *a, const struct settings *s, json_t *doc)
{
    const char *name = json_string_value(json_object_get(doc, "username"));
    struct deis_err err = DEIS_ERR_INIT;
    int r = DEIS_CONFLICT;

    for (unsigned i = 0; i < TRIES && r == DEIS_CONFLICT; i++) {
        deis_autojson json_t *existing = NULL;
        bool admins = true;
        r = has_admin(a->ctl, &admins, &err);
        if (r == DEIS_OK) {
            r = users_get(a->ctl, name, &existing, NULL, &err);
        }
        if (r == DEIS_OK) {
            api_json(a, 400, json_pack("{s:[s]}", "username", "This field must be unique."));
            return false;
        }
        if (r != DEIS_NOT_FOUND) {
            break;
        }
        bool first = !admins && strcmp(s->bootstrap, "first-user") == 0;
        json_object_set_new(doc, "is_superuser", json_boolean(first));
        r = register_once(a, name, first, doc, &err);
    }
    if (r < 0) {
        api_error(a, &err);
    }
    return r == DEIS_OK;
}

void handle_auth_register(struct api *a)
{
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf hash = DEIS_BUF_INIT(256);
    char *password = NULL;

    settings_get(a->ctl->settings, &s);
    if (!registration_open(a, &s)) {
        return;
    }
    deis_autojson json_t *doc = register_parse(a, &password);
    if (!doc) {
        return;
    }
    int r = users_hash_password(a->ctl, password, &hash, &err);
    explicit_bzero(password, strlen(password));
    free(password);
    if (r < 0) {
        api_error(a, &err);
        return;
    }
    json_object_set_new(doc, "password", json_string(hash.data));
    if (register_write(a, &s, doc)) {
        api_json(a, 201, users_show(doc));
    }
}

static void refuse_login(struct api *a, const char *text)
{
    api_json(a, 400, json_pack("{s:[s]}", "non_field_errors", text));
}

/* Has this source failed too often? False: answered. */
static bool login_allowed(struct api *a, const char *name)
{
    a->retry_after_s = logins_wait_s(a->ctl->logins, name, a->source);
    if (a->retry_after_s > 0) {
        api_detail(a, 429, "Too many failed logins, try again in %u seconds",
                   (unsigned)a->retry_after_s);
    }
    return a->retry_after_s == 0;
}

/* Issue a token and note the login. False: answered. */
static bool login_write(struct api *a, const char *name, char token[TOKEN_LEN + 1])
{
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];
    int r = DEIS_CONFLICT;

    for (unsigned i = 0; i < TRIES && r == DEIS_CONFLICT; i++) {
        deis_autobuf struct deis_buf now = DEIS_BUF_INIT(64);
        change_auto struct change c = { 0 };
        deis_autojson json_t *doc = NULL;
        int64_t revision;
        r = users_get(a->ctl, name, &doc, &revision, &err);
        if (r < 0) {
            break;
        }
        deis_time_format_iso(deis_wall_us(), &now);
        json_object_set_new(doc, "last_login", json_string(now.data));
        change_begin(&c, name, "user.login", name, "done", a->id, a->source);
        deis_etcd_if_mod(c.txn, deis_key(key, "users/%s", name), revision);
        change_put(&c, key, doc);
        r = tokens_issue(a->ctl, &c, name, false, token, &err);
        if (r == DEIS_OK) {
            r = change_commit(a->ctl, &c, &err);
        }
    }
    if (r < 0) {
        api_error(a, &err);
    }
    return r == DEIS_OK;
}

void handle_auth_login(struct api *a)
{
    struct fields f;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    char token[TOKEN_LEN + 1];
    bool right = false;

    fields_init(&f, a->body);
    deis_autofree char *name = fields_text(&f, "username", FIELD_REQUIRED, 200);
    deis_autofree char *password = fields_text(&f, "password", FIELD_REQUIRED, 1024);
    if (fields_failed(&f)) {
        api_invalid(a, &f);
        fields_clear(&f);
        return;
    }
    fields_clear(&f);
    if (!login_allowed(a, name)) {
        return;
    }
    int r = users_get(a->ctl, name, &doc, NULL, &err);
    if (r == DEIS_OK || r == DEIS_NOT_FOUND) {
        r = users_check_password(a->ctl, password, doc, &right, &err);
    }
    explicit_bzero(password, strlen(password));
    if (r == DEIS_OK && right) {
        logins_succeeded(a->ctl->logins, name, a->source);
    } else if (r == DEIS_OK) {
        logins_failed(a->ctl->logins, name, a->source);
    }
    if (r < 0) {
        api_error(a, &err);
    } else if (!right) {
        refuse_login(a, "Unable to log in with provided credentials.");
    } else if (!users_is_true(doc, "is_active")) {
        refuse_login(a, "User account is disabled.");
    } else if (login_write(a, name, token)) {
        api_json(a, 200, json_pack("{s:s}", "token", token));
    }
    explicit_bzero(token, sizeof(token));
}

static void regenerate_all(struct api *a)
{
    change_auto struct change c = { 0 };

    api_change(a, &c, "tokens.revoke", "all");
    deis_etcd_then_delete_prefix(c.txn, "/deis/tokens/");
    deis_etcd_then_delete_prefix(c.txn, "/deis/index/token/");
    if (api_commit(a, &c)) {
        api_json(a, 200, json_string(""));
    }
}

static void regenerate(struct api *a, const char *name)
{
    change_auto struct change c = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX], token[TOKEN_LEN + 1];

    if (users_get(a->ctl, name, &doc, NULL, &err) < 0) {
        api_error(a, &err);
        return;
    }
    api_change(a, &c, "tokens.regenerate", "user/%s", name);
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", name));
    if (tokens_issue(a->ctl, &c, name, true, token, &err) < 0) {
        api_error(a, &err);
    } else if (api_commit(a, &c)) {
        api_json(a, 200, json_pack("{s:s}", "token", token));
    }
    explicit_bzero(token, sizeof(token));
}

void handle_auth_tokens(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    if (!fields_has(&f, "username") && !fields_has(&f, "all")) {
        regenerate(a, a->user);
    } else if (!a->caller.admin) {
        api_forbidden(a);
    } else if (fields_has(&f, "all")) {
        regenerate_all(a);
    } else {
        deis_autofree char *name = fields_text(&f, "username", FIELD_REQUIRED, 200);
        if (name) {
            regenerate(a, name);
        } else {
            api_invalid(a, &f);
        }
    }
    fields_clear(&f);
}

/* The user that an optional "username" means, with its document. False: answered. */
static bool target_user(struct api *a, struct fields *f, char **ret_name, json_t **ret_doc,
                        int64_t *ret_revision)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *name =
        fields_has(f, "username") ? fields_text(f, "username", 0, 200) : deis_strdup(a->user);

    if (!name) {
        api_invalid(a, f);
        return false;
    }
    if (strcmp(name, a->user) != 0 && !a->caller.admin) {
        api_forbidden(a);
        return false;
    }
    if (users_get(a->ctl, name, ret_doc, ret_revision, &err) < 0) {
        api_error(a, &err);
        return false;
    }
    *ret_name = DEIS_TAKE(name);
    return true;
}

/* Is the current password right, or not needed? False: answered. */
static bool current_password_fits(struct api *a, struct fields *f, const json_t *doc)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *current = fields_text(f, "password", FIELD_BLANK_OK, 1024);
    bool right = false;

    if (!fields_has(f, "password") && a->caller.admin) {
        return true;
    }
    if (current && users_check_password(a->ctl, current, doc, &right, &err) < 0) {
        api_error(a, &err);
        return false;
    }
    if (!right) {
        api_detail(a, 400, "Current password does not match");
    }
    return right;
}

static void passwd(struct api *a, struct fields *f)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf hash = DEIS_BUF_INIT(256);
    change_auto struct change c = { 0 };
    deis_autofree char *name = NULL;
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    int64_t revision;

    if (!target_user(a, f, &name, &doc, &revision)) {
        return;
    }
    deis_autofree char *fresh = fields_text(f, "new_password", FIELD_REQUIRED, 128);
    if (!fresh) {
        api_invalid(a, f);
        return;
    }
    if (!current_password_fits(a, f, doc)) {
        return;
    }
    int r = users_hash_password(a->ctl, fresh, &hash, &err);
    explicit_bzero(fresh, strlen(fresh));
    if (r < 0) {
        api_error(a, &err);
        return;
    }
    json_object_set_new(doc, "password", json_string(hash.data));
    api_change(a, &c, "user.passwd", "user/%s", name);
    deis_etcd_if_mod(c.txn, deis_key(key, "users/%s", name), revision);
    change_put(&c, key, doc);
    if (api_commit(a, &c)) {
        api_json(a, 200, json_pack("{s:s}", "status", "password set"));
    }
}

void handle_auth_passwd(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    passwd(a, &f);
    fields_clear(&f);
}

/* What hangs on a user, each kind by an index. */
static const char *const kinds[] = { "shared", "key", "cert", "autocert", "token" };

/* The key of what an index entry of a user names. */
static void owned_key(char out[DEIS_KEY_MAX], const char *kind, const char *thing, const char *user)
{
    if (strcmp(kind, "shared") == 0) {
        deis_key(out, "apps/%s/perms/%s", thing, user);
    } else if (strcmp(kind, "key") == 0) {
        deis_key(out, "keys/%s/%s", thing, user);
    } else {
        deis_key(out, "%ss/%s", kind, thing);
    }
}

/* What is taken away from a user. */
struct strip {
    struct ctl *ctl;
    const char *name;
    struct change *change;
    size_t room; /* for so many deletions more; of those who have more the rest goes before it */
};

static int strip_kind(struct strip *s, const char *kind, const char *prefix,
                      const struct deis_etcd_range *index, struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    int r = DEIS_OK;

    for (size_t i = 0; r == DEIS_OK && i < index->count; i++) {
        owned_key(key, kind, index->kvs[i].key + strlen(prefix), s->name);
        if (s->room > 0) {
            s->room--;
            deis_etcd_then_delete(s->change->txn, key);
        } else {
            r = deis_etcd_delete(s->ctl->etcd, key, err);
        }
    }
    deis_etcd_if_prefix_unchanged(s->change->txn, prefix, index->revision);
    deis_etcd_then_delete_prefix(s->change->txn, prefix);
    return r;
}

/* Take away all that hangs on a user; nothing may be added until the change is made. */
static int strip_user(struct strip *s, struct deis_err *err)
{
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    struct deis_etcd_range ranges[DEIS_COUNT(kinds)] = { 0 };
    char prefixes[DEIS_COUNT(kinds)][DEIS_KEY_MAX];

    for (size_t k = 0; k < DEIS_COUNT(kinds); k++) {
        deis_key(prefixes[k], "index/%s/%s/", kinds[k], s->name);
        deis_etcd_then_get(txn, prefixes[k], true);
    }
    int r = deis_etcd_commit(s->ctl->etcd, txn, ranges, NULL, err);
    for (size_t k = 0; k < DEIS_COUNT(kinds); k++) {
        if (r == DEIS_OK) {
            r = strip_kind(s, kinds[k], prefixes[k], &ranges[k], err);
        }
        deis_etcd_range_clear(&ranges[k]);
    }
    return r;
}

/* One try. DEIS_CONFLICT: something was added to the user meanwhile. */
static int cancel_once(struct api *a, const char *name, struct deis_err *err)
{
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX];

    api_change(a, &c, "user.cancel", "user/%s", name);
    change_of_apps(&c);
    deis_etcd_if_prefix_empty(c.txn, deis_key(key, "index/owner/%s/", name));
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", name));
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete(c.txn, deis_key(key, "index/admin/%s", name));
    struct strip strip = { a->ctl, name, &c, STRIP_MAX };
    int r = strip_user(&strip, err);
    return r == DEIS_OK ? change_commit(a->ctl, &c, err) : r;
}

static void cancel(struct api *a, struct fields *f)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *name = NULL;
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    int64_t revision;
    int r = DEIS_CONFLICT;
    bool owns = false;

    if (!target_user(a, f, &name, &doc, &revision)) {
        return;
    }
    for (unsigned i = 0; i < TRIES && r == DEIS_CONFLICT && !owns; i++) {
        deis_autorange struct deis_etcd_range owned = { 0 };
        r = deis_etcd_list(a->ctl->etcd, deis_key(key, "index/owner/%s/", name), 1, &owned, &err);
        owns = r == DEIS_OK && owned.count > 0;
        if (r == DEIS_OK && !owns) {
            r = cancel_once(a, name, &err);
        }
    }
    if (owns) {
        api_detail(a, 409, "%s still has applications assigned. Delete or transfer ownership",
                   name);
    } else if (r == DEIS_CONFLICT) {
        api_detail(a, 409, "%s was changed by someone else at the same moment, try again", name);
    } else if (r < 0) {
        api_error(a, &err);
    } else {
        api_empty(a, 204);
    }
}

void handle_auth_cancel(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    cancel(a, &f);
    fields_clear(&f);
}
