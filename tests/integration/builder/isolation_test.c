/* SPDX-License-Identifier: MIT */
/*
 * What a pusher can't do to others. A Dockerfile gives nobody the image of another app, by whatever
 * name it asks for it: the Engine, which builds for all of them, has that image, and so has the
 * registry.
 */
#include "tests/integration/builder/world.h"
#include "tests/support/test.h"

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define VICTIM WORLD_APP_2
#define EVIL   "deis-test-builder/evil"

static struct world world;

/* How the victim's image is called. */
static char tag[128];    /* 127.0.0.1:5555/victim:git-1a2b3c4d */
static char pinned[256]; /* 127.0.0.1:5555/victim@sha256:... */
static char id[80];      /* sha256:... */

static bool is_settled(void *arg)
{
    return world_records() == 0 && world_images(&world, "deis.app=" WORLD_APP, false) == 0;
}

/* Push this Dockerfile; the exit status of git. */
static int push(const char *app, const char *name, const char *dockerfile, struct deis_buf *out)
{
    deis_autofree char *folder = deis_asprintf(WORLD_DIR "/%s", name);

    world_new_repo(&world, name, app);
    world_commit(name, "Dockerfile", dockerfile, "secret", "of this app", NULL);
    return world_git(folder, out, "push", "deis", "HEAD:master");
}

static void deploy_victim(void)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    deis_autojson json_t *image = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    if (push(VICTIM, "victim", "FROM scratch\nCOPY . /\nCMD [\"/app\"]\n", &out) != 0) {
        fail_msg("%s", out.data);
    }
    struct stand_in_deploy d = stand_in_last(world.controller);
    snprintf(pinned, sizeof(pinned), "%s", d.image);
    snprintf(tag, sizeof(tag), "%s/" VICTIM ":git-%.8s", world.registry, d.sha);
    assert_int_equal(deis_docker_image_inspect(world.docker, tag, &image, &err), DEIS_OK);
    snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(image, "Id")));
}

/* A push that must fail, for this reason, before any instruction has run; NULL: whatever one. */
static void is_refused(const char *why, const char *format, ...) deis_printf(2, 3);

static void is_refused(const char *why, const char *format, ...)
{
    static unsigned count;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    deis_autobuf struct deis_buf dockerfile = DEIS_BUF_INIT(4096);
    deis_autofree char *name = deis_asprintf("attack-%u", count++);
    va_list args;

    va_start(args, format);
    deis_buf_vaddf(&dockerfile, format, args);
    va_end(args);
    /* What would carry it away. */
    deis_buf_add_cstr(&dockerfile, "COPY --from=" WORLD_BASE " /bin/busybox /bin/busybox\n"
                                   "RUN [\"/bin/busybox\", \"cat\", \"/secret\"]\n");
    assert_int_equal(push(WORLD_APP, name, dockerfile.data, &out), 1);
    if (!strstr(out.data, why ? why : "build failed") || strstr(out.data, "Running in")) {
        fail_msg("%s\nended with\n%s", dockerfile.data, out.data);
    }
    world_await("nothing is left", is_settled, NULL);
}

static void image__of_another_app_is_out_of_reach(void **state)
{
    static const char ours[] = "is an image of an app of this platform";
    deis_autofree char *change = deis_asprintf("ONBUILD COPY --from=%s / /", tag);
    deis_autofree char *tool = deis_asprintf("/images/%s/tag?repo=" EVIL "-tag&tag=1", id);
    const char *port = strchr(world.registry, ':');
    struct deis_err err = DEIS_ERR_INIT;

    is_refused(ours, "FROM %s\n", tag);
    is_refused(ours, "FROM %s\n", pinned);
    is_refused(ours, "FROM scratch\nCOPY --from=%s / /\n", tag);
    is_refused(ours, "FROM scratch\nCOPY --from=%s / /\n", pinned);
    is_refused(ours, "ARG R=%s\nARG N=\"$R/" VICTIM "\"\nFROM ${X:-$N}:${tag:-%s}\n",
               world.registry, strrchr(tag, ':') + 1);
    is_refused(ours, "FR\\\n# x\nOM scratch AS %s\nCOPY --from\\\n=%s / /\n", VICTIM, tag);
    is_refused("ONBUILD", "FROM scratch AS a\nONBUILD COPY --from=%s / /\nFROM a\n", tag);
    /* The Engine takes the first digits of an id for a name. */
    is_refused(NULL, "FROM %.12s\n", id + 7);
    is_refused(NULL, "FROM scratch\nCOPY --from=%.12s / /\n", id + 7);
    is_refused(NULL, "FROM %.19s\n", id);
    is_refused(NULL, "FROM %s\n", id);
    is_refused(NULL, "FROM scratch AS %.12s\nCOPY --from=%.12s / /\n", id + 7, id + 7);
    /* By another way to the registry. */
    is_refused(NULL, "FROM localhost%s/" VICTIM ":%s\n", port, strrchr(tag, ':') + 1);
    is_refused(NULL, "FROM scratch\nADD http://%s/v2/" VICTIM "/manifests/%s /secret\n",
               world.registry, strrchr(tag, ':') + 1);
    /* What an image of somebody's brings along. */
    world_import(EVIL, change);
    is_refused("brings an ONBUILD", "FROM " EVIL ":1\n");
    /* A name that it has besides. */
    assert_int_equal(deis_docker_call(world.docker, "POST", tool, NULL, 0, NULL, &err), DEIS_OK);
    is_refused(ours, "FROM " EVIL "-tag:1\n");
    assert_int_equal(deis_docker_image_remove(world.docker, EVIL "-tag:1", &err), DEIS_OK);
}

