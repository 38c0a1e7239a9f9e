/* SPDX-License-Identifier: MIT */
/* seal KEY-FILE PLACE... <plain >sealed: what the controller writes, for the tests in Python; one
 * line for each place. */
#include "lib/crypto/secret.h"

enum { PLAIN_MAX = 65536 };

int main(int argc, char **argv)
{
    static char plain[PLAIN_MAX];
    struct deis_buf out = DEIS_BUF_INIT(2 * PLAIN_MAX);
    struct deis_key key;
    struct deis_err err;

    if (argc < 3 || deis_key_load(argv[1], &key, &err) < 0) {
        return 1;
    }
    size_t len = fread(plain, 1, sizeof(plain), stdin);
    for (int i = 2; i < argc; i++) {
        deis_buf_reset(&out);
        deis_seal(&key, deis_str(argv[i]), deis_str_n(plain, len), &out);
        (void)printf("%s%.*s", i > 2 ? "\n" : "", DEIS_STR_ARG(deis_buf_str(&out)));
    }
    deis_buf_clear(&out);
    return 0;
}
