/* SPDX-License-Identifier: MIT */
/*
 * The Docker client against the real Engine of this machine. All that is made here carries a label
 * of this process and is removed at the end. Images are built from a static busybox: nothing is
 * fetched.
 */
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/crypto/registry_login.h"
#include "lib/net/docker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET       "/var/run/docker.sock"
#define BUSYBOX      "/bin/busybox"
#define DEADLINE_MS  60000u
#define BUILD_MAX_MS 120000u

struct fixture {
    struct deis_docker *docker;
    char label[64];
    char image[64];
};

/* --- a tar of a Dockerfile and a busybox --- */

struct tar {
    struct deis_buf data;
    size_t sent;
    struct deis_buf text;       /* what the build printed */
    atomic_bool cancel_on_text; /* give up once this was seen */
    const char *awaited;
};

static void tar_add(struct tar *t, const char *name, unsigned mode, struct deis_str content)
{
    char head[512] = { 0 };
    unsigned sum = 0;

    snprintf(head, 100, "%s", name);
    snprintf(head + 100, 8, "%07o", mode);
    snprintf(head + 108, 8, "%07o", 0u);
    snprintf(head + 116, 8, "%07o", 0u);
    snprintf(head + 124, 12, "%011zo", content.len);
    snprintf(head + 136, 12, "%011o", 0u);
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof(head); i++) {
        sum += (unsigned char)head[i];
    }
    snprintf(head + 148, 8, "%06o", sum);
    deis_buf_add(&t->data, head, sizeof(head));
    deis_buf_add_str(&t->data, content);
    memset(head, 0, sizeof(head));
    deis_buf_add(&t->data, head, (512 - content.len % 512) % 512);
}

static void tar_init(struct tar *t, const char *dockerfile)
{
    static char zero[1024];

    *t = (struct tar){ .data = DEIS_BUF_INIT(16 << 20), .text = DEIS_BUF_INIT(1 << 20) };
    if (dockerfile) {
        tar_add(t, "Dockerfile", 0644, deis_str(dockerfile));
    }
    struct deis_buf file = DEIS_BUF_INIT(8 << 20);
    FILE *f = fopen(BUSYBOX, "rb");
    assert_non_null(f);
    for (;;) {
        char part[65536];
        size_t n = fread(part, 1, sizeof(part), f);
        if (n == 0) {
            break;
        }
        deis_buf_add(&file, part, n);
    }
    fclose(f);
    tar_add(t, "busybox", 0755, deis_buf_str(&file));
    deis_buf_clear(&file);
    deis_buf_add(&t->data, zero, sizeof(zero));
    assert_false(deis_buf_failed(&t->data));
}

static void tar_clear(struct tar *t)
{
    deis_buf_clear(&t->data);
    deis_buf_clear(&t->text);
}

static ptrdiff_t tar_read(char *data, size_t cap, void *arg)
{
    struct tar *t = arg;
    size_t left = t->data.len - t->sent;
    size_t n = left < cap ? left : cap;

    memcpy(data, t->data.data + t->sent, n);
    t->sent += n;
    return (ptrdiff_t)n;
}

static void tar_text(struct deis_str text, void *arg)
{
    struct tar *t = arg;
    deis_buf_add_str(&t->text, text);
    if (t->awaited && strstr(t->text.data, t->awaited)) {
        t->cancel_on_text = true;
    }
}

static bool tar_cancelled(void *arg)
{
    const struct tar *t = arg;
    return t->cancel_on_text;
}

static int build(struct fixture *fx, struct tar *t, const char *tag, char **ret_id,
                 struct deis_err *err)
{
    const char *const labels[] = { fx->label, NULL };
    const struct deis_docker_build b = {
        .tag = tag,
        .labels = labels,
        .memory_bytes = 64 << 20,
        .read_tar = tar_read,
        .on_text = tar_text,
        .cancelled = tar_cancelled,
        .arg = t,
        .timeout_ms = BUILD_MAX_MS,
    };
    return deis_docker_build(fx->docker, &b, ret_id, err);
}

#define BASE                                                                                       \
    "FROM scratch\n"                                                                               \
    "COPY busybox /bin/busybox\n"                                                                  \
    "COPY busybox /bin/sh\n"                                                                       \
    "ENV PATH=/bin\n"

