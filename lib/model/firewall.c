/* SPDX-License-Identifier: MIT */
#include "lib/model/firewall.h"

enum {
    STATUS_MIN = 400,
    STATUS_MAX = 499,
    BODY_MIN = 1024,
    BODY_MAX = 1024 * 1024,
};

int deis_firewall_check_status(uint64_t status, struct deis_err *err)
{
    return status < STATUS_MIN || status > STATUS_MAX
               ? deis_err_set(err, DEIS_INVALID, "must be a status from %d to %d", STATUS_MIN,
                              STATUS_MAX)
               : DEIS_OK;
}

int deis_firewall_check_body(uint64_t bytes, struct deis_err *err)
{
    return bytes < BODY_MIN || bytes > BODY_MAX
               ? deis_err_set(err, DEIS_INVALID, "must be a size from 1k to 1m")
               : DEIS_OK;
}

int deis_firewall_check(struct deis_str name, struct deis_str value, struct deis_err *err)
{
    uint64_t n;

    if (deis_str_eq_cstr(name, "firewall/errorCode")) {
        bool good = deis_str_to_u64(value, 0, UINT32_MAX, &n, NULL) == 0;
        return deis_firewall_check_status(good ? n : 0, err);
    }
    if (deis_str_eq_cstr(name, "firewall/bodySize")) {
        bool good = deis_str_to_bytes(value, UINT32_MAX, &n, NULL) == 0;
        return deis_firewall_check_body(good ? n : 0, err);
    }
    return DEIS_OK;
}
