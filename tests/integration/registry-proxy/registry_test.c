/* SPDX-License-Identifier: MIT */
/* The API of the real deis-registry-proxy. etcd is not there: the registry must do without it. */
#include "registry_world.h"
#include "tests/support/test.h"

#include <stdio.h>

#define NO_ETCD "http://127.0.0.1:1"
#define UNKNOWN "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define NO_ID   "00000000000000000000000000000000"

static void registry__a_blob_is_uploaded_in_chunks(void **state)
{
    struct world *w = *state;
    char digest[72];
    char path[512];

    snprintf(path, sizeof(path), "%s", world_open_upload(w, "chunks"));
    assert_int_equal(world_call(w, "PATCH", path, "Content-Range: 0-4", "hello"), 202);
    assert_string_equal(world_header(w, "Range"), "0-4");
    assert_int_equal(world_call(w, "GET", path, NULL, NULL), 204);
    assert_string_equal(world_header(w, "Range"), "0-4");
    assert_int_equal(world_call(w, "PATCH", path, "Content-Range: 9-13", "wrong"), 416);
    assert_string_equal(world_header(w, "Range"), "0-4"); /* where to resume */
    assert_int_equal(world_call(w, "PATCH", path, "Content-Range: 5-10", " world"), 202);
    world_digest("hello world!", digest);
    deis_autofree char *close = deis_asprintf("%s?digest=%s", path, digest);
    assert_int_equal(world_call(w, "PUT", close, NULL, "!"), 201);
    snprintf(path, sizeof(path), "/v2/chunks/blobs/%s", digest);
    assert_string_equal(world_header(w, "Location"), path);
    assert_int_equal(world_call(w, "GET", path, NULL, NULL), 200);
    assert_string_equal(w->answer.body.data, "hello world!");
    assert_string_equal(world_header(w, "Docker-Content-Digest"), digest);
    assert_int_equal(world_call(w, "HEAD", path, NULL, NULL), 200);
    assert_string_equal(world_header(w, "Content-Length"), "12");
}

static void registry__a_wrong_digest_leaves_nothing(void **state)
{
    struct world *w = *state;
    char digest[72];
    char path[512];

    world_digest("what was meant", digest);
    snprintf(path, sizeof(path), "%s", world_open_upload(w, "wrong"));
    deis_autofree char *close = deis_asprintf("%s?digest=%s", path, digest);
    assert_int_equal(world_call(w, "PUT", close, NULL, "what was sent"), 400);
    assert_true(world_says(w, "DIGEST_INVALID"));
    assert_int_equal(world_call(w, "GET", path, NULL, NULL), 404);
    assert_false(world_has_blob(w, digest));
    world_digest("what was sent", digest);
    assert_false(world_has_blob(w, digest));
    assert_int_equal(world_count_files(w, "uploads"), 0);
}

static void registry__without_a_digest_an_upload_stays_open(void **state)
{
    struct world *w = *state;
    char path[512];
    char digest[72];

    snprintf(path, sizeof(path), "%s", world_open_upload(w, "nodigest"));
    assert_int_equal(world_call(w, "PUT", path, NULL, "ab"), 400);
    deis_autofree char *md5 = deis_asprintf("%s?digest=md5:abc", path);
    assert_int_equal(world_call(w, "PUT", md5, NULL, NULL), 400);
    world_digest("ab", digest);
    deis_autofree char *close = deis_asprintf("%s?digest=%s", path, digest);
    assert_int_equal(world_call(w, "PUT", close, NULL, NULL), 201);
}

static void registry__an_upload_belongs_to_its_repository(void **state)
{
    struct world *w = *state;
    char path[512];

    snprintf(path, sizeof(path), "%s", world_open_upload(w, "mine"));
    const char *id = strrchr(path, '/') + 1;
    deis_autofree char *other = deis_asprintf("/v2/yours/blobs/uploads/%s", id);
    assert_int_equal(world_call(w, "PATCH", other, NULL, "x"), 404);
    assert_int_equal(world_call(w, "DELETE", other, NULL, NULL), 404);
    assert_int_equal(world_call(w, "DELETE", path, NULL, NULL), 204);
    assert_int_equal(world_call(w, "GET", path, NULL, NULL), 404);
    assert_int_equal(world_count_files(w, "uploads"), 0);
}

