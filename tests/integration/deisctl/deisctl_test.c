/* SPDX-License-Identifier: MIT */
/* The deisctl program with a real etcd: what it prints and how it ends. */
#include "deisctl/core/setting_table.h"
#include "tests/support/etcd_server.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/crypto/keys.h"
#include "lib/etcd/etcd.h"
#include "lib/wire/json.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <termios.h>
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

/* Run a program of ours; output_path NULL: into f->out. The exit status. */
static int run_program(struct fixture *f, const char *name, const char *const *argv,
                       const char *output_path)
{
    deis_autofree char *path = deis_asprintf("%s/output", f->folder);
    struct program p;

    fflush(stdout);
    int saved_out = dup(STDOUT_FILENO);
    int saved_err = dup(STDERR_FILENO);
    int out = open(output_path ? output_path : path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(saved_out >= 0 && saved_err >= 0 && out >= 0);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    program_start(&p, name, argv);
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

/* deisctl with these words, separated by single blanks. */
static int run_into(struct fixture *f, const char *words, const char *output_path)
{
    deis_autofree char *text = deis_strdup(words);
    const char *argv[16] = { "--endpoint", f->server.url };
    size_t n = 2;
    char *rest = NULL;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        argv[n++] = word;
    }
    return run_program(f, "deisctl", argv, output_path);
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
    expect(f, "config platform set domain=example.com httpPort=8080", 0, "example.com\n8080\n");
    expect(f, "config platform get httpPort domain", 0, "8080\nexample.com\n");
    expect(f, "config platform list", 0, "domain=example.com\nhttpPort=8080\n");
    expect(f, "config controller set acme/contact=x=y", 0, "x=y\n");
    expect(f, "config controller list", 0, "acme/contact=x=y\n");
    expect(f, "config plat list", 0, ""); /* not a prefix of a name */
    expect(f, "config router set sslCert=/dev/null", 0, "/dev/null\n");
    expect(f, "config router get sslCert", 0, "\n");
    expect(f, "config controller set acme/ca=/dev/null", 0, "/dev/null\n");
    expect(f, "config controller get acme/ca", 0, "\n");
    assert_int_equal(run(f, "config router set sslKey=/dev/zero"), 1);
    expect_says(f, "longer than");
    expect(f, "config router set sslKey=/nonexistent", 1,
           "deisctl: can't open '/nonexistent': No such file or directory\n");
    expect(f, "config router set controller/whitelist=10.0.0.0/8:office", 0, "10.0.0.0/8:office\n");
    assert_int_equal(run(f, "config router set gzip=on controller/whitelist=office"), 1);
    expect(f, "config router get controller/whitelist", 0, "10.0.0.0/8:office\n");
    expect(f, "config platform rm domain", 0, "");
    expect(f, "config platform get domain", 1, "deisctl: platform/domain is not set\n");
    expect(f, "config platform list", 0, "httpPort=8080\n");
}

static void deisctl__a_bad_word_changes_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "set buildsMax=1 novalue",
        "set buildsMax=1 imagesKept=",
        "set buildsMax=1 =value",
        "set buildsMax=1 /lead=x",
        "set buildsMax=1 a//b=x",
        "set buildsMax=1 tail/=x",
        "set buildsMax=1 s%70ace=x",
        "set buildsMax=1 buildsmax=1",
        "set buildsMax=many",
        "rm outputMax ../there",
        "rm outputMax absent",
        "get outputMax bad?key",
        "delete outputMax",
        "get",
        "set",
        "list more",
    };

    expect(f, "config builder set outputMax=1M", 0, "1M\n");
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        deis_autofree char *words = deis_asprintf("config builder %s", bad[i]);
        assert_int_equal(run(f, words), 1);
        expect_says(f, "deisctl: ");
        expect(f, "config builder list", 0, "outputMax=1M\n");
    }
    assert_int_equal(run(f, "config bad set there=1"), 1);
    expect_says(f,
                "deisctl: 'bad' has no settings; there are some of controller, builder, router and "
                "platform\n");
    assert_int_equal(run(f, "config a/b list"), 1);
    assert_int_equal(run(f, "config"), 1);
    expect_says(f, "Usage: deisctl config");
}

