/* SPDX-License-Identifier: MIT */
#include "controller/core/release.h"

#include "controller/core/names.h"

#define PROCFILE_TYPES_MAX 60
#define COMMAND_MAX        16384

static const char *member(const json_t *obj, const char *name)
{
    const char *text = json_string_value(json_object_get(obj, name));

    return text ? text : "";
}

static json_t *procfile_parse(struct fields *f)
{
    deis_autojson json_t *raw = fields_map(f, "procfile");
    deis_autojson json_t *out = json_object();
    const char *type;
    json_t *command;

    if (json_object_size(raw) > PROCFILE_TYPES_MAX) {
        fields_error(f, "procfile", "At most %d process types are allowed", PROCFILE_TYPES_MAX);
        return NULL;
    }
    json_object_foreach(raw, type, command)
    {
        if (!deis_str_is_process_type(deis_str(type))) {
            fields_error(f, "procfile", "'%.64s' is not a valid process type", type);
            return NULL;
        }
        if (!json_is_string(command) || json_string_length(command) > COMMAND_MAX) {
            fields_error(f, "procfile", "The command of %.64s must be a text of %d bytes at most",
                         type, COMMAND_MAX);
            return NULL;
        }
        json_object_set(out, type, command);
    }
    return DEIS_TAKE(out);
}

json_t *build_parse(struct fields *f)
{
    deis_autofree char *image = fields_text(f, "image", FIELD_REQUIRED, 256);
    deis_autofree char *sha = fields_text(f, "sha", FIELD_BLANK_OK, 40);
    deis_autofree char *dockerfile = fields_text(f, "dockerfile", FIELD_BLANK_OK, 65536);
    deis_autojson json_t *procfile = procfile_parse(f);

    if (image && !names_is_image(image)) {
        fields_error(f, "image", "Enter a valid image reference.");
    }
    if (sha && *sha && strspn(sha, "0123456789abcdefghijklmnopqrstuvwxyz") != strlen(sha)) {
        fields_error(f, "sha", "Enter a valid commit id.");
    }
    if (fields_failed(f)) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:O, s:s}", "image", image, "sha", sha ? sha : "", "procfile",
                     procfile, "dockerfile", dockerfile ? dockerfile : "");
}

json_t *build_document(const struct release_origin *o, json_t *content)
{
    json_t *doc = json_pack("{s:s, s:s, s:s}", "uuid", o->uuid, "owner", o->owner, "app", o->app);
    const char *key;
    json_t *value;

    json_object_foreach(content, key, value)
    {
        json_object_set(doc, key, value);
    }
    json_object_set_new(doc, "created", json_string(o->now));
    json_object_set_new(doc, "updated", json_string(o->now));
    return doc;
}

bool build_has_type(const json_t *build, const char *type)
{
    return strcmp(type, "cmd") == 0 || json_object_get(json_object_get(build, "procfile"), type);
}

char *build_image(const json_t *build, const char *registry)
{
    const char *image = member(build, "image");
    const char *sha = member(build, "sha");
    const char *slash = strrchr(image, '/');

    if (strchr(slash ? slash : image, ':') || strchr(image, '@')) {
        return deis_strdup(image);
    }
    if (*sha) {
        return deis_asprintf("%s/%s:git-%.8s", registry, image, sha);
    }
    return deis_asprintf("%s:latest", image);
}

char *build_summary(const char *user, const json_t *build)
{
    const char *sha = member(build, "sha");

    return *sha ? deis_asprintf("%s deployed %.7s", user, sha)
                : deis_asprintf("%s deployed %s", user, member(build, "image"));
}

json_t *release_document(const struct release_origin *o, uint32_t version, const char *config_uuid,
                         const char *build_uuid, const char *summary)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s?, s:s, s:s}", "uuid", o->uuid, "app",
                     o->app, "owner", o->owner, "version", (json_int_t)version, "summary", summary,
                     "config", config_uuid, "build", build_uuid, "created", o->now, "updated",
                     o->now);
}

int release_rollback_target(const json_t *wanted, uint32_t latest, uint32_t *ret,
                            struct deis_err *err)
{
    uint64_t version = 0;
    bool negative = false;

    if (json_is_integer(wanted)) {
        negative = json_integer_value(wanted) < 0;
        version = negative ? 0 : (uint64_t)json_integer_value(wanted);
    } else if (json_is_string(wanted)) {
        if (deis_str_to_u64(deis_str(json_string_value(wanted)), 0, UINT32_MAX, &version, NULL) <
            0) {
            return deis_err_set(err, DEIS_INVALID, "version must be a number");
        }
    } else if (wanted && !json_is_null(wanted)) {
        return deis_err_set(err, DEIS_INVALID, "version must be a number");
    }
    if (version == 0 && !negative) {
        version = latest > 0 ? latest - 1 : 0;
    }
    if (negative || version < 1) {
        return deis_err_set(err, DEIS_INVALID, "version cannot be below 0");
    }
    if (version > latest) {
        return deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    *ret = (uint32_t)version;
    return DEIS_OK;
}
