/* SPDX-License-Identifier: MIT */
/*
 * The one change under way on an app, as kept in operations/<app>: enough for any controller to
 * carry it on. Pure. thread: any
 */
#ifndef CONTROLLER_CORE_OPERATION_H
#define CONTROLLER_CORE_OPERATION_H

#include "lib/model/model.h"

enum operation_step {
    OPERATION_ROLLOUT, /* the candidate formation is written: wait for the engine */
    OPERATION_DESTROY, /* the formation is deleted: wait until nothing runs, then delete all */
};

enum operation_verdict {
    OPERATION_WAIT,
    OPERATION_DONE,
    OPERATION_FAILED,
    OPERATION_OVERDUE,  /* the engine did not answer in time */
    OPERATION_ORPHANED, /* there is no engine */
};

#define OPERATION_ID_MAX 64

struct operation {
    char *id;
    char *kind; /* "build", "config", "rollback", "scale", "restart", "destroy" */
    char *app;
    char *owner;
    char *request; /* id of the request, for the audit */
    enum operation_step step;
    char *instance; /* the controller that carries it */
    char *boot;     /* of that process */
    uint64_t generation;
    uint64_t started_ms;
    uint64_t start_timeout_ms;
    bool health;     /* its processes have a health check */
    char *summary;   /* for the app's log, or "" */
    json_t *release; /* document to write when done, or NULL */
    json_t *config;  /* likewise, its values sealed */
    json_t *build;
    json_t *structure; /* of the app when done, or NULL = as it is */
    json_t *previous;  /* the formation to go back to, or NULL = none */
};

int operation_parse(struct deis_str text, struct operation *ret,
                    struct deis_err *err) deis_must_check;
char *operation_format(const struct operation *op); /* yours */
void operation_clear(struct operation *op);
bool operation_id_fits(const char *id);

/* How long it has been waited for. */
struct operation_wait {
    uint64_t total_ms;       /* since it is carried here */
    uint64_t silent_ms;      /* since the engine's last word about the app */
    uint64_t engine_gone_ms; /* since nobody leads, 0 = somebody does or it is not known */
};

/* What to do now. rollout: what the engine says, or NULL. */
enum operation_verdict operation_judge(const struct operation *op,
                                       const struct deis_rollout *rollout,
                                       const struct operation_wait *wait);
/* Longest silence of the engine that is waited out. */
uint64_t operation_patience_ms(const struct operation *op);

/* What kind of failure it was: the API has a text for each. */
enum outcome_cause {
    OUTCOME_CREATE,  /* new processes did not come up */
    OUTCOME_HEALTH,  /* they did not answer their health check */
    OUTCOME_DESTROY, /* old ones did not go away */
};

/* What an operation ended with, as kept in outcomes/<id>. */
struct outcome {
    bool done;
    enum outcome_cause cause; /* when failed */
    uint32_t version;         /* of the release, 0 = none was made */
    char *app;
    char *reason; /* when failed */
    char **log;   /* last lines of the failed unit, or NULL */
    uint64_t at_ms;
};

int outcome_parse(struct deis_str text, struct outcome *ret, struct deis_err *err) deis_must_check;
char *outcome_format(const struct outcome *o); /* yours */
void outcome_clear(struct outcome *o);
/* Which failure the engine's words mean; health: the processes have a health check. */
enum outcome_cause outcome_cause_of(const char *reason, bool health);
/* What the API says about a failure: the text of its cause, the reason, the last log lines. Yours.
 */
char *outcome_text(const struct outcome *o);

#endif
