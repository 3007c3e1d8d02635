/* train.c - polyrank train: trains a model on an emulated machine. */
#include <stdio.h>
#include <unistd.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/job_options.h"
#include "command/output.h"
#include "config/differences.h"
#include "report/result.h"
#include "report/summary.h"
#include "report/switch_tables.h"
#include "report/trace.h"
#include "report/wall.h"
#include "scheduler/choose.h"
#include "scheduler/describe.h"

static const struct argp_option options_table[] = {
    JOB_OPTIONS,
    {"output", 'o', "DIR", 0, "where results go (output.directory)", 1},
    {"force", 'f', NULL, 0, "replace an earlier result in the output directory", 1},
    CHECKPOINT_OPTIONS("steps"),
    {"peer-timeout", KEY_PEER_TIMEOUT, "TIME", 0, "longest wait for another rank (default 10 min)", 1},
    {"quiet", 'q', NULL, 0, "no progress on stderr", 1},
    {0},
};

static const struct argp argp = {
    options_table,
    job_options_parse,
    "JOB",
    "Trains the model of JOB on the data and the emulated machine it names, in the machine's number formats, and keeps "
    "each "
    "device's virtual time and energy. Alone in one process, or under mpirun -n N or srun: one rank schedules, the "
    "others "
    "emulate a device each; the result is the same, byte for byte, for every number of ranks.\v"
    "Writes result.h5, summary.json and trace.json (or .gz) into the output directory; the report goes to stdout, "
    "progress and "
    "wall times to stderr. TERM, INT or USR1 to any rank: the step is finished, checkpoint.h5 is written there, exit "
    "75.\n\n"
    "examples:\n"
    "  polyrank train jobs/demo.yaml\n"
    "  mpirun -n 5 polyrank train jobs/wind.yaml --set train.epochs=2 --output out/wind\n"
    "  polyrank train jobs/swe-published.yaml --timing-only\n"
    "  srun --mpi=pmix polyrank train JOB --max-wall 55m --resume auto",
    NULL,
    NULL,
    NULL};

/* result.h5 comes last: where it is, everything is. */
static enum status write_files(const struct training *training, const struct training_result *result,
                               struct arena *arena, struct fault *fault)
{
    const struct job *job = training->job;
    enum status status = summary_write_json(output_path(arena, job, "summary.json"), &result->run, fault);
    if (status == STATUS_OK && result->run.mode_switch.policy)
        status = switch_tables_write_csv(output_path(arena, job, "loss.csv"), &result->run, fault);
    if (status == STATUS_OK && job->output.trace)
        status = trace_write(output_path(arena, job, "trace.json"), training->plans, training->n_plans, &result->run,
                             result->marks, result->n_marks, (uint64_t)job->output.trace_max_bytes, fault);
    if (status == STATUS_OK)
        status = result_write(output_path(arena, job, "result.h5"), &result->run, fault);
    return status;
}

static void print_report(const struct run *run, const struct job *job)
{
    summary_print(stdout, run);
    printf("\nresults: %s/\n", job->output.directory);
}

static enum status tell(const struct training *training, struct training_result *result, struct arena *arena,
                        struct fault *fault)
{
    enum status status = STATUS_OK;
    if (training->windows && !result->run.timing_only)
        status = describe_baselines(training, &result->run, fault);
    if (status == STATUS_OK)
        status = write_files(training, result, arena, fault);
    if (status != STATUS_OK)
        return status;
    print_report(&result->run, training->job);
    return STATUS_OK;
}

/* Rank 0. A run that goes on may have come to its end before: then its report is told again. */
static int is_complete(const struct job *job, struct arena *arena, struct fault *fault)
{
    const char *path = output_path(arena, job, "result.h5");
    char differences[512];
    struct run run;
    if (access(path, F_OK) != 0 || result_read(path, arena, &run, fault) != STATUS_OK)
        return 0;
    if (differences_of_jobs(run.config, job_print(arena, job), differences, sizeof differences) > 0) {
        fault_set(fault, STATUS_USAGE, "%s is the result of another job (%s): give another --output", path,
                  differences);
        return 0;
    }
    fprintf(stderr, "polyrank: %s is complete: nothing is left to do\n", path);
    print_report(&run, job);
    return 1;
}

/* Collective. */
static enum status take_folder(struct comm *comm, const struct job_options *options, const struct job *job,
                               struct arena *arena, int *complete, struct fault *fault)
{
    *complete = 0;
    if (comm_rank(comm) == 0 &&
        output_prepare(arena, job, "result.h5", options->force || options->resume, fault) == STATUS_OK)
        *complete = options->resume && !options->force && is_complete(job, arena, fault);
    enum status status = agree(comm, 0, fault);
    return status == STATUS_OK ? comm_broadcast(comm, complete, sizeof *complete, fault) : status;
}

static enum status print_wall(struct training *training, const struct training_result *result, struct fault *fault)
{
    int n = comm_size(training->comm);
    struct executor_wall *all = arena_array(training->arena, (size_t)n, sizeof *all);
    enum status status = comm_gather(training->comm, &result->wall, sizeof result->wall, all, fault);
    if (status != STATUS_OK || comm_rank(training->comm) != 0)
        return status;
    const struct wall_section sections[] = {
        wall_section("devices", &all[0].arithmetic_s, sizeof *all, n),
        wall_section("data", &all[0].data_s, sizeof *all, n),
        wall_section("exchange", &all[0].exchange_s, sizeof *all, n),
    };
    wall_print(stderr, sections, 3, result->wall_s, n, result->run.n_steps);
    return STATUS_OK;
}

static enum status train_and_tell(struct training *training, const struct job_options *options, struct arena *arena,
                                  struct fault *fault)
{
    struct comm *comm = training->comm;
    struct job *job = training->job;
    struct training_result result;
    const struct training_options run_options = {
        .timing_only = options->timing_only,
        .max_wall_s = job_options_limit_s(options),
        .checkpoint = output_path(arena, job, "checkpoint.h5"),
        .checkpoint_steps = options->checkpoint_steps,
        .checkpoint_every_s = options->checkpoint_every_s,
        .resume = options->resume,
        .quiet = options->quiet,
    };
    enum status status = training_run(training, &run_options, &result, fault);
    if (status == STATUS_OK && comm_rank(comm) == 0)
        tell(training, &result, arena, fault);
    if (status == STATUS_OK)
        status = agree(comm, 0, fault);
    if (status == STATUS_OK && !options->quiet)
        status = print_wall(training, &result, fault);
    return status;
}

static enum status run(struct comm *comm, const struct job_options *options, struct job *job, struct arena *arena,
                       struct fault *fault)
{
    struct training training;
    int complete = 0;
    enum status status = choose_open(comm, job, options->timing_only, arena, &training, fault);
    if (status == STATUS_OK && options->print_config && comm_rank(comm) == 0)
        fputs(job_print(arena, job), stdout);
    if (status == STATUS_OK && !options->print_config)
        status = take_folder(comm, options, job, arena, &complete, fault);
    if (status == STATUS_OK && !options->print_config && !complete)
        status = train_and_tell(&training, options, arena, fault);
    training_close(&training);
    return status;
}

enum status command_train(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    struct job_options options = {.fault = fault};
    int done = 0;
    enum status status = options_parse(&argp, argc, argv, &options, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (options.peer_timeout_s > 0)
        comm_set_timeout(comm, options.peer_timeout_s);
    struct arena *arena = arena_new();
    struct job job;
    status = job_options_read_all(comm, &options, arena, &job, fault);
    if (status == STATUS_OK)
        status = run(comm, &options, &job, arena, fault);
    arena_free(arena);
    return status;
}