static void image__that_anybody_may_use_is_found(void **state)
{
    static const char *const said[] = {
        " : FROM deis-test-builder/base:1 AS First",
        " : COPY --from=first /made /",
        " : COPY --from=" WORLD_BASE " /bin",
    };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);

    if (push(WORLD_APP, "fair",
             "# escape=`\nARG V=1\nFROM deis-test-builder/base:${V} AS First\n\n"
             "RUN [\"/bin/busybox\", `\n  \"touch\", \"/made\"]\n"
             "FROM scratch\nCOPY --from=first /made /\nCOPY --from=0 /bin/busybox /bin/\n"
             "COPY --from=" WORLD_BASE " /bin/busybox /bin/sh\nCOPY Dockerfile .\nCMD [\"/app\"]\n",
             &out) != 0) {
        fail_msg("%s", out.data);
    }
    for (size_t i = 0; i < DEIS_COUNT(said); i++) {
        if (!strstr(out.data, said[i])) {
            fail_msg("no '%s' in:\n%s", said[i], out.data);
        }
    }
}

/* --- memory --- */

/* What a client sends that pushes a pack of a kilobyte: a blob, and a delta that makes a gigabyte
 * of it (git's gitformat-pack and gitprotocol-pack). */
static const char make_bomb[] =
    "import hashlib, struct, sys, zlib\n"
    "def number(n, o=b''):\n"
    "    return o + bytes([n]) if n < 128 else number(n >> 7, o + bytes([n & 127 | 128]))\n"
    "def head(kind, n):\n"
    "    return bytes([kind << 4 | n & 15 | 128]) + number(n >> 4)\n"
    "base = bytes(1 << 20)\n"
    "delta = number(len(base)) + number(len(base) << 10) + b'\\xf0\\0\\0\\x10' * 1024\n"
    "pack = b'PACK' + struct.pack('>II', 2, 2) + head(3, len(base)) + zlib.compress(base)\n"
    "name = hashlib.sha1(b'blob %d\\0' % len(base) + base).digest()\n"
    "pack += head(7, len(delta)) + name + zlib.compress(delta)\n"
    "line = b'0' * 40 + b' ' + b'1' * 40 + b' refs/heads/master\\0 report-status\\n'\n"
    "sys.stdout.buffer.write(b'%04x' % (len(line) + 4) + line + b'0000' + pack + hashlib.sha1(pack).digest())\n";

static void memory__is_not_taken_by_a_small_pack(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);
    deis_autofree char *send = deis_asprintf(
        "python3 -c \"$1\" | %s -p %u git@127.0.0.1 \"git-receive-pack '" WORLD_APP "'\"",
        getenv("GIT_SSH_COMMAND"), world.ssh_port);

    (void)world_run(WORLD_DIR, &out,
                    (const char *const[]){ "sh", "-c", send, "sh", make_bomb, NULL });
    for (size_t i = 0; i < out.len; i++) { /* git's answer has a NUL in it */
        out.data[i] = out.data[i] == '\0' ? ' ' : out.data[i];
    }
    if (!strstr(out.data, "attempting to allocate 1073741825 over limit")) {
        fail_msg("%s", out.data);
    }
    world_await("nothing is left", is_settled, NULL);
    assert_false(world_has_quarantine(WORLD_APP));
}

/* --- disk --- */

/* Give the file system of the world so many percent more than is used of it. */
static void leave_room(unsigned percent)
{
    struct statvfs st;

    assert_int_equal(statvfs(WORLD_DIR, &st), 0);
    uint64_t used = (uint64_t)(st.f_blocks - st.f_bfree) * st.f_frsize;
    deis_autofree char *size =
        deis_asprintf("size=%llu", (unsigned long long)(used + used / 100 * percent));
    assert_int_equal(mount(NULL, WORLD_DIR, NULL, MS_REMOUNT, size), 0);
}

static void disk__that_is_full_takes_no_pack(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1u << 20);

    world_new_repo(&world, "full", WORLD_APP);
    world_commit("full", "Dockerfile", "FROM scratch\nCOPY . /\n", NULL);
    leave_room(2);
    int status = world_git(WORLD_DIR "/full", &out, "push", "deis", "HEAD:master");
    leave_room(400);
    assert_int_equal(status, 128);
    /* Of the builder before git has begun, not of its hook when the pack is there. */
    if (!strstr(out.data, "fatal: remote error: the disk of the platform is full")) {
        fail_msg("%s", out.data);
    }
}

static int open_world(void **state)
{
    world_open(&world);
    if (world.registry_pid == 0) {
        printf("SKIP: needs the registry-proxy\n");
        world_close(&world);
        exit(0);
    }
    deploy_victim();
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
        cmocka_unit_test(image__of_another_app_is_out_of_reach),
        cmocka_unit_test(memory__is_not_taken_by_a_small_pack),
        cmocka_unit_test(disk__that_is_full_takes_no_pack),
        cmocka_unit_test(image__that_anybody_may_use_is_found),
    };

    deis_runtime_init("test");
    if (!world_possible()) {
        return 0;
    }
    return cmocka_run_group_tests(tests, open_world, close_world);
}
