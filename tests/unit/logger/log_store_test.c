/* SPDX-License-Identifier: MIT */
#include "logger/sources.h"
#include "logger/store.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/base/buf.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS (24ull * 3600 * 1000)

struct fixture {
    char *folder;
    char *sources_path;
    struct sources *sources;
    struct log_store *store;
    struct deis_err err;
};

static struct log_store *open_store(struct fixture *f, uint64_t segment_bytes)
{
    const struct log_store_opts opts = { .root = f->folder,
                                         .segment_bytes = segment_bytes,
                                         .limits = { 1 << 20, 1 << 20 } };

    return log_store_open(&opts, f->sources, &f->err);
}

/* A disk of 64 KiB in the place of the fixture's. false: this user may not mount one. */
static bool mount_small_disk(struct fixture *f)
{
    log_store_free(f->store);
    f->store = NULL;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", f->folder, "tmpfs", 0, "size=64k") < 0) {
        return false;
    }
    f->store = open_store(f, 4096);
    assert_non_null(f->store);
    return true;
}

static int setup(void **state)
{
    struct fixture *f = deis_alloc(sizeof(*f));

    f->folder = program_temp_folder();
    f->sources_path = deis_asprintf("%s/sources", f->folder);
    f->sources = sources_open(f->sources_path, &f->err);
    f->store = open_store(f, 4096);
    assert_non_null(f->store);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_store_free(f->store);
    sources_free(f->sources);
    free(f->sources_path);
    (void)umount2(f->folder, MNT_DETACH); /* where a test has mounted something */
    program_remove_folder(f->folder);
    free(f);
    return 0;
}

static int append_at(struct fixture *f, const char *app, const char *text, uint64_t position)
{
    struct record r = { .time_ms = 1,
                        .position = position,
                        .source = deis_str(app),
                        .process = DEIS_STR("web.1"),
                        .text = deis_str(text) };

    return log_store_append(f->store, deis_str(app), &r, &f->err);
}

static int append(struct fixture *f, const char *app, const char *text)
{
    return append_at(f, app, text, 1);
}

static void add_text(const struct record *r, void *arg)
{
    struct deis_buf *out = arg;

    deis_buf_add_str(out, r->text);
    deis_buf_add_char(out, '|');
}

/* To its end; how many calls it took. */
static size_t search(struct fixture *f, struct log_search *x,
                     void (*fn)(const struct record *r, void *arg), void *arg)
{
    size_t calls = 1;
    int rc;

    while ((rc = log_store_search(f->store, x, fn, arg, &f->err)) > 0) {
        calls++;
    }
    assert_int_equal(rc, 0);
    return calls;
}

static void expect_log(struct fixture *f, const char *app, const char *want)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    struct log_search x = { .q = { .app = deis_str(app), .lines = 100, .max_bytes = 1 << 20 } };

    search(f, &x, add_text, &out);
    assert_string_equal(out.data, want);
}

static void store__a_folder_has_one_store(void **state)
{
    struct fixture *f = *state;

    assert_null(open_store(f, 4096));
    assert_int_equal(f->err.code, DEIS_CONFLICT);
}

static void store__segments_have_a_largest_size(void **state)
{
    struct fixture *f = *state;

    assert_null(open_store(f, LOG_SEGMENT_MAX_BYTES + 1));
    assert_int_equal(f->err.code, DEIS_INVALID);
}

/* A disk that takes only a part of a line. */
static void store__half_a_line_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    struct rlimit small;

    assert_int_equal(append(f, "full", "first"), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 150;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int failed = append(f, "full",
                        "this line is far too long for what is left of the disk, as it has "
                        "more than a hundred bytes");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_true(failed < 0);
    assert_false(log_store_is_broken(f->store));
    assert_int_equal(append(f, "full", "third"), 0);
    expect_log(f, "full", "first|third|");
}

static void count_lines(const struct record *r, void *arg)
{
    ++*(size_t *)arg;
}

static size_t lines_of(struct fixture *f, const char *app)
{
    struct log_search x = { .q = { .app = deis_str(app), .lines = 1000, .max_bytes = 1 << 20 } };
    size_t count = 0;

    search(f, &x, count_lines, &count);
    return count;
}

