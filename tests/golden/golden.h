/* golden.h - files of reference tensors: reading them, comparing with them, telling what came out.
 *
 * A part of check_golden.c. The layout of the files and the tolerances are those of docs/models.md. A file that is not
 * what its layout promises counts as failed, and the next one is taken.
 */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "store/h5.h"

/* What is compared, each with its own tolerance on max|c - golden| / max(max|golden|, floor). X(enum, name, tolerance)
 */
#define GOLDEN_KINDS(X)                                                                                                \
    X(OUTPUT_F64, "outputs f64", 1e-9)                                                                                 \
    X(GRADIENT_F64, "gradients f64", 1e-9)                                                                             \
    X(SGD_F64, "sgd f64", 1e-9)                                                                                        \
    X(ADAM_F64, "adam f64", 1e-9)                                                                                      \
    X(OFFSET_F64, "offset f64", 1e-7)                                                                                  \
    X(OUTPUT_F32, "outputs f32", 1e-4)                                                                                 \
    X(GRADIENT_F32, "gradients f32", 1e-4)                                                                             \
    X(SGD_F32, "sgd f32", 1e-4)                                                                                        \
    X(ADAM_F32, "adam f32", 1e-4)                                                                                      \
    X(ADAM_LOSS_F32, "adam losses f32", 1e-3)                                                                          \
    X(TRAFFIC_F32, "traffic f32", 1e-5)                                                                                \
    X(TRAFFIC_STEPS_F32, "traffic steps f32", 5e-5)                                                                    \
    X(ILL_F32, "ill-conditioned f32", 2e-3)                                                                            \
    X(NOISE_F64, "absolute f64", 1e-10)                                                                                \
    X(NOISE_F32, "absolute f32", 1e-5)

enum golden_kind {
#define X(id, name, tolerance) id,
    GOLDEN_KINDS(X)
#undef X
        N_GOLDEN_KINDS
};

struct golden {
    struct h5 *file;
    const char *path, *name; /* of the file; name: for messages */
    struct arena *arena;
    double worst[N_GOLDEN_KINDS];
    int compared[N_GOLDEN_KINDS];
    int failures; /* of the check that runs now */
    int passed, failed, skipped;
    const char *skips;
    jmp_buf give_up;
};

static const struct {
    const char *name;
    double tolerance;
} golden_kinds[N_GOLDEN_KINDS] = {
#define X(id, text, limit) [id] = {text, limit},
    GOLDEN_KINDS(X)
#undef X
};

/* Gives the file up. What it held stays allocated: the run has failed. */
static _Noreturn void __attribute__((format(printf, 2, 3))) golden_die(struct golden *golden, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s: FAILED: ", golden->name);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    longjmp(golden->give_up, 1);
}

static void golden_demand(struct golden *golden, enum status status, const struct fault *fault)
{
    if (status != STATUS_OK)
        golden_die(golden, "%s", fault->text);
}

/* All values of a dataset, which must have `elements` of them. */
static double *golden_read(struct golden *golden, const char *path, int64_t elements)
{
    struct fault fault = FAULT_NONE;
    int n_dims;
    int64_t dims[H5_MAX_DIMS], found = 1;
    double *values = NULL;
    golden_demand(golden, h5_read_doubles(golden->file, path, golden->arena, &n_dims, dims, &values, &fault), &fault);
    for (int i = 0; i < n_dims; i++)
        found *= dims[i];
    if (found != elements)
        golden_die(golden, "%s: expected %lld elements, found %lld", path, (long long)elements, (long long)found);
    return values;
}

/* The shape of a dataset, which must have n_dims dimensions; returns its elements. */
static int64_t golden_dims(struct golden *golden, const char *path, int n_dims, int64_t *dims)
{
    struct fault fault = FAULT_NONE;
    struct h5_shape shape;
    golden_demand(golden, h5_shape(golden->file, path, &shape, &fault), &fault);
    if (shape.n_dims != n_dims)
        golden_die(golden, "%s: expected %d dimensions, found %d", path, n_dims, shape.n_dims);
    memcpy(dims, shape.dims, (size_t)n_dims * sizeof *dims);
    return shape.n_values;
}

static int64_t golden_elements(struct golden *golden, const char *path)
{
    struct fault fault = FAULT_NONE;
    struct h5_shape shape;
    golden_demand(golden, h5_shape(golden->file, path, &shape, &fault), &fault);
    return shape.n_values;
}

static int64_t golden_int(struct golden *golden, const char *attribute)
{
    struct fault fault = FAULT_NONE;
    int64_t value = 0;
    golden_demand(golden, h5_get_int(golden->file, "/", attribute, &value, &fault), &fault);
    return value;
}

static double golden_double(struct golden *golden, const char *object, const char *attribute)
{
    struct fault fault = FAULT_NONE;
    double value = 0;
    golden_demand(golden, h5_get_double(golden->file, object, attribute, &value, &fault), &fault);
    return value;
}

static const char *golden_string(struct golden *golden, const char *attribute)
{
    struct fault fault = FAULT_NONE;
    const char *text = NULL;
    golden_demand(golden, h5_get_string(golden->file, "/", attribute, golden->arena, &text, &fault), &fault);
    return text;
}

static const char *const *golden_list(struct golden *golden, const char *group, int *n)
{
    struct fault fault = FAULT_NONE;
    const char *const *names = NULL;
    golden_demand(golden, h5_list(golden->file, group, golden->arena, n, &names, &fault), &fault);
    return names;
}

/* Prints a line when the error is beyond the tolerance; not-a-number is beyond every tolerance. */
static void golden_compare(struct golden *golden, enum golden_kind kind, const char *what, const double *computed,
                           const double *expected, int64_t n, double floor)
{
    double difference = 0, scale = fmax(floor, DBL_MIN), tolerance = golden_kinds[kind].tolerance;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(computed[i] - expected[i]);
        difference = d <= difference ? difference : isnan(d) ? INFINITY : d;
        scale = fmax(scale, fabs(expected[i]));
    }
    double error = difference / scale;
    golden->compared[kind]++;
    golden->worst[kind] = fmax(golden->worst[kind], error);
    if (error <= tolerance)
        return;
    golden->failures++;
    printf("%s: FAILED: %s: %s: error %.3g, tolerance %.0e\n", golden->name, golden_kinds[kind].name, what, error,
           tolerance);
}

/* Closes one check: passed unless something failed since the last one. */
static void golden_close_check(struct golden *golden)
{
    if (golden->failures)
        golden->failed++;
    else
        golden->passed++;
    golden->failures = 0;
}

static void golden_skip(struct golden *golden, const char *what, const char *why)
{
    const char *before = golden->skips ? golden->skips : "";
    golden->skipped++;
    golden->skips = arena_printf(golden->arena, "%s%s%s (%s)", before, *before ? ", " : "", what, why);
}

#endif
