/* SPDX-License-Identifier: MIT */
/* Request bodies: the first line is the content type, the rest the body. What is read is then
 * checked as each kind of request. */
#include "controller/core/appconfig.h"
#include "controller/core/plan.h"
#include "controller/core/release.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str body = deis_str_n((const char *)data, size);
    struct deis_str type;
    json_t *obj, *error;

    if (!deis_str_split(&body, '\n', &type)) {
        return 0;
    }
    body_parse(type, body, &obj, &error);
    if (obj) {
        struct fields f;
        fields_init(&f, obj);
        json_decref(build_parse(&f));
        fields_clear(&f);
        fields_init(&f, obj);
        deis_autojson json_t *none = appconfig_empty();
        deis_autojson json_t *change = appconfig_parse_change(&f);
        deis_autojson json_t *now = change ? appconfig_merge(none, change, &f) : NULL;
        if (now) {
            free(appconfig_summary("u", none, now));
        }
        fields_clear(&f);
        deis_autojson json_t *counts = NULL;
        struct deis_err err = DEIS_ERR_INIT;
        if (plan_parse_scale(obj, &counts, &err) == DEIS_OK) {
            json_decref(plan_scale(obj, counts));
        }
    }
    json_decref(obj);
    json_decref(error);
    return 0;
}
