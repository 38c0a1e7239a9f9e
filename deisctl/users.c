/* SPDX-License-Identifier: MIT */
/* deisctl users:bootstrap NAME [--email E] [--password-file F]: the first administrator, where
 * controller/bootstrap = operator. */
#include "deisctl/core/user.h"
#include "deisctl/deisctl.h"

#include "lib/base/clock.h"
#include "lib/crypto/secret.h"
#include "lib/model/model.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define FILE_MAX 1024

struct request {
    const char *name;
    const char *email;
    const char *file; /* NULL: standard input */
};

static int parse(int argc, char **argv, struct request *ret, struct deis_err *err)
{
    *ret = (struct request){ .email = "" };
    for (int i = 1; i < argc; i++) {
        bool email = strcmp(argv[i], "--email") == 0;
        bool file = strcmp(argv[i], "--password-file") == 0;
        if ((email || file) && i + 1 < argc) {
            *(email ? &ret->email : &ret->file) = argv[++i];
        } else if (argv[i][0] == '-' || ret->name) {
            return deis_err_set(err, DEIS_INVALID, "'%.64s' is not understood", argv[i]);
        } else {
            ret->name = argv[i];
        }
    }
    if (!ret->name) {
        return deis_err_set(err, DEIS_INVALID, "a user name is needed");
    }
    return user_check(ret->name, ret->email, err);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    interrupted = sig;
}

/* The first line of fd. */
static int read_line(int fd, char *out, struct deis_err *err)
{
    size_t len = 0;

    while (len < FILE_MAX) {
        ssize_t n = read(fd, out + len, FILE_MAX - len);
        if (n < 0 && errno == EINTR && !interrupted) {
            continue;
        }
        if (n < 0) {
            return deis_err_errno(err, errno, "can't read the password");
        }
        len += (size_t)n;
        if (n == 0 || memchr(out, '\n', len)) {
            break;
        }
    }
    out[len] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    return user_check_password(out, err);
}

/* The terminal does not show what is typed, and shows again what comes after, whatever ends it. */
static int read_unseen(const struct termios *before, char *out, struct deis_err *err)
{
    static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
    const struct sigaction stop = { .sa_handler = on_interrupt };
    struct sigaction old[DEIS_COUNT(signals)];
    struct termios silent = *before;

    silent.c_lflag &= ~(tcflag_t)ECHO;
    for (size_t i = 0; i < DEIS_COUNT(signals); i++) {
        sigaction(signals[i], &stop, &old[i]);
    }
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    fprintf(stderr, "password: ");
    int r = read_line(STDIN_FILENO, out, err);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
    fprintf(stderr, "\n");
    for (size_t i = 0; i < DEIS_COUNT(signals); i++) {
        sigaction(signals[i], &old[i], NULL);
    }
    if (interrupted) {
        raise(interrupted);
    }
    return r;
}

static int read_password(const struct request *req, char *out, struct deis_err *err)
{
    struct termios before;

    if (req->file) {
        deis_autoclose int fd = open(req->file, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? deis_err_errno(err, errno, "can't read '%s'", req->file)
                      : read_line(fd, out, err);
    }
    return tcgetattr(STDIN_FILENO, &before) == 0 ? read_unseen(&before, out, err)
                                                 : read_line(STDIN_FILENO, out, err);
}

static int make_document(const struct request *req, json_t **ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf hash = DEIS_BUF_INIT(256);
    deis_autobuf struct deis_buf now = DEIS_BUF_INIT(64);
    char password[FILE_MAX + 1];
    int r = read_password(req, password, err);

    if (r == 0) {
        r = deis_password_hash(deis_str(password), &hash, err);
    }
    explicit_bzero(password, sizeof(password));
    if (r < 0) {
        return r;
    }
    deis_time_format_iso(deis_wall_us(), &now);
    *ret = user_document(req->name, req->email, hash.data, now.data);
    return 0;
}

/* The user with its mark as administrator and an entry of the audit, unless there is an
 * administrator already. */
static int write_user(struct deis_etcd *etcd, const char *name, const json_t *doc,
                      struct deis_err *err)
{
    deis_autobuf struct deis_buf now = DEIS_BUF_INIT(64);
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    deis_autofree char *text = deis_json_dump(doc);
    char key[DEIS_KEY_MAX], id[17];

    deis_time_format_model(deis_wall_ms(), &now);
    deis_random_hex(id, 8);
    deis_autojson json_t *entry = user_audit(name, now.data, id);
    deis_autofree char *audit = deis_json_dump(entry);
    deis_etcd_if_prefix_empty(txn, "/deis/index/admin/");
    deis_etcd_if_absent(txn, deis_key(key, "leaving/%s", name)); /* things of a former one */
    deis_etcd_if_absent(txn, deis_key(key, "users/%s", name));
    deis_etcd_then_put(txn, key, deis_str(text), 0);
    deis_etcd_then_put(txn, deis_key(key, "index/admin/%s", name), DEIS_STR("{}"), 0);
    deis_key(key, "audit/%013llu-%s", (unsigned long long)deis_wall_ms(), id);
    deis_etcd_then_put(txn, key, deis_str(audit), 0);
    int r = deis_etcd_commit(etcd, txn, NULL, NULL, err);
    return r == DEIS_CONFLICT
               ? deis_err_set(err, r, "there is an administrator, or a user '%s', already", name)
               : r;
}

int command_users_bootstrap(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err)
{
    deis_autojson json_t *doc = NULL;
    struct request req;
    int r = parse(argc, argv, &req, err);

    if (r == 0) {
        r = make_document(&req, &doc, err);
    }
    if (r == 0) {
        r = write_user(etcd, req.name, doc, err);
    }
    if (r == 0) {
        printf("%s is the administrator: deis login\n", req.name);
    }
    return r;
}
