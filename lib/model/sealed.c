/* SPDX-License-Identifier: MIT */
#include "lib/model/sealed.h"

#include <stdio.h>

struct row {
    const char *prefix;   /* of the key */
    const char *folder;   /* that the key must hold behind the prefix, or NULL */
    const char *path[3];  /* to the member; ends with NULL */
    const char *place;    /* that the value is bound to: "<place>/<name>" */
    bool named_by_member; /* name: the document's "app"; else what follows the prefix in the key */
};

static const struct row rows[] = {
    { "acme/", NULL, { "key" }, "acme", false },
    { "apps/", "/configs/", { "values" }, "config", true },
    { "certs/", NULL, { "key" }, "cert", false },
    { "formations/", NULL, { "env" }, "env", false },
    { "operations/", NULL, { "candidate", "config", "values" }, "config", false },
    { "operations/", NULL, { "previous", "env" }, "env", false },
    { "units/", NULL, { "env" }, "env", true },
};

const char *const deis_sealed_prefixes[] = { "acme/",       "apps/",  "certs/", "formations/",
                                             "operations/", "units/", NULL };

static bool fits(const struct row *row, const char *key, struct deis_str *ret_rest)
{
    *ret_rest = deis_key_below(key, row->prefix);
    return ret_rest->len > 0 && (!row->folder || strstr(ret_rest->ptr, row->folder));
}

bool deis_sealed_holds(const char *key)
{
    struct deis_str rest;

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        if (fits(&rows[i], key, &rest)) {
            return true;
        }
    }
    return false;
}

static bool find(const struct row *row, struct deis_str rest, json_t *doc,
                 struct deis_sealed_place *ret)
{
    struct deis_str name =
        row->named_by_member ? deis_str(json_string_value(json_object_get(doc, "app"))) : rest;

    ret->object = doc;
    ret->member = row->path[0];
    for (size_t i = 1; i < DEIS_COUNT(row->path) && row->path[i]; i++) {
        ret->object = json_object_get(ret->object, ret->member);
        ret->member = row->path[i];
    }
    const char *value = json_string_value(json_object_get(ret->object, ret->member));
    if (!name.ptr || !value || !*value) {
        return false;
    }
    int n = snprintf(ret->aad, sizeof(ret->aad), "%s/%.*s", row->place, DEIS_STR_ARG(name));
    return n > 0 && (size_t)n < sizeof(ret->aad);
}

size_t deis_sealed_places(const char *key, json_t *doc,
                          struct deis_sealed_place ret[DEIS_SEALED_PER_DOC])
{
    size_t count = 0;
    struct deis_str rest;

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        if (count < DEIS_SEALED_PER_DOC && fits(&rows[i], key, &rest) &&
            find(&rows[i], rest, doc, &ret[count])) {
            count++;
        }
    }
    return count;
}
