/* SPDX-License-Identifier: MIT */
#include "router/core/forwarded.h"

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80" */
static bool read_address(struct deis_str *text, struct deis_ip *ret)
{
    ptrdiff_t colon = deis_str_find(*text, ':');

    if (text->len > 0 && text->ptr[0] == '[') {
        ptrdiff_t end = deis_str_find(*text, ']');
        *text = end > 0 ? deis_str_first(deis_str_skip(*text, 1), (size_t)end - 1) : *text;
    } else if (colon >= 0 && colon == deis_str_rfind(*text, ':')) {
        *text = deis_str_first(*text, (size_t)colon);
    }
    return deis_ip_parse(*text, ret);
}

/* Take the last element off a list. */
static struct deis_str take_last(struct deis_str *list)
{
    ptrdiff_t comma = deis_str_rfind(*list, ',');
    struct deis_str last = deis_str_trim(deis_str_skip(*list, (size_t)(comma + 1)));

    *list = comma < 0 ? DEIS_STR_NONE : deis_str_first(*list, (size_t)comma);
    return last;
}

/* Go on in one line of the field, from its end. False: the client is found. */
static bool read_line(struct deis_str list, const struct deis_cidrs *believed, struct forwarded *f)
{
    while (list.ptr) {
        struct deis_str text = take_last(&list);
        struct deis_ip ip;
        if (text.len == 0) {
            continue;
        }
        if (!read_address(&text, &ip)) {
            return false;
        }
        f->ip = ip;
        f->client = text;
        if (!deis_cidrs_contain(believed, &ip)) {
            return false;
        }
    }
    return true;
}

static void read_for(const struct deis_h1_head *head, const struct deis_cidrs *believed,
                     struct forwarded *f)
{
    for (size_t i = head->header_count; i-- > 0;) {
        const struct deis_h1_header *h = &head->headers[i];
        if (deis_str_ieq_cstr(h->name, "x-forwarded-for") && !read_line(h->value, believed, f)) {
            return;
        }
    }
}

/* The last of that name: a proxy that adds a line adds it behind those of its client. */
static const struct deis_h1_header *find_last(const struct deis_h1_head *head, const char *name)
{
    for (size_t i = head->header_count; i-- > 0;) {
        if (deis_str_ieq_cstr(head->headers[i].name, name)) {
            return &head->headers[i];
        }
    }
    return NULL;
}

void forwarded_read(const struct deis_h1_head *head, const struct deis_cidrs *believed,
                    struct forwarded *f)
{
    const struct deis_h1_header *proto = find_last(head, "x-forwarded-proto");
    const struct deis_h1_header *port = find_last(head, "x-forwarded-port");
    uint64_t number;

    read_for(head, believed, f);
    if (proto) {
        struct deis_str list = proto->value;
        bool https = deis_str_ieq_cstr(take_last(&list), "https");
        if (https && !f->https) {
            f->https = true;
            f->port = DEIS_STR("443");
        }
    }
    if (port && deis_str_to_u64(port->value, 1, UINT16_MAX, &number, NULL) == 0) {
        f->port = port->value;
    }
}
