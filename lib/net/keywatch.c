/* SPDX-License-Identifier: MIT */
#include "lib/net/keywatch.h"

#include "lib/net/log.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_EVERY_MS 30000 /* for what inotify does not see: a mount, another kernel's writes */

struct deis_keywatch {
    struct deis_keys *keys;
    unsigned version; /* that was told; others may read the file too */
    void (*on_change)(void *arg);
    void *arg;
    int fd; /* of inotify, or -1 */
    struct event *readable;
    struct deis_timer *timer;
    bool complained; /* about the file as it is */
};

static void look(struct deis_keywatch *w)
{
    struct deis_err err = DEIS_ERR_INIT;
    int r = deis_keys_refresh(w->keys, &err);

    if (r < 0 && !w->complained) {
        deis_error("the cluster keys stay as they were", KV_ERR(&err));
    }
    w->complained = r < 0;
    unsigned version = deis_keys_version(w->keys);
    if (version != w->version) {
        w->version = version;
        char **ids = deis_keys_ids(w->keys);
        size_t count = 0;
        while (ids[count]) {
            count++;
        }
        deis_info("cluster keys were read again", KV_S("seals", ids[0]), KV_I("keys", count));
        while (count > 0) {
            free(ids[--count]);
        }
        free(ids);
        if (w->on_change) {
            w->on_change(w->arg);
        }
    }
}

static void on_timer(void *arg)
{
    look(arg);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    while (read(fd, events, sizeof(events)) > 0) {
    }
    look(arg);
}

/* The folder and not the file, which is another one after each change. */
static void watch_folder(struct deis_keywatch *w, struct deis_loop *loop)
{
    const char *path = deis_keys_path(w->keys);
    const char *slash = strrchr(path, '/');
    deis_autofree char *folder =
        !slash ? deis_strdup(".") : deis_str_dup(deis_str_n(path, (size_t)(slash - path) + 1));

    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0 || inotify_add_watch(w->fd, folder,
                                       IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR) < 0) {
        deis_debug("changes of the cluster keys are not told", KV_S("folder", folder),
                   KV_I("errno", errno));
        return;
    }
    w->readable = event_new(deis_loop_base(loop), w->fd, EV_READ | EV_PERSIST, on_readable, w);
    if (w->readable) {
        event_add(w->readable, NULL);
    }
}

struct deis_keywatch *deis_keywatch_start(struct deis_loop *loop, struct deis_keys *keys,
                                          void (*on_change)(void *arg), void *arg)
{
    struct deis_keywatch *w = deis_alloc(sizeof(*w));

    *w = (struct deis_keywatch){ .keys = keys,
                                 .version = deis_keys_version(keys),
                                 .on_change = on_change,
                                 .arg = arg,
                                 .fd = -1 };
    if (deis_keys_path(keys)) {
        watch_folder(w, loop);
        w->timer = deis_timer_new(loop, on_timer, w);
        deis_timer_every(w->timer, LOOK_EVERY_MS);
    }
    return w;
}

void deis_keywatch_stop(struct deis_keywatch *w)
{
    if (!w) {
        return;
    }
    if (w->readable) {
        event_free(w->readable);
    }
    if (w->fd >= 0) {
        close(w->fd);
    }
    deis_timer_free(w->timer);
    free(w);
}
