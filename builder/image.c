/* SPDX-License-Identifier: MIT */
#include "builder/image.h"

#include "lib/crypto/registry_login.h"
#include "lib/net/httpc.h"

#define REGISTRY_CALL_MS    10000
#define REGISTRY_ANSWER_MAX (4u << 20)
#define REGISTRY_LOGIN_MAX  1024

/* --- the Engine --- */

/* Is reference "<registry>/<app>:..." or "<registry>/<app>@..."? */
static bool is_of_app(const struct settings *s, const char *app, const char *reference)
{
    deis_autofree char *name = deis_asprintf("%s/%s", s->registry, app);
    size_t len = strlen(name);

    return strncmp(reference, name, len) == 0 && (reference[len] == ':' || reference[len] == '@');
}

/* Remove the references of one list; *ret_others counts those that are not the app's. */
static int remove_references(const struct settings *s, struct deis_docker *docker, const char *app,
                             const json_t *list, size_t *ret_others, struct deis_err *err)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        const char *reference = json_string_value(item);
        if (!reference || strncmp(reference, "<none>", 6) == 0) {
            continue;
        }
        if (!is_of_app(s, app, reference)) {
            (*ret_others)++;
            continue;
        }
        int rc = deis_docker_image_remove(docker, reference, err);
        if (rc < 0 && rc != DEIS_NOT_FOUND) {
            return rc;
        }
    }
    return DEIS_OK;
}

int image_forget(const struct settings *s, struct deis_docker *docker, const char *app,
                 const json_t *image, struct deis_err *err)
{
    const char *id = json_string_value(json_object_get(image, "Id"));
    size_t others = 0;

    int rc = remove_references(s, docker, app, json_object_get(image, "RepoTags"), &others, err);
    if (rc == DEIS_OK) {
        rc = remove_references(s, docker, app, json_object_get(image, "RepoDigests"), &others, err);
    }
    if (rc == DEIS_OK && others == 0 && id) {
        rc = deis_docker_image_remove(docker, id, err);
        rc = rc == DEIS_NOT_FOUND ? DEIS_OK : rc;
    }
    return rc;
}

bool image_is_ours(const struct settings *s, const json_t *image)
{
    const char *registry =
        json_string_value(json_object_get(json_object_get(image, "Labels"), IMAGE_LABEL_REGISTRY));

    return !registry || strcmp(registry, s->registry) == 0;
}

static int remove_labelled(const struct settings *s, struct deis_docker *docker, const char *app,
                           const char *label, const char *value, struct deis_err *err)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(4096);
    deis_autojson json_t *images = NULL;
    deis_autofree char *pair = deis_asprintf("%s=%s", label, value);
    deis_autojson json_t *filter = json_pack("{s:[s]}", "label", pair);
    deis_autofree char *text = deis_json_dump(filter);
    size_t i;
    json_t *image;

    deis_buf_add_cstr(&path, "/images/json?filters=");
    deis_buf_add_urlencoded(&path, deis_str(text), false);
    int rc = deis_docker_call(docker, "GET", path.data, NULL, 0, &images, err);
    if (rc < 0) {
        return rc;
    }
    json_array_foreach(images, i, image)
    {
        rc = image_is_ours(s, image) ? image_forget(s, docker, app, image, err) : DEIS_OK;
        if (rc < 0) {
            return rc;
        }
    }
    return DEIS_OK;
}

int image_forget_layer(struct deis_docker *docker, const char *id, struct deis_err *err)
{
    deis_autojson json_t *image = NULL;

    int rc = deis_docker_image_inspect(docker, id, &image, err);
    if (rc == DEIS_OK && json_array_size(json_object_get(image, "RepoTags")) == 0 &&
        json_array_size(json_object_get(image, "RepoDigests")) == 0) {
        rc = deis_docker_image_remove(docker, id, err);
    }
    return rc == DEIS_NOT_FOUND || rc == DEIS_CONFLICT ? DEIS_OK : rc;
}

int image_forget_app(const struct settings *s, struct deis_docker *docker, const char *app,
                     struct deis_err *err)
{
    return remove_labelled(s, docker, app, IMAGE_LABEL_APP, app, err);
}

/* --- the registry --- */

int image_push(const struct settings *s, struct deis_docker *docker, const char *app,
               const char *tag, char **ret_image, struct deis_err *err)
{
    deis_autofree char *repository = deis_asprintf("%s/%s", s->registry, app);
    deis_autofree char *digest = NULL;
    char password[65];
    const struct deis_docker_transfer login = { .user = DEIS_REGISTRY_USER, .password = password };
    struct deis_keys *keys = deis_keys_open(s->cluster_key, err);

    if (!keys) {
        return err->code;
    }
    deis_registry_password(keys, password);
    deis_keys_free(keys);
    int rc = deis_docker_push(docker, repository, tag, &login, &digest, err);
    explicit_bzero(password, sizeof(password));
    if (rc == DEIS_OK) {
        *ret_image = deis_asprintf("%s@%s", repository, digest);
    }
    return rc;
}

struct registry {
    struct deis_httpc *http;
    struct deis_buf login; /* field line */
};

