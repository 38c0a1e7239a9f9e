/* SPDX-License-Identifier: MIT */
#include "builder/layers.h"

#include "builder/file.h"
#include "builder/image.h"

#include "lib/base/clock.h"

#include <sys/stat.h>
#include <unistd.h>

#define NOTE_MAX_BYTES 256 /* "<app> <image>" */

struct sweep {
    const struct settings *settings;
    struct deis_docker *docker;
    bool (*is_spent)(const char *app, uint64_t age_ms, void *arg);
    void *arg;
    unsigned left;
};

static char *path_of(const struct settings *s, const char *id)
{
    return deis_asprintf("%s/layers/%s", s->data, id);
}

int layers_keep(const struct settings *s, const struct record *r, struct deis_err *err)
{
    deis_autofree char *path = path_of(s, r->id);
    deis_autofree char *text = deis_asprintf("%s %s", r->app, r->layer);

    return r->layer[0] == '\0' ? DEIS_OK : deis_file_replace(path, deis_str(text), 0600, err);
}

static uint64_t age_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        return 0;
    }
    uint64_t now = deis_wall_ms() / 1000;
    return now > (uint64_t)st.st_mtime ? (now - (uint64_t)st.st_mtime) * 1000 : 0;
}

static void each_layer(const char *id, void *arg)
{
    struct sweep *w = arg;
    deis_autofree char *path = path_of(w->settings, id);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(NOTE_MAX_BYTES);
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str app;

    if (deis_file_read(path, &text, &err) < 0) {
        return;
    }
    struct deis_str image = deis_buf_str(&text);
    deis_str_split(&image, ' ', &app);
    deis_autofree char *app_name = deis_str_dup(app);
    deis_autofree char *image_id = deis_str_dup(image);
    if (!w->is_spent(app_name, age_of(path), w->arg)) {
        return;
    }
    if (image.len > 0 && image_forget_layer(w->docker, image_id, &err) < 0) {
        w->left++;
        return;
    }
    unlink(path);
}

unsigned layers_sweep(const struct settings *s, struct deis_docker *docker,
                      bool (*is_spent)(const char *app, uint64_t age_ms, void *arg), void *arg)
{
    struct sweep w = { s, docker, is_spent, arg, 0 };
    deis_autofree char *folder = deis_asprintf("%s/layers", s->data);

    folder_each(folder, each_layer, &w);
    return w.left;
}
