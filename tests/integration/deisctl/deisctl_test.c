/* SPDX-License-Identifier: MIT */
/* The deisctl program with a real etcd: what it prints and how it ends. */
#include "tests/support/etcd_server.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/etcd/etcd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct test_etcd server;
    struct deis_etcd *etcd;
    char *folder;
    struct deis_buf out; /* of the last run: stdout and stderr */
};

static void read_output(struct fixture *f, const char *path)
{
    deis_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    deis_buf_clear(&f->out);
    deis_buf_init(&f->out, 1 << 20);
    do {
        char *room = deis_buf_reserve(&f->out, 4096);
        assert_non_null(room);
        n = read(fd, room, 4096);
        assert_true(n >= 0);
        deis_buf_added(&f->out, (size_t)n);
    } while (n > 0);
}

/* Run deisctl with these words, separated by single blanks; output_path NULL: into f->out. The exit
 * status. */
static int run_into(struct fixture *f, const char *words, const char *output_path)
{
    deis_autofree char *path = deis_asprintf("%s/output", f->folder);
    deis_autofree char *text = deis_strdup(words);
    const char *argv[16] = { "--endpoint", f->server.url };
    size_t n = 2;
    struct program p;
    char *rest = NULL;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        argv[n++] = word;
    }
    fflush(stdout);
    int saved_out = dup(STDOUT_FILENO);
    int saved_err = dup(STDERR_FILENO);
    int out = open(output_path ? output_path : path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(saved_out >= 0 && saved_err >= 0 && out >= 0);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    program_start(&p, "deisctl", argv);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    close(out);
    int status = program_stop(&p, 0); /* it ends by itself */
    assert_true(WIFEXITED(status));
    if (!output_path) {
        read_output(f, path);
    }
    return WEXITSTATUS(status);
}

static int run(struct fixture *f, const char *words)
{
    return run_into(f, words, NULL);
}

static void expect(struct fixture *f, const char *words, int status, const char *output)
{
    assert_int_equal(run(f, words), status);
    assert_string_equal(f->out.data, output);
}

static void expect_says(struct fixture *f, const char *text)
{
    if (!strstr(f->out.data, text)) {
        fail_msg("'%s' is missing in: %s", text, f->out.data);
    }
}

static void put(struct fixture *f, const char *key, const char *value)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_put(f->etcd, key, deis_str(value), 0, &err), 0);
}

static void deisctl__settings_are_set_read_and_removed(void **state)
{
    struct fixture *f = *state;

    expect(f, "config platform list", 0, "");
    expect(f, "config platform set domain=example.com a/b=x=y", 0, "example.com\nx=y\n");
    expect(f, "config platform get a/b domain", 0, "x=y\nexample.com\n");
    expect(f, "config platform list", 0, "a/b=x=y\ndomain=example.com\n");
    expect(f, "config plat list", 0, ""); /* not a prefix of a name */
    expect(f, "config router set sslCert=/dev/null", 0, "/dev/null\n");
    expect(f, "config router get sslCert", 0, "\n");
    assert_int_equal(run(f, "config router set sslKey=/dev/zero"), 1);
    expect_says(f, "longer than");
    expect(f, "config router set sslKey=/nonexistent", 1,
           "deisctl: can't open '/nonexistent': No such file or directory\n");
    expect(f, "config platform rm domain", 0, "");
    expect(f, "config platform get domain", 1, "deisctl: platform/domain is not set\n");
    expect(f, "config platform list", 0, "a/b=x=y\n");
}

static void deisctl__a_bad_word_changes_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "set good=1 novalue",
        "set good=1 empty=",
        "set good=1 =value",
        "set good=1 /lead=x",
        "set good=1 a//b=x",
        "set good=1 tail/=x",
        "set good=1 s%70ace=x",
        "rm there ../there",
        "rm there absent",
        "get there bad?key",
        "delete there",
        "get",
        "set",
        "list more",
    };

    expect(f, "config bad set there=1", 0, "1\n");
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        deis_autofree char *words = deis_asprintf("config bad %s", bad[i]);
        assert_int_equal(run(f, words), 1);
        expect_says(f, "deisctl: ");
        expect(f, "config bad list", 0, "there=1\n");
    }
    assert_int_equal(run(f, "config a/b list"), 1);
    assert_int_equal(run(f, "config"), 1);
    expect_says(f, "Usage: deisctl config");
}

static void deisctl__output_that_cannot_be_written_is_a_failure(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "config full set a=1"), 0);
    assert_int_equal(run_into(f, "config full get a", "/dev/full"), 1);
}

static void deisctl__usage_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "help"), 0);
    expect_says(f, "Commands:");
    assert_int_equal(run(f, ""), 1);
    assert_int_equal(run(f, "frobnicate"), 1);
    expect_says(f, "frobnicate");
    assert_int_equal(run(f, "--nosuchflag"), 1);
    assert_int_equal(run(f, "list all"), 1);
}

static void put_unit(struct fixture *f, const char *unit, const char *desired)
{
    deis_autofree char *key = deis_asprintf("/deis/units/%s", unit);
    deis_autofree char *value = deis_asprintf(
        "{\"unit\":\"%s\",\"app\":\"blog\",\"type\":\"web\",\"num\":1,\"machine\":\"m1\","
        "\"desired\":\"%s\",\"image\":\"i\",\"env\":\"sealed\"}",
        unit, desired);

    put(f, key, value);
}

