/* SPDX-License-Identifier: MIT */
/* What the registry keeps and what it lets go: interrupted uploads, garbage, repositories of
 * deleted apps; and the Docker Engine as its client. */
#include "registry_world.h"
#include "tests/support/test.h"

#include "lib/etcd/etcd.h"
#include "lib/net/docker.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCKER_SOCKET "/var/run/docker.sock"
#define HOUR          3600

/* --- uploads that end in the middle --- */

/* A connection that has sent the head of a PATCH of 1000 bytes and only "half" of them. */
static int half_an_upload(struct world *w, const char *path)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(w->port),
                             .sin_addr = { htonl(INADDR_LOOPBACK) } };
    deis_autobuf struct deis_buf login = DEIS_BUF_INIT(1024);
    deis_registry_authorize(w->keys, &login);
    deis_autofree char *text = deis_asprintf(
        "PATCH %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\nContent-Length: 1000\r\n\r\nhalf", path,
        login.data);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    return fd;
}

static bool has_half(struct world *w, const void *path)
{
    assert_int_equal(world_call(w, "GET", path, NULL, NULL), 204);
    return strcmp(world_header(w, "Range"), "0-3") == 0;
}

static bool is_forgotten(struct world *w, const void *path)
{
    return world_call(w, "GET", path, NULL, NULL) == 404;
}

static void storage__an_aborted_upload_can_go_on(void **state)
{
    struct world *w = *state;
    char digest[72];
    char path[512];

    snprintf(path, sizeof(path), "%s", world_open_upload(w, "aborted"));
    int fd = half_an_upload(w, path);
    world_until(w, has_half, path);
    assert_int_equal(world_call(w, "PATCH", path, NULL, "other"), 409); /* one writer */
    assert_int_equal(world_call(w, "DELETE", path, NULL, NULL), 404);
    close(fd);
    /* The registry sees the end on its own time. */
    while (world_call(w, "PATCH", path, "Content-Range: 4-8", "+rest") == 409) {
        assert_true(has_half(w, path));
    }
    assert_int_equal(w->answer.status, 202);
    world_digest("half+rest", digest);
    deis_autofree char *end = deis_asprintf("%s?digest=%s", path, digest);
    assert_int_equal(world_call(w, "PUT", end, NULL, NULL), 201);
}

static void storage__a_silent_upload_is_dropped(void **state)
{
    struct world *w = *state;
    const char *const settings[] = { "--upload-idle", "1s", "--uploads-max", "2", NULL };
    char path[512];
    unsigned blobs = world_count_files(w, "blobs");

    assert_int_equal(program_stop(&w->registry, SIGKILL), SIGKILL);
    world_start(w, settings);
    snprintf(path, sizeof(path), "%s", world_open_upload(w, "silent"));
    close(half_an_upload(w, path));
    world_open_upload(w, "silent");
    int status = world_call(w, "POST", "/v2/silent/blobs/uploads/", NULL, NULL);
    assert_true(status == 429 || is_forgotten(w, path)); /* this machine may be slow */
    world_until(w, is_forgotten, path);
    assert_int_equal(world_count_files(w, "blobs"), blobs);
    program_stop(&w->registry, SIGKILL);
    world_start(w, NULL);
}

static void storage__kill_9_leaves_no_partial_blob(void **state)
{
    struct world *w = *state;
    char digest[72];
    char path[512];

    world_put_blob(w, "kills", "acknowledged", digest);
    unsigned blobs = world_count_files(w, "blobs");
    snprintf(path, sizeof(path), "%s", world_open_upload(w, "kills"));
    int fd = half_an_upload(w, path);
    world_until(w, has_half, path);
    assert_int_equal(world_count_files(w, "uploads"), 1);
    program_stop(&w->registry, SIGKILL);
    close(fd);
    world_start(w, NULL);
    assert_int_equal(world_count_files(w, "uploads"), 0);
    assert_int_equal(world_count_files(w, "blobs"), blobs);
    assert_int_equal(world_call(w, "GET", path, NULL, NULL), 404);
    assert_true(world_has_blob(w, digest));
}

static void storage__a_blob_beyond_the_limit_is_refused(void **state)
{
    struct world *w = *state;
    const char *const settings[] = { "--blob-max", "10", NULL };
    char path[512];

    program_stop(&w->registry, SIGKILL);
    world_start(w, settings);
    snprintf(path, sizeof(path), "%s", world_open_upload(w, "large"));
    assert_int_equal(world_call(w, "PATCH", path, NULL, "0123456789"), 202);
    assert_int_equal(world_call(w, "PATCH", path, NULL, "x"), 413);
    assert_int_equal(world_call(w, "GET", path, NULL, NULL), 404);
    assert_int_equal(world_count_files(w, "uploads"), 0);
    program_stop(&w->registry, SIGKILL);
    world_start(w, NULL);
}

