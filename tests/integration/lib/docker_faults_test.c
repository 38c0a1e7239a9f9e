/* SPDX-License-Identifier: MIT */
/* An Engine that cuts, stalls, lies and refuses: a socket of our own plays its part. */
#include "tests/support/test.h"

#include "lib/net/docker.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX  (32u << 20)
#define REQUEST_MAX 65536
#define ID          "0123456789ab"
#define STEP        "{\"stream\":\" ---\\u003e Running in " ID "\\n\"}\n"
#define DONE        "{\"aux\":{\"ID\":\"sha256:1\"}}\n"
#define MEMORY      1000000

/* --- the Engine: one request a connection --- */

struct rule {
    const char *request; /* its beginning */
    int status;
    const char *body;
    bool stalls; /* wait behind the body until the client hangs up */
    bool cut;    /* the connection ends before the answer does */
};

struct engine {
    int fd;
    char path[64];
    pthread_t thread;
    const struct rule *rules; /* the first that fits; up to one without a request */
    unsigned asked[8];        /* how often each */
    struct deis_docker *docker;
};

static bool is_whole(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");

    return end && (!strstr(request, "Transfer-Encoding: chunked") || strstr(end, "\r\n0\r\n\r\n"));
}

static bool read_request(int fd, char *request)
{
    size_t have = 0;

    while (have < REQUEST_MAX - 1) {
        ssize_t n = read(fd, request + have, REQUEST_MAX - 1 - have);
        if (n <= 0) {
            return false;
        }
        have += (size_t)n;
        request[have] = '\0';
        if (is_whole(request)) {
            return true;
        }
    }
    return false;
}

static void answer(int fd, const struct rule *r)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(ANSWER_MAX);
    char rest[16];

    deis_buf_addf(&out,
                  "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nConnection: close\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                  r->status, strlen(r->body));
    deis_buf_add_cstr(&out, r->body);
    deis_buf_add_cstr(&out, r->cut || r->stalls ? "\r\n" : "\r\n0\r\n\r\n");
    for (struct deis_str left = deis_buf_str(&out); left.len > 0;) {
        ssize_t n = send(fd, left.ptr, left.len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        left = deis_str_skip(left, (size_t)n);
    }
    while (r->stalls && read(fd, rest, sizeof(rest)) > 0) {
    }
}

static void serve_one(struct engine *e, int fd)
{
    static char request[REQUEST_MAX];

    if (!read_request(fd, request)) {
        return;
    }
    for (size_t i = 0; e->rules[i].request; i++) {
        if (strncmp(request, e->rules[i].request, strlen(e->rules[i].request)) == 0) {
            e->asked[i]++;
            answer(fd, &e->rules[i]);
            return;
        }
    }
}

static void *serve(void *arg)
{
    struct engine *e = arg;
    int fd;

    while ((fd = accept(e->fd, NULL, NULL)) >= 0) {
        serve_one(e, fd);
        close(fd);
    }
    return NULL;
}

static void engine_start(struct engine *e, const struct rule *rules)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    *e = (struct engine){ .rules = rules };
    snprintf(e->path, sizeof(e->path), "/tmp/deis-faults-%d.sock", (int)getpid());
    unlink(e->path);
    memcpy(addr.sun_path, e->path, strlen(e->path) + 1);
    e->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(e->fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(e->fd, 16), 0);
    assert_int_equal(pthread_create(&e->thread, NULL, serve, e), 0);
    e->docker = deis_docker_new(e->path);
}

static void engine_stop(struct engine *e)
{
    deis_docker_free(e->docker);
    shutdown(e->fd, SHUT_RDWR);
    pthread_join(e->thread, NULL);
    close(e->fd);
    unlink(e->path);
}

/* --- builds --- */

static ptrdiff_t no_tar(char *data, size_t cap, void *arg)
{
    return 0;
}

static void keep_text(struct deis_str text, void *arg)
{
    deis_buf_add_str(arg, text);
}

static int build(struct engine *e, uint64_t timeout_ms, struct deis_buf *text, struct deis_err *err)
{
    const struct deis_docker_build b = {
        .memory_bytes = MEMORY,
        .pids_limit = 10,
        .read_tar = no_tar,
        .on_text = keep_text,
        .arg = text,
        .timeout_ms = timeout_ms,
    };
    deis_autofree char *id = NULL;

    int rc = deis_docker_build(e->docker, &b, &id, err);
    assert_int_equal(rc == DEIS_OK, id != NULL);
    return rc;
}

