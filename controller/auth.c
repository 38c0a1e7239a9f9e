/* SPDX-License-Identifier: MIT */
/* Who is asking, and may they? */
#include "controller/api.h"
#include "controller/core/names.h"
#include "controller/memo.h"
#include "controller/tokens.h"

void auth_token_hash(const char *token, char out[65])
{
    deis_sha256_hex(deis_str(token), out);
}

static void unauthenticated(struct api *a, const char *detail)
{
    api_detail(a, 401, "%s", detail);
}

/* The token of the Authorization field; NULL with *ret_fault set when the field is odd, NULL
 * without when there is none. */
static const char *token_of(const char *field, const char **ret_fault)
{
    *ret_fault = NULL;
    if (!field || strncasecmp(field, "token", 5) != 0 || (field[5] != '\0' && field[5] != ' ')) {
        return NULL;
    }
    const char *token = field + 5 + strspn(field + 5, " ");
    if (*token == '\0') {
        *ret_fault = "Invalid token header. No credentials provided.";
    } else if (strchr(token, ' ')) {
        *ret_fault = "Invalid token header. Token string should not contain spaces.";
    } else {
        return token;
    }
    return NULL;
}

static bool is_true(const json_t *doc, const char *name)
{
    return json_is_true(json_object_get(doc, name));
}

/* What a request is judged by, read at once: the user, the token, the app, the user's grant on it.
 */
struct standing {
    json_t *user;
    json_t *token;
    json_t *app;
    json_t *grant;
    int64_t token_revision;
    int64_t app_revision;
};

enum { ASK_USER, ASK_TOKEN, ASK_APP, ASK_GRANT, ASK_AHEAD, ASK_MAX = ASK_AHEAD + AHEAD_MAX };

/* The document that was read; *ret stays NULL when there is none. */
static int take_answer(struct deis_etcd_range *range, json_t **ret, int64_t *ret_revision,
                       struct deis_err *err)
{
    if (range->count == 0) {
        return DEIS_OK;
    }
    if (ret_revision) {
        *ret_revision = range->kvs[0].mod_revision;
    }
    return store_parse(&range->kvs[0], ret, err);
}

/* What is read at once about a request. */
struct subject {
    const char *user;
    const char *token; /* its hash; NULL: not read */
    const char *app;   /* NULL: not read */
    struct api *ahead; /* gets what its route reads ahead; NULL: nothing */
};

/* Returns how many keys are asked for; asked[] says which is which. */
static size_t ask(struct deis_etcd_txn *txn, const struct subject *of, unsigned asked[ASK_MAX])
{
    char key[DEIS_KEY_MAX];
    size_t count = 0;

    deis_etcd_then_get(txn, deis_key(key, "users/%s", of->user), false);
    asked[count++] = ASK_USER;
    if (of->token) {
        deis_etcd_then_get(txn, deis_key(key, "tokens/%s", of->token), false);
        asked[count++] = ASK_TOKEN;
    }
    if (of->app) {
        deis_etcd_then_get(txn, deis_key(key, "apps/%s", of->app), false);
        asked[count++] = ASK_APP;
        deis_etcd_then_get(txn, deis_key(key, "apps/%s/perms/%s", of->app, of->user), false);
        asked[count++] = ASK_GRANT;
    }
    for (size_t ahead = of->ahead ? ahead_ask(of->ahead, txn) : 0; ahead > 0; ahead--) {
        asked[count++] = ASK_AHEAD;
    }
    return count;
}

static int read_standing(struct ctl *ctl, const struct subject *of, struct standing *s,
                         struct deis_err *err)
{
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    struct deis_etcd_range ranges[ASK_MAX] = { 0 };
    json_t **docs[ASK_MAX] = { &s->user, &s->token, &s->app, &s->grant };
    int64_t *revisions[ASK_MAX] = { NULL, &s->token_revision, &s->app_revision, NULL };
    unsigned asked[ASK_MAX];
    size_t count = ask(txn, of, asked);

