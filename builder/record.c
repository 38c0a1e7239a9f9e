/* SPDX-License-Identifier: MIT */
#include "builder/record.h"

#include "builder/file.h"

#include "lib/wire/json.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX_BYTES 4096

static char *path_of(const struct settings *s, const char *id)
{
    return deis_asprintf("%s/builds/%s", s->data, id);
}

int record_save(const struct settings *s, const struct record *r, struct deis_err *err)
{
    deis_autofree char *path = path_of(s, r->id);
    deis_autojson json_t *object =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:s}", "app", r->app, "tag", r->tag,
                  "layer", r->layer, "phase", (int)r->phase, "pid", r->pid, "branch", r->branch,
                  "commit", r->commit, "old", r->old, "quarantine", r->quarantine);
    deis_autofree char *text = deis_json_dump(object);

    return deis_file_replace(path, deis_str(text), 0600, err);
}

/* A copy of a text, yours. */
static int take_text(const json_t *object, const char *name, char **ret, struct deis_err *err)
{
    const char *text = NULL;

    int rc = deis_json_get_str(object, name, &text, err);
    if (rc == DEIS_OK) {
        *ret = deis_strdup(text);
    }
    return rc;
}

int record_load(const struct settings *s, const char *id, struct record *ret, struct deis_err *err)
{
    deis_autofree char *path = path_of(s, id);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(RECORD_MAX_BYTES);
    const char *layer = NULL;
    uint64_t phase = 0;
    uint64_t pid = 0;

    *ret = (struct record){ 0 };
    int rc = deis_file_read(path, &text, err);
    if (rc < 0) {
        return rc;
    }
    deis_autojson json_t *object = deis_json_parse(deis_buf_str(&text), err);
    if (!object || strlen(id) >= sizeof(ret->id) || take_text(object, "app", &ret->app, err) < 0 ||
        take_text(object, "tag", &ret->tag, err) < 0 ||
        take_text(object, "branch", &ret->branch, err) < 0 ||
        take_text(object, "commit", &ret->commit, err) < 0 ||
        take_text(object, "old", &ret->old, err) < 0 ||
        take_text(object, "quarantine", &ret->quarantine, err) < 0 ||
        deis_json_get_str(object, "layer", &layer, err) < 0 ||
        strlen(layer) >= sizeof(ret->layer) ||
        deis_json_get_u64(object, "phase", &phase, err) < 0 ||
        deis_json_get_u64(object, "pid", &pid, err) < 0) {
        record_clear(ret);
        return deis_err_set(err, DEIS_INVALID, "record '%s' can't be read", path);
    }
    memcpy(ret->id, id, strlen(id) + 1);
    memcpy(ret->layer, layer, strlen(layer) + 1);
    ret->phase = phase < RECORD_DEPLOYING ? (enum record_phase)phase : RECORD_DEPLOYING;
    ret->pid = (int)pid;
    return DEIS_OK;
}

void record_remove(const struct settings *s, const char *id)
{
    deis_autofree char *path = path_of(s, id);

    unlink(path);
}

void record_clear(struct record *r)
{
    free(r->app);
    free(r->tag);
    free(r->branch);
    free(r->commit);
    free(r->old);
    free(r->quarantine);
    *r = (struct record){ 0 };
}

void record_each(const struct settings *s, void (*fn)(const char *id, void *arg), void *arg)
{
    deis_autofree char *folder = deis_asprintf("%s/builds", s->data);

    folder_each(folder, fn, arg);
}

uint64_t record_age_ms(const struct settings *s, const char *id, uint64_t wall_ms)
{
    deis_autofree char *path = path_of(s, id);
    struct stat st;

    if (stat(path, &st) < 0) {
        return 0;
    }
    uint64_t written = (uint64_t)st.st_mtim.tv_sec * 1000 + (uint64_t)st.st_mtim.tv_nsec / 1000000;
    return wall_ms > written ? wall_ms - written : 0;
}
