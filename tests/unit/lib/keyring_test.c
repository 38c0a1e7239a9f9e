/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/crypto/keys.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define DIGITS_B "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
#define ID_A     "630dcd29" /* of SHA-256 over the bytes */
#define PLACE    DEIS_STR("config/blog")

static struct deis_keyring ring_of(const char *text)
{
    struct deis_keyring ring;
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_keyring_parse(deis_str(text), &ring, &err), 0);
    return ring;
}

static void keyring__is_read_and_written_line_by_line(void **state)
{
    static const char *const texts[] = {
        DIGITS_A "\n",
        DIGITS_A "\n" DIGITS_B "\n",
        DIGITS_B " 1700000000\n" DIGITS_A "\n",
    };

    for (size_t i = 0; i < DEIS_COUNT(texts); i++) {
        struct deis_keyring ring = ring_of(texts[i]);
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(DEIS_KEYRING_TEXT);
        deis_keyring_format(&ring, &out);
        assert_string_equal(out.data, texts[i]);
    }
    struct deis_keyring ring = ring_of(DIGITS_A);
    char id[DEIS_KEY_ID_TEXT];
    deis_key_id_text(&ring.keys[0], id);
    assert_string_equal(id, ID_A);
}

static void keyring__texts_that_are_refused(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        { "", "line 1 must be 64 hex digits" },
        { "\n", "line 1 must be" },
        { DIGITS_A "\n\n", "line 2 must be" },
        { DIGITS_A "00\n", "line 1 must be" },
        { DIGITS_A "\tx\n", "line 1 must be" },
        { DIGITS_A " \n", "line 1 has no Unix time" },
        { DIGITS_A " x\n", "line 1 has no Unix time" },
        { DIGITS_A " 99999999999999\n", "line 1 has no Unix time" },
        { DIGITS_A "\n" DIGITS_B "\n" DIGITS_A "\n", "line 3 repeats a key" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_keyring ring;
        struct deis_err err = DEIS_ERR_INIT;
        assert_int_equal(deis_keyring_parse(deis_str(rows[i].text), &ring, &err), DEIS_INVALID);
        if (!strstr(err.msg, rows[i].says)) {
            fail_msg("row %zu: '%s'", i, err.msg);
        }
        assert_null(strstr(err.msg, "0001020304"));
        assert_int_equal(ring.count, 0);
    }
}

static void keyring__holds_a_bounded_number_of_keys(void **state)
{
    struct deis_keyring ring = ring_of(DIGITS_A "\n");
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(2 * DEIS_KEYRING_TEXT);
    struct deis_err err = DEIS_ERR_INIT;

    while (ring.count < DEIS_KEYRING_MAX) {
        assert_int_equal(deis_keyring_add(&ring, 1700000000, &err), 0);
    }
    assert_int_equal(deis_keyring_add(&ring, 1700000000, &err), DEIS_LIMIT);
    deis_keyring_format(&ring, &out);
    assert_true(out.len <= DEIS_KEYRING_TEXT);
    deis_buf_add_cstr(&out, DIGITS_B "\n");
    assert_int_equal(deis_keyring_parse(deis_buf_str(&out), &ring, &err), DEIS_LIMIT);
}

static void keyring__a_new_key_is_newer_whatever_the_clock_says(void **state)
{
    struct deis_keyring ring = ring_of(DIGITS_A " 1700000000\n");
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_keyring_add(&ring, 1600000000, &err), 0);
    assert_true(ring.made_s[1] > ring.made_s[0]);
    deis_keyring_promote(&ring, 1);
    assert_int_equal(ring.made_s[0], 1700000001);
    assert_int_equal(ring.made_s[1], 1700000000);
    char id[DEIS_KEY_ID_TEXT];
    deis_key_id_text(&ring.keys[1], id);
    assert_string_equal(id, ID_A);
}

