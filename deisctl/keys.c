/* SPDX-License-Identifier: MIT */
/* deisctl key:list | key:add | key:activate | key:retire | key:rotate: the cluster key, changed
 * while everything runs. docs/OPERATIONS.md says how. */
#include "deisctl/core/table.h"
#include "deisctl/deisctl.h"
#include "deisctl/keyfile.h"
#include "deisctl/secrets.h"
#include "deisctl/survey.h"

#include "lib/base/clock.h"
#include "lib/model/model.h"

#include <stdio.h>
#include <time.h>

#define WHY_MAX           8192
#define OUTPUT_MAX        8192
#define POLL_MS           500
#define TIMEOUT_DEFAULT_S 600

struct request {
    const char *file;
    uint64_t timeout_s;
};

/* What there is: the file, what etcd says, and what follows. */
struct situation {
    struct deis_keyring ring;
    struct survey survey;
    enum rotation_step next;
    struct deis_buf why;
};

static int parse(int argc, char **argv, struct request *ret, struct deis_err *err)
{
    bool rotate = strcmp(argv[0], "key:rotate") == 0;

    *ret = (struct request){ .file = keyfile_default(), .timeout_s = TIMEOUT_DEFAULT_S };
    for (int i = 1; i < argc; i++) {
        int r = 0;
        if (strcmp(argv[i], "--key-file") == 0 && i + 1 < argc) {
            ret->file = argv[++i];
        } else if (rotate && strcmp(argv[i], "--timeout") == 0 && i + 1 < argc) {
            r = deis_str_to_u64(deis_str(argv[++i]), 1, 86400, &ret->timeout_s, err);
        } else {
            r = deis_err_set(err, DEIS_INVALID, "'%.64s' is not understood", argv[i]);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static void situation_clear(struct situation *s)
{
    deis_keyring_clear(&s->ring);
    survey_clear(&s->survey);
    deis_buf_clear(&s->why);
}

static int look(struct deis_etcd *etcd, const struct request *q, bool count, struct situation *ret,
                struct deis_err *err)
{
    *ret = (struct situation){ .why = DEIS_BUF_INIT(WHY_MAX) };
    int r = deis_keyring_load(q->file, &ret->ring, err);

    if (r == 0) {
        r = survey_take(etcd, &ret->ring, count, &ret->survey, err);
    }
    if (r < 0) {
        situation_clear(ret);
        return r;
    }
    const struct rotation_view view = { .ring = &ret->ring,
                                        .services = ret->survey.services,
                                        .service_count = ret->survey.service_count,
                                        .values = ret->survey.values };
    ret->next = rotation_next(&view, &ret->why);
    return 0;
}

static const char *why(const struct situation *s)
{
    return s->why.len > 0 ? s->why.data : "";
}

/* --- key:list --- */

static void print_made(uint64_t made_s, char out[32])
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(31);

    snprintf(out, 32, "unknown");
    if (made_s > 0) {
        deis_time_format_model(made_s * 1000, &text);
        snprintf(out, 32, "%.*s", DEIS_STR_ARG(deis_buf_str(&text)));
    }
}

static void add_key_row(struct table *t, const struct situation *s, size_t index)
{
    char id[DEIS_KEY_ID_TEXT], made[32], values[24], held[48];
    size_t holders = 0, sealers = 0;

    deis_key_id_text(&s->ring.keys[index], id);
    print_made(s->ring.made_s[index], made);
    snprintf(values, sizeof(values), "%zu", s->survey.values[index]);
    for (size_t i = 0; i < s->survey.service_count; i++) {
        char *const *keys = s->survey.services[i].keys;
        for (size_t k = 0; keys && keys[k]; k++) {
            bool same = strcmp(keys[k], id) == 0;
            holders += same;
            sealers += same && k == 0;
        }
    }
    snprintf(held, sizeof(held), "%zu of %zu, %zu seal with it", holders, s->survey.service_count,
             sealers);
    table_add(t, (const char *[]){ id, made, rotation_state(&s->ring, index), values, held });
}

static void print_next(const struct situation *s)
{
    static const char *const texts[] = {
        [ROTATION_NONE] = "",
        [ROTATION_AWAIT_HOLD] = "Next: put the file on every machine, then 'deisctl key:activate'.",
        [ROTATION_ACTIVATE] = "Next: 'deisctl key:activate'.",
        [ROTATION_AWAIT_SEAL] = "Next: put the file on every machine.",
        [ROTATION_AWAIT_VALUES] = "Next: wait, the services seal them anew; then 'deisctl "
                                  "key:retire'.",
        [ROTATION_RETIRE] = "Next: 'deisctl key:retire'.",
        [ROTATION_AWAIT_FORGET] = "Next: put the file on every machine.",
    };

    if (s->why.len > 0) {
        printf("%s\n", why(s));
    }
    if (*texts[s->next]) {
        printf("%s\n", texts[s->next]);
    }
}

static int list(struct deis_etcd *etcd, const struct request *q, struct deis_err *err)
{
    static const char *const titles[] = { "KEY", "MADE", "STATE", "VALUES", "HELD BY" };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUTPUT_MAX);
    struct situation s;
    struct table t;
    int r = look(etcd, q, true, &s, err);

    if (r < 0) {
        return r;
    }
    table_init(&t, titles, DEIS_COUNT(titles));
    for (size_t i = 0; i < s.ring.count; i++) {
        add_key_row(&t, &s, i);
    }
    table_format(&t, &out);
    printf("%.*s", DEIS_STR_ARG(deis_buf_str(&out)));
    table_clear(&t);
    if (s.survey.foreign > 0) {
        printf("%zu values are sealed with keys that are not in this file, such as %s\n",
               s.survey.foreign, s.survey.foreign_key);
    }
    if (s.survey.open_secret) {
        printf("%s is not sealed; 'deisctl key:rotate' or setting it again seals it\n",
               s.survey.open_secret);
    }
    print_next(&s);
    situation_clear(&s);
    return 0;
}

/* --- changes of the file --- */

static int do_add(struct deis_keyring *ring, void *arg, struct deis_err *err)
{
    if (ring->count > 1) {
        return deis_err_set(err, DEIS_CONFLICT,
                            "a change of keys is under way, 'deisctl key:list' shows it");
    }
    return deis_keyring_add(ring, deis_wall_ms() / 1000, err);
}

/* The file must be the one that was looked at. */
static int check_same(const struct deis_keyring *ring, const struct deis_keyring *seen,
                      struct deis_err *err)
{
    bool same = ring->count == seen->count;

    for (size_t i = 0; same && i < ring->count; i++) {
        same = memcmp(ring->keys[i].id, seen->keys[i].id, sizeof(ring->keys[i].id)) == 0;
    }
    return same ? 0 : deis_err_set(err, DEIS_CONFLICT, "the key file has changed, try again");
}

static int do_activate(struct deis_keyring *ring, void *arg, struct deis_err *err)
{
    int r = check_same(ring, arg, err);

    if (r == 0) {
        deis_keyring_promote(ring, rotation_newest(ring));
    }
    return r;
}

static int do_retire(struct deis_keyring *ring, void *arg, struct deis_err *err)
{
    int r = check_same(ring, arg, err);

    if (r == 0) {
        ring->count = 1;
    }
    return r;
}

/* The file has changed whether or not etcd takes the entry. */
static void note(struct deis_etcd *etcd, const char *action, const char *key_id)
{
    deis_autobuf struct deis_buf now = DEIS_BUF_INIT(64);
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX], id[17];

    deis_time_format_model(deis_wall_ms(), &now);
    deis_random_hex(id, 8);
    deis_autojson json_t *entry = rotation_audit(action, key_id, now.data, id);
    deis_autofree char *text = deis_json_dump(entry);
    deis_key(key, "audit/%013llu-%s", (unsigned long long)deis_wall_ms(), id);
    if (deis_etcd_put(etcd, key, deis_str(text), 0, &err) < 0) {
        fprintf(stderr, "deisctl: not in the audit: %s\n", err.msg);
    }
}

