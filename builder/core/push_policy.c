/* SPDX-License-Identifier: MIT */
#include "builder/core/push_policy.h"

#define ID_LEN     40
#define REF_MASTER "refs/heads/master"
#define REF_MAIN   "refs/heads/main"

static bool is_object_id(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!(s.ptr[i] >= '0' && s.ptr[i] <= '9') && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f')) {
            return false;
        }
    }
    return s.len == ID_LEN;
}

static bool is_zero_id(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '0') {
            return false;
        }
    }
    return true;
}

/* For people: control bytes of a ref name do not reach a terminal. */
static bool is_printable(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

int push_policy_check(struct deis_str lines, struct push_update *ret, struct deis_err *err)
{
    struct deis_str rest = lines;
    struct deis_str line = DEIS_STR_NONE;
    struct deis_str old_id = DEIS_STR_NONE;
    struct deis_str new_id = DEIS_STR_NONE;

    memset(ret, 0, sizeof(*ret));
    deis_str_split(&rest, '\n', &line);
    if (rest.len > 0) {
        return deis_err_set(err, DEIS_DENIED,
                            "push one branch at a time: only master or main is deployed");
    }
    struct deis_str ref = line;
    deis_str_split(&ref, ' ', &old_id);
    deis_str_split(&ref, ' ', &new_id);
    if (!is_object_id(old_id) || !is_object_id(new_id) || ref.len == 0 || !is_printable(ref)) {
        return deis_err_set(err, DEIS_PROTOCOL, "ref update can't be read");
    }
    bool is_main = deis_str_eq_cstr(ref, REF_MAIN);
    if (!is_main && !deis_str_eq_cstr(ref, REF_MASTER)) {
        struct deis_str shown = deis_str_first(ref, 100);
        return deis_err_set(
            err, DEIS_DENIED,
            "only master or main is deployed, not '%.*s'; to deploy another branch: "
            "git push deis <branch>:master",
            DEIS_STR_ARG(shown));
    }
    if (is_zero_id(new_id)) {
        return deis_err_set(err, DEIS_DENIED, "the deployed branch can't be deleted");
    }
    memcpy(ret->commit, new_id.ptr, ID_LEN);
    memcpy(ret->old, old_id.ptr, ID_LEN);
    ret->branch = is_main ? REF_MAIN : REF_MASTER;
    ret->first = is_zero_id(old_id);
    return DEIS_OK;
}
