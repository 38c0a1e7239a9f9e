/* SPDX-License-Identifier: MIT */
/* What our command has beyond the one whose contract it keeps. */
#include "tests/integration/client/person.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/net/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define COMMAND_WORDS 6

/* Run deis with these words; what it prints must be JSON. Yours. */
static json_t *json_of(const struct person *p, const char *const *words)
{
    const char *argv[COMMAND_WORDS + 3] = { "deis" };
    outcome_auto struct outcome o;
    struct deis_err err;
    size_t n = 0;

    for (; words[n]; n++) {
        argv[n + 1] = words[n];
    }
    argv[n + 1] = "--json";
    person_run(p, "", argv, &o);
    if (o.status != 0) {
        print_error("deis %s: %s\n", words[0], o.err.data);
        fail();
    }
    json_t *value = deis_json_parse(deis_buf_str(&o.out), &err);
    assert_non_null(value);
    return value;
}

#define JSON_OF(p, ...) json_of(p, (const char *const[]){ __VA_ARGS__, NULL })

static void json_is(const struct person *p, const char *want, const char *const *words)
{
    deis_autojson json_t *value = json_of(p, words);
    deis_autofree char *text = deis_json_dump(value);

    assert_string_equal(text, want);
}

#define JSON_IS(p, want, ...) json_is(p, want, (const char *const[]){ __VA_ARGS__, NULL })

static const char *text_in(const json_t *list, size_t i, const char *member)
{
    const char *text = json_string_value(json_object_get(json_array_get(list, i), member));

    return text ? text : "";
}

static void extras__json_of_an_app(void **state)
{
    struct person p = person_new(*state, "json");
    deis_autofree char *who =
        deis_asprintf("{\"username\":\"json\",\"controller\":\"%s\"}", p.w->first.base);

    person_register(&p);
    JSON_IS(&p, who, "whoami");
    JSON_IS(&p, "[]", "apps");
    WORKS(&p, "created lime", "create", "lime");
    WORKS(&p, "done", "config:set", "A=1", "B=two\nlines");
    WORKS(&p, "done", "domains:add", "lime.example.org");
    WORKS(&p, "done", "tags:set", "rack=2");
    WORKS(&p, "done", "tags:unset", "rack");
    WORKS(&p, "done", "limits:set", "web=64M");
    JSON_IS(&p, "{\"A\":\"1\",\"B\":\"two\\nlines\"}", "config");
    JSON_IS(&p, "{\"B\":\"two\\nlines\"}", "config:get", "B");
    JSON_IS(&p, "{\"memory\":{\"web\":\"64M\"},\"cpu\":{}}", "limits");
    JSON_IS(&p, "{}", "tags");
    JSON_IS(&p, "[]", "perms");
    JSON_IS(&p, "[]", "builds");
    JSON_IS(&p, "[]", "keys");
    JSON_IS(&p, "[]", "certs");
    JSON_IS(&p, "[]", "ps");
    deis_autojson json_t *apps = JSON_OF(&p, "apps:list");
    assert_int_equal(json_array_size(apps), 1);
    assert_string_equal(text_in(apps, 0, "id"), "lime");
    assert_int_equal(json_object_size(json_array_get(apps, 0)), 7);
    deis_autojson json_t *domains = JSON_OF(&p, "domains");
    assert_string_equal(text_in(domains, 0, "domain"), "lime.example.org");
    deis_autojson json_t *release = JSON_OF(&p, "releases:info", "v2");
    assert_int_equal(json_integer_value(json_object_get(release, "version")), 2);
    deis_autojson json_t *info = JSON_OF(&p, "info");
    assert_string_equal(json_string_value(json_object_get(info, "owner")), "json");
    assert_int_equal(json_array_size(json_object_get(info, "domains")), 1);
    assert_int_equal(json_array_size(json_object_get(info, "processes")), 0);
    FAILS(&p, "404 NOT FOUND", "ps", "--json", "-a", "nowhere");
    person_clear(&p);
}

