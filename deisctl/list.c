/* SPDX-License-Identifier: MIT */
/* deisctl list, machines, status: what etcd says about services, units and machines. */
#include "deisctl/core/table.h"
#include "deisctl/deisctl.h"

#include "lib/model/model.h"

#include <stdio.h>

#define OUTPUT_MAX_BYTES (16 * 1024 * 1024)

static const char *const components[] = { "controller", "builder",        "scheduler",
                                          "router",     "registry-proxy", "logger" };

static void print_table(struct table *t)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUTPUT_MAX_BYTES);

    table_format(t, &out);
    fwrite(out.data, 1, out.len, stdout);
    table_clear(t);
}

static int list_prefix(struct deis_etcd *etcd, const char *prefix, struct deis_etcd_range *ret,
                       struct deis_err *err)
{
    char key[DEIS_KEY_MAX];

    return deis_etcd_list(etcd, deis_key(key, "%s", prefix), 0, ret, err);
}

static void add_service_row(struct table *t, struct deis_str component, struct deis_str instance,
                            struct deis_str value)
{
    struct deis_service where = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char name[DEIS_KEY_MAX];

    snprintf(name, sizeof(name), "deis-%.*s@%.*s", DEIS_STR_ARG(component), DEIS_STR_ARG(instance));
    if (deis_service_parse(value, &where, &err) < 0) {
        table_add(t, (const char *[]){ name, "-", "unreadable", err.msg });
        return;
    }
    const char *address = where.http ? where.http : where.ssh ? where.ssh : where.bus;
    table_add(t, (const char *[]){ name, "-", "up", address });
    deis_service_clear(&where);
}

static int add_services(struct deis_etcd *etcd, struct table *t, const char *only,
                        struct deis_err *err)
{
    deis_autorange struct deis_etcd_range services = { 0 };
    int r = list_prefix(etcd, "services/", &services, err);

    for (size_t i = 0; r == 0 && i < services.count; i++) {
        struct deis_str instance = deis_key_below(services.kvs[i].key, "services/");
        struct deis_str component;
        deis_str_split(&instance, '/', &component);
        if (!only || deis_str_eq_cstr(component, only)) {
            add_service_row(t, component, instance, services.kvs[i].value);
        }
    }
    return r;
}

static const char *describe(const struct deis_unit *u, const struct deis_unit_state *s,
                            char out[128])
{
    if (!s) {
        return u->desired == DEIS_DESIRED_RUN ? "pending" : "stopping";
    }
    if (u->desired == DEIS_DESIRED_DRAIN) {
        return "draining";
    }
    snprintf(out, 128, "%s%s", deis_state_name(s->state),
             s->state == DEIS_STATE_UP && !s->ready ? " (not ready)" : "");
    return out;
}

static int find_state(const struct deis_etcd_range *states, const struct deis_unit *u,
                      struct deis_unit_state *ret)
{
    char key[DEIS_KEY_MAX];
    struct deis_err err = DEIS_ERR_INIT;

    deis_key(key, "states/%s/%s", u->machine, u->unit);
    size_t low = 0;
    size_t high = states->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(states->kvs[mid].key, key);
        if (c == 0) {
            return deis_unit_state_parse(states->kvs[mid].value, ret, &err);
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return DEIS_NOT_FOUND;
}

/* One document that can't be read must not hide the others. */
static void add_unit_row(struct table *t, const struct deis_etcd_kv *kv,
                         const struct deis_etcd_range *states)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_unit_state s = { 0 };
    struct deis_unit u;
    char text[128];

    if (deis_unit_parse(kv->value, &u, &err) < 0) {
        table_add(t, (const char *[]){ kv->key, "-", "unreadable", err.msg });
        return;
    }
    bool known = find_state(states, &u, &s) == 0;
    table_add(t, (const char *[]){ u.unit, u.machine, describe(&u, known ? &s : NULL, text),
                                   known ? s.address : NULL });
    deis_unit_state_clear(&s);
    deis_unit_clear(&u);
}

static int add_units(struct deis_etcd *etcd, struct table *t, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range units = { 0 };
    deis_autorange struct deis_etcd_range states = { 0 };
    int r = list_prefix(etcd, "units/", &units, err);

    if (r == 0) {
        r = list_prefix(etcd, "states/", &states, err);
    }
    for (size_t i = 0; r == 0 && i < units.count; i++) {
        add_unit_row(t, &units.kvs[i], &states);
    }
    return r;
}

int command_list(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err)
{
    static const char *const titles[] = { "UNIT", "MACHINE", "STATE", "ADDRESS" };
    struct table t;

    if (argc != 1) {
        return deis_err_set(err, DEIS_INVALID, "'%.64s' is not expected", argv[1]);
    }
    table_init(&t, titles, DEIS_COUNT(titles));
    int r = add_services(etcd, &t, NULL, err);
    if (r == 0) {
        r = add_units(etcd, &t, err);
    }
    if (r < 0) {
        table_clear(&t);
        return r;
    }
    print_table(&t);
    return 0;
}

