#include "scheduler/choose.h"

#include <string.h>

enum { GPU_ONLY, HPT, N_CANDIDATES };

static const char *const policies[N_CANDIDATES] = {"gpu-only", "hpt"};

static enum status time_run(struct job *job, struct arena *arena, struct training_result *result,
                            int64_t *adapter_width, struct fault *fault)
{
    struct comm *comm = comm_alone();
    struct training training;
    struct training_options options = {.timing_only = 1, .quiet = 1, .assume_switch = 1};
    enum status status = training_open(comm, job, 1, arena, &training, fault);
    if (status == STATUS_OK)
        status = training_run(&training, &options, result, fault);
    *adapter_width = training.adapter_width;
    training_close(&training);
    comm_close(comm, 0);
    return status;
}

void choose_price(const struct job *job, const char *policy, struct arena *arena, struct run_candidate *candidate,
                  struct run_choice *priced)
{
    struct job copy = *job;
    struct training_result result;
    struct fault fault = FAULT_NONE;
    int64_t adapter_width;
    int has_low = strcmp(policy, policies[HPT]) == 0;
    copy.placement.chosen = policy;
    copy.n_faults = 0; /* nobody knows them before */
    copy.output.trace = 0;
    copy.output.predictions = 0;
    *candidate = (struct run_candidate){.policy = policy};
    priced->switch_step = -1;
    priced->adapter_width = 0;
    if (has_low && strcmp(job->train.mode_switch.policy, "never") == 0) {
        candidate->problem = "train.switch.policy is never, so that no step would be a low-parameter one";
    } else if (time_run(&copy, arena, &result, &adapter_width, &fault) != STATUS_OK) {
        candidate->problem = arena_string(arena, fault.text);
    } else {
        candidate->time_ps = result.run.end_ps;
        candidate->energy_j = run_energy_j(&result.run);
        priced->switch_step = run_switch_step(&result.run);
        priced->adapter_width = has_low && job->train.adapter.width == JOB_UNSET ? adapter_width : 0;
    }
}

/* Rank 0. The number of the best candidate, or -1. */
static int choose_best(const struct job *job, struct arena *arena, struct run_choice *choice, struct fault *fault)
{
    int best = -1;
    *choice = (struct run_choice){.objective = job->placement.objective, .n_candidates = N_CANDIDATES};
    choice->candidate = arena_array(arena, N_CANDIDATES, sizeof *choice->candidate);
    for (int c = 0; c < N_CANDIDATES; c++) {
        struct run_candidate *candidate = &choice->candidate[c];
        choose_price(job, policies[c], arena, candidate, choice);
        if (!candidate->problem && (best < 0 || run_worth(candidate, choice->objective) <
                                                    run_worth(&choice->candidate[best], choice->objective)))
            best = c;
    }
    if (best < 0)
        fault_set(fault, STATUS_USAGE, "%s", choice->candidate[GPU_ONLY].problem);
    else
        choice->chosen = policies[best];
    return best;
}

static enum status choose(struct comm *comm, struct job *job, struct arena *arena, struct run_choice *choice,
                          struct fault *fault)
{
    int best = -1;
    if (comm_rank(comm) == 0)
        best = choose_best(job, arena, choice, fault);
    enum status status = agree(comm, 0, fault);
    if (status == STATUS_OK)
        status = comm_broadcast(comm, &best, sizeof best, fault);
    if (status == STATUS_OK)
        job->placement.chosen = policies[best];
    return status;
}

enum status choose_open(struct comm *comm, struct job *job, int timing_only, struct arena *arena,
                        struct training *training, struct fault *fault)
{
    struct run_choice choice = {.chosen = NULL};
    enum status status = STATUS_OK;
    memset(training, 0, sizeof *training);
    if (!job->placement.chosen && strcmp(job->placement.policy, "auto") == 0)
        status = choose(comm, job, arena, &choice, fault);
    if (status == STATUS_OK)
        status = training_open(comm, job, timing_only, arena, training, fault);
    training->choice = choice;
    return status;
}
