/* SPDX-License-Identifier: MIT */
#include "controller/core/appconfig.h"

#include "lib/model/routing.h"

#define NAME_MAX_BYTES 256

static const char *const maps[] = { "values", "memory", "cpu", "tags" };

json_t *appconfig_empty(void)
{
    return json_pack("{s:{}, s:{}, s:{}, s:{}}", "values", "memory", "cpu", "tags");
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(const char *s)
{
    for (const char *p = s; *p; p++) {
        if (!is_letter(*p) && !is_digit(*p) && *p != '_') {
            return false;
        }
    }
    return *s != '\0';
}

static bool is_letters(const char *s)
{
    for (const char *p = s; *p; p++) {
        if (!is_letter(*p)) {
            return false;
        }
    }
    return *s != '\0';
}

/* Whole seconds, for the values that the platform itself reads. */
static bool seconds_fit(const char *key, const char *text)
{
    static const char *const names[] = { "HEALTHCHECK_INITIAL_DELAY", "HEALTHCHECK_TIMEOUT",
                                         "DEIS_DEPLOY_TIMEOUT" };
    uint64_t n;

    for (size_t i = 0; i < DEIS_COUNT(names); i++) {
        if (strcmp(key, names[i]) == 0) {
            return deis_str_to_u64(deis_str(text), 0, 3600, &n, NULL) == DEIS_OK;
        }
    }
    return true;
}

/* The list that the router goes by, as the text of a config value. */
static bool whitelist_fits(struct fields *f, const char *key, const char *text)
{
    struct deis_err err;

    if (strcmp(key, "DEIS_WHITELIST") != 0) {
        return true;
    }
    deis_autojson json_t *list = deis_whitelist_read(deis_str(text), &err);
    if (!list) {
        fields_error(f, "values", "DEIS_WHITELIST: %s", err.msg);
    }
    return list != NULL;
}

/* One entry of a map: the value to store, a JSON null to remove, NULL when refused. */
static json_t *check_value(struct fields *f, const char *key, const json_t *value)
{
    if (is_digit(key[0]) || !is_word(key)) {
        fields_error(
            f, "values",
            "Config keys must start with a letter or underscore and only contain [A-z0-9_]");
        return NULL;
    }
    if (json_is_null(value)) {
        return json_null();
    }
    deis_autofree char *text = fields_scalar(value);
    if (!text) {
        fields_error(f, "values", "The value of %s must be a text, number or boolean", key);
        return NULL;
    }
    if (!seconds_fit(key, text)) {
        fields_error(f, "values", "%s must be a whole number of seconds, 3600 at most", key);
        return NULL;
    }
    return whitelist_fits(f, key, text) ? json_string(text) : NULL;
}

static bool memory_fits(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits;

    if (digits == 0 || digits > 12) {
        return false;
    }
    return (strlen(unit) == 1 && strchr("bkmgBKMG", unit[0])) ||
           (strlen(unit) == 2 && strchr("kmgKMG", unit[0]) && strchr("bB", unit[1]));
}

static json_t *check_memory(struct fields *f, const char *key, const json_t *value)
{
    if (json_is_null(value)) {
        return json_null();
    }
    deis_autofree char *text = fields_scalar(value);
    if (!deis_str_is_process_type(deis_str(key))) {
        fields_error(f, "memory", "Process types can only contain [a-z]");
    } else if (!text || !memory_fits(text)) {
        fields_error(f, "memory", "Limit format: <number><unit>, where unit = B, K, M or G");
    } else {
        return json_string(text);
    }
    return NULL;
}

static json_t *check_cpu(struct fields *f, const char *key, const json_t *value)
{
    uint64_t shares;

    if (json_is_null(value)) {
        return json_null();
    }
    deis_autofree char *text = json_is_boolean(value) ? NULL : fields_scalar(value);
    if (!deis_str_is_process_type(deis_str(key))) {
        fields_error(f, "cpu", "Process types can only contain [a-z]");
    } else if (!text || !*text || text[strspn(text, "0123456789")] != '\0') {
        fields_error(f, "cpu", "CPU shares must be an integer");
    } else if (deis_str_to_u64(deis_str(text), 0, 1024, &shares, NULL) < 0) {
        fields_error(f, "cpu", "CPU shares must be between 0 and 1024");
    } else {
        return json_integer((json_int_t)shares);
    }
    return NULL;
}

static json_t *check_tag(struct fields *f, const char *key, const json_t *value)
{
    if (json_is_null(value)) {
        return json_null();
    }
    deis_autofree char *text = fields_scalar(value);
    if (!is_letters(key)) {
        fields_error(f, "tags", "Tag keys can only contain [a-z]");
    } else if (!text || !is_word(text) || strlen(text) > NAME_MAX_BYTES) {
        fields_error(f, "tags", "Invalid tag value");
    } else {
        return json_string(text);
    }
    return NULL;
}

static json_t *check_entry(struct fields *f, const char *map, const char *key, const json_t *value)
{
    if (strlen(key) > NAME_MAX_BYTES) {
        fields_error(f, map, "Names have %d characters at most", NAME_MAX_BYTES);
        return NULL;
    }
    switch (map[0]) {
    case 'v': return check_value(f, key, value);
    case 'm': return check_memory(f, key, value);
    case 'c': return check_cpu(f, key, value);
    default: return check_tag(f, key, value);
    }
}

static json_t *check_map(struct fields *f, const char *name, json_t *raw)
{
    json_t *out = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(raw, key, value)
    {
        json_t *checked = check_entry(f, name, key, value);
        if (!checked) {
            json_decref(out);
            return NULL;
        }
        json_object_set_new(out, key, checked);
    }
    return out;
}

json_t *appconfig_parse_change(struct fields *f)
{
    deis_autojson json_t *change = json_object();

    for (size_t i = 0; i < DEIS_COUNT(maps); i++) {
        deis_autojson json_t *raw = fields_map(f, maps[i]);
        json_t *map = raw ? check_map(f, maps[i], raw) : NULL;
        if (map) {
            json_object_set_new(change, maps[i], map);
        }
    }
    return fields_failed(f) ? NULL : DEIS_TAKE(change);
}

static void check_size(struct fields *f, const char *name, json_t *map)
{
    deis_autofree char *text = deis_json_dump(map);
    size_t bytes = 0;
    const char *key;
    json_t *value;

    json_object_foreach(map, key, value)
    {
        bytes += strlen(key) + json_string_length(value) + 2;
    }
    if (json_object_size(map) > APPCONFIG_KEYS_MAX) {
        fields_error(f, name, "At most %d entries are allowed", APPCONFIG_KEYS_MAX);
    }
    if (bytes > APPCONFIG_BYTES_MAX) {
        fields_error(f, name, "All entries together may have %d bytes at most",
                     APPCONFIG_BYTES_MAX);
    } else if (strlen(text) > APPCONFIG_TEXT_MAX) {
        fields_error(f, name, "All entries together may have %d bytes at most, written as JSON",
                     APPCONFIG_TEXT_MAX);
    }
    explicit_bzero(text, strlen(text));
}

static void apply_delta(json_t *map, json_t *delta)
{
    const char *key;
    json_t *value;

    json_object_foreach(delta, key, value)
    {
        if (json_is_null(value)) {
            json_object_del(map, key);
        } else {
            json_object_set(map, key, value);
        }
    }
}

json_t *appconfig_merge(const json_t *old, const json_t *change, struct fields *f)
{
    deis_autojson json_t *now = json_object();

    for (size_t i = 0; i < DEIS_COUNT(maps); i++) {
        json_t *before = json_object_get(old, maps[i]);
        json_t *map = before ? json_copy(before) : json_object();
        apply_delta(map, json_object_get(change, maps[i]));
        json_object_set_new(now, maps[i], map);
        check_size(f, maps[i], map);
    }
    return fields_failed(f) ? NULL : DEIS_TAKE(now);
}

static void add_word(struct deis_buf *out, const char *joint, const char *word)
{
    if (out->len > 0) {
        deis_buf_add_cstr(out, joint);
    }
    deis_buf_add_cstr(out, word);
}

/* The three lists "<noun>added A, B", "changed C", "deleted D" that tell old from now; each tag has
 * its own verb ("added tag a"), so noun comes after the verb. */
static void diff_map(struct deis_buf *out, json_t *old, json_t *now, const char *noun)
{
    deis_autobuf struct deis_buf added = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf changed = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf deleted = DEIS_BUF_INIT(4096);

    struct {
        const char *verb;
        struct deis_buf *names;
    } parts[] = { { "added", &added }, { "changed", &changed }, { "deleted", &deleted } };

    const char *key;
    json_t *value;

    json_object_foreach(now, key, value)
    {
        const json_t *before = json_object_get(old, key);
        if (!before) {
            add_word(&added, ", ", key);
        } else if (!json_equal(before, value)) {
            add_word(&changed, ", ", key);
        }
    }
    json_object_foreach(old, key, value)
    {
        if (!json_object_get(now, key)) {
            add_word(&deleted, ", ", key);
        }
    }
    for (size_t i = 0; i < DEIS_COUNT(parts); i++) {
        if (parts[i].names->len > 0) {
            add_word(out, ", ", parts[i].verb);
            deis_buf_addf(out, " %s%s%s", noun, parts[i].names->data,
                          deis_buf_failed(parts[i].names) ? ", ..." : "");
        }
    }
}

char *appconfig_summary(const char *user, const json_t *old, const json_t *now)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    deis_autobuf struct deis_buf tags = DEIS_BUF_INIT(16384);
    deis_autobuf struct deis_buf limits = DEIS_BUF_INIT(256);

    diff_map(&out, json_object_get(old, "values"), json_object_get(now, "values"), "");
    for (size_t i = 1; i <= 2; i++) {
        if (!json_equal(json_object_get(old, maps[i]), json_object_get(now, maps[i]))) {
            add_word(&limits, ", ", maps[i]);
        }
    }
    if (limits.len > 0) {
        add_word(&out, " and ", "changed limits for ");
        deis_buf_add_cstr(&out, limits.data);
    }
    diff_map(&tags, json_object_get(old, "tags"), json_object_get(now, "tags"), "tag ");
    if (tags.len > 0) {
        add_word(&out, " and ", tags.data);
    }
    return deis_asprintf("%s %s", user, out.len > 0 ? out.data : "changed nothing");
}

const char *appconfig_value(const json_t *config, const char *name, const char *fallback)
{
    const char *text = json_string_value(json_object_get(json_object_get(config, "values"), name));

    return text ? text : fallback;
}

uint64_t appconfig_number(const json_t *config, const char *name, uint64_t max, uint64_t fallback)
{
    const char *text = appconfig_value(config, name, NULL);
    uint64_t n = 0;

    if (!text || deis_str_to_u64(deis_str(text), 0, max, &n, NULL) < 0) {
        return fallback;
    }
    return n;
}