static bool has_key(const struct deis_etcd_range *range, const char *key)
{
    for (size_t i = 0; i < range->count; i++) {
        if (strcmp(range->kvs[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static void add_machine_row(struct table *t, const struct deis_etcd_kv *kv,
                            const struct deis_etcd_range *machines)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_machine m;
    char presence[DEIS_KEY_MAX];
    char cpus[16];

    if (deis_machine_parse(kv->value, &m, &err) < 0) {
        table_add(t, (const char *[]){ kv->key, "-", "-", "unreadable", "-", err.msg });
        return;
    }
    deis_autofree char *metadata = m.metadata ? deis_json_dump(m.metadata) : NULL;
    snprintf(cpus, sizeof(cpus), "%u", m.cpus);
    deis_key(presence, "machines/%s/presence", m.id);
    table_add(t, (const char *[]){ m.id, m.hostname, m.address,
                                   has_key(machines, presence) ? "present" : "absent", cpus,
                                   metadata });
    deis_machine_clear(&m);
}

int command_machines(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err)
{
    static const char *const titles[] = { "MACHINE", "HOSTNAME", "ADDRESS",
                                          "STATE",   "CPUS",     "METADATA" };
    deis_autorange struct deis_etcd_range machines = { 0 };
    struct table t;

    if (argc != 1) {
        return deis_err_set(err, DEIS_INVALID, "'%.64s' is not expected", argv[1]);
    }
    int r = list_prefix(etcd, "machines/", &machines, err);
    if (r < 0) {
        return r;
    }
    table_init(&t, titles, DEIS_COUNT(titles));
    for (size_t i = 0; i < machines.count; i++) {
        if (!deis_str_ends(deis_str(machines.kvs[i].key), "/presence")) {
            add_machine_row(&t, &machines.kvs[i], &machines);
        }
    }
    print_table(&t);
    return 0;
}

/* Every component must be registered; one that is not is what an operator has to look at. */
static int status_platform(struct deis_etcd *etcd, struct deis_err *err)
{
    static const char *const titles[] = { "COMPONENT", "INSTANCES", "STATE" };
    struct table t;
    unsigned missing = 0;

    table_init(&t, titles, DEIS_COUNT(titles));
    for (size_t i = 0; i < DEIS_COUNT(components); i++) {
        deis_autorange struct deis_etcd_range instances = { 0 };
        char prefix[DEIS_KEY_MAX];
        char count[24];

        snprintf(prefix, sizeof(prefix), "services/%s/", components[i]);
        int r = list_prefix(etcd, prefix, &instances, err);
        if (r < 0) {
            table_clear(&t);
            return r;
        }
        snprintf(count, sizeof(count), "%zu", instances.count);
        missing += instances.count == 0;
        table_add(&t,
                  (const char *[]){ components[i], count, instances.count > 0 ? "up" : "down" });
    }
    print_table(&t);
    return missing == 0 ? 0
                        : deis_err_set(err, DEIS_UNAVAILABLE, "%u component%s down", missing,
                                       missing == 1 ? " is" : "s are");
}

static int status_unit(struct deis_etcd *etcd, const char *name, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char key[DEIS_KEY_MAX];
    struct deis_unit u;
    struct deis_unit_state s = { 0 };

    if (strlen(name) > 200) {
        return deis_err_set(err, DEIS_INVALID, "the name of the unit is too long");
    }
    int r = deis_etcd_get(etcd, deis_key(key, "units/%s", name), &range, err);
    if (r == DEIS_NOT_FOUND) {
        return deis_err_set(err, r, "no component and no unit is called '%s'", name);
    }
    if (r < 0 || (r = deis_unit_parse(range.kvs[0].value, &u, err)) < 0) {
        return r;
    }
    deis_etcd_range_clear(&range);
    printf("unit:     %s\nmachine:  %s\nimage:    %s\n", u.unit, u.machine, u.image);
    deis_key(key, "states/%s/%s", u.machine, u.unit);
    deis_unit_clear(&u);
    r = deis_etcd_get(etcd, key, &range, err);
    if (r == DEIS_NOT_FOUND) {
        printf("state:    pending\n");
        return 0;
    }
    if (r < 0 || (r = deis_unit_state_parse(range.kvs[0].value, &s, err)) < 0) {
        return r;
    }
    printf("state:    %s%s\naddress:  %s\nrestarts: %u\n", deis_state_name(s.state),
           s.ready ? ", ready" : "", s.address, s.exits);
    if (s.reason[0] != '\0') {
        table_clean(s.reason);
        printf("reason:   %s\n", s.reason);
    }
    deis_unit_state_clear(&s);
    return 0;
}

int command_status(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err)
{
    static const char *const titles[] = { "INSTANCE", "MACHINE", "STATE", "ADDRESS" };

    if (argc == 1) {
        return status_platform(etcd, err);
    }
    if (argc != 2) {
        return deis_err_set(err, DEIS_INVALID, "'%.64s' is not expected", argv[2]);
    }
    for (size_t i = 0; i < DEIS_COUNT(components); i++) {
        if (strcmp(argv[1], components[i]) == 0) {
            struct table t;
            table_init(&t, titles, DEIS_COUNT(titles));
            int r = add_services(etcd, &t, argv[1], err);
            bool none = t.rows == 1;
            if (r < 0) {
                table_clear(&t);
                return r;
            }
            print_table(&t);
            return none ? deis_err_set(err, DEIS_UNAVAILABLE, "%s is down", argv[1]) : 0;
        }
    }
    return status_unit(etcd, argv[1], err);
}