/* A limit in the profile cuts what people see, not what programs get. */
static void extras__json_lists_are_whole(void **state)
{
    struct person p = person_new(*state, "pager");
    deis_autofree char *profile = deis_asprintf("%s/.deis/client.json", p.home);

    person_register(&p);
    WORKS(&p, "created mango", "create", "mango");
    for (int i = 0; i < 4; i++) {
        deis_autofree char *pair = deis_asprintf("N=%d", i);
        WORKS(&p, "done", "config:set", pair);
    }
    RUN(&p, edit, "sed", "-i", "s/\"response_limit\":100/\"response_limit\":2/", profile);
    assert_int_equal(edit.status, 0);
    WORKS(&p, "=== mango Releases (2 of 5)\n", "releases");
    deis_autojson json_t *all = JSON_OF(&p, "releases");
    assert_int_equal(json_array_size(all), 5);
    for (size_t i = 0; i < 5; i++) {
        const json_t *version = json_object_get(json_array_get(all, i), "version");
        assert_int_equal(json_integer_value(version), 5 - i);
    }
    deis_autojson json_t *three = JSON_OF(&p, "releases", "-l", "3");
    assert_int_equal(json_array_size(three), 3);
    person_clear(&p);
}

static void extras__json_of_the_platform(void **state)
{
    struct person admin = administrator(*state);

    JSON_IS(&admin, "[\"admin\"]", "perms:list", "--admin");
    deis_autojson json_t *users = JSON_OF(&admin, "users");
    assert_string_equal(text_in(users, 0, "username"), "admin");
    assert_int_equal(json_object_size(json_array_get(users, 0)), 8);
    person_clear(&admin);
}

static void extras__config_from_files_and_stdin(void **state)
{
    struct person p = person_new(*state, "filer");
    const char *const from_stdin[] = { "deis", "config:set", "--stdin", "PIPED", "C=3", NULL };

    person_register(&p);
    WORKS(&p, "created olive", "create", "olive");
    person_write(p.folder, "key.pem", "line one\nline two\n", 0600);
    person_write(p.folder, "@literal", "from a file", 0600);
    WORKS(&p, "done", "config:set", "--from-file=KEY=key.pem", "--from-file", "OTHER=@literal");
    WORKS(&p, "line one\nline two\n", "config:get", "KEY");
    WORKS(&p, "from a file\n", "config:get", "OTHER");
    outcome_auto struct outcome piped;
    person_run(&p, "so secret\n", from_stdin, &piped);
    assert_int_equal(piped.status, 0);
    JSON_IS(&p, "{\"PIPED\":\"so secret\"}", "config:get", "PIPED");
    /* The contract's words mean what they meant. */
    WORKS(&p, "done", "config:set", "A=@key.pem", "B=-");
    WORKS(&p, "@key.pem\n", "config:get", "A");
    WORKS(&p, "-\n", "config:get", "B");
    FAILS(&p, "--from-file 'KEY' must be <var>=<path>", "config:set", "--from-file=KEY");
    FAILS(&p, "can't open 'none.pem'", "config:set", "--from-file=KEY=none.pem");
    FAILS(&p, "KEY is given twice", "config:set", "KEY=1", "--from-file=KEY=key.pem");
    FAILS(&p, "--stdin 'A-B' must be the name of a variable", "config:set", "--stdin=A-B");
    FAILS(&p, "olive has no variable 'NONE'; 'deis config -a olive' lists them", "config:get",
          "NONE");
    RUN(&p, nothing, "deis", "config:set");
    assert_int_equal(nothing.status, 1);
    assert_string_equal(nothing.out.data, "Usage: deis config:set [<var>=<value>...] [options]\n");
    person_clear(&p);
}

