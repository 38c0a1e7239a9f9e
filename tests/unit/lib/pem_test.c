/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/crypto/pem.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
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

/* Returns the number, which must live as long as b. */
static BIGNUM *push(OSSL_PARAM_BLD *b, const char *name, int bits)
{
    BIGNUM *n = BN_new();

    assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(b, name, n), 1);
    return n;
}

/* Is one with parts of so many bits quick? They are random: nobody looks whether they fit. */
static bool is_quick(int modulus, int public_exponent, int private_exponent)
{
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    BIGNUM *numbers[] = { push(b, OSSL_PKEY_PARAM_RSA_N, modulus),
                          push(b, OSSL_PKEY_PARAM_RSA_E, public_exponent),
                          push(b, OSSL_PKEY_PARAM_RSA_D, private_exponent) };
    OSSL_PARAM *parts = OSSL_PARAM_BLD_to_param(b);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, parts), 1);
    bool quick = deis_pem_key_is_quick(key);
    EVP_PKEY_free(key);
    OSSL_PARAM_free(parts);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(ctx);
    for (size_t i = 0; i < DEIS_COUNT(numbers); i++) {
        BN_free(numbers[i]);
    }
    return quick;
}

static void pem__keys_that_take_for_ever_are_known(void **state)
{
    EVP_PKEY *ec = EVP_EC_gen("P-384");

    assert_true(deis_pem_key_is_quick(ec));
    EVP_PKEY_free(ec);
    assert_true(is_quick(2048, 17, 2048));
    assert_true(is_quick(DEIS_RSA_BITS_MAX, 64, DEIS_RSA_BITS_MAX));
    assert_false(is_quick(DEIS_RSA_BITS_MAX + 8, 17, DEIS_RSA_BITS_MAX));
    assert_false(is_quick(2048, 72, 2048));
    assert_false(is_quick(2048, 17, DEIS_RSA_BITS_MAX + 8));
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
        cmocka_unit_test(pem__keys_that_take_for_ever_are_known),
        cmocka_unit_test(pem__nobody_is_asked_for_a_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
