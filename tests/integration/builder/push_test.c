/* SPDX-License-Identifier: MIT */
/* Pushes by a real git through a real sshd to the Docker Engine. Only the controller is a stand-in.
 */
#include "builder/file.h"
#include "tests/integration/builder/world.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#define SCRATCH   "FROM scratch\nCOPY . /\nCMD [\"/app\"]\n"
#define SLOW_STEP "---> Running in"
#define SLOW      "FROM " WORLD_BASE "\nRUN [\"/bin/busybox\", \"sleep\", \"600\"]\n"

static struct world world;

static bool contains(const struct deis_buf *out, const char *text)
{
    return strstr(out->data, text) != NULL;
}

#define assert_says(out, text)                                                                     \
    do {                                                                                           \
        if (!contains(out, text)) {                                                                \
            fail_msg("no '%s' in:\n%s", text, (out)->data);                                        \
        }                                                                                          \
    } while (0)

static bool no_registry(void)
{
    if (world.registry_pid == 0) {
        printf("SKIP: needs the registry-proxy\n");
    }
    return world.registry_pid == 0;
}

static int push(const char *repo, struct deis_buf *out)
{
    deis_autofree char *folder = deis_asprintf(WORLD_DIR "/%s", repo);

    return world_git(folder, out, "push", "deis", "HEAD:master");
}

static bool nothing_left(void *arg)
{
    return world_records() == 0 &&
           world_images(&world, "deis.app=" WORLD_APP, false) == *(size_t *)arg;
}

static void await_images(size_t count)
{
    world_await("builds are settled", nothing_left, &count);
}

/* --- refused before anything is built --- */

/* Push with a key that the controller does not know; the exit status of git. */
static int push_as_stranger(struct deis_buf *out)
{
    deis_autofree char *known = deis_strdup(getenv("GIT_SSH_COMMAND"));
    deis_autofree char *other = deis_strdup(known);

    char *key = strstr(other, WORLD_DIR "/known ");
    assert_non_null(key);
    memcpy(key, WORLD_DIR "/know_", strlen(WORLD_DIR "/know_"));
    assert_int_equal(
        world_run(WORLD_DIR, out, (const char *const[]){ "cp", "unknown", "know_", NULL }), 0);
    setenv("GIT_SSH_COMMAND", other, 1);
    int status = push("stranger", out);
    setenv("GIT_SSH_COMMAND", known, 1);
    return status;
}

static void push__unknown_key_is_refused(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);

    world_new_repo(&world, "stranger", WORLD_APP);
    world_commit("stranger", "Dockerfile", SCRATCH, NULL);
    assert_int_not_equal(push_as_stranger(&out), 0);
    assert_says(&out, "Permission denied (publickey)");
}

static void push__unknown_and_foreign_apps_look_the_same(void **state)
{
    static const char *const apps[] = { "itest-nobodys", "itest-another" };

    for (size_t i = 0; i < DEIS_COUNT(apps); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
        deis_autofree char *folder = deis_asprintf(WORLD_DIR "/%s", apps[i]);
        deis_autofree char *made = deis_asprintf(WORLD_DATA "/repos/%s.git", apps[i]);
        world_new_repo(&world, apps[i], apps[i]);
        world_commit(apps[i], "Dockerfile", SCRATCH, NULL);
        assert_int_not_equal(push(apps[i], &out), 0);
        assert_says(&out, "fatal: remote error: no such app, or you have no access to it");
        assert_int_not_equal(world_git(folder, &out, "fetch", "deis"), 0);
        assert_says(&out, "fatal: remote error: no such app, or you have no access to it");
        assert_int_equal(access(made, F_OK), -1);
    }
}

static int ssh(struct deis_buf *out, const char *command)
{
    deis_autofree char *port = deis_asprintf("%u", world.ssh_port);
    deis_autofree char *shell =
        deis_asprintf("exec %s -p %s git@127.0.0.1 \"$1\"", getenv("GIT_SSH_COMMAND"), port);

    return world_run(WORLD_DIR, out,
                     (const char *const[]){ "sh", "-c", shell, "sh", command, NULL });
}

static void ssh__offers_git_and_ping_only(void **state)
{
    static const char *const refused[] = { "sh", "id; git-receive-pack '" WORLD_APP "'",
                                           "git-receive-pack '" WORLD_APP "'; id",
                                           "git-receive-pack '../" WORLD_APP "'", "" };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);

    assert_int_equal(ssh(&out, "ping"), 0);
    assert_says(&out, "pong");
    for (size_t i = 0; i < DEIS_COUNT(refused); i++) {
        assert_int_equal(ssh(&out, refused[i]), 1);
        assert_says(&out, " !     ");
        assert_false(contains(&out, "uid="));
    }
}

