/* SPDX-License-Identifier: MIT */
/*
 * The pre-receive hook: judges the update, builds, pushes the image, has it deployed. git moves the
 * ref when this ends well, and drops the pushed objects when it does not.
 *
 * Until the controller is asked to deploy, a client that goes away ends the build and nothing is
 * left of it. From then on the push is completed whether somebody looks on or not, so that ref and
 * release agree.
 */
#include "builder/bases.h"
#include "builder/control.h"
#include "builder/core/push_output.h"
#include "builder/core/push_policy.h"
#include "builder/file.h"
#include "builder/image.h"
#include "builder/layers.h"
#include "builder/pushed.h"
#include "builder/repo.h"
#include "builder/roles.h"
#include "builder/tree_tar.h"
#include "builder/turn.h"

#include "lib/base/clock.h"
#include "lib/crypto/secret.h"

#include <errno.h>
#include <git2.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FILE_BYTES_MAX    (128ULL << 20)
#define ENTRIES_MAX       100000
#define TEXT_MAX          (1u << 20)
#define PUSH_PATIENCE_MS  20000
#define PUSH_RETRY_MS     500
#define PUSH_RETRY_MAX_MS 2000
#define BUILD_TEXT_MAX    (4u << 20)
#define TURN_LOOK_MS      1000 /* a build that is killed makes no noise */

struct hook {
    const char *settings_path;
    const char *user;
    const char *app;
    int client; /* leads to the client, or -1 */
    struct settings settings;
    struct push_update update;
    struct tree_tar *tree;
    struct procfile procfile;
    struct record record;
    struct deis_docker *docker;
    struct turn turn;
    struct bases bases;
    struct push_output filter;
    uint64_t printed;
    bool too_much;
    bool gone; /* the client */
};

static volatile sig_atomic_t stop_wanted;

static void on_signal(int number)
{
    stop_wanted = 1;
}

/* --- to the pusher --- */

static void print(struct hook *h, struct deis_str text)
{
    while (text.len > 0 && !h->gone) {
        ssize_t n = write(STDOUT_FILENO, text.ptr, text.len);
        if (n < 0 && errno != EINTR) {
            h->gone = true;
        }
        text = deis_str_skip(text, n > 0 ? (size_t)n : 0);
    }
}

static void print_phase(struct hook *h, const char *text)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(TEXT_MAX);

    push_output_phase(&out, text);
    print(h, deis_buf_str(&out));
}

static void print_note(struct hook *h, const char *text)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(TEXT_MAX);

    push_output_note(&out, deis_str(text));
    print(h, deis_buf_str(&out));
}

static void print_error(struct hook *h, const struct deis_err *err)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(TEXT_MAX);

    push_output_error(&out, err->msg);
    print(h, deis_buf_str(&out));
}

/* Has the pusher hung up, or was git killed under us? */
static bool is_interrupted(struct hook *h)
{
    struct pollfd p = { .fd = h->client };

    if (h->client >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR))) {
        h->gone = true;
    }
    return h->gone || stop_wanted;
}

/* --- what was pushed --- */

static int read_update(struct hook *h, struct deis_err *err)
{
    deis_autobuf struct deis_buf lines = DEIS_BUF_INIT(PUSH_POLICY_INPUT_MAX);

    for (;;) {
        char data[4096];
        ssize_t n = read(STDIN_FILENO, data, sizeof(data));
        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return deis_err_errno(err, errno, "can't read the ref updates");
        }
        if (n > 0) {
            deis_buf_add(&lines, data, (size_t)n);
        }
    }
    if (deis_buf_failed(&lines)) {
        return deis_err_set(err, DEIS_LIMIT, "push one branch at a time");
    }
    return push_policy_check(deis_buf_str(&lines), &h->update, err);
}

static int read_procfile(struct hook *h, struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(PROCFILE_MAX_BYTES);
    deis_autobuf struct deis_buf names = DEIS_BUF_INIT(TEXT_MAX);

    if (!tree_tar_taken(h->tree, "Procfile")) {
        return DEIS_OK;
    }
    if (!tree_tar_has(h->tree, "Procfile")) {
        return deis_err_set(err, DEIS_INVALID, "'Procfile' must be a file, not a link or a folder");
    }
    int rc = tree_tar_get(h->tree, "Procfile", &text, err);
    if (rc == DEIS_OK) {
        rc = procfile_parse(deis_buf_str(&text), &h->procfile, err);
    }
    if (rc < 0 || h->procfile.count == 0) {
        return rc;
    }
    for (size_t i = 0; i < h->procfile.count; i++) {
        deis_buf_addf(&names, "%s%s", i ? ", " : "Procfile declares types -> ",
                      h->procfile.types[i].name);
    }
    print_phase(h, "Discovering process types");
    print_note(h, names.data);
    return DEIS_OK;
}

