/* SPDX-License-Identifier: MIT */
/* What a certificate client printed, and messages of its hook. */
#include "controller/core/autocert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[AUTOCERT_DETAIL_MAX + 1];
    struct autocert_hook h;

    autocert_reason(deis_str_n((const char *)data, size), text);
    for (const char *p = text; *p; p++) {
        check(*p >= ' ' && *p <= '~');
    }
    if (autocert_hook_parse((const char *)data, size, &h)) {
        check(strpbrk(h.token, "/ .") == NULL);
        check(h.answer + strlen(h.answer) + 1 == (const char *)data + size);
    }
    return 0;
}
