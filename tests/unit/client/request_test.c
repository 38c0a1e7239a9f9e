/* SPDX-License-Identifier: MIT */
/* V-10: what is asked of the controller, each request with its path and body. */
#include "client/core/request.h"
#include "tests/support/test.h"

static void request_is(struct request r, const char *method, const char *path, const char *body)
{
    deis_autofree char *got = r.body ? deis_json_dump(r.body) : NULL;

    assert_string_equal(r.method, method);
    assert_string_equal(r.path, path);
    if (body) {
        assert_non_null(got);
        assert_string_equal(got, body);
    } else {
        assert_null(got);
    }
    request_clear(&r);
}

static void request__auth(void **state)
{
    request_is(request_check(), "GET", "/v1/", NULL);
    request_is(request_register("mira", "s", "m@x.org"), "POST", "/v1/auth/register/",
               "{\"username\":\"mira\",\"password\":\"s\",\"email\":\"m@x.org\"}");
    request_is(request_login("mira", "s"), "POST", "/v1/auth/login/",
               "{\"username\":\"mira\",\"password\":\"s\"}");
    request_is(request_regenerate(NULL, false), "POST", "/v1/auth/tokens/", NULL);
    request_is(request_regenerate("ivo", false), "POST", "/v1/auth/tokens/",
               "{\"username\":\"ivo\"}");
    request_is(request_regenerate(NULL, true), "POST", "/v1/auth/tokens/", "{\"all\":true}");
    request_is(request_passwd("ivo", "old", "new"), "POST", "/v1/auth/passwd/",
               "{\"username\":\"ivo\",\"password\":\"old\",\"new_password\":\"new\"}");
    request_is(request_passwd(NULL, NULL, "new"), "POST", "/v1/auth/passwd/",
               "{\"new_password\":\"new\"}");
    request_is(request_cancel(NULL), "DELETE", "/v1/auth/cancel/", NULL);
    request_is(request_cancel("ivo"), "DELETE", "/v1/auth/cancel/", "{\"username\":\"ivo\"}");
}

static void request__apps(void **state)
{
    request_is(request_list("apps", 100), "GET", "/v1/apps/?page_size=100", NULL);
    request_is(request_app_create(NULL), "POST", "/v1/apps/", NULL);
    request_is(request_app_create("blog"), "POST", "/v1/apps/", "{\"id\":\"blog\"}");
    request_is(request_app_get("blog"), "GET", "/v1/apps/blog/", NULL);
    request_is(request_app_destroy("blog"), "DELETE", "/v1/apps/blog/", NULL);
    request_is(request_app_transfer("blog", "ivo"), "POST", "/v1/apps/blog/",
               "{\"owner\":\"ivo\"}");
    request_is(request_logs("blog", 0, NULL, false), "GET", "/v1/apps/blog/logs", NULL);
    request_is(request_logs("blog", 5, NULL, false), "GET", "/v1/apps/blog/logs?log_lines=5", NULL);
    request_is(request_logs("blog", 0, NULL, true), "GET", "/v1/apps/blog/logs?follow=true", NULL);
    request_is(request_logs("blog", 5, "web.1", true), "GET",
               "/v1/apps/blog/logs?log_lines=5&process=web.1&follow=true", NULL);
    request_is(request_logs("blog", 0, "a&b", false), "GET", "/v1/apps/blog/logs?process=a%26b",
               NULL);
    request_is(request_run("blog", "ls", true), "POST", "/v1/apps/blog/run",
               "{\"command\":\"ls\",\"detach\":true}");
    request_is(request_run_attached("blog"), "POST", "/v1/apps/blog/run", NULL);
    request_is(request_stop("blog", "run", "3"), "POST", "/v1/apps/blog/containers/run/3/stop",
               NULL);
    request_is(request_run("blog", "ls -al", false), "POST", "/v1/apps/blog/run",
               "{\"command\":\"ls -al\"}");
}

static void request__processes_and_builds(void **state)
{
    deis_autojson json_t *targets = json_pack("{s:i}", "web", 2);
    deis_autojson json_t *procfile = json_pack("{s:s}", "worker", "run");
    deis_autojson json_t *empty = json_object();

    request_is(request_app_list("blog", "containers", 7), "GET",
               "/v1/apps/blog/containers/?page_size=7", NULL);
    request_is(request_scale("blog", targets), "POST", "/v1/apps/blog/scale/", "{\"web\":2}");
    request_is(request_restart("blog", NULL, NULL), "POST", "/v1/apps/blog/containers/restart/",
               NULL);
    request_is(request_restart("blog", "web", NULL), "POST",
               "/v1/apps/blog/containers/web/restart/", NULL);
    request_is(request_restart("blog", "web", "2"), "POST",
               "/v1/apps/blog/containers/web/2/restart/", NULL);
    request_is(request_app_list("blog", "builds", 100), "GET",
               "/v1/apps/blog/builds/?page_size=100", NULL);
    request_is(request_build("blog", "acme/shop:3", NULL), "POST", "/v1/apps/blog/builds/",
               "{\"image\":\"acme/shop:3\"}");
    request_is(request_build("blog", "acme/shop:3", empty), "POST", "/v1/apps/blog/builds/",
               "{\"image\":\"acme/shop:3\"}");
    request_is(request_build("blog", "acme/shop:3", procfile), "POST", "/v1/apps/blog/builds/",
               "{\"image\":\"acme/shop:3\",\"procfile\":{\"worker\":\"run\"}}");
}

