/* SPDX-License-Identifier: MIT */
#include "lib/conf/conf.h"

#include <stdarg.h>
#include <stdio.h>

#define ENV_NAME_MAX 80
#define MS_MAX       (UINT64_C(3650) * 24 * 3600 * 1000)
#define BYTES_MAX    (UINT64_C(1) << 60)

/* Which rows of a settings struct the environment or a flag has set: etcd leaves those alone. */
struct pins {
    struct pins *next;
    const void *settings;
    bool is_pinned[];
};

static struct pins *all_pins;

static struct pins *find_pins(const void *settings)
{
    struct pins *pins = all_pins;
    while (pins && pins->settings != settings) {
        pins = pins->next;
    }
    return pins;
}

static void forget_pins(const void *settings)
{
    for (struct pins **link = &all_pins; *link; link = &(*link)->next) {
        struct pins *pins = *link;
        if (pins->settings == settings) {
            *link = pins->next;
            free(pins);
            return;
        }
    }
}

static struct pins *new_pins(const void *settings, size_t count)
{
    forget_pins(settings);
    struct pins *pins = deis_alloc(sizeof(*pins) + count * sizeof(pins->is_pinned[0]));
    pins->settings = settings;
    pins->next = all_pins;
    all_pins = pins;
    return pins;
}

static void *field_of(const struct deis_conf_row *row, void *settings)
{
    return (char *)settings + row->offset;
}

static int parse_bool(struct deis_str s, bool *ret, struct deis_err *err)
{
    static const char *const yes[] = { "true", "on", "1" };
    static const char *const no[] = { "false", "off", "0" };

    for (size_t i = 0; i < DEIS_COUNT(yes); i++) {
        if (deis_str_ieq_cstr(s, yes[i]) || deis_str_ieq_cstr(s, no[i])) {
            *ret = deis_str_ieq_cstr(s, yes[i]);
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "must be true, false, on, off, 1 or 0");
}

static int parse_into(const struct deis_conf_row *row, void *field, const char *text,
                      struct deis_err *err)
{
    struct deis_str s = deis_str(text);
    uint64_t number = 0;
    int rc = DEIS_OK;

    switch (row->type) {
    case DEIS_CONF_TEXT:
        if (!deis_str_is_utf8(s)) {
            return deis_err_set(err, DEIS_INVALID, "must be UTF-8");
        }
        free(*(char **)field);
        *(char **)field = deis_strdup(text);
        break;
    case DEIS_CONF_U32:
        rc = deis_str_to_u64(s, 0, UINT32_MAX, &number, err);
        if (rc == DEIS_OK) {
            *(uint32_t *)field = (uint32_t)number;
        }
        break;
    case DEIS_CONF_BOOL: rc = parse_bool(s, field, err); break;
    case DEIS_CONF_MS: rc = deis_str_to_ms(s, MS_MAX, field, err); break;
    case DEIS_CONF_BYTES: rc = deis_str_to_bytes(s, BYTES_MAX, field, err); break;
    }
    if (rc < 0 && (row->flags & DEIS_CONF_SECRET)) {
        deis_err_set(err, DEIS_INVALID, "the value is invalid");
    }
    return rc;
}

static int set_default(const struct deis_conf_row *row, void *settings, struct deis_err *err)
{
    if (row->def) {
        return parse_into(row, field_of(row, settings), row->def, err);
    }
    void *field = field_of(row, settings);
    switch (row->type) {
    case DEIS_CONF_TEXT:
        free(*(char **)field);
        *(char **)field = NULL;
        break;
    case DEIS_CONF_U32: *(uint32_t *)field = 0; break;
    case DEIS_CONF_BOOL: *(bool *)field = false; break;
    case DEIS_CONF_MS:
    case DEIS_CONF_BYTES: *(uint64_t *)field = 0; break;
    }
    return DEIS_OK;
}

static void env_name(const struct deis_conf_row *row, char name[ENV_NAME_MAX])
{
    snprintf(name, ENV_NAME_MAX, "DEIS_%s", row->flag);
    for (char *p = name; *p; p++) {
        if (*p == '-') {
            *p = '_';
        } else if (*p >= 'a' && *p <= 'z') {
            *p = (char)(*p - 'a' + 'A');
        }
    }
}

static deis_printf(2, 3) void add_fault(struct deis_buf *faults, const char *format, ...)
{
    va_list args;

    if (faults->len > 0) {
        deis_buf_add_char(faults, '\n');
    }
    va_start(args, format);
    deis_buf_vaddf(faults, format, args);
    va_end(args);
}

static const char *const type_names[] = {
    [DEIS_CONF_TEXT] = "TEXT", [DEIS_CONF_U32] = "NUMBER", [DEIS_CONF_BOOL] = "BOOL",
    [DEIS_CONF_MS] = "TIME",   [DEIS_CONF_BYTES] = "SIZE",
};

static void print_help(const struct deis_conf_row *rows, size_t count, const char *program,
                       const char *summary)
{
    printf("Usage: %s [flags]\n\n%s\n\n"
           "A flag wins over its environment variable, that over the setting in etcd.\n\n",
           program, summary);
    for (size_t i = 0; i < count; i++) {
        const struct deis_conf_row *row = &rows[i];
        char name[ENV_NAME_MAX];
        env_name(row, name);
        printf("  --%s %s\n      %s\n      %s", row->flag, type_names[row->type], row->help, name);
        if (row->etcd_key) {
            printf(", etcd key %s%s", row->etcd_key,
                   row->flags & DEIS_CONF_LIVE ? " (without a restart)" : "");
        }
        if (row->flags & DEIS_CONF_SECRET) {
            printf(", secret");
        } else if (row->def && row->def[0]) {
            printf(", default %s", row->def);
        }
        printf("\n");
    }
    printf("  --help\n      print this text\n  --version\n      print the version\n");
}

static const struct deis_conf_row *find_flag(const struct deis_conf_row *rows, size_t count,
                                             struct deis_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (deis_str_eq_cstr(name, rows[i].flag)) {
            return &rows[i];
        }
    }
    return NULL;
}

