/* SPDX-License-Identifier: MIT */
#include "registry-proxy/blob_store.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/model/model.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define TYPE  "application/vnd.oci.image.manifest.v1+json"

struct fixture {
    char *folder;
    struct blob_store *store;
    struct deis_err err;
};

static int setup(void **state)
{
    struct fixture *f = deis_alloc(sizeof(*f));

    f->folder = program_temp_folder();
    f->store = blob_store_open(f->folder, &f->err);
    assert_non_null(f->store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    blob_store_free(f->store);
    program_remove_folder(f->folder);
    free(f);
    return 0;
}

static void store__a_folder_has_one_store(void **state)
{
    struct fixture *f = *state;
    int fd = -1;

    assert_int_equal(upload_create(f->store, "under-way", &fd, &f->err), 0);
    assert_null(blob_store_open(f->folder, &f->err));
    assert_int_equal(f->err.code, DEIS_CONFLICT);
    assert_int_equal(upload_commit(f->store, "under-way", fd, HEX_A, &f->err), 0);
    close(fd);
}

static void store__a_repository_may_be_deep(void **state)
{
    struct fixture *f = *state;
    const char *name = "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v";
    char **repos = NULL;

    assert_int_equal(repo_put_manifest(f->store, deis_str(name), HEX_A, TYPE, &f->err), 0);
    assert_int_equal(repo_put_manifest(f->store, deis_str("a"), HEX_A, TYPE, &f->err), 0);
    assert_int_equal(store_list_repos(f->store, &repos, &f->err), 0);
    assert_string_equal(repos[0], "a");
    assert_string_equal(repos[1], name);
    assert_null(repos[2]);
    deis_strv_free(repos);
}

static int expect_type(const char *repo, const char *hex, const char *media_type, void *arg,
                       struct deis_err *err)
{
    assert_string_equal(hex, HEX_A);
    assert_string_equal(media_type, TYPE);
    ++*(int *)arg;
    return 0;
}

static void store__a_walk_tells_the_media_type(void **state)
{
    struct fixture *f = *state;
    int count = 0;

    assert_int_equal(repo_put_manifest(f->store, deis_str("blog"), HEX_A, TYPE, &f->err), 0);
    assert_int_equal(store_walk_manifests(f->store, expect_type, &count, &f->err), 0);
    assert_int_equal(count, 1);
}

/* An incomplete list must not look like a complete one: the sweep would remove what is in use. */
static void store__a_folder_that_cannot_be_read_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    struct rlimit none;
    char **repos = NULL;
    int count = 0;

    assert_int_equal(repo_put_manifest(f->store, deis_str("blog"), HEX_A, TYPE, &f->err), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int listed = store_list_repos(f->store, &repos, &f->err);
    int walked = store_walk_manifests(f->store, expect_type, &count, &f->err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(listed, DEIS_LIMIT);
    assert_null(repos);
    assert_int_equal(walked, DEIS_LIMIT);
}

static void age(struct fixture *f, const char *hex, int64_t seconds)
{
    char path[512];
    struct timespec times[2] = { { .tv_sec = time(NULL) - seconds } };

    times[1] = times[0];
    snprintf(path, sizeof(path), "%s/blobs/%.2s/%s", f->folder, hex, hex);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool keep_none(const char *hex, void *arg)
{
    return false;
}

static bool keep_b(const char *hex, void *arg)
{
    return strcmp(hex, HEX_B) == 0;
}

static void store__a_sweep_spares_what_is_kept_or_was_just_used(void **state)
{
    struct fixture *f = *state;
    uint64_t size;

    assert_int_equal(blob_write(f->store, DEIS_STR("abc"), HEX_A, &f->err), 0);
    assert_int_equal(blob_write(f->store, DEIS_STR("de"), HEX_B, &f->err), 0);
    age(f, HEX_A, 1000);
    age(f, HEX_B, 1000);
    assert_int_equal(blob_stat(f->store, deis_str(HEX_A), &size, &f->err), 0);
    assert_int_equal(store_sweep(f->store, keep_b, NULL, time(NULL) - 500, &size, &f->err), 0);
    assert_int_equal(size, 0);
    age(f, HEX_A, 1000);
    assert_int_equal(store_sweep(f->store, keep_b, NULL, time(NULL) - 500, &size, &f->err), 0);
    assert_int_equal(size, 3);
    assert_int_equal(blob_stat(f->store, deis_str(HEX_A), &size, &f->err), DEIS_NOT_FOUND);
    assert_int_equal(blob_stat(f->store, deis_str(HEX_B), &size, &f->err), 0);
}

static void store__the_grace_of_an_upload_begins_when_it_is_complete(void **state)
{
    struct fixture *f = *state;
    const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    uint64_t bytes;
    int fd = -1;

    assert_int_equal(upload_create(f->store, "slow", &fd, &f->err), 0);
    assert_int_equal(futimens(fd, old), 0);
    assert_int_equal(upload_commit(f->store, "slow", fd, HEX_A, &f->err), 0);
    close(fd);
    assert_int_equal(store_sweep(f->store, keep_none, NULL, time(NULL) - 500, &bytes, &f->err), 0);
    assert_int_equal(blob_stat(f->store, deis_str(HEX_A), &bytes, &f->err), 0);
}

static void store__tags_go_with_their_manifest(void **state)
{
    struct fixture *f = *state;
    struct deis_str name = DEIS_STR("base/node");
    char **tags = NULL;
    char hex[65];

    assert_int_equal(repo_put_manifest(f->store, name, HEX_A, TYPE, &f->err), 0);
    assert_int_equal(repo_put_manifest(f->store, name, HEX_B, TYPE, &f->err), 0);
    assert_int_equal(repo_put_tag(f->store, name, DEIS_STR("v1"), HEX_A, &f->err), 0);
    assert_int_equal(repo_put_tag(f->store, name, DEIS_STR("v2"), HEX_B, &f->err), 0);
    assert_int_equal(repo_delete_manifest(f->store, name, deis_str(HEX_A), &f->err), 0);
    assert_int_equal(repo_list_tags(f->store, name, &tags, &f->err), 0);
    assert_string_equal(tags[0], "v2");
    assert_null(tags[1]);
    deis_strv_free(tags);
    assert_int_equal(repo_get_tag(f->store, name, DEIS_STR("v1"), hex, &f->err), DEIS_NOT_FOUND);
    assert_int_equal(repo_delete_manifest(f->store, name, deis_str(HEX_B), &f->err), 0);
    assert_int_equal(store_list_repos(f->store, &tags, &f->err), 0);
    assert_null(tags[0]);
    deis_strv_free(tags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(store__a_folder_has_one_store, setup, teardown),
        cmocka_unit_test_setup_teardown(store__a_repository_may_be_deep, setup, teardown),
        cmocka_unit_test_setup_teardown(store__a_walk_tells_the_media_type, setup, teardown),
        cmocka_unit_test_setup_teardown(store__a_folder_that_cannot_be_read_is_a_failure, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(store__a_sweep_spares_what_is_kept_or_was_just_used, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(store__the_grace_of_an_upload_begins_when_it_is_complete,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(store__tags_go_with_their_manifest, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
