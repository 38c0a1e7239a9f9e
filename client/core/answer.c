/* SPDX-License-Identifier: MIT */
#include "client/core/answer.h"

bool answer_is_error(int status)
{
    return status < 200 || status >= 400;
}

static void add_message(const char *key, const json_t *value, struct deis_buf *out,
                        struct deis_buf *complaint)
{
    if (json_is_string(value)) {
        deis_buf_addf(out, "%s: %s\n", key, json_string_value(value));
    } else {
        deis_buf_addf(complaint, "The answer's field '%s' is neither text nor a list of texts\n",
                      key);
    }
}

void answer_error(int status, const char *reason, struct deis_str body, struct deis_buf *out,
                  struct deis_buf *complaint)
{
    struct deis_err err;
    const char *key = NULL;
    json_t *value = NULL;
    deis_autojson json_t *obj = deis_json_parse(body, &err);

    deis_buf_addf(out, "\n%d %s\n", status, reason);
    if (json_is_null(obj)) {
        return;
    }
    if (!json_is_object(obj)) {
        deis_buf_add_str(out, body);
        deis_buf_add_char(out, '\n');
        return;
    }
    json_object_foreach(obj, key, value)
    {
        if (!json_is_array(value)) {
            add_message(key, value, out, complaint);
            continue;
        }
        for (size_t i = 0; i < json_array_size(value); i++) {
            add_message(key, json_array_get(value, i), out, complaint);
        }
    }
}

void answer_version_warning(struct deis_str server, struct deis_buf *out)
{
    if (deis_str_eq_cstr(server, ANSWER_API_VERSION)) {
        return;
    }
    deis_buf_addf(out,
                  "!    WARNING: Client and server API versions do not match. "
                  "Please consider upgrading.\n"
                  "!    Client version: " ANSWER_API_VERSION "\n"
                  "!    Server version: %.*s\n",
                  DEIS_STR_ARG(server));
}

int answer_list(const json_t *list, json_t **ret_results, long *ret_total, struct deis_err *err)
{
    json_t *results = json_object_get(list, "results");
    const json_t *count = json_object_get(list, "count");

    if (!json_is_array(results) || !json_is_integer(count)) {
        return deis_err_set(err, DEIS_PROTOCOL, "the controller's answer is no list");
    }
    *ret_results = results;
    *ret_total = (long)json_integer_value(count);
    return 0;
}

const char *answer_text(const json_t *obj, const char *key)
{
    const char *text = json_string_value(json_object_get(obj, key));

    return text ? text : "";
}