static void request__config(void **state)
{
    deis_autojson json_t *values = json_pack("{s:s}", "A", "1");
    deis_autojson json_t *empty = json_object();

    request_is(request_config_get("blog"), "GET", "/v1/apps/blog/config/", NULL);
    request_is(request_config_set("blog", "values", values), "POST", "/v1/apps/blog/config/",
               "{\"values\":{\"A\":\"1\"}}");
    request_is(request_config_set("blog", "memory", values), "POST", "/v1/apps/blog/config/",
               "{\"memory\":{\"A\":\"1\"}}");
    request_is(request_config_set("blog", "values", empty), "POST", "/v1/apps/blog/config/", "{}");
}

static void request__releases(void **state)
{
    request_is(request_app_list("blog", "releases", 100), "GET",
               "/v1/apps/blog/releases/?page_size=100", NULL);
    request_is(request_release_get("blog", 3), "GET", "/v1/apps/blog/releases/v3/", NULL);
    request_is(request_rollback("blog", 0), "POST", "/v1/apps/blog/releases/rollback/", NULL);
    request_is(request_rollback("blog", 2), "POST", "/v1/apps/blog/releases/rollback/",
               "{\"version\":2}");
}

static void request__domains_certs_keys(void **state)
{
    request_is(request_domain_add("blog", "x.org"), "POST", "/v1/apps/blog/domains/",
               "{\"domain\":\"x.org\"}");
    request_is(request_domain_remove("blog", "x.org"), "DELETE", "/v1/apps/blog/domains/x.org",
               NULL);
    request_is(request_cert_add("C", "K", NULL), "POST", "/v1/certs/",
               "{\"certificate\":\"C\",\"key\":\"K\"}");
    request_is(request_cert_add("C", "K", "x.org"), "POST", "/v1/certs/",
               "{\"certificate\":\"C\",\"key\":\"K\",\"common_name\":\"x.org\"}");
    request_is(request_cert_remove("x.org"), "DELETE", "/v1/certs/x.org", NULL);
    request_is(request_cert_get("x.org"), "GET", "/v1/certs/x.org", NULL);
    request_is(request_autocert_add("x.org"), "POST", "/v1/autocerts/", "{\"domain\":\"x.org\"}");
    request_is(request_autocert_remove("x.org"), "DELETE", "/v1/autocerts/x.org", NULL);
    request_is(request_key_add("mira@laptop", "ssh-rsa AAAA\n"), "POST", "/v1/keys/",
               "{\"id\":\"mira@laptop\",\"public\":\"ssh-rsa AAAA\\n\"}");
    request_is(request_key_remove("a b/c"), "DELETE", "/v1/keys/a%20b%2Fc", NULL);
}

static void request__perms_and_users(void **state)
{
    request_is(request_perms_list("blog", 100), "GET", "/v1/apps/blog/perms/", NULL);
    request_is(request_perms_list(NULL, 5), "GET", "/v1/admin/perms/?page_size=5", NULL);
    request_is(request_perm_create("blog", "ivo"), "POST", "/v1/apps/blog/perms/",
               "{\"username\":\"ivo\"}");
    request_is(request_perm_create(NULL, "ivo"), "POST", "/v1/admin/perms/",
               "{\"username\":\"ivo\"}");
    request_is(request_perm_delete("blog", "ivo"), "DELETE", "/v1/apps/blog/perms/ivo", NULL);
    request_is(request_perm_delete(NULL, "ivo"), "DELETE", "/v1/admin/perms/ivo", NULL);
    request_is(request_list("users", 100), "GET", "/v1/users/?page_size=100", NULL);
}

static void request__further_pages(void **state)
{
    request_auto struct request r = request_audit("blog", "mira", 20);

    assert_string_equal(r.path, "/v1/audit/?page_size=20&app=blog&user=mira");
    request_set_page(&r, 2);
    request_set_page(&r, 10);
    assert_string_equal(r.path, "/v1/audit/?page_size=20&app=blog&user=mira&page=10");
}

/* Without a body they would mean the caller's own account, or any name. */
static void request__a_body_that_can_not_be_made_is_not_left_out(void **state)
{
    static const char odd[] = "b\xE9n\xE9";
    struct request requests[] = {
        request_cancel(odd),
        request_regenerate(odd, false),
        request_passwd(odd, NULL, "new"),
        request_app_create(odd),
        request_login("ivo", odd),
        request_run("blog", odd, true),
        request_build("blog", odd, NULL),
        request_perm_create(NULL, odd),
    };

    for (size_t i = 0; i < DEIS_COUNT(requests); i++) {
        assert_true(requests[i].unfit);
        request_clear(&requests[i]);
    }
    request_auto struct request own = request_cancel(NULL);
    assert_false(own.unfit);
}

static void request__beyond_the_original(void **state)
{
    request_is(request_containers_detail("blog", 7), "GET",
               "/v1/apps/blog/containers/?page_size=7&detail=true", NULL);
    request_is(request_audit(NULL, NULL, 100), "GET", "/v1/audit/?page_size=100", NULL);
    request_is(request_list("auth/tokens", 100), "GET", "/v1/auth/tokens/?page_size=100", NULL);
    request_is(request_token_revoke("../x"), "DELETE", "/v1/auth/tokens/..%2Fx", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request__auth),
        cmocka_unit_test(request__apps),
        cmocka_unit_test(request__processes_and_builds),
        cmocka_unit_test(request__config),
        cmocka_unit_test(request__releases),
        cmocka_unit_test(request__domains_certs_keys),
        cmocka_unit_test(request__perms_and_users),
        cmocka_unit_test(request__further_pages),
        cmocka_unit_test(request__a_body_that_can_not_be_made_is_not_left_out),
        cmocka_unit_test(request__beyond_the_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
