/* SPDX-License-Identifier: MIT */
#include "controller/api.h"

#include "controller/gate.h"

#include "lib/net/log.h"

#define KEPT_MAX      ((size_t)16 << 20) /* of a page's text */
#define LARGE_WAIT_MS 10000
#define LARGE_RETRY_S 5

void api_free(struct api *a)
{
    route_match_clear(&a->match);
    free(a->method);
    free(a->path);
    free(a->query);
    free(a->content_type);
    free(a->authorization);
    free(a->builder_auth);
    free(a->source);
    if (a->raw_body) {
        explicit_bzero(a->raw_body, a->raw_body_len);
    }
    free(a->raw_body);
    json_decref(a->body);
    free(a->user);
    free(a->app_id);
    json_decref(a->app);
    for (size_t i = 0; i < a->ahead.count; i++) {
        deis_etcd_range_clear(&a->ahead.ranges[i]);
    }
    json_decref(a->doc);
    free(a->text);
    free(a->follow_process);
    free(a);
}

static void answer(struct api *a, int status, enum api_kind kind)
{
    json_decref(a->doc);
    a->doc = NULL;
    free(a->text);
    a->text = NULL;
    a->status = status;
    a->kind = kind;
}

void api_json(struct api *a, int status, json_t *doc)
{
    answer(a, status, API_JSON);
    a->doc = doc;
}

void api_empty(struct api *a, int status)
{
    answer(a, status, API_EMPTY);
}

void api_text(struct api *a, int status, const char *type, char *text, size_t len)
{
    answer(a, status, API_TEXT);
    a->type = type;
    a->text = text;
    a->text_len = len;
}

void api_session(struct api *a)
{
    answer(a, 101, API_SESSION);
}

void api_detail(struct api *a, int status, const char *format, ...)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(65536);
    va_list args;

    va_start(args, format);
    deis_buf_vaddf(&text, format, args);
    va_end(args);
    api_json(a, status, json_pack("{s:o}", "detail", deis_json_text(deis_buf_str(&text))));
}

void api_not_found(struct api *a)
{
    api_detail(a, 404, "Not found");
}

void api_forbidden(struct api *a)
{
    api_detail(a, 403, "You do not have permission to perform this action.");
}

void api_invalid(struct api *a, struct fields *f)
{
    api_json(a, 400, fields_take_errors(f));
}

void api_error(struct api *a, const struct deis_err *err)
{
    switch (err->code) {
    case DEIS_NOT_FOUND: api_not_found(a); return;
    case DEIS_DENIED: api_forbidden(a); return;
    case DEIS_INVALID: api_detail(a, 400, "%s", err->msg); return;
    case DEIS_CONFLICT: api_detail(a, 409, "%s", err->msg); return;
    case DEIS_LIMIT: api_detail(a, 413, "%s", err->msg); return;
    case DEIS_UNAVAILABLE:
    case DEIS_TIMEOUT:
        deis_warn("request not served", KV_S("request", a->id), KV_ERR(err));
        api_detail(a, 503, "The platform's store can't be reached, try again: %s", err->msg);
        return;
    case DEIS_OK:
    case DEIS_PROTOCOL:
    case DEIS_SYSTEM:
    case DEIS_INTERNAL:
    case DEIS_CANCELLED: break;
    }
    deis_error("request failed", KV_S("request", a->id), KV_S("path", a->path), KV_ERR(err));
    api_detail(a, 503, "The platform failed, try again (request %s)", a->id);
}

const char *api_param(const struct api *a, const char *name)
{
    return route_param(&a->match, name);
}

static void page_answer(struct api *a, const struct page *p, size_t count, json_t *rows)
{
    settings_auto struct settings s = { 0 };

    settings_get(a->ctl->settings, &s);
    deis_autofree char *base = settings_url(&s, s.subdomain);
    deis_autofree char *url = deis_asprintf("%s%s", base, a->path);
    api_json(a, 200, page_wrap(p, count, rows, url, deis_str(a->query)));
}

/* The rows of the page, a new array; NULL: answered. */
static json_t *page_rows(struct api *a, const json_t *all, struct page *p)
{
    struct deis_err err = DEIS_ERR_INIT;
    size_t first, count;

    if (page_parse(deis_str(a->query), p, &err) < 0 ||
        page_window(p, json_array_size(all), &first, &count, &err) < 0) {
        api_error(a, &err);
        return NULL;
    }
    json_t *rows = json_array();
    for (size_t i = first; i < first + count; i++) {
        json_array_append(rows, json_array_get(all, i));
    }
    return rows;
}

/* A page as text: begin it, append its rows with commas between them, end it. */
static void begin_text(struct api *a, const struct page *p, size_t count, struct deis_buf *text)
{
    page_answer(a, p, count, json_array());
    deis_autofree char *frame = deis_json_dump(a->doc); /* ends with an empty list and "}" */
    deis_buf_add_str(text, deis_str_n(frame, strlen(frame) - 2));
}