static void say(struct deis_etcd *etcd, const char *action, const struct deis_keyring *ring,
                size_t index, const char *what, const char *file)
{
    char id[DEIS_KEY_ID_TEXT];

    deis_key_id_text(&ring->keys[index], id);
    printf("key %s %s %s\n", id, what, file);
    fflush(stdout);
    note(etcd, action, id);
}

static int add(struct deis_etcd *etcd, const struct request *q, struct deis_err *err)
{
    struct deis_keyring ring;
    struct situation s;
    int r = look(etcd, q, false, &s, err);

    if (r < 0) {
        return r;
    }
    /* A service of an older version could not read a file with two keys. */
    if (s.next == ROTATION_AWAIT_FORGET) {
        r = deis_err_set(err, DEIS_CONFLICT, "%s", why(&s));
    }
    situation_clear(&s);
    if (r == 0) {
        r = keyfile_change(q->file, do_add, NULL, &ring, err);
    }
    if (r == 0) {
        say(etcd, "key.add", &ring, ring.count - 1, "was added to", q->file);
        deis_keyring_clear(&ring);
    }
    return r;
}

static int activate(struct deis_etcd *etcd, const struct request *q, struct situation *s,
                    struct deis_err *err)
{
    struct deis_keyring ring;

    if (s->next != ROTATION_ACTIVATE) {
        return s->why.len > 0 && s->next == ROTATION_AWAIT_HOLD
                   ? deis_err_set(err, DEIS_CONFLICT, "%s", why(s))
                   : deis_err_set(err, DEIS_CONFLICT,
                                  "there is no new key in '%s': 'deisctl key:add' makes one",
                                  q->file);
    }
    int r = keyfile_change(q->file, do_activate, &s->ring, &ring, err);
    if (r == 0) {
        say(etcd, "key.activate", &ring, 0, "seals now, in", q->file);
        deis_keyring_clear(&ring);
    }
    return r;
}