/* However little it finds. */
static void store__a_search_reads_a_segment_in_a_call(void **state)
{
    static const char *const filters[] = { "web", "nobody" };
    struct fixture *f = *state;
    char line[200];
    size_t found[2] = { 0, 0 };

    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (uint64_t n = 1; n <= 200; n++) {
        assert_int_equal(append_at(f, "rare", n == 3 ? "first" : line, n), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        for (uint64_t from = 0; from < 2; from++) {
            struct log_search x = { .q = { .app = DEIS_STR("rare"),
                                           .filter = deis_str(filters[i]),
                                           .from_seq = from,
                                           .lines = 200,
                                           .max_bytes = 1 << 20 } };
            size_t calls = 0;
            int rc;
            do {
                uint64_t before = x.scanned;
                rc = log_store_search(f->store, &x, count_lines, &found[i], &f->err);
                assert_in_range(x.scanned - before, 0, 4096 + sizeof(line) + 200);
                /* What comes in meanwhile is not for this search. */
                assert_int_equal(append_at(f, "rare", "late", 1000 + 1000 * i + 100 * from + calls),
                                 0);
                calls++;
            } while (rc > 0);
            assert_int_equal(rc, 0);
            assert_true(calls > 10);
            assert_int_equal(x.more, 0);
        }
    }
    assert_true(found[0] >= 200 + 200);
    assert_int_equal(found[1], 0);
}

static void store__a_search_outlives_its_log(void **state)
{
    struct fixture *f = *state;
    struct log_search x = { .q = { .app = DEIS_STR("brief"), .lines = 9, .max_bytes = 1 << 20 } };
    size_t count = 0;

    for (uint64_t n = 1; n <= 100; n++) {
        assert_int_equal(append_at(f, "brief", "a line that fills a segment sooner or later", n),
                         0);
    }
    assert_int_equal(log_store_search(f->store, &x, count_lines, &count, &f->err), 1);
    assert_int_equal(log_store_delete(f->store, DEIS_STR("brief"), &f->err), 0);
    assert_int_equal(log_store_search(f->store, &x, count_lines, &count, &f->err), 0);
    assert_int_equal(append_at(f, "brief", "anew", 200), 0);
    search(f, &x, count_lines, &count);
    assert_true(count <= 1);
}

/* Long before the quota, another one may have filled the disk. */
static void store__on_a_full_disk_the_greediest_gives_way(void **state)
{
    struct fixture *f = *state;
    char text[1000];

    if (!mount_small_disk(f)) {
        skip();
    }
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (uint64_t n = 1; n <= 200; n++) {
        if (append_at(f, "greedy", text, n) < 0 ||
            (n <= 5 && append_at(f, "modest", text, n) < 0)) {
            fail_msg("line %llu: %s", (unsigned long long)n, f->err.msg);
        }
        sources_store(f->sources, DEIS_STR("greedy"), n, 1700000000000);
    }
    assert_in_range(lines_of(f, "greedy"), 10, 100);
    assert_int_equal(lines_of(f, "modest"), 5);
    assert_int_equal(log_store_next_seq(f->store, DEIS_STR("greedy")), 201);
}

static void store__without_descriptors_lines_are_synced_at_once(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    struct rlimit none;
    int *fds = NULL;

    assert_int_equal(append(f, "blog", "line"), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    size_t count = log_store_take_dirty(f->store, &fds);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    free(fds);
    assert_int_equal(count, 0);
    assert_false(log_store_is_broken(f->store));
    count = log_store_take_dirty(f->store, &fds); /* nothing was left over */
    free(fds);
    assert_int_equal(count, 0);
}

static uint64_t bytes_of(struct fixture *f, const char *app)
{
    deis_autofree char *path = deis_asprintf("%s/apps/%s", f->folder, app);
    const struct dirent *e;
    struct stat st;
    uint64_t bytes = 0;
    DIR *dir = opendir(path);

    while (dir && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &st, 0) == 0) {
            bytes += (uint64_t)st.st_size;
        }
    }
    closedir(dir);
    return bytes;
}

static void store__an_app_keeps_within_its_quota(void **state)
{
    static const struct log_store_opts rows[] = {
        { .segment_bytes = 16 * 1024, .limits = { 64 * 1024, 1 << 20 } },
        { .segment_bytes = 1 << 20, .limits = { 64 * 1024, 1 << 20 } },
        { .segment_bytes = 16 * 1024, .limits = { 1 << 20, 64 * 1024 } },
    };
    struct fixture *f = *state;
    char app[] = "quota-0";
    char text[1000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct log_store_opts opts = rows[i];
        opts.root = f->folder;
        log_store_free(f->store);
        f->store = log_store_open(&opts, f->sources, &f->err);
        assert_non_null(f->store);
        for (int n = 0; n < 200; n++) {
            assert_int_equal(append(f, app, text), 0);
            assert_in_range(bytes_of(f, app), 1, 64 * 1024);
        }
        assert_in_range(bytes_of(f, app), 32 * 1024, 64 * 1024); /* and uses it */
        assert_int_equal(log_store_delete(f->store, deis_str(app), &f->err), 0);
    }
}

