/* plan.c - polyrank plan: what would run where, how much memory, time and energy; runs nothing. */
#include <stdio.h>
#include <string.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/job_options.h"
#include "command/plan_serve.h"
#include "command/plan_tables.h"
#include "report/mode_tables.h"
#include "report/summary.h"
#include "scheduler/choose.h"

static const struct argp_option options_table[] = {
    JOB_OPTIONS,
    {"instructions", 'i', NULL, 0,
     "list the programs of a step: of one GPU, and of each device of the low-parameter mode", 1},
    {"device", KEY_DEVICE, "NAME", 0, "with --instructions: only those of this device, e.g. reram0", 1},
    {0},
};

static const struct argp argp = {
    options_table,
    job_options_parse,
    "JOB",
    "Shows how JOB would run on the emulated machine: placement, memory of each device, work, and the "
    "virtual time and energy of a step and of the whole run. Nothing is trained. A switch that depends on losses is "
    "assumed to come as early as it can.\v"
    "examples:\n"
    "  polyrank plan jobs/wind.yaml\n"
    "  polyrank plan jobs/swe-published.yaml --set cluster=clusters/8xh100.yaml\n"
    "  polyrank plan jobs/wind-hpt.yaml --instructions --device reram0",
    NULL,
    NULL,
    NULL};

struct work {
    double flops, bytes, collective_bytes;
};

static struct work step_work(const struct plan *plan)
{
    struct work work = {0};
    for (int d = 0; d < plan->n_devices; d++)
        for (int i = 0; i < plan->programs[PROGRAM_TRAIN][d].n_instrs; i++) {
            const struct instr *instr = &plan->programs[PROGRAM_TRAIN][d].instrs[i];
            work.flops += (double)instr->cost.flops;
            if (instr->op->kind == OP_ALLREDUCE)
                work.collective_bytes += (double)instr->cost.bytes;
            else
                work.bytes += (double)instr->cost.bytes;
        }
    return work;
}

/* A step in the steady state: the last one of the run. */
static void print_step(const struct training *training, const struct run *run)
{
    int n = run->n_steps;
    uint64_t step_ps = n > 1 ? run->step[n - 1].time_ps - run->step[n - 2].time_ps : run->step[0].time_ps;
    double step_j = n > 1 ? run->step[n - 1].energy_j - run->step[n - 2].energy_j : run->step[0].energy_j;
    struct work work = step_work(&training->plan);
    char text[32], rate[32];
    printf("\none training step (all devices)\n");
    printf("  time        %s\n", unit_show_ps(text, sizeof text, step_ps));
    printf("  energy      %s\n", unit_show(text, sizeof text, UNIT_JOULES, step_j));
    printf("  work        %.4g FLOP, %s\n", work.flops,
           unit_show(rate, sizeof rate, UNIT_FLOP_PER_S, work.flops / ((double)step_ps * 1e-12)));
    printf("  traffic     %s of device memory, %s over links\n", unit_show(text, sizeof text, UNIT_BYTES, work.bytes),
           unit_show(rate, sizeof rate, UNIT_BYTES, work.collective_bytes));
    printf("  samples     %lld, %.4g per second\n", (long long)training->job->train.minibatch,
           (double)training->job->train.minibatch / ((double)step_ps * 1e-12));
}

static void print_whole_run(const struct training *training, const struct run *run)
{
    char text[32];
    printf("\nthe whole run\n");
    printf("  steps       %lld", (long long)training_steps(training));
    if (training->windows)
        printf(" (%lld an epoch), then %lld test samples", (long long)training_epoch_steps(training),
               (long long)run->n_test);
    printf("\n  time        %s\n", unit_show_ps(text, sizeof text, run->end_ps));
    printf("  energy      %s\n", unit_show(text, sizeof text, UNIT_JOULES, run_energy_j(run)));
}

static void print_head(const struct run *run)
{
    printf("%s\n  model       %s\n  parameters  %lld, %lld of them trained", run->name, run->model_text,
           (long long)run->n_parameters, (long long)run->n_trainable);
    for (int m = 1; m < run->n_modes; m++)
        printf("; %lld trained in %s mode", (long long)run->mode[m].n_trained, run->mode[m].name);
    printf("\n");
    mode_print_placement(stdout, "  ", run);
}

static void print_neighbours(const struct training *training)
{
    int is_fused = training->machine.specs[training->first_gpu].fused_attention;
    if (training->job->model.neighbours == 0)
        return;
    printf("  neighbours  %s\n", is_fused
                                     ? "GPUs leave out tiles of keys that no query of a block sees (docs/models.md); "
                                       "systolic arrays compute every score"
                                     : "save nothing: every score is computed, for the GPUs' attention_kernel is "
                                       "unfused");
}

static void print_faults_left_out(int n_faults)
{
    if (n_faults)
        printf("  faults      the job has %d, which this prediction leaves out: polyrank train JOB --timing-only has "
               "them\n",
               n_faults);
}

static enum status print_plan(const struct training *training, const struct job_options *options, int n_faults,
                              const struct run *run, struct fault *fault)
{
    enum status status = STATUS_OK;
    print_head(run);
    print_neighbours(training);
    plan_print_memory(training);
    if (run->n_modes)
        status = plan_print_modes(training, run, fault);
    else
        print_step(training, run);
    print_whole_run(training, run);
    print_faults_left_out(n_faults);
    if (run->n_modes)
        plan_print_gpus_alone(training, run);
    printf("\n");
    summary_print_ledgers(stdout, run);
    if (options->instructions)
        plan_print_instructions(training, options->device);
    return status;
}

static enum status show_serving(struct comm *comm, struct job *job, struct arena *arena, struct fault *fault)
{
    struct serve serve;
    enum status status = serve_open(comm, job, 1, NULL, arena, &serve, fault);
    if (status == STATUS_OK) {
        status = plan_serve_print(&serve, fault);
        serve_close(&serve);
    }
    return status;
}

static enum status show_plan(struct comm *comm, const struct job_options *options, struct job *job, struct arena *arena,
                             struct fault *fault)
{
    struct training training;
    struct training_result result;
    struct training_options run_options = {.timing_only = 1, .quiet = 1, .assume_switch = 1};
    job->output.trace = 0;
    enum status status = choose_open(comm, job, 1, arena, &training, fault);
    if (status == STATUS_OK)
        status = plan_find_device(&training, options->device, fault);
    if (status == STATUS_OK && options->print_config)
        fputs(job_print(arena, job), stdout);
    int n_faults = job->n_faults;
    job->n_faults = 0; /* the plan of the start is what is shown */
    if (status == STATUS_OK && !options->print_config)
        status = training_run(&training, &run_options, &result, fault);
    if (status == STATUS_OK && !options->print_config)
        status = print_plan(&training, options, n_faults, &result.run, fault);
    training_close(&training);
    return status;
}

enum status command_plan(struct comm *none, int argc, char **argv, struct fault *fault)
{
    (void)none;
    struct job_options options = {.fault = fault};
    int done = 0;
    enum status status = options_parse(&argp, argc, argv, &options, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    struct arena *arena = arena_new();
    struct comm *comm = comm_alone();
    struct job job;
    status = job_options_read(&options, arena, &job, fault);
    if (status == STATUS_OK && options.device && !options.instructions)
        status = fault_set(fault, STATUS_USAGE, "--device: expected with --instructions");
    if (status == STATUS_OK && job.model.preset)
        status = show_plan(comm, &options, &job, arena, fault);
    else if (status == STATUS_OK)
        status = show_serving(comm, &job, arena, fault);
    comm_close(comm, 0);
    arena_free(arena);
    return status;
}
