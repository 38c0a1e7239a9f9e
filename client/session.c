/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/pairs.h"
#include "client/core/remote.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROFILE_MAX ((size_t)64 << 10)

static int find_profile(struct client *c)
{
    struct deis_err err;

    if (c->profile_path) {
        return 0;
    }
    if (profile_path(getenv("HOME"), getenv("DEIS_PROFILE"), &c->profile_path, &err) < 0) {
        return client_fail_err(c, &err);
    }
    return 0;
}

int session_load_if_any(struct client *c)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(PROFILE_MAX);
    struct deis_err err;

    if (c->logged_in) {
        return 0;
    }
    if (find_profile(c) < 0) {
        return -1;
    }
    int r = deis_file_read(c->profile_path, &text, &err);
    if (r == DEIS_NOT_FOUND) {
        c->profile.response_limit = PROFILE_LIMIT_DEFAULT;
        c->profile.ssh_port = PROFILE_SSH_PORT;
        return 0;
    }
    if (r == 0) {
        r = profile_parse(deis_buf_str(&text), &c->profile, &err);
        explicit_bzero(text.data, text.len);
    }
    if (r < 0) {
        return client_fail(c, "%s: %s", c->profile_path, err.msg);
    }
    c->logged_in = true;
    return 0;
}

int session_load(struct client *c)
{
    if (session_load_if_any(c) < 0) {
        return -1;
    }
    if (!c->logged_in) {
        return client_fail(c, "Not logged in. Use 'deis login' or 'deis register' to get started.");
    }
    return 0;
}

int session_save(struct client *c)
{
    struct deis_err err;

    if (find_profile(c) < 0) {
        return -1;
    }
    deis_autofree char *folder = deis_strdup(c->profile_path);
    *strrchr(folder, '/') = '\0';
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
        deis_err_errno(&err, errno, "can't make '%s'", folder);
        return client_fail_err(c, &err);
    }
    deis_autofree char *text = profile_format(&c->profile);
    if (deis_file_replace(c->profile_path, deis_str(text), 0600, &err) < 0) {
        return client_fail_err(c, &err);
    }
    explicit_bzero(text, strlen(text));
    c->logged_in = true;
    return 0;
}

int session_forget(struct client *c)
{
    struct deis_err err;

    if (find_profile(c) < 0) {
        return -1;
    }
    if (unlink(c->profile_path) < 0 && errno != ENOENT) {
        deis_err_errno(&err, errno, "can't delete '%s'", c->profile_path);
        return client_fail_err(c, &err);
    }
    return 0;
}

/* The app of this repository's remote, else the folder's name. */
static int find_app(struct client *c)
{
    char folder[PATH_MAX];
    struct deis_err err;
    deis_autofree char *host = profile_host(c->profile.controller);

    c->folder_app = git_app(host ? host : "");
    if (c->folder_app) {
        return 0;
    }
    if (!getcwd(folder, sizeof(folder))) {
        deis_err_errno(&err, errno, "can't name this folder");
        return client_fail_err(c, &err);
    }
    c->folder_app = remote_app_of_folder(folder);
    c->app_guessed = true;
    if (!c->folder_app[0]) {
        return client_fail(c, "no app is named. Use -a <app>, or run this in a folder with the "
                              "app's git remote.");
    }
    return 0;
}

int session_app(struct client *c, const struct options *o, const char **ret)
{
    if (session_load(c) < 0) {
        return -1;
    }
    c->app = options_get(o, OPTION_APP, NULL);
    if (!c->app) {
        if (find_app(c) < 0) {
            return -1;
        }
        c->app = c->folder_app;
    }
    *ret = c->app;
    return 0;
}

int session_limit(struct client *c, const struct options *o, long *ret)
{
    const char *text = options_get(o, OPTION_LIMIT, NULL);
    struct deis_err err;
    long limit = 0;

    if (text && pairs_number(text, &limit, &err) < 0) {
        return client_fail_err(c, &err);
    }
    if (session_load(c) < 0) {
        return -1;
    }
    *ret = limit > 0 ? limit : c->profile.response_limit;
    return 0;
}
