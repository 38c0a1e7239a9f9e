/* SPDX-License-Identifier: MIT */
#include "controller/core/access.h"

bool access_is_app(enum access_right right)
{
    return right == ACCESS_APP_USE || right == ACCESS_APP_OWN || right == ACCESS_APP_REVOKE;
}

enum access_verdict access_judge_route(enum access_right right, const struct access_caller *caller)
{
    switch (right) {
    case ACCESS_ANYONE: return ACCESS_OK;
    case ACCESS_HOOK:
        if (caller->builder) {
            return ACCESS_OK;
        }
        return caller->known ? ACCESS_FORBIDDEN : ACCESS_UNKNOWN;
    case ACCESS_ADMIN:
        if (!caller->known) {
            return ACCESS_UNKNOWN;
        }
        return caller->admin ? ACCESS_OK : ACCESS_FORBIDDEN;
    case ACCESS_USER:
    case ACCESS_APP_USE:
    case ACCESS_APP_OWN:
    case ACCESS_APP_REVOKE: break;
    }
    return caller->known ? ACCESS_OK : ACCESS_UNKNOWN;
}

enum access_verdict access_judge_app(enum access_right right, const struct access_caller *caller,
                                     const struct access_relation *relation)
{
    bool owns = caller->admin || relation->owner;
    bool may = false;

    if (!caller->known) {
        return ACCESS_UNKNOWN;
    }
    switch (right) {
    case ACCESS_APP_USE: may = owns || relation->collaborator; break;
    case ACCESS_APP_OWN: may = owns; break;
    case ACCESS_APP_REVOKE: may = owns || (relation->collaborator && relation->self); break;
    case ACCESS_ANYONE:
    case ACCESS_USER:
    case ACCESS_ADMIN:
    case ACCESS_HOOK: may = access_judge_route(right, caller) == ACCESS_OK; break;
    }
    return may ? ACCESS_OK : ACCESS_FORBIDDEN;
}
