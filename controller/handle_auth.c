/* SPDX-License-Identifier: MIT */
/* Registration, login, tokens, passwords, leaving. */
#include "controller/core/names.h"
#include "controller/core/openapi.h"
#include "controller/leaving.h"
#include "controller/tokens.h"
#include "controller/users.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define TRIES 5

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
    deis_etcd_if_absent(c.txn, deis_key(key, "leaving/%s", name));
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
        if (r == DEIS_NOT_FOUND) {
            r = leaving_check(a->ctl, name, &err);
        }
        if (r < 0) {
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

static void refuse_login(struct api *a)
{
    api_json(
        a, 400,
        json_pack("{s:[s]}", "non_field_errors", "Unable to log in with provided credentials."));
}

static void refuse_disabled(struct api *a)
{
    api_json(a, 400, json_pack("{s:[s]}", "non_field_errors", "User account is disabled."));
}

static void refuse_current(struct api *a)
{
    api_detail(a, 400, "Current password does not match");
}

/* Is it the user's password? Failures are rationed. False: answered, if it is wrong by refuse(). */
static bool password_fits(struct api *a, const char *name, const char *password, const json_t *doc,
                          void (*refuse)(struct api *a))
{
    const struct claim claim = { name, password, a->source };
    struct deis_err err = DEIS_ERR_INIT;
    enum claim_verdict verdict;

    if (users_check_password(a->ctl, &claim, doc, &verdict, &a->retry_after_s, &err) < 0) {
        api_error(a, &err);
        return false;
    }
    if (verdict == CLAIM_TOO_MANY) {
        api_detail(a, 429, "Too many failed logins, try again in %u seconds",
                   (unsigned)a->retry_after_s);
    } else if (verdict == CLAIM_WRONG) {
        refuse(a);
    }
    return verdict == CLAIM_RIGHT;
}

/* One try. DEIS_DENIED: the password was changed since it was found right. */
static int login_once(struct api *a, const char *name, const json_t *checked,
                      char token[TOKEN_LEN + 1], struct deis_err *err)
{
    deis_autobuf struct deis_buf now = DEIS_BUF_INIT(64);
    change_auto struct change c = { 0 };
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    int64_t revision;
    int r = users_get(a->ctl, name, &doc, &revision, err);

    if (r < 0) {
        return r;
    }
    if (!json_equal(json_object_get(doc, "password"), json_object_get(checked, "password"))) {
        return deis_err_set(err, DEIS_DENIED, "the password was changed");
    }
    deis_time_format_iso(deis_wall_us(), &now);
    json_object_set_new(doc, "last_login", json_string(now.data));
    change_begin(&c, name, "user.login", name, "done", a->id, a->source);
    deis_etcd_if_mod(c.txn, deis_key(key, "users/%s", name), revision);
    change_put(&c, key, doc);
    r = tokens_issue(a->ctl, &c, name, false, token, err);
    return r == DEIS_OK ? change_commit(a->ctl, &c, err) : r;
}

/* Issue a token and note the login. False: answered. */
static bool login_write(struct api *a, const char *name, const json_t *checked,
                        char token[TOKEN_LEN + 1])
{
    struct deis_err err = DEIS_ERR_INIT;
    int r = DEIS_CONFLICT;

    for (unsigned i = 0; i < TRIES && r == DEIS_CONFLICT; i++) {
        r = login_once(a, name, checked, token, &err);
    }
    if (r == DEIS_DENIED || r == DEIS_NOT_FOUND) {
        refuse_login(a);
    } else if (r < 0) {
        api_error(a, &err);
    }
    return r == DEIS_OK;
}

static void log_in(struct api *a, const char *name, const json_t *doc)
{
    char token[TOKEN_LEN + 1];

    if (!users_is_true(doc, "is_active")) {
        refuse_disabled(a);
    } else if (login_write(a, name, doc, token)) {
        api_json(a, 200, json_pack("{s:s}", "token", token));
    }
    explicit_bzero(token, sizeof(token));
}

void handle_auth_login(struct api *a)
{
    struct fields f;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;

    fields_init(&f, a->body);
    deis_autofree char *name = fields_text(&f, "username", FIELD_REQUIRED, 200);
    deis_autofree char *password = fields_text(&f, "password", FIELD_REQUIRED, 1024);
    if (fields_failed(&f)) {
        api_invalid(a, &f);
        fields_clear(&f);
        return;
    }
    fields_clear(&f);
    int r = users_get(a->ctl, name, &doc, NULL, &err);
    if (r < 0 && r != DEIS_NOT_FOUND) {
        api_error(a, &err);
    } else if (password_fits(a, name, password, doc, refuse_login)) {
        log_in(a, name, doc);
    }
    explicit_bzero(password, strlen(password));
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

/* One try. DEIS_CONFLICT: somebody got a token at the same moment, or the caller's own was revoked.
 */
static int regenerate_once(struct api *a, const char *name, char token[TOKEN_LEN + 1],
                           struct deis_err *err)
{
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX];

    api_change(a, &c, "tokens.regenerate", "user/%s", name);
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", name));
    deis_etcd_if_exists(c.txn, deis_key(key, "tokens/%s", a->token));
    int r = tokens_issue(a->ctl, &c, name, true, token, err);
    return r == DEIS_OK ? change_commit(a->ctl, &c, err) : r;
}

static void regenerate(struct api *a, const char *name)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    char token[TOKEN_LEN + 1];
    int r = users_get(a->ctl, name, &doc, NULL, &err) < 0 ? err.code : DEIS_CONFLICT;

    for (unsigned i = 0; i < TRIES && r == DEIS_CONFLICT; i++) {
        r = regenerate_once(a, name, token, &err);
    }
    if (r == DEIS_CONFLICT) {
        api_detail(a, 409, "Tokens of %s were issued or revoked at the same moment, try again",
                   name);
    } else if (r < 0) {
        api_error(a, &err);
    } else {
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
static bool current_password_fits(struct api *a, struct fields *f, const char *name,
                                  const json_t *doc)
{
    deis_autofree char *current = fields_text(f, "password", FIELD_BLANK_OK, 1024);

    if (!fields_has(f, "password") && a->caller.admin) {
        return true;
    }
    if (!current) {
        refuse_current(a);
        return false;
    }
    bool fits = password_fits(a, name, current, doc, refuse_current);
    explicit_bzero(current, strlen(current));
    return fits;
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
    if (!current_password_fits(a, f, name, doc)) {
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

/* The account is gone; what hung on it, too, now or soon. */
static void finish(struct api *a, const char *name)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (leaving_finish(a->ctl, name, &err) < 0) {
        deis_warn("departure not finished yet", KV_S("user", name), KV_ERR(&err));
    }
    api_empty(a, 204);
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
            r = leaving_begin(a, name, &err);
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
        finish(a, name);
    }
}

void handle_auth_cancel(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    cancel(a, &f);
    fields_clear(&f);
}
