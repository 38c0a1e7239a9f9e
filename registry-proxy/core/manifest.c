/* SPDX-License-Identifier: MIT */
#include "registry-proxy/core/manifest.h"

#include "registry-proxy/core/route.h"

static const char *const image_types[] = {
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
};
static const char *const index_types[] = {
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
};

void manifest_refs_clear(struct manifest_refs *r)
{
    for (size_t i = 0; i < r->blob_count; i++) {
        free(r->blobs[i]);
    }
    for (size_t i = 0; i < r->manifest_count; i++) {
        free(r->manifests[i]);
    }
    free(r->blobs);
    free(r->manifests);
    *r = (struct manifest_refs){ 0 };
}

static int add_descriptor(const json_t *descriptor, char ***list, size_t *count,
                          struct deis_err *err)
{
    const char *digest;
    int r = deis_json_get_str(descriptor, "digest", &digest, err);

    if (r < 0) {
        return r;
    }
    if (!registry_is_digest(deis_str(digest))) {
        return deis_err_set(err, DEIS_INVALID, "digest '%.80s' is not valid", digest);
    }
    if (*count >= MANIFEST_REFS_MAX) {
        return deis_err_set(err, DEIS_INVALID, "more than %d entries", MANIFEST_REFS_MAX);
    }
    *list = deis_realloc_array(*list, *count + 1, sizeof(**list));
    (*list)[(*count)++] = deis_str_dup(registry_digest_hex(deis_str(digest)));
    return 0;
}

static int parse_image(const json_t *obj, struct manifest_refs *refs, struct deis_err *err)
{
    json_t *config;
    json_t *layers;
    int r = deis_json_get_object(obj, "config", &config, err);

    if (r == 0) {
        r = add_descriptor(config, &refs->blobs, &refs->blob_count, err);
    }
    if (r == 0) {
        r = deis_json_get_array(obj, "layers", &layers, err);
    }
    for (size_t i = 0; r == 0 && i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        if (!json_object_get(layer, "urls")) {
            r = add_descriptor(layer, &refs->blobs, &refs->blob_count, err);
        }
    }
    return r;
}

static int parse_index(const json_t *obj, struct manifest_refs *refs, struct deis_err *err)
{
    json_t *manifests;
    int r = deis_json_get_array(obj, "manifests", &manifests, err);

    for (size_t i = 0; r == 0 && i < json_array_size(manifests); i++) {
        r = add_descriptor(json_array_get(manifests, i), &refs->manifests, &refs->manifest_count,
                           err);
    }
    return r;
}

static bool is_one_of(struct deis_str type, const char *const *types, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (deis_str_eq_cstr(type, types[i])) {
            return true;
        }
    }
    return false;
}

int manifest_parse(struct deis_str text, struct deis_str media_type, struct manifest_refs *ret,
                   struct deis_err *err)
{
    struct manifest_refs refs = { 0 };
    deis_autojson json_t *obj = deis_json_parse(text, err);
    const char *own_type;
    int r;

    *ret = refs;
    if (!obj) {
        return deis_err_wrap(err, "manifest");
    }
    r = deis_json_str_or(obj, "mediaType", "", &own_type, err);
    if (r < 0) {
        return deis_err_wrap(err, "manifest");
    }
    if (media_type.len == 0) {
        media_type = deis_str(own_type);
    } else if (own_type[0] != '\0' && !deis_str_eq_cstr(media_type, own_type)) {
        return deis_err_set(err, DEIS_INVALID,
                            "manifest: mediaType is not what the request's Content-Type says");
    }
    if (is_one_of(media_type, image_types, DEIS_COUNT(image_types))) {
        r = parse_image(obj, &refs, err);
    } else if (is_one_of(media_type, index_types, DEIS_COUNT(index_types))) {
        r = parse_index(obj, &refs, err);
    } else {
        return deis_err_set(err, DEIS_INVALID, "manifest: media type '%.*s' is not supported",
                            (int)(media_type.len > 100 ? 100 : media_type.len), media_type.ptr);
    }
    if (r < 0) {
        manifest_refs_clear(&refs);
        return deis_err_wrap(err, "manifest");
    }
    memcpy(refs.media_type, media_type.ptr, media_type.len);
    *ret = refs;
    return 0;
}