    int r = deis_etcd_commit(ctl->etcd, txn, ranges, NULL, err);
    for (size_t i = 0; i < count; i++) {
        if (r == DEIS_OK && asked[i] == ASK_AHEAD) {
            struct ahead *h = &of->ahead->ahead;
            h->ranges[h->count++] = ranges[i];
            continue;
        }
        if (r == DEIS_OK) {
            r = take_answer(&ranges[i], docs[asked[i]], revisions[asked[i]], err);
        }
        deis_etcd_range_clear(&ranges[i]);
    }
    return r;
}

/* Read the token itself: whose is it? DEIS_DENIED: nobody's. */
static int read_owner(struct ctl *ctl, const char *hash, char ret_user[MEMO_TEXT_MAX],
                      struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    deis_autojson json_t *doc = NULL;
    int r = store_get(ctl, deis_key(key, "tokens/%s", hash), &doc, NULL, err);
    const char *user = json_string_value(json_object_get(doc, "user"));

    if (r == DEIS_NOT_FOUND || (r == DEIS_OK && (!user || !names_is_user(user)))) {
        return deis_err_set(err, DEIS_DENIED, "Invalid token");
    }
    if (r == DEIS_OK) {
        snprintf(ret_user, MEMO_TEXT_MAX, "%s", user);
        memo_put(ctl->tokens, hash, ret_user);
    }
    return r;
}

/* The token's user in a->user, with its standing. DEIS_DENIED: err says what is wrong with the
 * token. */
static int find_user(struct api *a, const char *token, struct standing *s, struct deis_err *err)
{
    char hash[65], user[MEMO_TEXT_MAX];
    int r = DEIS_OK;

    if (strlen(token) != 40 || strspn(token, "0123456789abcdef") != 40) {
        return deis_err_set(err, DEIS_DENIED, "Invalid token");
    }
    auth_token_hash(token, hash);
    if (!memo_get(a->ctl->tokens, hash, user)) {
        r = read_owner(a->ctl, hash, user, err);
    }
    if (r == DEIS_OK) {
        const struct subject of = { user, hash, a->app_id, a };
        r = read_standing(a->ctl, &of, s, err);
    }
    if (r == DEIS_OK && !s->token) {
        r = deis_err_set(err, DEIS_DENIED, "Invalid token");
    }
    if (r == DEIS_OK && tokens_expired(a->ctl, s->token)) {
        r = deis_err_set(err, DEIS_DENIED, "The token has expired, log in again");
    }
    if (r == DEIS_OK && !is_true(s->user, "is_active")) {
        r = deis_err_set(err, DEIS_DENIED, "User inactive or deleted");
    }
    if (r == DEIS_OK) {
        free(a->user);
        a->user = deis_strdup(user);
        snprintf(a->token, sizeof(a->token), "%s", hash);
        tokens_note_use(a->ctl, hash, s->token, s->token_revision);
    }
    return r;
}

static void standing_clear(struct standing *s)
{
    json_decref(s->user);
    json_decref(s->token);
    json_decref(s->app);
    json_decref(s->grant);
}

static struct access_relation relation_of(const struct standing *s, const char *user,
                                          const char *named)
{
    const char *owner = json_string_value(json_object_get(s->app, "owner"));

    return (struct access_relation){ .owner = owner && strcmp(owner, user) == 0,
                                     .collaborator = s->grant != NULL,
                                     .self = named && strcmp(named, user) == 0 };
}

/* Step 3 of the judgement: the token. False: answered. */
static bool authenticate(struct api *a, enum access_right right, struct standing *s)
{
    struct deis_err err = DEIS_ERR_INIT;
    const char *fault;
    const char *token = token_of(a->authorization, &fault);
    int r = DEIS_OK;

    if (token) {
        r = find_user(a, token, s, &err);
    } else if (fault) {
        r = deis_err_set(&err, DEIS_DENIED, "%s", fault);
    }
    if (r == DEIS_OK) {
        a->caller.known = *a->user != '\0';
        a->caller.admin = a->caller.known && is_true(s->user, "is_superuser");
        return true;
    }
    if (r == DEIS_DENIED && right == ACCESS_ANYONE) {
        return true; /* counts as nobody */
    }
    if (r == DEIS_DENIED) {
        unauthenticated(a, err.msg);
    } else {
        api_error(a, &err);
    }
    return false;
}

