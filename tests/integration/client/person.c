/* SPDX-License-Identifier: MIT */
#include "tests/integration/client/person.h"

#include "tests/support/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void outcome_clear(struct outcome *o)
{
    deis_buf_clear(&o->out);
    deis_buf_clear(&o->err);
}

/* --- running programs --- */

pid_t person_spawn(const struct person *p, const char *const *argv, int in, int out, int err)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        char path[4096];
        signal(SIGPIPE, SIG_DFL);
        snprintf(path, sizeof(path), "%s:%s:%s", p->home, getenv("DEIS_BIN"), getenv("PATH"));
        setenv("PATH", path, 1);
        setenv("HOME", p->home, 1);
        setenv("http_proxy", "http://127.0.0.1:1", 1); /* must not be used */
        if (chdir(p->folder) < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) {
            _exit(126);
        }
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static void drain(int fds[2], struct deis_buf *bufs[2])
{
    struct pollfd polls[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };

    while (polls[0].fd >= 0 || polls[1].fd >= 0) {
        assert_true(poll(polls, 2, WAIT_MS) > 0);
        for (int i = 0; i < 2; i++) {
            char chunk[4096];
            if (polls[i].fd < 0 || polls[i].revents == 0) {
                continue;
            }
            ssize_t n = read(polls[i].fd, chunk, sizeof(chunk));
            if (n <= 0) {
                polls[i].fd = -1;
            } else {
                deis_buf_add(bufs[i], chunk, (size_t)n);
            }
        }
    }
}

void person_run(const struct person *p, const char *input, const char *const *argv,
                struct outcome *ret)
{
    int in[2];
    int out[2];
    int err[2];
    int status = 0;

    deis_buf_init(&ret->out, OUT_MAX);
    deis_buf_init(&ret->err, OUT_MAX);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    pid_t pid = person_spawn(p, argv, in[0], out[1], err[1]);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    assert_int_equal(write(in[1], input, strlen(input)), (ssize_t)strlen(input));
    close(in[1]);
    int fds[2] = { out[0], err[0] };
    struct deis_buf *bufs[2] = { &ret->out, &ret->err };
    drain(fds, bufs);
    close(out[0]);
    close(err[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    ret->status = WEXITSTATUS(status);
}

void text_has(const struct deis_buf *b, const char *part)
{
    if (!strstr(b->data, part)) {
        print_error("'%s' is not in:\n%s\n", part, b->data);
        fail();
    }
}

void person_works_(const struct person *p, const char *part, const char *const *argv)
{
    outcome_auto struct outcome o;

    person_run(p, "", argv, &o);
    if (o.status != 0 || strstr(o.out.data, "WARNING")) {
        print_error("%s %s: status %d\n%s\n%s\n", argv[0], argv[1], o.status, o.out.data,
                    o.err.data);
        fail();
    }
    text_has(&o.out, part);
}

void person_fails_(const struct person *p, const char *part, const char *const *argv)
{
    outcome_auto struct outcome o;

    person_run(p, "", argv, &o);
    assert_int_equal(o.status, 1);
    text_has(&o.err, "Error: ");
    text_has(&o.err, part);
}

/* --- people --- */

void person_write(const char *folder, const char *name, const char *text, mode_t mode)
{
    deis_autofree char *path = deis_asprintf("%s/%s", folder, name);
    deis_autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

struct person person_new(struct world *w, const char *name)
{
    struct person p = { .w = w, .name = name };

    p.home = deis_asprintf("%s/%s", w->folder, name);
    p.folder = deis_asprintf("%s/%s/Work", w->folder, name);
    assert_int_equal(mkdir(p.home, 0700), 0);
    assert_int_equal(mkdir(p.folder, 0700), 0);
    RUN(&p, o, "git", "init", "-q", ".");
    assert_int_equal(o.status, 0);
    return p;
}

struct person administrator(struct world *w)
{
    return (struct person){ .w = w,
                            .name = "admin",
                            .home = deis_asprintf("%s/admin", w->folder),
                            .folder = deis_asprintf("%s/admin/Work", w->folder) };
}

void person_clear(struct person *p)
{
    free(p->home);
    free(p->folder);
}

void person_register(const struct person *p)
{
    deis_autofree char *username = deis_asprintf("--username=%s", p->name);
    deis_autofree char *email = deis_asprintf("--email=%s@example.net", p->name);
    deis_autofree char *said = deis_asprintf("Registered %s\nLogged in as %s\n", p->name, p->name);

    WORKS(p, said, "register", p->w->first.base, username, "--password=secret", email);
}

/* --- the world of all cases: one controller, an administrator who is not used --- */

int people_start(void **state)
{
    struct world *w = deis_alloc(sizeof(*w));

    world_start(w);
    struct person admin = person_new(w, "admin");
    person_register(&admin);
    person_clear(&admin);
    *state = w;
    return 0;
}

int people_stop(void **state)
{
    struct world *w = *state;

    world_stop(w);
    free(w);
    return 0;
}

/* --- a server that says one thing --- */

struct script {
    int listener;
    const char *answer;
    struct deis_buf request;
};

int person_take_request(int listener, struct deis_buf *request)
{
    char chunk[4096];
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    while (fd >= 0 && !strstr(request->data, "\r\n\r\n")) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n <= 0) {
            close(fd);
            return -1;
        }
        deis_buf_add(request, chunk, (size_t)n);
    }
    return fd;
}

static void *serve_script(void *arg)
{
    struct script *s = arg;
    char chunk[4096];
    deis_autoclose int fd = person_take_request(s->listener, &s->request);

    if (write(fd, s->answer, strlen(s->answer)) < 0) {
        return NULL;
    }
    shutdown(fd, SHUT_WR);
    while (read(fd, chunk, sizeof(chunk)) > 0) {
    }
    return NULL;
}

int person_listen(const struct person *p)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
    deis_autofree char *profile = deis_asprintf(
        "{\"username\":\"mira\",\"ssl_verify\":false,\"controller\":\"http://127.0.0.1:%u\","
        "\"token\":\"abc\",\"response_limit\":0}",
        ntohs(in.sin_port));
    deis_autofree char *folder = deis_asprintf("%s/.deis", p->home);
    (void)mkdir(folder, 0700);
    person_write(folder, "client.json", profile, 0600);
    return listener;
}

void person_run_scripted(const struct person *p, const char *answer, const char *const *argv,
                         struct outcome *ret, struct deis_buf *ret_request)
{
    struct script s = { .listener = person_listen(p),
                        .answer = answer,
                        .request = DEIS_BUF_INIT(65536) };
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, serve_script, &s), 0);
    person_run(p, "", argv, ret);
    pthread_join(thread, NULL);
    close(s.listener);
    *ret_request = s.request;
}