/* Who had a key when it could be asked is told so; who had none is refused as ever. */
static void push__without_a_controller_says_so(void **state)
{
    static const char why[] = "its controller or etcd does not answer: try again in a minute";
    static const char *const others[] = { "ping", "id", "" };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);

    assert_int_equal(ssh(&out, "ping"), 0);
    world_stop_controller(&world);
    assert_int_not_equal(push("stranger", &out), 0); /* the folder, with the key of ada */
    assert_says(&out, "fatal: remote error: the platform can't look your key up now");
    assert_says(&out, why);
    for (size_t i = 0; i < DEIS_COUNT(others); i++) {
        assert_int_equal(ssh(&out, others[i]), 1);
        assert_says(&out, why);
        assert_false(contains(&out, "pong"));
        assert_false(contains(&out, "uid="));
    }
    assert_int_not_equal(push_as_stranger(&out), 0);
    assert_says(&out, "Permission denied (publickey)");
    assert_false(contains(&out, why));
    world_start_controller(&world);
    assert_int_equal(ssh(&out, "ping"), 0);
    assert_says(&out, "pong");
}

/* A key that was taken away is forgotten. */
static void push__without_a_controller_a_removed_key_is_refused(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    deis_autofree char *fingerprint = deis_strdup(world.fingerprint);
    char *digit = world.fingerprint + strlen("SHA256:");

    world_stop_controller(&world);
    *digit = *digit == 'A' ? 'B' : 'A'; /* somebody else's */
    world_start_controller(&world);
    assert_int_not_equal(ssh(&out, "ping"), 0);
    assert_says(&out, "Permission denied (publickey)");
    world_stop_controller(&world);
    assert_int_not_equal(ssh(&out, "ping"), 0);
    assert_says(&out, "Permission denied (publickey)");
    memcpy(world.fingerprint, fingerprint, strlen(fingerprint));
    world_start_controller(&world);
    assert_int_equal(ssh(&out, "ping"), 0);
}

/* Connect as a router does, say `first`, and carry stdin and stdout. */
#define AS_ROUTER                                                                                  \
    "import os, socket, sys, threading\n"                                                          \
    "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20, ('" WORLD_ROUTER "', 0))\n" \
    "s.sendall(sys.argv[2].encode().decode('unicode_escape').encode('latin-1'))\n"                 \
    "def up():\n"                                                                                  \
    "    while True:\n"                                                                            \
    "        d = os.read(0, 65536)\n"                                                              \
    "        if not d:\n"                                                                          \
    "            return\n"                                                                         \
    "        s.sendall(d)\n"                                                                       \
    "threading.Thread(target=up, daemon=True).start()\n"                                           \
    "while True:\n"                                                                                \
    "    d = s.recv(65536)\n"                                                                      \
    "    if not d:\n"                                                                              \
    "        break\n"                                                                              \
    "    os.write(1, d)\n"

static int ssh_as_router(struct deis_buf *out, const char *first, const char *command)
{
    deis_autofree char *shell =
        deis_asprintf("exec %s -o ProxyCommand=\"python3 " WORLD_DIR
                      "/router.py %u '%s'\" -p %u git@127.0.0.1 \"$1\"",
                      getenv("GIT_SSH_COMMAND"), world.ssh_port, first, world.ssh_port);

    return world_run(WORLD_DIR, out,
                     (const char *const[]){ "sh", "-c", shell, "sh", command, NULL });
}

static void ssh__router_tells_the_client_or_is_refused(void **state)
{
    static const char *const heads[] = {
        "PROXY TCP4 203.0.113.7 192.0.2.1 4711 22\\r\\n",
        "\\r\\n\\r\\n\\0\\r\\nQUIT\\n\\x21\\x11\\0\\x0c\\xcb\\0\\x71\\x07\\xc0\\0\\x02\\x01\\x12\\x67\\0\\x16",
    };
    static const char *const bad[] = { "", "PROXY TCP4 203.0.113.7\\r\\n", "SSH-2.0-x\\r\\n" };
    const char *fetch = "git-upload-pack '" WORLD_APP "'";
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    struct deis_err err = DEIS_ERR_INIT;
    char client[64];

    assert_int_equal(deis_file_replace(WORLD_DIR "/router.py", DEIS_STR(AS_ROUTER), 0600, &err), 0);
    for (size_t i = 0; i < DEIS_COUNT(heads); i++) {
        assert_int_equal(ssh_as_router(&out, heads[i], "ping"), 0);
        assert_says(&out, "pong");
        (void)ssh_as_router(&out, heads[i], fetch);
        stand_in_client(world.controller, client);
        assert_string_equal(client, "203.0.113.7");
    }
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_not_equal(ssh_as_router(&out, bad[i], "ping"), 0);
        assert_false(contains(&out, "pong"));
    }
    (void)ssh(&out, fetch);
    stand_in_client(world.controller, client);
    assert_string_equal(client, "127.0.0.1");
}

