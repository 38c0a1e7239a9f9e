/* SPDX-License-Identifier: MIT */
#include "controller/api.h"
#include "controller/logline.h"
#include "controller/logs.h"

#include "lib/net/log.h"
#include "lib/wire/url.h"

#define LINES_DEFAULT 1000
#define LINES_ODD     100
#define LINES_MAX     10000
#define TEXT_MAX      ((size_t)16 << 20)
#define CALL_MS       10000

void logs_add_text(struct deis_buf *out, struct deis_str text)
{
    while (text.len > 0) {
        size_t step = text.ptr[0] == '\0' ? 0 : deis_utf8_step(text);
        if (step > 0) {
            deis_buf_add(out, text.ptr, step);
        } else {
            deis_buf_add_cstr(out, "\xEF\xBF\xBD");
            step = 1;
        }
        text = deis_str_skip(text, step);
    }
}

static int call_logger(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
                       const ProtobufCMessageDescriptor *answer, ProtobufCMessage **ret,
                       struct deis_err *err)
{
    char address[DEIS_KEY_MAX];

    if (!deis_directory_find(ctl->directory, "logger", NULL, "bus", address)) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "no logger is known");
    }
    return deis_bus_call_sync(ctl->bus, address, method, NULL, request, answer, CALL_MS, ret, err);
}

int logs_delete(struct ctl *ctl, const char *app, struct deis_err *err)
{
    Deis__LogDelete request = DEIS__LOG_DELETE__INIT;
    char *name = deis_strdup(app);

    request.app = name;
    int r =
        call_logger(ctl, "logger.delete", &request.base, &deis__log_deleted__descriptor, NULL, err);
    free(name);
    return r;
}

/* The last lines of the app, in as many calls as the bus needs. */
static int read_lines(struct ctl *ctl, const char *app, uint32_t lines, const char *process,
                      struct deis_buf *out, struct deis_err *err)
{
    deis_autofree char *name = deis_strdup(app);
    deis_autofree char *filter = deis_strdup(process ? process : "");
    deis_autofree char *cursor = deis_strdup("");
    size_t got = 0;
    bool more = true;

    while (more && got < lines) {
        Deis__LogRead request = DEIS__LOG_READ__INIT;
        ProtobufCMessage *msg = NULL;
        request.app = name;
        request.lines = lines;
        request.cursor = cursor;
        request.process = filter;
        int r =
            call_logger(ctl, "logger.read", &request.base, &deis__log_lines__descriptor, &msg, err);
        if (r < 0 || !msg) {
            return r < 0 ? r : deis_err_set(err, DEIS_PROTOCOL, "the logger's answer is empty");
        }
        const Deis__LogLines *answer = (const Deis__LogLines *)(const void *)msg;
        logline_add(out, app, answer);
        got += answer->n_entries;
        more = answer->more && answer->n_entries > 0 && answer->cursor && *answer->cursor;
        if (more) {
            free(cursor);
            cursor = deis_strdup(answer->cursor);
        }
        protobuf_c_message_free_unpacked(msg, NULL);
    }
    return DEIS_OK;
}

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
    if (read_lines(a->ctl, a->app_id, lines, process, &text, &err) < 0 || deis_buf_failed(&text)) {
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
