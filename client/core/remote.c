/* SPDX-License-Identifier: MIT */
#include "client/core/remote.h"

static bool contains(struct deis_str s, const char *part)
{
    return memmem(s.ptr, s.len, part, strlen(part)) != NULL;
}

static struct deis_str without_port(const char *host)
{
    struct deis_str s = deis_str(host);
    ptrdiff_t colon = deis_str_find(s, ':');

    /* More than one colon: an IPv6 address. */
    return colon >= 0 && colon == deis_str_rfind(s, ':') ? deis_str_first(s, (size_t)colon) : s;
}

char *remote_url(const char *host, uint16_t ssh_port, const char *app)
{
    struct deis_str name = without_port(host);
    bool v6 = deis_str_find(name, ':') >= 0;

    return deis_asprintf("ssh://git@%s%.*s%s:%u/%s.git", v6 ? "[" : "", DEIS_STR_ARG(name),
                         v6 ? "]" : "", ssh_port, app);
}

static char *app_of_url(struct deis_str url)
{
    struct deis_str last = deis_str_skip(url, (size_t)(deis_str_rfind(url, '/') + 1));
    ptrdiff_t dot = deis_str_find(last, '.');

    return deis_str_dup(dot >= 0 ? deis_str_first(last, (size_t)dot) : last);
}

/* Of "deis\tssh://git@deis.example.net:2222/blog.git (fetch)". */
static struct deis_str url_of(struct deis_str line)
{
    struct deis_str url = deis_str_skip(line, (size_t)(deis_str_find(line, '\t') + 1));
    ptrdiff_t blank = deis_str_find(url, ' ');

    return blank >= 0 ? deis_str_first(url, (size_t)blank) : url;
}

char *remote_app(struct deis_str listing, const char *host)
{
    deis_autofree char *name = deis_str_dup(without_port(host));
    struct deis_str line;

    while (deis_str_split(&listing, '\n', &line)) {
        if (deis_str_find(line, '\t') >= 0 && contains(url_of(line), name)) {
            return app_of_url(url_of(line));
        }
    }
    return NULL;
}

char *remote_name(struct deis_str listing, const char *host, const char *app)
{
    deis_autofree char *server = deis_str_dup(without_port(host));
    struct deis_str line;

    while (deis_str_split(&listing, '\n', &line)) {
        ptrdiff_t tab = deis_str_find(line, '\t');
        deis_autofree char *its_app = app_of_url(url_of(line));
        if (tab > 0 && contains(url_of(line), server) && strcmp(its_app, app) == 0) {
            return deis_str_dup(deis_str_first(line, (size_t)tab));
        }
    }
    return NULL;
}

char *remote_app_of_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = deis_strdup(slash ? slash + 1 : path);

    for (char *c = name; *c; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
    return name;
}
