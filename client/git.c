/* SPDX-License-Identifier: MIT */
#include "client/client.h"
#include "client/core/remote.h"

#include <stdio.h>

char *git_app(const char *host)
{
    static const char *const argv[] = { "git", "remote", "-v", NULL };
    struct deis_buf listing;
    struct deis_err err;
    int status = 0;
    char *app = NULL;

    if (run_program(argv, false, &listing, &status, &err) == 0 && status == 0) {
        app = remote_app(deis_buf_str(&listing), host);
    }
    deis_buf_clear(&listing);
    return app;
}

int git_add_remote(struct client *c, const char *remote, const char *app, int *ret_status)
{
    deis_autofree char *host = profile_host(c->profile.controller);
    deis_autofree char *url = remote_url(host ? host : "", c->profile.ssh_port, app);
    const char *const argv[] = { "git", "remote", "add", "--", remote, url, NULL };
    struct deis_buf said;
    struct deis_err err;

    int r = run_program(argv, true, &said, ret_status, &err);
    if (r < 0) {
        return client_fail_err(c, &err);
    }
    term_print(&said);
    deis_buf_clear(&said);
    if (*ret_status != 0) {
        return client_fail(c, "exit status %d", *ret_status);
    }
    printf("Git remote %s added\n", remote);
    return 0;
}

int git_remove_remote(struct client *c, const char *app)
{
    static const char *const list[] = { "git", "remote", "-v", NULL };
    struct deis_buf said;
    struct deis_err err;
    int status = 0;

    int r = run_program(list, false, &said, &status, &err);
    if (r < 0) {
        return client_fail_err(c, &err);
    }
    deis_autofree char *host = profile_host(c->profile.controller);
    deis_autofree char *name = remote_name(deis_buf_str(&said), host ? host : "", app);
    deis_buf_clear(&said);
    if (status != 0) {
        return client_fail(c, "exit status %d", status);
    }
    if (!name) {
        return client_fail(c, "Could not find remote matching app in 'git remote -v'");
    }
    const char *const removal[] = { "git", "remote", "remove", "--", name, NULL };
    r = run_program(removal, true, &said, &status, &err);
    if (r < 0) {
        return client_fail_err(c, &err);
    }
    deis_buf_clear(&said);
    if (status != 0) {
        return client_fail(c, "exit status %d", status);
    }
    printf("Git remote %s removed\n", name);
    return 0;
}

int git_remote(struct client *c, const struct options *o)
{
    const char *app = NULL;
    int status = 0;

    if (session_app(c, o, &app) < 0) {
        return -1;
    }
    return git_add_remote(c, options_get(o, OPTION_REMOTE, "deis"), app, &status);
}
