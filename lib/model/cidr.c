/* SPDX-License-Identifier: MIT */
/* Networks of whitelists. */
#include "lib/model/routing.h"

#include <arpa/inet.h>

enum { ENTRY_MAX = 200, V4_BITS = 96 };

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool deis_cidr_address(const char *text, uint8_t ret[16])
{
    memcpy(ret, v4_prefix, sizeof(v4_prefix));
    return inet_pton(AF_INET, text, ret + sizeof(v4_prefix)) == 1 ||
           inet_pton(AF_INET6, text, ret) == 1;
}

static bool is_v4(const uint8_t ip[16])
{
    return memcmp(ip, v4_prefix, sizeof(v4_prefix)) == 0;
}

/* Without the label: what is in brackets, or all up to the first colon when a v4 address is before
 * it. */
static bool without_label(struct deis_str *entry)
{
    ptrdiff_t colon = deis_str_find(*entry, ':');
    ptrdiff_t end = deis_str_find(*entry, ']');

    if (entry->len > 0 && entry->ptr[0] == '[') {
        if (end < 0 || ((size_t)end + 1 < entry->len && entry->ptr[end + 1] != ':')) {
            return false;
        }
        *entry = deis_str_first(deis_str_skip(*entry, 1), (size_t)end - 1);
    } else if (colon > 0 && memchr(entry->ptr, '.', (size_t)colon)) {
        *entry = deis_str_first(*entry, (size_t)colon);
    }
    return true;
}

static void mask(struct deis_cidr *c)
{
    for (unsigned i = 0; i < sizeof(c->ip); i++) {
        unsigned kept = c->bits > i * 8 ? c->bits - i * 8 : 0;
        c->ip[i] = (uint8_t)(kept >= 8 ? c->ip[i] : c->ip[i] & (0xff00U >> kept));
    }
}

int deis_cidr_parse(struct deis_str entry, struct deis_cidr *ret, struct deis_err *err)
{
    struct deis_str text = entry;
    struct deis_str address;
    uint64_t bits = 0;

    if (entry.len <= ENTRY_MAX && without_label(&text) && deis_str_split(&text, '/', &address)) {
        deis_autofree char *plain = deis_str_dup(address);
        if (strlen(plain) == address.len && deis_cidr_address(plain, ret->ip)) {
            bool v4 = !memchr(address.ptr, ':', address.len);
            unsigned first = v4 ? V4_BITS : 0;
            if (!text.ptr) {
                bits = 128 - first;
            } else if (deis_str_to_u64(text, 0, 128 - first, &bits, NULL) < 0) {
                return deis_err_set(err, DEIS_INVALID, "'%.*s' must have 0 to %u bits behind the /",
                                    DEIS_STR_ARG(entry), 128 - first);
            }
            ret->bits = (uint8_t)(bits + first);
            mask(ret);
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_INVALID,
                        "'%.*s' is no address or network such as 10.1.2.3, 10.0.0.0/8:office or "
                        "[2001:db8::/32]:home",
                        DEIS_STR_ARG(deis_str_first(entry, ENTRY_MAX)));
}

static bool covers(const struct deis_cidr *c, const uint8_t ip[16])
{
    unsigned whole = c->bits / 8;
    unsigned rest = c->bits % 8;

    return memcmp(c->ip, ip, whole) == 0 &&
           (rest == 0 || ((c->ip[whole] ^ ip[whole]) & (0xff00U >> rest) & 0xffU) == 0);
}

bool deis_cidr_has(const struct deis_cidr *list, size_t count, const uint8_t ip[16])
{
    bool v4 = is_v4(ip);

    for (size_t i = 0; i < count; i++) {
        /* "::/0" means IPv6, though IPv4 is written within it here. */
        if ((!v4 || list[i].bits >= V4_BITS) && covers(&list[i], ip)) {
            return true;
        }
    }
    return false;
}

json_t *deis_whitelist_read(struct deis_str text, struct deis_err *err)
{
    deis_autojson json_t *list = json_array();
    struct deis_str part;
    struct deis_cidr c;

    while (deis_str_split(&text, ',', &part)) {
        part = deis_str_trim(part);
        if (part.len == 0) {
            continue;
        }
        if (deis_cidr_parse(part, &c, err) < 0) {
            return NULL;
        }
        if (json_array_size(list) >= DEIS_ROUTING_ENTRIES_MAX) {
            deis_err_set(err, DEIS_INVALID, "has %d entries at most", DEIS_ROUTING_ENTRIES_MAX);
            return NULL;
        }
        json_t *entry = json_stringn(part.ptr, part.len);
        if (!entry) {
            deis_err_set(err, DEIS_INVALID, "is no UTF-8");
            return NULL;
        }
        json_array_append_new(list, entry);
    }
    return DEIS_TAKE(list);
}