/* --- fixture --- */

static json_t *mine(struct fixture *fx)
{
    const char *const labels[] = { fx->label, NULL };
    struct deis_err err = DEIS_ERR_INIT;
    json_t *list = NULL;
    int rc = deis_docker_list(fx->docker, labels, &list, &err);
    assert_int_equal(rc, DEIS_OK);
    return list;
}

static int setup(void **state)
{
    struct fixture *fx = deis_alloc(sizeof(*fx));
    struct deis_err err = DEIS_ERR_INIT;
    struct tar t;
    deis_autofree char *id = NULL;

    fx->docker = deis_docker_new(SOCKET);
    snprintf(fx->label, sizeof(fx->label), "deis.itest=%d", (int)getpid());
    snprintf(fx->image, sizeof(fx->image), "deis-itest-%d:1", (int)getpid());
    tar_init(&t, BASE);
    if (build(fx, &t, fx->image, &id, &err) < 0) {
        print_error("%s\n", err.msg);
        return -1;
    }
    assert_true(strncmp(id, "sha256:", 7) == 0);
    assert_non_null(strstr(t.text.data, "Step 1/"));
    tar_clear(&t);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *list = mine(fx);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(list, i), "Id"));
        if (deis_docker_remove(fx->docker, id, &err) < 0) {
            print_error("%s\n", err.msg);
        }
    }
    if (deis_docker_image_remove(fx->docker, fx->image, &err) < 0) {
        print_error("%s\n", err.msg);
    }
    deis_autojson json_t *gone = NULL;
    assert_int_equal(deis_docker_image_inspect(fx->docker, fx->image, &gone, &err), DEIS_NOT_FOUND);
    deis_docker_free(fx->docker);
    free(fx);
    return 0;
}

/* A container that runs a shell line; yours. */
static char *container(struct fixture *fx, const char *name, const char *script)
{
    struct deis_err err = DEIS_ERR_INIT;
    char *id = NULL;
    char key[64];

    snprintf(key, sizeof(key), "%.*s", (int)strcspn(fx->label, "="), fx->label);
    deis_autojson json_t *body =
        json_pack("{s:s, s:[s,s,s], s:{s:s}, s:{s:s, s:{s:s}}}", "Image", fx->image, "Cmd",
                  "/bin/sh", "-c", script, "Labels", key, strchr(fx->label, '=') + 1, "HostConfig",
                  "NetworkMode", "none", "LogConfig", "Type", "none");
    int rc = deis_docker_create(fx->docker, name, body, &id, &err);
    if (rc < 0) {
        fail_msg("%s", err.msg);
    }
    return id;
}

/* The call names its last argument "why". */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct deis_err why_ = DEIS_ERR_INIT;                                                      \
        struct deis_err *why = &why_;                                                              \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, why->msg);                                                   \
        }                                                                                          \
    } while (0)

/* --- builds --- */

static void build__failure_has_the_engines_text_and_leaves_nothing(void **state)
{
    struct fixture *fx = *state;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *id = NULL;
    struct tar t;

    tar_init(&t, BASE "RUN echo before-the-end; exit 7\n");
    assert_int_equal(build(fx, &t, NULL, &id, &err), DEIS_INVALID);
    assert_null(id);
    assert_non_null(strstr(err.msg, "returned a non-zero code: 7"));
    assert_non_null(strstr(t.text.data, "before-the-end"));
    deis_autojson json_t *list = mine(fx);
    assert_int_equal(json_array_size(list), 0);
    tar_clear(&t);
}

static void build__without_a_dockerfile_is_invalid(void **state)
{
    struct fixture *fx = *state;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *id = NULL;
    struct tar t;

    tar_init(&t, NULL);
    assert_int_equal(build(fx, &t, NULL, &id, &err), DEIS_INVALID);
    assert_non_null(strstr(err.msg, "Dockerfile"));
    tar_clear(&t);
}

