/* SPDX-License-Identifier: MIT */
/* Tables from files: whatever is accepted can be saved and comes back the same. */
#include "router/core/route_file.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void save_and_load(struct route_registry *r, struct route_model *m,
                          const struct route_seen *seen)
{
    struct deis_buf first = DEIS_BUF_INIT(1024 * 1024);
    struct deis_buf second = DEIS_BUF_INIT(1024 * 1024);
    struct route_table *t = route_model_build(m, 1);
    struct route_seen again = { 0 };
    struct route_model *copy = route_model_new(r);
    struct deis_err err;

    route_file_save(&(struct route_saved){ t, *seen }, &first);
    if (route_file_load(copy, deis_buf_str(&first), &again, &err) < 0) {
        abort();
    }
    struct route_table *u = route_model_build(copy, 1);
    route_file_save(&(struct route_saved){ u, again }, &second);
    if (first.len != second.len || route_hosts_count(t->hosts) != route_hosts_count(u->hosts)) {
        abort();
    }
    route_table_unref(t);
    route_table_unref(u);
    route_model_free(copy);
    deis_buf_clear(&first);
    deis_buf_clear(&second);
}

/* The lines of a saved table, whole as the router itself writes it: with its head and the sum that
 * closes it. */
static void as_saved(struct deis_str lines, struct deis_buf *out)
{
    uint64_t sum = UINT64_C(14695981039346656037);

    deis_buf_add_cstr(out, "deis-routes 1\n");
    deis_buf_add_str(out, lines);
    deis_buf_add_cstr(out, "\n");
    for (size_t i = 0; i < out->len; i++) {
        sum = (sum ^ (unsigned char)out->data[i]) * UINT64_C(1099511628211);
    }
    deis_buf_addf(out, "end %016llx\n", (unsigned long long)sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str s = deis_str_n((const char *)data, size);
    struct deis_buf saved = DEIS_BUF_INIT(1024 * 1024);
    struct deis_err err;

    as_saved(s, &saved);
    for (int i = 0; i < 3; i++) {
        struct route_registry *r = route_registry_new();
        struct route_model *m = route_model_new(r);
        struct deis_str text = i == 2 ? deis_buf_str(&saved) : s;
        struct route_seen seen = { 0 };
        int code = i == 0 ? route_file_read_static(m, text, &err)
                          : route_file_load(m, text, &seen, &err);
        if (code >= 0) {
            save_and_load(r, m, &seen);
        }
        route_model_free(m);
        route_registry_free(r);
    }
    deis_buf_clear(&saved);
    return 0;
}