static void extras__logs_without_colour(void **state)
{
    struct person p = person_new(*state, "plain");
    deis_autobuf struct deis_buf request = DEIS_BUF_INIT(0);

    person_register(&p);
    WORKS(&p, "created papaya", "create", "papaya");
    assert_true(fake_platform_logged(p.w->platform, "papaya", "initial release"));
    WORKS(&p, "\033[3", "logs");
    RUN(&p, plain, "env", "NO_COLOR=1", "deis", "logs");
    assert_int_equal(plain.status, 0);
    assert_null(strchr(plain.out.data, '\033'));
    text_has(&plain.out, " papaya[deis-controller]: plain created initial release\n");
    assert_null(strstr(plain.out.data, "\n\n"));
    RUN(&p, empty, "env", "NO_COLOR=", "deis", "logs");
    text_has(&empty.out, "\033[3");
    RUN(&p, json, "deis", "logs", "--json");
    assert_int_equal(json.status, 0);
    text_has(&json.out, "UTC\",\"process\":\"deis-controller\","
                        "\"text\":\"plain created initial release\"}\n");
    outcome_auto struct outcome asked;
    person_run_scripted(
        &p,
        "HTTP/1.1 204 NO CONTENT\r\nDEIS_API_VERSION: 1.7\r\n"
        "Content-Length: 0\r\n\r\n",
        (const char *const[]){ "deis", "logs", "-a", "papaya", "-p", "web.1", NULL }, &asked,
        &request);
    assert_int_equal(asked.status, 0);
    text_has(&request, "GET /v1/apps/papaya/logs?process=web.1 HTTP/1.1\r\n");
    person_clear(&p);
}

static void extras__processes_in_detail(void **state)
{
    struct person p = person_new(*state, "detail");

    person_register(&p);
    WORKS(&p, "created quince", "create", "quince");
    WORKS(&p, "done", "pull", "acme/quince:1");
    WORKS(&p, "=== quince Processes\nPROCESS  STATE  RELEASE  MACHINE", "ps", "--detail");
    WORKS(&p, "\ncmd.1    up     v2 ", "ps:list", "--detail");
    deis_autojson json_t *list = JSON_OF(&p, "ps");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(text_in(list, 0, "type"), "cmd");
    assert_int_equal(json_object_size(json_array_get(list, 0)), 12);
    assert_true(json_is_true(json_object_get(json_array_get(list, 0), "ready")));
    assert_string_not_equal(text_in(list, 0, "machine"), "");
    assert_string_not_equal(text_in(list, 0, "since"), "");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "restarts")), 0);
    person_clear(&p);
}

/* The id of the login that asks, or of another one; "" when there is none. */
static const char *token_id(const json_t *tokens, bool current)
{
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *mark = json_object_get(json_array_get(tokens, i), "current");
        assert_true(json_is_boolean(mark));
        if (json_is_true(mark) == current) {
            return text_in(tokens, i, "id");
        }
    }
    return "";
}

static void extras__logins_are_listed_and_ended(void **state)
{
    struct person p = person_new(*state, "twice");
    struct person other = person_new(*state, "stranger");

    person_register(&p);
    person_register(&other);
    WORKS(&p, "Logged in as twice\n", "login", p.w->first.base, "--username=twice",
          "--password=secret");
    WORKS(&p, "=== twice Tokens\nID ", "auth:tokens");
    deis_autojson json_t *two = JSON_OF(&p, "auth:tokens");
    assert_int_equal(json_array_size(two), 2);
    assert_string_not_equal(text_in(two, 0, "created"), "");
    const char *old = token_id(two, false);
    FAILS(&other, "404 NOT FOUND", "auth:revoke", old);
    WORKS(&p, "... done\n", "auth:revoke", old);
    deis_autojson json_t *one = JSON_OF(&p, "auth:tokens");
    assert_int_equal(json_array_size(one), 1);
    assert_string_equal(token_id(one, true), token_id(two, true));
    FAILS(&p, "404 NOT FOUND", "auth:revoke", old);
    WORKS(&p, "... done\n", "auth:revoke", token_id(two, true));
    FAILS(&p, "Log in again: deis login ", "auth:tokens");
    person_clear(&other);
    person_clear(&p);
}