static void push__what_must_not_deploy_is_refused_with_its_cause(void **state)
{
    static const struct {
        const char *refspec;
        const char *dockerfile;
        const char *procfile;
        const char *shell; /* run in the repository before the commit */
        const char *says;
    } cases[] = {
        { "HEAD:feature", SCRATCH, "", "true",
          "only master or main is deployed, not 'refs/heads/feature'" },
        { "HEAD:refs/tags/v1", SCRATCH, "", "true", "not 'refs/tags/v1'" },
        { "HEAD:master", SCRATCH, "Web: x\n", "true", "Procfile line 1: process type 'Web'" },
        { "HEAD:master", SCRATCH, "web x\n", "true", "Procfile line 1: must be lines of the form" },
        { "HEAD:master", SCRATCH, "", "git rm -qf --cached Dockerfile; mv Dockerfile D",
          "no Dockerfile" },
        { "HEAD:master", SCRATCH, "", "mv Dockerfile D; ln -s D Dockerfile",
          "'Dockerfile' must be a file" },
        { "HEAD:master", SCRATCH, "", "mv Procfile P; ln -s P Procfile",
          "'Procfile' must be a file" },
        { "HEAD:master", "# nothing\n\n", "", "true", "the Dockerfile is empty" },
        { "HEAD:master", SCRATCH, "",
          "git commit -q --allow-empty -m x; git rev-parse HEAD >.git/shallow",
          "git fetch --unshallow" },
        { "HEAD:master", SCRATCH, "", "ln -s ../../etc/passwd p", "symlink 'p' leads out" },
        { "HEAD:master", SCRATCH, "", "git init -q sub && git -C sub commit -q --allow-empty -m x",
          "'sub' is a submodule" },
        { "HEAD:master", SCRATCH, "",
          "t=$(printf '100644 blob %s\\t..\\n' $(git hash-object -w Dockerfile) | git mktree) &&"
          "git reset -q --soft $(git commit-tree -m x $t)",
          "hasDotdot" },
        { "HEAD:master", SCRATCH, "",
          "f=$(git hash-object -w Dockerfile) && t=$(printf '100644 blob %s\\tDockerfile\\n' $f $f | git mktree) &&"
          "git reset -q --soft $(git commit-tree -m x $t)",
          "duplicateEntries" }, /* only one of them would be read anew */
        { "HEAD:master", "FROM scratch\nNONSENSE x\n", "", "true", "unknown instruction" },
        { "HEAD:master", "FROM scratch\nCOPY nothing /\n", "", "true", "build failed" },
        { "HEAD:master", "FROM " WORLD_BASE "\nCOPY . /src\nRUN [\"/bin/busybox\", \"false\"]\n",
          "", "true", "returned a non-zero code: 1" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
        deis_autofree char *name = deis_asprintf("refused-%zu", i);
        deis_autofree char *folder = deis_asprintf(WORLD_DIR "/%s", name);

        world_new_repo(&world, name, WORLD_APP);
        world_commit(name, "Dockerfile", cases[i].dockerfile, "Procfile", cases[i].procfile, NULL);
        assert_int_equal(
            world_run(folder, &out, (const char *const[]){ "sh", "-c", cases[i].shell, NULL }), 0);
        world_commit(name, NULL);
        assert_int_equal(world_git(folder, &out, "push", "deis", cases[i].refspec), 1);
        assert_says(&out, cases[i].says);
        assert_string_equal(world_ref(WORLD_APP, "master"), "");
        await_images(0);
    }
}

/* --- interrupted --- */

static void push__interrupted_build_leaves_nothing(void **state)
{
    world_new_repo(&world, "slow", WORLD_APP);
    world_commit("slow", "Dockerfile", SLOW, NULL);
    struct world_client c = world_spawn(
        WORLD_DIR "/slow", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, SLOW_STEP);
    assert_int_equal(world_records(), 1);

    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    assert_int_equal(push("slow", &out), 128);
    assert_says(&out, "fatal: remote error: Another git push is ongoing");

    kill(-c.pid, SIGKILL);
    world_finish(&c);
    world_client_clear(&c);
    await_images(0);
    assert_string_equal(world_ref(WORLD_APP, "master"), "");
}

static void push__build_killed_with_its_container_is_settled_after_restart(void **state)
{
    world_new_repo(&world, "killed", WORLD_APP);
    world_commit("killed", "Dockerfile", SLOW, NULL);
    struct world_client c = world_spawn(
        WORLD_DIR "/killed", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, SLOW_STEP);
    world_kill_builder(&world);
    assert_int_not_equal(world_finish(&c), 0);
    world_client_clear(&c);
    assert_int_equal(world_records(), 1);
    world_start_builder(&world);
    await_images(0);
    assert_string_equal(world_ref(WORLD_APP, "master"), "");
}

static void push__hook_that_is_killed_is_cleaned_up_after(void **state)
{
    world_new_repo(&world, "hook", WORLD_APP);
    world_commit("hook", "Dockerfile", SLOW, NULL);
    struct world_client c = world_spawn(
        WORLD_DIR "/hook", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, SLOW_STEP);
    assert_int_equal(world_kill_program(WORLD_DATA "/hooks/pre-receive"), 1);
    assert_int_equal(world_finish(&c), 1);
    world_client_clear(&c);
    await_images(0);
}

static void push__builder_that_stops_ends_its_builds(void **state)
{
    world_new_repo(&world, "stopped", WORLD_APP);
    world_commit("stopped", "Dockerfile", SLOW, NULL);
    struct world_client c = world_spawn(
        WORLD_DIR "/stopped", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, SLOW_STEP);
    world_stop_builder(&world);
    assert_int_equal(world_records(), 0);
    assert_int_equal(world_images(&world, "deis.app=" WORLD_APP, false), 0);
    assert_int_not_equal(world_finish(&c), 0);
    world_client_clear(&c);
    world_start_builder(&world);
}

static bool settings_say(void *arg)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    struct deis_err err = DEIS_ERR_INIT;

    return deis_file_read(WORLD_DATA "/run/settings.json", &out, &err) == DEIS_OK &&
           contains(&out, arg);
}

