/* SPDX-License-Identifier: MIT */
#include "client/core/show.h"

#include "client/core/age.h"
#include "client/core/answer.h"
#include "client/core/columns.h"

#define KEY_HEAD  16
#define KEY_TAIL  10
#define SMALL_MAX 4096

void show_count(size_t shown, long total, struct deis_buf *out)
{
    if (total >= 0 && shown == (size_t)total) {
        deis_buf_add_char(out, '\n');
    } else {
        deis_buf_addf(out, " (%zu of %ld)\n", shown, total);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_sorted(const char **texts, size_t count, struct deis_buf *out)
{
    qsort(texts, count, sizeof(*texts), by_text);
    for (size_t i = 0; i < count; i++) {
        deis_buf_addf(out, "%s\n", texts[i]);
    }
}

void show_sorted(const json_t *objects, const char *member, struct deis_buf *out)
{
    size_t count = json_array_size(objects);
    deis_autofree const char **texts = deis_realloc_array(NULL, count + 1, sizeof(*texts));

    for (size_t i = 0; i < count; i++) {
        texts[i] = answer_text(json_array_get(objects, i), member);
    }
    add_sorted(texts, count, out);
}

void show_names(const json_t *names, struct deis_buf *out)
{
    size_t count = 0;
    deis_autofree const char **texts =
        deis_realloc_array(NULL, json_array_size(names) + 1, sizeof(*texts));

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name) {
            texts[count++] = name;
        }
    }
    add_sorted(texts, count, out);
}

/* A scalar as people read it. */
static void add_scalar(const json_t *value, struct deis_buf *out)
{
    if (json_is_string(value)) {
        deis_buf_add_cstr(out, json_string_value(value));
        return;
    }
    deis_autofree char *text = json_dumps(value, JSON_ENCODE_ANY);
    deis_buf_add_cstr(out, text ? text : "");
}

/* The keys of an object, sorted; array yours, texts borrowed. */
static const char **sorted_keys(json_t *map, size_t *ret_count)
{
    size_t count = 0;
    const char **keys = deis_realloc_array(NULL, json_object_size(map) + 1, sizeof(*keys));
    void *i = json_object_iter(map);

    while (i) {
        keys[count++] = json_object_iter_key(i);
        i = json_object_iter_next(map, i);
    }
    qsort(keys, count, sizeof(*keys), by_text);
    *ret_count = count;
    return keys;
}

void show_table(json_t *map, size_t gap, struct deis_buf *out)
{
    size_t count = 0;
    size_t width = 0;
    deis_autofree const char **keys = sorted_keys(map, &count);

    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(keys[i]);
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < count; i++) {
        deis_buf_addf(out, "%-*s", (int)(width + gap), keys[i]);
        add_scalar(json_object_get(map, keys[i]), out);
        deis_buf_add_char(out, '\n');
    }
}

void show_app(const json_t *app, struct deis_buf *out)
{
    static const char *const members[] = { "updated", "uuid", "created", "url", "owner", "id" };

    deis_buf_addf(out, "=== %s Application\n", answer_text(app, "id"));
    for (size_t i = 0; i < DEIS_COUNT(members); i++) {
        deis_buf_addf(out, "%s:%*s%s\n", members[i], (int)(9 - strlen(members[i])), "",
                      answer_text(app, members[i]));
    }
    deis_buf_add_char(out, '\n');
}

static int by_type_and_number(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a;
    const json_t *y = *(json_t *const *)b;
    int types = strcmp(answer_text(x, "type"), answer_text(y, "type"));

    if (types != 0) {
        return types;
    }
    json_int_t m = json_integer_value(json_object_get(x, "num"));
    json_int_t n = json_integer_value(json_object_get(y, "num"));
    return (m > n) - (m < n);
}

