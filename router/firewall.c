/* SPDX-License-Identifier: MIT */
#include "router/firewall/module.h"

#include <dlfcn.h>
#include <limits.h>

struct firewall {
    const struct firewall_module *module;
    struct firewall_rules *rules;
};

static const struct firewall_module *load(const char *path, struct deis_err *err)
{
    /* What it brings must not unload: C++ libraries leave things behind that are called at the
     * end. */
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!so) {
        deis_err_set(err, DEIS_UNAVAILABLE, "can't load the firewall's module: %s", dlerror());
        return NULL;
    }
    const struct firewall_module *module = dlsym(so, FIREWALL_SYMBOL);
    bool good = module && module->abi == FIREWALL_ABI;
    (void)dlclose(so);
    if (!good) {
        deis_err_set(err, DEIS_UNAVAILABLE,
                     "'%s' is no firewall module, or one of another version of the router", path);
    }
    return good ? module : NULL;
}

/* NAME.conf of NAME.so. */
static int setup_of(const char *module, char out[PATH_MAX], struct deis_err *err)
{
    struct deis_str path = deis_str(module);
    size_t cut = deis_str_ends(path, ".so") ? strlen(".so") : 0;

    if (path.len + strlen(".conf") >= PATH_MAX) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "the path of the firewall's module is too long");
    }
    (void)snprintf(out, PATH_MAX, "%.*s.conf", (int)(path.len - cut), module);
    return DEIS_OK;
}

int firewall_open(const char *module, const char *rules, struct firewall **ret,
                  struct deis_err *err)
{
    char setup[PATH_MAX];
    char fault[384];

    *ret = NULL;
    if (setup_of(module, setup, err) < 0) {
        return err->code;
    }
    const struct firewall_module *m = load(module, err);
    if (!m) {
        return err->code;
    }
    struct firewall_rules *r = m->open(setup, rules, fault, sizeof(fault));
    if (!r) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "can't load the firewall's rules: %s", fault);
    }
    struct firewall *f = deis_alloc(sizeof(*f));
    *f = (struct firewall){ m, r };
    *ret = f;
    return DEIS_OK;
}

void firewall_close(struct firewall *f)
{
    if (f) {
        f->module->close(f->rules);
        free(f);
    }
}

struct firewall_check *firewall_check_new(struct firewall *f, const struct firewall_request *r)
{
    return f->module->check_new(f->rules, r);
}

enum firewall_verdict firewall_check_head(struct firewall_check *c)
{
    return c->module->check_head(c);
}

enum firewall_verdict firewall_check_body(struct firewall_check *c, struct deis_str body,
                                          bool whole)
{
    return c->module->check_body(c, body, whole);
}

const char *firewall_check_rules(const struct firewall_check *c)
{
    return c->module->check_rules(c);
}

void firewall_check_free(struct firewall_check *c)
{
    if (c) {
        c->module->check_free(c);
    }
}
