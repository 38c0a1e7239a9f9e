/* SPDX-License-Identifier: MIT */
#include "builder/core/found_images.h"

struct found_image {
    char *reference;
    char id[DOCKERFILE_ID_LEN + 1];
};

const char *found_images_id(const struct found_images *f, const char *reference)
{
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->items[i].reference, reference) == 0) {
            return f->items[i].id;
        }
    }
    return NULL;
}

void found_images_add(struct found_images *f, const char *reference, const char *id)
{
    f->items = deis_realloc_array(f->items, f->count + 1, sizeof(*f->items));
    struct found_image *new = &f->items[f->count++];
    new->reference = deis_strdup(reference);
    snprintf(new->id, sizeof(new->id), "%s", id);
}

/* "Step 2/7 : FROM ...", or COPY: no other step names images or stages. */
static bool names_images(struct deis_str text)
{
    struct deis_str step, word;

    if (!deis_str_starts(text, "Step ")) {
        return false;
    }
    deis_str_split(&text, ':', &step);
    text = deis_str_trim(text);
    deis_str_split(&text, ' ', &word);
    return deis_str_ieq_cstr(word, "from") || deis_str_ieq_cstr(word, "copy");
}

/* The name of what text begins with, an id or a stage; NULL: neither. *ret_len bytes stand for it.
 */
static const char *name_at(const struct found_images *f, struct deis_str text, size_t *ret_len)
{
    for (size_t i = 0; i < f->count; i++) {
        if (deis_str_starts(text, f->items[i].id)) {
            *ret_len = DOCKERFILE_ID_LEN;
            return f->items[i].reference;
        }
    }
    *ret_len = strlen(DOCKERFILE_STAGE_PREFIX);
    return deis_str_starts(text, DOCKERFILE_STAGE_PREFIX) ? "" : NULL;
}

void found_images_show(const struct found_images *f, struct deis_str text, struct deis_buf *out)
{
    if (!names_images(text)) {
        deis_buf_add_str(out, text);
        return;
    }
    while (text.len > 0) {
        size_t len = 0;
        const char *name = name_at(f, text, &len);
        if (name) {
            deis_buf_add_cstr(out, name);
        } else {
            len = 1;
            deis_buf_add_char(out, text.ptr[0]);
        }
        text = deis_str_skip(text, len);
    }
}

void found_images_clear(struct found_images *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->items[i].reference);
    }
    free(f->items);
    *f = (struct found_images){ 0 };
}