static void keyring__the_first_seals_and_all_open(void **state)
{
    struct deis_keyring old = ring_of(DIGITS_A "\n");
    struct deis_keyring both = ring_of(DIGITS_B "\n" DIGITS_A "\n");
    struct deis_keyring fresh = ring_of(DIGITS_B "\n");
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(1024);
    deis_autobuf struct deis_buf again = DEIS_BUF_INIT(1024);
    deis_autobuf struct deis_buf twice = DEIS_BUF_INIT(1024);
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(1024);
    struct deis_err err = DEIS_ERR_INIT;
    char id[DEIS_KEY_ID_TEXT];

    deis_seal(&old.keys[0], PLACE, DEIS_STR("open sesame"), &sealed);
    assert_int_equal(deis_keyring_unseal(&both, PLACE, deis_buf_str(&sealed), &plain, &err), 0);
    assert_string_equal(plain.data, "open sesame");
    assert_int_equal(deis_keyring_unseal(&fresh, PLACE, deis_buf_str(&sealed), &plain, &err),
                     DEIS_INVALID);
    assert_non_null(strstr(err.msg, "not held here"));

    /* Sealed anew: by the new key, under the same name, and every time the same. */
    assert_int_equal(deis_keyring_reseal(&both, PLACE, deis_buf_str(&sealed), &again, &err), 0);
    assert_int_equal(deis_keyring_reseal(&both, PLACE, deis_buf_str(&sealed), &twice, &err), 0);
    assert_string_equal(again.data, twice.data);
    assert_string_not_equal(again.data, sealed.data);
    assert_true(deis_sealed_key(deis_buf_str(&sealed), id));
    assert_string_equal(id, ID_A);
    assert_true(deis_sealed_key(deis_buf_str(&again), id));
    assert_string_not_equal(id, ID_A);
    assert_true(deis_str_eq(deis_sealed_name(deis_buf_str(&sealed)),
                            deis_sealed_name(deis_buf_str(&again))));
    assert_int_equal(deis_keyring_reseal(&both, PLACE, deis_buf_str(&again), &twice, &err), 1);
    deis_buf_reset(&plain);
    assert_int_equal(deis_keyring_unseal(&fresh, PLACE, deis_buf_str(&again), &plain, &err), 0);
    assert_string_equal(plain.data, "open sesame");
    /* Still bound to its place. */
    assert_int_equal(
        deis_keyring_unseal(&fresh, DEIS_STR("config/shop"), deis_buf_str(&again), &plain, &err),
        DEIS_INVALID);
    assert_int_equal(
        deis_keyring_reseal(&both, DEIS_STR("config/shop"), deis_buf_str(&sealed), &plain, &err),
        DEIS_INVALID);
}

static void keyring__texts_that_are_not_sealed(void **state)
{
    static const char *const texts[] = { "",
                                         "v1:",
                                         "v1:630dcd29:",
                                         "v1:630dcd2g:AAAAAAAAAAAAAAAA",
                                         "v2:630dcd29:AAAAAAAAAAAAAAAA",
                                         "v1:630dcd29.AAAAAAAAAAAAAAAA" };
    struct deis_keyring ring = ring_of(DIGITS_A "\n");
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(64);
    struct deis_err err = DEIS_ERR_INIT;
    char id[DEIS_KEY_ID_TEXT];

    for (size_t i = 0; i < DEIS_COUNT(texts); i++) {
        assert_false(deis_sealed_key(deis_str(texts[i]), id));
        assert_true(deis_str_eq(deis_sealed_name(deis_str(texts[i])), deis_str(texts[i])));
        assert_int_equal(deis_keyring_reseal(&ring, PLACE, deis_str(texts[i]), &out, &err),
                         DEIS_INVALID);
    }
}

/* --- the file --- */

struct file {
    char folder[64];
    char path[96];
};

static void file_write(const struct file *f, const char *text, mode_t mode)
{
    deis_autofree char *temp = deis_asprintf("%s.new", f->path);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(rename(temp, f->path), 0);
}

static void keys__follow_their_file(void **state)
{
    struct file f = { .folder = "/tmp/deis-keys-test-XXXXXX" };
    struct deis_err err = DEIS_ERR_INIT;

    assert_non_null(mkdtemp(f.folder));
    snprintf(f.path, sizeof(f.path), "%s/cluster.key", f.folder);
    file_write(&f, DIGITS_A "\n", 0600);
    struct deis_keys *keys = deis_keys_open(f.path, &err);
    assert_non_null(keys);
    unsigned version = deis_keys_version(keys);
    assert_int_equal(deis_keys_refresh(keys, &err), 0);

    file_write(&f, DIGITS_A "\n" DIGITS_B "\n", 0600);
    assert_int_equal(deis_keys_refresh(keys, &err), 1);
    assert_true(deis_keys_version(keys) > version);
    char **ids = deis_keys_ids(keys);
    assert_string_equal(ids[0], ID_A);
    assert_non_null(ids[1]);
    assert_null(ids[2]);
    for (size_t i = 0; ids[i]; i++) {
        free(ids[i]);
    }
    free(ids);

    /* What can't be used changes nothing. */
    version = deis_keys_version(keys);
    file_write(&f, "half a ke", 0600);
    assert_true(deis_keys_refresh(keys, &err) < 0);
    file_write(&f, DIGITS_B "\n", 0644);
    assert_true(deis_keys_refresh(keys, &err) < 0);
    unlink(f.path);
    assert_true(deis_keys_refresh(keys, &err) < 0);
    assert_int_equal(deis_keys_version(keys), version);

    /* The same keys in another file are no change. */
    file_write(&f, DIGITS_A "\n" DIGITS_B " 1700000000\n", 0600);
    assert_int_equal(deis_keys_refresh(keys, &err), 0);
    assert_int_equal(deis_keys_version(keys), version);
    deis_keys_free(keys);
    unlink(f.path);
    rmdir(f.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyring__is_read_and_written_line_by_line),
        cmocka_unit_test(keyring__texts_that_are_refused),
        cmocka_unit_test(keyring__holds_a_bounded_number_of_keys),
        cmocka_unit_test(keyring__a_new_key_is_newer_whatever_the_clock_says),
        cmocka_unit_test(keyring__the_first_seals_and_all_open),
        cmocka_unit_test(keyring__texts_that_are_not_sealed),
        cmocka_unit_test(keys__follow_their_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
