/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/crypto/asn1.h"
#include "lib/crypto/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct deis_key key_of(uint8_t fill)
{
    struct deis_key key;

    memset(key.bytes, fill, sizeof(key.bytes));
    memset(key.id, fill, sizeof(key.id));
    return key;
}

static void hex(const uint8_t *data, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        snprintf(out + 2 * i, 3, "%02x", data[i]);
    }
}

/* --- key file --- */

struct key_file {
    char path[64];
};

static void key_file_write(struct key_file *f, const char *text, mode_t mode)
{
    snprintf(f->path, sizeof(f->path), "/tmp/deis-secret-test-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void secret__key_loads_from_a_line_of_hex_digits(void **state)
{
    struct key_file f;
    struct deis_key key;
    struct deis_err err = DEIS_ERR_INIT;

    key_file_write(&f, DIGITS "\n", 0640);
    assert_int_equal(deis_key_load(f.path, &key, &err), 0);
    unlink(f.path);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(key.bytes[i], i);
    }
    /* SHA-256 of those 32 bytes starts with 630dcd29. */
    const uint8_t id[4] = { 0x63, 0x0d, 0xcd, 0x29 };
    assert_memory_equal(key.id, id, 4);
}

static void secret__key_files_that_are_refused(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *says;
    } rows[] = {
        { DIGITS "\n", 0644, "mode 0644" },
        { DIGITS "\n", 0660, "mode 0660" },
        { DIGITS "\n", 0700, "mode 0700" },
        { "", 0600, "64 hex digits" },
        { DIGITS "00\n", 0600, "64 hex digits" },
        { DIGITS "\n\n", 0600, "64 hex digits" },
        { "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0600,
          "64 hex digits" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct key_file f;
        struct deis_key key;
        struct deis_err err = DEIS_ERR_INIT;
        key_file_write(&f, rows[i].text, rows[i].mode);
        assert_int_equal(deis_key_load(f.path, &key, &err), DEIS_INVALID);
        unlink(f.path);
        assert_non_null(strstr(err.msg, rows[i].says));
        assert_non_null(strstr(err.msg, f.path));
        assert_null(strstr(err.msg, "0001020304"));
    }
}

static void secret__missing_key_file_is_not_found(void **state)
{
    struct deis_key key;
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_key_load("/nonexistent/cluster.key", &key, &err), DEIS_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/nonexistent/cluster.key"));
}

/* --- derivation --- */

static void secret__derive_is_hkdf_sha256(void **state)
{
    /* HKDF-SHA256(key = 0x0b * 32, no salt, info = "at-rest", 32 bytes), from another
     * implementation. */
    const char *want = "d3c4707966718beb8da526ee46ba158876c02f1163d0cbe180771c8b213af2d5";
    struct deis_key key = key_of(0x0b);
    char got[65];

    deis_key_derive_hex(&key, "at-rest", got);
    assert_string_equal(got, want);
}

static void secret__derive_separates_purpose_and_context(void **state)
{
    struct deis_key key = key_of(1);
    uint8_t a[32];
    uint8_t b[32];

    deis_key_derive(&key, "bus", a);
    deis_key_derive_for(&key, "bus", DEIS_STR("x"), b);
    assert_memory_not_equal(a, b, 32);
    deis_key_derive(&key, "busx", a);
    assert_memory_not_equal(a, b, 32);
    deis_key_derive_for(&key, "bus", DEIS_STR("y"), a);
    assert_memory_not_equal(a, b, 32);
    deis_key_derive_for(&key, "bus", DEIS_STR("x"), a);
    assert_memory_equal(a, b, 32);
}

/* --- at rest --- */

static void secret__sealed_text_opens_with_key_and_place(void **state)
{
    struct deis_key key = key_of(7);
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf again = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(4096);
    struct deis_err err = DEIS_ERR_INIT;

    deis_seal(&key, DEIS_STR("config/blog"), DEIS_STR("{\"A\":\"canary\"}"), &sealed);
    assert_true(deis_str_starts(deis_buf_str(&sealed), "v1:07070707:"));
    assert_null(strstr(sealed.data, "canary"));
    deis_seal(&key, DEIS_STR("config/blog"), DEIS_STR("{\"A\":\"canary\"}"), &again);
    assert_string_not_equal(sealed.data, again.data);
    assert_int_equal(
        deis_unseal(&key, DEIS_STR("config/blog"), deis_buf_str(&sealed), &plain, &err), 0);
    assert_string_equal(plain.data, "{\"A\":\"canary\"}");
}

static void secret__empty_text_can_be_sealed(void **state)
{
    struct deis_key key = key_of(7);
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(4096);

    deis_seal(&key, DEIS_STR_NONE, DEIS_STR_NONE, &sealed);
    assert_int_equal(deis_unseal(&key, DEIS_STR_NONE, deis_buf_str(&sealed), &plain, NULL), 0);
    assert_int_equal(plain.len, 0);
}

static void secret__sealed_text_elsewhere_or_changed_stays_closed(void **state)
{
    struct deis_key key = key_of(7);
    struct deis_key other = key_of(8);
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(4096);
    struct deis_err err = DEIS_ERR_INIT;

    deis_seal(&key, DEIS_STR("config/blog"), DEIS_STR("text"), &sealed);
    assert_int_equal(
        deis_unseal(&key, DEIS_STR("config/shop"), deis_buf_str(&sealed), &plain, &err),
        DEIS_INVALID);
    assert_int_equal(
        deis_unseal(&other, DEIS_STR("config/blog"), deis_buf_str(&sealed), &plain, &err),
        DEIS_INVALID);
    for (size_t i = 0; i < sealed.len; i++) {
        char before = sealed.data[i];
        sealed.data[i] = before == 'A' ? 'B' : 'A';
        assert_int_equal(
            deis_unseal(&key, DEIS_STR("config/blog"), deis_buf_str(&sealed), &plain, &err),
            DEIS_INVALID);
        assert_int_equal(
            deis_unseal(&key, DEIS_STR("config/blog"), deis_str_n(sealed.data, i), &plain, &err),
            DEIS_INVALID);
        sealed.data[i] = before;
    }
    assert_int_equal(plain.len, 0);
}

static void secret__unsealing_respects_the_limit_of_the_buffer(void **state)
{
    struct deis_key key = key_of(7);
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(4);

    deis_seal(&key, DEIS_STR_NONE, DEIS_STR("longer than four"), &sealed);
    assert_int_equal(deis_unseal(&key, DEIS_STR_NONE, deis_buf_str(&sealed), &plain, NULL),
                     DEIS_LIMIT);
}

/* --- passwords --- */

static void secret__password_hash_verifies_the_password_only(void **state)
{
    deis_autobuf struct deis_buf hash = DEIS_BUF_INIT(256);
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_password_hash(DEIS_STR("correct horse"), &hash, &err), 0);
    assert_true(deis_str_starts(deis_buf_str(&hash), "scrypt$15$8$1$"));
    assert_null(strstr(hash.data, "correct"));
    assert_true(deis_password_verify(DEIS_STR("correct horse"), hash.data));
    assert_false(deis_password_verify(DEIS_STR("correct hors"), hash.data));
}

