/* crossbar.c - what reading emulated crossbars costs over the plain fp32 product.
 *
 * usage: crossbar [SECONDS]     (CPU seconds of each figure, default 0.4)
 *
 * For each size (rows x outputs x inputs) the plain product y = x w^T and the same through matrices programmed with the
 * constants of `isaac` (offset, 8 bit converters) and as differential pairs with 6 bit converters: exact (quantized),
 * all converters (quantized, 6 bit), cells' errors without and with read noise (analog). Medians; one core; products
 * and reads take turns, so that the machine's mood is the same for both. `back`: dx = dy w over its own plain product.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "kernel/blas.h"
#include "kernel/crossbar.h"
#include "kernel/run.h"

enum { MAX_TIMES = 1000 };

struct size {
    int64_t rows, out, in;
};

struct arena_of_floats {
    float *w, *x, *y, *scratch;
    struct crossbar_work work;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *numbers(size_t n)
{
    float *memory = aligned_alloc(64, (n * sizeof(float) + 127) / 64 * 64);
    if (!memory) {
        fprintf(stderr, "crossbar: no memory for %zu floats\n", n);
        exit(1);
    }
    for (size_t i = 0; i < n; i++)
        memory[i] = (float)rng_normal(rng_key(1, RNG_SYNTH, 0), 0, i);
    return memory;
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

static void plain(const struct size *size, int backward, struct arena_of_floats *a)
{
    struct op op = {.kind = backward ? OP_LINEAR_DX : OP_LINEAR, .rows = size->rows, .out = size->out, .in = size->in};
    struct kernel_context context = {.format = FORMAT_FP32, .scratch = a->scratch};
    const float *in[OP_MAX_IN] = {a->x, a->w};
    float *out[OP_MAX_OUT] = {a->y};
    kernel_run_f32(&op, &context, in, out);
}

static void through(const struct crossbar_matrix *matrix, const struct size *size, int backward,
                    struct arena_of_floats *a)
{
    struct crossbar_read read = {.step = 1};
    if (backward)
        crossbar_backward(matrix, &read, size->rows, a->x, 0, a->y, &a->work);
    else
        crossbar_forward(matrix, &read, size->rows, a->x, NULL, a->y, &a->work);
}

/* Time of reads over time of products. */
static double ratio(const struct crossbar_matrix *matrix, const struct size *size, int backward, double seconds,
                    struct arena_of_floats *a, double *plain_s)
{
    double plain_times[MAX_TIMES], times[MAX_TIMES], start_s = now_s();
    int n = 0;
    while (n < MAX_TIMES && (n < 3 || now_s() - start_s < seconds)) {
        double t0 = now_s();
        plain(size, backward, a);
        double t1 = now_s();
        through(matrix, size, backward, a);
        times[n] = now_s() - t1;
        plain_times[n++] = t1 - t0;
    }
    *plain_s = median(plain_times, n);
    return median(times, n) / *plain_s;
}

static struct crossbar_spec spec_of(int column)
{
    struct crossbar_spec spec = {.fidelity = CROSSBAR_QUANTIZED,
                                 .mapping = CROSSBAR_OFFSET,
                                 .rows = 128,
                                 .columns = 128,
                                 .weight_bits = 8,
                                 .input_bits = 8,
                                 .error_bits = 8,
                                 .cell_bits = 2,
                                 .dac_bits = 1,
                                 .adc_bits = 8,
                                 .adc_range = 0.25,
                                 .on_off = 1000};
    if (column > 0) {
        spec.mapping = CROSSBAR_DIFFERENTIAL;
        spec.adc_bits = 6;
    }
    if (column > 1) {
        spec.fidelity = CROSSBAR_ANALOG;
        spec.program_noise = 0.02;
    }
    if (column > 2)
        spec.read_noise = 0.01;
    return spec;
}

int main(int argc, char **argv)
{
    static const struct size sizes[] = {{1824, 64, 64}, {1824, 128, 64}, {570, 512, 512}, {323, 2048, 512}};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0.4;
    blas_select(argv);
    printf("%-14s  %5s  %9s  %9s  %9s  %9s  %9s  %12s\n", "rows x O x C", "", "fp32[ms]", "exact", "6 bit", "analog",
           "+ read", "program[ms]");
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const struct size *size = &sizes[s];
        size_t wide = (size_t)(size->out > size->in ? size->out : size->in);
        struct arena_of_floats a = {.w = numbers((size_t)(size->out * size->in)),
                                    .x = numbers((size_t)size->rows * wide),
                                    .y = numbers((size_t)size->rows * wide),
                                    .scratch = numbers((size_t)(size->out * size->in) + 4 * wide * 64)};
        for (int backward = 0; backward < 2; backward++) {
            double plain_s = 0, program_s = 0;
            char name[32];
            snprintf(name, sizeof name, "%dx%dx%d", (int)size->rows, (int)size->out, (int)size->in);
            double ratios[4];
            for (int c = 0; c < 4; c++) {
                struct crossbar_spec spec = spec_of(c);
                double start_s = now_s();
                struct crossbar_matrix *matrix = crossbar_program(&spec, size->out, size->in, a.w, 1, 0, 1);
                program_s = now_s() - start_s;
                ratios[c] = ratio(matrix, size, backward, seconds, &a, &plain_s);
                crossbar_free(matrix);
            }
            printf("%-14s  %5s  %9.3f  %9.2f  %9.2f  %9.2f  %9.2f  %12.1f\n", name, backward ? "back" : "",
                   plain_s * 1e3, ratios[0], ratios[1], ratios[2], ratios[3], program_s * 1e3);
        }
        free(a.w);
        free(a.x);
        free(a.y);
        free(a.scratch);
        crossbar_work_release(&a.work);
    }
    return 0;
}
