/* SPDX-License-Identifier: MIT */
#include "tests/integration/builder/world.h"

#include "builder/core/tar.h"
#include "builder/file.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/crypto/registry_login.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOCKER_SOCKET "/var/run/docker.sock"
#define BUSYBOX       "/bin/busybox"
#define LOCK          "/tmp" /* the folder itself: no file of ours is left */
#define GIT_UID       7001
#define GIT_GID       7000
#define WAIT_MS       60000

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fail_msg("%s: %s", what, strerror(errno));
    }
}

static void must_err(int rc, const struct deis_err *err)
{
    if (rc < 0) {
        fail_msg("%s", err->msg);
    }
}

static const char *bin(const char *name)
{
    static char path[512];
    const char *folder = getenv("DEIS_BIN");

    snprintf(path, sizeof(path), "%s/%s", folder ? folder : "bin", name);
    return path;
}

bool world_possible(void)
{
    static const char *const needed[] = { "/usr/sbin/sshd", "/usr/bin/git", "/usr/bin/ssh-keygen",
                                          BUSYBOX, DOCKER_SOCKET };

    if (geteuid() != 0) {
        printf("SKIP builder: must be root to make a mount namespace\n");
        return false;
    }
    for (size_t i = 0; i < DEIS_COUNT(needed); i++) {
        if (access(needed[i], F_OK) < 0) {
            printf("SKIP builder: no %s\n", needed[i]);
            return false;
        }
    }
    return test_etcd_installed("builder");
}

/* --- waiting --- */

void world_await(const char *what, bool (*holds)(void *arg), void *arg)
{
    uint64_t deadline = deis_now_ms() + WAIT_MS;

    while (!holds(arg)) {
        if (deis_now_ms() > deadline) {
            fail_msg("waited in vain: %s", what);
        }
        poll(NULL, 0, 20);
    }
}

size_t world_images(const struct world *w, const char *label, bool all)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(1024);
    deis_autojson json_t *images = NULL;
    deis_autojson json_t *filter = json_pack("{s:[s]}", "label", label);
    deis_autofree char *text = deis_json_dump(filter);
    struct deis_err err = DEIS_ERR_INIT;

    deis_buf_add_cstr(&path, all ? "/images/json?all=1&filters=" : "/images/json?filters=");
    deis_buf_add_urlencoded(&path, deis_str(text), false);
    must_err(deis_docker_call(w->docker, "GET", path.data, NULL, 0, &images, &err), &err);
    return json_array_size(images);
}

static void count_one(const char *name, void *arg)
{
    (*(size_t *)arg)++;
}

size_t world_records(void)
{
    size_t n = 0;

    folder_each(WORLD_DATA "/builds", count_one, &n);
    return n;
}

/* --- the machine --- */

static void keep_name(const char *name, void *arg)
{
    snprintf(arg, 64, "%s", name);
}

const char *world_record(void)
{
    static char id[64];

    id[0] = '\0';
    folder_each(WORLD_DATA "/builds", keep_name, id);
    return id;
}

static void note_quarantine(const char *name, void *arg)
{
    bool *found = arg;

    *found = *found || strstr(name, "incoming-") != NULL;
}

bool world_has_quarantine(const char *app)
{
    deis_autofree char *objects = deis_asprintf(WORLD_DATA "/repos/%s.git/objects", app);
    bool found = false;

    folder_each(objects, note_quarantine, &found);
    return found;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    struct deis_err err = DEIS_ERR_INIT;

    must_err(deis_file_replace(path, deis_str(text), 0600, &err), &err);
    must(chmod(path, mode), path);
}

static void enter_namespace(void)
{
    must(unshare(CLONE_NEWNS), "unshare");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
    must(mount("tmpfs", WORLD_DIR, "tmpfs", 0, "mode=0755"), "tmpfs");
    write_file(WORLD_DIR "/passwd",
               "root:x:0:0:root:/root:/bin/sh\n"
               "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
               "git:x:7001:7000:git:" WORLD_DATA ":/bin/sh\n",
               0644);
    must(mount(WORLD_DIR "/passwd", "/etc/passwd", NULL, MS_BIND, NULL), "bind passwd");
    must(mkdir(WORLD_DATA, 0700), "data");
    must(chown(WORLD_DATA, GIT_UID, GIT_GID), "data");
}

