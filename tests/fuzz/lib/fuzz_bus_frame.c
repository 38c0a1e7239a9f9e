/* SPDX-License-Identifier: MIT */
/*
 * Frames as a peer may send them. The first byte says how: as they are, or the rest as the plain
 * text of a well sealed request or answer, so that what is behind the seal is reached too.
 */
#include "log.pb-c.h"

#include "lib/net/bus_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct deis_frame_gate *gate;
static struct deis_frame_sealer *sealer;
static struct deis_frame_opener *opener;

static void start(void)
{
    struct deis_key key;

    memset(key.bytes, 1, sizeof(key.bytes));
    memset(key.id, 1, sizeof(key.id));
    gate = deis_frame_gate_new(&key, 0);
    sealer = deis_frame_sealer_new(&key, "fuzz");
    opener = deis_frame_opener_new(&key);
}

static void unpack_request(const struct deis_frame *f)
{
    Deis__BusRequest *request =
        (Deis__BusRequest *)deis_bus_unpack(&deis__bus_request__descriptor, f->body, f->body_len);

    if (request) {
        ProtobufCMessage *msg = deis_bus_unpack(&deis__log_append__descriptor,
                                                request->payload.data, request->payload.len);
        protobuf_c_message_free_unpacked(msg, NULL);
    }
    protobuf_c_message_free_unpacked((ProtobufCMessage *)request, NULL);
}

static void as_is(const uint8_t *data, size_t size)
{
    struct deis_frame f;
    struct deis_frame_ref ref = { { 0 }, 1 };
    deis_autofree uint8_t *copy = deis_alloc(size + 1);

    memcpy(copy, data, size);
    if (deis_frame_gate_open(gate, copy, size, 0, &f, NULL) == 0) {
        abort(); /* it can't know the key */
    }
    memcpy(copy, data, size);
    if (deis_frame_open_answer(opener, &ref, copy, size, &f, NULL) == 0) {
        abort();
    }
}

static void sealed(const uint8_t *data, size_t size, bool answer)
{
    struct deis_frame f;
    struct deis_frame_ref ref = { { 0 }, 1 };
    size_t len = size + deis_frame_overhead(sealer);
    deis_autofree uint8_t *frame = deis_alloc(len);

    memcpy(frame + deis_frame_head_size(sealer), data, size);
    deis_frame_seal(sealer, deis_frame_gate_token(gate), answer ? &ref : NULL, frame, size);
    if (!answer) {
        if (deis_frame_gate_open(gate, frame, len, 0, &f, NULL) != 0 || f.body_len != size ||
            memcmp(f.body, data, size) != 0) {
            abort();
        }
        unpack_request(&f);
        return;
    }
    if (deis_frame_open_answer(opener, &ref, frame, len, &f, NULL) != 0) {
        abort();
    }
    ProtobufCMessage *msg = deis_bus_unpack(&deis__bus_answer__descriptor, f.body, f.body_len);
    if (msg) {
        ProtobufCMessage *payload = NULL;
        struct deis_err err;
        if (deis_bus_answer_result((const Deis__BusAnswer *)msg, "fuzz",
                                   &deis__log_lines__descriptor, &payload, &err) == 0) {
            protobuf_c_message_free_unpacked(payload, NULL);
        }
        protobuf_c_message_free_unpacked(msg, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!gate) {
        start();
    }
    if (size == 0 || size > DEIS_FRAME_MAX - 256) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0: as_is(data + 1, size - 1); break;
    case 1: sealed(data + 1, size - 1, false); break;
    case 2: sealed(data + 1, size - 1, true); break;
    }
    return 0;
}