static void secret__password_hash_of_rfc_7914_verifies(void **state)
{
    /* scrypt("pleaseletmein", "SodiumChloride", N=16384, r=8, p=1), first 32 bytes. */
    assert_true(deis_password_verify(
        DEIS_STR("pleaseletmein"),
        "scrypt$14$8$1$U29kaXVtQ2hsb3JpZGU=$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI="));
}

static void secret__long_passwords_and_odd_hashes_are_refused_at_once(void **state)
{
    char longer[1025];
    deis_autobuf struct deis_buf hash = DEIS_BUF_INIT(256);
    static const char *const odd[] = {
        "",
        "scrypt",
        "scrypt$15$8$1$",
        "md5$15$8$1$AAAA$AAAA",
        "scrypt$60$8$1$AAAA$AAAA",
        "scrypt$15$4096$1$AAAA$AAAA",
        "scrypt$15$8$1$AAAA$AAAA",
        "scrypt$15$8$1$!!!!$AAAA",
    };

    memset(longer, 'x', sizeof(longer));
    struct deis_str password = deis_str_n(longer, sizeof(longer));
    assert_int_equal(deis_password_hash(password, &hash, NULL), DEIS_LIMIT);
    assert_false(deis_password_verify(password, "scrypt$15$8$1$AAAA$AAAA"));
    for (size_t i = 0; i < DEIS_COUNT(odd); i++) {
        assert_false(deis_password_verify(DEIS_STR("p"), odd[i]));
    }
}

