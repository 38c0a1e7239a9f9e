/* SPDX-License-Identifier: MIT */
#include "controller/logs.h"

#include "controller/logline.h"

#define CALL_MS   10000
#define DELETE_MS 3000 /* who asks for it can do without */

static int call_logger(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
                       const ProtobufCMessageDescriptor *answer, uint64_t wait_ms,
                       ProtobufCMessage **ret, struct deis_err *err)
{
    char address[DEIS_KEY_MAX];

    if (!deis_directory_find(ctl->directory, "logger", "bus", address)) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "no logger is known");
    }
    return deis_bus_call_sync(ctl->bus, address, method, NULL, request, answer, wait_ms, ret, err);
}

int logs_delete(struct ctl *ctl, const char *app, struct deis_err *err)
{
    Deis__LogDelete request = DEIS__LOG_DELETE__INIT;
    char *name = deis_strdup(app);

    request.app = name;
    int r = call_logger(ctl, "logger.delete", &request.base, &deis__log_deleted__descriptor,
                        DELETE_MS, NULL, err);
    free(name);
    return r;
}

int logs_read(struct ctl *ctl, const char *app, uint32_t lines, const char *process,
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
        int r = call_logger(ctl, "logger.read", &request.base, &deis__log_lines__descriptor,
                            CALL_MS, &msg, err);
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
