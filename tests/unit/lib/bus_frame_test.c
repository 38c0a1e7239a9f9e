/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/net/bus_frame.h"

#define TEXT     "the text"
#define TEXT_LEN (sizeof(TEXT) - 1)
#define FRAME    256

static const uint8_t no_token[DEIS_FRAME_ID_BYTES];

static struct deis_key key_of(uint8_t fill)
{
    struct deis_key key;

    memset(key.bytes, fill, sizeof(key.bytes));
    memset(key.id, fill, sizeof(key.id));
    return key;
}

/* A client and a server that know each other. */
struct pair {
    struct deis_key key;
    struct deis_frame_sealer *client;
    struct deis_frame_sealer *server;
    struct deis_frame_gate *gate;
    struct deis_frame_opener *opener;
};

static int setup(void **state)
{
    struct pair *p = deis_alloc(sizeof(*p));

    p->key = key_of(3);
    p->client = deis_frame_sealer_new(&p->key, "controller");
    p->server = deis_frame_sealer_new(&p->key, "logger");
    p->gate = deis_frame_gate_new(&p->key, 1000);
    p->opener = deis_frame_opener_new(&p->key);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;

    deis_frame_sealer_free(p->client);
    deis_frame_sealer_free(p->server);
    deis_frame_gate_free(p->gate);
    deis_frame_opener_free(p->opener);
    free(p);
    return 0;
}

static size_t seal(struct deis_frame_sealer *s, const uint8_t *token,
                   const struct deis_frame_ref *answers, uint8_t *frame,
                   struct deis_frame_ref *ret_ref)
{
    memcpy(frame + deis_frame_head_size(s), TEXT, TEXT_LEN);
    struct deis_frame_ref ref = deis_frame_seal(s, token, answers, frame, TEXT_LEN);
    if (ret_ref) {
        *ret_ref = ref;
    }
    return TEXT_LEN + deis_frame_overhead(s);
}

static size_t seal_request(struct pair *p, uint8_t *frame, struct deis_frame_ref *ret_ref)
{
    return seal(p->client, deis_frame_gate_token(p->gate), NULL, frame, ret_ref);
}

/* Opens a copy, as opening changes the bytes. */
static int gate_open(struct pair *p, const uint8_t *frame, size_t len, struct deis_err *err)
{
    uint8_t copy[FRAME];
    struct deis_frame f;

    memcpy(copy, frame, len);
    return deis_frame_gate_open(p->gate, copy, len, 2000, &f, err);
}

static void bus_frame__request_opens_once(void **state)
{
    struct pair *p = *state;
    uint8_t frame[FRAME];
    uint8_t copy[FRAME];
    struct deis_frame f;
    struct deis_err err = DEIS_ERR_INIT;

    size_t len = seal_request(p, frame, NULL);
    assert_null(memmem(frame, len, TEXT, TEXT_LEN));
    memcpy(copy, frame, len);
    assert_int_equal(deis_frame_gate_open(p->gate, copy, len, 2000, &f, &err), 0);
    assert_string_equal(f.sender, "controller");
    assert_int_equal(f.ref.counter, 1);
    assert_int_equal(f.body_len, TEXT_LEN);
    assert_memory_equal(f.body, TEXT, TEXT_LEN);

    assert_int_equal(gate_open(p, frame, len, &err), DEIS_DENIED);
    assert_string_equal(err.msg, "frame was seen before");
    assert_int_equal(deis_frame_gate_refused(p->gate), 1);
}

