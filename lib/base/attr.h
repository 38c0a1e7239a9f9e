/* SPDX-License-Identifier: MIT */
/*
 * Attributes, cleanup macros and banned calls. Every file of ours includes this, directly or
 * through another header of lib/base.
 */
#ifndef DEIS_BASE_ATTR_H
#define DEIS_BASE_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define deis_must_check   __attribute__((warn_unused_result))
#define deis_printf(f, a) __attribute__((format(printf, f, a)))
#define deis_noreturn     __attribute__((noreturn))

#define DEIS_COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* The struct whose member p points to. */
#define DEIS_OWNER(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* Hand an owned pointer out of a scope that would free it: `*ret = DEIS_TAKE(p);` */
#define DEIS_TAKE(p)                                                                               \
    ({                                                                                             \
        __typeof__(p) deis_taken_ = (p);                                                           \
        (p) = NULL;                                                                                \
        deis_taken_;                                                                               \
    })

/* `deis_autofree char *s = ...;` is freed when its scope ends. */
#define deis_autofree __attribute__((cleanup(deis_autofree_)))
/* `deis_autoclose int fd = ...;` is closed when its scope ends, unless negative. */
#define deis_autoclose __attribute__((cleanup(deis_autoclose_)))

static inline void deis_autofree_(void *p)
{
    free(*(void **)p);
}

void deis_autoclose_(int *fd);

/* malloc family that ends the process when memory is exhausted: sizes that a peer controls are
 * limited before they get here, so running out is not an error to handle. thread: any */
void *deis_alloc(size_t size) __attribute__((malloc));        /* zeroed */
void *deis_realloc_array(void *p, size_t count, size_t size); /* checks the product */
char *deis_strdup(const char *s);
char *deis_asprintf(const char *format, ...) deis_printf(1, 2);

/* Calls that have a safer one here: numbers by deis_str_to_u64(), text by struct deis_buf. */
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atof gets

#endif