static void build__output_may_hold_any_bytes(void **state)
{
    struct fixture *fx = *state;
    deis_autofree char *id = NULL;
    struct tar t;

    tar_init(&t, BASE "RUN /bin/busybox printf 'a\\000b\\377c\\n'\n");
    OK(build(fx, &t, NULL, &id, why));
    static const char nul[] = "a\0b";
    assert_non_null(memmem(t.text.data, t.text.len, nul, sizeof(nul) - 1));
    OK(deis_docker_image_remove(fx->docker, id, why));
    tar_clear(&t);
}

static void build__cancelled_stops_in_the_engine(void **state)
{
    struct fixture *fx = *state;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *id = NULL;
    struct tar t;

    tar_init(&t, BASE "RUN echo it-$((1+1))-runs; exec /bin/busybox sleep 100\n");
    t.awaited = "it-2-runs";
    uint64_t start_ms = deis_now_ms();
    assert_int_equal(build(fx, &t, NULL, &id, &err), DEIS_CANCELLED);
    assert_true(deis_now_ms() - start_ms < DEADLINE_MS);
    tar_clear(&t);
    /* Its container goes away by itself. */
    for (;;) {
        deis_autojson json_t *filtered = NULL;
        OK(deis_docker_call(fx->docker, "GET",
                            "/containers/json?filters=%7B%22status%22%3A%5B%22running%22%5D%7D",
                            NULL, 0, &filtered, why));
        deis_autofree char *text = deis_json_dump(filtered);
        if (!strstr(text, "it-$((1+1))-runs")) {
            break;
        }
        assert_true(deis_now_ms() - start_ms < DEADLINE_MS);
        usleep(50000);
    }
}

/* --- containers --- */

static void verbs__are_idempotent(void **state)
{
    struct fixture *fx = *state;
    deis_autofree char *id = container(fx, NULL, "trap 'exit 3' TERM; while :; do :; done");

    OK(deis_docker_start(fx->docker, id, why));
    OK(deis_docker_start(fx->docker, id, why));
    OK(deis_docker_stop(fx->docker, id, 5000, why));
    OK(deis_docker_stop(fx->docker, id, 5000, why));
    deis_autojson json_t *info = NULL;
    OK(deis_docker_inspect(fx->docker, id, &info, why));
    const json_t *code = json_object_get(json_object_get(info, "State"), "ExitCode");
    assert_int_equal(json_integer_value(code), 3);
    OK(deis_docker_remove(fx->docker, id, why));
    OK(deis_docker_remove(fx->docker, id, why));
    OK(deis_docker_stop(fx->docker, id, 0, why));
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(deis_docker_start(fx->docker, id, &err), DEIS_NOT_FOUND);
}

static void create__says_why_it_refuses(void **state)
{
    struct fixture *fx = *state;
    struct deis_err err = DEIS_ERR_INIT;
    char name[64];
    char *again = NULL;

    snprintf(name, sizeof(name), "deis-itest-%d-name", (int)getpid());
    deis_autofree char *id = container(fx, name, "true");
    deis_autojson json_t *body = json_pack("{s:s,s:[s]}", "Image", fx->image, "Cmd", "true");
    assert_int_equal(deis_docker_create(fx->docker, name, body, &again, &err), DEIS_CONFLICT);
    deis_autojson json_t *absent =
        json_pack("{s:s,s:[s]}", "Image", "deis-itest-no-such-image:1", "Cmd", "true");
    assert_int_equal(deis_docker_create(fx->docker, NULL, absent, &again, &err), DEIS_NOT_FOUND);
    assert_null(again);
    OK(deis_docker_remove(fx->docker, id, why));
}

static void start__of_a_command_that_is_not_there_is_invalid(void **state)
{
    struct fixture *fx = *state;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *id = NULL;
    deis_autojson json_t *body = json_pack(
        "{s:s,s:[s],s:{s:s},s:{s:s}}", "Image", fx->image, "Cmd", "/no/such/program", "Labels",
        "deis.itest", strchr(fx->label, '=') + 1, "HostConfig", "NetworkMode", "none");

    OK(deis_docker_create(fx->docker, NULL, body, &id, why));
    assert_int_equal(deis_docker_start(fx->docker, id, &err), DEIS_INVALID);
    assert_non_null(strstr(err.msg, "/no/such/program"));
    OK(deis_docker_remove(fx->docker, id, why));
}