/* Array yours, values borrowed. */
static json_t **sorted_objects(const json_t *objects, int (*compare)(const void *a, const void *b))
{
    size_t count = json_array_size(objects);
    json_t **sorted = deis_realloc_array(NULL, count + 1, sizeof(json_t *));

    for (size_t i = 0; i < count; i++) {
        sorted[i] = json_array_get(objects, i);
    }
    qsort(sorted, count, sizeof(json_t *), compare);
    return sorted;
}

static long long number_of(const json_t *obj, const char *key)
{
    return (long long)json_integer_value(json_object_get(obj, key));
}

void show_processes(const char *app, const json_t *containers, long total, struct deis_buf *out)
{
    size_t count = json_array_size(containers);
    deis_autofree json_t **sorted = sorted_objects(containers, by_type_and_number);
    const char *type = NULL;

    deis_buf_addf(out, "=== %s Processes", app);
    show_count(count, total, out);
    for (size_t i = 0; i < count; i++) {
        const char *this_type = answer_text(sorted[i], "type");
        if (!type || strcmp(type, this_type) != 0) {
            deis_buf_addf(out, "--- %s:\n", this_type);
            type = this_type;
        }
        deis_buf_addf(out, "%s.%lld %s (%s)\n", this_type, number_of(sorted[i], "num"),
                      answer_text(sorted[i], "state"), answer_text(sorted[i], "release"));
    }
}

/* "code 137, out of memory, 4m ago" */
static void add_exit(const json_t *container, uint64_t now, struct deis_buf *out)
{
    deis_autobuf struct deis_buf age = DEIS_BUF_INIT(SMALL_MAX);
    const json_t *end = json_object_get(container, "exit");
    const char *error = answer_text(end, "error");

    if (json_is_object(end)) {
        if (error[0]) {
            deis_buf_add_cstr(out, error);
        } else {
            deis_buf_addf(out, "code %lld", number_of(end, "code"));
        }
        if (json_is_true(json_object_get(end, "oom"))) {
            deis_buf_add_cstr(out, ", out of memory");
        }
        age_format(answer_text(end, "at"), now, &age);
        if (age.len > 0) {
            deis_buf_addf(out, ", %s ago", age.data);
        }
    }
    const char *reason = answer_text(container, "reason");
    if (reason[0]) {
        deis_buf_addf(out, "%s%s", out->len > 0 ? ": " : "", reason);
    }
}

void show_process_details(const char *app, const json_t *containers, long total, uint64_t now,
                          struct deis_buf *out)
{
    static const char *const titles[] = { "PROCESS", "STATE",    "RELEASE",  "MACHINE",
                                          "AGE",     "RESTARTS", "LAST EXIT" };
    size_t count = json_array_size(containers);
    deis_autofree json_t **sorted = sorted_objects(containers, by_type_and_number);
    struct columns table;

    deis_buf_addf(out, "=== %s Processes", app);
    show_count(count, total, out);
    columns_start(&table, titles, DEIS_COUNT(titles));
    for (size_t i = 0; i < count; i++) {
        const json_t *p = sorted[i];
        deis_autobuf struct deis_buf age = DEIS_BUF_INIT(SMALL_MAX);
        deis_autobuf struct deis_buf end = DEIS_BUF_INIT(SMALL_MAX);
        age_format(answer_text(p, "since"), now, &age);
        add_exit(p, now, &end);
        columns_addf(&table, "%s.%lld", answer_text(p, "type"), number_of(p, "num"));
        columns_add(&table, answer_text(p, "state"));
        columns_add(&table, answer_text(p, "release"));
        columns_add(&table, answer_text(p, "machine"));
        columns_add(&table, age.data);
        columns_addf(&table, "%lld", number_of(p, "restarts"));
        columns_add(&table, end.data);
    }
    columns_finish(&table, out);
}