static void extras__audit(void **state)
{
    struct person admin = administrator(*state);
    struct person p = person_new(*state, "watched");

    person_register(&p);
    WORKS(&p, "created satsuma", "create", "satsuma");
    WORKS(&p, "done", "domains:add", "satsuma.example.org");
    FAILS(&p, "403 FORBIDDEN", "audit");
    WORKS(&admin, "app.create  app/satsuma", "audit", "-a", "satsuma");
    WORKS(&admin, "=== Audit (1 of ", "audit", "-l", "1");
    deis_autojson json_t *of_app = JSON_OF(&admin, "audit", "--app=satsuma");
    assert_true(json_array_size(of_app) >= 2);
    for (size_t i = 0; i < json_array_size(of_app); i++) {
        assert_int_equal(strncmp(text_in(of_app, i, "object"), "app/satsuma", 11), 0);
        assert_string_not_equal(text_in(of_app, i, "request"), "");
    }
    assert_string_equal(text_in(of_app, 0, "action"), "domain.add");
    deis_autojson json_t *of_user = JSON_OF(&admin, "audit", "-u", "watched");
    assert_true(json_array_size(of_user) > json_array_size(of_app));
    for (size_t i = 0; i < json_array_size(of_user); i++) {
        assert_string_equal(text_in(of_user, i, "user"), "watched");
    }
    person_clear(&p);
    person_clear(&admin);
}

#define HEAD "HTTP/1.1 200 OK\r\nDEIS_API_VERSION: 1.7\r\nConnection: close\r\n\r\n"
#define LIST "{\"count\":1,\"next\":null,\"previous\":null,\"results\":["
#define END  "]}"

