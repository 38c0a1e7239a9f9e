/* SPDX-License-Identifier: MIT */
/* The audit, for administrators. */
#include "controller/core/audit.h"

#include "controller/api.h"

#include "lib/wire/url.h"

#define PREFIX     "/deis/audit/"
#define PAGE       100 /* read at once */
#define FILTER_MAX 64

struct wanted {
    const char *user; /* NULL: any */
    const char *app;
};

/* The value of a query parameter, or NULL when it is absent or empty; DEIS_INVALID. */
static int filter(struct api *a, const char *name, struct deis_buf *out, const char **ret,
                  struct deis_err *err)
{
    *ret = NULL;
    int r = deis_url_query_get(deis_str(a->query), name, out, err);
    if (r == DEIS_NOT_FOUND) {
        return DEIS_OK;
    }
    if (r < 0 || deis_buf_failed(out)) {
        return deis_err_set(err, DEIS_INVALID, "'%s' is not readable", name);
    }
    *ret = out->len > 0 ? out->data : NULL;
    return DEIS_OK;
}

/* Append those of names[first .. first + PAGE) whose entries match to out. */
static int append_matching(struct ctl *ctl, const json_t *names, size_t first,
                           const struct wanted *wanted, json_t *out, struct deis_err *err)
{
    char keys[PAGE][DEIS_KEY_MAX];
    const char *list[PAGE];
    json_t *docs[PAGE] = { NULL };
    size_t left = json_array_size(names) - first;
    size_t count = left < PAGE ? left : PAGE;

    for (size_t i = 0; i < count; i++) {
        list[i] =
            deis_key(keys[i], "audit/%s", json_string_value(json_array_get(names, first + i)));
    }
    int r = store_get_all(ctl, list, count, docs, NULL, err);
    for (size_t i = 0; i < count; i++) {
        if (r == DEIS_OK && docs[i] && audit_matches(docs[i], wanted->user, wanted->app)) {
            json_array_append(out, json_array_get(names, first + i));
        }
        json_decref(docs[i]);
    }
    return r;
}

/* The names of all entries that match, newest first; only names are held. */
static int find(struct ctl *ctl, const struct wanted *wanted, json_t **ret, struct deis_err *err)
{
    deis_autojson json_t *names = NULL;
    int r = store_names(ctl, PREFIX, &names, err);

    if (r < 0) {
        return r;
    }
    deis_autojson json_t *newest = json_array();
    for (size_t i = json_array_size(names); i > 0; i--) {
        json_array_append(newest, json_array_get(names, i - 1));
    }
    if (!wanted->user && !wanted->app) {
        *ret = DEIS_TAKE(newest);
        return DEIS_OK;
    }
    deis_autojson json_t *out = json_array();
    for (size_t first = 0; r == DEIS_OK && first < json_array_size(newest); first += PAGE) {
        r = append_matching(ctl, newest, first, wanted, out, err);
    }
    if (r == DEIS_OK) {
        *ret = DEIS_TAKE(out);
    }
    return r;
}

void handle_audit_list(struct api *a)
{
    deis_autobuf struct deis_buf user_text = DEIS_BUF_INIT(FILTER_MAX);
    deis_autobuf struct deis_buf app_text = DEIS_BUF_INIT(FILTER_MAX);
    struct deis_err err = DEIS_ERR_INIT;
    struct wanted wanted;
    json_t *names = NULL;

    int r = filter(a, "user", &user_text, &wanted.user, &err);
    if (r == DEIS_OK) {
        r = filter(a, "app", &app_text, &wanted.app, &err);
    }
    if (r == DEIS_OK) {
        r = find(a->ctl, &wanted, &names, &err);
    }
    if (r < 0) {
        api_error(a, &err);
    } else {
        api_page_named(a, PREFIX, names, NULL);
    }
}
