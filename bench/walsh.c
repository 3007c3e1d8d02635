/* walsh.c - speed of the Walsh-Hadamard transform and of the Fastfood projection against a copy of the same memory.
 *
 * usage: walsh [LARGEST LOG2 LENGTH]     (24)
 *
 * One core, fp32, best of several runs. Effective GB/s counts every element read and written once, as in the copy: a
 * share of 50 % says that the transform takes as long as two copies. The copy goes to other memory, of which it writes
 * as much as the transform does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/fastfood.h"
#include "kernel/walsh.h"

struct bench {
    size_t n, dim;
    float *x, *other, *table;
    double *scratch;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *block(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!memory) {
        fprintf(stderr, "walsh: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    memset(memory, 0, bytes);
    return memory;
}

static void run_copy(const struct bench *bench)
{
    memcpy(bench->other, bench->x, bench->n * sizeof *bench->x);
}

static void run_walsh(const struct bench *bench)
{
    walsh_f32(bench->n, bench->x);
}

static void run_project(const struct bench *bench)
{
    float small[1024] = {1, 2, 3};
    fastfood_f32(bench->dim, bench->n, bench->table, small, bench->x, bench->scratch);
}

static void run_transposed(const struct bench *bench)
{
    float small[1024];
    fastfood_transposed_f32(bench->dim, bench->n, bench->table, bench->other, small, bench->x, bench->scratch);
}

static double times_s(const struct bench *bench, void (*run)(const struct bench *bench), long times)
{
    double start_s = now_s();
    for (long i = 0; i < times; i++)
        run(bench);
    return now_s() - start_s;
}

/* Best time of one call, of as many calls at once as the clock can measure: CLOCK_S and more. `bench->x` is zeros, and
 * stays so, or is written anew by each call: repeated transforms do not overflow. */
static double best_s(const struct bench *bench, void (*run)(const struct bench *bench))
{
    const double CLOCK_S = 1e-4;
    double best = 1e9, end_s = now_s() + 0.2;
    long times = 1;
    memset(bench->x, 0, bench->n * sizeof *bench->x);
    while (times_s(bench, run, times) < CLOCK_S)
        times *= 2;
    for (int i = 0; i < 4 || now_s() < end_s; i++) {
        memset(bench->x, 0, bench->n * sizeof *bench->x);
        double time_s = times_s(bench, run, times) / (double)times;
        best = time_s < best ? time_s : best;
    }
    return best;
}

static void tell(int log2_n)
{
    struct bench bench = {.n = (size_t)1 << log2_n, .dim = (size_t)1 << (log2_n < 10 ? log2_n : 10)};
    bench.x = block(bench.n * sizeof *bench.x);
    bench.other = block(bench.n * sizeof *bench.other);
    bench.table = block(fastfood_table_elements(bench.n) * sizeof *bench.table);
    bench.scratch = block(fastfood_scratch_bytes(bench.dim, bench.n, sizeof(float)));
    double table_s = now_s();
    fastfood_table(1, 0, bench.n, sizeof(float), bench.table);
    table_s = now_s() - table_s;
    double bytes = 2 * sizeof(float) * (double)bench.n, copy_s = best_s(&bench, run_copy);
    double walsh_s = best_s(&bench, run_walsh), project_s = best_s(&bench, run_project);
    double transposed_s = best_s(&bench, run_transposed);
    printf("%7d %11.5f %9.1f %10.1f %8.0f %14.5f %14.5f %11.1f\n", log2_n, 1e3 * walsh_s, 1e-9 * bytes / walsh_s,
           1e-9 * bytes / copy_s, 100 * copy_s / walsh_s, 1e3 * project_s, 1e3 * transposed_s, 1e3 * table_s);
    free(bench.x);
    free(bench.other);
    free(bench.table);
    free(bench.scratch);
}

int main(int argc, char **argv)
{
    int largest = argc > 1 ? atoi(argv[1]) : 24;
    if (largest < 8 || largest > 28) {
        fprintf(stderr, "usage: walsh [LARGEST LOG2 LENGTH, 8 to 28]\n");
        return 2;
    }
    printf("%7s %11s %9s %10s %8s %14s %14s %11s\n", "log2 n", "walsh[ms]", "GB/s", "copy GB/s", "share[%]", "P x[ms]",
           "P^T g[ms]", "table[ms]");
    for (int log2_n = 8; log2_n <= largest; log2_n += 2)
        tell(log2_n);
    return 0;
}
