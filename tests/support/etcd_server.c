/* SPDX-License-Identifier: MIT */
#include "tests/support/etcd_server.h"

#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/etcd/etcd.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MAX_MS 60000u

bool test_etcd_installed(const char *test)
{
    const char *path = getenv("PATH");
    struct deis_str rest = deis_str(path ? path : "/usr/bin");
    struct deis_str dir;

    while (deis_str_split(&rest, ':', &dir)) {
        deis_autofree char *file = deis_asprintf("%.*s/etcd", DEIS_STR_ARG(dir));
        if (access(file, X_OK) == 0) {
            return true;
        }
    }
    printf("SKIP %s: no etcd is installed\n", test);
    return false;
}

void test_etcd_init(struct test_etcd *s)
{
    *s = (struct test_etcd){ 0 };
    snprintf(s->dir, sizeof(s->dir), "/tmp/deis-test-etcd-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    s->port = test_free_port();
    s->peer_port = test_free_port();
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", s->port);
}

bool test_etcd_init_tls(struct test_etcd *s)
{
    int status = -1;

    test_etcd_init(s);
    snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%u", s->port);
    snprintf(s->cert, sizeof(s->cert), "%s/cert.pem", s->dir);
    snprintf(s->key, sizeof(s->key), "%s/key.pem", s->dir);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open("/dev/null", O_WRONLY);
        dup2(fd, STDERR_FILENO);
        /* No common name: etcd would take it for a user. Its gateway is a client of the server. */
        execlp("openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/O=test", "-addext",
               "subjectAltName=IP:127.0.0.1", "-addext", "extendedKeyUsage=serverAuth,clientAuth",
               "-keyout", s->key, "-out", s->cert, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status == 0;
}

/* In the child. */
static void exec_etcd(const struct test_etcd *s, const char *client, const char *peer)
{
    deis_autofree char *cluster = deis_asprintf("test=%s", peer);
    deis_autofree char *log = deis_asprintf("%s/log", s->dir);
    deis_autofree char *data = deis_asprintf("%s/data", s->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0) {
        _exit(126);
    }
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (s->cert[0] != '\0') {
        setenv("ETCD_CLIENT_CERT_AUTH", "true", 1);
        setenv("ETCD_TRUSTED_CA_FILE", s->cert, 1);
        setenv("ETCD_CERT_FILE", s->cert, 1);
        setenv("ETCD_KEY_FILE", s->key, 1);
    }
    execlp("etcd", "etcd", "--name", "test", "--data-dir", data, "--listen-client-urls", client,
           "--advertise-client-urls", client, "--listen-peer-urls", peer,
           "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster,
           "--experimental-watch-progress-notify-interval", "1s", (char *)NULL);
    _exit(127);
}

struct deis_httpc_tls test_etcd_tls(const struct test_etcd *s)
{
    return s->cert[0] == '\0' ? (struct deis_httpc_tls){ 0 }
                              : (struct deis_httpc_tls){
                                    .ca_file = s->cert,
                                    .cert_file = s->cert,
                                    .key_file = s->key,
                                };
}

void test_etcd_start_on(struct test_etcd *s, uint16_t port)
{
    bool tls = s->cert[0] != '\0';
    deis_autofree char *client = deis_asprintf("%s://127.0.0.1:%u", tls ? "https" : "http", port);
    deis_autofree char *peer = deis_asprintf("http://127.0.0.1:%u", s->peer_port);
    const struct deis_etcd_opts opts = {
        .endpoints = client,
        .tls = test_etcd_tls(s),
        .timeout_ms = 1000,
    };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_etcd *e = deis_etcd_new(&opts, &err);
    uint64_t start_ms = deis_now_ms();

    assert_non_null(e);
    assert_int_equal(s->pid, 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        exec_etcd(s, client, peer);
    }
    for (;;) {
        struct deis_etcd_range r;
        int rc = deis_etcd_get(e, "ready?", &r, &err);
        if (rc == DEIS_NOT_FOUND || rc == DEIS_OK) {
            deis_etcd_range_clear(&r);
            break;
        }
        if (deis_now_ms() - start_ms > READY_MAX_MS || waitpid(s->pid, NULL, WNOHANG) != 0) {
            fail_msg("etcd does not start, see %s/log: %s", s->dir, err.msg);
        }
        usleep(20000);
    }
    deis_etcd_free(e);
}

void test_etcd_start(struct test_etcd *s)
{
    test_etcd_start_on(s, s->port);
}

void test_etcd_kill(struct test_etcd *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        s->pid = 0;
    }
}

/* All of its threads have stopped only when this says so: kill() returns before. */
void test_etcd_freeze(struct test_etcd *s)
{
    int status = 0;

    assert_int_equal(kill(s->pid, SIGSTOP), 0);
    assert_int_equal(waitpid(s->pid, &status, WUNTRACED), s->pid);
    assert_true(WIFSTOPPED(status));
}

void test_etcd_thaw(struct test_etcd *s)
{
    assert_int_equal(kill(s->pid, SIGCONT), 0);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void test_etcd_clear(struct test_etcd *s)
{
    test_etcd_kill(s);
    nftw(s->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}
