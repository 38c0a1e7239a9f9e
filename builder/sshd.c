/* SPDX-License-Identifier: MIT */
#include "builder/sshd.h"

#include "builder/file.h"
#include "builder/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIG_MAX_BYTES 8192

static const char *const key_types[] = { "ed25519", "ecdsa" };

static char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL };

static char *config_path(const struct settings *s)
{
    return deis_asprintf("%s/ssh/sshd_config", s->data);
}

static char *key_path(const struct settings *s, const char *type)
{
    return deis_asprintf("%s/ssh/ssh_host_%s_key", s->data, type);
}

/* Run a program and wait for it; its complaints go to our stderr. */
static int run(const char *program, char *const *argv, struct deis_err *err)
{
    pid_t pid = 0;
    int status = 0;

    int rc = posix_spawnp(&pid, program, NULL, NULL, argv, environment);
    if (rc != 0) {
        return deis_err_errno(err, rc, "can't start '%s'", program);
    }
    if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return deis_err_set(err, DEIS_SYSTEM, "'%s' failed", program);
    }
    return DEIS_OK;
}

static int make_key(const char *type, const char *path, struct deis_err *err)
{
    deis_autofree char *type_arg = deis_strdup(type);
    deis_autofree char *temporary = deis_asprintf("%s.new", path);
    char *const argv[] = { "ssh-keygen", "-q",   "-t", type_arg,  "-N", "",
                           "-C",         "deis", "-f", temporary, NULL };

    unlink(temporary);
    int rc = run("ssh-keygen", argv, err);
    if (rc < 0) {
        return rc;
    }
    /* The private key under its name is the proof that both halves are there. */
    deis_autofree char *public_new = deis_asprintf("%s.pub", temporary);
    deis_autofree char *public_key = deis_asprintf("%s.pub", path);
    if (rename(public_new, public_key) < 0 || rename(temporary, path) < 0) {
        return deis_err_errno(err, errno, "can't keep host key '%s'", path);
    }
    return DEIS_OK;
}

/* sshd and the keys command run as the user that we are: no other account can log in. */
static int login_name(char out[64], struct deis_err *err)
{
    const struct passwd *pw = getpwuid(geteuid());

    if (geteuid() == 0) {
        return deis_err_set(err, DEIS_INVALID, "the builder must not run as root");
    }
    if (!pw || strlen(pw->pw_name) >= 64) {
        return deis_err_set(err, DEIS_INVALID, "user %d has no name in the passwd file",
                            (int)geteuid());
    }
    memcpy(out, pw->pw_name, strlen(pw->pw_name) + 1);
    return DEIS_OK;
}

static void add_host_keys(const struct settings *s, struct deis_buf *out)
{
    for (size_t i = 0; i < DEIS_COUNT(key_types); i++) {
        deis_autofree char *path = key_path(s, key_types[i]);
        deis_buf_addf(out, "HostKey %s\n", path);
    }
}

/* Better no builder than one that nobody can reach. */
static int check_config(const struct settings *s, struct deis_err *err)
{
    deis_autofree char *config = config_path(s);
    char *const argv[] = { s->sshd, "-t", "-e", "-f", config, NULL };

    return run(s->sshd, argv, err);
}

static int write_config(const struct settings *s, const char *self, const char *settings_path,
                        struct deis_err *err)
{
    static const char fixed[] = "PidFile none\n"
                                "UsePAM no\n"
                                "StrictModes no\n"
                                "UseDNS no\n"
                                "LogLevel INFO\n"
                                "AuthenticationMethods publickey\n"
                                "PubkeyAuthentication yes\n"
                                "PasswordAuthentication no\n"
                                "KbdInteractiveAuthentication no\n"
                                "HostbasedAuthentication no\n"
                                "AuthorizedKeysFile none\n"
                                "AcceptEnv GIT_PROTOCOL\n"
                                "DisableForwarding yes\n"
                                "PermitTTY no\n"
                                "PermitTunnel no\n"
                                "PermitUserRC no\n"
                                "PermitUserEnvironment no\n"
                                "PrintMotd no\n"
                                "PrintLastLog no\n"
                                "Compression no\n"
                                "MaxAuthTries 10\n"
                                "MaxSessions 4\n"
                                "LoginGraceTime 20\n"
                                "ClientAliveInterval 15\n"
                                "ClientAliveCountMax 4\n";
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(CONFIG_MAX_BYTES);
    deis_autofree char *path = config_path(s);
    char login[64];

    int rc = login_name(login, err);
    if (rc < 0) {
        return rc;
    }
    add_host_keys(s, &out);
    deis_buf_addf(&out, "AllowUsers %s\nAuthorizedKeysCommandUser %s\n", login, login);
    deis_buf_addf(&out, "AuthorizedKeysCommand %s keys %s %%f %%t %%k\n", self, settings_path);
    deis_buf_add_cstr(&out, fixed);
    if (deis_buf_failed(&out)) {
        return deis_err_set(err, DEIS_LIMIT, "sshd_config is over %d bytes", CONFIG_MAX_BYTES);
    }
    return deis_file_replace(path, deis_buf_str(&out), 0600, err);
}

int sshd_prepare(const struct settings *s, const char *self, const char *settings_path,
                 struct deis_err *err)
{
    int rc = DEIS_OK;

    for (size_t i = 0; i < DEIS_COUNT(key_types) && rc == DEIS_OK; i++) {
        deis_autofree char *path = key_path(s, key_types[i]);
        rc = access(path, F_OK) == 0 ? DEIS_OK : make_key(key_types[i], path, err);
    }
    if (rc == DEIS_OK) {
        rc = write_config(s, self, settings_path, err);
    }
    return rc < 0 ? rc : check_config(s, err);
}

int sshd_start(const struct settings *s, int connection, const char *client, pid_t *ret_pid,
               struct deis_err *err)
{
    deis_autofree char *config = config_path(s);
    deis_autofree char *told = deis_asprintf("SetEnv=" ENV_PEER "=%s", client);
    char *const argv[] = { s->sshd, "-i", "-e", "-f", config, "-o", told, NULL };

    pid_t pid = fork();
    if (pid < 0) {
        return deis_err_errno(err, errno, "can't start sshd");
    }
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(connection, STDIN_FILENO);
        dup2(connection, STDOUT_FILENO);
        execve(s->sshd, argv, environment);
        _exit(127);
    }
    *ret_pid = pid;
    return DEIS_OK;
}