/* What deisctl refuses as unknown can't be set at all. */
static void deisctl__settings_of_the_services_are_known(void **state)
{
    static const struct {
        const char *program;
        const char *component;
        const char *argv[3];
    } services[] = {
        { "deis-controller", "controller", { "--help", NULL } },
        { "deis-builder", "builder", { "serve", "--help", NULL } },
        { "deis-router", "router", { "--help", NULL } },
    };

    static const char mark[] = "etcd key ";
    struct fixture *f = *state;

    for (size_t i = 0; i < DEIS_COUNT(services); i++) {
        size_t count = 0;
        assert_int_equal(run_program(f, services[i].program, services[i].argv, NULL), 0);
        for (char *p = f->out.data; (p = strstr(p, mark)); count++) {
            struct deis_str name = deis_str(p += strlen(mark));
            name.len = strcspn(p, " ,\n");
            bool of_platform = deis_str_starts(name, "platform/");
            deis_autofree char *key =
                deis_str_dup(of_platform ? deis_str_skip(name, strlen("platform/")) : name);
            if (!setting_find(of_platform ? "platform" : services[i].component, deis_str(key))) {
                fail_msg("deisctl does not know '%s' of %s", key, services[i].program);
            }
        }
        assert_true(count > 5);
    }
}

static void deisctl__output_that_cannot_be_written_is_a_failure(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "config platform set sshPort=2222"), 0);
    assert_int_equal(run_into(f, "config platform get sshPort", "/dev/full"), 1);
    assert_int_equal(run_into(f, "help", "/dev/full"), 1);
}

static void deisctl__usage_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "help"), 0);
    expect_says(f, "Commands:");
    expect_says(f, "DEISCTL_KEY_FILE");
    assert_int_equal(run(f, "status --help"), 0);
    expect_says(f, "Usage: deisctl status [<component>|<unit>]");
    assert_int_equal(run(f, "key:rotate -h"), 0);
    expect_says(f, "--timeout SECONDS");
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

/* Also when the question for a password is broken off. */
static void deisctl__a_terminal_shows_again_what_is_typed(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = { "--endpoint", f->server.url, "users:bootstrap", "root", NULL };
    char shown[64] = "";
    size_t len = 0;
    struct termios t;
    struct program p;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    int saved_in = dup(STDIN_FILENO);
    int saved_err = dup(STDERR_FILENO);
    assert_true(terminal >= 0 && saved_in >= 0 && saved_err >= 0);
    dup2(terminal, STDIN_FILENO);
    dup2(terminal, STDERR_FILENO);
    program_start(&p, "deisctl", argv);
    dup2(saved_in, STDIN_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_in);
    close(saved_err);
    while (!strstr(shown, "password: ")) {
        ssize_t n = read(master, shown + len, sizeof(shown) - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
    }
    int status = program_stop(&p, SIGINT);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    assert_int_equal(tcgetattr(terminal, &t), 0);
    assert_true((t.c_lflag & ECHO) != 0);
    close(terminal);
    close(master);
}

static void deisctl__an_etcd_that_is_away_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(run(f, "--endpoint http://127.0.0.1:1 list"), 1);
    expect_says(f, "deisctl: ");
}

/* --- cluster keys --- */

#define FIRST_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define FIRST_ID  "630dcd29"

static char *key_file(const struct fixture *f)
{
    return deis_asprintf("%s/cluster.key", f->folder);
}

/* A key command; its exit status. */
static int run_key(struct fixture *f, const char *command)
{
    deis_autofree char *path = key_file(f);
    deis_autofree char *words = deis_asprintf("key:%s --key-file %s", command, path);

    return run(f, words);
}

static struct deis_keyring read_keys(struct fixture *f)
{
    deis_autofree char *path = key_file(f);
    struct deis_keyring ring;
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_keyring_load(path, &ring, &err), 0);
    return ring;
}

/* Two services of which the first holds these keys, by their places in the file: "0", "01", "10".
 */
static void hold(struct fixture *f, const struct deis_keyring *ring, const char *one,
                 const char *two)
{
    const char *const held[] = { one, two };
    char key[64], id[DEIS_KEY_ID_TEXT];

    for (size_t i = 0; i < DEIS_COUNT(held); i++) {
        json_t *list = json_array();
        for (const char *c = held[i]; *c; c++) {
            deis_key_id_text(&ring->keys[*c - '0'], id);
            json_array_append_new(list, json_string(id));
        }
        deis_autojson json_t *doc = json_pack("{s:s, s:o}", "bus", "tcp://x:1", "keys", list);
        deis_autofree char *text = deis_json_dump(doc);
        snprintf(key, sizeof(key), "/deis/services/logger/key-%zu", i + 1);
        put(f, key, text);
    }
}

