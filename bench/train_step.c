/* train_step.c - wall time of an emulated training step: GFLOP/s, share of the measured peak, overhead of the
 * emulation.
 *
 * usage: train_step DATASET D HEADS LAYERS FFN MINIBATCH [SECONDS]
 *
 * The same step twice, in turn: through the executor (minibatch read, virtual clock, ledger, control), and as bare
 * kernels called back to back on the same memory layout. The ratio of their medians is the overhead of the emulation.
 * CPU time of this process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/blas.h"
#include "kernel/gemm.h"
#include "rank_load.h"
#include "scheduler/train.h"

enum { MAX_TIMES = 20000 };

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

static double median(double *times, int n)
{
    qsort(times, (size_t)n, sizeof *times, ascending);
    return times[n / 2];
}

/* Best of several large products: what one core can do. */
static double peak_gflops(void)
{
    enum { N = 768, TRIES = 12 };
    float *a = calloc(3 * N * N, sizeof *a), *b = a + N * N, *c = b + N * N;
    double best_s = 1e9;
    for (int i = 0; i < 2 * N * N; i++)
        a[i] = (float)(i % 7) - 3;
    for (int t = 0; t < TRIES; t++) {
        double start_s = cpu_s();
        gemm_peak_product(N, a, b, c);
        double time_s = cpu_s() - start_s;
        best_s = time_s < best_s ? time_s : best_s;
    }
    free(a);
    return 2.0 * N * N * N / best_s * 1e-9;
}

static const char *job_text(struct arena *arena, char **argv)
{
    return arena_printf(
        arena,
        "name: bench\n"
        "cluster: {name: one, devices: [{kind: gpu, profile: a100-80g, count: 1}], links: {host: pcie4}}\n"
        "model: {preset: wind, d_model: %s, heads: %s, layers: %s, ffn: %s, dropout: 0}\n"
        "data: {file: '%s', window: 12, test_fraction: 0.2}\n"
        "train: {epochs: 1, minibatch: %s}\n",
        argv[2], argv[3], argv[4], argv[5], argv[1], argv[6]);
}

struct bench {
    struct training training;
    struct executor *executor;
    char *memory;
    void *scratch;
    uint32_t *samples;
    uint32_t step;
};

static void emulated_step(struct bench *bench, struct fault *fault)
{
    struct step_record record = {.program = PROGRAM_TRAIN,
                                 .step = ++bench->step,
                                 .repeat = 1,
                                 .learning_rate = 1e-6,
                                 .n_samples = (uint32_t)bench->training.job->train.minibatch};
    struct step_result result;
    if (executor_step(bench->executor, &record, bench->samples, NULL, &result, fault) != STATUS_OK) {
        fprintf(stderr, "%s\n", fault->text);
        exit(1);
    }
}

static void bare_step(struct bench *bench)
{
    const struct program *program = &bench->training.plan.programs[PROGRAM_TRAIN][0];
    struct kernel_context context = {
        .format = FORMAT_FP32, .step = 1, .learning_rate = 1e-6, .scratch = bench->scratch};
    for (int i = 0; i < program->n_instrs; i++) {
        const struct instr *instr = &program->instrs[i];
        const float *in[OP_MAX_IN];
        float *out[OP_MAX_OUT];
        if (instr->engine != ENGINE_COMPUTE)
            continue;
        for (int k = 0; k < OP_MAX_IN; k++)
            in[k] = instr->in[k] == NO_SLOT
                        ? NULL
                        : (float *)(void *)(bench->memory + program->slots[instr->in[k]].offset_bytes);
        for (int k = 0; k < OP_MAX_OUT; k++)
            out[k] = instr->out[k] == NO_SLOT
                         ? NULL
                         : (float *)(void *)(bench->memory + program->slots[instr->out[k]].offset_bytes);
        kernel_run_f32(instr->op, &context, in, out);
    }
}

static double step_flops(const struct program *program)
{
    double flops = 0;
    for (int i = 0; i < program->n_instrs; i++)
        flops += (double)op_flops(program->instrs[i].op);
    return flops;
}

static void open_bench(struct bench *bench, struct comm *comm, struct job *job, struct arena *arena,
                       struct fault *fault)
{
    struct executor_options options = {.seed = 1};
    if (training_open(comm, job, 0, arena, &bench->training, fault) != STATUS_OK ||
        executor_open(comm, &bench->training.plan, bench->training.machine.specs, bench->training.windows, &options,
                      &bench->executor, fault) != STATUS_OK) {
        fprintf(stderr, "%s\n", fault->text);
        exit(1);
    }
    const struct program *program = &bench->training.plan.programs[PROGRAM_TRAIN][0];
    void *memory = NULL;
    block_new(&memory, program->memory_bytes, fault);
    block_new(&bench->scratch, program->scratch_bytes, fault);
    bench->memory = memory;
    load_initial_values(program, 1, sizeof(float), memory);
    for (int s = 0; s < program->n_slots; s++)
        for (int64_t i = 0; program->slots[s].kind == SLOT_LOADED && i < program->slots[s].elements; i++)
            ((float *)(void *)(bench->memory + program->slots[s].offset_bytes))[i] = (float)(i % 13) / 6 - 1;
    bench->samples = calloc((size_t)job->train.minibatch, sizeof *bench->samples);
    for (int64_t s = 0; s < job->train.minibatch; s++)
        bench->samples[s] = (uint32_t)(s * 7);
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: train_step DATASET D HEADS LAYERS FFN MINIBATCH [SECONDS]\n");
        return 2;
    }
    blas_select(argv);
    static double emulated[MAX_TIMES], bare[MAX_TIMES];
    double seconds = argc > 7 ? atof(argv[7]) : 4;
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct comm *comm = comm_alone();
    struct job job;
    struct bench bench = {0};
    if (job_parse(arena, "bench.yaml", job_text(arena, argv), NULL, 0, &job, &fault) != STATUS_OK) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    open_bench(&bench, comm, &job, arena, &fault);
    double peak = peak_gflops(), end_s = wall_s() + seconds;
    int n = 0;
    for (int warm = 0; warm < 3; warm++) {
        emulated_step(&bench, &fault);
        bare_step(&bench);
    }
    for (; n < MAX_TIMES && (n < 5 || wall_s() < end_s); n++) {
        double start_s = cpu_s();
        emulated_step(&bench, &fault);
        double middle_s = cpu_s();
        bare_step(&bench);
        emulated[n] = middle_s - start_s;
        bare[n] = cpu_s() - middle_s;
    }
    double flops = step_flops(&bench.training.plan.programs[PROGRAM_TRAIN][0]);
    double emulated_s = median(emulated, n), bare_s = median(bare, n), gflops = flops / emulated_s * 1e-9;
    printf("%.3f %.1f %.1f %.1f %.3f %.3f %d\n", 1e3 * emulated_s, gflops, peak, 100 * gflops / peak, 1e3 * bare_s,
           emulated_s / bare_s, n);
    executor_close(bench.executor);
    training_close(&bench.training);
    block_free(bench.memory);
    block_free(bench.scratch);
    free(bench.samples);
    arena_free(arena);
    comm_close(comm, 0);
    return 0;
}
