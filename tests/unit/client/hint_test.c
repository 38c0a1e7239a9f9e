/* SPDX-License-Identifier: MIT */
#include "client/core/hint.h"
#include "tests/support/test.h"

#define OUT_MAX 4096

static const struct hint_facts about_app = {
    .method = "GET", .controller = "http://deis.example.net", .username = "mira", .app = "blog"
};

static void hint_is(struct hint_facts f, int status, const char *want)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);

    f.status = status;
    hint_add(&f, &out);
    assert_string_equal(out.data, want);
}

static void hint__of_answers(void **state)
{
    struct hint_facts guessed = about_app;
    struct hint_facts no_app = about_app;
    struct hint_facts later = about_app;
    struct hint_facts named = about_app;

    guessed.app_guessed = true;
    no_app.app = NULL;
    later.retry_after = DEIS_STR("30");
    named.app = NULL;
    named.request_id = DEIS_STR("r1");
    hint_is(about_app, 401,
            "This login is not valid any more. Log in again: deis login http://deis.example.net\n");
    hint_is(about_app, 403,
            "If the app is somebody else's, its owner can let you in: "
            "deis perms:create mira -a blog\n");
    hint_is(no_app, 403, "An administrator may do this.\n");
    hint_is(guessed, 404,
            "No git remote here belongs to this controller, so the folder's name 'blog' was taken "
            "as the app.\n"
            "Name the app with -a <app>, or add its remote with 'deis git:remote -a <app>'.\n");
    hint_is(about_app, 404, "Is 'blog' the app you mean? 'deis apps' lists yours.\n");
    hint_is(no_app, 404, "");
    hint_is(about_app, 409, "Wait until the other change is done, then try again.\n");
    hint_is(no_app, 409, "");
    hint_is(later, 429, "Try again in 30 seconds.\n");
    hint_is(about_app, 429, "Try again in a few minutes.\n");
    hint_is(about_app, 503,
            "'deis logs -a blog' and 'deis ps:list --detail -a blog' may say why; "
            "what ran before still runs.\n");
    hint_is(named, 503,
            "The platform can't do this right now: try again in a minute.\n"
            "Operators find this request in their logs as r1.\n");
    hint_is(named, 500, "Operators find this request in their logs as r1.\n");
    hint_is(about_app, 400, "");
}

static void hint__of_failures(void **state)
{
    struct hint_facts f = about_app;

    f.failure = DEIS_UNAVAILABLE;
    hint_is(f, 0,
            "Is a controller running at http://deis.example.net, and can this machine "
            "reach it?\n");
    f.verifies = true;
    hint_is(f, 0,
            "Is a controller running at http://deis.example.net, and can this machine "
            "reach it?\n");
    f.controller = "https://deis.example.net";
    hint_is(f, 0,
            "Is a controller running at https://deis.example.net, can this machine reach it, and "
            "does it trust its certificate?\n"
            "To trust any certificate: deis login https://deis.example.net --ssl-verify=false\n");
    f.failure = DEIS_TIMEOUT;
    hint_is(f, 0, "");
    f.method = "POST";
    hint_is(f, 0, "The controller may have done it all the same: look before you try again.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hint__of_answers),
        cmocka_unit_test(hint__of_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