static void put_sealed(struct fixture *f, const char *key, const char *member, const char *aad,
                       const struct deis_key *with)
{
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(1024);

    deis_seal(with, deis_str(aad), DEIS_STR("a secret"), &sealed);
    deis_autojson json_t *doc = json_pack("{s:s, s:s}", "app", "blog", member, sealed.data);
    deis_autofree char *text = deis_json_dump(doc);
    put(f, key, text);
}

static void forget(struct fixture *f, const char *prefix)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_delete_prefix(f->etcd, prefix, &err), 0);
}

static void start_keys(struct fixture *f)
{
    deis_autofree char *path = key_file(f);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, FIRST_KEY "\n", 65), 65);
    close(fd);
    forget(f, "/deis/services/");
}

static void deisctl__the_cluster_key_is_changed_step_by_step(void **state)
{
    struct fixture *f = *state;

    start_keys(f);
    struct deis_keyring old = read_keys(f);
    hold(f, &old, "0", "0");
    put_sealed(f, "/deis/apps/blog/configs/1", "values", "config/blog", &old.keys[0]);
    put_sealed(f, "/deis/certs/example.com", "key", "cert/example.com", &old.keys[0]);
    assert_int_equal(run_key(f, "list"), 0);
    expect_says(f, FIRST_ID "  unknown  seals  2       2 of 2, 2 seal with it");
    assert_int_equal(run_key(f, "activate"), 1);
    expect_says(f, "there is no new key");
    assert_int_equal(run_key(f, "retire"), 1);
    expect_says(f, "there is only one key");

    /* A new one: it does not seal before all hold it. */
    assert_int_equal(run_key(f, "add"), 0);
    struct deis_keyring both = read_keys(f);
    assert_int_equal(both.count, 2);
    assert_memory_equal(both.keys[0].id, old.keys[0].id, 4);
    assert_true(both.made_s[1] > 1700000000);
    assert_int_equal(run_key(f, "add"), 1);
    expect_says(f, "a change of keys is under way");
    hold(f, &both, "01", "0");
    assert_int_equal(run_key(f, "activate"), 1);
    expect_says(f, "is not yet held by: logger@key-2");
    hold(f, &both, "01", "01");
    assert_int_equal(run_key(f, "retire"), 1);
    expect_says(f, "key:activate");
    assert_int_equal(run_key(f, "activate"), 0);

    /* The old one stays while anything needs it. */
    struct deis_keyring turned = read_keys(f);
    assert_memory_equal(turned.keys[0].id, both.keys[1].id, 4);
    hold(f, &turned, "01", "10");
    assert_int_equal(run_key(f, "retire"), 1);
    expect_says(f, "does not yet seal in: logger@key-2");
    hold(f, &turned, "01", "01");
    put_sealed(f, "/deis/certs/example.com", "key", "cert/example.com", &turned.keys[0]);
    assert_int_equal(run_key(f, "retire"), 1);
    expect_says(f, "1 values are still sealed with key " FIRST_ID);
    assert_int_equal(read_keys(f).count, 2);
    put_sealed(f, "/deis/apps/blog/configs/1", "values", "config/blog", &turned.keys[0]);
    assert_int_equal(run_key(f, "retire"), 0);
    struct deis_keyring last = read_keys(f);
    assert_int_equal(last.count, 1);
    assert_memory_equal(last.keys[0].id, both.keys[1].id, 4);
    deis_autorange struct deis_etcd_range entries = { 0 };
    assert_int_equal(deis_etcd_list(f->etcd, "/deis/audit/", 0, &entries, NULL), 0);
    static const char *const actions[] = { "key.add", "key.activate", "key.retire" };
    for (size_t i = 0; i < DEIS_COUNT(actions); i++) {
        assert_non_null(strstr(entries.kvs[entries.count - 3 + i].value.ptr, actions[i]));
    }

    /* A service that says nothing about keys could not read two. */
    put(f, "/deis/services/router/old", "{\"http\":\"127.0.0.1:80\"}");
    assert_int_equal(run_key(f, "add"), 1);
    expect_says(f, "router@old (of an older version)");
    assert_int_equal(read_keys(f).count, 1);
    forget(f, "/deis/services/");
    forget(f, "/deis/apps/");
    forget(f, "/deis/certs/");
}

