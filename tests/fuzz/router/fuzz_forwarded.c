/* SPDX-License-Identifier: MIT */
/* Whatever fields a proxy that is believed sends, the client is an address that stands in them (or
 * the connection's own), and nobody in front of one that is not believed is taken for it. */
#include "router/core/forwarded.h"

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct deis_h1_head head;

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool lies_in(struct deis_str part, struct deis_str whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

/* The client may be one of the believed only if all are that stand behind it. */
static void check_last(const struct forwarded *f, const struct deis_cidrs *believed)
{
    for (size_t i = head.header_count; i-- > 0;) {
        struct deis_str value = head.headers[i].value;
        if (!deis_str_ieq_cstr(head.headers[i].name, "x-forwarded-for") ||
            lies_in(f->client, value)) {
            continue;
        }
        struct deis_ip ip;
        if (f->client.ptr < value.ptr && deis_ip_parse(deis_str_trim(value), &ip)) {
            check(deis_cidrs_contain(believed, &ip));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    static const char start[] = "GET / HTTP/1.1\r\nHost: h\r\n";
    struct deis_buf text = DEIS_BUF_INIT(65536);
    struct deis_cidrs *believed;
    size_t scanned = 0;
    size_t used;
    int status;

    deis_buf_add(&text, start, sizeof(start) - 1);
    deis_buf_add(&text, data, size < 30000 ? size : 30000);
    deis_buf_add_cstr(&text, "\r\n\r\n");
    check(deis_cidrs_parse(DEIS_STR("10.0.0.0/8 fd00::/8"), &believed, NULL) == 0);
    if (deis_h1_parse_request(deis_buf_str(&text), &limits, &scanned, &head, &used, &status,
                              NULL) == DEIS_H1_DONE) {
        struct forwarded f = { .client = DEIS_STR("10.0.0.1") };
        struct deis_ip again;
        check(deis_ip_parse(f.client, &f.ip));
        const char *own = f.client.ptr;
        forwarded_read(&head, believed, &f);
        check(deis_ip_parse(f.client, &again) && deis_ip_eq(&again, &f.ip));
        check(f.client.ptr == own || lies_in(f.client, deis_buf_str(&text)));
        check(!f.port.ptr || (f.port.len >= 1 && f.port.len <= 5) ||
              deis_str_to_u64(f.port, 1, UINT16_MAX, &(uint64_t){ 0 }, NULL) == 0);
        if (f.client.ptr != own) {
            check_last(&f, believed);
        }
    }
    free(believed);
    deis_buf_clear(&text);
    return 0;
}