static void push__limits_come_from_etcd(void **state)
{
    static const char key[] = "/deis/config/builder/outputMax";
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_put(world.etcd, key, DEIS_STR("1MB"), 0, &err), DEIS_OK);
    world_await("the setting arrives", settings_say, "\"output-max\":1048576,");
    world_new_repo(&world, "loud", WORLD_APP);
    world_commit(
        "loud", "Dockerfile",
        "FROM " WORLD_BASE "\nRUN [\"/bin/busybox\", \"yes\", \"a line of some length\"]\n", NULL);
    struct world_client c = world_spawn(
        WORLD_DIR "/loud", (const char *const[]){ "git", "push", "deis", "master", NULL });
    assert_int_equal(world_finish(&c), 1);
    assert_says(&c.out, "the build printed more than 1 MB");
    world_client_clear(&c);
    await_images(0);
    assert_int_equal(deis_etcd_delete(world.etcd, key, &err), DEIS_OK);
    world_await("the default is back", settings_say, "\"output-max\":16777216,");
}

/* A step reads its own limits, waits for the one of processes, and goes beyond it. */
#define GREEDY                                                                                     \
    "FROM " WORLD_BASE "\nRUN [\"/bin/busybox\", \"sh\", \"-c\", \""                               \
    "b=/bin/busybox; cd /sys/fs/cgroup; "                                                          \
    "$b cat memory/memory.limit_in_bytes memory.max 2>/dev/null; "                                 \
    "until $b grep -qx 64 pids/pids.max pids.max 2>/dev/null; do $b sleep 0.1; done; "             \
    "n=0; while [ $n -lt 100 ]; do $b sleep 100 & n=$((n+1)); done; echo all $n\"]\n"

static void push__a_step_has_limits(void **state)
{
    static const char processes[] = "/deis/config/builder/buildProcesses";
    static const char timeout[] = "/deis/config/builder/buildTimeout";
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_put(world.etcd, timeout, DEIS_STR("30s"), 0, &err), DEIS_OK);
    assert_int_equal(deis_etcd_put(world.etcd, processes, DEIS_STR("64"), 0, &err), DEIS_OK);
    world_await("the setting arrives", settings_say, "\"build-processes\":64,");
    world_new_repo(&world, "greedy", WORLD_APP);
    world_commit("greedy", "Dockerfile", GREEDY, NULL);
    assert_int_equal(push("greedy", &out), 1);
    assert_says(&out, "2147483648");
    assert_says(&out, "can't fork");
    assert_false(contains(&out, "all 100"));
    world_commit("greedy", "Dockerfile",
                 "FROM " WORLD_BASE "\nRUN [\"/bin/busybox\", \"sh\", \"-c\", \"exit 137\"]\n",
                 NULL);
    assert_int_equal(push("greedy", &out), 1);
    assert_says(&out, "needs more than 2048 MB of memory");
    await_images(0);
    assert_int_equal(deis_etcd_delete(world.etcd, timeout, &err), DEIS_OK);
    assert_int_equal(deis_etcd_delete(world.etcd, processes, &err), DEIS_OK);
}

/* --- deployed --- */

static void push__deploys_and_moves_the_ref(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(1024);

    if (no_registry()) {
        skip();
    }
    world_new_repo(&world, "app", WORLD_APP);
    world_commit("app", "Dockerfile", SCRATCH, "app", "contents", "Procfile",
                 "web: /app -x\nworker: /app 'y'\n", NULL);
    if (push("app", &out) != 0) {
        fail_msg("%s", out.data);
    }
    assert_says(&out, "remote: -----> Building Docker image");
    assert_says(&out, "remote:        Step 1/");
    assert_says(&out, "Procfile declares types -> web, worker");
    assert_says(&out, "remote:        web.1 is starting");
    assert_says(&out, "remote: -----> Launching... ");
    assert_says(&out, "remote:        done, " WORLD_APP ":v1 deployed to Deis");
    assert_says(&out, "remote:        http://blog.example.com:8080");

    assert_int_equal(world_git(WORLD_DIR "/app", &head, "rev-parse", "HEAD"), 0);
    struct stand_in_deploy d = stand_in_last(world.controller);
    assert_int_equal(strncmp(head.data, d.sha, 40), 0);
    assert_int_equal(strncmp(world_ref(WORLD_APP, "master"), d.sha, 40), 0);
    assert_string_equal(d.user, "ada");
    assert_string_equal(d.app, WORLD_APP);
    assert_string_equal(d.procfile, "web=/app -x,worker=/app 'y'");
    deis_autofree char *prefix = deis_asprintf("%s/" WORLD_APP "@sha256:", world.registry);
    assert_int_equal(strncmp(d.image, prefix, strlen(prefix)), 0);
    assert_int_equal(world_records(), 0);
    assert_int_equal(world_images(&world, "deis.app=" WORLD_APP, false), 1);

    assert_int_equal(push("app", &out), 0);
    assert_says(&out, "Everything up-to-date");
    assert_int_equal(world_git(WORLD_DIR, &out, "clone", "-q", "-o", "deis", "app", "copy"), 0);
}