static void engine__that_is_away_is_told_at_once(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_docker *d = deis_docker_new("/nonexistent/docker.sock");

    assert_int_equal(deis_docker_ping(d, &err), DEIS_UNAVAILABLE);
    assert_int_equal(deis_docker_start(d, "x", &err), DEIS_UNAVAILABLE);
    deis_docker_free(d);
}

/* --- attach --- */

struct seen {
    struct fixture *fx;
    const char *id;
    pthread_t starter;
    struct deis_buf out[2];
};

static void *start_thread(void *arg)
{
    struct seen *s = arg;
    struct deis_err err = DEIS_ERR_INIT;
    if (deis_docker_start(s->fx->docker, s->id, &err) < 0) {
        print_error("%s\n", err.msg);
    }
    return NULL;
}

static void on_attached(void *arg)
{
    struct seen *s = arg;
    assert_int_equal(pthread_create(&s->starter, NULL, start_thread, s), 0);
}

static void seen_init(struct seen *s, struct fixture *fx, const char *id)
{
    *s = (struct seen){ .fx = fx, .id = id };
    deis_buf_init(&s->out[0], 4 << 20);
    deis_buf_init(&s->out[1], 4 << 20);
}

static void seen_clear(struct seen *s)
{
    deis_buf_clear(&s->out[0]);
    deis_buf_clear(&s->out[1]);
}

#define LINES 20000
#define MANY_LINES                                                                                 \
    "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line-$i; done; echo to-the-other >&2; exit 4"

static void check_all_lines(const struct seen *s)
{
    struct deis_str rest = deis_buf_str(&s->out[0]);
    struct deis_str line;
    char want[32];

    for (int i = 1; i <= LINES; i++) {
        assert_true(deis_str_split(&rest, '\n', &line));
        snprintf(want, sizeof(want), "line-%d", i);
        assert_true(deis_str_eq_cstr(line, want));
    }
    assert_int_equal(rest.len, 0);
    assert_string_equal(s->out[1].data, "to-the-other\n");
}

/* --- on the loop: events, and attach --- */

struct watcher {
    struct seen seen;
    struct deis_loop *loop;
    struct deis_docker_events *events;
    struct deis_docker_attachment *attachment;
    struct deis_timer *deadline;
    unsigned connects;
    bool ended;
    bool started;
    char exit_code[8];
};

static void finish_if_whole(struct watcher *w)
{
    if (w->ended && w->exit_code[0] != '\0') {
        deis_docker_attach_stop(w->attachment);
        deis_docker_events_stop(w->events);
        deis_loop_stop(w->loop);
    }
}

static void on_event(const char *action, const char *id, const json_t *attributes, void *arg)
{
    struct watcher *w = arg;
    if (strcmp(id, w->seen.id) != 0) {
        return;
    }
    w->started |= strcmp(action, "start") == 0;
    if (strcmp(action, "die") == 0) {
        const char *code = json_string_value(json_object_get(attributes, "exitCode"));
        snprintf(w->exit_code, sizeof(w->exit_code), "%s", code ? code : "?");
        finish_if_whole(w);
    }
}

static void on_loop_attached(void *arg)
{
    struct watcher *w = arg;
    on_attached(&w->seen);
}

static void on_loop_output(int stream, struct deis_str data, void *arg)
{
    struct watcher *w = arg;
    deis_buf_add_str(&w->seen.out[stream - 1], data);
}

static void on_loop_end(const struct deis_err *err, void *arg)
{
    struct watcher *w = arg;
    assert_null(err);
    w->ended = true;
    finish_if_whole(w);
}

static void on_reconnected(void *arg)
{
    static const struct deis_docker_attach_ops ops = {
        .on_attached = on_loop_attached,
        .on_output = on_loop_output,
        .on_end = on_loop_end,
    };
    struct watcher *w = arg;
    w->connects++;
    w->attachment = deis_docker_attach_start(w->seen.fx->docker, w->loop, w->seen.id, &ops, w);
}

static void on_deadline(void *arg)
{
    fail_msg("nothing happened for %u ms", DEADLINE_MS);
}