static uint64_t bytes_read(void)
{
    unsigned long long bytes = 0;
    FILE *io = fopen("/proc/self/io", "re");

    assert_non_null(io);
    assert_int_equal(fscanf(io, "rchar: %llu", &bytes), 1);
    (void)fclose(io);
    return bytes;
}

/* Who follows a log reads its end, not all of its newest file each time. */
static void store__the_end_is_read_alone(void **state)
{
    const struct log_store_opts opts = { .segment_bytes = 256 * 1024,
                                         .limits = { 1 << 20, 1 << 20 } };
    struct fixture *f = *state;
    struct log_store_opts mine = opts;
    char text[1000];

    mine.root = f->folder;
    log_store_free(f->store);
    f->store = log_store_open(&mine, f->sources, &f->err);
    assert_non_null(f->store);
    for (int n = 1; n <= 400; n++) { /* the second file is half full */
        snprintf(text, sizeof(text), "%999d", n);
        assert_int_equal(append(f, "long", text), 0);
    }
    for (uint64_t from = 1; from <= 400; from += from < 390 ? 13 : 1) {
        struct log_search x = {
            .q = { .app = DEIS_STR("long"), .from_seq = from, .max_bytes = 1 << 20 }
        };
        size_t count = 0;
        uint64_t before = bytes_read();
        search(f, &x, count_lines, &count);
        assert_int_equal(count, 401 - from);
        assert_true(from < 390 || bytes_read() - before < 40 * 1024);
    }
}

static size_t open_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* A burst of many apps needs many for a moment, not for ever. */
static void store__descriptors_are_given_back(void **state)
{
    struct fixture *f = *state;
    size_t before = open_descriptors();
    int *fds = NULL;
    char app[16];

    for (int i = 0; i < 150; i++) {
        snprintf(app, sizeof(app), "app-%d", i);
        assert_int_equal(append(f, app, "line"), 0);
    }
    size_t count = log_store_take_dirty(f->store, &fds);
    assert_int_equal(count, 150);
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
    free(fds);
    assert_int_equal(append(f, "one-more", "line"), 0);
    assert_in_range(open_descriptors(), before, before + 64);
    expect_log(f, "app-0", "line|");
}

static void store__a_torn_end_is_mended_at_start(void **state)
{
    struct fixture *f = *state;
    deis_autofree char *path = deis_asprintf("%s/apps/torn/%016x.log", f->folder, 1u);

    assert_int_equal(append(f, "torn", "whole"), 0);
    log_store_free(f->store);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "\x40\0\0\0half", 8), 8);
    close(fd);
    f->store = open_store(f, 4096);
    assert_non_null(f->store);
    assert_int_equal(append(f, "torn", "next"), 0);
    expect_log(f, "torn", "whole|next|");
}

