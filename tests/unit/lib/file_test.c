/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/net/file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void file__gives_back_what_was_written(void **state)
{
    char folder[] = "/tmp/deis-file-XXXXXX";
    deis_autobuf struct deis_buf small = DEIS_BUF_INIT(256);
    deis_autobuf struct deis_buf tight = DEIS_BUF_INIT(16);
    struct deis_err err = DEIS_ERR_INIT;
    struct stat st;

    assert_non_null(mkdtemp(folder));
    deis_autofree char *path = deis_asprintf("%s/machine-id", folder);
    assert_int_equal(deis_file_read(path, &small, &err), DEIS_NOT_FOUND);
    assert_int_equal(deis_file_replace(path, DEIS_STR("old"), 0640, &err), 0);
    assert_int_equal(deis_file_replace(path, DEIS_STR("0123456789abcdef\n"), 0600, &err), 0);
    assert_int_equal(deis_file_read(path, &small, &err), 0);
    assert_string_equal(small.data, "0123456789abcdef\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    /* the limit is the buffer's */
    assert_int_equal(deis_file_read(path, &tight, &err), DEIS_LIMIT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* no other file was left */
}

static void file__failure_leaves_the_old_one(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_file_replace("/proc/self/none", DEIS_STR("x"), 0600, &err),
                     DEIS_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/proc/self/none"));
    assert_int_equal(deis_folder_sync("/proc/self/none", &err), DEIS_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/proc/self/none"));
}

static void file__a_descriptor_is_read_to_its_end(void **state)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(16);
    struct deis_err err = DEIS_ERR_INIT;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(deis_write_all(ends[1], DEIS_STR("piped")), 0);
    assert_int_equal(deis_fd_read(ends[1], "a pipe's wrong end", &text, &err), DEIS_SYSTEM);
    assert_non_null(strstr(err.msg, "wrong end"));
    close(ends[1]);
    assert_int_equal(deis_fd_read(ends[0], "a pipe", &text, &err), 0);
    assert_string_equal(text.data, "piped");
    close(ends[0]);
}

static void file__a_folder_has_one_owner(void **state)
{
    char folder[] = "/tmp/deis-file-XXXXXX";
    struct deis_err err = DEIS_ERR_INIT;
    int lock, second;

    assert_non_null(mkdtemp(folder));
    deis_autofree char *path = deis_asprintf("%s/.lock", folder);
    assert_int_equal(deis_folder_lock(folder, &lock, &err), 0);
    assert_int_equal(deis_folder_lock(folder, &second, &err), DEIS_CONFLICT);
    assert_non_null(strstr(err.msg, folder));
    close(lock);
    assert_int_equal(deis_folder_lock(folder, &second, &err), 0);
    close(second);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(deis_folder_lock(folder, &lock, &err), DEIS_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__gives_back_what_was_written),
        cmocka_unit_test(file__failure_leaves_the_old_one),
        cmocka_unit_test(file__a_descriptor_is_read_to_its_end),
        cmocka_unit_test(file__a_folder_has_one_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
