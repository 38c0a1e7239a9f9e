/* SPDX-License-Identifier: MIT */
#include "lib/wire/proxy_head.h"

#include <stdio.h>

enum {
    V2_FIXED = 16,   /* signature, version and command, family, length */
    V2_VERSION = 12, /* offsets */
    V2_FAMILY = 13,
    V2_LENGTH = 14,
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
    TLV_FIXED = 3,
    TLV_CRC32C = 3,
};

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static enum deis_proxy_result bad(struct deis_err *err, const char *why)
{
    deis_err_set(err, DEIS_PROTOCOL, "%s", why);
    return DEIS_PROXY_BAD;
}

/* --- version 1 (2.1) --- */

static bool parse_port(struct deis_str text, uint16_t *ret)
{
    uint64_t port;

    if ((text.len > 1 && text.ptr[0] == '0') || text.len > 5 ||
        deis_str_to_u64(text, 0, UINT16_MAX, &port, NULL) < 0) {
        return false;
    }
    *ret = (uint16_t)port;
    return true;
}

static bool parse_address(struct deis_str text, bool v6, struct deis_ip *ret)
{
    return (deis_str_find(text, ':') >= 0) == v6 && deis_ip_parse(text, ret);
}

static enum deis_proxy_result parse_line(struct deis_str line, struct deis_proxy_head *ret,
                                         struct deis_err *err)
{
    struct deis_str words[5] = { DEIS_STR_NONE };
    size_t count = 0;

    if (deis_str_eq_cstr(line, "UNKNOWN") || deis_str_starts(line, "UNKNOWN ")) {
        return DEIS_PROXY_DONE;
    }
    while (count < DEIS_COUNT(words) && deis_str_split(&line, ' ', &words[count])) {
        count++;
    }
    if (count < DEIS_COUNT(words) || line.ptr) {
        return bad(err, "the PROXY line has not its six words");
    }
    bool v6 = deis_str_eq_cstr(words[0], "TCP6");
    if (!v6 && !deis_str_eq_cstr(words[0], "TCP4")) {
        return bad(err, "the PROXY line names no known protocol");
    }
    if (!parse_address(words[1], v6, &ret->source) ||
        !parse_address(words[2], v6, &ret->destination)) {
        return bad(err, "the PROXY line has a bad address");
    }
    if (!parse_port(words[3], &ret->source_port) || !parse_port(words[4], &ret->destination_port)) {
        return bad(err, "the PROXY line has a bad port");
    }
    ret->known = true;
    return DEIS_PROXY_DONE;
}

static enum deis_proxy_result parse_v1(struct deis_str input, struct deis_proxy_head *ret,
                                       size_t *ret_used, struct deis_err *err)
{
    struct deis_str start = deis_str_first(input, DEIS_PROXY_V1_MAX);
    ptrdiff_t end = deis_str_find(start, '\r');
    ptrdiff_t lf = deis_str_find(start, '\n');

    if (lf >= 0 && (end < 0 || lf != end + 1)) {
        return bad(err, "the PROXY line has a bare line feed");
    }
    if (end < 0 || (size_t)end + 1 == start.len) {
        return start.len < DEIS_PROXY_V1_MAX ? DEIS_PROXY_MORE
                                             : bad(err, "the PROXY line is too long");
    }
    if (lf < 0) {
        return bad(err, "the PROXY line has a bare carriage return");
    }
    *ret_used = (size_t)lf + 1;
    return parse_line(deis_str_skip(deis_str_first(start, (size_t)end), 6), ret, err);
}

/* --- version 2 (2.2) --- */

static unsigned number16(const char *p)
{
    return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

/* RFC 4960 appendix B, with the four bytes of the checksum itself taken as zeros. */
static uint32_t checksum(struct deis_str head, size_t at)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < head.len; i++) {
        crc ^= i >= at && i < at + 4 ? 0 : (uint8_t)head.ptr[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & (0 - (crc & 1)));
        }
    }
    return ~crc;
}

static enum deis_proxy_result check_tlvs(struct deis_str head, size_t at, struct deis_err *err)
{
    while (at < head.len) {
        if (head.len - at < TLV_FIXED) {
            return bad(err, "the PROXY header ends within an extension");
        }
        size_t len = number16(head.ptr + at + 1);
        bool is_crc = head.ptr[at] == TLV_CRC32C;
        at += TLV_FIXED;
        if (len > head.len - at || (is_crc && len != 4)) {
            return bad(err, "the PROXY header has an extension of a wrong length");
        }
        if (is_crc &&
            (number16(head.ptr + at) << 16 | number16(head.ptr + at + 2)) != checksum(head, at)) {
            return bad(err, "the PROXY header's checksum is wrong");
        }
        at += len;
    }
    return DEIS_PROXY_DONE;
}