static bool answer_verdict(struct api *a, enum access_verdict verdict)
{
    switch (verdict) {
    case ACCESS_OK: return true;
    case ACCESS_UNKNOWN: unauthenticated(a, "Authentication credentials were not provided."); break;
    case ACCESS_FORBIDDEN: api_forbidden(a); break;
    }
    return false;
}

static bool admit_to_app(struct api *a, enum access_right right, struct standing *s)
{
    const char *named = api_param(a, "user");

    if (!s->app) {
        api_not_found(a);
        return false;
    }
    struct access_relation relation = relation_of(s, a->user, named);
    if (!answer_verdict(a, access_judge_app(right, &a->caller, &relation))) {
        return false;
    }
    a->app = DEIS_TAKE(s->app);
    a->app_revision = s->app_revision;
    return true;
}

/* The secret of the builder's hooks follows from a cluster key; any that is held will do. */
static bool is_builder(struct api *a)
{
    struct deis_keyring ring;
    char secret[65];
    bool fits = false;

    if (!a->builder_auth) {
        return false;
    }
    deis_keys_get(a->ctl->keys, &ring);
    for (size_t i = 0; i < ring.count; i++) {
        deis_key_derive_hex(&ring.keys[i], "builder-hook", secret);
        fits |= deis_secret_eq(deis_str(a->builder_auth), deis_str(secret));
    }
    explicit_bzero(secret, sizeof(secret));
    deis_keyring_clear(&ring);
    return fits;
}

bool auth_admit(struct api *a)
{
    const struct route *row = a->match.route ? a->match.route : a->match.path;
    const char *app = api_param(a, "app");
    struct standing s = { 0 };

    if (app && strlen(app) <= 63) { /* no app has a longer name: below it is just not found */
        a->app_id = deis_strdup(app);
    }
    a->caller.builder = is_builder(a);
    bool admitted = authenticate(a, row->right, &s) &&
                    answer_verdict(a, access_judge_route(row->right, &a->caller));
    if (admitted && !a->match.route) {
        api_detail(a, 405, "Method '%s' not allowed.", a->method);
        admitted = false;
    }
    if (admitted && access_is_app(row->right)) {
        admitted = admit_to_app(a, row->right, &s);
    }
    standing_clear(&s);
    return admitted;
}

/* May the user do that on the app, and does the token, if one is named, still hold? */
static int judge(struct ctl *ctl, const struct subject *of, enum access_right right,
                 json_t **ret_app, struct deis_err *err)
{
    struct standing s = { 0 };
    int r = read_standing(ctl, of, &s, err);

    if (r == DEIS_OK && (!s.user || !s.app)) {
        r = deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    if (r == DEIS_OK && of->token && (!s.token || tokens_expired(ctl, s.token))) {
        r = deis_err_set(err, DEIS_DENIED, "Invalid token");
    }
    if (r == DEIS_OK) {
        struct access_caller caller = { .known = is_true(s.user, "is_active"),
                                        .admin = is_true(s.user, "is_superuser") };
        struct access_relation relation = relation_of(&s, of->user, NULL);
        if (access_judge_app(right, &caller, &relation) != ACCESS_OK) {
            r = deis_err_set(err, DEIS_DENIED,
                             "You do not have permission to perform this action.");
        }
    }
    if (r == DEIS_OK && ret_app) {
        *ret_app = DEIS_TAKE(s.app);
    }
    standing_clear(&s);
    return r;
}

int auth_app_user(struct ctl *ctl, const char *user, const char *app, enum access_right right,
                  json_t **ret_app, struct deis_err *err)
{
    const struct subject of = { .user = user, .app = app };

    if (strlen(user) > 30 || !names_is_user(user) || !deis_str_is_label(deis_str(app))) {
        return deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    return judge(ctl, &of, right, ret_app, err);
}

int auth_still(struct ctl *ctl, const char *user, const char *token_hash, const char *app,
               enum access_right right, struct deis_err *err)
{
    const struct subject of = { .user = user, .token = token_hash, .app = app };

    return judge(ctl, &of, right, NULL, err);
}