void show_tokens(const json_t *tokens, struct deis_buf *out)
{
    static const char *const titles[] = { "ID", "CREATED", "LAST USED", "THIS LOGIN" };
    struct columns table;

    columns_start(&table, titles, DEIS_COUNT(titles));
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *t = json_array_get(tokens, i);
        columns_add(&table, answer_text(t, "id"));
        columns_add(&table, answer_text(t, "created"));
        columns_add(&table, answer_text(t, "last_used"));
        columns_add(&table, json_is_true(json_object_get(t, "current")) ? "yes" : "no");
    }
    columns_finish(&table, out);
}

void show_audit(const json_t *entries, struct deis_buf *out)
{
    static const char *const titles[] = { "TIME", "USER", "ACTION", "OBJECT", "RESULT" };
    static const char *const members[] = { "time", "user", "action", "object", "result" };
    struct columns table;

    columns_start(&table, titles, DEIS_COUNT(titles));
    for (size_t i = 0; i < json_array_size(entries); i++) {
        for (size_t m = 0; m < DEIS_COUNT(members); m++) {
            columns_add(&table, answer_text(json_array_get(entries, i), members[m]));
        }
    }
    columns_finish(&table, out);
}

void show_config(const char *app, const json_t *config, bool oneline, struct deis_buf *out)
{
    json_t *values = json_object_get(config, "values");
    size_t count = 0;

    if (!oneline) {
        deis_buf_addf(out, "=== %s Config\n", app);
        show_table(values, 6, out);
        return;
    }
    deis_autofree const char **keys = sorted_keys(values, &count);
    for (size_t i = 0; i < count; i++) {
        deis_buf_addf(out, "%s=", keys[i]);
        add_scalar(json_object_get(values, keys[i]), out);
        deis_buf_add_char(out, ' ');
    }
    deis_buf_add_char(out, '\n');
}

static void add_limits(json_t *map, struct deis_buf *out)
{
    if (json_object_size(map) == 0) {
        deis_buf_add_cstr(out, "Unlimited\n");
    } else {
        show_table(map, 5, out);
    }
}

void show_limits(const char *app, const json_t *config, struct deis_buf *out)
{
    deis_buf_addf(out, "=== %s Limits\n\n--- Memory\n", app);
    add_limits(json_object_get(config, "memory"), out);
    deis_buf_add_cstr(out, "\n--- CPU\n");
    add_limits(json_object_get(config, "cpu"), out);
}

void show_tags(const char *app, const json_t *config, struct deis_buf *out)
{
    deis_buf_addf(out, "=== %s Tags\n", app);
    show_table(json_object_get(config, "tags"), 5, out);
}

void show_builds(const json_t *builds, struct deis_buf *out)
{
    for (size_t i = 0; i < json_array_size(builds); i++) {
        const json_t *b = json_array_get(builds, i);
        deis_buf_addf(out, "%s %s\n", answer_text(b, "uuid"), answer_text(b, "created"));
    }
}

static long long version_of(const json_t *release)
{
    return (long long)json_integer_value(json_object_get(release, "version"));
}

void show_releases(const json_t *releases, struct deis_buf *out)
{
    for (size_t i = 0; i < json_array_size(releases); i++) {
        const json_t *r = json_array_get(releases, i);
        deis_buf_addf(out, "v%lld\t%s\t%s\n", version_of(r), answer_text(r, "created"),
                      answer_text(r, "summary"));
    }
}

void show_release(const char *app, const json_t *release, struct deis_buf *out)
{
    static const char *const members[] = { "build",   "config",  "owner", "created",
                                           "summary", "updated", "uuid" };

    deis_buf_addf(out, "=== %s Release v%lld\n", app, version_of(release));
    for (size_t i = 0; i < DEIS_COUNT(members); i++) {
        const char *text = answer_text(release, members[i]);
        if (i > 0 || text[0]) {
            deis_buf_addf(out, "%s:%*s%s\n", members[i], (int)(9 - strlen(members[i])), "", text);
        }
    }
}

static int by_id(const void *a, const void *b)
{
    return strcmp(answer_text(*(json_t *const *)a, "id"), answer_text(*(json_t *const *)b, "id"));
}