#define LOOKING                                                                                    \
    "# seen\nFROM " WORLD_BASE "\nCOPY . /src\n# by who looks\n"                                   \
    "RUN [\"/bin/busybox\", \"sh\", \"-c\", \"cd /src && /bin/busybox find . -type f "             \
    "-exec /bin/busybox md5sum {} + | /bin/busybox sort -k2 && false\"]\n"

/* What a build copies is what was pushed, the Dockerfile too. */
static void push__a_build_sees_the_files_as_they_are(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    deis_autobuf struct deis_buf want = DEIS_BUF_INIT(1u << 20);
    struct deis_str line;

    world_new_repo(&world, "seen", WORLD_APP);
    world_commit("seen", "Dockerfile", LOOKING, "a", "contents", NULL);
    assert_int_equal(world_run(WORLD_DIR "/seen", &want,
                               (const char *const[]){ "sh", "-c",
                                                      "find . -path ./.git -prune -o -type f -exec "
                                                      "md5sum {} + | sort -k2",
                                                      NULL }),
                     0);
    assert_int_equal(push("seen", &out), 1);
    struct deis_str lines = deis_buf_str(&want);
    while (deis_str_split(&lines, '\n', &line)) {
        deis_autofree char *text = deis_str_dup(line);
        assert_says(&out, text);
    }
    assert_says(&want, "./Dockerfile");
    assert_false(contains(&out, "/.deis"));
    assert_false(contains(&out, ".dockerignore"));
    /* With a file of that name of the pusher's the Dockerfile is the one that was made of it. */
    world_commit("seen", ".dockerignore", "b\n", NULL);
    assert_int_equal(push("seen", &out), 1);
    assert_says(&out, "./.dockerignore");
    assert_says(&out, "./Dockerfile");
    assert_false(contains(&out, "/.deis"));
    await_images(0);
}

/* git, too, takes what the hook has taken: its commits are all there, if not in the clone. */
static void push__from_a_shallow_clone_moves_the_ref(void **state)
{
    static const char *const cut[] = { "sh", "-c", "git rev-parse HEAD >.git/shallow", NULL };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(1024);

    if (no_registry()) {
        skip();
    }
    for (size_t i = 0; i < 2; i++) {
        world_commit("app", "pushed", i == 0 ? "cut" : "whole", NULL);
        if (i == 0) {
            world_must_run(WORLD_DIR "/app", cut);
        }
        if (world_git(WORLD_DIR "/app", &out, "push", "-f", "deis", "HEAD:master") != 0) {
            fail_msg("%s", out.data);
        }
        assert_says(&out, "deployed to Deis");
        assert_int_equal(world_git(WORLD_DIR "/app", &head, "rev-parse", "HEAD"), 0);
        assert_true(deis_str_starts(deis_buf_str(&head), world_ref(WORLD_APP, "master")));
        world_must_run(WORLD_DIR "/app", (const char *const[]){ "rm", "-f", ".git/shallow", NULL });
    }
}

static void push__failed_deploy_is_explained_and_undone(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    char before[64];

    if (no_registry()) {
        skip();
    }
    memcpy(before, world_ref(WORLD_APP, "master"), sizeof(before));
    world_commit("app", "app", "worse", NULL);
    stand_in_fail_deploys(world.controller, "web.1 exited with code 1 before it was ready");
    assert_int_equal(push("app", &out), 1);
    stand_in_fail_deploys(world.controller, NULL);
    assert_says(&out, "remote:        giving up");
    assert_says(&out, "remote:  !     web.1 exited with code 1 before it was ready");
    assert_says(&out, "pre-receive hook declined");
    assert_string_equal(world_ref(WORLD_APP, "master"), before);
    await_images(1);

    struct stand_in_deploy d = stand_in_last(world.controller);
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(world_pull(&world, d.image, &err), DEIS_NOT_FOUND);

    assert_int_equal(push("app", &out), 0);
    assert_says(&out, "deployed to Deis");
}

static bool deploy_began(void *arg)
{
    return stand_in_last(world.controller).calls > 0 &&
           strcmp(stand_in_last(world.controller).sha, arg) == 0;
}

static bool ref_is(void *arg)
{
    return strcmp(world_ref(WORLD_APP, "master"), arg) == 0;
}

