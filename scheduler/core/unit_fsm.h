/* SPDX-License-Identifier: MIT */
/*
 * One unit on its machine: what to do next with its container, when to probe it, and what to
 * report. Pure: the agent carries out one job at a time and tells how it ended; time is an
 * argument. Losing sight of the Engine changes nothing that is reported. thread: one owner
 */
#ifndef SCHEDULER_CORE_UNIT_FSM_H
#define SCHEDULER_CORE_UNIT_FSM_H

#include "lib/model/model.h"

#define UNIT_FETCH_PATIENCE_MS                                                                     \
    20000 /* failures to fetch or create that may pass are no error before */
#define UNIT_BACKOFF_MAX_MS 60000
#define UNIT_STABLE_MS      60000 /* running that long forgets earlier crashes */
#define UNIT_PROBE_START_MS 250
#define UNIT_PROBE_UP_MS    2000
#define UNIT_PROBE_FAILS    3    /* in a row take a ready unit out */
#define UNIT_SETTLE_MS      1000 /* a process that is not routed is ready after that */

enum unit_phase {
    UNIT_LOOK,  /* is there a container from before? */
    UNIT_FETCH, /* the image */
    UNIT_CREATE,
    UNIT_START,
    UNIT_RUN,
    UNIT_WAIT, /* ended; starts again when its time comes */
    UNIT_TERM, /* asked to end, has its grace time */
    UNIT_KILL,
    UNIT_REMOVE,
    UNIT_GONE, /* nothing is left: the state may be deleted */
};

enum unit_job {
    UNIT_JOB_NONE,
    UNIT_JOB_LOOK,  /* inspect the container by its name */
    UNIT_JOB_FETCH, /* pull the image unless it is there */
    UNIT_JOB_CREATE,
    UNIT_JOB_START,  /* start, then inspect */
    UNIT_JOB_TERM,   /* send the stop signal; not running or not there is success */
    UNIT_JOB_KILL,   /* send SIGKILL; likewise */
    UNIT_JOB_REMOVE, /* save the log, remove; not there is success */
};

/* How a job ended. Texts are copied. */
struct unit_result {
    enum deis_code code; /* DEIS_OK or why it failed */
    const char *error;   /* text of the failure */
    bool exists;         /* LOOK, START: as inspected */
    bool foreign;        /* LOOK: the name is taken by a container that is not ours */
    bool running;
    bool never_started;
    const char *container; /* id */
    const char *address;   /* "172.18.0.5:5000", or "" for a process without a port */
    int32_t exit_code;
    bool oom;
    const char *exit_error;
};

struct unit_time {
    uint64_t mono_ms;
    uint64_t wall_ms;
};

struct unit_fsm {
    /* what it is */
    bool routable;
    uint64_t grace_ms;
    uint64_t delay_ms; /* before the first probe */
    enum deis_desired desired;
    /* where it stands */
    enum unit_phase phase;
    bool busy;            /* a job is under way */
    bool probing;         /* a probe is under way */
    bool probe_void;      /* it is of a run that has ended */
    bool look_again;      /* something happened to the container */
    uint32_t crashes;     /* in a row: the back-off */
    unsigned failures;    /* of jobs, in a row */
    unsigned probe_fails; /* in a row */
    uint64_t failing_since_ms;
    uint64_t started_ms; /* monotonic, when the present run began */
    uint64_t wake_ms;    /* nothing is done before */
    uint64_t probe_at_ms;
    uint64_t kill_at_ms;
    /* what is reported */
    enum deis_state state;
    bool ready;
    uint32_t exits;
    int32_t exit_code;
    bool exit_oom;
    uint64_t exit_at_ms;
    uint64_t since_ms; /* wall clock */
    char container[80];
    char address[80];
    char exit_error[200];
    char reason[256];
};

/* known: what was reported before this process started, or NULL; a container that still runs as
 * known keeps its readiness. */
void unit_fsm_init(struct unit_fsm *f, const struct deis_unit *unit,
                   const struct deis_unit_state *known, struct unit_time now);
/* What etcd holds about it turned out newer than what `known` said: the same run, and it was ready.
 */
void unit_fsm_recall(struct unit_fsm *f, const struct deis_unit_state *reported);
/* So many crashes in a row were counted before this process started. Before the first job; a known
 * run that has lasted long forgets them. */
void unit_fsm_recall_crashes(struct unit_fsm *f, uint32_t crashes, struct unit_time now);
void unit_fsm_want(struct unit_fsm *f, enum deis_desired desired);
/* The Engine hinted that something happened to the container. */
void unit_fsm_hint(struct unit_fsm *f);
/* The job to start now, NONE when there is nothing to do or one is under way. */
enum unit_job unit_fsm_next(struct unit_fsm *f, struct unit_time now);
void unit_fsm_done(struct unit_fsm *f, enum unit_job job, const struct unit_result *result,
                   struct unit_time now);
/* Should a probe start now? If true it is under way until unit_fsm_probed(). */
bool unit_fsm_probe_due(struct unit_fsm *f, struct unit_time now);
/* error NULL = passed; else what to tell people: "connection refused on port 5000". */
void unit_fsm_probed(struct unit_fsm *f, const char *error, struct unit_time now);
/* Monotonic time at which next() or probe_due() may have something; UINT64_MAX = only after an
 * event. */
uint64_t unit_fsm_wake(const struct unit_fsm *f);
/* What to report. Its texts are borrowed from f and unit: do not clear it. */
void unit_fsm_report(const struct unit_fsm *f, const struct deis_unit *unit,
                     struct deis_unit_state *ret);

#endif
