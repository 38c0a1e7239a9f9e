/* SPDX-License-Identifier: MIT */
#include "controller/api.h"
#include "controller/logs.h"

#include "lib/net/log.h"
#include "lib/wire/url.h"

#define LINES_DEFAULT 1000
#define LINES_ODD     100
#define LINES_MAX     10000
#define TEXT_MAX      ((size_t)16 << 20)

static uint32_t wanted_lines(struct deis_str query)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(64);
    uint64_t n = 0;

    if (deis_url_query_get(query, "log_lines", &text, NULL) < 0) {
        return LINES_DEFAULT;
    }
    if (deis_str_to_u64(deis_buf_str(&text), 1, UINT32_MAX, &n, NULL) < 0) {
        return LINES_ODD;
    }
    return n > LINES_MAX ? LINES_MAX : (uint32_t)n;
}

/* A query parameter, yours; NULL when absent or empty. */
static char *parameter(struct deis_str query, const char *name)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(128);

    if (deis_url_query_get(query, name, &text, NULL) < 0 || text.len == 0 ||
        deis_buf_failed(&text)) {
        return NULL;
    }
    return deis_strdup(text.data);
}

void handle_apps_logs(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX);
    uint32_t lines = wanted_lines(deis_str(a->query));
    deis_autofree char *process = parameter(deis_str(a->query), "process");
    deis_autofree char *follow = parameter(deis_str(a->query), "follow");
    size_t len;

    if (follow && strcmp(follow, "true") == 0 && strcmp(a->method, "GET") == 0) {
        a->kind = API_FOLLOW;
        a->status = 200;
        a->follow_process = DEIS_TAKE(process);
        a->follow_lines = lines;
        return;
    }
    if (logs_read(a->ctl, a->app_id, lines, process, &text, &err) < 0 || deis_buf_failed(&text)) {
        deis_warn("log not read", KV_S("app", a->app_id), KV_ERR(&err));
        char *message = deis_asprintf("Error accessing logs for %s", a->app_id);
        api_text(a, 500, "text/plain", message, strlen(message));
    } else if (text.len == 0) {
        api_empty(a, 204);
    } else {
        char *body = deis_buf_take(&text, &len);
        api_text(a, 200, "text/plain", body, len);
    }
}
