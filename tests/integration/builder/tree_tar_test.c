/* SPDX-License-Identifier: MIT */
/* The tar stream of a commit, unpacked by tar(1) and compared with what git(1) checks out. */
#include "builder/file.h"
#include "builder/tree_tar.h"
#include "tests/support/test.h"

#include <git2.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct tree_tar_limits wide = { .total_bytes = 64u << 20,
                                             .file_bytes = 32u << 20,
                                             .entries = 1000 };
static char root[] = "/tmp/deis-tree-tar-XXXXXX";
static char commit[41];

static int shell(const char *script)
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("HOME", root, 1);
        setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
        if (chdir(root) == 0) {
            execl("/bin/sh", "sh", "-ec", script, (char *)NULL);
        }
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char make_repo[] =
    "git init -q -b master w && cd w && git config user.name a && git config user.email a@example.com\n"
    "long=$(printf 'n%.0s' $(seq 200)); deep=$(printf 'folder-with-a-name/%.0s' $(seq 12))\n"
    "mkdir -p \"$deep\" bin && echo deep >\"$deep/file\" && echo long >\"$long\"\n"
    "printf '#!/bin/sh\\n' >bin/run && chmod +x bin/run && : >empty\n"
    "head -c 1000000 /dev/urandom >large && head -c 512 /dev/urandom >block\n"
    "ln -s ../large bin/link && ln -s \"$long\" short && echo '*.o export-ignore' >.gitattributes\n"
    "echo object >a.o && git add -A . && git commit -qm x && git rev-parse HEAD >../commit";

static struct tree_tar *open_tar(const struct tree_tar_limits *limits, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/w/.git", root);
    struct tree_tar *t = NULL;

    return tree_tar_open(path, NULL, commit, limits, &t, err) < 0 ? NULL : t;
}

/* t is taken. */
static void write_tar(struct tree_tar *t, size_t cap)
{
    deis_autofree char *path = deis_asprintf("%s/x.tar", root);
    deis_autofree char *data = deis_alloc(cap);
    FILE *f = fopen(path, "wb");
    ssize_t n;

    assert_non_null(f);
    while ((n = tree_tar_read(t, data, cap)) > 0) {
        assert_int_equal(fwrite(data, 1, (size_t)n, f), n);
    }
    assert_int_equal(n, 0);
    assert_int_equal(tree_tar_read(t, data, cap), 0);
    assert_int_equal(fclose(f), 0);
    tree_tar_free(t);
}

static void write_archive(size_t cap)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct tree_tar *t = open_tar(&wide, &err);

    assert_non_null(t);
    write_tar(t, cap);
}

static void tree_tar__is_what_git_checks_out(void **state)
{
    static const size_t caps[] = { 1, 511, 513, 16384, 2000000 };

    for (size_t i = 0; i < DEIS_COUNT(caps); i++) {
        write_archive(caps[i]);
        assert_int_equal(
            shell("rm -rf out && mkdir out && tar -xf x.tar -C out &&"
                  "diff -r --no-dereference --exclude=.git w out && test -x out/bin/run &&"
                  "test ! -x out/large && test \"$(readlink out/bin/link)\" = ../large"),
            0);
    }
}

static void tree_tar__gives_single_files(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct tree_tar *t = open_tar(&wide, &err);
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(64);

    assert_non_null(t);
    assert_true(tree_tar_has(t, "bin/run"));
    assert_false(tree_tar_has(t, "bin"));
    assert_false(tree_tar_has(t, "bin/link"));
    assert_int_equal(tree_tar_get(t, "a.o", &out, &err), DEIS_OK);
    assert_string_equal(out.data, "object\n");
    assert_int_equal(tree_tar_get(t, "large", &out, &err), DEIS_LIMIT);
    assert_int_equal(tree_tar_get(t, "absent", &out, &err), DEIS_NOT_FOUND);
    tree_tar_free(t);
}

static void tree_tar__takes_files_of_ours(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct tree_tar *t = open_tar(&wide, &err);

    assert_non_null(t);
    assert_true(tree_tar_taken(t, "bin"));
    assert_true(tree_tar_taken(t, "bin/link"));
    assert_false(tree_tar_taken(t, "bin/ours"));
    tree_tar_add(t, "bin/ours", DEIS_STR("added"));
    assert_int_equal(tree_tar_replace(t, "a.o", DEIS_STR("replaced"), &err), DEIS_OK);
    write_tar(t, 16384);
    assert_int_equal(shell("rm -rf out && mkdir out && tar -xf x.tar -C out &&"
                           "test \"$(cat out/bin/ours out/a.o)\" = addedreplaced"),
                     0);
}

static void tree_tar__keeps_its_limits(void **state)
{
    static const struct {
        struct tree_tar_limits limits;
        const char *says;
    } cases[] = {
        { { 500000, 32u << 20, 1000 }, "the files of the commit are over" },
        { { 64u << 20, 1000, 1000 }, "file 'large' is over" },
        { { 64u << 20, 32u << 20, 5 }, "more than 5 files" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        assert_null(open_tar(&cases[i].limits, &err));
        assert_int_equal(err.code, DEIS_LIMIT);
        assert_non_null(strstr(err.msg, cases[i].says));
    }
}

/* Another commit of the repository: what this script prints, run there. */
static struct tree_tar *open_other(const char *script, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/w/.git", root);
    deis_autofree char *other = deis_asprintf("%s/other", root);
    deis_autofree char *all = deis_asprintf("cd w && (%s) >../other", script);
    deis_autobuf struct deis_buf id = DEIS_BUF_INIT(1024);
    struct tree_tar *t = NULL;

    assert_int_equal(shell(all), 0);
    assert_int_equal(deis_file_read(other, &id, err), DEIS_OK);
    id.data[40] = '\0';
    return tree_tar_open(path, NULL, id.data, &wide, &t, err) < 0 ? NULL : t;
}

static void tree_tar__reads_no_endless_folder(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_null(open_other("b=$(git hash-object -w a.o); n=$(printf 'n%.0s' $(seq 200));"
                           "t=$(seq -f \"100644 blob $b\t$n%05.0f\" 75000 | git mktree);"
                           "git commit-tree -m x $t",
                           &err));
    assert_int_equal(err.code, DEIS_LIMIT);
    assert_non_null(strstr(err.msg, "a folder has too many files"));
}

static int open_repo(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1024);
    struct deis_err err = DEIS_ERR_INIT;

    git_libgit2_init();
    if (!mkdtemp(root) || shell(make_repo) != 0) {
        return -1;
    }
    deis_autofree char *path = deis_asprintf("%s/commit", root);
    if (deis_file_read(path, &out, &err) < 0 || out.len != 41) {
        return -1;
    }
    memcpy(commit, out.data, 40);
    return 0;
}

static int close_repo(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;

    git_libgit2_shutdown();
    return folder_remove(root, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_tar__is_what_git_checks_out),
        cmocka_unit_test(tree_tar__gives_single_files),
        cmocka_unit_test(tree_tar__takes_files_of_ours),
        cmocka_unit_test(tree_tar__keeps_its_limits),
        cmocka_unit_test(tree_tar__reads_no_endless_folder),
    };

    if (access("/usr/bin/git", X_OK) < 0) {
        printf("SKIP tree_tar: no git\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, open_repo, close_repo);
}
