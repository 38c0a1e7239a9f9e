/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/crypto/registry_login.h"

static struct deis_keys *keys_of(uint8_t first_byte)
{
    struct deis_key key = { .id = { 1, 2, 3, 4 }, .bytes = { first_byte } };

    return deis_keys_fixed(&key);
}

static void login__fits_the_key_it_was_made_with(void **state)
{
    deis_autobuf struct deis_buf line = DEIS_BUF_INIT(1024);
    struct deis_keys *own = keys_of(1), *other = keys_of(2);

    deis_registry_authorize(own, &line);
    struct deis_str field = deis_buf_str(&line);
    assert_true(deis_str_starts(field, "Authorization: Basic "));
    field = deis_str_skip(field, strlen("Authorization: "));
    assert_true(deis_registry_admits(own, field));
    assert_false(deis_registry_admits(other, field));
    assert_false(deis_registry_admits(own, deis_str_first(field, field.len - 1)));
    deis_keys_free(own);
    deis_keys_free(other);
}

static void login__nothing_else_fits(void **state)
{
    static const char *const bad[] = { "",       "Basic",         "Basic ",     "Basic ZGVpczo=",
                                       "Bearer", "Basic\tZGVpcw", "Digest a=b", "basic   " };
    struct deis_keys *own = keys_of(1);
    char password[65];

    deis_registry_password(own, password);
    assert_int_equal(strlen(password), 64);
    assert_false(deis_registry_admits(own, DEIS_STR_NONE));
    assert_false(deis_registry_admits(own, deis_str(password)));
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_false(deis_registry_admits(own, deis_str(bad[i])));
    }
    deis_keys_free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login__fits_the_key_it_was_made_with),
        cmocka_unit_test(login__nothing_else_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
