/* SPDX-License-Identifier: MIT */
/* Images that were fetched, out of a real registry by the real Docker Engine, and go again. */
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/crypto/registry_login.h"
#include "lib/net/docker_fetched.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SOCKET "/var/run/docker.sock"
#define HOUR   3600000u

struct fixture {
    struct deis_docker *docker;
    struct program registry;
    char *folder; /* of the test */
    char *notes;
    char *repo;  /* in the registry */
    char *image; /* <repo>@<digest> */
    char password[65];
    struct deis_docker_transfer login;
};

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct deis_err ok_err = DEIS_ERR_INIT, *why = &ok_err;                                    \
        if ((call) < 0) {                                                                          \
            fail_msg(#call ": %s", ok_err.msg);                                                    \
        }                                                                                          \
    } while (0)

/* An image of nothing, with a label of this value. */
static void import(const char *repo, const char *tag, const char *value)
{
    static const char no_files[1024]; /* the end of a tar */
    static const char *const headers[] = { "Content-Type: application/x-tar", NULL };
    deis_autofree char *url =
        deis_asprintf("http://docker/v1.41/images/create?fromSrc=-&repo=%s&tag=%s"
                      "&changes=LABEL%%20deis.test%%3D%s",
                      repo, tag, value);
    const struct deis_httpc_request req = {
        .method = "POST",
        .url = url,
        .unix_socket = SOCKET,
        .headers = headers,
        .body = { no_files, sizeof(no_files) },
        .timeout_ms = 20000,
    };
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    struct deis_httpc *http = deis_httpc_new();

    OK(deis_httpc_call(http, &req, &answer, why));
    deis_httpc_free(http);
    assert_int_equal(answer.status, 200);
}

static bool has_image(struct fixture *f, const char *name)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *info = NULL;

    return deis_docker_image_inspect(f->docker, name, &info, &err) == DEIS_OK;
}

/* How many notes there are; each becomes as if its image was last used hours ago. */
static unsigned count_notes(struct fixture *f, unsigned hours)
{
    const struct timespec then = { .tv_sec = time(NULL) - (time_t)hours * 3600 };
    const struct timespec times[] = { then, then };
    DIR *dir = opendir(f->notes);
    const struct dirent *e;
    unsigned n = 0;

    while (dir && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] != '.') {
            n++;
            assert_int_equal(hours == 0 ? 0 : utimensat(dirfd(dir), e->d_name, times, 0), 0);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

static void get(struct fixture *f, const char *name)
{
    deis_autojson json_t *info = NULL;

    OK(deis_fetched_get(f->docker, f->notes, name, &f->login, &info, why));
    assert_true(json_is_string(json_object_get(info, "Id")));
}

static unsigned sweep(struct fixture *f)
{
    unsigned removed = 0;

    OK(deis_fetched_sweep(f->docker, f->notes, HOUR, &removed, why));
    return removed;
}

static void fetched__images_go_when_nobody_asks_for_them(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sweep(f), 0); /* no folder yet */
    get(f, f->image);
    assert_int_equal(count_notes(f, 0), 1);
    assert_int_equal(sweep(f), 0);
    assert_int_equal(count_notes(f, 2), 1);
    get(f, f->image); /* asked for again */
    assert_int_equal(sweep(f), 0);
    assert_true(has_image(f, f->image));
    count_notes(f, 2);
    assert_int_equal(sweep(f), 1);
    assert_false(has_image(f, f->image));
    assert_int_equal(count_notes(f, 0), 0);
}

static void fetched__one_that_a_container_has_stays(void **state)
{
    struct fixture *f = *state;
    deis_autojson json_t *body = json_pack("{s:s, s:[s], s:{s:s}}", "Image", f->image, "Cmd", "x",
                                           "Labels", "deis.test", "f");
    deis_autofree char *id = NULL;

    get(f, f->image);
    OK(deis_docker_create(f->docker, NULL, body, &id, why));
    count_notes(f, 2);
    assert_int_equal(sweep(f), 0);
    assert_true(has_image(f, f->image));
    OK(deis_docker_remove(f->docker, id, why));
    assert_int_equal(sweep(f), 0); /* its time begins with the end of the container */
    count_notes(f, 2);
    assert_int_equal(sweep(f), 1);
}

