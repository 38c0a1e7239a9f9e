/* SPDX-License-Identifier: MIT */
#include "scheduler/core/unit_id.h"

#include "lib/crypto/keyring.h"

#include <stdio.h>

#define CONTENT_MAX (4u * 1024 * 1024)

/* Length first, so that no two lists of fields give the same bytes. */
static void add_text(struct deis_buf *b, const char *text)
{
    if (text) {
        deis_buf_addf(b, "%zu:%s;", strlen(text), text);
    } else {
        deis_buf_add_cstr(b, "-;");
    }
}

static void add_texts(struct deis_buf *b, char *const *v)
{
    for (; v && *v; v++) {
        add_text(b, *v);
    }
    deis_buf_add_cstr(b, v ? "|" : "-|");
}

/* By the name that sealing gave it: it is the same environment when it is sealed anew with another
 * key. */
static void add_env(struct deis_buf *b, const char *env)
{
    deis_autofree char *name = env ? deis_str_dup(deis_sealed_name(deis_str(env))) : NULL;

    add_text(b, name);
}

static void add_json(struct deis_buf *b, const json_t *value)
{
    deis_autofree char *text =
        value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;

    add_text(b, text);
}

static uint64_t restarts_of(const struct deis_process *p, uint32_t num)
{
    char name[16];

    snprintf(name, sizeof(name), "%u", num);
    return (uint64_t)(json_integer_value(json_object_get(p->restarts, "all")) +
                      json_integer_value(json_object_get(p->restarts, name)));
}

int unit_id(const struct deis_formation *f, const struct deis_process *p, uint32_t num,
            unit_digest_fn *digest, char out[UNIT_ID_MAX], struct deis_err *err)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(CONTENT_MAX);
    char hash[65];

    add_text(&b, f->image);
    add_env(&b, f->env);
    add_texts(&b, p->entrypoint);
    add_texts(&b, p->command);
    add_json(&b, p->tags);
    deis_buf_addf(&b, "%u;%llu;%u;%d;%llu;", f->release, (unsigned long long)p->memory_bytes,
                  p->cpu_shares, p->routable, (unsigned long long)restarts_of(p, num));
    add_text(&b, f->health.path);
    deis_buf_addf(&b, "%llu;%llu;", (unsigned long long)f->health.delay_ms,
                  (unsigned long long)f->health.timeout_ms);
    if (deis_buf_failed(&b)) {
        return deis_err_set(err, DEIS_INVALID, "formation of '%s' is too large", f->app);
    }
    digest(deis_buf_str(&b), hash);
    int n = snprintf(out, UNIT_ID_MAX, "%s_v%u.%s.%u-%.8s", f->app, f->release, p->type, num, hash);
    if (n < 0 || n >= UNIT_ID_MAX) {
        return deis_err_set(err, DEIS_INVALID, "name of a unit of '%.64s' is too long", f->app);
    }
    return 0;
}

static char *copy(const char *text)
{
    return text ? deis_strdup(text) : NULL;
}

void unit_document(const struct deis_formation *f, const struct deis_process *p, uint32_t num,
                   const char *id, struct deis_unit *ret)
{
    *ret = (struct deis_unit){
        .unit = deis_strdup(id),
        .app = deis_strdup(f->app),
        .release = f->release,
        .type = deis_strdup(p->type),
        .num = num,
        .desired = DEIS_DESIRED_RUN,
        .image = copy(f->image),
        .env = copy(f->env),
        .entrypoint = deis_strv_copy(p->entrypoint),
        .command = deis_strv_copy(p->command),
        .memory_bytes = p->memory_bytes,
        .cpu_shares = p->cpu_shares,
        .routable = p->routable,
        .grace_ms = f->grace_ms,
        .start_timeout_ms = f->start_timeout_ms,
        .health = { .path = copy(f->health.path),
                    .delay_ms = f->health.delay_ms,
                    .timeout_ms = f->health.timeout_ms },
    };
}
