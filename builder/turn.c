/* SPDX-License-Identifier: MIT */
#include "builder/turn.h"

#include "builder/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

static char *queue_path(const struct settings *s)
{
    return deis_asprintf("%s/queue", s->data);
}

static char *ticket_path(const struct settings *s, uint64_t number)
{
    return deis_asprintf("%s/queue/%020" PRIu64, s->data, number);
}

/* Nobody takes or judges tickets meanwhile. Returns what to close. */
static int lock_queue(const struct settings *s, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("%s/queue/.lock", s->data);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return deis_err_errno(err, errno, "can't open '%s'", path);
    }
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            int why = errno;
            close(fd);
            return deis_err_errno(err, why, "can't lock '%s'", path);
        }
    }
    return fd;
}

struct tickets {
    const struct settings *settings;
    uint64_t before; /* count the older ones only */
    uint64_t newest;
    unsigned held;
};

static void judge_ticket(const char *name, void *arg)
{
    struct tickets *t = arg;
    uint64_t number;

    if (deis_str_to_u64(deis_str(name), 1, UINT64_MAX, &number, NULL) < 0) {
        return;
    }
    t->newest = number > t->newest ? number : t->newest;
    if (number >= t->before) {
        return;
    }
    deis_autofree char *path = ticket_path(t->settings, number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return; /* it has just ended */
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        unlink(path); /* its build was killed */
    } else {
        t->held++;
    }
    close(fd);
}

static void judge_tickets(struct tickets *t)
{
    deis_autofree char *folder = queue_path(t->settings);

    folder_each(folder, judge_ticket, t);
}

static int make_ticket(const struct settings *s, struct turn *ret, struct deis_err *err)
{
    struct tickets all = { .settings = s, .before = UINT64_MAX };

    judge_tickets(&all);
    if (s->builds_max > 0 && all.held >= s->builds_max + TURN_WAITING_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "%u builds are waiting already, push again later",
                            all.held - s->builds_max);
    }
    ret->number = all.newest + 1;
    deis_autofree char *path = ticket_path(s, ret->number);
    ret->ticket = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (ret->ticket < 0) {
        return deis_err_errno(err, errno, "can't make '%s'", path);
    }
    if (flock(ret->ticket, LOCK_EX | LOCK_NB) < 0) {
        int why = errno;
        turn_end(s, ret);
        return deis_err_errno(err, why, "can't lock '%s'", path);
    }
    return DEIS_OK;
}

int turn_take(const struct settings *s, struct turn *ret, struct deis_err *err)
{
    *ret = TURN_INIT;
    int lock = lock_queue(s, err);
    if (lock < 0) {
        return lock;
    }
    int rc = make_ticket(s, ret, err);
    close(lock);
    return rc;
}

int turn_ahead(const struct settings *s, const struct turn *t, unsigned *ret, struct deis_err *err)
{
    struct tickets older = { .settings = s, .before = t->number };

    *ret = 0;
    if (s->builds_max == 0) {
        return DEIS_OK;
    }
    int lock = lock_queue(s, err);
    if (lock < 0) {
        return lock;
    }
    judge_tickets(&older);
    close(lock);
    *ret = older.held >= s->builds_max ? older.held - s->builds_max + 1 : 0;
    return DEIS_OK;
}

int turn_watch(const struct settings *s)
{
    deis_autofree char *folder = queue_path(s);
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd >= 0 && inotify_add_watch(fd, folder, IN_DELETE) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void turn_end(const struct settings *s, struct turn *t)
{
    if (t->ticket >= 0) {
        deis_autofree char *path = ticket_path(s, t->number);
        unlink(path);
        close(t->ticket);
        *t = TURN_INIT;
    }
}