void show_keys(const json_t *keys, struct deis_buf *out)
{
    size_t count = json_array_size(keys);
    deis_autofree json_t **sorted = sorted_objects(keys, by_id);

    for (size_t i = 0; i < count; i++) {
        struct deis_str text = deis_str(answer_text(sorted[i], "public"));
        size_t tail = text.len < KEY_TAIL ? text.len : KEY_TAIL;
        struct deis_str head = deis_str_first(text, KEY_HEAD);
        deis_buf_addf(out, "%s %.*s...%.*s\n", answer_text(sorted[i], "id"), DEIS_STR_ARG(head),
                      DEIS_STR_ARG(deis_str_skip(text, text.len - tail)));
    }
}

static void add_dashes(size_t n, struct deis_buf *out)
{
    while (n-- > 0) {
        deis_buf_add_char(out, '-');
    }
}

void show_certs(const json_t *certs, struct deis_buf *out)
{
    static const char name_title[] = "Common Name";
    static const char date_title[] = "Expires";
    size_t name_width = sizeof(name_title) - 1;
    size_t date_width = sizeof(date_title) - 1;
    const int gap = 5;

    for (size_t i = 0; i < json_array_size(certs); i++) {
        const json_t *c = json_array_get(certs, i);
        size_t name = strlen(answer_text(c, "common_name"));
        size_t date = strlen(answer_text(c, "expires"));
        name_width = name > name_width ? name : name_width;
        date_width = date > date_width ? date : date_width;
    }
    deis_buf_addf(out, "%-*s%s\n", (int)name_width + gap, name_title, date_title);
    add_dashes(name_width, out);
    deis_buf_addf(out, "%*s", gap, "");
    add_dashes(date_width, out);
    deis_buf_add_char(out, '\n');
    for (size_t i = 0; i < json_array_size(certs); i++) {
        const json_t *c = json_array_get(certs, i);
        deis_buf_addf(out, "%-*s%s\n", (int)name_width + gap, answer_text(c, "common_name"),
                      answer_text(c, "expires"));
    }
}

void show_cert(const json_t *cert, struct deis_buf *out)
{
    static const char *const members[] = { "owner", "expires", "created", "updated",
                                           "state", "app",     "detail" };

    deis_buf_addf(out, "=== %s Certificate\n", answer_text(cert, "common_name"));
    for (size_t i = 0; i < DEIS_COUNT(members); i++) {
        const char *text = answer_text(cert, members[i]);
        if (text[0]) {
            deis_buf_addf(out, "%s:%*s%s\n", members[i], (int)(9 - strlen(members[i])), "", text);
        }
    }
}

void show_autocerts(const json_t *rows, struct deis_buf *out)
{
    size_t width = 0;

    if (json_array_size(rows) == 0) {
        deis_buf_add_cstr(out, "No certificates come by themselves\n");
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        size_t len = strlen(answer_text(json_array_get(rows, i), "domain"));
        width = len > width ? len : width;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *r = json_array_get(rows, i);
        const char *expires = answer_text(r, "expires");
        const char *detail = answer_text(r, "detail");
        deis_buf_addf(out, "%-*s  %s%s%s%s%s\n", (int)width, answer_text(r, "domain"),
                      answer_text(r, "state"), expires[0] ? ", expires " : "", expires,
                      detail[0] ? ": " : "", detail);
    }
}

void show_awaited_certs(const json_t *rows, struct deis_buf *out)
{
    deis_autojson json_t *awaited = json_array();

    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *r = json_array_get(rows, i);
        const char *state = answer_text(r, "state");
        if (strcmp(state, "waiting") == 0 || strcmp(state, "failed") == 0) {
            json_array_append(awaited, r);
        }
    }
    if (json_array_size(awaited) > 0) {
        deis_buf_add_cstr(out, "\nStill to come:\n");
        show_autocerts(awaited, out);
    }
}
