/* SPDX-License-Identifier: MIT */
#include "lib/wire/ip.h"

#include <arpa/inet.h>

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

enum { V4_BITS = 32, V6_BITS = 128 };

struct deis_ip deis_ip_v4(const uint8_t bytes[4])
{
    struct deis_ip ip;

    memcpy(ip.bytes, v4_prefix, sizeof(v4_prefix));
    memcpy(ip.bytes + sizeof(v4_prefix), bytes, 4);
    return ip;
}

struct deis_ip deis_ip_v6(const uint8_t bytes[16])
{
    struct deis_ip ip;

    memcpy(ip.bytes, bytes, sizeof(ip.bytes));
    return ip;
}

bool deis_ip_is_v4(const struct deis_ip *ip)
{
    return memcmp(ip->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool deis_ip_eq(const struct deis_ip *a, const struct deis_ip *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool deis_ip_parse(struct deis_str text, struct deis_ip *ret)
{
    char copy[DEIS_IP_TEXT];
    uint8_t v4[4];

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len)) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, v4) == 1) {
        *ret = deis_ip_v4(v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, ret->bytes) == 1;
}

size_t deis_ip_format(const struct deis_ip *ip, char out[DEIS_IP_TEXT])
{
    bool v4 = deis_ip_is_v4(ip);

    (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip->bytes + sizeof(v4_prefix) : ip->bytes, out,
                    DEIS_IP_TEXT);
    return strlen(out);
}

int deis_cidr_parse(struct deis_str text, struct deis_cidr *ret, struct deis_err *err)
{
    struct deis_str rest = text;
    struct deis_str address;

    if (deis_str_split(&rest, '/', &address) && deis_ip_parse(address, &ret->ip)) {
        /* What is written with a colon is IPv6, also where it holds an IPv4 address. */
        unsigned width = deis_str_find(address, ':') < 0 ? V4_BITS : V6_BITS;
        uint64_t bits = width;
        if (!rest.ptr || deis_str_to_u64(rest, 0, width, &bits, NULL) == 0) {
            ret->bits = V6_BITS - width + (unsigned)bits;
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "'%.*s' is no address and no range like 10.0.0.0/8",
                        (int)(text.len < 64 ? text.len : 64), text.ptr);
}

bool deis_cidr_contains(const struct deis_cidr *c, const struct deis_ip *ip)
{
    unsigned whole = c->bits / 8;
    unsigned rest = c->bits % 8;

    if (memcmp(c->ip.bytes, ip->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || ((c->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

static bool next_word(struct deis_str *rest, struct deis_str *ret)
{
    size_t len = 0;

    while (rest->len > 0 && (rest->ptr[0] == ',' || rest->ptr[0] == ' ')) {
        *rest = deis_str_skip(*rest, 1);
    }
    while (len < rest->len && rest->ptr[len] != ',' && rest->ptr[len] != ' ') {
        len++;
    }
    *ret = deis_str_first(*rest, len);
    *rest = deis_str_skip(*rest, len);
    return len > 0;
}

int deis_cidrs_parse(struct deis_str text, struct deis_cidrs **ret, struct deis_err *err)
{
    struct deis_str rest = text;
    struct deis_str word;
    size_t count = 0;

    *ret = NULL;
    while (next_word(&rest, &word)) {
        count++;
    }
    if (count > DEIS_CIDRS_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "%zu ranges are more than %d", count, DEIS_CIDRS_MAX);
    }
    if (count == 0) {
        return DEIS_OK;
    }
    struct deis_cidrs *l = deis_alloc(sizeof(*l) + count * sizeof(l->list[0]));
    for (rest = text; next_word(&rest, &word);) {
        int code = deis_cidr_parse(word, &l->list[l->count++], err);
        if (code < 0) {
            free(l);
            return code;
        }
    }
    *ret = l;
    return DEIS_OK;
}

bool deis_cidrs_contain(const struct deis_cidrs *l, const struct deis_ip *ip)
{
    for (size_t i = 0; l && i < l->count; i++) {
        if (deis_cidr_contains(&l->list[i], ip)) {
            return true;
        }
    }
    return false;
}