static void registry__an_unknown_upload_is_told(void **state)
{
    struct world *w = *state;

    assert_int_equal(world_call(w, "GET", "/v2/x/blobs/uploads/" NO_ID, NULL, NULL), 404);
    assert_true(world_says(w, "BLOB_UPLOAD_UNKNOWN"));
    assert_int_equal(world_call(w, "PATCH", "/v2/x/blobs/uploads/" NO_ID, NULL, "abc"), 404);
    assert_int_equal(
        world_call(w, "PUT", "/v2/x/blobs/uploads/" NO_ID "?digest=" UNKNOWN, NULL, ""), 404);
    assert_int_equal(world_call(w, "DELETE", "/v2/x/blobs/uploads/" NO_ID, NULL, NULL), 404);
    assert_int_equal(world_call(w, "GET", "/v2/x/blobs/uploads/not-an-id", NULL, NULL), 400);
}

static void registry__a_blob_can_be_mounted(void **state)
{
    struct world *w = *state;
    char digest[72];

    world_put_blob(w, "source", "shared layer", digest);
    deis_autofree char *mount =
        deis_asprintf("/v2/target/blobs/uploads/?mount=%s&from=source", digest);
    assert_int_equal(world_call(w, "POST", mount, NULL, NULL), 201);
    deis_autofree char *blob = deis_asprintf("/v2/target/blobs/%s", digest);
    assert_string_equal(world_header(w, "Location"), blob);
    assert_int_equal(world_call(w, "HEAD", blob, NULL, NULL), 200);
    assert_int_equal(
        world_call(w, "POST", "/v2/target/blobs/uploads/?mount=" UNKNOWN "&from=x", NULL, NULL),
        202); /* not there: an upload instead */
}

static void registry__parts_of_a_blob_are_given(void **state)
{
    struct world *w = *state;
    char digest[72];

    world_put_blob(w, "range", "0123456789", digest);
    deis_autofree char *path = deis_asprintf("/v2/range/blobs/%s", digest);
    assert_int_equal(world_call(w, "GET", path, "Range: bytes=2-4", NULL), 206);
    assert_string_equal(w->answer.body.data, "234");
    assert_string_equal(world_header(w, "Content-Range"), "bytes 2-4/10");
    assert_int_equal(world_call(w, "GET", path, "Range: bytes=7-", NULL), 206);
    assert_string_equal(w->answer.body.data, "789");
    assert_int_equal(world_call(w, "GET", path, "Range: bytes=8-99", NULL), 206);
    assert_string_equal(w->answer.body.data, "89");
    /* What makes no sense is ignored (RFC 9110 section 14.2). */
    assert_int_equal(world_call(w, "GET", path, "Range: bytes=5-2", NULL), 200);
    assert_int_equal(world_call(w, "GET", path, "Range: lines=1-2", NULL), 200);
    assert_string_equal(w->answer.body.data, "0123456789");
}

static void registry__a_manifest_needs_all_its_parts(void **state)
{
    struct world *w = *state;
    const char *type = "Content-Type: " WORLD_IMAGE_TYPE;
    char config[72];

    world_put_blob(w, "parts", "{\"config\":1}", config);
    deis_autofree char *manifest = deis_asprintf(
        "{\"config\":{\"digest\":\"%s\"},\"layers\":[{\"digest\":\"" UNKNOWN "\"}]}", config);
    assert_int_equal(world_call(w, "PUT", "/v2/parts/manifests/v1", type, manifest), 400);
    assert_true(world_says(w, "MANIFEST_BLOB_UNKNOWN"));
    assert_int_equal(world_call(w, "GET", "/v2/parts/manifests/v1", NULL, NULL), 404);
    assert_int_equal(world_call(w, "PUT", "/v2/parts/manifests/v1", type, "{"), 400);
    assert_true(world_says(w, "MANIFEST_INVALID"));
    deis_autofree char *good =
        deis_asprintf("{\"config\":{\"digest\":\"%s\"},\"layers\":[]}", config);
    assert_int_equal(world_call(w, "PUT", "/v2/parts/manifests/" UNKNOWN, type, good), 400);
    assert_true(world_says(w, "DIGEST_INVALID"));
    assert_int_equal(world_call(w, "PUT", "/v2/parts/manifests/v1", type, good), 201);
}