/* --- garbage --- */

static bool is_swept(struct world *w, const void *digest)
{
    return !world_has_blob(w, digest);
}

static void storage__garbage_goes_and_what_is_referred_to_stays(void **state)
{
    struct world *w = *state;
    char old[72], fresh[72], manifest[72], plain[72], layer[72], layer2[72], config[72];

    world_put_image(w, "kept", "v1", "{\"kept\":1}", "kept layer", WORLD_IMAGE_TYPE, manifest);
    world_put_image(w, "kept/plain", "v1", "{}", "layer of a plain one", NULL, plain);
    world_digest("{\"kept\":1}", config);
    world_digest("kept layer", layer);
    world_digest("layer of a plain one", layer2);
    world_put_blob(w, "kept", "used long ago", old);
    world_put_blob(w, "kept", "used just now", fresh);
    const char *const aged[] = { manifest, plain, layer, layer2, config, old };
    for (size_t i = 0; i < DEIS_COUNT(aged); i++) {
        world_age_blob(w, aged[i], 2 * HOUR);
    }
    world_until(w, is_swept, old);
    world_put_blob(w, "kept", "second round", old); /* a whole sweep later */
    world_age_blob(w, old, 2 * HOUR);
    world_until(w, is_swept, old);
    assert_true(world_has_blob(w, fresh));
    for (size_t i = 0; i + 1 < DEIS_COUNT(aged); i++) {
        assert_true(world_has_blob(w, aged[i]));
    }
    deis_autofree char *path = deis_asprintf("/v2/kept/manifests/%s", manifest);
    assert_int_equal(world_call(w, "DELETE", path, NULL, NULL), 202);
    world_until(w, is_swept, layer);
    assert_true(world_has_blob(w, layer2));
}

/* --- apps --- */

static struct deis_etcd *open_etcd(struct world *w)
{
    const struct deis_etcd_opts opts = { .endpoints = w->etcd.url };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_etcd *etcd = deis_etcd_new(&opts, &err);

    assert_non_null(etcd);
    return etcd;
}

struct app {
    struct deis_etcd *etcd;
    const char *key;
    const char *tags;
};

static void put_key(struct deis_etcd *etcd, const char *key)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_put(etcd, key, DEIS_STR("{}"), 0, &err), 0);
}

static void delete_key(struct deis_etcd *etcd, const char *key)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_delete(etcd, key, &err), 0);
}

/* The registry may not watch yet: the deletion is shown until it was seen. */
static bool goes_with_its_app(struct world *w, const void *arg)
{
    const struct app *app = arg;

    put_key(app->etcd, app->key);
    delete_key(app->etcd, app->key);
    return world_call(w, "GET", app->tags, NULL, NULL) == 404;
}

static void storage__a_repository_goes_with_its_app(void **state)
{
    struct world *w = *state;
    struct deis_etcd *etcd = open_etcd(w);
    const struct app gone = { etcd, "/deis/apps/gone", "/v2/gone/tags/list" };
    char digest[72];

    put_key(etcd, "/deis/apps/stays");
    put_key(etcd, "/deis/apps/stays/releases/0000000001");
    world_put_image(w, "gone", "v1", "{}", "layer of gone", WORLD_IMAGE_TYPE, digest);
    world_put_image(w, "stays", "v1", "{}", "layer of stays", WORLD_IMAGE_TYPE, digest);
    delete_key(etcd, "/deis/apps/stays/releases/0000000001");
    world_until(w, goes_with_its_app, &gone);
    assert_int_equal(world_call(w, "GET", "/v2/stays/tags/list", NULL, NULL), 200);
    deis_etcd_free(etcd);
}

static bool is_gone(struct world *w, const void *tags)
{
    return world_call(w, "GET", tags, NULL, NULL) == 404;
}