/* --- digests and randomness --- */

static void secret__sha256_of_abc(void **state)
{
    char got[65];
    uint8_t raw[32];
    char text[65];

    deis_sha256_hex(DEIS_STR("abc"), got);
    assert_string_equal(got, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    deis_sha256(DEIS_STR("abc"), raw);
    hex(raw, sizeof(raw), text);
    assert_string_equal(text, got);
}

static void secret__uuid_is_version_4_and_differs(void **state)
{
    char a[37];
    char b[37];

    deis_uuid(a);
    deis_uuid(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        assert_int_equal(a[i] == '-', dash);
    }
}

static void secret__random_hex_has_the_length_asked_for(void **state)
{
    char a[41];
    char b[41];

    memset(a, 'x', sizeof(a));
    deis_random_hex(a, 20);
    deis_random_hex(b, 20);
    assert_int_equal(strlen(a), 40);
    assert_int_equal(strspn(a, "0123456789abcdef"), 40);
    assert_string_not_equal(a, b);
}

static void secret__equality(void **state)
{
    assert_true(deis_secret_eq(DEIS_STR("abc"), DEIS_STR("abc")));
    assert_true(deis_secret_eq(DEIS_STR_NONE, DEIS_STR("")));
    assert_false(deis_secret_eq(DEIS_STR("abc"), DEIS_STR("abd")));
    assert_false(deis_secret_eq(DEIS_STR("abc"), DEIS_STR("abcd")));
}

static void asn1_time__is_unix_time(void **state)
{
    ASN1_TIME *time = ASN1_TIME_new();

    assert_int_equal(ASN1_TIME_set_string_X509(time, "20261128151500Z"), 1);
    assert_int_equal(deis_asn1_time_ms(time), UINT64_C(1795878900000));
    assert_int_equal(ASN1_TIME_set_string(time, "700101000001Z"), 1);
    assert_int_equal(deis_asn1_time_ms(time), 1000);
    assert_int_equal(ASN1_TIME_set_string(time, "20500101000000Z"), 1);
    assert_int_equal(deis_asn1_time_ms(time), UINT64_C(2524608000000));
    assert_int_equal(deis_asn1_time_ms(NULL), 0);
    ASN1_TIME_free(time);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asn1_time__is_unix_time),
        cmocka_unit_test(secret__key_loads_from_a_line_of_hex_digits),
        cmocka_unit_test(secret__key_files_that_are_refused),
        cmocka_unit_test(secret__missing_key_file_is_not_found),
        cmocka_unit_test(secret__derive_is_hkdf_sha256),
        cmocka_unit_test(secret__derive_separates_purpose_and_context),
        cmocka_unit_test(secret__sealed_text_opens_with_key_and_place),
        cmocka_unit_test(secret__empty_text_can_be_sealed),
        cmocka_unit_test(secret__sealed_text_elsewhere_or_changed_stays_closed),
        cmocka_unit_test(secret__unsealing_respects_the_limit_of_the_buffer),
        cmocka_unit_test(secret__password_hash_verifies_the_password_only),
        cmocka_unit_test(secret__password_hash_of_rfc_7914_verifies),
        cmocka_unit_test(secret__long_passwords_and_odd_hashes_are_refused_at_once),
        cmocka_unit_test(secret__sha256_of_abc),
        cmocka_unit_test(secret__uuid_is_version_4_and_differs),
        cmocka_unit_test(secret__random_hex_has_the_length_asked_for),
        cmocka_unit_test(secret__equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
