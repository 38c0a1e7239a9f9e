/* SPDX-License-Identifier: MIT */
#include "builder/core/tar.h"
#include "builder/core/tree_path.h"
#include "tests/support/test.h"

static unsigned octal(const char *field, size_t width)
{
    unsigned value = 0;

    for (size_t i = 0; i < width && field[i] >= '0' && field[i] <= '7'; i++) {
        value = value * 8 + (unsigned)(field[i] - '0');
    }
    return value;
}

/* The sum over a header block with its checksum field as blanks, the rule of the format. */
static void assert_checksum(const char *block)
{
    unsigned sum = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++) {
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)block[i];
    }
    assert_int_equal(octal(block + 148, 8), sum);
}

static void tar__short_names_take_one_block(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    struct tar_entry e = { TAR_EXECUTABLE, DEIS_STR("bin/run"), DEIS_STR_NONE, 1025 };

    assert_int_equal(tar_add_header(&e, &out, &err), DEIS_OK);
    assert_int_equal(out.len, TAR_BLOCK);
    assert_string_equal(out.data, "bin/run");
    assert_int_equal(octal(out.data + 100, 8), 0755);
    assert_int_equal(octal(out.data + 124, 12), 1025);
    assert_int_equal(out.data[156], '0');
    assert_memory_equal(out.data + 257,
                        "ustar\0"
                        "00",
                        8);
    assert_checksum(out.data);
}

static void tar__long_names_are_split_at_a_slash(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    char path[202];

    memset(path, 'd', 100);
    path[100] = '/';
    memset(path + 101, 'f', 100);
    struct tar_entry e = { TAR_FILE, deis_str_n(path, 201), DEIS_STR_NONE, 0 };
    assert_int_equal(tar_add_header(&e, &out, &err), DEIS_OK);
    assert_int_equal(out.len, TAR_BLOCK);
    assert_memory_equal(out.data, path + 101, 100);
    assert_memory_equal(out.data + 345, path, 100);
    assert_int_equal(out.data[445], '\0');
    assert_checksum(out.data);
}

static void tar__what_does_not_fit_goes_into_a_pax_header(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    char name[256];
    char want[600];

    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    struct tar_entry e = { TAR_SYMLINK, deis_str_n(name, 120), deis_str_n(name, 255), 0 };
    assert_int_equal(tar_add_header(&e, &out, &err), DEIS_OK);
    assert_int_equal(out.len, 3 * TAR_BLOCK);
    assert_int_equal(out.data[156], 'x');
    assert_checksum(out.data);
    int n = snprintf(want, sizeof(want), "130 path=%.120s\n269 linkpath=%s\n", name, name);
    assert_int_equal(octal(out.data + 124, 12), n);
    assert_memory_equal(out.data + TAR_BLOCK, want, (size_t)n);
    assert_int_equal(out.data[2 * TAR_BLOCK + 156], '2');
    assert_checksum(out.data + 2 * TAR_BLOCK);
}

static void tar__record_length_counts_its_own_digits(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    char name[1100];

    memset(name, 'n', sizeof(name));
    for (size_t len = 101; len < sizeof(name); len++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
        struct tar_entry e = { TAR_FILE, deis_str_n(name, len), DEIS_STR_NONE, 0 };

        assert_int_equal(tar_add_header(&e, &out, &err), DEIS_OK);
        unsigned size = octal(out.data + 124, 12);
        char digits[16];
        int n = snprintf(digits, sizeof(digits), "%u ", size);
        assert_memory_equal(out.data + TAR_BLOCK, digits, (size_t)n);
        assert_int_equal(out.data[TAR_BLOCK + size - 1], '\n');
    }
}

static void tar__names_are_limited(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    char name[TAR_PATH_MAX + 1];

    memset(name, 'n', sizeof(name));
    struct tar_entry e = { TAR_FILE, deis_str_n(name, sizeof(name)), DEIS_STR_NONE, 0 };
    assert_int_equal(tar_add_header(&e, &out, &err), DEIS_LIMIT);
    assert_int_equal(out.len, 0);
    assert_int_equal(tar_padding(0), 0);
    assert_int_equal(tar_padding(1), 511);
    assert_int_equal(tar_padding(512), 0);
}

static void tree_path__links_stay_in_the_tree(void **state)
{
    static const struct {
        const char *path;
        const char *target;
        bool ok;
    } cases[] = {
        { "link", "file", true },
        { "link", "dir/../file", false },
        { "link", "..", false },
        { "a/link", "..", true },
        { "a/link", "../b/c", true },
        { "a/b/link", "../../c", true },
        { "a/b/link", "../../../c", false },
        { "a/b/link", "./.././../c", true },
        { "link", "/etc/passwd", false },
        { "a/link", "x/../../..", false },
        { "link", "", false },
        { "link", ".", true },
        { "link", "a//b/", true },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        if (tree_path_link_ok(deis_str(cases[i].path), deis_str(cases[i].target)) != cases[i].ok) {
            fail_msg("%s -> %s", cases[i].path, cases[i].target);
        }
    }
}

static void tree_path__names_are_single_parts(void **state)
{
    assert_true(tree_path_name_ok(deis_str("Dockerfile")));
    assert_true(tree_path_name_ok(deis_str(".gitignore")));
    assert_true(tree_path_name_ok(deis_str("...")));
    assert_false(tree_path_name_ok(deis_str("")));
    assert_false(tree_path_name_ok(deis_str(".")));
    assert_false(tree_path_name_ok(deis_str("..")));
    assert_false(tree_path_name_ok(deis_str(".GIT")));
    assert_false(tree_path_name_ok(deis_str("a/b")));
    assert_false(tree_path_name_ok(DEIS_STR("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tar__short_names_take_one_block),
        cmocka_unit_test(tar__long_names_are_split_at_a_slash),
        cmocka_unit_test(tar__what_does_not_fit_goes_into_a_pax_header),
        cmocka_unit_test(tar__record_length_counts_its_own_digits),
        cmocka_unit_test(tar__names_are_limited),
        cmocka_unit_test(tree_path__links_stay_in_the_tree),
        cmocka_unit_test(tree_path__names_are_single_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
