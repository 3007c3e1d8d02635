/* job_options.h - the options that train and plan share, and the way from argv to a resolved job on every rank. */
#ifndef COMMAND_JOB_OPTIONS_H
#define COMMAND_JOB_OPTIONS_H

#include <argp.h>

#include "base/arena.h"
#include "cluster/comm.h"
#include "config/job.h"

enum { MAX_OVERRIDES = 64 };

struct job_options {
    struct fault *fault;
    const char *path;
    const char *overrides[MAX_OVERRIDES];
    int n_overrides;
    const char *seed, *output, *device;
    const char *seed_key; /* NULL: train.seed */
    int timing_only, print_config, force, quiet, instructions, find_rate;
    double max_wall_s, peer_timeout_s;
    const char *resume; /* "auto" or a file */
    int64_t checkpoint_steps;
    double checkpoint_every_s;
};

/* Options of runs that can stop and go on. */
#define CHECKPOINT_OPTIONS(steps)                                                                                       \
    {                                                                                                                   \
        "max-wall", KEY_MAX_WALL, "TIME", 0, "write a checkpoint and stop before this wall time, e.g. 1h30m (exit 75)", \
        1},                                                                                                             \
        {"checkpoint-steps", KEY_CHECKPOINT_STEPS, "N", 0, "write a checkpoint after every N " steps, 1},               \
        {"checkpoint-every", KEY_CHECKPOINT_EVERY, "TIME", 0, "... and when this wall time has passed", 1},             \
    {                                                                                                                   \
        "resume", KEY_RESUME, "auto|FILE", 0, "go on from a checkpoint; auto: the newest valid one, if any", 1          \
    }

/* X-list of the shared options for an argp table. */
#define JOB_OPTIONS                                                                                                    \
    {"set", 's', "KEY=VALUE", 0, "override a key of the job (repeatable), e.g. train.epochs=2", 1},                    \
        {"timing-only", 't', NULL, 0, "virtual time and energy without tensors", 1},                                   \
        {"print-config", 'p', NULL, 0, "print the resolved job and stop; can be used as a job", 1},                    \
    {                                                                                                                  \
        "seed", KEY_SEED, "N", 0, "seed of all random numbers (train.seed)", 1                                         \
    }

enum {
    KEY_SEED = 1000,
    KEY_MAX_WALL,
    KEY_PEER_TIMEOUT,
    KEY_DEVICE,
    KEY_FIND_RATE,
    KEY_CHECKPOINT_STEPS,
    KEY_CHECKPOINT_EVERY,
    KEY_RESUME
};

/* Local. One option of the list above or the JOB argument; ARGP_ERR_UNKNOWN for others. */
error_t job_options_parse(int key, char *arg, struct argp_state *state);

/* Local. Reads and checks the job. */
enum status job_options_read(struct job_options *options, struct arena *arena, struct job *job, struct fault *fault);

/* Local. Wall seconds from now until the run has to have stopped: --max-wall or the end of the batch job, whichever
 * comes first; 0: no limit. */
double job_options_limit_s(const struct job_options *options);

/* Collective. Rank 0 reads the job, the others get its text. Messages name file and line as the user wrote them. */
enum status job_options_read_all(struct comm *comm, struct job_options *options, struct arena *arena, struct job *job,
                                 struct fault *fault);

#endif