static void make_keys(struct world *w)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    struct deis_err err = DEIS_ERR_INIT;
    static const char *const names[] = { WORLD_DIR "/known", WORLD_DIR "/unknown" };
    uint8_t bytes[32];
    char hex[66];

    deis_random(bytes, sizeof(bytes));
    deis_sha256_hex(deis_str_n((const char *)bytes, sizeof(bytes)), hex);
    memcpy(hex + 64, "\n", 2);
    write_file(WORLD_DIR "/cluster.key", hex, 0600);
    must(chown(WORLD_DIR "/cluster.key", GIT_UID, GIT_GID), "cluster key");
    must_err(deis_key_load(WORLD_DIR "/cluster.key", &w->key, &err), &err);
    for (size_t i = 0; i < DEIS_COUNT(names); i++) {
        world_must_run(WORLD_DIR, (const char *const[]){ "ssh-keygen", "-q", "-t", "ed25519", "-N",
                                                         "", "-f", names[i], NULL });
    }
    must_err(deis_file_read(WORLD_DIR "/known.pub", &out, &err), &err);
    const char *blank = strchr(out.data, ' ');
    const char *end = blank ? strchr(blank + 1, ' ') : NULL;
    assert_non_null(end);
    snprintf(w->public_key, sizeof(w->public_key), "%.*s", (int)(end - out.data), out.data);
    assert_int_equal(
        world_run(WORLD_DIR, &out, (const char *const[]){ "ssh-keygen", "-lf", "known.pub", NULL }),
        0);
    blank = strchr(out.data, ' ');
    assert_non_null(blank);
    snprintf(w->fingerprint, sizeof(w->fingerprint), "%.50s", blank + 1);
}

