/* SPDX-License-Identifier: MIT */
#include "lib/base/attr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static deis_noreturn void out_of_memory(void)
{
    static const char text[] = "out of memory\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)n;
    abort();
}

void deis_autoclose_(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}

void *deis_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) {
        out_of_memory();
    }
    return p;
}

void *deis_realloc_array(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        out_of_memory();
    }
    void *grown = realloc(p, bytes ? bytes : 1);
    if (!grown) {
        out_of_memory();
    }
    return grown;
}

char *deis_strdup(const char *s)
{
    char *copy = strdup(s);
    if (!copy) {
        out_of_memory();
    }
    return copy;
}

char *deis_asprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        out_of_memory();
    }
    return text;
}
