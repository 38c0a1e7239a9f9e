/* SPDX-License-Identifier: MIT */
#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* The caller's format may refer to err->msg itself, hence the detour. */
static deis_printf(2, 0) void set_message(struct deis_err *err, const char *format, va_list args)
{
    char text[sizeof(err->msg)];
    int n = vsnprintf(text, sizeof(text), format, args);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len >= sizeof(text)) {
        len = sizeof(text) - 1;
    }
    memcpy(err->msg, text, len);
    err->msg[len] = '\0';
}

static void append(struct deis_err *err, const char *text)
{
    size_t len = strlen(err->msg);
    size_t room = sizeof(err->msg) - 1 - len;
    size_t n = strlen(text);
    if (n > room) {
        n = room;
    }
    memcpy(err->msg + len, text, n);
    err->msg[len + n] = '\0';
}

int deis_err_set(struct deis_err *err, enum deis_code code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        set_message(err, format, args);
        va_end(args);
        err->code = code;
        err->errnum = 0;
    }
    return code;
}

static enum deis_code code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT: return DEIS_NOT_FOUND;
    case EACCES:
    case EPERM: return DEIS_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE: return DEIS_LIMIT;
    default: return DEIS_SYSTEM;
    }
}

int deis_err_errno(struct deis_err *err, int errnum, const char *format, ...)
{
    enum deis_code code = code_of_errno(errnum);

    if (err) {
        char reason[128];
        va_list args;
        va_start(args, format);
        set_message(err, format, args);
        va_end(args);
        append(err, ": ");
        append(err, strerror_r(errnum, reason, sizeof(reason)));
        err->code = code;
        err->errnum = errnum;
    }
    return code;
}

bool deis_err_is_disk_full(const struct deis_err *err)
{
    return err->errnum == ENOSPC || err->errnum == EDQUOT;
}

int deis_err_wrap(struct deis_err *err, const char *format, ...)
{
    if (!err) {
        return DEIS_INTERNAL;
    }
    char former[sizeof(err->msg)];
    memcpy(former, err->msg, sizeof(former));
    va_list args;
    va_start(args, format);
    set_message(err, format, args);
    va_end(args);
    append(err, ": ");
    append(err, former);
    return err->code;
}

const char *deis_code_name(enum deis_code code)
{
    switch (code) {
    case DEIS_OK: return "ok";
    case DEIS_INVALID: return "invalid";
    case DEIS_NOT_FOUND: return "not found";
    case DEIS_CONFLICT: return "conflict";
    case DEIS_DENIED: return "denied";
    case DEIS_LIMIT: return "limit";
    case DEIS_TIMEOUT: return "timeout";
    case DEIS_UNAVAILABLE: return "unavailable";
    case DEIS_PROTOCOL: return "protocol";
    case DEIS_SYSTEM: return "system";
    case DEIS_INTERNAL: return "internal";
    case DEIS_CANCELLED: return "cancelled";
    }
    return "unknown";
}

int deis_code_http_status(enum deis_code code)
{
    switch (code) {
    case DEIS_OK: return 200;
    case DEIS_INVALID: return 400;
    case DEIS_NOT_FOUND: return 404;
    case DEIS_CONFLICT: return 409;
    case DEIS_DENIED: return 403;
    case DEIS_LIMIT: return 413;
    case DEIS_TIMEOUT:
    case DEIS_UNAVAILABLE:
    case DEIS_CANCELLED: return 503;
    case DEIS_PROTOCOL: return 502;
    case DEIS_SYSTEM:
    case DEIS_INTERNAL: return 500;
    }
    return 500;
}
