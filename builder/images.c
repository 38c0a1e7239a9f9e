/* SPDX-License-Identifier: MIT */
#include "builder/images.h"

#include "builder/core/image_keep.h"
#include "builder/image.h"
#include "builder/record.h"
#include "builder/repo.h"

#include "lib/model/model.h"
#include "lib/net/log.h"

#include <unistd.h>

/* All that builds made, by app: an object of arrays. */
static int list_images(const struct janitor *j, json_t **ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(1024);
    deis_autojson json_t *rows = NULL;
    size_t i;
    json_t *row;

    deis_buf_add_cstr(&path, "/images/json?filters=");
    deis_buf_add_urlencoded(&path, DEIS_STR("{\"label\":[\"" IMAGE_LABEL_BUILD "\"]}"), false);
    int rc = deis_docker_call(j->docker, "GET", path.data, NULL, 0, &rows, err);
    if (rc < 0) {
        return rc;
    }
    *ret = json_object();
    json_array_foreach(rows, i, row)
    {
        const char *app =
            json_string_value(json_object_get(json_object_get(row, "Labels"), IMAGE_LABEL_APP));
        if (!app || !deis_str_is_label(deis_str(app)) || !image_is_ours(j->settings, row)) {
            continue;
        }
        if (!json_object_get(*ret, app)) {
            json_object_set_new(*ret, app, json_array());
        }
        json_array_append(json_object_get(*ret, app), row);
    }
    return DEIS_OK;
}

static int read_documents(const struct janitor *j, const char *app, const char *folder,
                          json_t **ret_list, json_t **ret_by_name, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char prefix[DEIS_KEY_MAX];
    int rc = deis_etcd_list(j->etcd, deis_key(prefix, "apps/%s/%s/", app, folder), 0, &range, err);

    *ret_list = json_array();
    *ret_by_name = json_object();
    for (size_t i = 0; rc == DEIS_OK && i < range.count; i++) {
        json_t *doc = deis_json_parse(range.kvs[i].value, err);
        if (!doc) {
            return deis_err_wrap(err, "key '%s'", range.kvs[i].key);
        }
        json_object_set(*ret_by_name, range.kvs[i].key + strlen(prefix), doc);
        json_array_append_new(*ret_list, doc);
    }
    return rc;
}

/* What the app runs now stays too, whatever release that is of. */
static int add_running(const struct janitor *j, const char *app, json_t *kept, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char key[DEIS_KEY_MAX];
    int rc = deis_etcd_get(j->etcd, deis_key(key, "formations/%s", app), &range, err);

    if (rc == DEIS_OK) {
        deis_autojson json_t *doc = deis_json_parse(range.kvs[0].value, err);
        if (!doc) {
            return deis_err_wrap(err, "key '%s'", key);
        }
        json_array_append(kept, json_object_get(doc, "image"));
    }
    return rc == DEIS_NOT_FOUND ? DEIS_OK : rc;
}

static int read_kept(const struct janitor *j, const char *app, json_t **ret, struct deis_err *err)
{
    deis_autojson json_t *releases = NULL;
    deis_autojson json_t *builds = NULL;
    deis_autojson json_t *by_version = NULL;
    deis_autojson json_t *by_uuid = NULL;

    int rc = read_documents(j, app, "releases", &releases, &by_version, err);
    if (rc == DEIS_OK) {
        rc = read_documents(j, app, "builds", &builds, &by_uuid, err);
    }
    if (rc == DEIS_OK) {
        *ret = image_keep_newest(releases, by_uuid, j->settings->images_kept);
        rc = add_running(j, app, *ret, err);
    }
    return rc;
}

/* A deploy may need an image that no release names yet. Doubt counts as yes. */
static bool is_changing(const struct janitor *j, const char *app)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];

    return janitor_has_record(j->settings, app) ||
           deis_etcd_get(j->etcd, deis_key(key, "operations/%s", app), &range, &err) !=
               DEIS_NOT_FOUND;
}

static void tidy_locked(const struct janitor *j, const char *app, const json_t *images)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *kept = NULL;
    size_t i, removed = 0;
    json_t *image;

    if (is_changing(j, app)) {
        return;
    }
    int rc = read_kept(j, app, &kept, &err);
    /* Without a release the app is being made, or is gone: others see to it then. */
    if (rc < 0 || json_array_size(kept) == 0) {
        if (rc < 0) {
            deis_warn("images not looked through", KV_S("app", app), KV_ERR(&err));
        }
        return;
    }
    deis_autojson json_t *spent = image_keep_spent(images, kept);
    json_array_foreach(spent, i, image)
    {
        rc = image_forget(j->settings, j->docker, app, image, &err);
        removed += rc == DEIS_OK;
        if (rc < 0 && rc != DEIS_CONFLICT) { /* a container still uses it: next time */
            deis_warn("old image not removed", KV_S("app", app), KV_ERR(&err));
        }
    }
    if (removed > 0) {
        deis_info("images of old releases removed", KV_S("app", app), KV_I("count", removed));
    }
}

void images_tidy(const struct janitor *j)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *by_app = NULL;
    const char *app;
    json_t *images;

    if (j->settings->images_kept == 0) {
        return;
    }
    if (list_images(j, &by_app, &err) < 0) {
        deis_warn("images not listed", KV_ERR(&err));
        return;
    }
    json_object_foreach(by_app, app, images)
    {
        int lock = -1;
        if (json_array_size(images) > j->settings->images_kept &&
            repo_lock(j->settings, app, &lock, &err) == DEIS_OK) {
            tidy_locked(j, app, images);
            close(lock);
        }
    }
}