/* Each command asks this of the controller and makes that of its answer. */
static void extras__answers_of_new_endpoints(void **state)
{
    struct person p = person_new(*state, "fresh");

    const struct {
        const char *const *argv;
        const char *request;
        const char *answer;
        const char *out;
    } rows[] = {
        { (const char *const[]){ "deis", "auth:tokens", NULL },
          "GET /v1/auth/tokens/?page_size=100 HTTP/1.1\r\n",
          HEAD LIST
          "{\"id\":\"0a1b\",\"created\":\"then\",\"last_used\":null,\"current\":true}" END,
          "=== mira Tokens\n"
          "ID    CREATED  LAST USED  THIS LOGIN\n"
          "0a1b  then     -          yes\n" },
        { (const char *const[]){ "deis", "auth:revoke", "0a1b", NULL },
          "DELETE /v1/auth/tokens/0a1b HTTP/1.1\r\n",
          "HTTP/1.1 204 NO CONTENT\r\nDEIS_API_VERSION: 1.7\r\n\r\n", "Revoking 0a1b... done\n" },
        { (const char *const[]){ "deis", "audit", "-a", "blog", "-u", "ivo", "-l", "5", NULL },
          "GET /v1/audit/?page_size=5&app=blog&user=ivo HTTP/1.1\r\n",
          HEAD LIST "{\"time\":\"then\",\"user\":\"ivo\",\"action\":\"app.create\","
                    "\"object\":\"app/blog\",\"result\":\"done\",\"request\":\"r1\"}" END,
          "=== Audit\n"
          "TIME  USER  ACTION      OBJECT    RESULT\n"
          "then  ivo   app.create  app/blog  done\n" },
        { (const char *const[]){ "deis", "ps", "--detail", "-a", "blog", NULL },
          "GET /v1/apps/blog/containers/?page_size=100&detail=true&runs=true HTTP/1.1\r\n",
          HEAD LIST "{\"type\":\"web\",\"num\":1,\"state\":\"up\",\"release\":\"v2\","
                    "\"machine\":\"node-1\",\"restarts\":2}" END,
          "=== blog Processes\n"
          "PROCESS  STATE  RELEASE  MACHINE  AGE  RESTARTS  LAST EXIT\n"
          "web.1    up     v2       node-1   -    2         -\n" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        outcome_auto struct outcome o;
        deis_autobuf struct deis_buf request;
        person_run_scripted(&p, rows[i].answer, rows[i].argv, &o, &request);
        text_has(&request, rows[i].request);
        assert_string_equal(o.out.data, rows[i].out);
        assert_int_equal(o.status, 0);
    }
    /* A warning is nothing for a program that reads JSON. */
    outcome_auto struct outcome old;
    deis_autobuf struct deis_buf request;
    person_run_scripted(
        &p, "HTTP/1.1 200 OK\r\nDEIS_API_VERSION: 1.8\r\n\r\n" LIST "{\"id\":\"a\"}" END,
        (const char *const[]){ "deis", "apps", "--json", NULL }, &old, &request);
    assert_int_equal(old.out.data[0], '[');
    text_has(&old.err, "!    WARNING: Client and server API versions do not match.");
    person_clear(&p);
}

static void extras__what_to_do_next(void **state)
{
    struct person p = person_new(*state, "lost");
    struct person other = person_new(*state, "helper");
    deis_autofree char *folder = deis_asprintf("%s/.deis", p.home);
    deis_autofree char *again = deis_asprintf("Log in again: deis login %s\n", p.w->first.base);

    person_register(&p);
    person_register(&other);
    WORKS(&other, "created raisin", "create", "raisin");
    FAILS(&p, "Name the app with -a <app>", "info");
    RUN(&p, root, "env", "-C", "/", "deis", "config");
    assert_int_equal(root.status, 1);
    text_has(&root.err, "Error: no app is named. Use -a <app>");
    FAILS(&p, "Is 'nowhere' the app you mean? 'deis apps' lists yours.\n", "info", "-a", "nowhere");
    FAILS(&p, "deis perms:create lost -a raisin\n", "info", "-a", "raisin");
    FAILS(&p, "An administrator may do this.\n", "users");
    FAILS(&other, "'deis logs -a raisin' and ", "pull", "acme/broken:1");
    RUN(&p, edit, "sed", "-i", "s/\"token\":\"[0-9a-f]*/&0/", "../.deis/client.json");
    assert_int_equal(edit.status, 0);
    FAILS(&p, again, "apps");
    person_write(folder, "client.json",
                 "{\"username\":\"lost\",\"controller\":\"http://127.0.0.1:1\",\"token\":\"a\"}",
                 0600);
    FAILS(&p, "Is a controller running at http://127.0.0.1:1, and can this machine reach it?\n",
          "apps");
    person_clear(&other);
    person_clear(&p);
}

static bool is_shown(int terminal)
{
    struct termios t;

    assert_int_equal(tcgetattr(terminal, &t), 0);
    return (t.c_lflag & ECHO) != 0;
}

/* Also when the question for a password is broken off. */
static void extras__a_terminal_shows_again_what_is_typed(void **state)
{
    enum { ROUNDS = 10 }; /* a signal may come before, or while, the answer is awaited */

    static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
    static const char *const argv[] = { "deis", "passwd", NULL };
    struct person p = person_new(*state, "secretive");
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int status = 0;

    person_register(&p);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    deis_autoclose int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    deis_autoclose int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < ROUNDS * DEIS_COUNT(signals); i++) {
        int signal = signals[i % DEIS_COUNT(signals)];
        assert_true(is_shown(terminal));
        pid_t pid = person_spawn(&p, argv, terminal, nothing, nothing);
        for (uint64_t end = deis_now_ms() + WAIT_MS; is_shown(terminal);) {
            assert_true(deis_now_ms() < end);
        }
        assert_int_equal(kill(pid, signal), 0);
        for (uint64_t end = deis_now_ms() + WAIT_MS; waitpid(pid, &status, WNOHANG) != pid;) {
            assert_true(deis_now_ms() < end);
        }
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    }
    assert_true(is_shown(terminal));
    close(master);
    person_clear(&p);
}

static unsigned long long blocked_signals(pid_t pid)
{
    deis_autofree char *path = deis_asprintf("/proc/%d/status", (int)pid);
    deis_autobuf struct deis_buf status = DEIS_BUF_INIT(65536);
    struct deis_err err;

    assert_int_equal(deis_file_read(path, &status, &err), 0);
    const char *line = strstr(status.data, "\nSigBlk:\t");
    assert_non_null(line);
    return strtoull(line + strlen("\nSigBlk:\t"), NULL, 16);
}

/* The controller has the request and says nothing: nothing runs yet that an interrupt could be for.
 */
