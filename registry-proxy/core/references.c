/* SPDX-License-Identifier: MIT */
#include "registry-proxy/core/references.h"

#include "registry-proxy/core/route.h"

struct references {
    struct deis_map *digests;
    struct deis_map *tags;
};

struct references *references_new(void)
{
    struct references *r = deis_alloc(sizeof(*r));

    r->digests = deis_map_new(NULL);
    r->tags = deis_map_new(NULL);
    return r;
}

void references_free(struct references *r)
{
    if (r) {
        deis_map_free(r->digests);
        deis_map_free(r->tags);
        free(r);
    }
}

static struct deis_str text_of(const json_t *object, const char *name)
{
    return deis_str(json_string_value(json_object_get(object, name)));
}

void references_add_build(struct references *r, const json_t *build)
{
    struct deis_str image = text_of(build, "image"), sha = text_of(build, "sha");
    ptrdiff_t at = deis_str_rfind(image, '@');
    ptrdiff_t colon = deis_str_rfind(image, ':');

    if (at >= 0) {
        struct deis_str digest = deis_str_skip(image, (size_t)at + 1);
        if (registry_is_digest(digest)) {
            references_add_digest(r, registry_digest_hex(digest));
        }
    } else if (colon > deis_str_rfind(image, '/')) {
        deis_map_set(r->tags, deis_str_skip(image, (size_t)colon + 1), r);
    } else if (sha.len > 0) {
        deis_autofree char *tag =
            deis_asprintf("git-%.*s", (int)(sha.len < 8 ? sha.len : 8), sha.ptr);
        deis_map_set(r->tags, deis_str(tag), r);
    } else {
        deis_map_set(r->tags, DEIS_STR("latest"), r);
    }
}

void references_add_digest(struct references *r, struct deis_str hex)
{
    deis_map_set(r->digests, hex, r);
}

bool references_name_digest(const struct references *r, struct deis_str hex)
{
    return deis_map_get(r->digests, hex) != NULL;
}

bool references_name_tag(const struct references *r, struct deis_str tag)
{
    return deis_map_get(r->tags, tag) != NULL;
}