/* The deletion is heard of after the name has been taken again. */
static void storage__a_new_app_of_the_same_name_keeps_its_repository(void **state)
{
    struct world *w = *state;
    struct deis_etcd *etcd = open_etcd(w);
    const struct app first = { etcd, "/deis/apps/first", "/v2/first/tags/list" };
    char digest[72];
    int status;

    world_put_image(w, "first", "v1", "{}", "first", WORLD_IMAGE_TYPE, digest);
    world_put_image(w, "again", "v1", "{}", "again", WORLD_IMAGE_TYPE, digest);
    world_put_image(w, "marker", "v1", "{}", "marker", WORLD_IMAGE_TYPE, digest);
    put_key(etcd, "/deis/apps/again");
    put_key(etcd, "/deis/apps/marker");
    world_until(w, goes_with_its_app, &first); /* it watches */
    assert_int_equal(kill(w->registry.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(w->registry.pid, &status, WUNTRACED), w->registry.pid);
    delete_key(etcd, "/deis/apps/again");
    put_key(etcd, "/deis/apps/again");
    assert_int_equal(kill(w->registry.pid, SIGCONT), 0);
    delete_key(etcd, "/deis/apps/marker");
    world_until(w, is_gone, "/v2/marker/tags/list");
    assert_int_equal(world_call(w, "GET", "/v2/again/tags/list", NULL, NULL), 200);
    deis_etcd_free(etcd);
}

/* --- images of releases that are no longer kept --- */

static void put_build(struct deis_etcd *etcd, const char *key, const char *image, const char *sha)
{
    deis_autofree char *text = deis_asprintf("{\"image\":\"%s\",\"sha\":\"%s\"}", image, sha);
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_put(etcd, key, deis_str(text), 0, &err), 0);
}

static void storage__images_that_no_build_names_go(void **state)
{
    struct world *w = *state;
    struct deis_etcd *etcd = open_etcd(w);
    static const char *const settings[] = { "--image-grace", "2s", NULL };
    char pinned[72], tagged[72], old[72], lost[72], last[72];

    world_put_image(w, "shop", "git-11111111", "{}", "pinned", WORLD_IMAGE_TYPE, pinned);
    world_put_image(w, "shop", "git-22222222", "{}", "tagged", WORLD_IMAGE_TYPE, tagged);
    world_put_image(w, "shop", "git-33333333", "{}", "old", WORLD_IMAGE_TYPE, old);
    world_put_image(w, "lost", "v1", "{}", "of an app that went unseen", WORLD_IMAGE_TYPE, lost);
    put_key(etcd, "/deis/index/app/shop");
    put_key(etcd, "/deis/index/app/other");
    deis_autofree char *image = deis_asprintf("127.0.0.1:%u/shop@%s", w->port, pinned);
    put_build(etcd, "/deis/apps/other/builds/1", image, ""); /* another app's may be used */
    put_build(etcd, "/deis/apps/shop/builds/2", "shop", "2222222299");
    program_stop(&w->registry, SIGKILL);
    world_start(w, settings);
    world_until(w, is_gone, "/v2/shop/manifests/git-33333333");
    world_until(w, is_gone, "/v2/lost/tags/list");
    /* A whole round later. */
    world_put_image(w, "shop", "git-44444444", "{}", "last", WORLD_IMAGE_TYPE, last);
    world_until(w, is_gone, "/v2/shop/manifests/git-44444444");
    assert_int_equal(world_call(w, "GET", "/v2/shop/manifests/git-11111111", NULL, NULL), 200);
    assert_int_equal(world_call(w, "GET", "/v2/shop/manifests/git-22222222", NULL, NULL), 200);
    program_stop(&w->registry, SIGKILL);
    world_start(w, NULL);
    delete_key(etcd, "/deis/index/app/shop");
    delete_key(etcd, "/deis/index/app/other");
    deis_etcd_free(etcd);
}

/* --- a second process --- */

static void storage__a_folder_in_use_is_refused(void **state)
{
    struct world *w = *state;
    struct program second = { 0 };
    const char *const argv[] = { "--http",    "127.0.0.1:0",   "--data",    w->folder, "--etcd",
                                 w->etcd_url, "--cluster-key", w->key_path, NULL };
    char path[512];

    snprintf(path, sizeof(path), "%s", world_open_upload(w, "twice"));
    program_start(&second, "deis-registry-proxy", argv);
    assert_int_equal(program_stop(&second, 0), 1 << 8); /* it ends by itself */
    assert_int_equal(world_call(w, "PATCH", path, NULL, "goes on"), 202);
    assert_int_equal(world_count_files(w, "uploads"), 1);
    assert_int_equal(world_call(w, "DELETE", path, NULL, NULL), 204);
}

/* --- the Docker Engine as client --- */

struct tar {
    char data[8 * 512];
    size_t len;
    size_t sent;
};