static enum deis_proxy_result parse_binary(struct deis_str head, struct deis_proxy_head *ret,
                                           struct deis_err *err)
{
    static const size_t widths[] = { 0, 4, 16, 108 }; /* of one address, by family */
    unsigned command = (uint8_t)head.ptr[V2_VERSION] & 15;
    unsigned family = (uint8_t)head.ptr[V2_FAMILY] >> 4;
    unsigned protocol = (uint8_t)head.ptr[V2_FAMILY] & 15;
    const uint8_t *p = (const uint8_t *)head.ptr + V2_FIXED;

    if (command == COMMAND_LOCAL) {
        return DEIS_PROXY_DONE; /* whatever the rest holds */
    }
    if (command != COMMAND_PROXY) {
        return bad(err, "the PROXY header has an unknown command");
    }
    if (family >= DEIS_COUNT(widths) || protocol > 2) {
        return bad(err, "the PROXY header has an unknown family");
    }
    if (family == 0 || protocol == 0) {
        return DEIS_PROXY_DONE; /* unspecified: what the rest means is not known */
    }
    size_t width = widths[family];
    size_t addresses = 2 * width + (family == 3 ? 0 : 4);
    if (head.len - V2_FIXED < addresses) {
        return bad(err, "the PROXY header is too short for its addresses");
    }
    if (protocol == 1 && family < 3) {
        ret->known = true;
        ret->source = family == 1 ? deis_ip_v4(p) : deis_ip_v6(p);
        ret->destination = family == 1 ? deis_ip_v4(p + width) : deis_ip_v6(p + width);
        ret->source_port = (uint16_t)number16((const char *)p + 2 * width);
        ret->destination_port = (uint16_t)number16((const char *)p + 2 * width + 2);
    }
    return check_tlvs(head, V2_FIXED + addresses, err);
}

static enum deis_proxy_result parse_v2(struct deis_str input, struct deis_proxy_head *ret,
                                       size_t *ret_used, struct deis_err *err)
{
    if (input.len > V2_VERSION && (uint8_t)input.ptr[V2_VERSION] >> 4 != 2) {
        return bad(err, "the PROXY header has an unknown version");
    }
    if (input.len < V2_FIXED) {
        return DEIS_PROXY_MORE;
    }
    size_t len = V2_FIXED + (size_t)number16(input.ptr + V2_LENGTH);
    if (len > DEIS_PROXY_HEAD_MAX) {
        return bad(err, "the PROXY header is too long");
    }
    if (input.len < len) {
        return DEIS_PROXY_MORE;
    }
    *ret_used = len;
    return parse_binary(deis_str_first(input, len), ret, err);
}

static bool starts_like(struct deis_str input, const char *mark, size_t len)
{
    return memcmp(input.ptr, mark, input.len < len ? input.len : len) == 0;
}

enum deis_proxy_result deis_proxy_head_parse(struct deis_str input, struct deis_proxy_head *ret,
                                             size_t *ret_used, struct deis_err *err)
{
    enum deis_proxy_result result;

    memset(ret, 0, sizeof(*ret));
    *ret_used = 0;
    if (input.len == 0) {
        return DEIS_PROXY_MORE;
    }
    if (starts_like(input, signature, sizeof(signature))) {
        result = parse_v2(input, ret, ret_used, err);
    } else if (starts_like(input, "PROXY ", 6)) {
        result = parse_v1(input, ret, ret_used, err);
    } else {
        result = bad(err, "there is no PROXY header");
    }
    if (result != DEIS_PROXY_DONE) {
        memset(ret, 0, sizeof(*ret));
        *ret_used = 0;
    }
    return result;
}

/* An address for a line of the other family: the parser of such a line wants to see colons. */
static void put_address(const struct deis_ip *ip, bool v6, char out[DEIS_IP_TEXT])
{
    if (v6 && deis_ip_is_v4(ip)) {
        (void)snprintf(out, DEIS_IP_TEXT, "::ffff:%02x%02x:%02x%02x", ip->bytes[12], ip->bytes[13],
                       ip->bytes[14], ip->bytes[15]);
    } else {
        (void)deis_ip_format(ip, out);
    }
}

size_t deis_proxy_head_format(char *out, const struct deis_proxy_head *head)
{
    char source[DEIS_IP_TEXT];
    char destination[DEIS_IP_TEXT];
    bool v6 = !deis_ip_is_v4(&head->source) || !deis_ip_is_v4(&head->destination);

    if (!head->known) {
        return (size_t)snprintf(out, DEIS_PROXY_V1_MAX + 1, "PROXY UNKNOWN\r\n");
    }
    put_address(&head->source, v6, source);
    put_address(&head->destination, v6, destination);
    return (size_t)snprintf(out, DEIS_PROXY_V1_MAX + 1, "PROXY TCP%c %s %s %u %u\r\n",
                            v6 ? '6' : '4', source, destination, head->source_port,
                            head->destination_port);
}