static void fetched__what_came_another_way_stays(void **state)
{
    struct fixture *f = *state;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *local = deis_asprintf("%s:local", f->repo);
    deis_autofree char *absent = deis_asprintf("%s:absent", f->repo);

    import(f->repo, "local", "local");
    get(f, local);
    assert_int_equal(count_notes(f, 0), 0);
    OK(deis_docker_image_remove(f->docker, local, why));
    /* Nor is there a note of what could not be had. */
    assert_int_equal(deis_fetched_get(f->docker, f->notes, absent, &f->login, NULL, &err),
                     DEIS_NOT_FOUND);
    assert_int_equal(count_notes(f, 0), 0);
}

static void fetched__a_name_that_became_anothers_is_left(void **state)
{
    struct fixture *f = *state;
    deis_autofree char *tag = deis_asprintf("%s:1", f->repo);

    get(f, tag);
    assert_int_equal(count_notes(f, 2), 1);
    OK(deis_docker_image_remove(f->docker, tag, why));
    import(f->repo, "1", "another");
    assert_int_equal(sweep(f), 0);
    assert_true(has_image(f, tag));
    assert_int_equal(count_notes(f, 0), 0);
    OK(deis_docker_image_remove(f->docker, tag, why));
}

/* An image, pushed to a registry of our own and removed from the Engine. */
static int setup(void **state)
{
    struct fixture *f = deis_alloc(sizeof(*f));
    uint16_t port = test_free_port();
    deis_autofree char *address = deis_asprintf("127.0.0.1:%u", port);
    deis_autofree char *digest = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    *state = f;
    f->docker = deis_docker_new(SOCKET);
    f->folder = program_temp_folder();
    f->notes = deis_asprintf("%s/notes", f->folder);
    f->repo = deis_asprintf("%s/fetched", address);
    deis_autofree char *key = program_write_key(f->folder);
    const char *const argv[] = { "--http",        address,  "--data",
                                 f->folder,       "--etcd", "http://127.0.0.1:1",
                                 "--cluster-key", key,      NULL };
    program_start(&f->registry, "deis-registry-proxy", argv);
    program_wait_port(port);
    struct deis_keys *keys = deis_keys_open(key, &err);
    assert_non_null(keys);
    deis_registry_password(keys, f->password);
    deis_keys_free(keys);
    f->login = (struct deis_docker_transfer){ .user = DEIS_REGISTRY_USER, .password = f->password };
    import(f->repo, "1", "fetched");
    OK(deis_docker_push(f->docker, f->repo, "1", &f->login, &digest, why));
    f->image = deis_asprintf("%s@%s", f->repo, digest);
    deis_autofree char *tag = deis_asprintf("%s:1", f->repo);
    OK(deis_docker_image_remove(f->docker, tag, why));
    OK(deis_docker_image_remove(f->docker, f->image, why));
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    program_stop(&f->registry, SIGTERM);
    program_remove_folder(f->folder);
    deis_docker_free(f->docker);
    free(f->notes);
    free(f->repo);
    free(f->image);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetched__images_go_when_nobody_asks_for_them),
        cmocka_unit_test(fetched__one_that_a_container_has_stays),
        cmocka_unit_test(fetched__what_came_another_way_stays),
        cmocka_unit_test(fetched__a_name_that_became_anothers_is_left),
    };
    struct deis_docker *probe = deis_docker_new(SOCKET);
    struct deis_err err = DEIS_ERR_INIT;

    deis_runtime_init("test");
    int rc = deis_docker_ping(probe, &err);
    deis_docker_free(probe);
    if (rc < 0) {
        printf("SKIP docker_fetched: no Docker Engine: %s\n", err.msg);
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
