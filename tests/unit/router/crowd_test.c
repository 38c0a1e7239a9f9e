/* SPDX-License-Identifier: MIT */
#include "router/core/crowd.h"
#include "tests/support/test.h"

#include <pthread.h>

static struct deis_ip ip(const char *text)
{
    struct deis_ip out;

    assert_true(deis_ip_parse(deis_str(text), &out));
    return out;
}

static void address__has_its_own_number_of_seats(void **state)
{
    struct crowd *c = crowd_new(CROWD_OF_ALL);
    struct deis_ip a = ip("192.0.2.1");
    struct deis_ip b = ip("192.0.2.2");
    _Atomic uint64_t *seats[4];

    for (int i = 0; i < 3; i++) {
        assert_int_equal(crowd_enter(c, &a, 3, &seats[i]), CROWD_IN);
    }
    assert_int_equal(crowd_enter(c, &a, 3, &seats[3]), CROWD_FULL);
    assert_null(seats[3]);
    assert_int_equal(crowd_enter(c, &b, 3, &seats[3]), CROWD_IN);
    crowd_leave(seats[3]);
    crowd_leave(seats[0]);
    assert_int_equal(crowd_enter(c, &a, 3, &seats[0]), CROWD_IN);
    assert_int_equal(crowd_enter(c, &a, 3, &seats[3]), CROWD_FULL);
    assert_int_equal(crowd_enter(c, &a, 4, &seats[3]), CROWD_IN);
    for (int i = 0; i < 4; i++) {
        crowd_leave(seats[i]);
    }
    crowd_leave(NULL);
    assert_int_equal(crowd_enter(c, &b, 0, &seats[0]), CROWD_FULL);
    crowd_free(c);
}

static void v6__counts_by_network(void **state)
{
    struct crowd *c = crowd_new(CROWD_OF_ALL);
    struct deis_ip a = ip("2001:db8::1");
    struct deis_ip same = ip("2001:db8::ffff:1");
    struct deis_ip other = ip("2001:db8:0:1::1");
    _Atomic uint64_t *seats[2];

    assert_int_equal(crowd_enter(c, &a, 1, &seats[0]), CROWD_IN);
    assert_int_equal(crowd_enter(c, &same, 1, &seats[1]), CROWD_FULL);
    assert_int_equal(crowd_enter(c, &other, 1, &seats[1]), CROWD_IN);
    crowd_leave(seats[0]);
    crowd_leave(seats[1]);
    crowd_free(c);
}

/* More addresses than there is room for: nobody is refused, and all seats come back. */
static void table__when_full_lets_in(void **state)
{
    enum { MANY = 200000 };
    struct crowd *c = crowd_new(CROWD_OF_ALL);
    _Atomic uint64_t **seats = deis_realloc_array(NULL, MANY, sizeof(*seats));
    unsigned counted = 0;

    for (uint32_t round = 0; round < 2; round++) {
        counted = 0;
        for (uint32_t i = 0; i < MANY; i++) {
            const uint8_t bytes[4] = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
            struct deis_ip address = deis_ip_v4(bytes);
            assert_int_not_equal(crowd_enter(c, &address, 1, &seats[i]), CROWD_FULL);
            counted += seats[i] != NULL;
        }
        assert_true(counted > 60000 && counted <= 65536);
        for (uint32_t i = 0; i < MANY; i++) {
            crowd_leave(seats[i]);
        }
    }
    free(seats);
    crowd_free(c);
}

struct visitor {
    struct crowd *c;
    atomic_int *inside;
    atomic_int most;
};

enum { ROUNDS = 20000, SEATS = 3, THREADS = 4 };

static void *visit(void *arg)
{
    struct visitor *v = arg;
    struct deis_ip a = deis_ip_v4((const uint8_t[4]){ 192, 0, 2, 1 });

    for (int i = 0; i < ROUNDS; i++) {
        _Atomic uint64_t *seat;
        if (crowd_enter(v->c, &a, SEATS, &seat) == CROWD_IN) {
            int now = atomic_fetch_add(v->inside, 1) + 1;
            v->most = now > v->most ? now : v->most;
            atomic_fetch_sub(v->inside, 1);
            crowd_leave(seat);
        }
    }
    return NULL;
}

static void threads__share_the_seats(void **state)
{
    struct crowd *c = crowd_new(CROWD_OF_ALL);
    struct visitor visitors[THREADS];
    pthread_t threads[THREADS];
    atomic_int inside = 0;
    struct deis_ip a = ip("192.0.2.1");
    _Atomic uint64_t *held;
    _Atomic uint64_t *seats[SEATS];

    /* One that stays, so that the address keeps its slot. */
    assert_int_equal(crowd_enter(c, &a, SEATS, &held), CROWD_IN);
    for (int i = 0; i < THREADS; i++) {
        visitors[i] = (struct visitor){ c, &inside, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, visit, &visitors[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(visitors[i].most <= SEATS - 1);
    }
    crowd_leave(held);
    for (int i = 0; i < SEATS; i++) {
        assert_int_equal(crowd_enter(c, &a, SEATS, &seats[i]), CROWD_IN);
    }
    crowd_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address__has_its_own_number_of_seats),
        cmocka_unit_test(v6__counts_by_network),
        cmocka_unit_test(table__when_full_lets_in),
        cmocka_unit_test(threads__share_the_seats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