static void set_environment(void)
{
    setenv("GIT_SSH_COMMAND",
           "ssh -F none -i " WORLD_DIR "/known -o IdentitiesOnly=yes -o BatchMode=yes"
           " -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=" WORLD_DIR "/known_hosts"
           " -o KexAlgorithms=curve25519-sha256",
           1);
    setenv("HOME", WORLD_DIR, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_AUTHOR_NAME", "Ada", 1);
    setenv("GIT_AUTHOR_EMAIL", "ada@example.com", 1);
    setenv("GIT_COMMITTER_NAME", "Ada", 1);
    setenv("GIT_COMMITTER_EMAIL", "ada@example.com", 1);
}

void world_import(const char *name, const char *change)
{
    deis_autobuf struct deis_buf url = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf busybox = DEIS_BUF_INIT(16u << 20);
    deis_autobuf struct deis_buf tar = DEIS_BUF_INIT(17u << 20);
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    static const char zeros[TAR_BLOCK];

    must_err(deis_file_read(BUSYBOX, &busybox, &err), &err);
    struct tar_entry e = { TAR_EXECUTABLE, DEIS_STR("bin/busybox"), DEIS_STR_NONE, busybox.len };
    must_err(tar_add_header(&e, &tar, &err), &err);
    deis_buf_add(&tar, busybox.data, busybox.len);
    deis_buf_add(&tar, zeros, tar_padding(busybox.len));
    tar_add_end(&tar);
    deis_buf_addf(&url, "http://docker/v1.41/images/create?fromSrc=-&tag=1&repo=%s&changes=", name);
    deis_buf_add_urlencoded(&url, deis_str(change), false);
    deis_buf_add_cstr(&url, "&changes=LABEL%20" WORLD_LABEL "%3D1");
    struct deis_httpc_request req = {
        .method = "POST",
        .url = url.data,
        .unix_socket = DOCKER_SOCKET,
        .headers = (const char *const[]){ "Content-Type: application/x-tar", NULL },
        .body = deis_buf_str(&tar),
        .timeout_ms = WAIT_MS,
    };
    struct deis_httpc *http = deis_httpc_new();
    must_err(deis_httpc_call(http, &req, &answer, &err), &err);
    deis_httpc_free(http);
    assert_int_equal(answer.status, 200);
}

/* --- servers --- */

static void become_server(const char *const *argv, const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void become_git_user(void)
{
    struct stat st;

    if (stat(DOCKER_SOCKET, &st) < 0 || setgroups(1, &st.st_gid) < 0 || setgid(GIT_GID) < 0 ||
        setuid(GIT_UID) < 0) {
        _exit(126);
    }
}

/* With inner it is the first process of a PID namespace, as user git; the process returned guards
 * it. */
static pid_t start_server(const char *const *argv, const char *log, bool inner)
{
    pid_t pid = fork();

    must(pid, "fork");
    if (pid > 0) {
        return pid;
    }
    if (inner) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pid_t first = unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 ? -1 : fork();
        if (first != 0) {
            /* Not to hold on to the stand-in's socket. */
            close_range(3, ~0u, 0);
            waitpid(first, NULL, 0);
            _exit(0);
        }
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
        close(fd);
        if (chown(log, GIT_UID, GIT_GID) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0) {
            _exit(125);
        }
        become_git_user();
    }
    become_server(argv, log);
    return 0;
}

static bool port_answers(void *arg)
{
    const char *port = arg;
    /* ssh-keyscan would need more than a port; the greeting of sshd is enough. */
    deis_autofree char *command = deis_asprintf("exec 3<>/dev/tcp/127.0.0.1/%s", port);

    return world_run("/", NULL, (const char *const[]){ "bash", "-c", command, NULL }) == 0;
}

void world_start_registry(struct world *w)
{
    const char *argv[] = {
        bin("deis-registry-proxy"), "--http", w->registry,        "--data",
        WORLD_DIR "/registry",      "--etcd", w->etcd_server.url, "--cluster-key",
        WORLD_DIR "/cluster.key",   NULL
    };

    w->registry_pid = start_server(argv, WORLD_DIR "/registry.log", false);
    world_await("the registry-proxy listens", port_answers, strchr(w->registry, ':') + 1);
}

void world_stop_registry(struct world *w)
{
    kill(w->registry_pid, SIGKILL);
    waitpid(w->registry_pid, NULL, 0);
    w->registry_pid = 0;
}

static void start_registry(struct world *w)
{
    snprintf(w->registry, sizeof(w->registry), "127.0.0.1:%u", test_free_port());
    if (access(bin("deis-registry-proxy"), X_OK) < 0) {
        printf("SKIP pushes of images: no deis-registry-proxy was built\n");
        return;
    }
    must(mkdir(WORLD_DIR "/registry", 0700), "registry");
    world_start_registry(w);
}

int world_pull(const struct world *w, const char *image, struct deis_err *err)
{
    struct deis_keys *keys = deis_keys_fixed(&w->key);
    char password[65];
    const struct deis_docker_transfer login = { .user = DEIS_REGISTRY_USER, .password = password };

    deis_registry_password(keys, password);
    deis_keys_free(keys);
    return deis_docker_pull(w->docker, image, &login, err);
}

void world_start_builder(struct world *w)
{
    deis_autofree char *ssh = deis_asprintf("127.0.0.1:%u", w->ssh_port);
    const char *argv[] = { WORLD_DIR "/bin/deis-builder",
                           "serve",
                           "--data",
                           WORLD_DATA,
                           "--etcd",
                           w->etcd_server.url,
                           "--cluster-key",
                           WORLD_DIR "/cluster.key",
                           "--controller-bus",
                           w->bus,
                           "--registry",
                           w->registry,
                           "--ssh",
                           ssh,
                           "--proxy-from",
                           WORLD_ROUTER,
                           "--instance",
                           "test",
                           "--docker",
                           DOCKER_SOCKET,
                           NULL };
    char port[8];

    w->builder = start_server(argv, WORLD_DIR "/builder.log", true);
    snprintf(port, sizeof(port), "%u", w->ssh_port);
    world_await("sshd listens", port_answers, port);
}

/* The builder is the first process of a PID namespace: with it ends everything in there. We are the
 * parent of who made the namespace. */
static pid_t first_process(const struct world *w)
{
    deis_autofree char *path =
        deis_asprintf("/proc/%d/task/%d/children", (int)w->builder, (int)w->builder);
    deis_autobuf struct deis_buf children = DEIS_BUF_INIT(4096);
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t first = 0;

    must_err(deis_file_read(path, &children, &err), &err);
    must_err(deis_str_to_u64(deis_str_trim(deis_buf_str(&children)), 2, INT32_MAX, &first, &err),
             &err);
    return (pid_t)first;
}

void world_kill_builder(struct world *w)
{
    if (w->builder <= 0) {
        return;
    }
    struct pollfd all = { .fd = (int)syscall(SYS_pidfd_open, first_process(w), 0),
                          .events = POLLIN };

    must(all.fd, "pidfd_open");
    kill(w->builder, SIGKILL);
    waitpid(w->builder, NULL, 0);
    w->builder = 0;
    /* Its maker is gone before it is: a hook might still get an answer. */
    poll(&all, 1, WAIT_MS);
    close(all.fd);
}

void world_stop_builder(struct world *w)
{
    must(kill(first_process(w), SIGTERM), "kill");
    waitpid(w->builder, NULL, 0);
    w->builder = 0;
}

struct kill_program {
    const char *program;
    size_t killed;
};

static void kill_if_program(const char *name, void *arg)
{
    struct kill_program *k = arg;
    deis_autofree char *path = deis_asprintf("/proc/%s/cmdline", name);
    deis_autobuf struct deis_buf line = DEIS_BUF_INIT(65536);
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t pid = 0;

    if (deis_str_to_u64(deis_str(name), 2, INT32_MAX, &pid, &err) == DEIS_OK &&
        deis_file_read(path, &line, &err) == DEIS_OK && strcmp(line.data, k->program) == 0) {
        k->killed += kill((pid_t)pid, SIGKILL) == 0;
    }
}

size_t world_kill_program(const char *program)
{
    struct kill_program k = { program, 0 };

    folder_each("/proc", kill_if_program, &k);
    return k.killed;
}

void world_stop_controller(struct world *w)
{
    stand_in_stop(w->controller);
    w->controller = NULL;
}

void world_start_controller(struct world *w)
{
    w->controller = stand_in_start(w->bus, &w->key, w->fingerprint, w->public_key);
}

static bool remove_labelled(const struct world *w, const char *label)
{
    deis_autofree char *path =
        deis_asprintf("/images/json?all=1&filters=%%7B%%22label%%22:%%5B%%22%s%%22%%5D%%7D", label);
    deis_autojson json_t *images = NULL;
    struct deis_err err = DEIS_ERR_INIT;
    bool any = false;
    size_t i;
    json_t *image;

    must_err(deis_docker_call(w->docker, "GET", path, NULL, 0, &images, &err), &err);
    json_array_foreach(images, i, image)
    {
        deis_autofree char *one =
            deis_asprintf("/images/%s?force=1", json_string_value(json_object_get(image, "Id")));
        any = deis_docker_call(w->docker, "DELETE", one, NULL, 0, NULL, &err) == DEIS_OK || any;
    }
    return any;
}

/* One can go only after those that were made from it. */
void world_remove_images(const struct world *w, const char *label)
{
    while (remove_labelled(w, label)) {
    }
}

/* Also of a former run that was killed. */
static void remove_images(const struct world *w)
{
    static const char *const labels[] = { "deis.app=" WORLD_APP, "deis.app=" WORLD_APP_2,
                                          WORLD_LABEL };

    for (size_t i = 0; i < DEIS_COUNT(labels); i++) {
        world_remove_images(w, labels[i]);
    }
}

void world_open(struct world *w)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *program = deis_strdup(bin("deis-builder"));

    memset(w, 0, sizeof(*w));
    w->lock = open(LOCK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(w->lock, LOCK);
    must(flock(w->lock, LOCK_EX), LOCK);
    enter_namespace();
    set_environment();
    make_keys(w);
    must(mkdir(WORLD_DIR "/bin", 0755), "bin");
    world_must_run(
        "/", (const char *const[]){ "install", "-m", "0755", program, WORLD_DIR "/bin/", NULL });
    w->docker = deis_docker_new(DOCKER_SOCKET);
    remove_images(w);
    world_import("deis-test-builder/base", "");
    test_etcd_init(&w->etcd_server);
    test_etcd_start(&w->etcd_server);
    struct deis_etcd_opts opts = { .endpoints = w->etcd_server.url };
    w->etcd = deis_etcd_new(&opts, &err);
    assert_non_null(w->etcd);
    snprintf(w->bus, sizeof(w->bus), "tcp://127.0.0.1:%u", test_free_port());
    w->ssh_port = test_free_port();
    world_start_controller(w);
    must_err(deis_etcd_put(w->etcd, "/deis/apps/" WORLD_APP, DEIS_STR("{}"), 0, &err), &err);
    must_err(deis_etcd_put(w->etcd, "/deis/apps/" WORLD_APP_2, DEIS_STR("{}"), 0, &err), &err);
    start_registry(w);
    world_start_builder(w);
}

/* What the servers said, for whoever looks for the cause of a failure. */
static void show_logs(void)
{
    if (getenv("DEIS_TEST_LOGS")) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(8u << 20);
        struct deis_err err = DEIS_ERR_INIT;
        (void)!deis_file_read(WORLD_DIR "/builder.log", &out, &err);
        (void)!deis_file_read(WORLD_DIR "/registry.log", &out, &err);
        fputs(out.data, stderr);
    }
}

void world_close(struct world *w)
{
    world_kill_builder(w);
    show_logs();
    if (w->registry_pid > 0) {
        world_stop_registry(w);
    }
    stand_in_stop(w->controller);
    remove_images(w);
    deis_docker_free(w->docker);
    deis_etcd_free(w->etcd);
    test_etcd_clear(&w->etcd_server);
    close(w->lock);
}
