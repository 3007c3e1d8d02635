/* plan.c - polyrank plan: what would run where, how much memory, time and energy; runs nothing. */
#include <stdio.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/job_options.h"
#include "report/summary.h"
#include "report/table.h"
#include "scheduler/train.h"

static const struct argp_option options_table[] = {
    JOB_OPTIONS,
    {"instructions", 'i', NULL, 0, "list the training program of the first device", 1},
    {0},
};

static const struct argp argp = {
    options_table,
    job_options_parse,
    "JOB",
    "Shows how JOB would run on the emulated machine: placement, memory of each device, work, and the "
    "virtual time and energy of a step and of the whole run. Nothing is trained.\v"
    "examples:\n"
    "  polyrank plan jobs/wind.yaml\n"
    "  polyrank plan jobs/swe-published.yaml --set cluster=clusters/8xh100.yaml",
    NULL,
    NULL,
    NULL};

static const char *show(char text[32], enum unit unit, double value)
{
    return unit_show(text, 32, unit, value);
}

static void print_memory(const struct training *training)
{
    static const enum slot_kind kinds[] = {SLOT_PARAM, SLOT_STATE, SLOT_GRAD, SLOT_LOADED, SLOT_ACTIVATION};
    static const char *const names[] = {"parameters", "state", "gradients", "minibatches", "activations"};
    struct text_table *table = text_table_new(training->arena);
    char text[32];
    text_table_column(table, ALIGN_LEFT, "device", "");
    for (int k = 0; k < 5; k++)
        text_table_column(table, ALIGN_RIGHT, names[k], "");
    text_table_column(table, ALIGN_RIGHT, "peak", "");
    text_table_column(table, ALIGN_RIGHT, "capacity", "");
    for (int d = 0; d < training->plan.n_devices; d++) {
        const struct program *program = &training->plan.programs[PROGRAM_TRAIN][d];
        text_table_row(table);
        text_table_cell(table, "%s", training->machine.specs[d].name);
        for (int k = 0; k < 5; k++)
            text_table_cell(table, "%s", show(text, UNIT_BYTES, (double)program->kind_bytes[kinds[k]]));
        text_table_cell(table, "%s", show(text, UNIT_BYTES, (double)program->memory_bytes));
        text_table_cell(table, "%s", show(text, UNIT_BYTES, (double)training->plan.capacity_bytes[d]));
    }
    printf("\nmemory\n");
    text_table_print(table, stdout, TABLE_WIDTH);
}

static void print_instructions(const struct training *training)
{
    const struct program *program = &training->plan.programs[PROGRAM_TRAIN][0];
    struct text_table *table = text_table_new(training->arena);
    char text[32];
    text_table_column(table, ALIGN_LEFT, "instruction", "");
    text_table_column(table, ALIGN_LEFT, "op", "");
    text_table_column(table, ALIGN_LEFT, "phase", "");
    text_table_column(table, ALIGN_LEFT, "engine", "");
    text_table_column(table, ALIGN_RIGHT, "time", "");
    text_table_column(table, ALIGN_RIGHT, "work", "FLOP");
    text_table_column(table, ALIGN_RIGHT, "traffic", "");
    for (int i = 0; i < program->n_instrs; i++) {
        const struct instr *instr = &program->instrs[i];
        text_table_row(table);
        text_table_cell(table, "%s", instr->name);
        text_table_cell(table, "%s", op_name(instr->op->kind));
        text_table_cell(table, "%s", phase_name(instr->phase));
        text_table_cell(table, "%s", engine_name(instr->engine));
        text_table_cell(table, "%s", unit_show_ps(text, sizeof text, instr->cost.time_ps));
        text_table_cell(table, "%.3g", (double)instr->cost.flops);
        text_table_cell(table, "%s", show(text, UNIT_BYTES, (double)instr->cost.bytes));
    }
    printf("\nprogram of %s: one training step\n", training->machine.specs[0].name);
    text_table_print(table, stdout, TABLE_WIDTH);
}

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
    printf("  energy      %s, without waiting and idle power\n", show(text, UNIT_JOULES, step_j));
    printf("  work        %.4g FLOP, %s\n", work.flops,
           show(rate, UNIT_FLOP_PER_S, work.flops / ((double)step_ps * 1e-12)));
    printf("  traffic     %s of device memory, %s over links\n", show(text, UNIT_BYTES, work.bytes),
           show(rate, UNIT_BYTES, work.collective_bytes));
    printf("  samples     %lld, %.4g per second\n", (long long)training->job->train.minibatch,
           (double)training->job->train.minibatch / ((double)step_ps * 1e-12));
    printf("\nthe whole run\n");
    printf("  steps       %lld", (long long)training_steps(training));
    if (training->windows)
        printf(" (%lld an epoch), then %lld test samples", (long long)training_epoch_steps(training),
               (long long)run->n_test);
    printf("\n  time        %s\n", unit_show_ps(text, sizeof text, run->end_ps));
    printf("  energy      %s\n", show(text, UNIT_JOULES, run_energy_j(run)));
}

static enum status show_plan(struct comm *comm, const struct job_options *options, struct job *job, struct arena *arena,
                             struct fault *fault)
{
    struct training training;
    struct training_result result;
    struct training_options run_options = {.timing_only = 1, .quiet = 1};
    job->output.trace = 0;
    enum status status = training_open(comm, job, 1, arena, &training, fault);
    if (status == STATUS_OK && options->print_config)
        fputs(job_print(arena, job), stdout);
    else if (status == STATUS_OK)
        status = training_run(&training, &run_options, &result, fault);
    if (status == STATUS_OK && !options->print_config) {
        const struct run *run = &result.run;
        printf("%s\n  model       %s\n  parameters  %lld, %lld of them trained\n  placement   %s\n", job->name,
               run->model_text, (long long)run->n_parameters, (long long)run->n_trainable, run->placement_text);
        print_memory(&training);
        print_step(&training, run);
        printf("\n");
        summary_print_ledgers(stdout, run);
        if (options->instructions)
            print_instructions(&training);
    }
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
    if (status == STATUS_OK)
        status = show_plan(comm, &options, &job, arena, fault);
    comm_close(comm, 0);
    arena_free(arena);
    return status;
}
