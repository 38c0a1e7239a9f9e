/* SPDX-License-Identifier: MIT */
#include "builder/bases.h"

#include "builder/core/image_name.h"

#include "lib/net/docker_fetched.h"
#include "lib/net/log.h"

#define DOCKERFILE  "Dockerfile"
#define OUR_NAME    ".deis.Dockerfile"
#define IGNORE_NAME ".dockerignore"

static bool is_of_registry(const struct bases *b, const char *name)
{
    size_t len = strlen(b->settings->registry);

    return strncmp(name, b->settings->registry, len) == 0 && name[len] == '/';
}

static bool has_name_of_registry(const struct bases *b, const json_t *names)
{
    size_t i;
    const json_t *name;

    json_array_foreach(names, i, name)
    {
        if (json_is_string(name) && is_of_registry(b, json_string_value(name))) {
            return true;
        }
    }
    return false;
}

static int refuse(const char *reference, struct deis_err *err)
{
    return deis_err_set(err, DEIS_DENIED,
                        "'%s' is an image of an app of this platform: Dockerfiles can't use it",
                        reference);
}

static int check(const struct bases *b, const char *reference, const json_t *image,
                 struct deis_err *err)
{
    const json_t *triggers = json_object_get(json_object_get(image, "Config"), "OnBuild");
    size_t i;
    const json_t *trigger;

    if (has_name_of_registry(b, json_object_get(image, "RepoTags")) ||
        has_name_of_registry(b, json_object_get(image, "RepoDigests"))) {
        return refuse(reference, err);
    }
    json_array_foreach(triggers, i, trigger)
    {
        if (!dockerfile_trigger_ok(
                deis_str_n(json_string_value(trigger), json_string_length(trigger)))) {
            return deis_err_set(err, DEIS_INVALID,
                                "'%s' brings an ONBUILD with '--from', which is not supported",
                                reference);
        }
    }
    return DEIS_OK;
}

/* Where those that were fetched are noted. */
static char *folder_of(const struct settings *s)
{
    return deis_asprintf("%s/bases", s->data);
}

/* From the machine, else from where its name leads; as nobody in particular. */
static int look_up(struct bases *b, const char *name, json_t **ret, struct deis_err *err)
{
    deis_autofree char *folder = folder_of(b->settings);

    return deis_fetched_get(b->docker, folder, name, &b->fetch, ret, err);
}

static int find(const char *reference, char ret_id[DOCKERFILE_ID_LEN + 1], void *arg,
                struct deis_err *err)
{
    struct bases *b = arg;
    deis_autojson json_t *image = NULL;
    deis_autofree char *name = image_full_name(reference);
    const char *id = NULL;

    const char *known = found_images_id(&b->found, reference);
    if (known) {
        memcpy(ret_id, known, DOCKERFILE_ID_LEN + 1);
        return DEIS_OK;
    }
    if (!name) {
        return deis_err_set(err, DEIS_INVALID, "'%s' is no name of an image", reference);
    }
    if (is_of_registry(b, name)) {
        return refuse(reference, err);
    }
    int rc = look_up(b, name, &image, err);
    if (rc == DEIS_OK) {
        rc = check(b, reference, image, err);
    }
    if (rc == DEIS_OK) {
        rc = deis_json_get_str(image, "Id", &id, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (strlen(id) != DOCKERFILE_ID_LEN) {
        return deis_err_set(err, DEIS_PROTOCOL, "Docker Engine: '%.100s' is no id", id);
    }
    found_images_add(&b->found, reference, id);
    memcpy(ret_id, id, DOCKERFILE_ID_LEN + 1);
    return DEIS_OK;
}

/* A file that .dockerignore lists is still read as the Dockerfile; the Engine then takes both away,
 * before anything is copied. A .dockerignore of the pusher's has to stay, and then the Dockerfile
 * can't. */
static int put(struct tree_tar *tree, struct deis_str text, const char **ret_name,
               struct deis_err *err)
{
    if (tree_tar_taken(tree, OUR_NAME) || tree_tar_taken(tree, IGNORE_NAME)) {
        *ret_name = DOCKERFILE;
        return tree_tar_replace(tree, DOCKERFILE, text, err);
    }
    tree_tar_add(tree, IGNORE_NAME, DEIS_STR(IGNORE_NAME "\n" OUR_NAME "\n"));
    tree_tar_add(tree, OUR_NAME, text);
    *ret_name = OUR_NAME;
    return DEIS_OK;
}

int bases_resolve(struct bases *b, struct tree_tar *tree, const char **ret_name,
                  struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(DOCKERFILE_MAX_BYTES);
    deis_autobuf struct deis_buf resolved = DEIS_BUF_INIT(2 * DOCKERFILE_MAX_BYTES);

    int rc = tree_tar_get(tree, DOCKERFILE, &text, err);
    if (rc == DEIS_OK) {
        rc = dockerfile_rewrite(deis_buf_str(&text), find, b, &resolved, err);
    }
    if (rc == DEIS_OK && deis_str_trim(deis_buf_str(&resolved)).len == 0) {
        rc = deis_err_set(err, DEIS_INVALID, "the Dockerfile is empty");
    }
    deis_buf_addf(&resolved, "%s\n", b->last);
    if (rc == DEIS_OK && deis_buf_failed(&resolved)) {
        rc = deis_err_set(err, DEIS_LIMIT, "the Dockerfile is too large");
    }
    return rc < 0 ? rc : put(tree, deis_buf_str(&resolved), ret_name, err);
}

void bases_sweep(const struct settings *s, struct deis_docker *docker)
{
    deis_autofree char *folder = folder_of(s);
    struct deis_err err = DEIS_ERR_INIT;
    unsigned removed = 0;

    if (s->base_idle_ms > 0 &&
        deis_fetched_sweep(docker, folder, s->base_idle_ms, &removed, &err) < 0) {
        deis_warn("a base image was not removed", KV_ERR(&err));
    }
    if (removed > 0) {
        deis_info("base images that no build has used removed", KV_I("count", removed));
    }
}

void bases_clear(struct bases *b)
{
    found_images_clear(&b->found);
}
