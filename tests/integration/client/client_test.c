/* SPDX-License-Identifier: MIT */
/* The real deis command, against a real controller and against scripted answers. */
#include "tests/integration/client/person.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- cases --- */

static void client__account(void **state)
{
    struct person p = person_new(*state, "mira");
    struct person admin = administrator(*state);
    deis_autofree char *who = deis_asprintf("You are mira at %s\n", p.w->first.base);
    deis_autofree char *profile = deis_asprintf("%s/.deis/client.json", p.home);
    struct stat st;

    FAILS(&p, "Not logged in. Use 'deis login' or 'deis register' to get started.", "apps");
    person_register(&p);
    assert_int_equal(stat(profile, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    WORKS(&p, who, "whoami");
    RUN(&p, twice, "deis", "register", p.w->first.base, "--username=mira", "--password=x",
        "--email=");
    assert_int_equal(twice.status, 1);
    text_has(&twice.err, "Registration failed: Error: \n400 BAD REQUEST\nusername: ");
    WORKS(&p, "Token Regenerated\n", "auth:regenerate");
    WORKS(&p, "=== Apps\n", "apps");
    FAILS(&p, "403 FORBIDDEN", "auth:regenerate", "--username=admin");
    WORKS(&admin, "Token Regenerated\n", "auth:regenerate", "-u", "mira");
    FAILS(&p, "401 UNAUTHORIZED", "apps");
    FAILS(&p, "\n400 BAD REQUEST\nnon_field_errors: ", "login", p.w->first.base, "--username=mira",
          "--password=wrong");
    WORKS(&p, "Logged in as mira\n", "login", p.w->first.base, "--username=mira",
          "--password=secret");
    RUN(&p, passwd, "deis", "passwd", "--password=wrong", "--new-password=next");
    assert_int_equal(passwd.status, 1);
    text_has(&passwd.err, "Password change failed: Error: \n400 BAD REQUEST\n");
    WORKS(&p, "Password change succeeded.\n", "passwd", "--password=secret", "--new-password=next");
    FAILS(&p, "403 FORBIDDEN", "users");
    WORKS(&p, "Logged out\n", "logout");
    WORKS(&p, "Logged out\n", "logout");
    assert_int_equal(stat(profile, &st), -1);
    FAILS(&p, "does not appear to be a valid Deis controller", "login", p.w->etcd_server.url,
          "--username=mira", "--password=next");
    person_clear(&admin);
    person_clear(&p);
}

/* A name in another encoding is no name, and not the caller's own one. */
static void client__an_odd_name_is_nobody(void **state)
{
    struct person p = person_new(*state, "latin");

    person_register(&p);
    FAILS(&p, "no UTF-8", "auth:cancel", "--username=b\xE9n\xE9", "--yes");
    FAILS(&p, "no UTF-8", "auth:regenerate", "--username=b\xE9n\xE9");
    FAILS(&p, "no UTF-8", "apps:create", "--no-remote", "b\xE9n\xE9");
    WORKS(&p, "=== Apps\n", "apps:list");
    WORKS(&p, "created odd", "create", "odd");
    WORKS(&p, "=== odd Config\nA      1\n", "config:set", "A=1");
    FAILS(&p, "no UTF-8", "config:unset", "A", "b\xE9n\xE9");
    FAILS(&p, "no UTF-8", "limits:unset", "b\xE9n\xE9");
    FAILS(&p, "no UTF-8", "tags:unset", "b\xE9n\xE9");
    FAILS(&p, "no UTF-8", "routing:unset", "b\xE9n\xE9");
    FAILS(&p, "no UTF-8", "whitelist:add", "10.0.0.1", "b\xE9n\xE9");
    WORKS(&p, "=== odd Config\nA      1\n", "config");
    person_clear(&p);
}

static void client__questions(void **state)
{
    struct person p = person_new(*state, "asked");
    const char *const cancel[] = { "deis", "auth:cancel", "--username=asked", NULL };
    const char *const login[] = { "deis", "login", p.w->first.base, NULL };

    person_register(&p);
    outcome_auto struct outcome no;
    person_run(&p, "n\n", cancel, &no);
    assert_int_equal(no.status, 0);
    text_has(&no.out, "cancel account asked at http://");
    assert_string_equal(no.err.data, "Account not changed\n");
    /* A password is asked of a terminal only. */
    outcome_auto struct outcome blind;
    person_run(&p, "asked\nsecret\n", login, &blind);
    assert_int_equal(blind.status, 1);
    text_has(&blind.out, "username: password: \n");
    text_has(&blind.err, "Error: inappropriate ioctl for device");
    outcome_auto struct outcome yes;
    person_run(&p, "y\n", cancel, &yes);
    assert_int_equal(yes.status, 0);
    text_has(&yes.out, "Account cancelled\n");
    FAILS(&p, "Not logged in", "whoami");
    person_clear(&p);
}

static void client__keys(void **state)
{
    struct person p = person_new(*state, "keyed");
    const char *const menu[] = { "deis", "keys:add", NULL };

    person_register(&p);
    RUN(&p, made, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key", "-C", "keyed@desk");
    assert_int_equal(made.status, 0);
    WORKS(&p, "Uploading key.pub to deis... done\n", "keys:add", "key.pub");
    FAILS(&p, "This field must be unique.", "keys:add", "key.pub");
    WORKS(&p, "=== keyed Keys\nkeyed@desk ssh-ed25519 AAAA...", "keys:list");
    WORKS(&p, "Removing keyed@desk SSH Key... done\n", "keys:remove", "keyed@desk");
    person_write(p.folder, "bad.pub", "hello\n", 0600);
    FAILS(&p, "bad.pub is not a valid ssh key", "keys:add", "bad.pub");
    deis_autofree char *ssh = deis_asprintf("%s/.ssh", p.home);
    assert_int_equal(mkdir(ssh, 0700), 0);
    RUN(&p, moved, "cp", "key.pub", "../.ssh/id_test.pub");
    assert_int_equal(moved.status, 0);
    outcome_auto struct outcome chosen;
    person_run(&p, "1\n", menu, &chosen);
    assert_int_equal(chosen.status, 0);
    text_has(&chosen.out,
             "Found the following SSH public keys:\n1) id_test.pub keyed@desk\n"
             "0) Enter path to pubfile (or use keys:add <key_path>)\n"
             "Which would you like to use with Deis? Uploading id_test.pub to deis... done");
    outcome_auto struct outcome beyond;
    person_run(&p, "5\n", menu, &beyond);
    assert_int_equal(beyond.status, 1);
    text_has(&beyond.err, "Error: 5 is not a valid option\n");
    person_clear(&p);
}

static void client__app_and_its_remote(void **state)
{
    struct person p = person_new(*state, "owner");
    struct person other = person_new(*state, "other");

    person_register(&p);
    person_register(&other);
    WORKS(&p,
          "Creating Application... ...\b\b\bdone, created plum\n"
          "Git remote deis added\nremote available at ssh://git@127.0.0.1:2222/plum.git\n",
          "create", "plum");
    FAILS(&p, "\n400 BAD REQUEST\nid: This field must be unique.\n", "create", "plum");
    WORKS(&p, "=== plum Application\nupdated:  ", "info");
    WORKS(&p,
          "url:      plum.example.net\nowner:    owner\nid:       plum\n\n=== plum Processes\n"
          "\n=== plum Domains\n\n",
          "info");
    RUN(&p, again, "deis", "create", "peach");
    assert_int_equal(again.status, 1);
    text_has(&again.out, "done, created peach\n");
    text_has(&again.out, "git remote rename deis deis.old && deis git:remote -a peach\n");
    WORKS(&p, "remote available at", "create", "--no-remote");
    FAILS(&other, "403 FORBIDDEN", "info", "-a", "plum");
    FAILS(&other, "404 NOT FOUND\ndetail: Not found\n", "info"); /* the folder is "Work" */
    WORKS(&p, "Adding other to plum collaborators... done\n", "perms:create", "other");
    WORKS(&p, "=== plum's Users\nother\n", "perms");
    WORKS(&other, "=== Apps\nplum\n", "apps");
    FAILS(&other, "403 FORBIDDEN", "perms:create", "owner", "-a", "plum");
    WORKS(&p, "Removing other from plum collaborators... done\n", "perms:delete", "other");
    WORKS(&p, "Transferring peach to other... done\n", "apps:transfer", "other", "-a", "peach");
    FAILS(&p, "403 FORBIDDEN", "info", "-a", "peach");
    FAILS(&p, "App plum does not match confirm plumb, aborting.", "destroy", "--confirm=plumb");
    WORKS(&p, "Destroying plum...\ndone in 0s\nGit remote deis removed\n", "destroy",
          "--confirm=plum");
    WORKS(&p, "Git remote deis added\n", "git:remote", "-a", "elsewhere");
    FAILS(&p, "404 NOT FOUND", "info");
    person_clear(&p);
    person_clear(&other);
}

static void mode_is(const struct person *p, const char *name, mode_t want)
{
    deis_autofree char *path = deis_asprintf("%s/%s", p->folder, name);
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, want);
}

/* It holds what must not be read by others than those whom its owner lets. */
static void client__an_env_file_keeps_its_mode(void **state)
{
    struct person p = person_new(*state, "puller");
    deis_autofree char *link = deis_asprintf("%s/.env", p.folder);
    mode_t mask = umask(077);

    person_register(&p);
    WORKS(&p, "created date", "create", "date");
    WORKS(&p, "A      1", "config:set", "A=1");
    WORKS(&p, "", "config:pull");
    umask(mask);
    mode_is(&p, ".env", 0700);
    assert_int_equal(unlink(link), 0);
    person_write(p.folder, "secret.env", "", 0600);
    assert_int_equal(symlink("secret.env", link), 0);
    WORKS(&p, "", "config:pull", "-o");
    mode_is(&p, "secret.env", 0600);
    RUN(&p, env, "cat", "secret.env");
    assert_string_equal(env.out.data, "A=1\n");
    person_clear(&p);
}

/* Run a command with a terminal as its output, and "n" as the answer to what it may ask: all that
 * was shown, yours. */
static char *shown(const struct person *p, const char *const *argv)
{
    struct deis_buf out = DEIS_BUF_INIT(4096);
    int status = 0;
    int in[2];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0 && pipe2(in, O_CLOEXEC) == 0);
    assert_int_equal(write(in[1], "n\n", 2), 2);
    pid_t pid = person_spawn(p, argv, in[0], terminal, STDERR_FILENO);
    close(in[0]);
    close(in[1]);
    close(terminal);
    for (;;) { /* a terminal that nobody has open any more is an error to read */
        char *room = deis_buf_reserve(&out, 1024);
        ssize_t n = room ? read(master, room, 1024) : -1;
        if (n <= 0) {
            break;
        }
        deis_buf_added(&out, (size_t)n);
    }
    close(master);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return deis_buf_take(&out, NULL);
}

static void client__a_value_does_not_steer_the_terminal(void **state)
{
    struct person p = person_new(*state, "painter");
    const char *const get[] = { "deis", "config:get", "EVIL", NULL };
    const char *const pull[] = { "deis", "config:pull", "-io", NULL };

    person_register(&p);
    WORKS(&p, "created lime", "create", "lime");
    WORKS(&p, "EVIL", "config:set", "EVIL=a\033[2Jb");
    WORKS(&p, "a\033[2Jb\n", "config:get", "EVIL"); /* a program gets it as it is */
    deis_autofree char *value = shown(&p, get);
    assert_string_equal(value, "a\\x1b[2Jb\r\n");
    person_write(p.folder, ".env", "EVIL=mine\n", 0644);
    deis_autofree char *question = shown(&p, pull);
    assert_string_equal(question, "EVIL: overwrite mine with a\\x1b[2Jb? (y/N) ");
    person_clear(&p);
}

static void client__a_certificate_is_a_text(void **state)
{
    struct person p = person_new(*state, "sealer");

    person_register(&p);
    person_write(p.folder, "empty.pem", "", 0644);
    person_write(p.folder, "cert.der", "0\x82\x03\xff", 0644);
    FAILS(&p, "'empty.pem' is no PEM file", "certs:add", "empty.pem", "empty.pem");
    FAILS(&p, "'cert.der' is no PEM file", "certs:add", "cert.der", "empty.pem");
    person_clear(&p);
}

static void client__config(void **state)
{
    struct person p = person_new(*state, "setter");

    person_register(&p);
    WORKS(&p, "created fig", "create", "fig");
    WORKS(&p,
          "'odd' does not match the pattern 'key=var', ex: MODE=test\n"
          "Creating config... ...\b\b\bdone\n\n=== fig Config\nA          1\nLINES      ",
          "config:set", "A=1", "odd", "LINES=two\nlines");
    WORKS(&p, "A=1 LINES=two\nlines \n", "config", "--oneline");
    WORKS(&p, "Removing config... ...\b\b\bdone\n\n=== fig Config\nA      1\n", "config:unset",
          "LINES");
    person_write(p.folder, ".env", "B=2\nC=lost", 0644);
    WORKS(&p, "=== fig Config\nA      1\nB      2\n", "config:push");
    FAILS(&p, ".env already exists, pass -o to overwrite", "config:pull");
    WORKS(&p, "", "config:pull", "-o");
    RUN(&p, env, "sort", ".env");
    assert_string_equal(env.out.data, "A=1\nB=2\n");
    person_write(p.folder, ".env", "A=mine\nB=mine\nD=4\n", 0644);
    outcome_auto struct outcome merged;
    person_run(&p, "y\nn\n", (const char *const[]){ "deis", "config:pull", "-io", NULL }, &merged);
    assert_int_equal(merged.status, 0);
    text_has(&merged.out, "A: overwrite mine with 1? (y/N) ");
    RUN(&p, env2, "sort", ".env");
    assert_string_equal(env2.out.data, "A=1\nB=mine\nD=4\n");
    mode_is(&p, ".env", 0644);
    FAILS(&p, "Could not parse SSH private key:\n nokey", "config:set", "SSH_KEY=nokey");
    FAILS(&p, "404 NOT FOUND", "config", "-a", "nowhere");
    WORKS(&p,
          "Applying limits... ...\b\b\bdone\n\n=== fig Limits\n\n--- Memory\nweb     64M\n\n"
          "--- CPU\nUnlimited\n",
          "limits:set", "web=64M");
    WORKS(&p, "--- CPU\nweb     512\n", "limits:set", "-c", "web=512");
    WORKS(&p, "--- Memory\nUnlimited\n", "limits:unset", "web");
    WORKS(&p, "rack is invalid, Must be in format key=value\n", "tags:set", "rack");
    WORKS(&p, "=== fig Tags\nrack     2\n", "tags:set", "rack=2");
    WORKS(&p, "done\n\n=== fig Tags\n", "tags:unset", "rack");
    WORKS(&p, "=== fig Routing\nNothing is set\n", "routing");
    person_write(p.folder, "busy.html", "<p>busy</p>\n", 0644);
    WORKS(&p,
          "Changing the routing of fig... ...\b\b\bdone\n\n=== fig Routing\n"
          "page.503    (12 bytes)\ntimeout     30s\n",
          "routing:set", "timeout=30s", "page.503=@busy.html");
    FAILS(&p, "settings: timeout must be a time from 1000 ms to 86400 s", "routing:set",
          "timeout=soon");
    FAILS(&p, "'timeout' must be of the form setting=value", "routing:set", "timeout");
    FAILS(&p, "No such file", "routing:set", "page.503=@nowhere.html");
    WORKS(&p, "page.503    (12 bytes)\n", "routing:unset", "timeout");
    WORKS(&p, "Turning on maintenance of fig... ...\b\b\bdone\n", "maintenance:on");
    WORKS(&p, "maintenance    true\n", "routing");
    WORKS(&p, "Turning off maintenance of fig... ...\b\b\bdone\n", "maintenance:off");
    WORKS(&p, "=== fig Whitelist\n10.0.0.0/8:office\n::1\n", "whitelist:add", "10.0.0.0/8:office",
          "::1");
    FAILS(&p, "settings: whitelist has no entry '10.1.1.1'", "whitelist:remove", "10.1.1.1");
    WORKS(&p, "=== fig Whitelist\n::1\n", "whitelist:remove", "10.0.0.0/8");
    WORKS(&p, "Empty: the app is open to all addresses\n", "whitelist:remove", "::1");
    WORKS(&p, "Adding shop.example.org to fig... ...\b\b\bdone\n", "domains:add",
          "shop.example.org");
    WORKS(&p, "=== fig Domains\nshop.example.org\n", "domains");
    FAILS(&p, "domain: Hostname does not look valid.", "domains:add", "a_b.com");
    WORKS(&p, "Removing shop.example.org from fig... ...\b\b\bdone\n", "domains:remove",
          "shop.example.org");
    person_clear(&p);
}

static void client__build_processes_and_releases(void **state)
{
    struct person p = person_new(*state, "deployer");

    person_register(&p);
    WORKS(&p, "created kiwi", "create", "kiwi");
    FAILS(&p, "No build associated with this release", "scale", "cmd=1");
    person_write(p.folder, "Procfile", "worker: sleep 1000\n", 0644);
    WORKS(&p, "Creating build... ...\b\b\bdone\n", "pull", "acme/kiwi:1");
    FAILS(&p, "Error: yaml: ", "builds:create", "acme/kiwi:1", "-p", "{");
    WORKS(&p, "=== kiwi Builds\n", "builds");
    WORKS(&p, "--- cmd:\ncmd.1 up (v2)\n", "ps");
    WORKS(&p,
          "Scaling processes... but first, coffee!\n...\b\b\bdone in 0s\n=== kiwi Processes\n"
          "--- cmd:\ncmd.1 up (v2)\n--- worker:\nworker.1 up (v2)\nworker.2 up (v2)\n",
          "scale", "worker=2");
    WORKS(&p, "=== kiwi Processes (1 of 3)\n", "ps", "-l", "1");
    WORKS(&p, "Restarting processes... but first, coffee!\n", "ps:restart", "worker.2");
    FAILS(&p, "'web.x' is no process", "ps:restart", "web.x");
    WORKS(&p, "done, v3\n\n=== kiwi Config\nA      1\n", "config:set", "A=1");
    WORKS(&p, "worker.2 up (v3)\n", "ps");
    WORKS(&p, "v3\t", "releases");
    WORKS(&p, "=== kiwi Release v2\nbuild:    ", "releases:info", "2");
    FAILS(&p, "'V2' is no release version", "releases:info", "V2");
    WORKS(&p, "Rolling back one release... ...\b\b\bdone, v4\n", "rollback");
    WORKS(&p, "Rolling back to v3... ...\b\b\bdone, v5\n", "rollback", "v3");
    FAILS(&p, "503 SERVICE UNAVAILABLE", "pull", "acme/broken:1");
    WORKS(&p, "cmd.1 up (v5)", "ps");
    RUN(&p, ran, "deis", "run", "--", "echo", "-n", "x");
    assert_int_equal(ran.status, 3); /* as the fake agent says */
    text_has(&ran.out, "Running 'echo -n x'...\nhello \"there\"");
    RUN(&p, gone, "deis", "scale", "cmd=1", "-a", "nowhere");
    assert_int_equal(gone.status, 1);
    text_has(&gone.out, "but first, coffee!");
    text_has(&gone.err, "404 NOT FOUND");
    person_clear(&p);
}

static void wait_for(int fd, struct deis_buf *text, const char *part)
{
    uint64_t end = deis_now_ms() + WAIT_MS;

    while (!strstr(text->data, part)) {
        struct pollfd poll_fd = { fd, POLLIN, 0 };
        char chunk[4096];
        assert_true(deis_now_ms() < end);
        assert_true(poll(&poll_fd, 1, WAIT_MS) > 0);
        ssize_t n = read(fd, chunk, sizeof(chunk));
        assert_true(n > 0);
        deis_buf_add(text, chunk, (size_t)n);
    }
}

static void client__logs_and_their_tail(void **state)
{
    struct person p = person_new(*state, "reader");
    const char *const argv[] = { "deis", "logs", "--tail", NULL };
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(OUT_MAX);
    int out[2];
    int status = 0;

    person_register(&p);
    WORKS(&p, "created pear", "create", "pear");
    assert_true(fake_platform_logged(p.w->platform, "pear", "initial release"));
    WORKS(&p, " pear[deis-controller]: reader created initial release\033[0m\n", "logs");
    WORKS(&p, "initial release", "logs", "-n", "1");
    FAILS(&p, "'x' is no number", "logs", "-n", "x");
    FAILS(&p, "404 NOT FOUND\ndetail: Not found\n", "logs", "--tail", "-a", "nowhere");
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = person_spawn(&p, argv, STDIN_FILENO, out[1], STDERR_FILENO);
    close(out[1]);
    wait_for(out[0], &text, "created initial release\033[0m\n");
    WORKS(&p, "done", "config:set", "TAILED=1");
    wait_for(out[0], &text, "pear[deis-controller]: reader added TAILED\033[0m\n");
    kill(pid, SIGINT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(out[0]);
    person_clear(&p);
}

static void client__administrator(void **state)
{
    struct person admin = administrator(*state);
    struct person p = person_new(*state, "promoted");

    person_register(&p);
    WORKS(&admin, "\npromoted\n", "users");
    WORKS(&admin, "=== Users (1 of ", "users", "--limit=1");
    WORKS(&admin, "Adding promoted to system administrators... done\n", "perms:create", "promoted",
          "--admin");
    WORKS(&p, "=== Administrators\nadmin\npromoted\n", "perms:list", "--admin");
    WORKS(&admin, "Removing promoted from system administrators... done\n", "perms:delete",
          "promoted", "--admin");
    FAILS(&p, "403 FORBIDDEN", "perms:list", "--admin");
    WORKS(&admin, "Account cancelled\n", "auth:cancel", "--username=promoted", "--yes");
    WORKS(&admin, "You are admin at ", "whoami");
    person_clear(&admin);
    person_clear(&p);
}

static void client__usage_and_plugins(void **state)
{
    struct person p = person_new(*state, "typist");

    RUN(&p, nothing, "deis");
    assert_int_equal(nothing.status, 1);
    assert_string_equal(nothing.err.data, "Usage: deis <command> [<args>...]\n");
    RUN(&p, option, "deis", "--what", "apps");
    assert_int_equal(option.status, 1);
    assert_string_equal(option.out.data, "Usage: deis <command> [<args>...]\n");
    assert_string_equal(option.err.data, "\n");
    RUN(&p, wrong, "deis", "logs", "-a");
    assert_int_equal(wrong.status, 1);
    assert_string_equal(wrong.out.data, "-a requires argument\nUsage: deis apps:logs [options]\n");
    RUN(&p, verb, "deis", "apps:zap");
    assert_int_equal(verb.status, 0);
    assert_string_equal(verb.err.data, "Found no matching command, try 'deis help'\n"
                                       "Usage: deis <command> [<args>...]\n");
    RUN(&p, group, "deis", "zap");
    assert_int_equal(group.status, 1);
    WORKS(&p, "1.13.4\n", "--version");
    RUN(&p, full, "sh", "-c", "deis help >/dev/full");
    assert_int_equal(full.status, 1);
    assert_string_equal(full.err.data, "Error: can't write to stdout\n");
    person_write(p.home, "deis-zap", "#!/bin/sh\necho \"zap: $*\"\nexit 7\n", 0755);
    RUN(&p, plugin, "deis", "zap:now", "a b", "--c");
    assert_int_equal(plugin.status, 7);
    assert_string_equal(plugin.out.data, "zap: now a b --c\n");
    RUN(&p, help, "deis", "help", "zap");
    assert_string_equal(help.out.data, "zap: --help\n");
    person_clear(&p);
}

/* --- odd servers --- */

#define HEAD       "HTTP/1.1 200 OK\r\nDEIS_API_VERSION: 1.7\r\n"
#define EMPTY_LIST "{\"count\":0,\"next\":null,\"previous\":null,\"results\":[]}"

/* T-21, T-22 */
static void client__headers_and_odd_servers(void **state)
{
    struct person p = person_new(*state, "scripted");
    const char *const apps[] = { "deis", "apps", NULL };

    const struct {
        const char *answer;
        int status;
        const char *out;
        const char *err;
    } rows[] = {
        { HEAD "Content-Length: 52\r\n\r\n" EMPTY_LIST, 0, "=== Apps\n", "" },
        { "HTTP/1.1 200 OK\r\nDEIS_API_VERSION: 2.0\r\nContent-Length: 52\r\n\r\n" EMPTY_LIST, 0,
          "!    Server version: 2.0\n=== Apps\n", "" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 52\r\n\r\n" EMPTY_LIST, 0,
          "!    WARNING: Client and server API versions do not match.", "" },
        { HEAD "Content-Length: 2\r\n\r\n{}", 1, "", "Error: the controller's answer is no list" },
        { HEAD "Content-Length: 4\r\n\r\n<p>\n", 1, "",
          "Error: the controller's answer is no JSON" },
        { "HTTP/1.1 500 INTERNAL SERVER ERROR\r\nContent-Length: 4\r\n\r\noops", 1, "",
          "Error: \n500 INTERNAL SERVER ERROR\noops\n\n" },
        { "HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\n{}", 1, "", "Error: \n404 \n\n" },
        { "garbage\r\n\r\n", 1, "", "Error: " },
    };

    assert_int_equal(sizeof(EMPTY_LIST) - 1, 52);
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        outcome_auto struct outcome o;
        deis_autobuf struct deis_buf request;
        person_run_scripted(&p, rows[i].answer, apps, &o, &request);
        assert_int_equal(o.status, rows[i].status);
        text_has(&o.out, rows[i].out);
        text_has(&o.err, rows[i].err);
        text_has(&request, "GET /v1/apps/?page_size=100 HTTP/1.1\r\n");
        text_has(&request, "\r\nAuthorization: token abc\r\n");
        text_has(&request, "\r\nContent-Type: application/json\r\n");
        text_has(&request, "\r\nUser-Agent: Deis Client v1.13.4\r\n");
    }
    person_clear(&p);
}

static void client__token_goes_to_no_other_host(void **state)
{
    struct person p = person_new(*state, "redirected");
    const char *const apps[] = { "deis", "apps", NULL };
    outcome_auto struct outcome o;
    deis_autobuf struct deis_buf request;

    person_run_scripted(
        &p,
        "HTTP/1.1 302 FOUND\r\nLocation: http://localhost.example.invalid/v1/apps/\r\n"
        "Content-Length: 0\r\n\r\n",
        apps, &o, &request);
    assert_int_equal(o.status, 1);
    text_has(&o.err, "Error: the controller's answer is no list");
    person_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client__account),
        cmocka_unit_test(client__an_odd_name_is_nobody),
        cmocka_unit_test(client__questions),
        cmocka_unit_test(client__keys),
        cmocka_unit_test(client__app_and_its_remote),
        cmocka_unit_test(client__config),
        cmocka_unit_test(client__an_env_file_keeps_its_mode),
        cmocka_unit_test(client__a_value_does_not_steer_the_terminal),
        cmocka_unit_test(client__a_certificate_is_a_text),
        cmocka_unit_test(client__build_processes_and_releases),
        cmocka_unit_test(client__logs_and_their_tail),
        cmocka_unit_test(client__administrator),
        cmocka_unit_test(client__usage_and_plugins),
        cmocka_unit_test(client__headers_and_odd_servers),
        cmocka_unit_test(client__token_goes_to_no_other_host),
    };

    if (!test_etcd_installed("client")) {
        return 0;
    }
    return cmocka_run_group_tests(tests, people_start, people_stop);
}