static int registry_open(const struct settings *s, struct registry *ret, struct deis_err *err)
{
    struct deis_keys *keys = deis_keys_open(s->cluster_key, err);

    if (!keys) {
        return err->code;
    }
    *ret = (struct registry){ deis_httpc_new(), DEIS_BUF_INIT(REGISTRY_LOGIN_MAX) };
    deis_registry_authorize(keys, &ret->login);
    deis_keys_free(keys);
    return DEIS_OK;
}

static void registry_close(struct registry *r)
{
    deis_httpc_free(r->http);
    deis_buf_clear(&r->login);
}

static int registry_call(struct registry *r, const char *method, const char *url,
                         struct deis_httpc_answer *ret, struct deis_err *err)
{
    const char *const headers[] = {
        "Accept: application/vnd.docker.distribution.manifest.v2+json",
        "Accept: application/vnd.oci.image.manifest.v1+json",
        r->login.data,
        NULL,
    };
    struct deis_httpc_request req = {
        .method = method,
        .url = url,
        .headers = headers,
        .timeout_ms = REGISTRY_CALL_MS,
        .answer_max = REGISTRY_ANSWER_MAX,
    };

    int rc = deis_httpc_call(r->http, &req, ret, err);
    if (rc < 0) {
        return deis_err_wrap(err, "registry");
    }
    if (ret->status == 404) {
        return deis_err_set(err, DEIS_NOT_FOUND, "registry has no '%s'", url);
    }
    if (ret->status >= 300) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "registry answers %d", ret->status);
    }
    return DEIS_OK;
}

/* The digest of the image's configuration, from its manifest. */
static int config_digest(struct deis_str manifest, char **ret, struct deis_err *err)
{
    deis_autojson json_t *object = deis_json_parse(manifest, err);
    json_t *config = NULL;
    const char *digest = NULL;

    if (!object) {
        return DEIS_INVALID;
    }
    int rc = deis_json_get_object(object, "config", &config, err);
    if (rc == DEIS_OK) {
        rc = deis_json_get_str(config, "digest", &digest, err);
    }
    if (rc == DEIS_OK) {
        *ret = deis_strdup(digest);
    }
    return rc;
}

static bool has_label(struct deis_str config, const char *label, const char *value)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *object = deis_json_parse(config, &err);
    const json_t *labels = json_object_get(json_object_get(object, "config"), "Labels");
    const char *found = json_string_value(json_object_get(labels, label));

    return found && strcmp(found, value) == 0;
}

/* Does the tag still name the image of this build? *ret_digest, yours, is the manifest's then. */
static int find_manifest(const struct settings *s, struct registry *from, const struct record *r,
                         char **ret_digest, struct deis_err *err)
{
    deis_autoanswer struct deis_httpc_answer manifest = { 0 };
    deis_autoanswer struct deis_httpc_answer config = { 0 };
    deis_autofree char *digest = NULL;
    deis_autofree char *url =
        deis_asprintf("http://%s/v2/%s/manifests/%s", s->registry, r->app, r->tag);

    int rc = registry_call(from, "GET", url, &manifest, err);
    if (rc == DEIS_OK) {
        rc = config_digest(deis_buf_str(&manifest.body), &digest, err);
    }
    if (rc < 0) {
        return rc;
    }
    deis_autofree char *blob =
        deis_asprintf("http://%s/v2/%s/blobs/%s", s->registry, r->app, digest);
    rc = registry_call(from, "GET", blob, &config, err);
    if (rc < 0) {
        return rc;
    }
    struct deis_str name = deis_httpc_header(&manifest, "Docker-Content-Digest");
    if (!has_label(deis_buf_str(&config.body), IMAGE_LABEL_BUILD, r->id) || name.len == 0) {
        return deis_err_set(err, DEIS_NOT_FOUND, "tag '%s' names another image", r->tag);
    }
    *ret_digest = deis_str_dup(name);
    return DEIS_OK;
}

static int forget_in_registry(const struct settings *s, const struct record *r,
                              struct deis_err *err)
{
    struct registry from;
    deis_autofree char *digest = NULL;

    int rc = registry_open(s, &from, err);
    if (rc < 0) {
        return rc;
    }
    rc = find_manifest(s, &from, r, &digest, err);
    if (rc == DEIS_OK) {
        deis_autoanswer struct deis_httpc_answer answer = { 0 };
        deis_autofree char *url =
            deis_asprintf("http://%s/v2/%s/manifests/%s", s->registry, r->app, digest);
        rc = registry_call(&from, "DELETE", url, &answer, err);
    }
    registry_close(&from);
    return rc == DEIS_NOT_FOUND ? DEIS_OK : rc;
}

int image_forget_build(const struct settings *s, struct deis_docker *docker, const struct record *r,
                       struct deis_err *err)
{
    int rc = r->phase > RECORD_BUILDING ? forget_in_registry(s, r, err) : DEIS_OK;
    struct deis_err engine = DEIS_ERR_INIT;

    /* Both are tried: what can't be removed here must not keep the other. */
    int also = remove_labelled(s, docker, r->app, IMAGE_LABEL_BUILD, r->id, &engine);
    return rc < 0 || also == DEIS_OK ? rc : deis_err_set(err, also, "%s", engine.msg);
}