static void put_state(struct fixture *f, const char *unit, const char *fields)
{
    deis_autofree char *key = deis_asprintf("/deis/states/m1/%s", unit);
    deis_autofree char *value = deis_asprintf(
        "{\"unit\":\"%s\",\"app\":\"blog\",\"type\":\"web\",\"machine\":\"m1\",%s}", unit, fields);

    put(f, key, value);
}

static void deisctl__units_are_listed_with_their_state(void **state)
{
    struct fixture *f = *state;

    put(f, "/deis/services/router/r1", "{\"http\":\"127.0.0.1:80\"}");
    put(f, "/deis/services/builder/b1", "{\"ssh\":\"127.0.0.1:2223\"}");
    put_unit(f, "u1", "run");
    put_state(f, "u1", "\"state\":\"up\",\"ready\":true,\"address\":\"172.18.0.5:5000\"");
    put_unit(f, "u2", "run");
    put_unit(f, "u3", "drain");
    put_state(f, "u3", "\"state\":\"up\",\"ready\":true");
    put(f, "/deis/units/u4", "{\"unit\":7}");
    put_unit(f, "u5", "run");
    put_state(f, "u5", "\"state\":\"error\",\"reason\":\"no such \\u001b[31m image\",\"exits\":3");
    assert_int_equal(run(f, "list"), 0);
    expect_says(f, "deis-builder@b1  -        up          127.0.0.1:2223\n");
    expect_says(f, "u1               m1       up          172.18.0.5:5000\n");
    expect_says(f, "u2               m1       pending     -\n");
    expect_says(f, "u3               m1       draining    -\n");
    expect_says(f, "/deis/units/u4   -        unreadable  unit: field 'unit'");
    expect_says(f, "u5               m1       error");
    assert_int_equal(run(f, "status u5"), 0);
    expect_says(f, "state:    error\n");
    expect_says(f, "restarts: 3\n");
    expect_says(f, "reason:   no such ?[31m image\n");
    assert_null(strstr(f->out.data, "sealed"));
    assert_int_equal(run(f, "status u2"), 0);
    expect_says(f, "state:    pending\n");
    assert_int_equal(run(f, "status nobody"), 1);
    assert_int_equal(run(f, "status u4"), 1);
}

static void deisctl__machines_are_listed_with_their_presence(void **state)
{
    struct fixture *f = *state;

    put(f, "/deis/machines/m1",
        "{\"id\":\"m1\",\"hostname\":\"one\",\"address\":\"10.0.0.1\",\"cpus\":2,\"metadata\":{\"rack\":"
        "\"2\"}}");
    put(f, "/deis/machines/m1/presence", "{}");
    put(f, "/deis/machines/m2", "{\"id\":\"m2\",\"hostname\":\"two\"}");
    put(f, "/deis/machines/m3", "nonsense");
    expect(f, "machines", 0,
           "MACHINE            HOSTNAME  ADDRESS   STATE       CPUS  METADATA\n"
           "m1                 one       10.0.0.1  present     2     {\"rack\":\"2\"}\n"
           "m2                 two       -         absent      0     -\n"
           "/deis/machines/m3  -         -         unreadable  -     machine: "
           "invalid JSON: syntax error at line 1 column 8\n");
}

static void deisctl__status_fails_while_a_component_is_down(void **state)
{
    struct fixture *f = *state;
    static const char *const rest[] = { "controller", "scheduler", "registry-proxy", "logger" };

    put(f, "/deis/services/router/r1", "{\"http\":\"127.0.0.1:80\"}");
    put(f, "/deis/services/builder/b1", "{\"ssh\":\"127.0.0.1:2223\"}");
    assert_int_equal(run(f, "status"), 1);
    expect_says(f, "logger          0          down\n");
    expect_says(f, "4 components are down");
    assert_int_equal(run(f, "status logger"), 1);
    expect_says(f, "logger is down");
    for (size_t i = 0; i < DEIS_COUNT(rest); i++) {
        deis_autofree char *key = deis_asprintf("/deis/services/%s/x", rest[i]);
        put(f, key, "{\"bus\":\"tcp://127.0.0.1:7\"}");
    }
    assert_int_equal(run(f, "status"), 0);
    assert_int_equal(run(f, "status logger"), 0);
    expect_says(f, "deis-logger@x");
}

static void deisctl__an_etcd_that_is_away_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "--endpoint http://127.0.0.1:1 list"), 1);
    expect_says(f, "deisctl: ");
}

static int setup(void **state)
{
    struct fixture *f = deis_alloc(sizeof(*f));
    struct deis_err err = DEIS_ERR_INIT;

    test_etcd_init(&f->server);
    test_etcd_start(&f->server);
    const struct deis_etcd_opts opts = { .endpoints = f->server.url };
    f->etcd = deis_etcd_new(&opts, &err);
    f->folder = program_temp_folder();
    deis_buf_init(&f->out, 1 << 20);
    *state = f;
    return f->etcd ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    deis_etcd_free(f->etcd);
    test_etcd_clear(&f->server);
    program_remove_folder(f->folder);
    deis_buf_clear(&f->out);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deisctl__settings_are_set_read_and_removed),
        cmocka_unit_test(deisctl__a_bad_word_changes_nothing),
        cmocka_unit_test(deisctl__output_that_cannot_be_written_is_a_failure),
        cmocka_unit_test(deisctl__usage_is_told),
        cmocka_unit_test(deisctl__units_are_listed_with_their_state),
        cmocka_unit_test(deisctl__machines_are_listed_with_their_presence),
        cmocka_unit_test(deisctl__status_fails_while_a_component_is_down),
        cmocka_unit_test(deisctl__an_etcd_that_is_away_is_told),
    };

    deis_runtime_init("test");
    if (!test_etcd_installed("deisctl")) {
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