static void deisctl__a_change_of_keys_goes_on_where_it_stopped(void **state)
{
    struct fixture *f = *state;
    deis_autofree char *path = key_file(f);
    deis_autofree char *left = deis_asprintf("%s.new", path);

    start_keys(f);
    assert_int_equal(run_key(f, "rotate"), 1);
    expect_says(f, "no service is registered");
    assert_int_equal(read_keys(f).count, 1);
    struct deis_keyring old = read_keys(f);
    hold(f, &old, "0", "0");
    assert_int_equal(run_key(f, "rotate --timeout 1"), 1);
    expect_says(f, "is not yet held by: logger@key-1, logger@key-2");
    /* One that was killed while it wrote has left this. */
    int fd = open(left, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    struct deis_keyring both = read_keys(f);
    hold(f, &both, "01", "01");
    assert_int_equal(run_key(f, "rotate --timeout 1"), 1);
    expect_says(f, "seals now");
    expect_says(f, "does not yet seal in");
    hold(f, &both, "10", "10");
    assert_int_equal(run_key(f, "rotate --timeout 1"), 1);
    expect_says(f, "is the only one now");
    expect_says(f, "is not the only one in");
    hold(f, &both, "1", "1");
    /* That one is over: the next is a change of its own. */
    assert_int_equal(run_key(f, "rotate --timeout 1"), 1);
    expect_says(f, "was added to");
    assert_int_equal(read_keys(f).count, 2);
}

static void deisctl__the_platforms_tls_key_is_sealed(void **state)
{
    struct fixture *f = *state;
    deis_autofree char *path = key_file(f);
    deis_autofree char *pem = deis_asprintf("%s/tls.key", f->folder);
    deis_autofree char *words = deis_asprintf("config router set sslKey=%s", pem);
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(1024);
    struct deis_err err = DEIS_ERR_INIT;

    start_keys(f);
    int fd = open(pem, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "the key", 7), 7);
    close(fd);
    setenv("DEISCTL_KEY_FILE", "/nonexistent/cluster.key", 1);
    assert_int_equal(run(f, words), 1);
    expect_says(f, "DEISCTL_KEY_FILE");
    setenv("DEISCTL_KEY_FILE", path, 1);
    assert_int_equal(run(f, words), 0);
    assert_int_equal(run(f, "config router get sslKey"), 0);
    expect_says(f, "v1:" FIRST_ID ":");
    unsetenv("DEISCTL_KEY_FILE");

    /* With the keys it is sealed anew, and so is one that an earlier version stored in clear. */
    static const char *const before[] = { NULL, "the key" };
    for (size_t i = 0; i < DEIS_COUNT(before); i++) {
        start_keys(f);
        if (before[i]) {
            put(f, "/deis/config/router/sslKey", before[i]);
        }
        struct deis_keyring old = read_keys(f);
        hold(f, &old, "0", "0");
        assert_int_equal(run_key(f, "add"), 0);
        struct deis_keyring both = read_keys(f);
        hold(f, &both, "10", "10");
        assert_int_equal(run_key(f, "activate"), 0);
        assert_int_equal(run_key(f, "retire"), 0);
        struct deis_keyring last = read_keys(f);
        deis_autorange struct deis_etcd_range got = { 0 };
        assert_int_equal(deis_etcd_get(f->etcd, "/deis/config/router/sslKey", &got, &err), 0);
        deis_buf_reset(&plain);
        assert_int_equal(deis_keyring_unseal(&last, DEIS_STR("config/router/sslKey"),
                                             got.kvs[0].value, &plain, &err),
                         0);
        assert_string_equal(plain.data, "the key");
        forget(f, "/deis/config/router/");
        put(f, "/deis/config/router/sslKey", "the key");
    }
    forget(f, "/deis/config/router/");
    forget(f, "/deis/services/");
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
        cmocka_unit_test(deisctl__settings_of_the_services_are_known),
        cmocka_unit_test(deisctl__output_that_cannot_be_written_is_a_failure),
        cmocka_unit_test(deisctl__usage_is_told),
        cmocka_unit_test(deisctl__units_are_listed_with_their_state),
        cmocka_unit_test(deisctl__machines_are_listed_with_their_presence),
        cmocka_unit_test(deisctl__status_fails_while_a_component_is_down),
        cmocka_unit_test(deisctl__the_cluster_key_is_changed_step_by_step),
        cmocka_unit_test(deisctl__a_change_of_keys_goes_on_where_it_stopped),
        cmocka_unit_test(deisctl__the_platforms_tls_key_is_sealed),
        cmocka_unit_test(deisctl__a_terminal_shows_again_what_is_typed),
        cmocka_unit_test(deisctl__an_etcd_that_is_away_is_told),
    };

    deis_runtime_init("test");
    if (!test_etcd_installed("deisctl")) {
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
