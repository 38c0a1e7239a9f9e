/* SPDX-License-Identifier: MIT */
/* Lists of who may pass: networks, each perhaps with a label. */
#include "lib/model/routing.h"

enum { ENTRY_MAX = 200, V4_BITS = 96 };

/* The network alone: what is in brackets (with a prefix length perhaps behind the address, within
 * them or after), or all up to the first colon when a v4 address is before it. */
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

int deis_whitelist_entry(struct deis_str entry, struct deis_cidr *ret, struct deis_err *err)
{
    struct deis_str network = entry;

    if (entry.len <= ENTRY_MAX && without_label(&network) &&
        deis_cidr_parse(network, ret, NULL) == 0) {
        return DEIS_OK;
    }
    return deis_err_set(err, DEIS_INVALID,
                        "'%.*s' is no address or network such as 10.1.2.3, 10.0.0.0/8:office or "
                        "[2001:db8::/32]:home",
                        DEIS_STR_ARG(deis_str_first(entry, ENTRY_MAX)));
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
        if (deis_whitelist_entry(part, &c, err) < 0) {
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

bool deis_routing_allows(const struct deis_routing *r, const struct deis_ip *ip)
{
    bool v4 = deis_ip_is_v4(ip);

    for (size_t i = 0; i < r->allowed_count; i++) {
        /* "::/0" means IPv6, though IPv4 is written within it. */
        if ((!v4 || r->allowed[i].bits >= V4_BITS) && deis_cidr_contains(&r->allowed[i], ip)) {
            return true;
        }
    }
    return false;
}
