/* SPDX-License-Identifier: MIT */
#include "scheduler/files.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <unistd.h>

static void files__gives_back_what_was_written(void **state)
{
    char folder[] = "/tmp/deis-files-XXXXXX";
    deis_autobuf struct deis_buf small = DEIS_BUF_INIT(256);
    deis_autobuf struct deis_buf tight = DEIS_BUF_INIT(16);
    struct deis_err err = DEIS_ERR_INIT;

    assert_non_null(mkdtemp(folder));
    deis_autofree char *path = deis_asprintf("%s/machine-id", folder);
    assert_int_equal(files_read(path, &small, &err), DEIS_NOT_FOUND);
    assert_int_equal(files_replace(path, DEIS_STR("old"), &err), 0);
    assert_int_equal(files_replace(path, DEIS_STR("0123456789abcdef\n"), &err), 0);
    assert_int_equal(files_read(path, &small, &err), 0);
    assert_string_equal(small.data, "0123456789abcdef\n");
    /* the limit is the buffer's */
    assert_int_equal(files_read(path, &tight, &err), DEIS_LIMIT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* no other file was left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files__gives_back_what_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