static void loop__sees_events_and_every_line(void **state)
{
    struct fixture *fx = *state;
    deis_autofree char *id = container(fx, NULL, MANY_LINES);
    struct watcher w = { .loop = deis_loop_new() };

    seen_init(&w.seen, fx, id);
    w.deadline = deis_timer_new(w.loop, on_deadline, &w);
    deis_timer_after(w.deadline, DEADLINE_MS);
    w.events =
        deis_docker_events_start(fx->docker, w.loop, fx->label, on_event, on_reconnected, &w);
    deis_loop_run(w.loop);
    pthread_join(w.seen.starter, NULL);
    assert_int_equal(w.connects, 1);
    assert_true(w.started);
    assert_string_equal(w.exit_code, "4");
    check_all_lines(&w.seen);
    seen_clear(&w.seen);
    deis_timer_free(w.deadline);
    deis_loop_free(w.loop);
    OK(deis_docker_remove(fx->docker, id, why));
}

static void on_enough(int stream, struct deis_str data, void *arg)
{
    struct watcher *w = arg;

    on_loop_output(stream, data, arg);
    if (w->seen.out[0].len >= 100000) {
        deis_docker_attach_stop(w->attachment);
        deis_loop_stop(w->loop);
    }
}

static void loop__attach_can_be_given_up(void **state)
{
    static const struct deis_docker_attach_ops ops = {
        .on_attached = on_loop_attached,
        .on_output = on_enough,
        .on_end = on_loop_end,
    };
    struct fixture *fx = *state;
    deis_autofree char *id = container(fx, NULL, "while :; do echo more; done");
    struct watcher w = { .loop = deis_loop_new() };

    seen_init(&w.seen, fx, id);
    w.deadline = deis_timer_new(w.loop, on_deadline, &w);
    deis_timer_after(w.deadline, DEADLINE_MS);
    w.attachment = deis_docker_attach_start(fx->docker, w.loop, id, &ops, &w);
    deis_loop_run(w.loop);
    pthread_join(w.seen.starter, NULL);
    assert_false(w.ended);
    seen_clear(&w.seen);
    deis_timer_free(w.deadline);
    deis_loop_free(w.loop);
    OK(deis_docker_remove(fx->docker, id, why));
}

static void on_attach_refused(const struct deis_err *err, void *arg)
{
    struct watcher *w = arg;
    assert_non_null(err);
    assert_int_equal(err->code, DEIS_NOT_FOUND);
    deis_docker_attach_stop(w->attachment);
    deis_loop_stop(w->loop);
}

static void loop__attach_to_nothing_is_not_found(void **state)
{
    static const struct deis_docker_attach_ops ops = {
        .on_output = on_loop_output,
        .on_end = on_attach_refused,
    };
    struct fixture *fx = *state;
    struct watcher w = { .loop = deis_loop_new() };

    w.deadline = deis_timer_new(w.loop, on_deadline, &w);
    deis_timer_after(w.deadline, DEADLINE_MS);
    w.attachment = deis_docker_attach_start(fx->docker, w.loop, "no-such-container", &ops, &w);
    deis_loop_run(w.loop);
    deis_timer_free(w.deadline);
    deis_loop_free(w.loop);
}

/* --- registries --- */

static void count_text(struct deis_str text, void *arg)
{
    unsigned *lines = arg;
    assert_true(deis_str_ends(text, "\n"));
    ++*lines;
}