static void extras__an_interrupt_ends_the_wait_for_a_command(void **state)
{
    struct person p = person_new(*state, "hasty");
    static const char *const argv[] = { "deis", "run", "--no-tty", "-a", "blog", "true", NULL };
    deis_autobuf struct deis_buf request = DEIS_BUF_INIT(65536);
    deis_autoclose int listener = person_listen(&p);
    deis_autoclose int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int status = 0;

    pid_t pid = person_spawn(&p, argv, nothing, nothing, nothing);
    deis_autoclose int fd = person_take_request(listener, &request);
    text_has(&request, "\r\nUpgrade: deis-run\r\n");
    assert_int_equal(blocked_signals(pid) >> (SIGINT - 1) & 1, 0);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    person_clear(&p);
}

/* What the shell's own completion makes of our script. */
static void extras__completion_in_bash(void **state)
{
    struct person p = person_new(*state, "shell");
    static const char *const rows[][2] = {
        { "deis apps:cr", "create" },        { "deis log", "login logout logs" },
        { "deis logs --t", "--tail" },       { "deis completion z", "zsh" },
        { "deis config:push -p ne", "net" }, { "deis login --ssl-verify=f", "false" },
        { "deis help ps:sc", "scale" },      { "deis logs -a x", "" },
        { "deis certs --l", "--limit=" },    { "deis perms --ad", "--admin" },
    };

    person_write(p.folder, "net", "", 0600);
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        deis_autofree char *script =
            deis_asprintf("eval \"$(deis completion bash)\"; COMP_LINE='%s'; "
                          "COMP_POINT=${#COMP_LINE}; _deis 2>&1; "
                          "echo $(printf '%%s\\n' \"${COMPREPLY[@]}\" | sort)",
                          rows[i][0]);
        RUN(&p, o, "bash", "-c", script);
        deis_autofree char *want = deis_asprintf("%s\n", rows[i][1]);
        assert_string_equal(o.out.data, want);
    }
    FAILS(&p, "no completion for 'csh': must be bash, zsh or fish", "completion", "csh");
    person_clear(&p);
}

/* Other shells and the manual's reader only where they are installed. */
static void extras__scripts_and_manual_are_read(void **state)
{
    struct person p = person_new(*state, "reader2");
    static const char *const checks[] = {
        "deis completion bash | bash -n",
        "! command -v zsh >/dev/null || deis completion zsh | zsh -n",
        "! command -v fish >/dev/null || deis completion fish | fish -n",
        "! command -v groff >/dev/null || deis man | groff -man -ww -z",
        "deis man | sed -n 1p | grep -q '^\\.TH DEIS 1'",
    };

    for (size_t i = 0; i < DEIS_COUNT(checks); i++) {
        RUN(&p, o, "bash", "-o", "pipefail", "-c", checks[i]);
        if (o.status != 0 || o.err.len > 0) {
            print_error("%s: %s%s\n", checks[i], o.out.data, o.err.data);
            fail();
        }
    }
    person_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extras__json_of_an_app),
        cmocka_unit_test(extras__json_lists_are_whole),
        cmocka_unit_test(extras__json_of_the_platform),
        cmocka_unit_test(extras__config_from_files_and_stdin),
        cmocka_unit_test(extras__logs_without_colour),
        cmocka_unit_test(extras__processes_in_detail),
        cmocka_unit_test(extras__logins_are_listed_and_ended),
        cmocka_unit_test(extras__audit),
        cmocka_unit_test(extras__answers_of_new_endpoints),
        cmocka_unit_test(extras__what_to_do_next),
        cmocka_unit_test(extras__a_terminal_shows_again_what_is_typed),
        cmocka_unit_test(extras__an_interrupt_ends_the_wait_for_a_command),
        cmocka_unit_test(extras__completion_in_bash),
        cmocka_unit_test(extras__scripts_and_manual_are_read),
    };

    if (!test_etcd_installed("client_extras")) {
        return 0;
    }
    return cmocka_run_group_tests(tests, people_start, people_stop);
}