static void push__client_that_leaves_during_the_deploy_gets_its_ref(void **state)
{
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(1024);

    if (no_registry()) {
        skip();
    }
    world_commit("app", "app", "left alone", NULL);
    assert_int_equal(world_git(WORLD_DIR "/app", &head, "rev-parse", "HEAD"), 0);
    head.data[40] = '\0';
    stand_in_hold_deploys(world.controller, true);
    struct world_client c = world_spawn(
        WORLD_DIR "/app", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, "Launching");
    world_await("the deploy began", deploy_began, head.data);
    kill(-c.pid, SIGKILL);
    world_finish(&c);
    world_client_clear(&c);
    stand_in_hold_deploys(world.controller, false);
    world_await("the ref follows the release", ref_is, head.data);
}

/* Three builds run, as it seems: one of them ends. */
static void push__waits_for_its_turn(void **state)
{
    int held[3];

    if (no_registry()) {
        skip();
    }
    for (int i = 0; i < 3; i++) {
        deis_autofree char *path = deis_asprintf(WORLD_DATA "/queue/%020d", i + 1);
        held[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        assert_true(held[i] >= 0);
        assert_int_equal(flock(held[i], LOCK_EX), 0);
    }
    world_commit("app", "app", "patient", NULL);
    struct world_client c = world_spawn(
        WORLD_DIR "/app", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, "Waiting for 1 build to end");
    for (int i = 0; i < 3; i++) {
        close(held[i]);
    }
    if (world_finish(&c) != 0) {
        fail_msg("%s", c.out.data);
    }
    assert_says(&c.out, "deployed to Deis");
    world_client_clear(&c);
}

static void push__waits_for_a_controller_that_restarts(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);

    if (no_registry()) {
        skip();
    }
    world_commit("app", "Dockerfile",
                 "FROM " WORLD_BASE "\nRUN [\"/bin/busybox\", \"sleep\", \"1\"]\n", NULL);
    struct world_client c = world_spawn(
        WORLD_DIR "/app", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, SLOW_STEP);
    world_stop_controller(&world);
    world_read_until(&c, "Launching");
    world_start_controller(&world);
    if (world_finish(&c) != 0) {
        fail_msg("%s", c.out.data);
    }
    assert_says(&c.out, "deployed to Deis");
    world_client_clear(&c);
}

/* The connections that the Engine makes for about ten attempts. */
#define REFUSED 20

/* In the place of a registry that is not back yet: who comes is sent away, until the push has more
 * to say. */
static void refuse_some(const struct world_client *c)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct deis_err err = DEIS_ERR_INIT;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint64_t port = 0;
    int on = 1;

    assert_int_equal(
        deis_str_to_u64(deis_str(strchr(world.registry, ':') + 1), 1, 65535, &port, &err), DEIS_OK);
    a.sin_port = htons((uint16_t)port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 16), 0);
    for (unsigned i = 0; i < REFUSED; i++) {
        struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = c->fd, .events = POLLIN } };
        poll(p, DEIS_COUNT(p), -1);
        if (p[1].revents) {
            break;
        }
        close(accept(fd, NULL, NULL));
    }
    close(fd);
}

static void push__waits_for_a_registry_that_restarts(void **state)
{
    if (no_registry()) {
        skip();
    }
    world_commit("app", "Dockerfile", SCRATCH "LABEL again=1\n", NULL);
    world_stop_registry(&world);
    struct world_client c = world_spawn(
        WORLD_DIR "/app", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, "Pushing image");
    refuse_some(&c);
    world_start_registry(&world);
    if (world_finish(&c) != 0) {
        fail_msg("%s", c.out.data);
    }
    assert_says(&c.out, "deployed to Deis");
    world_client_clear(&c);
}

/* As a process of a push that is slow to die holds it. */
static int hold_lock(void)
{
    int fd = open(WORLD_DATA "/locks/" WORLD_APP, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    return fd;
}

/* The builder is killed while the controller deploys; etcd says later how that ended. */
static void kill_during_deploy(const char *outcome)
{
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(1024);
    struct deis_err err = DEIS_ERR_INIT;

    world_commit("app", NULL);
    assert_int_equal(world_git(WORLD_DIR "/app", &head, "rev-parse", "HEAD"), 0);
    head.data[40] = '\0';
    stand_in_hold_deploys(world.controller, true);
    struct world_client c = world_spawn(
        WORLD_DIR "/app", (const char *const[]){ "git", "push", "deis", "master", NULL });
    world_read_until(&c, "Launching");
    world_await("the deploy began", deploy_began, head.data);
    world_kill_builder(&world);
    world_finish(&c);
    world_client_clear(&c);
    stand_in_hold_deploys(world.controller, false);
    deis_autofree char *key = deis_asprintf("/deis/outcomes/%s", world_record());
    assert_int_equal(deis_etcd_put(world.etcd, key, deis_str(outcome), 0, &err), DEIS_OK);
    int lock = hold_lock();
    world_start_builder(&world);
    close(lock);
}

static bool ref_follows(void *arg)
{
    return strcmp(world_ref(WORLD_APP, "master"), arg) == 0 && world_records() == 0 &&
           !world_has_quarantine(WORLD_APP);
}

static void push__release_made_while_the_builder_died_gets_its_ref(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);

    if (no_registry()) {
        skip();
    }
    size_t before = world_images(&world, "deis.app=" WORLD_APP, false);
    char old[64];
    snprintf(old, sizeof(old), "%s", world_ref(WORLD_APP, "master"));
    kill_during_deploy("{\"done\":false,\"reason\":\"it crashed\"}");
    await_images(before);
    world_await("the branch is as it was", ref_follows, old);

    kill_during_deploy("{\"done\":true,\"version\":9}");
    assert_int_equal(world_git(WORLD_DIR "/app", &out, "rev-parse", "HEAD"), 0);
    out.data[40] = '\0';
    world_await("the branch follows the release", ref_follows, out.data);
    assert_int_equal(world_images(&world, "deis.app=" WORLD_APP, false), before + 1);
    assert_int_equal(push("app", &out), 0);
    assert_says(&out, "Everything up-to-date");
}