static void push_and_pull__through_our_registry(void **state)
{
    struct fixture *fx = *state;
    struct deis_err err = DEIS_ERR_INIT;
    struct program registry = { 0 };
    uint16_t port = test_free_port();
    char *folder = program_temp_folder();
    deis_autofree char *address = deis_asprintf("127.0.0.1:%u", port);
    deis_autofree char *no_etcd = deis_asprintf("http://127.0.0.1:%u", test_free_port());
    deis_autofree char *repo = deis_asprintf("%s/itest", address);
    deis_autofree char *tagged = deis_asprintf("%s:1", repo);
    deis_autofree char *tag_path = deis_asprintf("/images/%s/tag?repo=%s&tag=1", fx->image, repo);
    deis_autofree char *key_path = program_write_key(folder);
    const char *const argv[] = { "--http", address,         "--data", folder, "--etcd",
                                 no_etcd,  "--cluster-key", key_path, NULL };
    struct deis_keys *keys = deis_keys_open(key_path, &err);
    char password[65];
    struct deis_docker_transfer login = {
        .user = DEIS_REGISTRY_USER,
        .password = password,
        .on_text = count_text,
    };
    deis_autofree char *digest = NULL;
    deis_autojson json_t *info = NULL;
    unsigned lines = 0;

    program_start(&registry, "deis-registry-proxy", argv);
    program_wait_port(port);
    OK(deis_docker_call(fx->docker, "POST", tag_path, NULL, 0, NULL, why));
    assert_non_null(keys);
    deis_registry_password(keys, password);
    deis_keys_free(keys);
    login.arg = &lines;
    OK(deis_docker_push(fx->docker, repo, "1", &login, &digest, why));
    assert_true(strncmp(digest, "sha256:", 7) == 0);
    assert_true(lines > 0);
    OK(deis_docker_image_remove(fx->docker, tagged, why));
    deis_autofree char *pinned = deis_asprintf("%s@%s", repo, digest);
    OK(deis_docker_image_remove(fx->docker, pinned, why));

    OK(deis_docker_pull(fx->docker, pinned, &login, why));
    OK(deis_docker_image_inspect(fx->docker, pinned, &info, why));
    OK(deis_docker_image_remove(fx->docker, pinned, why));
    OK(deis_docker_pull(fx->docker, tagged, &login, why));
    OK(deis_docker_image_remove(fx->docker, tagged, why));
    OK(deis_docker_image_remove(fx->docker, pinned, why));
    deis_autofree char *absent = deis_asprintf("%s:none", repo);
    assert_int_equal(deis_docker_pull(fx->docker, absent, &login, &err), DEIS_NOT_FOUND);
    program_stop(&registry, SIGTERM);
    program_remove_folder(folder);
}

static void push_and_pull__fail_with_the_registry(void **state)
{
    struct fixture *fx = *state;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *digest = NULL;
    char repo[64];
    char path[160];

    /* Port 1 of this machine: nobody listens there. */
    snprintf(repo, sizeof(repo), "127.0.0.1:1/deis-itest-%d", (int)getpid());
    snprintf(path, sizeof(path), "/images/%s/tag?repo=%s&tag=1", fx->image, repo);
    OK(deis_docker_call(fx->docker, "POST", path, NULL, 0, NULL, why));
    assert_int_equal(deis_docker_push(fx->docker, repo, "1", NULL, &digest, &err),
                     DEIS_UNAVAILABLE);
    assert_null(digest);
    assert_non_null(strstr(err.msg, "127.0.0.1:1"));
    snprintf(path, sizeof(path), "%s:1", repo);
    OK(deis_docker_image_remove(fx->docker, path, why));
    assert_int_equal(deis_docker_pull(fx->docker, path, NULL, &err), DEIS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine__that_is_away_is_told_at_once),
        cmocka_unit_test(build__failure_has_the_engines_text_and_leaves_nothing),
        cmocka_unit_test(build__without_a_dockerfile_is_invalid),
        cmocka_unit_test(build__output_may_hold_any_bytes),
        cmocka_unit_test(build__cancelled_stops_in_the_engine),
        cmocka_unit_test(verbs__are_idempotent),
        cmocka_unit_test(create__says_why_it_refuses),
        cmocka_unit_test(start__of_a_command_that_is_not_there_is_invalid),
        cmocka_unit_test(loop__sees_events_and_every_line),
        cmocka_unit_test(loop__attach_can_be_given_up),
        cmocka_unit_test(loop__attach_to_nothing_is_not_found),
        cmocka_unit_test(push_and_pull__fail_with_the_registry),
        cmocka_unit_test(push_and_pull__through_our_registry),
    };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_docker *probe = deis_docker_new(SOCKET);

    deis_runtime_init("docker-test");
    int rc = deis_docker_ping(probe, &err);
    deis_docker_free(probe);
    if (rc < 0) {
        printf("SKIP docker_test: no Docker Engine: %s\n", err.msg);
        return 0;
    }
    if (access(BUSYBOX, R_OK) < 0) {
        printf("SKIP docker_test: no static busybox at %s\n", BUSYBOX);
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
