/* SPDX-License-Identifier: MIT */
#include "registry_world.h"

#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/crypto/secret.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define WAIT_MS 60000

void world_start(struct world *w, const char *const *more)
{
    deis_autofree char *address = deis_asprintf("127.0.0.1:%u", w->port);
    const char *argv[32] = { "--http",     address,      "--data",        w->folder,       "--etcd",
                             w->etcd_url,  "--instance", "test",          "--gc-interval", "1s",
                             "--gc-grace", "1h",         "--cluster-key", w->key_path,     NULL };
    size_t n = 0;

    while (argv[n]) {
        n++;
    }
    for (; more && *more && n + 1 < DEIS_COUNT(argv); more++) {
        argv[n++] = *more;
    }
    program_start(&w->registry, "deis-registry-proxy", argv);
    program_wait_port(w->port);
}

struct world *world_new(const char *etcd_url)
{
    struct world *w = deis_alloc(sizeof(*w));

    w->etcd_url = etcd_url;
    if (!etcd_url) {
        test_etcd_init(&w->etcd);
        test_etcd_start(&w->etcd);
        w->etcd_url = w->etcd.url;
    }
    w->folder = program_temp_folder();
    w->key_path = program_write_key(w->folder);
    struct deis_err err = DEIS_ERR_INIT;
    w->keys = deis_keys_open(w->key_path, &err);
    assert_non_null(w->keys);
    w->port = test_free_port();
    w->http = deis_httpc_new();
    world_start(w, NULL);
    return w;
}

int world_free(struct world *w)
{
    deis_httpc_free(w->http); /* idle connections would be waited for */
    int status = program_stop(&w->registry, SIGTERM);

    deis_httpc_answer_clear(&w->answer);
    if (w->etcd.port != 0) {
        test_etcd_clear(&w->etcd);
    }
    deis_keys_free(w->keys);
    free(w->key_path);
    program_remove_folder(w->folder);
    free(w);
    return status;
}

int world_call(struct world *w, const char *method, const char *path, const char *header,
               const char *body)
{
    deis_autobuf struct deis_buf login = DEIS_BUF_INIT(1024);

    deis_registry_authorize(w->keys, &login);
    return world_call_as(w, login.data, method, path, header, body);
}

int world_call_as(struct world *w, const char *login, const char *method, const char *path,
                  const char *header, const char *body)
{
    deis_autofree char *url = deis_asprintf("http://127.0.0.1:%u%s", w->port, path);
    const char *const headers[] = { login ? login : header, login ? header : NULL, NULL };
    const struct deis_httpc_request req = {
        .method = method,
        .url = url,
        .headers = headers,
        .body = deis_str(body),
        .timeout_ms = WAIT_MS,
    };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_httpc_call(w->http, &req, &w->answer, &err) < 0) {
        fail_msg("%s %s: %s", method, path, err.msg);
    }
    return w->answer.status;
}

const char *world_header(struct world *w, const char *name)
{
    static char text[1024];
    struct deis_str value = deis_httpc_header(&w->answer, name);

    snprintf(text, sizeof(text), "%.*s", DEIS_STR_ARG(value));
    return text;
}

bool world_says(const struct world *w, const char *text)
{
    return strstr(w->answer.body.data, text) != NULL;
}

const char *world_open_upload(struct world *w, const char *repo)
{
    deis_autofree char *path = deis_asprintf("/v2/%s/blobs/uploads/", repo);

    assert_int_equal(world_call(w, "POST", path, NULL, NULL), 202);
    return world_header(w, "Location");
}

void world_digest(const char *text, char digest[72])
{
    char hex[65];

    deis_sha256_hex(deis_str(text), hex);
    snprintf(digest, 72, "sha256:%s", hex);
}

void world_put_blob(struct world *w, const char *repo, const char *text, char digest[72])
{
    world_digest(text, digest);
    deis_autofree char *path = deis_asprintf("%s?digest=%s", world_open_upload(w, repo), digest);
    assert_int_equal(world_call(w, "PUT", path, NULL, text), 201);
}

void world_put_image(struct world *w, const char *repo, const char *tag, const char *config,
                     const char *layer, const char *media_type, char digest[72])
{
    char config_digest[72];
    char layer_digest[72];

    world_put_blob(w, repo, config, config_digest);
    world_put_blob(w, repo, layer, layer_digest);
    deis_autofree char *manifest = deis_asprintf(
        "{\"schemaVersion\":2,%s%s%s\"config\":{\"digest\":\"%s\"},\"layers\":[{\"digest\":\"%s\"}]}",
        media_type ? "\"mediaType\":\"" : "", media_type ? media_type : "", media_type ? "\"," : "",
        config_digest, layer_digest);
    deis_autofree char *path = deis_asprintf("/v2/%s/manifests/%s", repo, tag);
    assert_int_equal(world_call(w, "PUT", path, "Content-Type: " WORLD_IMAGE_TYPE, manifest), 201);
    world_digest(manifest, digest);
    assert_string_equal(world_header(w, "Docker-Content-Digest"), digest);
}

static unsigned files_found;

static int count_file(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    files_found += type == FTW_F;
    return 0;
}

unsigned world_count_files(const struct world *w, const char *below)
{
    deis_autofree char *path = deis_asprintf("%s/%s", w->folder, below);

    files_found = 0;
    assert_int_equal(nftw(path, count_file, 16, FTW_PHYS), 0);
    return files_found;
}

static char *blob_file(const struct world *w, const char *digest)
{
    return deis_asprintf("%s/blobs/%.2s/%s", w->folder, digest + 7, digest + 7);
}

bool world_has_blob(const struct world *w, const char *digest)
{
    deis_autofree char *path = blob_file(w, digest);
    struct stat st;

    return stat(path, &st) == 0;
}

void world_age_blob(const struct world *w, const char *digest, unsigned seconds)
{
    deis_autofree char *path = blob_file(w, digest);
    struct timespec old = { .tv_sec = time(NULL) - (time_t)seconds };
    const struct timespec times[2] = { old, old };

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

void world_until(struct world *w, bool (*ready)(struct world *w, const void *arg), const void *arg)
{
    const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
    uint64_t end = deis_now_ms() + WAIT_MS;

    while (!ready(w, arg)) {
        if (deis_now_ms() > end) {
            fail_msg("it did not happen within %d ms", WAIT_MS);
        }
        nanosleep(&pause, NULL);
    }
}
