/* SPDX-License-Identifier: MIT */
#include "router/core/kept_doc.h"

#include "router/core/route_file.h"

#define HEAD "deis-kept 1 "

enum { SUM_DIGITS = 16 };

void kept_doc_write(struct deis_str key, struct deis_str value, struct deis_buf *out)
{
    struct deis_buf body = DEIS_BUF_INIT(KEPT_DOC_MAX);

    deis_buf_add_str(&body, key);
    deis_buf_add_char(&body, '\n');
    deis_buf_add_str(&body, value);
    if (deis_buf_failed(&body)) {
        out->failed = true;
    }
    deis_buf_addf(out, HEAD "%016llx\n",
                  (unsigned long long)route_file_checksum(deis_buf_str(&body)));
    deis_buf_add_str(out, deis_buf_str(&body));
    deis_buf_clear(&body);
}

int kept_doc_read(struct deis_str text, struct deis_str *ret_key, struct deis_str *ret_value,
                  struct deis_err *err)
{
    struct deis_str head;
    char wanted[sizeof(HEAD) + SUM_DIGITS];

    if (!deis_str_starts(text, HEAD) || !deis_str_split(&text, '\n', &head) || !text.ptr) {
        return deis_err_set(err, DEIS_INVALID, "not a kept document of this version");
    }
    (void)snprintf(wanted, sizeof(wanted), HEAD "%016llx",
                   (unsigned long long)route_file_checksum(text));
    if (!deis_str_eq_cstr(head, wanted)) {
        return deis_err_set(err, DEIS_INVALID, "the checksum does not fit");
    }
    if (!deis_str_split(&text, '\n', ret_key) || !text.ptr || ret_key->len == 0 ||
        ret_key->len > KEPT_KEY_MAX) {
        return deis_err_set(err, DEIS_INVALID, "it has no key");
    }
    *ret_value = text;
    return 0;
}

uint64_t kept_doc_sum(struct deis_str value)
{
    return route_file_checksum(value);
}