/* The name by digest of the image that the last push made; yours. */
static char *newest_image(void)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *image = NULL;
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(1024);

    assert_int_equal(world_git(WORLD_DIR "/app", &head, "rev-parse", "HEAD"), 0);
    deis_autofree char *tag = deis_asprintf("%s/" WORLD_APP ":git-%.8s", world.registry, head.data);
    assert_int_equal(deis_docker_image_inspect(world.docker, tag, &image, &err), DEIS_OK);
    const json_t *names = json_object_get(image, "RepoDigests");
    assert_int_equal(json_array_size(names), 1);
    return deis_strdup(json_string_value(json_array_get(names, 0)));
}

static void put(const char *key, const char *format, ...)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(4096);
    struct deis_err err = DEIS_ERR_INIT;
    va_list args;

    va_start(args, format);
    deis_buf_vaddf(&text, format, args);
    va_end(args);
    assert_int_equal(deis_etcd_put(world.etcd, key, deis_buf_str(&text), 0, &err), DEIS_OK);
}

/* The end of an app, whichever, has the builder look through all images. */
static bool two_are_left(void *arg)
{
    struct deis_err err = DEIS_ERR_INIT;

    put("/deis/apps/gone", "{}");
    assert_int_equal(deis_etcd_delete(world.etcd, "/deis/apps/gone", &err), DEIS_OK);
    return world_images(&world, "deis.app=" WORLD_APP, false) == 2;
}

/* Of three releases and what was pushed before, the image of the newest one stays, and that of the
 * first, which runs. */
static void images__of_old_releases_leave_the_engine(void **state)
{
    static const char *const uuids[] = { "one", "two", "three" };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    struct deis_err err = DEIS_ERR_INIT;
    char *images[3];

    if (no_registry()) {
        skip();
    }
    for (unsigned i = 0; i < 3; i++) {
        char key[128];
        world_commit("app", "app", uuids[i], NULL);
        assert_int_equal(push("app", &out), 0);
        images[i] = newest_image();
        snprintf(key, sizeof(key), "/deis/apps/" WORLD_APP "/builds/%s", uuids[i]);
        put(key, "{\"image\":\"%s\"}", images[i]);
        snprintf(key, sizeof(key), "/deis/apps/" WORLD_APP "/releases/%010u", i + 1);
        put(key, "{\"build\":\"%s\"}", uuids[i]);
    }
    put("/deis/formations/" WORLD_APP, "{\"image\":\"%s\"}", images[0]);
    put("/deis/config/builder/imagesKept", "1");
    world_await("old images are gone", two_are_left, NULL);
    for (unsigned i = 0; i < 3; i++) {
        deis_autojson json_t *image = NULL;
        assert_int_equal(deis_docker_image_inspect(world.docker, images[i], &image, &err),
                         i == 1 ? DEIS_NOT_FOUND : DEIS_OK);
        free(images[i]);
    }
    /* A rollback still finds it in the registry; what else was made for the test goes. */
    assert_int_equal(deis_etcd_delete_prefix(world.etcd, "/deis/config/builder/", &err), DEIS_OK);
    assert_int_equal(deis_etcd_delete_prefix(world.etcd, "/deis/apps/" WORLD_APP "/", &err),
                     DEIS_OK);
    assert_int_equal(deis_etcd_delete(world.etcd, "/deis/formations/" WORLD_APP, &err), DEIS_OK);
}

static bool is_packed(void *arg)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);

    return world_git(WORLD_DATA "/repos/" WORLD_APP ".git", &out, "-c", "safe.directory=*",
                     "count-objects") == 0 &&
           deis_str_starts(deis_buf_str(&out), "0 objects");
}