static void registry__a_manifest_is_given_and_deleted(void **state)
{
    struct world *w = *state;
    char digest[72];

    world_put_image(w, "base/node", "v1", "c1", "l1", WORLD_IMAGE_TYPE, digest);
    deis_autofree char *by_digest = deis_asprintf("/v2/base/node/manifests/%s", digest);
    assert_int_equal(world_call(w, "GET", "/v2/base/node/manifests/v1", NULL, NULL), 200);
    assert_string_equal(world_header(w, "Docker-Content-Digest"), digest);
    assert_string_equal(world_header(w, "Content-Type"), WORLD_IMAGE_TYPE);
    assert_int_equal(world_call(w, "GET", by_digest, NULL, NULL), 200);
    /* Another repository does not have it. */
    deis_autofree char *elsewhere = deis_asprintf("/v2/chunks/manifests/%s", digest);
    assert_int_equal(world_call(w, "GET", elsewhere, NULL, NULL), 404);
    assert_int_equal(world_call(w, "DELETE", by_digest, NULL, NULL), 202);
    assert_int_equal(world_call(w, "GET", "/v2/base/node/manifests/v1", NULL, NULL), 404);
    assert_int_equal(world_call(w, "GET", "/v2/base/node/tags/list", NULL, NULL), 404);
    assert_int_equal(world_call(w, "DELETE", by_digest, NULL, NULL), 404);
}

static void registry__tags_are_listed_in_pages(void **state)
{
    struct world *w = *state;
    const char *tags[] = { "v3", "v1", "latest", "v2" };
    char digest[72];

    for (size_t i = 0; i < DEIS_COUNT(tags); i++) {
        world_put_image(w, "pages", tags[i], "c", tags[i], WORLD_IMAGE_TYPE, digest);
    }
    assert_int_equal(world_call(w, "GET", "/v2/pages/tags/list?n=3", NULL, NULL), 200);
    assert_string_equal(w->answer.body.data,
                        "{\"name\":\"pages\",\"tags\":[\"latest\",\"v1\",\"v2\"]}");
    assert_string_equal(world_header(w, "Link"), "</v2/pages/tags/list?n=3&last=v2>; rel=\"next\"");
    assert_int_equal(world_call(w, "GET", "/v2/pages/tags/list?n=3&last=v2", NULL, NULL), 200);
    assert_string_equal(w->answer.body.data, "{\"name\":\"pages\",\"tags\":[\"v3\"]}");
    assert_string_equal(world_header(w, "Link"), "");
    assert_int_equal(world_call(w, "GET", "/v2/pages/tags/list?n=-1", NULL, NULL), 400);
    assert_int_equal(world_call(w, "GET", "/v2/pages/tags/list?n=2&last=%zz", NULL, NULL), 400);
    assert_int_equal(world_call(w, "DELETE", "/v2/pages/manifests/latest", NULL, NULL), 202);
    assert_int_equal(world_call(w, "GET", "/v2/pages/tags/list?n=0", NULL, NULL), 200);
    assert_int_equal(world_call(w, "GET", "/v2/pages/tags/list", NULL, NULL), 200);
    assert_false(world_says(w, "latest"));
    assert_int_equal(world_call(w, "GET", "/v2/_catalog", NULL, NULL), 200);
    assert_true(world_says(w, "\"pages\""));
}