static void tar_add(struct tar *t, const char *name, const char *text)
{
    char *head = t->data + t->len;
    unsigned sum = 0;

    snprintf(head, 100, "%s", name);
    snprintf(head + 100, 8, "%07o", 0644u);
    snprintf(head + 108, 8, "%07o", 0u);
    snprintf(head + 116, 8, "%07o", 0u);
    snprintf(head + 124, 12, "%011o", (unsigned)strlen(text) & 0xffffu);
    snprintf(head + 136, 12, "%011o", 0u);
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < 512; i++) {
        sum += (unsigned char)head[i];
    }
    snprintf(head + 148, 8, "%06o", sum);
    snprintf(head + 512, 512, "%s", text);
    t->len += 1024;
}

static ptrdiff_t tar_read(char *data, size_t cap, void *arg)
{
    struct tar *t = arg;
    size_t left = t->len - t->sent;
    size_t n = left < cap ? left : cap;

    memcpy(data, t->data + t->sent, n);
    t->sent += n;
    return (ptrdiff_t)n;
}

static void ignore_text(struct deis_str text, void *arg)
{
}

static void expect_ok(int r, const struct deis_err *err)
{
    if (r < 0) {
        fail_msg("%s", err->msg);
    }
}

static void storage__docker_pushes_and_pulls(void **state)
{
    struct world *w = *state;
    struct deis_docker *docker = deis_docker_new(DOCKER_SOCKET);
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *repo = deis_asprintf("127.0.0.1:%u/real", w->port);
    deis_autofree char *tag = deis_asprintf("%s:v1", repo);
    deis_autofree char *id = NULL;
    deis_autofree char *digest = NULL;
    static const char *const labels[] = { "deis.test=registry", NULL };
    char password[65];
    const struct deis_docker_transfer login = { .user = DEIS_REGISTRY_USER, .password = password };
    struct tar tar = { 0 };

    if (deis_docker_ping(docker, &err) < 0) {
        printf("SKIP storage__docker_pushes_and_pulls: no Docker Engine: %s\n", err.msg);
        deis_docker_free(docker);
        skip();
    }
    tar_add(&tar, "Dockerfile", "FROM scratch\nCOPY greeting /\n");
    deis_autofree char *text = deis_asprintf("hello from port %u\n", w->port);
    tar_add(&tar, "greeting", text);
    tar.len += 1024; /* two empty blocks end it */
    const struct deis_docker_build build = {
        .tag = tag,
        .labels = labels,
        .read_tar = tar_read,
        .on_text = ignore_text,
        .arg = &tar,
        .timeout_ms = 60000,
    };
    expect_ok(deis_docker_build(docker, &build, &id, &err), &err);
    deis_registry_password(w->keys, password);
    assert_int_equal(deis_docker_push(docker, repo, "v1", NULL, &digest, &err), DEIS_DENIED);
    err = (struct deis_err)DEIS_ERR_INIT;
    expect_ok(deis_docker_push(docker, repo, "v1", &login, &digest, &err), &err);
    expect_ok(deis_docker_image_remove(docker, tag, &err), &err);
    deis_autofree char *pinned = deis_asprintf("%s@%s", repo, digest);
    deis_autojson json_t *seen = NULL;
    assert_int_equal(deis_docker_image_inspect(docker, pinned, &seen, &err), DEIS_NOT_FOUND);
    assert_int_equal(deis_docker_pull(docker, pinned, NULL, &err), DEIS_DENIED);
    err = (struct deis_err)DEIS_ERR_INIT;
    expect_ok(deis_docker_pull(docker, pinned, &login, &err), &err);
    expect_ok(deis_docker_image_inspect(docker, pinned, &seen, &err), &err);
    assert_string_equal(json_string_value(json_object_get(seen, "Id")), id);
    expect_ok(deis_docker_image_remove(docker, pinned, &err), &err);
    deis_docker_free(docker);
}

static int setup(void **state)
{
    *state = world_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    return world_free(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storage__an_aborted_upload_can_go_on),
        cmocka_unit_test(storage__a_silent_upload_is_dropped),
        cmocka_unit_test(storage__kill_9_leaves_no_partial_blob),
        cmocka_unit_test(storage__a_blob_beyond_the_limit_is_refused),
        cmocka_unit_test(storage__garbage_goes_and_what_is_referred_to_stays),
        cmocka_unit_test(storage__a_repository_goes_with_its_app),
        cmocka_unit_test(storage__a_new_app_of_the_same_name_keeps_its_repository),
        cmocka_unit_test(storage__images_that_no_build_names_go),
        cmocka_unit_test(storage__a_folder_in_use_is_refused),
        cmocka_unit_test(storage__docker_pushes_and_pulls),
    };

    deis_runtime_init("test");
    if (!test_etcd_installed("registry_storage")) {
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
