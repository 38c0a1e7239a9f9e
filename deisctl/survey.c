/* SPDX-License-Identifier: MIT */
#include "deisctl/survey.h"

#include "deisctl/secrets.h"

#include "lib/model/sealed.h"

#include <stdio.h>

static int add_service(struct survey *s, const struct deis_etcd_kv *kv, struct deis_err *err)
{
    struct deis_str instance = deis_key_below(kv->key, "services/");
    struct deis_str component;
    struct deis_service where;

    if (!deis_str_split(&instance, '/', &component) || !instance.ptr) {
        return 0;
    }
    int r = deis_service_parse(kv->value, &where, err);
    if (r < 0) {
        return deis_err_wrap(err, "'%s'", kv->key);
    }
    s->services = deis_realloc_array(s->services, s->service_count + 1, sizeof(*s->services));
    s->services[s->service_count++] = (struct rotation_service){
        .name = deis_asprintf("%.*s@%.*s", DEIS_STR_ARG(component), DEIS_STR_ARG(instance)),
        .keys = DEIS_TAKE(where.keys),
    };
    deis_service_clear(&where);
    return 0;
}

static int read_services(struct deis_etcd *etcd, struct survey *s, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char key[DEIS_KEY_MAX];
    int r = deis_etcd_list(etcd, deis_key(key, "services/"), 0, &range, err);

    for (size_t i = 0; r == 0 && i < range.count; i++) {
        r = add_service(s, &range.kvs[i], err);
    }
    return r;
}

static void count_value(struct survey *s, const struct deis_keyring *ring, const char *sealed)
{
    char id[DEIS_KEY_ID_TEXT];
    char own[DEIS_KEY_ID_TEXT];

    if (!deis_sealed_key(deis_str(sealed), id)) {
        return;
    }
    for (size_t i = 0; i < ring->count; i++) {
        deis_key_id_text(&ring->keys[i], own);
        if (strcmp(id, own) == 0) {
            s->values[i]++;
            return;
        }
    }
    s->foreign++;
    memcpy(s->foreign_key, id, sizeof(id));
}

static int count_document(struct deis_etcd *etcd, const struct deis_keyring *ring, const char *key,
                          struct survey *s, struct deis_err *err)
{
    struct deis_sealed_place places[DEIS_SEALED_PER_DOC];
    deis_autorange struct deis_etcd_range range = { 0 };
    int r = deis_etcd_get(etcd, key, &range, err);

    if (r == DEIS_NOT_FOUND) {
        return 0;
    }
    if (r < 0) {
        return r;
    }
    deis_autojson json_t *doc = deis_json_parse(range.kvs[0].value, err);
    if (!doc) {
        return deis_err_wrap(err, "'%s'", key);
    }
    size_t count = deis_sealed_places(key, doc, places);
    for (size_t i = 0; i < count; i++) {
        count_value(s, ring,
                    json_string_value(json_object_get(places[i].object, places[i].member)));
    }
    return 0;
}

static int count_below(struct deis_etcd *etcd, const struct deis_keyring *ring, const char *prefix,
                       struct survey *s, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range names = { 0 };
    char key[DEIS_KEY_MAX];
    int r = deis_etcd_list_keys(etcd, deis_key(key, "%s", prefix), &names, err);

    for (size_t i = 0; r == 0 && i < names.count; i++) {
        if (deis_sealed_holds(names.kvs[i].key)) {
            r = count_document(etcd, ring, names.kvs[i].key, s, err);
        }
    }
    return r;
}

/* Settings that are secret hold the sealed text itself. */
static int count_setting(struct deis_etcd *etcd, const struct deis_keyring *ring, const char *name,
                         struct survey *s, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char key[DEIS_KEY_MAX];
    char id[DEIS_KEY_ID_TEXT];
    int r = deis_etcd_get(etcd, deis_key(key, "config/%s", name), &range, err);

    if (r == DEIS_NOT_FOUND) {
        return 0;
    }
    if (r == 0 && deis_sealed_key(range.kvs[0].value, id)) {
        count_value(s, ring, range.kvs[0].value.ptr);
    } else if (r == 0 && !s->open_secret) {
        s->open_secret = deis_strdup(name);
    }
    return r;
}

int survey_take(struct deis_etcd *etcd, const struct deis_keyring *ring, bool count,
                struct survey *ret, struct deis_err *err)
{
    *ret = (struct survey){ 0 };
    int r = read_services(etcd, ret, err);

    for (const char *const *p = deis_sealed_prefixes; r == 0 && count && *p; p++) {
        r = count_below(etcd, ring, *p, ret, err);
    }
    for (const char *const *p = secret_settings; r == 0 && count && *p; p++) {
        r = count_setting(etcd, ring, *p, ret, err);
    }
    if (r < 0) {
        survey_clear(ret);
    }
    return r;
}

void survey_clear(struct survey *s)
{
    for (size_t i = 0; i < s->service_count; i++) {
        free((char *)(uintptr_t)s->services[i].name);
        deis_strv_free(s->services[i].keys);
    }
    free(s->services);
    free(s->open_secret);
    *s = (struct survey){ 0 };
}