static int retire(struct deis_etcd *etcd, const struct request *q, struct situation *s,
                  struct deis_err *err)
{
    struct deis_keyring ring;

    if (s->ring.count == 1) {
        return deis_err_set(err, DEIS_CONFLICT, "there is only one key in '%s'", q->file);
    }
    if (s->next != ROTATION_RETIRE) {
        return s->next == ROTATION_ACTIVATE ? deis_err_set(err, DEIS_CONFLICT,
                                                           "the new key does not seal yet: "
                                                           "'deisctl key:activate' comes first")
                                            : deis_err_set(err, DEIS_CONFLICT, "%s", why(s));
    }
    int r = keyfile_change(q->file, do_retire, &s->ring, &ring, err);
    if (r == 0) {
        say(etcd, "key.retire", &ring, 0, "is the only one now, in", q->file);
        deis_keyring_clear(&ring);
    }
    return r;
}

static int seal_settings(struct deis_etcd *etcd, const struct request *q, struct deis_err *err)
{
    struct deis_keyring ring;
    int r = deis_keyring_load(q->file, &ring, err);

    if (r == 0) {
        r = secrets_reseal(etcd, &ring, err);
        deis_keyring_clear(&ring);
    }
    return r;
}

/* --- key:rotate --- */

static void wait_a_little(void)
{
    const struct timespec t = { .tv_nsec = POLL_MS * 1000000L };

    nanosleep(&t, NULL);
}

/* One step of a change that is under way; *ret_done when there is none (any more). */
static int advance(struct deis_etcd *etcd, const struct request *q, struct deis_buf *said,
                   bool *ret_done, struct deis_err *err)
{
    struct situation s;
    int r = look(etcd, q, true, &s, err);

    if (r < 0) {
        return r;
    }
    if (s.next == ROTATION_ACTIVATE) {
        r = activate(etcd, q, &s, err);
    } else if (s.next == ROTATION_RETIRE) {
        r = retire(etcd, q, &s, err);
    } else if (s.next == ROTATION_AWAIT_VALUES) {
        r = seal_settings(etcd, q, err);
        r = r == DEIS_CONFLICT ? 0 : r; /* somebody set one just now: the next round sees */
    }
    *ret_done = s.next == ROTATION_NONE;
    if (r == 0 && s.why.len > 0 && !deis_str_eq(deis_buf_str(&s.why), deis_buf_str(said))) {
        printf("waiting: %s\n", why(&s));
        fflush(stdout);
        deis_buf_reset(said);
        deis_buf_add(said, s.why.data, s.why.len);
    }
    situation_clear(&s);
    return r;
}

static bool may_pass(int code)
{
    return code == DEIS_UNAVAILABLE || code == DEIS_TIMEOUT;
}

static int rotate(struct deis_etcd *etcd, const struct request *q, struct deis_err *err)
{
    deis_autobuf struct deis_buf said = DEIS_BUF_INIT(WHY_MAX);
    struct situation s;
    bool done = false;
    uint64_t until = deis_now_ms() + q->timeout_s * 1000;
    int r = look(etcd, q, false, &s, err);

    if (r < 0) {
        return r;
    }
    bool fresh = s.next == ROTATION_NONE;
    bool alone = s.survey.service_count == 0;
    situation_clear(&s);
    if (alone) {
        return deis_err_set(err, DEIS_CONFLICT,
                            "no service is registered: they must run to seal their values anew");
    }
    if (fresh && (r = add(etcd, q, err)) < 0) {
        return r;
    }
    while (!done) {
        r = advance(etcd, q, &said, &done, err);
        if (r < 0 && !may_pass(r)) {
            return r;
        }
        if (!done && deis_now_ms() > until) {
            return deis_err_set(err, DEIS_TIMEOUT, "not yet: %s; 'deisctl key:rotate' goes on",
                                said.len > 0 ? said.data : "etcd does not answer");
        }
        if (!done) {
            wait_a_little();
        }
    }
    printf("done: nothing needs the old key any more but backups that were made before\n");
    return 0;
}

int command_keys(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err)
{
    struct request q;
    struct situation s;
    const char *verb = strchr(argv[0], ':') + 1;
    int r = parse(argc, argv, &q, err);

    if (r < 0) {
        return r;
    }
    if (strcmp(verb, "list") == 0) {
        return list(etcd, &q, err);
    }
    if (strcmp(verb, "add") == 0) {
        return add(etcd, &q, err);
    }
    if (strcmp(verb, "rotate") == 0) {
        return rotate(etcd, &q, err);
    }
    bool retires = strcmp(verb, "retire") == 0;
    if (retires && (r = seal_settings(etcd, &q, err)) < 0) {
        return r;
    }
    r = look(etcd, &q, retires, &s, err);
    if (r == 0) {
        r = retires ? retire(etcd, &q, &s, err) : activate(etcd, &q, &s, err);
        situation_clear(&s);
    }
    return r;
}
