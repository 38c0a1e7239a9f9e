/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/crypto/pem.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <unistd.h>

#define PASSWORD "open sesame"

/* A new key as PEM text, encrypted with PASSWORD or not; yours. */
static char *key_text(bool encrypted)
{
    static unsigned char password[] = PASSWORD;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;

    assert_non_null(key);
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, encrypted ? EVP_aes_128_cbc() : NULL,
                                              encrypted ? password : NULL,
                                              encrypted ? sizeof(PASSWORD) - 1 : 0, NULL, NULL),
                     1);
    long len = BIO_get_mem_data(bio, &data);
    char *text = deis_str_dup(deis_str_n(data, (size_t)len));
    BIO_free(bio);
    EVP_PKEY_free(key);
    return text;
}

static void pem__a_key_is_read(void **state)
{
    deis_autofree char *text = key_text(false);
    EVP_PKEY *key = deis_pem_key(deis_str(text));

    assert_non_null(key);
    EVP_PKEY_free(key);
    assert_null(deis_pem_key(DEIS_STR("")));
    assert_null(deis_pem_key(DEIS_STR("-----BEGIN PRIVATE KEY-----\nAAAA\n")));
    assert_null(deis_pem_certificate(deis_str(text)));
    ERR_clear_error();
}

/* In each form: PKCS #8, and the older one that some kinds of keys have. */
static void check_forms(EVP_PKEY *key, bool has_older)
{
    for (int older = 0; older <= has_older; older++) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *data;
        int code = older ? PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL)
                         : PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
        assert_int_equal(code, 1);
        long len = BIO_get_mem_data(bio, &data);
        deis_autofree char *text = deis_asprintf("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                                                 "-----END EC PARAMETERS-----\n%.*s",
                                                 (int)len, data);
        EVP_PKEY *read = deis_pem_key(deis_str(text));
        assert_non_null(read);
        assert_int_equal(EVP_PKEY_eq(read, key), 1);
        assert_int_equal(EVP_PKEY_get_base_id(read), EVP_PKEY_get_base_id(key));
        assert_int_equal(ERR_peek_error(), 0);
        EVP_PKEY_free(read);
        BIO_free(bio);
    }
    EVP_PKEY_free(key);
}

static void pem__keys_of_all_kinds_are_read(void **state)
{
    ERR_clear_error();
    check_forms(EVP_EC_gen("P-256"), true);
    check_forms(EVP_EC_gen("P-384"), true);
    check_forms(EVP_RSA_gen(2048), true);
    check_forms(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), false);
    check_forms(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), false);
}

/* The name outside says one thing, what is inside another: it is what is inside, or nothing. */
static void pem__a_wrong_name_is_no_other_key(void **state)
{
    deis_autofree char *text = key_text(false);
    const char *body = strchr(text, '\n');
    const char *end = strstr(body, "-----END");
    deis_autofree char *odd =
        deis_asprintf("-----BEGIN RSA PRIVATE KEY-----%.*s-----END RSA PRIVATE KEY-----\n",
                      (int)(end - body), body);
    EVP_PKEY *right = deis_pem_key(deis_str(text));
    EVP_PKEY *read = deis_pem_key(deis_str(odd));

    assert_true(!read || EVP_PKEY_eq(read, right) == 1);
    EVP_PKEY_free(read);
    EVP_PKEY_free(right);
    ERR_clear_error();
}

/* The right answer waits at stdin: it must stay there. */
static void pem__nobody_is_asked_for_a_password(void **state)
{
    static const char answer[] = PASSWORD "\n";
    deis_autofree char *text = key_text(true);
    char left[sizeof(answer)];
    int ends[2];
    int former = dup(STDIN_FILENO);

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], answer, sizeof(answer) - 1), sizeof(answer) - 1);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    assert_null(deis_pem_key(deis_str(text)));
    assert_null(deis_pem_certificate(deis_str(text)));
    ERR_clear_error();
    assert_int_equal(read(ends[0], left, sizeof(left)), sizeof(answer) - 1);
    if (former >= 0) {
        dup2(former, STDIN_FILENO);
        close(former);
    }
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pem__a_key_is_read),
        cmocka_unit_test(pem__keys_of_all_kinds_are_read),
        cmocka_unit_test(pem__a_wrong_name_is_no_other_key),
        cmocka_unit_test(pem__nobody_is_asked_for_a_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