static void repo__with_many_loose_objects_is_repacked(void **state)
{
    static const char fill[] =
        "umask 0; r=" WORLD_DATA "/repos/" WORLD_APP
        ".git; mkdir n; cd n; seq 7000 | split -l 1 -a 4 - x;"
        "ls -d $PWD/* | git -c safe.directory='*' --git-dir $r hash-object -w --stdin-paths >/dev/null &&"
        "chown -R 7001:7000 $r";
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    char before[64];

    if (no_registry()) {
        skip();
    }
    memcpy(before, world_ref(WORLD_APP, "master"), sizeof(before));
    assert_int_equal(world_run(WORLD_DIR, &out, (const char *const[]){ "sh", "-c", fill, NULL }),
                     0);
    world_stop_builder(&world);
    world_start_builder(&world);
    world_await("the repository is repacked", is_packed, NULL);
    assert_string_equal(world_ref(WORLD_APP, "master"), before);
}

static void fetch__gives_back_what_was_pushed(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    deis_autofree char *url =
        deis_asprintf("ssh://git@127.0.0.1:%u/" WORLD_APP ".git", world.ssh_port);

    if (no_registry()) {
        skip();
    }
    assert_int_equal(world_git(WORLD_DIR, &out, "clone", "-q", url, "clone"), 0);
    assert_int_equal(access(WORLD_DIR "/clone/Dockerfile", F_OK), 0);
}

#define FOREIGN "LABEL deis.app=" WORLD_APP " deis.registry=127.0.0.1:1 n="

/* Another platform, with an app of the same name: an image without a name, and one with. */
static void import_foreign(void)
{
    world_import("deis-test-builder/foreign", FOREIGN "1");
    world_import("deis-test-builder/foreign", FOREIGN "2");
}

static bool only_foreign_left(void *arg)
{
    return access(WORLD_DATA "/repos/" WORLD_APP ".git", F_OK) < 0 &&
           world_images(&world, "deis.app=" WORLD_APP, false) <= 2;
}

static bool no_layers(void *arg)
{
    return world_images(&world, WORLD_LABEL, true) == 1;
}

static void app__that_is_destroyed_loses_exactly_its_repository_and_images(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    struct deis_err err = DEIS_ERR_INIT;

    if (no_registry()) {
        skip();
    }
    world_new_repo(&world, "second", WORLD_APP_2);
    world_commit("second", "Dockerfile", SCRATCH, NULL);
    assert_int_equal(push("second", &out), 0);
    import_foreign();
    assert_int_equal(deis_etcd_delete(world.etcd, "/deis/apps/" WORLD_APP, &err), DEIS_OK);
    world_await("repository and images go", only_foreign_left, NULL);
    assert_int_equal(world_images(&world, "deis.app=" WORLD_APP, false), 2);
    assert_int_equal(world_images(&world, "deis.registry=127.0.0.1:1", false), 2);
    world_remove_images(&world, "deis.registry=127.0.0.1:1");
    assert_int_equal(world_images(&world, "deis.app=" WORLD_APP_2, false), 1);
    /* The steps of its failed builds go too: only their base is left. */
    world_await("layers go", no_layers, NULL);
    assert_string_not_equal(world_ref(WORLD_APP_2, "master"), "");
}

static int open_world(void **state)
{
    world_open(&world);
    return 0;
}

static int close_world(void **state)
{
    world_close(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push__unknown_key_is_refused),
        cmocka_unit_test(push__unknown_and_foreign_apps_look_the_same),
        cmocka_unit_test(ssh__offers_git_and_ping_only),
        cmocka_unit_test(push__without_a_controller_says_so),
        cmocka_unit_test(push__without_a_controller_a_removed_key_is_refused),
        cmocka_unit_test(ssh__router_tells_the_client_or_is_refused),
        cmocka_unit_test(push__what_must_not_deploy_is_refused_with_its_cause),
        cmocka_unit_test(push__interrupted_build_leaves_nothing),
        cmocka_unit_test(push__build_killed_with_its_container_is_settled_after_restart),
        cmocka_unit_test(push__hook_that_is_killed_is_cleaned_up_after),
        cmocka_unit_test(push__builder_that_stops_ends_its_builds),
        cmocka_unit_test(push__limits_come_from_etcd),
        cmocka_unit_test(push__a_step_has_limits),
        cmocka_unit_test(push__a_build_sees_the_files_as_they_are),
        cmocka_unit_test(push__deploys_and_moves_the_ref),
        cmocka_unit_test(push__failed_deploy_is_explained_and_undone),
        cmocka_unit_test(push__client_that_leaves_during_the_deploy_gets_its_ref),
        cmocka_unit_test(push__waits_for_its_turn),
        cmocka_unit_test(push__waits_for_a_controller_that_restarts),
        cmocka_unit_test(push__waits_for_a_registry_that_restarts),
        cmocka_unit_test(push__from_a_shallow_clone_moves_the_ref),
        cmocka_unit_test(push__release_made_while_the_builder_died_gets_its_ref),
        cmocka_unit_test(images__of_old_releases_leave_the_engine),
        cmocka_unit_test(repo__with_many_loose_objects_is_repacked),
        cmocka_unit_test(fetch__gives_back_what_was_pushed),
        cmocka_unit_test(app__that_is_destroyed_loses_exactly_its_repository_and_images),
    };

    deis_runtime_init("test");
    if (!world_possible()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, open_world, close_world);
}