struct load {
    const struct deis_conf_row *rows;
    size_t count;
    const char *program;
    const char *summary;
    void *settings;
    struct pins *pins;
    struct deis_buf *faults; /* everything that was wrong, one a line */
};

static void load_environment(struct load *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct deis_err err = DEIS_ERR_INIT;
        char name[ENV_NAME_MAX];
        env_name(&l->rows[i], name);
        const char *value = getenv(name);
        if (!value) {
            continue;
        }
        l->pins->is_pinned[i] = true;
        if (parse_into(&l->rows[i], field_of(&l->rows[i], l->settings), value, &err) < 0) {
            add_fault(l->faults, "%s: %s", name, err.msg);
        }
    }
}

/* argv[at] starts with "--". Returns how many words were used up. */
static int load_flag(struct load *l, int argc, char **argv, int at)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str word = deis_str(argv[at] + 2);
    ptrdiff_t equals = deis_str_find(word, '=');
    struct deis_str name = equals < 0 ? word : deis_str_first(word, (size_t)equals);
    const struct deis_conf_row *row = find_flag(l->rows, l->count, name);

    if (deis_str_eq_cstr(word, "help")) {
        print_help(l->rows, l->count, l->program, l->summary);
        exit(0);
    }
    if (deis_str_eq_cstr(word, "version")) {
        printf("%s %s\n", l->program, DEIS_VERSION);
        exit(0);
    }
    if (!row) {
        add_fault(l->faults, "unknown flag '--%.*s'", (int)(name.len < 40 ? name.len : 40),
                  name.ptr);
        return 1;
    }
    int used = 1;
    const char *value = "true";
    if (equals >= 0) {
        value = word.ptr + equals + 1;
    } else if (row->type != DEIS_CONF_BOOL) {
        if (at + 1 >= argc) {
            add_fault(l->faults, "--%s: the value is missing", row->flag);
            return 1;
        }
        value = argv[at + 1];
        used = 2;
    }
    l->pins->is_pinned[row - l->rows] = true;
    if (parse_into(row, field_of(row, l->settings), value, &err) < 0) {
        add_fault(l->faults, "--%s: %s", row->flag, err.msg);
    }
    return used;
}

/* Returns the index of the first word that is no flag. */
static int load_flags(struct load *l, int argc, char **argv)
{
    int at = 1;

    while (at < argc) {
        if (strcmp(argv[at], "--") == 0) {
            return at + 1;
        }
        if (strncmp(argv[at], "--", 2) != 0) {
            return at;
        }
        at += load_flag(l, argc, argv, at);
    }
    return at;
}

int deis_conf_load(const struct deis_conf_row *rows, size_t count, const char *program,
                   const char *summary, int argc, char **argv, void *settings, int *ret_rest,
                   struct deis_err *err)
{
    deis_autobuf struct deis_buf faults = DEIS_BUF_INIT(64 * 1024);
    struct load load = { .rows = rows,
                         .count = count,
                         .program = program,
                         .summary = summary,
                         .settings = settings,
                         .pins = new_pins(settings, count),
                         .faults = &faults };

    for (size_t i = 0; i < count; i++) {
        struct deis_err fault = DEIS_ERR_INIT;
        if (set_default(&rows[i], settings, &fault) < 0) {
            add_fault(&faults, "default of --%s: %s", rows[i].flag, fault.msg);
        }
    }
    load_environment(&load);
    int rest = load_flags(&load, argc, argv);
    if (ret_rest) {
        *ret_rest = rest;
    } else if (rest < argc) {
        add_fault(&faults, "unexpected word '%.40s'", argv[rest]);
    }
    if (faults.len > 0) {
        return deis_err_set(err, DEIS_INVALID, "%s", faults.data);
    }
    return DEIS_OK;
}

int deis_conf_apply(const struct deis_conf_row *rows, size_t count, void *settings,
                    struct deis_str etcd_key, const char *value, struct deis_err *err)
{
    const struct pins *pins = find_pins(settings);

    for (size_t i = 0; i < count; i++) {
        if (!rows[i].etcd_key || !deis_str_eq_cstr(etcd_key, rows[i].etcd_key)) {
            continue;
        }
        if (pins && pins->is_pinned[i]) {
            return DEIS_OK;
        }
        int rc = value ? parse_into(&rows[i], field_of(&rows[i], settings), value, err)
                       : set_default(&rows[i], settings, err);
        return rc < 0 ? deis_err_wrap(err, "setting '%s'", rows[i].etcd_key) : DEIS_OK;
    }
    return deis_err_set(err, DEIS_NOT_FOUND, "no setting '%.*s'",
                        (int)(etcd_key.len < 80 ? etcd_key.len : 80), etcd_key.ptr);
}

void deis_conf_free(const struct deis_conf_row *rows, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].type == DEIS_CONF_TEXT) {
            char **field = field_of(&rows[i], settings);
            free(*field);
            *field = NULL;
        }
    }
    forget_pins(settings);
}