/* A folder in the place of a segment: nobody can read it, or remove it like a file. */
static void spoil(struct fixture *f, const char *app, unsigned first)
{
    deis_autofree char *path = deis_asprintf("%s/apps/%s/%016x.log", f->folder, app, first);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void store__an_unreadable_segment_is_passed_over(void **state)
{
    struct fixture *f = *state;
    deis_autofree char *large = deis_alloc(4001);

    memset(large, 'x', 4000);
    for (size_t i = 0; i < 3; i++) { /* a segment each */
        large[0] = (char)('a' + i);
        assert_int_equal(append(f, "spoilt", large), 0);
    }
    assert_int_equal(append(f, "other", "served"), 0);
    log_store_free(f->store);
    spoil(f, "spoilt", 2);
    spoil(f, "spoilt", 3);
    f->store = open_store(f, 4096);
    assert_non_null(f->store);
    expect_log(f, "other", "served|");
    assert_true(log_store_next_seq(f->store, DEIS_STR("spoilt")) > 3);
    assert_int_equal(append(f, "spoilt", "next"), 0);
    large[0] = 'a';
    deis_autofree char *want = deis_asprintf("%s|next|", large);
    expect_log(f, "spoilt", want);
    size_t lines = 0;
    struct log_search x = { .q = {
                                .app = DEIS_STR("spoilt"), .from_seq = 1, .max_bytes = 1 << 20 } };
    search(f, &x, count_lines, &lines);
    assert_int_equal(lines, 2);
}

static void store__a_log_that_could_not_be_deleted_is_deleted_later(void **state)
{
    struct fixture *f = *state;
    deis_autofree char *folder = deis_asprintf("%s/apps/stays", f->folder);
    deis_autofree char *path = deis_asprintf("%s/%016x.log", folder, 1u);

    assert_int_equal(append(f, "stays", "line"), 0);
    spoil(f, "stays", 1);
    assert_true(log_store_delete(f->store, DEIS_STR("stays"), &f->err) < 0);
    assert_int_equal(append(f, "stays", "in between"), 0);
    expect_log(f, "stays", "in between|");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(log_store_delete(f->store, DEIS_STR("stays"), &f->err), 0);
    assert_int_equal(access(folder, F_OK), -1);
    assert_int_equal(append(f, "stays", "of a new app"), 0);
    expect_log(f, "stays", "of a new app|");
}

static void sources__are_remembered_for_a_day(void **state)
{
    struct fixture *f = *state;
    const uint64_t now = 1700000000000;

    sources_store(f->sources, DEIS_STR("silent"), 7, now - DAY_MS - 1);
    sources_store(f->sources, DEIS_STR("with a blank"), 9, now);
    sources_store(f->sources, DEIS_STR("with a blank"), 8, now); /* never back */
    assert_int_equal(sources_save(f->sources, now, &f->err), 0);
    struct sources *again = sources_open(f->sources_path, &f->err);
    assert_non_null(again);
    assert_int_equal(sources_position(again, DEIS_STR("silent")), 0);
    assert_int_equal(sources_position(again, DEIS_STR("with a blank")), 9);
    sources_free(again);
}

/* More than the copy has room for. */
static void sources__of_very_many_the_silent_ones_go_first(void **state)
{
    struct fixture *f = *state;
    const uint64_t now = 1700000000000;
    char name[240];

    for (int i = 0; i < 80000; i++) {
        snprintf(name, sizeof(name), "%0239d", i);
        sources_store(f->sources, deis_str(name), 7, i % 2 == 0 ? now : now - DAY_MS + 1000);
    }
    assert_int_equal(sources_save(f->sources, now, &f->err), 0);
    struct sources *again = sources_open(f->sources_path, &f->err);
    assert_non_null(again);
    assert_int_equal(sources_position(again, deis_str(name)), 0);
    snprintf(name, sizeof(name), "%0239d", 79998);
    assert_int_equal(sources_position(again, deis_str(name)), 7);
    sources_free(again);
}

static void sources__damaged_lines_are_passed_over(void **state)
{
    struct fixture *f = *state;
    const char *text = "x y z\n\n5\n18446744073709551616 1 huge\n-1 1 a\n3 1700000000000 good\n4 1";
    int fd = open(f->sources_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    struct sources *s = sources_open(f->sources_path, &f->err);
    assert_non_null(s);
    assert_int_equal(sources_position(s, DEIS_STR("good")), 3);
    assert_int_equal(sources_position(s, DEIS_STR("huge")), 0);
    sources_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(store__a_folder_has_one_store, setup, teardown),
        cmocka_unit_test_setup_teardown(store__segments_have_a_largest_size, setup, teardown),
        cmocka_unit_test_setup_teardown(store__a_search_reads_a_segment_in_a_call, setup, teardown),
        cmocka_unit_test_setup_teardown(store__a_search_outlives_its_log, setup, teardown),
        cmocka_unit_test_setup_teardown(store__half_a_line_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(store__on_a_full_disk_the_greediest_gives_way, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(store__without_descriptors_lines_are_synced_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(store__an_app_keeps_within_its_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(store__the_end_is_read_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(store__descriptors_are_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(store__a_torn_end_is_mended_at_start, setup, teardown),
        cmocka_unit_test_setup_teardown(store__an_unreadable_segment_is_passed_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(store__a_log_that_could_not_be_deleted_is_deleted_later,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(sources__are_remembered_for_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(sources__of_very_many_the_silent_ones_go_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sources__damaged_lines_are_passed_over, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
