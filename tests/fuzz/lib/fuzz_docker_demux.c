/* SPDX-License-Identifier: MIT */
/*
 * The first byte chooses what the rest is taken for, the second the size of the steps in which it
 * arrives: however it is cut, the outcome is the same.
 */
#include "lib/net/docker_client.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

static void note_object(const json_t *obj, void *arg)
{
    deis_autofree char *text = json_dumps(obj, JSON_COMPACT);
    deis_buf_add_cstr(arg, text ? text : "?");
}

static void demux(struct deis_docker_demux *x, struct deis_str piece, struct deis_buf *out)
{
    struct deis_str data;
    int stream;

    while (deis_docker_demux_feed(x, &piece, &stream, &data)) {
        check(stream == 1 || stream == 2);
        for (size_t i = 0; i < data.len; i++) {
            deis_buf_add_char(out, (char)('0' + stream));
            deis_buf_add_char(out, data.ptr[i]);
        }
    }
    check(piece.len == 0);
}

static void run_frames(struct deis_str input, size_t step, struct deis_buf *out)
{
    struct deis_docker_demux x = { 0 };

    for (; input.len > 0; input = deis_str_skip(input, step)) {
        demux(&x, deis_str_first(input, step), out);
    }
}

static void run_lines(struct deis_str input, size_t step, struct deis_buf *out)
{
    struct docker_lines l;

    docker_lines_init(&l);
    for (; input.len > 0; input = deis_str_skip(input, step)) {
        if (docker_lines_feed(&l, deis_str_first(input, step), note_object, out, NULL) < 0) {
            break;
        }
    }
    docker_lines_end(&l, note_object, out);
    docker_lines_clear(&l);
}

static void run_answer(struct deis_str input, size_t step, struct deis_buf *out)
{
    struct docker_answer a;
    struct deis_err err = DEIS_ERR_INIT;
    enum deis_h1_result r = DEIS_H1_MORE;

    docker_answer_init(&a);
    for (; input.len > 0 && r == DEIS_H1_MORE; input = deis_str_skip(input, step)) {
        struct deis_str piece = deis_str_first(input, step);
        while (piece.len > 0 && r == DEIS_H1_MORE) {
            struct deis_str data;
            size_t before = piece.len;
            r = docker_answer_feed(&a, &piece, &data, &err);
            check(r != DEIS_H1_MORE || piece.len < before);
            deis_buf_add_str(out, data);
        }
    }
    check(r != DEIS_H1_BAD || err.code != DEIS_OK);
    deis_buf_addf(out, "|%d %d", (int)r, a.status);
    docker_answer_clear(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    void (*run)(struct deis_str input, size_t step, struct deis_buf * out) =
        data[0] == 'f'   ? run_frames
        : data[0] == 'l' ? run_lines
                         : run_answer;
    struct deis_str input = deis_str_n((const char *)data + 2, size - 2);
    deis_autobuf struct deis_buf whole = DEIS_BUF_INIT(SIZE_MAX / 4);
    deis_autobuf struct deis_buf parts = DEIS_BUF_INIT(SIZE_MAX / 4);

    run(input, input.len > 0 ? input.len : 1, &whole);
    run(input, (size_t)data[1] + 1, &parts);
    check(deis_str_eq(deis_buf_str(&whole), deis_buf_str(&parts)));
    return 0;
}