static int read_tree(struct hook *h, struct deis_err *err)
{
    struct tree_tar_limits limits = {
        .total_bytes = h->settings.context_max,
        .file_bytes = FILE_BYTES_MAX,
        .entries = ENTRIES_MAX,
    };

    const char *quarantine = getenv("GIT_QUARANTINE_PATH");

    int rc = pushed_check_history(".", quarantine, h->update.commit, err);
    if (rc == DEIS_OK) {
        rc = tree_tar_open(".", quarantine, h->update.commit, &limits, &h->tree, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (tree_tar_taken(h->tree, "Dockerfile") && !tree_tar_has(h->tree, "Dockerfile")) {
        return deis_err_set(err, DEIS_INVALID,
                            "'Dockerfile' must be a file, not a link or a folder");
    }
    if (!tree_tar_has(h->tree, "Dockerfile")) {
        return deis_err_set(
            err, DEIS_INVALID,
            "there is no Dockerfile in the root of the repository; apps without one "
            "(buildpacks) can't be built yet");
    }
    return read_procfile(h, err);
}

/* --- the image --- */

static int set_phase(struct hook *h, enum record_phase phase, struct deis_err *err)
{
    h->record.phase = phase;
    return record_save(&h->settings, &h->record, err);
}

/* The folder below objects/ that git keeps the pushed objects in until we have judged them. */
static const char *quarantine_name(void)
{
    const char *path = getenv("GIT_QUARANTINE_PATH");
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : "";
}

static int begin_record(struct hook *h, struct deis_err *err)
{
    deis_random_hex(h->record.id, RECORD_ID_BYTES);
    h->record.app = deis_strdup(h->app);
    h->record.tag = deis_asprintf("git-%.8s", h->update.commit);
    h->record.branch = deis_strdup(h->update.branch);
    h->record.commit = deis_strdup(h->update.commit);
    h->record.old = deis_strdup(h->update.old);
    h->record.quarantine = deis_strdup(quarantine_name());
    h->record.pid = getpid();
    return set_phase(h, RECORD_BUILDING, err);
}

static void tell_waiting(struct hook *h, unsigned ahead)
{
    deis_autofree char *text = ahead == 1 ? deis_strdup("Waiting for 1 build to end")
                                          : deis_asprintf("Waiting for %u builds to end", ahead);

    print_phase(h, text);
}

/* Wait while as many builds as may run at once do; the pusher hears how many have to end. */
static int await_turn(struct hook *h, struct deis_err *err)
{
    unsigned ahead = 0, told = 0;
    int rc = turn_take(&h->settings, &h->turn, err);
    int watch = rc == DEIS_OK ? turn_watch(&h->settings) : -1;

    while (rc == DEIS_OK) {
        rc = turn_ahead(&h->settings, &h->turn, &ahead, err);
        if (rc < 0 || ahead == 0) {
            break;
        }
        if (ahead != told) {
            tell_waiting(h, ahead);
            told = ahead;
        }
        struct pollfd p[] = { { .fd = watch, .events = POLLIN }, { .fd = h->client } };
        char events[4096];
        poll(p, DEIS_COUNT(p), TURN_LOOK_MS);
        while (watch >= 0 && read(watch, events, sizeof(events)) > 0) {
        }
        if (is_interrupted(h)) {
            rc = deis_err_set(err, DEIS_CANCELLED, "interrupted");
        }
    }
    if (watch >= 0) {
        close(watch);
    }
    return rc;
}

static ptrdiff_t read_tar(char *data, size_t cap, void *arg)
{
    struct hook *h = arg;

    return tree_tar_read(h->tree, data, cap);
}

static void on_build_text(struct deis_str text, void *arg)
{
    struct hook *h = arg;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(BUILD_TEXT_MAX);

    deis_autobuf struct deis_buf shown = DEIS_BUF_INIT(BUILD_TEXT_MAX);

    h->printed += text.len;
    if (h->printed > h->settings.output_max) {
        h->too_much = true;
        return;
    }
    found_images_show(&h->bases.found, text, &shown);
    push_output_feed(&h->filter, deis_buf_str(&shown), &out);
    print(h, deis_buf_str(&out));
    if (push_output_layer(deis_buf_str(&out), h->record.layer)) {
        struct deis_err err = DEIS_ERR_INIT;
        /* Only what is known of a build that is killed gets less exact when this fails. */
        (void)!record_save(&h->settings, &h->record, &err);
    }
}

static bool is_build_over(void *arg)
{
    struct hook *h = arg;

    return h->too_much || is_interrupted(h);
}

/* What the Engine gets as Dockerfile names images by id only: those that we found for it. */
static int resolve_bases(struct hook *h, const char **ret_name, struct deis_err *err)
{
    /* One instruction: of labels that it is given apart the Engine makes a step each. */
    deis_autofree char *labels = deis_asprintf("LABEL " IMAGE_LABEL_APP "=%s " IMAGE_LABEL_BUILD
                                               "=%s " IMAGE_LABEL_REGISTRY "=%s",
                                               h->app, h->record.id, h->settings.registry);

    h->bases = (struct bases){
        .settings = &h->settings,
        .docker = h->docker,
        .fetch = { .on_text = on_build_text, .cancelled = is_build_over, .arg = h },
        .last = labels,
    };
    int rc = bases_resolve(&h->bases, h->tree, ret_name, err);
    h->bases.last = NULL;
    return rc;
}

/* Say what a failed build means for a pusher. */
static int explain_build(struct hook *h, int rc, struct deis_err *err)
{
    if (h->too_much) {
        return deis_err_set(err, DEIS_LIMIT, "the build printed more than %llu MB",
                            (unsigned long long)(h->settings.output_max >> 20));
    }
    if (tree_tar_error(h->tree)->code != DEIS_OK) {
        return deis_err_set(err, DEIS_INTERNAL, "%s", tree_tar_error(h->tree)->msg);
    }
    if (rc == DEIS_TIMEOUT) {
        return deis_err_set(err, DEIS_TIMEOUT, "the build took longer than %llu s",
                            (unsigned long long)(h->settings.build_timeout_ms / 1000));
    }
    if (h->settings.build_memory > 0 && strstr(err->msg, "returned a non-zero code: 137")) {
        return deis_err_set(err, rc,
                            "build failed: a step was killed, as happens when it needs more than "
                            "%llu MB of memory (setting buildMemory of the builder)",
                            (unsigned long long)(h->settings.build_memory >> 20));
    }
    return deis_err_wrap(err, "build failed");
}

static int build(struct hook *h, struct deis_err *err)
{
    deis_autofree char *tag =
        deis_asprintf("%s/%s:%s", h->settings.registry, h->app, h->record.tag);
    deis_autofree char *image_id = NULL;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(TEXT_MAX);
    struct deis_docker_build b = {
        .tag = tag,
        .memory_bytes = h->settings.build_memory,
        .pids_limit = h->settings.build_processes,
        .read_tar = read_tar,
        .on_text = on_build_text,
        .cancelled = is_build_over,
        .arg = h,
        .timeout_ms = h->settings.build_timeout_ms,
    };

    print_phase(h, "Building Docker image");
    if (resolve_bases(h, &b.dockerfile, err) < 0) {
        return deis_err_wrap(err, "build failed");
    }
    int rc = deis_docker_build(h->docker, &b, &image_id, err);
    push_output_flush(&h->filter, &out);
    print(h, deis_buf_str(&out));
    return rc < 0 ? explain_build(h, rc, err) : DEIS_OK;
}

/* *ret_image, yours, is the reference by digest. */
static int push_image(struct hook *h, char **ret_image, struct deis_err *err)
{
    print_phase(h, "Pushing image to private registry");
    int rc = set_phase(h, RECORD_PUSHING, err);
    /* A push may be repeated: the registry has what it got. It may be about to start again, once it
     * has ended what it does. */
    uint64_t deadline_ms = 0;
    for (unsigned attempt = 0; rc == DEIS_OK; attempt++) {
        rc = image_push(&h->settings, h->docker, h->app, h->record.tag, ret_image, err);
        uint64_t now_ms = deis_now_ms();
        deadline_ms = attempt == 0 ? now_ms + PUSH_PATIENCE_MS : deadline_ms;
        if (rc == DEIS_OK || now_ms >= deadline_ms || is_interrupted(h)) {
            break;
        }
        poll(NULL, 0, (int)deis_backoff_ms(attempt, PUSH_RETRY_MS, PUSH_RETRY_MAX_MS));
        rc = DEIS_OK;
    }
    return rc < 0 ? deis_err_wrap(err, "the image could not be stored") : DEIS_OK;
}

/* --- the release --- */

static void on_deploy_line(const char *line, void *arg)
{
    print_note(arg, line);
}

static bool give_up_deploy(void *arg)
{
    return stop_wanted;
}

static int deploy(struct hook *h, const char *image, struct deis_err *err)
{
    struct control *control = NULL;
    struct control_deployed done = { 0 };
    struct control_deploy d = {
        .operation = h->record.id,
        .user = h->user,
        .app = h->app,
        .commit = h->update.commit,
        .image = image,
        .procfile = &h->procfile,
        .on_line = on_deploy_line,
        .give_up = give_up_deploy,
        .arg = h,
    };

    int rc = control_open(h->settings_path, &control, err);
    if (rc == DEIS_OK) {
        rc = set_phase(h, RECORD_DEPLOYING, err);
    }
    if (rc == DEIS_OK) {
        print_phase(h, "Launching... ");
        rc = control_deploy(control, &d, &done, err);
    }
    control_free(control);
    if (rc == DEIS_OK) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(TEXT_MAX);
        push_output_done(&out, h->app, done.version, done.url);
        print(h, deis_buf_str(&out));
        free(done.url);
    }
    return rc;
}

/* --- the whole --- */

static int build_and_deploy(struct hook *h, struct deis_err *err)
{
    deis_autofree char *image = NULL;

    int rc = begin_record(h, err);
    if (rc == DEIS_OK) {
        rc = await_turn(h, err);
    }
    if (rc == DEIS_OK) {
        rc = build(h, err);
    }
    if (rc == DEIS_OK) {
        rc = push_image(h, &image, err);
    }
    turn_end(&h->settings, &h->turn);
    if (rc == DEIS_OK && is_interrupted(h)) {
        rc = deis_err_set(err, DEIS_CANCELLED, "interrupted");
    }
    if (rc == DEIS_OK) {
        rc = deploy(h, image, err);
    }
    return rc;
}

/* Removes the record when all is as it should be; else the daemon sees to it later. */
static void settle(struct hook *h, int rc)
{
    struct deis_err err = DEIS_ERR_INIT;
    bool unknown =
        h->record.phase == RECORD_DEPLOYING && (rc == DEIS_TIMEOUT || rc == DEIS_CANCELLED);

    if (!h->record.app || unknown) {
        return;
    }
    if (rc == DEIS_OK ||
        (image_forget_build(&h->settings, h->docker, &h->record, &err) == DEIS_OK &&
         layers_keep(&h->settings, &h->record, &err) == DEIS_OK)) {
        record_remove(&h->settings, h->record.id);
    }
}

/*
 * git drops what it has in quarantine when we refuse, but not when its client is gone: then it dies
 * of telling so.
 */
static void drop_quarantine(const struct hook *h)
{
    struct deis_err err = DEIS_ERR_INIT;
    const char *path = getenv("GIT_QUARANTINE_PATH");

    if ((h->gone || stop_wanted) && path && strstr(path, "/objects/")) {
        /* The daemon looks for what is left. */
        (void)!folder_remove(path, &err);
    }
}

static int run(struct hook *h, struct deis_err *err)
{
    int rc = read_update(h, err);

    if (rc == DEIS_OK) {
        rc = read_tree(h, err);
    }
    if (rc == DEIS_OK) {
        rc = repo_has_room(&h->settings, err); /* the pack has taken some */
    }
    if (rc < 0) {
        return rc;
    }
    h->docker = deis_docker_new(h->settings.docker);
    rc = build_and_deploy(h, err);
    settle(h, rc);
    deis_docker_free(h->docker);
    return rc;
}

static void catch_signals(void)
{
    struct sigaction stop = { .sa_handler = on_signal };

    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* Without git nobody takes the outcome. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == 1) {
        stop_wanted = 1;
    }
}

int pre_receive_main(void)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct hook h = { .client = -1, .turn = TURN_INIT };
    uint64_t client = 0;

    h.settings_path = getenv(ENV_SETTINGS);
    h.user = getenv(ENV_USER);
    h.app = getenv(ENV_APP);
    if (!h.settings_path || !h.user || !h.app) {
        return role_usage("pre-receive (called by git only)");
    }
    catch_signals();
    if (deis_str_to_u64(deis_str(getenv(ENV_CLIENT)), 0, 1024, &client, &err) == DEIS_OK) {
        h.client = (int)client;
    }
    git_libgit2_init();
    int rc = settings_load(h.settings_path, &h.settings, &err);
    if (rc == DEIS_OK) {
        rc = run(&h, &err);
    }
    if (rc < 0) {
        print_error(&h, &err);
        drop_quarantine(&h);
    }
    procfile_clear(&h.procfile);
    bases_clear(&h.bases);
    tree_tar_free(h.tree);
    record_clear(&h.record);
    settings_clear(&h.settings);
    git_libgit2_shutdown();
    return rc < 0 ? 1 : 0;
}