static void registry__strangers_get_nothing(void **state)
{
    struct world *w = *state;
    static const char *const paths[] = { "/v2/", "/v2/_catalog", "/v2/shut/tags/list",
                                         "/v2/shut/manifests/v1" };
    deis_autobuf struct deis_buf login = DEIS_BUF_INIT(1024);
    struct deis_key other = { .bytes = { 1 } };
    struct deis_keys *keys = deis_keys_fixed(&other);
    char digest[72];
    char path[512];

    deis_registry_authorize(keys, &login);
    deis_keys_free(keys);
    world_put_image(w, "shut", "v1", "{\"shut\":1}", "layer of shut", NULL, digest);
    world_put_blob(w, "shut", "a blob of shut", digest);
    deis_autofree char *blob = deis_asprintf("/v2/shut/blobs/%s", digest);
    snprintf(path, sizeof(path), "%s", world_open_upload(w, "shut"));
    for (size_t i = 0; i < DEIS_COUNT(paths); i++) {
        assert_int_equal(world_call_as(w, NULL, "GET", paths[i], NULL, NULL), 401);
        assert_int_equal(world_call_as(w, login.data, "GET", paths[i], NULL, NULL), 401);
    }
    assert_true(strncmp(world_header(w, "WWW-Authenticate"), "Basic realm=", 12) == 0);
    assert_int_equal(world_call_as(w, NULL, "GET", blob, NULL, NULL), 401);
    assert_int_equal(world_call_as(w, NULL, "POST", "/v2/shut/blobs/uploads/", NULL, NULL), 401);
    assert_int_equal(world_call_as(w, NULL, "PATCH", path, NULL, "theirs"), 401);
    assert_int_equal(world_call_as(w, NULL, "DELETE", "/v2/shut/manifests/v1", NULL, NULL), 401);
    assert_int_equal(world_call_as(w, NULL, "GET", "/healthz", NULL, NULL), 200);
    /* A page of the user's browser that leads a name to this machine. */
    assert_int_equal(world_call(w, "PATCH", path, "Host: rebound.example.com", "theirs"), 403);
    assert_int_equal(world_call(w, "GET", path, NULL, NULL), 204);
    assert_string_equal(world_header(w, "Range"), "0-0"); /* nothing was written */
    assert_int_equal(world_call(w, "DELETE", path, NULL, NULL), 204);
}

static void registry__names_that_are_no_names_are_refused(void **state)
{
    struct world *w = *state;

    assert_int_equal(world_call(w, "GET", "/v2/", NULL, NULL), 200);
    assert_int_equal(world_call(w, "GET", "/v2/-x/manifests/v1", NULL, NULL), 400);
    assert_int_equal(world_call(w, "GET", "/v2/UPPER/manifests/v1", NULL, NULL), 400);
    assert_int_equal(world_call(w, "GET", "/v2/x/manifests/.v1", NULL, NULL), 400);
    assert_int_equal(world_call(w, "GET", "/v2/x/blobs/sha256:..%2f..", NULL, NULL), 400);
    assert_int_equal(world_call(w, "GET", "/v3/", NULL, NULL), 404);
    assert_int_equal(world_call(w, "POST", "/v2/_catalog", NULL, NULL), 405);
}

static int setup(void **state)
{
    *state = world_new(NO_ETCD);
    return 0;
}

static int teardown(void **state)
{
    return world_free(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry__a_blob_is_uploaded_in_chunks),
        cmocka_unit_test(registry__a_wrong_digest_leaves_nothing),
        cmocka_unit_test(registry__without_a_digest_an_upload_stays_open),
        cmocka_unit_test(registry__an_upload_belongs_to_its_repository),
        cmocka_unit_test(registry__an_unknown_upload_is_told),
        cmocka_unit_test(registry__a_blob_can_be_mounted),
        cmocka_unit_test(registry__parts_of_a_blob_are_given),
        cmocka_unit_test(registry__a_manifest_needs_all_its_parts),
        cmocka_unit_test(registry__a_manifest_is_given_and_deleted),
        cmocka_unit_test(registry__tags_are_listed_in_pages),
        cmocka_unit_test(registry__strangers_get_nothing),
        cmocka_unit_test(registry__names_that_are_no_names_are_refused),
    };

    deis_runtime_init("test");
    return cmocka_run_group_tests(tests, setup, teardown);
}
