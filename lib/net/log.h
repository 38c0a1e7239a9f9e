/* SPDX-License-Identifier: MIT */
/*
 * Structured log: one logfmt line on stderr,
 *   ts=2026-03-05T17:14:27.123Z level=info svc=router msg="table swapped" routes=12
 * error = someone must look, warn = handled but odd, info = life-cycle, debug = free. Never give it
 * a password, token, config value or body. thread: any
 */
#ifndef DEIS_NET_LOG_H
#define DEIS_NET_LOG_H

#include "lib/base/str.h"

enum deis_log_level { DEIS_LOG_ERROR, DEIS_LOG_WARN, DEIS_LOG_INFO, DEIS_LOG_DEBUG };

struct deis_kv {
    const char *key;

    enum { DEIS_KV_TEXT, DEIS_KV_VIEW, DEIS_KV_NUMBER } kind;

    const char *text;
    struct deis_str view;
    int64_t number;
};

#define KV_S(k, v)  ((struct deis_kv){ .key = (k), .kind = DEIS_KV_TEXT, .text = (v) })
#define KV_V(k, v)  ((struct deis_kv){ .key = (k), .kind = DEIS_KV_VIEW, .view = (v) })
#define KV_I(k, v)  ((struct deis_kv){ .key = (k), .kind = DEIS_KV_NUMBER, .number = (int64_t)(v) })
#define KV_ERR(err) KV_S("err", (err)->msg)

/* service is printed as svc=; level from the environment variable DEIS_LOG, by the words of
 * deis_log_level(); info if that has none. */
void deis_log_init(const char *service);
/* What a word means: debug, info, notice (as info), warn, error; crit, alert, emerg (as error,
 * there is nothing graver). False: it is none of them. */
bool deis_log_level(const char *word, enum deis_log_level *ret);
/* From now on. NULL: as it was at the start; so with a word that is none. */
void deis_log_set_level(const char *word);
void deis_log_write(enum deis_log_level level, const char *msg, const struct deis_kv *kv, size_t n);

#define DEIS_LOG_AT_(level, msg, ...)                                                              \
    do {                                                                                           \
        const struct deis_kv kv_[] = { { 0 }, ##__VA_ARGS__ };                                     \
        deis_log_write(level, msg, kv_ + 1, DEIS_COUNT(kv_) - 1);                                  \
    } while (0)
#define deis_error(...) DEIS_LOG_AT_(DEIS_LOG_ERROR, __VA_ARGS__)
#define deis_warn(...)  DEIS_LOG_AT_(DEIS_LOG_WARN, __VA_ARGS__)
#define deis_info(...)  DEIS_LOG_AT_(DEIS_LOG_INFO, __VA_ARGS__)
#define deis_debug(...) DEIS_LOG_AT_(DEIS_LOG_DEBUG, __VA_ARGS__)

#endif
