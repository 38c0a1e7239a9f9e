/* SPDX-License-Identifier: MIT */
#include "scheduler/logspool.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#define LINE_BYTES   5000
#define FILLER_BYTES 40000

struct fixture {
    char *folder;
    struct logspool *spool;
    struct deis_err err;
};

static int setup(void **state)
{
    struct fixture *f = deis_alloc(sizeof(*f));

    f->folder = program_temp_folder();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    logspool_close(f->spool);
    (void)umount2(f->folder, MNT_DETACH); /* where a test has mounted something */
    program_remove_folder(f->folder);
    free(f);
    return 0;
}

static void open_spool(struct fixture *f)
{
    logspool_close(f->spool);
    f->spool = logspool_open(f->folder, &f->err);
    assert_non_null(f->spool);
}

static char text[LINE_BYTES];

/* One line with that text. */
static int add(struct fixture *f, const char *container, uint64_t position)
{
    static char app[] = "blog", process[] = "web.1";
    deis_autofree char *source = deis_strdup(container);
    struct logbatch *b = logbatch_new();

    const struct jsonlog_line line = { .position = position,
                                       .text = deis_str_n(text, sizeof(text)) };
    logbatch_add(&line, b);
    logbatch_close(b, source, app, process);
    int r = logspool_add(f->spool, container, b, &f->err);
    logbatch_free(b);
    return r;
}

/* All that comes out is this container's, at positions from first on. Returns how many. */
static uint64_t take_all(struct fixture *f, const char *container, uint64_t first)
{
    uint64_t count = 0;

    for (const Deis__LogAppend *m; (m = logspool_next(f->spool)) != NULL; count++) {
        assert_string_equal(m->source, container);
        assert_int_equal(m->n_lines, 1);
        assert_int_equal(m->lines[0]->position, first + count);
        assert_int_equal(m->lines[0]->text.len, sizeof(text));
        assert_memory_equal(m->lines[0]->text.data, text, sizeof(text));
        logspool_sent(f->spool);
    }
    return count;
}

static void spool__gives_out_what_is_finished(void **state)
{
    struct fixture *f = *state;

    open_spool(f);
    assert_int_equal(add(f, "c1", 1), 0);
    assert_int_equal(add(f, "c1", 2), 0);
    assert_null(logspool_next(f->spool));
    logspool_finish(f->spool, "c1");
    assert_int_equal(take_all(f, "c1", 1), 2);
    logspool_finish(f->spool, "c2"); /* nothing was left of it */
    assert_null(logspool_next(f->spool));
}

static void spool__of_a_former_process_is_taken_up(void **state)
{
    struct fixture *f = *state;

    open_spool(f);
    assert_int_equal(add(f, "c1", 1), 0);
    open_spool(f);
    assert_int_equal(take_all(f, "c1", 1), 1);
}

/* The agent was killed before it had finished; the next one reads the container's log again, from
 * where the saved place was. */
static void spool__may_be_filled_anew(void **state)
{
    struct fixture *f = *state;

    open_spool(f);
    assert_int_equal(add(f, "c1", 1), 0);
    open_spool(f);
    assert_non_null(logspool_next(f->spool)); /* it is being sent */
    assert_int_equal(add(f, "c1", 1), 0);
    assert_int_equal(add(f, "c1", 2), 0);
    logspool_finish(f->spool, "c1");
    assert_int_equal(take_all(f, "c1", 1), 2);
}

static void spool__goes_on_after_a_full_disk(void **state)
{
    struct fixture *f = *state;
    static char filler[FILLER_BYTES];
    deis_autofree char *path = deis_asprintf("%s/filler", f->folder);
    uint64_t kept = 0;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", f->folder, "tmpfs", 0, "size=64k") < 0) {
        skip();
    }
    deis_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, filler, sizeof(filler)), sizeof(filler));
    open_spool(f);
    while (kept < 100 && add(f, "c1", kept + 1) == 0) {
        kept++;
    }
    assert_in_range(kept, 1, 20);
    assert_int_equal(f->err.code, DEIS_LIMIT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(close(fd), 0);
    fd = -1;
    assert_int_equal(add(f, "c1", kept + 1), 0);
    assert_int_equal(add(f, "c1", kept + 2), 0);
    logspool_finish(f->spool, "c1");
    assert_int_equal(take_all(f, "c1", 1), kept + 2);
}

int main(void)
{
    memset(text, 'x', sizeof(text));

    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spool__gives_out_what_is_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(spool__of_a_former_process_is_taken_up, setup, teardown),
        cmocka_unit_test_setup_teardown(spool__may_be_filled_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(spool__goes_on_after_a_full_disk, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
