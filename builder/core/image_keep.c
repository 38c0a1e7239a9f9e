/* SPDX-License-Identifier: MIT */
#include "builder/core/image_keep.h"

static bool has(const json_t *texts, const char *text)
{
    size_t i;
    const json_t *item;

    json_array_foreach(texts, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0) {
            return true;
        }
    }
    return false;
}

json_t *image_keep_newest(const json_t *releases, const json_t *builds, size_t count)
{
    json_t *out = json_array();

    for (size_t i = json_array_size(releases); i > 0 && json_array_size(out) < count; i--) {
        const char *uuid =
            json_string_value(json_object_get(json_array_get(releases, i - 1), "build"));
        const json_t *build = uuid ? json_object_get(builds, uuid) : NULL;
        const char *image = json_string_value(json_object_get(build, "image"));
        if (image && !has(out, image)) {
            json_array_append_new(out, json_string(image));
        }
    }
    return out;
}

static bool is_kept(const json_t *image, const json_t *kept)
{
    size_t i;
    const json_t *name;

    json_array_foreach(json_object_get(image, "RepoDigests"), i, name)
    {
        if (json_is_string(name) && has(kept, json_string_value(name))) {
            return true;
        }
    }
    return false;
}

json_t *image_keep_spent(const json_t *images, const json_t *kept)
{
    json_t *out = json_array();
    size_t i;
    json_t *image;

    json_array_foreach(images, i, image)
    {
        if (!is_kept(image, kept)) {
            json_array_append(out, image);
        }
    }
    return out;
}
