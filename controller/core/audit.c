/* SPDX-License-Identifier: MIT */
#include "controller/core/audit.h"

bool audit_matches(const json_t *entry, const char *user, const char *app)
{
    const char *who = json_string_value(json_object_get(entry, "user"));
    const char *object = json_string_value(json_object_get(entry, "object"));

    if (user && (!who || strcmp(who, user) != 0)) {
        return false;
    }
    if (!app) {
        return true;
    }
    if (!object || strncmp(object, "app/", 4) != 0) {
        return false;
    }
    size_t len = strlen(app);
    return strncmp(object + 4, app, len) == 0 && strchr("/ ", object[4 + len]) != NULL;
}