static void build__that_ends_badly_says_how(void **state)
{
    static const struct {
        struct rule rule;
        uint64_t timeout_ms;
        enum deis_code code;
        const char *says;
    } cases[] = {
        { { "POST", 200, DONE, .cut = true }, 60000, DEIS_UNAVAILABLE, "Docker Engine" },
        { { "POST", 200, "{\"stream\":\"a\"}\n", .cut = true }, 0, DEIS_UNAVAILABLE, "Engine" },
        { { "POST", 200, DONE, .stalls = true }, 300, DEIS_TIMEOUT, "" },
        { { "POST", 200, "{\"aux\":\n[1]\nnull\n{\"aux\":7}\n" }, 0, DEIS_UNAVAILABLE, "without" },
        { { "POST", 200, DONE "{\"error\":\"no\"}" }, 0, DEIS_INVALID, "no" },
        { { "POST", 200, DONE "{\"errorDetail\":{\"message\":\"no\"}}" }, 0, DEIS_INVALID, "no" },
        { { "POST", 500, "{\"message\":\"no\"}" }, 0, DEIS_INVALID, "no" },
        { { "POST", 500, "{\"message\":", .cut = true }, 60000, DEIS_UNAVAILABLE, "Engine" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        const struct rule rules[] = { cases[i].rule, { 0 } };
        deis_autobuf struct deis_buf text = DEIS_BUF_INIT(1u << 20);
        struct deis_err err = DEIS_ERR_INIT;
        struct engine e;
        engine_start(&e, rules);
        int rc = build(&e, cases[i].timeout_ms, &text, &err);
        engine_stop(&e);
        if (rc != (int)cases[i].code || !strstr(err.msg, cases[i].says)) {
            fail_msg("case %zu: %d, '%s'", i, rc, err.msg);
        }
    }
}

#define CONTAINER(status)                                                                          \
    "{\"Config\":{\"Image\":\"sha256:1\"},\"HostConfig\":{\"Memory\":1000000},"                    \
    "\"State\":{\"Status\":\"" status "\"}}"

static void build__tells_of_a_step_without_its_limit(void **state)
{
    static const struct {
        struct rule inspect, update;
        bool told;
    } cases[] = {
        { { "GET", 200, CONTAINER("running") }, { "POST", 200, "{}" }, false },
        { { "GET", 200, CONTAINER("running") },
          { "POST", 500, "{\"message\":\"no pids\"}" },
          true },
        { { "GET", 200, CONTAINER("created") },
          { "POST", 500, "{\"message\":\"no pids\"}" },
          true },
        { { "GET", 200, CONTAINER("exited") },
          { "POST", 500, "{\"message\":\"no pids\"}" },
          false },
        { { "GET", 200, CONTAINER("running") },
          { "POST", 404, "{\"message\":\"no pids\"}" },
          false },
        { { "GET", 200, CONTAINER("running") },
          { "POST", 409, "{\"message\":\"no pids\"}" },
          false },
        { { "GET", 404, "{\"message\":\"no pids\"}" }, { "POST", 200, "{}" }, false },
        { { "GET", 500, "{\"message\":\"no pids\"}" }, { "POST", 200, "{}" }, true },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        const struct rule rules[] = {
            { "POST /v1.41/build", 200, STEP DONE }, cases[i].inspect, cases[i].update, { 0 }
        };
        deis_autobuf struct deis_buf text = DEIS_BUF_INIT(1u << 20);
        struct deis_err err = DEIS_ERR_INIT;
        struct engine e;
        engine_start(&e, rules);
        assert_int_equal(build(&e, 0, &text, &err), DEIS_OK);
        engine_stop(&e);
        if ((strstr(text.data, "no pids") != NULL) != cases[i].told) {
            fail_msg("case %zu: %s", i, text.data);
        }
        assert_non_null(strstr(text.data, "---> Running in " ID "\n"));
    }
}

/* A step prints what the Engine says when it makes a container: no calls without end. */
static void build__asks_of_so_many_steps_only(void **state)
{
    deis_autobuf struct deis_buf output = DEIS_BUF_INIT(ANSWER_MAX);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(ANSWER_MAX);
    struct deis_err err = DEIS_ERR_INIT;
    struct engine e;

    for (unsigned i = 0; i < 1100; i++) {
        deis_buf_add_cstr(&output, STEP);
    }
    deis_buf_add_cstr(&output, DONE);
    const struct rule rules[] = { { "POST /v1.41/build", 200, output.data },
                                  { "GET", 404, "{\"message\":\"no\"}" },
                                  { 0 } };
    engine_start(&e, rules);
    assert_int_equal(build(&e, 0, &text, &err), DEIS_LIMIT);
    engine_stop(&e);
    assert_non_null(strstr(err.msg, "more than 1000 steps"));
    assert_int_equal(e.asked[1], 1000);
}

/* --- calls --- */

static int count_containers(struct engine *e, struct deis_err *err)
{
    deis_autojson json_t *list = NULL;
    int rc = deis_docker_list(e->docker, NULL, &list, err);

    assert_int_equal(rc == DEIS_OK, list != NULL);
    return rc;
}

static void call__takes_no_other_answer_than_the_right_one(void **state)
{
    static const struct {
        struct rule rule;
        enum deis_code code;
    } cases[] = {
        { { "GET", 200, "[]" }, DEIS_OK },
        { { "GET", 200, "{}" }, DEIS_PROTOCOL },
        { { "GET", 200, "" }, DEIS_PROTOCOL },
        { { "GET", 200, "[{" }, DEIS_PROTOCOL },
        { { "GET", 200, "[]", .cut = true }, DEIS_TIMEOUT },
        { { "GET", 500, "<html>" }, DEIS_UNAVAILABLE },
        { { "GET", 404, "{\"message\":7}" }, DEIS_NOT_FOUND },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        const struct rule rules[] = { cases[i].rule, { 0 } };
        struct deis_err err = DEIS_ERR_INIT;
        struct engine e;
        engine_start(&e, rules);
        int rc = count_containers(&e, &err);
        engine_stop(&e);
        if (rc != (int)cases[i].code) {
            fail_msg("case %zu: %d, '%s'", i, rc, err.msg);
        }
    }
}

static void call__takes_an_answer_of_some_size_only(void **state)
{
    deis_autofree char *body = deis_alloc((17u << 20) + 1);
    const struct rule rules[] = { { "GET", 200, body }, { 0 } };
    struct deis_err err = DEIS_ERR_INIT;
    struct engine e;

    memset(body, ' ', 17u << 20);
    engine_start(&e, rules);
    assert_int_equal(count_containers(&e, &err), DEIS_LIMIT);
    engine_stop(&e);
}

/* --- push and pull --- */

static int push(struct engine *e, struct deis_err *err)
{
    deis_autofree char *digest = NULL;
    int rc = deis_docker_push(e->docker, "127.0.0.1:1/a", "1", NULL, &digest, err);

    assert_int_equal(rc == DEIS_OK, digest != NULL);
    return rc;
}

static int pull(struct engine *e, struct deis_err *err)
{
    return deis_docker_pull(e->docker, "127.0.0.1:1/a:1", NULL, err);
}

#define DIGEST "{\"aux\":{\"Digest\":\"sha256:1\"}}\n"

static void transfer__that_ends_badly_says_how(void **state)
{
    static const struct {
        struct rule rule;
        enum deis_code push, pull;
    } cases[] = {
        { { "POST", 200, DIGEST }, DEIS_OK, DEIS_OK },
        { { "POST", 200, DIGEST, .cut = true }, DEIS_UNAVAILABLE, DEIS_UNAVAILABLE },
        { { "POST", 200, "{\"status\":\"Pushed\"}\n" }, DEIS_UNAVAILABLE, DEIS_OK },
        { { "POST", 200, DIGEST "{\"error\":\"manifest unknown\"}" },
          DEIS_NOT_FOUND,
          DEIS_NOT_FOUND },
        { { "POST", 200, "{\"error\":\"access denied\"}" }, DEIS_DENIED, DEIS_DENIED },
        { { "POST", 500, "{\"message\":\"manifest unknown\"}" }, DEIS_NOT_FOUND, DEIS_NOT_FOUND },
        { { "POST", 500, "oh" }, DEIS_UNAVAILABLE, DEIS_UNAVAILABLE },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        const struct rule rules[] = { cases[i].rule, { 0 } };
        struct deis_err err = DEIS_ERR_INIT;
        struct engine e;
        engine_start(&e, rules);
        int pushed = push(&e, &err);
        int pulled = pull(&e, &err);
        engine_stop(&e);
        if (pushed != (int)cases[i].push || pulled != (int)cases[i].pull) {
            fail_msg("case %zu: %d, %d, '%s'", i, pushed, pulled, err.msg);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(build__that_ends_badly_says_how),
        cmocka_unit_test(build__tells_of_a_step_without_its_limit),
        cmocka_unit_test(build__asks_of_so_many_steps_only),
        cmocka_unit_test(call__takes_no_other_answer_than_the_right_one),
        cmocka_unit_test(call__takes_an_answer_of_some_size_only),
        cmocka_unit_test(transfer__that_ends_badly_says_how),
    };

    deis_runtime_init("docker-faults-test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