static void end_text(struct api *a, struct deis_buf *text)
{
    size_t len;

    deis_buf_add_cstr(text, "]}");
    if (deis_buf_failed(text)) {
        api_detail(a, 413, "The page is too large, ask for a smaller page_size");
        return;
    }
    char *body = deis_buf_take(text, &len);
    api_text(a, 200, "application/json", body, len);
}

void api_page_kept(struct api *a, const struct deis_etcd_range *docs)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(KEPT_MAX);
    struct deis_err err = DEIS_ERR_INIT;
    struct page p;
    size_t first, count;

    if (page_parse(deis_str(a->query), &p, &err) < 0 ||
        page_window(&p, docs->count, &first, &count, &err) < 0) {
        api_error(a, &err);
        return;
    }
    begin_text(a, &p, docs->count, &text);
    for (size_t i = first; i < first + count; i++) {
        deis_buf_add_cstr(&text, i > first ? "," : "");
        deis_buf_add_str(&text, docs->kvs[i].value);
    }
    end_text(a, &text);
}

void api_page(struct api *a, json_t *docs)
{
    struct page p;
    deis_autojson json_t *all = docs;
    json_t *rows = page_rows(a, all, &p);

    if (rows) {
        page_answer(a, &p, json_array_size(all), rows);
    }
}

static void page_named(struct api *a, const char *prefix, json_t *names, size_t step,
                       json_t *(*show)(json_t *doc))
{
    struct deis_err err = DEIS_ERR_INIT;
    struct page p;
    deis_autojson json_t *all = names;
    deis_autojson json_t *wanted = page_rows(a, all, &p);
    deis_autojson json_t *docs = NULL;
    json_t *doc;
    size_t i;

    if (!wanted) {
        return;
    }
    if (store_get_named(a->ctl, prefix, wanted, step, &docs, &err) < 0) {
        api_error(a, &err);
        return;
    }
    json_t *rows = json_array();
    json_array_foreach(docs, i, doc)
    {
        json_array_append_new(rows, show ? show(doc) : json_incref(doc));
    }
    page_answer(a, &p, json_array_size(all), rows);
}

void api_page_named(struct api *a, const char *prefix, json_t *names, json_t *(*show)(json_t *doc))
{
    page_named(a, prefix, names, STORE_SMALL_STEP, show);
}

void api_page_large(struct api *a, const char *prefix, json_t *names, size_t step,
                    json_t *(*show)(json_t *doc))
{
    if (gate_enter(a->ctl->large, "", LARGE_WAIT_MS)) {
        page_named(a, prefix, names, step, show);
        gate_leave(a->ctl->large, "");
    } else {
        json_decref(names);
        a->retry_after_s = LARGE_RETRY_S;
        api_detail(a, 503, "Too many large lists are asked for at once, try again");
    }
}

struct rows {
    struct deis_buf *text;
    size_t count;
    void (*add)(struct deis_buf *out, struct deis_str doc, const void *arg);
    const void *arg;
};

static void add_row(const struct deis_etcd_kv *kv, void *arg)
{
    struct rows *rows = arg;

    deis_buf_add_cstr(rows->text, rows->count++ > 0 ? "," : "");
    rows->add(rows->text, kv->value, rows->arg);
}

/* Lines first .. first + count as an array of texts. */
static json_t *lines_of(const char *text, size_t first, size_t count)
{
    json_t *out = json_array();
    struct deis_str rest = deis_str(text), line;

    for (size_t i = 0; i < first + count && deis_str_split(&rest, '\n', &line); i++) {
        if (i >= first) {
            json_array_append_new(out, json_stringn(line.ptr, line.len));
        }
    }
    return out;
}

void api_page_listed(struct api *a, const char *prefix, const char *names, size_t count,
                     void (*add)(struct deis_buf *out, struct deis_str doc, const void *arg),
                     const void *arg)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(KEPT_MAX);
    struct deis_err err = DEIS_ERR_INIT;
    struct rows rows = { .text = &text, .add = add, .arg = arg };
    struct page p;
    size_t first, shown;

    if (page_parse(deis_str(a->query), &p, &err) < 0 ||
        page_window(&p, count, &first, &shown, &err) < 0) {
        api_error(a, &err);
        return;
    }
    deis_autojson json_t *wanted = lines_of(names, first, shown);
    begin_text(a, &p, count, &text);
    if (store_each_named(a->ctl, prefix, wanted, add_row, &rows, &err) < 0) {
        api_error(a, &err);
        return;
    }
    end_text(a, &text);
}

void api_change(struct api *a, struct change *c, const char *action, const char *object_format, ...)
{
    deis_autobuf struct deis_buf object = DEIS_BUF_INIT(1024);
    va_list args;

    va_start(args, object_format);
    deis_buf_vaddf(&object, object_format, args);
    va_end(args);
    change_begin(c, a->user, action, object.data, "done", a->id, a->source);
}

bool api_commit(struct api *a, struct change *c)
{
    struct deis_err err = DEIS_ERR_INIT;
    int r = change_commit(a->ctl, c, &err);

    if (r == DEIS_CONFLICT) {
        api_detail(a, 409, "It was changed by someone else at the same moment, try again");
    } else if (r < 0) {
        api_error(a, &err);
    }
    return r == DEIS_OK;
}