static void bus_frame__each_flipped_bit_is_refused(void **state)
{
    struct pair *p = *state;
    uint8_t frame[FRAME];

    size_t len = seal_request(p, frame, NULL);
    for (size_t bit = 0; bit < len * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
        int r = gate_open(p, frame, len, NULL);
        assert_true(r < 0 && r != DEIS_CONFLICT);
        frame[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(deis_frame_gate_senders(p->gate), 0);
    assert_int_equal(gate_open(p, frame, len, NULL), 0);
}

static void bus_frame__each_shorter_or_longer_frame_is_refused(void **state)
{
    struct pair *p = *state;
    uint8_t frame[FRAME] = { 0 };

    size_t len = seal_request(p, frame, NULL);
    for (size_t n = 0; n < len; n++) {
        assert_true(gate_open(p, frame, n, NULL) < 0);
    }
    assert_int_equal(gate_open(p, frame, len + 1, NULL), DEIS_DENIED);
}

static void bus_frame__oversized_frame_is_refused_before_it_is_opened(void **state)
{
    struct pair *p = *state;
    uint8_t frame[FRAME];
    struct deis_frame f;

    seal_request(p, frame, NULL);
    /* Only the length is looked at: the bytes beyond the array don't exist. */
    assert_int_equal(deis_frame_gate_open(p->gate, frame, (size_t)2 << 30, 2000, &f, NULL),
                     DEIS_LIMIT);
}

static void bus_frame__other_key_is_refused(void **state)
{
    struct pair *p = *state;
    struct deis_key stranger = key_of(4);
    uint8_t frame[FRAME];
    struct deis_err err = DEIS_ERR_INIT;

    struct deis_frame_sealer *s = deis_frame_sealer_new(&stranger, "controller");
    size_t len = seal(s, deis_frame_gate_token(p->gate), NULL, frame, NULL);
    deis_frame_sealer_free(s);
    assert_int_equal(gate_open(p, frame, len, &err), DEIS_DENIED);
    assert_string_equal(err.msg, "frame was sealed with another cluster key");

    /* The same id in front of another key does not help. */
    memcpy(stranger.id, p->key.id, sizeof(stranger.id));
    s = deis_frame_sealer_new(&stranger, "controller");
    len = seal(s, deis_frame_gate_token(p->gate), NULL, frame, NULL);
    deis_frame_sealer_free(s);
    assert_int_equal(gate_open(p, frame, len, &err), DEIS_DENIED);
    assert_string_equal(err.msg, "frame is not authentic");
}

static void bus_frame__keys_change_without_a_greeting(void **state)
{
    struct pair *p = *state;
    struct deis_keyring both = { .count = 2, .keys = { key_of(5), p->key } };
    struct deis_keyring fresh = { .count = 1, .keys = { key_of(5) } };
    uint8_t frame[FRAME];
    uint8_t old_frame[FRAME];
    struct deis_frame_ref ref;
    struct deis_frame_ref later;
    struct deis_frame f;
    struct deis_err err = DEIS_ERR_INIT;

    size_t len = seal_request(p, frame, &ref);
    assert_int_equal(gate_open(p, frame, len, NULL), 0);
    /* The server takes both: from one that is behind, and from one that is ahead. */
    deis_frame_gate_rekey(p->gate, &both);
    len = seal_request(p, frame, NULL);
    assert_int_equal(gate_open(p, frame, len, NULL), 0);
    size_t old_len = seal_request(p, old_frame, NULL);
    deis_frame_sealer_rekey(p->client, &both.keys[0]);
    len = seal_request(p, frame, &later);
    assert_true(later.counter > ref.counter);
    assert_memory_not_equal(later.boot, ref.boot, sizeof(ref.boot));
    assert_int_equal(gate_open(p, frame, len, NULL), 0);

    /* Its answer with the new key opens for whoever has both. */
    deis_frame_sealer_rekey(p->server, &both.keys[0]);
    len = seal(p->server, deis_frame_gate_token(p->gate), &later, frame, NULL);
    assert_int_equal(deis_frame_open_answer(p->opener, &later, frame, len, &f, &err), DEIS_DENIED);
    deis_frame_opener_rekey(p->opener, &both);
    assert_int_equal(deis_frame_open_answer(p->opener, &later, frame, len, &f, &err), 0);

    /* What is left of the old key opens nothing once it is gone, known sender or not. */
    deis_frame_gate_rekey(p->gate, &fresh);
    assert_int_equal(gate_open(p, old_frame, old_len, &err), DEIS_DENIED);
    assert_string_equal(err.msg, "frame was sealed with another cluster key");
    len = seal_request(p, frame, NULL);
    assert_int_equal(gate_open(p, frame, len, NULL), 0);
}

static void bus_frame__frame_for_another_server_is_greeted_only(void **state)
{
    struct pair *p = *state;
    uint8_t frame[FRAME];
    struct deis_frame_gate *other = deis_frame_gate_new(&p->key, 1000);

    size_t len = seal(p->client, deis_frame_gate_token(other), NULL, frame, NULL);
    deis_frame_gate_free(other);
    assert_int_equal(gate_open(p, frame, len, NULL), DEIS_CONFLICT);
    assert_int_equal(gate_open(p, frame, len, NULL), DEIS_CONFLICT);
    len = seal(p->client, no_token, NULL, frame, NULL);
    assert_int_equal(gate_open(p, frame, len, NULL), DEIS_CONFLICT);
    assert_int_equal(deis_frame_gate_senders(p->gate), 0);
    assert_int_equal(deis_frame_gate_refused(p->gate), 0);
}

static void bus_frame__answer_does_not_pass_as_request(void **state)
{
    struct pair *p = *state;
    uint8_t frame[FRAME];
    struct deis_frame_ref ref = { { 1 }, 1 };

    size_t len = seal(p->server, deis_frame_gate_token(p->gate), &ref, frame, NULL);
    assert_int_equal(gate_open(p, frame, len, NULL), DEIS_DENIED);
}

static void bus_frame__request_does_not_pass_as_answer(void **state)
{
    struct pair *p = *state;
    uint8_t frame[FRAME];
    struct deis_frame_ref ref;
    struct deis_frame f;

    size_t len = seal_request(p, frame, &ref);
    assert_int_equal(deis_frame_open_answer(p->opener, &ref, frame, len, &f, NULL), DEIS_DENIED);
}

static void bus_frame__answer_fits_its_request_only(void **state)
{
    struct pair *p = *state;
    uint8_t request[FRAME];
    uint8_t frame[FRAME];
    uint8_t copy[FRAME];
    struct deis_frame_ref ref;
    struct deis_frame f;
    struct deis_err err = DEIS_ERR_INIT;

    seal_request(p, request, &ref);
    size_t len = seal(p->server, deis_frame_gate_token(p->gate), &ref, frame, NULL);
    struct deis_frame_ref wrong = ref;
    wrong.counter++;
    memcpy(copy, frame, len);
    assert_int_equal(deis_frame_open_answer(p->opener, &wrong, copy, len, &f, &err), DEIS_DENIED);
    wrong = ref;
    wrong.boot[0] ^= 1;
    memcpy(copy, frame, len);
    assert_int_equal(deis_frame_open_answer(p->opener, &wrong, copy, len, &f, &err), DEIS_DENIED);
    assert_int_equal(deis_frame_open_answer(p->opener, &ref, frame, len, &f, &err), 0);
    assert_string_equal(f.sender, "logger");
    assert_memory_equal(f.token, deis_frame_gate_token(p->gate), DEIS_FRAME_ID_BYTES);
    assert_memory_equal(f.body, TEXT, TEXT_LEN);
}

static void bus_frame__late_frames_pass_within_the_window(void **state)
{
    struct pair *p = *state;
    static uint8_t frames[1100][128];
    size_t len = 0;

    for (size_t i = 0; i < DEIS_COUNT(frames); i++) {
        len = seal_request(p, frames[i], NULL);
        assert_true(len <= sizeof(frames[i]));
    }
    /* Counters 1100, then 77..1099 in any order, are inside; 1..76 are too old. */
    assert_int_equal(gate_open(p, frames[1099], len, NULL), 0);
    assert_int_equal(gate_open(p, frames[75], len, NULL), DEIS_DENIED);
    for (size_t i = 76; i < 1099; i += 2) {
        assert_int_equal(gate_open(p, frames[i], len, NULL), 0);
    }
    for (size_t i = 77; i < 1099; i += 2) {
        assert_int_equal(gate_open(p, frames[i], len, NULL), 0);
    }
    for (size_t i = 76; i < 1100; i++) {
        assert_int_equal(gate_open(p, frames[i], len, NULL), DEIS_DENIED);
    }
}

static void bus_frame__token_outlives_one_renewal_and_idle_senders_are_forgotten(void **state)
{
    struct pair *p = *state;
    uint8_t first[FRAME];
    uint8_t second[FRAME];
    uint8_t copy[FRAME];
    struct deis_frame f;
    const uint64_t ten_minutes = 10 * 60 * 1000;

    size_t len = seal_request(p, first, NULL);
    seal_request(p, second, NULL);
    assert_int_equal(gate_open(p, first, len, NULL), 0);
    assert_int_equal(deis_frame_gate_senders(p->gate), 1);

    memcpy(copy, second, len);
    assert_int_equal(deis_frame_gate_open(p->gate, copy, len, 1000 + ten_minutes, &f, NULL), 0);
    memcpy(copy, first, len);
    assert_int_equal(deis_frame_gate_open(p->gate, copy, len, 1000 + 4 * ten_minutes, &f, NULL),
                     DEIS_CONFLICT);
    assert_int_equal(deis_frame_gate_senders(p->gate), 0);
    memcpy(copy, second, len);
    assert_int_equal(deis_frame_gate_open(p->gate, copy, len, 1000 + 4 * ten_minutes, &f, NULL),
                     DEIS_CONFLICT);
}

static void bus_frame__too_many_senders_are_all_greeted_again(void **state)
{
    struct pair *p = *state;
    uint8_t first[FRAME];
    uint8_t frame[FRAME];
    size_t most = 0;

    size_t len = seal_request(p, first, NULL);
    assert_int_equal(gate_open(p, first, len, NULL), 0);
    for (int i = 0; i < 4200; i++) {
        struct deis_frame_sealer *s = deis_frame_sealer_new(&p->key, "hook");
        len = seal(s, deis_frame_gate_token(p->gate), NULL, frame, NULL);
        int r = gate_open(p, frame, len, NULL);
        deis_frame_sealer_free(s);
        assert_true(r == 0 || r == DEIS_CONFLICT);
        if (deis_frame_gate_senders(p->gate) > most) {
            most = deis_frame_gate_senders(p->gate);
        }
    }
    assert_int_equal(most, 4096);
    len = TEXT_LEN + deis_frame_overhead(p->client);
    assert_int_equal(gate_open(p, first, len, NULL), DEIS_CONFLICT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(bus_frame__request_opens_once),
        CASE(bus_frame__each_flipped_bit_is_refused),
        CASE(bus_frame__each_shorter_or_longer_frame_is_refused),
        CASE(bus_frame__oversized_frame_is_refused_before_it_is_opened),
        CASE(bus_frame__other_key_is_refused),
        CASE(bus_frame__keys_change_without_a_greeting),
        CASE(bus_frame__frame_for_another_server_is_greeted_only),
        CASE(bus_frame__answer_does_not_pass_as_request),
        CASE(bus_frame__request_does_not_pass_as_answer),
        CASE(bus_frame__answer_fits_its_request_only),
        CASE(bus_frame__late_frames_pass_within_the_window),
        CASE(bus_frame__token_outlives_one_renewal_and_idle_senders_are_forgotten),
        CASE(bus_frame__too_many_senders_are_all_greeted_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
