/* SPDX-License-Identifier: MIT */
/* The Engine's streams, the pure part: frames of two streams in one, lines of JSON, and answers. */
#include "lib/net/docker_client.h"

/* --- frames: kind, three zero bytes, length, big endian --- */

bool deis_docker_demux_feed(struct deis_docker_demux *x, struct deis_str *input, int *ret_stream,
                            struct deis_str *ret_data)
{
    while (input->len > 0) {
        if (x->have < sizeof(x->header)) {
            x->header[x->have++] = (unsigned char)input->ptr[0];
            *input = deis_str_skip(*input, 1);
            if (x->have == sizeof(x->header)) {
                x->left = (uint32_t)x->header[4] << 24 | (uint32_t)x->header[5] << 16 |
                          (uint32_t)x->header[6] << 8 | x->header[7];
                x->have = x->left > 0 ? x->have : 0;
            }
            continue;
        }
        *ret_stream = x->header[0] == 2 ? 2 : 1;
        *ret_data = deis_str_first(*input, x->left);
        *input = deis_str_skip(*input, ret_data->len);
        x->left -= (uint32_t)ret_data->len;
        x->have = x->left > 0 ? x->have : 0;
        return true;
    }
    return false;
}

/* --- lines --- */

void docker_lines_init(struct docker_lines *l)
{
    deis_buf_init(&l->line, DOCKER_LINE_MAX);
}

void docker_lines_clear(struct docker_lines *l)
{
    deis_buf_clear(&l->line);
}

/* Not deis_json_parse(): programs print NUL bytes, and the Engine passes them on. */
static void take_line(struct deis_str line, void (*on_object)(const json_t *obj, void *arg),
                      void *arg)
{
    deis_autojson json_t *obj =
        json_loadb(line.ptr ? line.ptr : "", line.len, JSON_ALLOW_NUL, NULL);
    if (json_is_object(obj)) {
        on_object(obj, arg);
    }
}

int docker_lines_feed(struct docker_lines *l, struct deis_str data,
                      void (*on_object)(const json_t *obj, void *arg), void *arg,
                      struct deis_err *err)
{
    for (;;) {
        ptrdiff_t end = deis_str_find(data, '\n');
        deis_buf_add_str(&l->line, end < 0 ? data : deis_str_first(data, (size_t)end));
        if (deis_buf_failed(&l->line)) {
            return deis_err_set(err, DEIS_LIMIT, "Docker Engine sent a line of more than %d bytes",
                                DOCKER_LINE_MAX);
        }
        if (end < 0) {
            return DEIS_OK;
        }
        take_line(deis_buf_str(&l->line), on_object, arg);
        deis_buf_reset(&l->line);
        data = deis_str_skip(data, (size_t)end + 1);
    }
}

void docker_lines_end(struct docker_lines *l, void (*on_object)(const json_t *obj, void *arg),
                      void *arg)
{
    take_line(deis_buf_str(&l->line), on_object, arg);
    deis_buf_reset(&l->line);
}

/* --- answers --- */

void docker_answer_init(struct docker_answer *a)
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;

    *a = (struct docker_answer){
        .head = DEIS_BUF_INIT(limits.head_max + 1),
        .refusal = DEIS_BUF_INIT(DOCKER_REFUSE_MAX),
    };
}

void docker_answer_clear(struct docker_answer *a)
{
    deis_buf_clear(&a->head);
    deis_buf_clear(&a->refusal);
}

/* Take what belongs to the head; DONE when it is complete, with the body left in *input. */
static enum deis_h1_result feed_head(struct docker_answer *a, struct deis_str *input,
                                     struct deis_err *err)
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    struct deis_h1_head head;
    size_t before = a->head.len;
    size_t used;

    struct deis_str piece = deis_str_first(*input, a->head.max_bytes - before);
    deis_buf_add_str(&a->head, piece);
    enum deis_h1_result r = deis_h1_parse_response(deis_buf_str(&a->head), DEIS_STR("POST"),
                                                   &limits, &a->scanned, &head, &used, err);
    if (r != DEIS_H1_DONE) {
        *input = deis_str_skip(*input, piece.len);
        return r;
    }
    *input = deis_str_skip(*input, used - before);
    a->status = head.status;
    /* After "101 Switching Protocols" the stream has no form, and after 200 to an attach neither.
     */
    a->framing = head.status == 101 ? DEIS_H1_UNTIL_CLOSE : head.framing;
    a->left = head.content_length;
    deis_buf_clear(&a->head);
    return DEIS_H1_DONE;
}

static enum deis_h1_result feed_body(struct docker_answer *a, struct deis_str *input,
                                     struct deis_str *ret_data, struct deis_err *err)
{
    switch (a->framing) {
    case DEIS_H1_NO_BODY: return DEIS_H1_DONE;
    case DEIS_H1_CHUNKED: return deis_h1_chunked_feed(&a->chunked, input, ret_data, err);
    case DEIS_H1_LENGTH:
        *ret_data = deis_str_first(*input, a->left);
        *input = deis_str_skip(*input, ret_data->len);
        a->left -= ret_data->len;
        return a->left > 0 ? DEIS_H1_MORE : DEIS_H1_DONE;
    case DEIS_H1_UNTIL_CLOSE:
        *ret_data = *input;
        *input = DEIS_STR_NONE;
        return DEIS_H1_MORE;
    }
    return DEIS_H1_BAD;
}

enum deis_h1_result docker_answer_feed(struct docker_answer *a, struct deis_str *input,
                                       struct deis_str *ret_data, struct deis_err *err)
{
    *ret_data = DEIS_STR_NONE;
    if (a->status == 0) {
        enum deis_h1_result r = feed_head(a, input, err);
        if (r != DEIS_H1_DONE) {
            return r;
        }
    }
    enum deis_h1_result r = feed_body(a, input, ret_data, err);
    if (a->status < 400 || r == DEIS_H1_BAD) {
        return r;
    }
    deis_buf_add_str(&a->refusal, deis_str_first(*ret_data, DOCKER_REFUSE_MAX - a->refusal.len));
    *ret_data = DEIS_STR_NONE;
    if (r == DEIS_H1_MORE) {
        return r;
    }
    docker_refused(a->status, deis_buf_str(&a->refusal), err);
    return DEIS_H1_BAD;
}
