/* traffic_step.c - training steps of the traffic model on one emulated GPU: samples a second of one core.
 *
 * usage: traffic_step DATASET D HEADS FFN MINIBATCH [SECONDS]
 *
 * The step as the executor does it: minibatch read, forward, backward, Adam. CPU time of this process; median. Prints
 * milliseconds a step, samples a second, GFLOP/s, and the shares of the kinds of ops, measured by running the step's
 * kernels once more one by one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/blas.h"
#include "rank_load.h"
#include "scheduler/train.h"

enum { MAX_TIMES = 2000 };

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static _Noreturn void give_up(const char *text)
{
    fprintf(stderr, "%s\n", text);
    exit(1);
}

static const char *job_text(struct arena *arena, char **argv)
{
    return arena_printf(
        arena,
        "name: bench\n"
        "cluster: {name: one, devices: [{kind: gpu, profile: a100-80g, count: 1}], links: {host: pcie4}}\n"
        "model: {preset: traffic, d_model: %s, heads: %s, ffn: %s, residual: true}\n"
        "data: {file: '%s', window: 12, horizon: 12, normalise: global, test_fraction: 0.2}\n"
        "train: {epochs: 1, minibatch: %s, loss: mae, optimiser: {kind: adam, weight_decay: 0}}\n",
        argv[2], argv[3], argv[4], argv[1], argv[5]);
}

/* One step of the bare kernels; adds the CPU seconds of each kind of op. */
static void step_kinds(const struct program *program, char *memory, void *scratch, double seconds[N_OP_KINDS])
{
    struct kernel_context context = {.format = FORMAT_FP32, .step = 1, .learning_rate = 1e-6, .scratch = scratch};
    for (int i = 0; i < program->n_instrs; i++) {
        const struct instr *instr = &program->instrs[i];
        const float *in[OP_MAX_IN];
        float *out[OP_MAX_OUT];
        if (instr->engine != ENGINE_COMPUTE)
            continue;
        for (int k = 0; k < OP_MAX_IN; k++)
            in[k] =
                instr->in[k] == NO_SLOT ? NULL : (float *)(void *)(memory + program->slots[instr->in[k]].offset_bytes);
        for (int k = 0; k < OP_MAX_OUT; k++)
            out[k] = instr->out[k] == NO_SLOT ? NULL
                                              : (float *)(void *)(memory + program->slots[instr->out[k]].offset_bytes);
        double start_s = cpu_s();
        kernel_run_f32(instr->op, &context, in, out);
        seconds[instr->op->kind] += cpu_s() - start_s;
    }
}

/* CPU seconds of each kind of op over one step of the bare kernels, on memory of its own that a first step has touched.
 */
static void time_kinds(const struct program *program, double seconds[N_OP_KINDS])
{
    void *block = NULL, *scratch = NULL;
    struct fault fault = FAULT_NONE;
    if (block_new(&block, program->memory_bytes, &fault) != STATUS_OK ||
        block_new(&scratch, program->scratch_bytes, &fault) != STATUS_OK)
        give_up(fault.text);
    char *memory = block;
    load_initial_values(program, 1, sizeof(float), memory);
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < N_OP_KINDS; k++)
            seconds[k] = 0;
        step_kinds(program, memory, scratch, seconds);
    }
    block_free(block);
    block_free(scratch);
}

static double step_flops(const struct program *program)
{
    double flops = 0;
    for (int i = 0; i < program->n_instrs; i++)
        flops += (double)op_flops(program->instrs[i].op);
    return flops;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        give_up("usage: traffic_step DATASET D HEADS FFN MINIBATCH [SECONDS]");
    blas_select(argv);
    static double times[MAX_TIMES], kinds[N_OP_KINDS];
    double seconds = argc > 6 ? atof(argv[6]) : 4;
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct comm *comm = comm_alone();
    struct job job;
    struct training training;
    struct executor *executor = NULL;
    struct executor_options options = {.seed = 1};
    if (job_parse(arena, "bench.yaml", job_text(arena, argv), NULL, 0, &job, &fault) != STATUS_OK ||
        training_open(comm, &job, 0, arena, &training, &fault) != STATUS_OK ||
        executor_open(comm, &training.plan, training.machine.specs, training.windows, &options, &executor, &fault) !=
            STATUS_OK)
        give_up(fault.text);
    int64_t minibatch = job.train.minibatch;
    uint32_t *samples = calloc((size_t)minibatch, sizeof *samples);
    for (int64_t s = 0; s < minibatch; s++)
        samples[s] = (uint32_t)(s * 7);
    int n = 0;
    for (double end_s = wall_s() + seconds; n < MAX_TIMES && (n < 4 || wall_s() < end_s); n++) {
        struct step_record record = {.program = PROGRAM_TRAIN,
                                     .step = (uint32_t)n + 1,
                                     .repeat = 1,
                                     .learning_rate = 1e-4,
                                     .n_samples = (uint32_t)minibatch};
        struct step_result result;
        double start_s = cpu_s();
        if (executor_step(executor, &record, samples, NULL, &result, &fault) != STATUS_OK)
            give_up(fault.text);
        times[n] = cpu_s() - start_s;
    }
    qsort(times, (size_t)n, sizeof *times, ascending);
    const struct program *program = &training.plan.programs[PROGRAM_TRAIN][0];
    double step_s = times[n / 2], sum_s = 0;
    time_kinds(program, kinds);
    for (int k = 0; k < N_OP_KINDS; k++)
        sum_s += kinds[k];
    printf("%.1f ms a step, %.1f samples/s, %.1f GFLOP/s:", 1e3 * step_s, (double)minibatch / step_s,
           step_flops(program) / step_s * 1e-9);
    for (int k = 0; k < N_OP_KINDS; k++)
        if (kinds[k] > 0.005 * sum_s)
            printf(" %s %.0f%%", op_name((enum op_kind)k), 100 * kinds[k] / sum_s);
    printf("\n");
    executor_close(executor);
    training_close(&training);
    free(samples);
    arena_free(arena);
    comm_close(comm, 0);
    return 0;
}
