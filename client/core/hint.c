/* SPDX-License-Identifier: MIT */
#include "client/core/hint.h"

static const char *text(const char *t)
{
    return t ? t : "";
}

static void add_no_connection(const struct hint_facts *f, struct deis_buf *out)
{
    const char *controller = text(f->controller);

    if (f->verifies && deis_str_starts(deis_str(controller), "https://")) {
        deis_buf_addf(out,
                      "Is a controller running at %s, can this machine reach it, and does it "
                      "trust its certificate?\n"
                      "To trust any certificate: deis login %s --ssl-verify=false\n",
                      controller, controller);
    } else {
        deis_buf_addf(out, "Is a controller running at %s, and can this machine reach it?\n",
                      controller);
    }
}

static void add_no_answer(const struct hint_facts *f, struct deis_buf *out)
{
    if (f->failure == DEIS_UNAVAILABLE) {
        add_no_connection(f, out);
    } else if (f->failure == DEIS_TIMEOUT && strcmp(f->method, "GET") != 0) {
        deis_buf_add_cstr(out, "The controller may have done it all the same: look before you "
                               "try again.\n");
    }
}

static void add_not_found(const struct hint_facts *f, struct deis_buf *out)
{
    if (f->app && f->app_guessed) {
        deis_buf_addf(out,
                      "No git remote here belongs to this controller, so the folder's name '%s' "
                      "was taken as the app.\n"
                      "Name the app with -a <app>, or add its remote with "
                      "'deis git:remote -a <app>'.\n",
                      f->app);
    } else if (f->app) {
        deis_buf_addf(out, "Is '%s' the app you mean? 'deis apps' lists yours.\n", f->app);
    }
}

static void add_unavailable(const struct hint_facts *f, struct deis_buf *out)
{
    if (f->app) {
        deis_buf_addf(out,
                      "'deis logs -a %s' and 'deis ps:list --detail -a %s' may say why; "
                      "what ran before still runs.\n",
                      f->app, f->app);
    } else {
        deis_buf_add_cstr(out, "The platform can't do this right now: try again in a minute.\n");
    }
}

static void add_too_many(const struct hint_facts *f, struct deis_buf *out)
{
    uint64_t seconds = 0;

    if (deis_str_to_u64(f->retry_after, 1, UINT32_MAX, &seconds, NULL) == 0) {
        deis_buf_addf(out, "Try again in %llu seconds.\n", (unsigned long long)seconds);
    } else {
        deis_buf_add_cstr(out, "Try again in a few minutes.\n");
    }
}

void hint_add(const struct hint_facts *f, struct deis_buf *out)
{
    switch (f->status) {
    case 0: add_no_answer(f, out); break;
    case 401:
        deis_buf_addf(out, "This login is not valid any more. Log in again: deis login %s\n",
                      text(f->controller));
        break;
    case 403:
        if (f->app) {
            deis_buf_addf(out,
                          "If the app is somebody else's, its owner can let you in: "
                          "deis perms:create %s -a %s\n",
                          text(f->username), f->app);
        } else {
            deis_buf_add_cstr(out, "An administrator may do this.\n");
        }
        break;
    case 404: add_not_found(f, out); break;
    case 409:
        if (f->app) {
            deis_buf_add_cstr(out, "Wait until the other change is done, then try again.\n");
        }
        break;
    case 429: add_too_many(f, out); break;
    case 503: add_unavailable(f, out); break;
    default: break;
    }
    if (f->status >= 500 && f->request_id.len > 0) {
        deis_buf_addf(out, "Operators find this request in their logs as %.*s.\n",
                      DEIS_STR_ARG(f->request_id));
    }
}
