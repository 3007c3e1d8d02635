#include "golden.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    double tolerance;
} kinds[N_GOLDEN_KINDS] = {
#define X(id, text, limit) [id] = {text, limit},
    GOLDEN_KINDS(X)
#undef X
};

void golden_die(const struct golden *golden, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s: ", golden->name);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    exit(1);
}

static void demand(const struct golden *golden, enum status status, const struct fault *fault)
{
    if (status != STATUS_OK)
        golden_die(golden, "%s", fault->text);
}

char *golden_path(struct golden *golden, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        golden_die(golden, "a path is longer than %zu characters", sizeof text);
    return arena_string(golden->arena, text);
}

double *golden_read(struct golden *golden, const char *path, int64_t elements)
{
    struct fault fault = FAULT_NONE;
    int n_dims;
    int64_t dims[H5_MAX_DIMS], found = 1;
    double *values;
    demand(golden, h5_read_doubles(golden->file, path, golden->arena, &n_dims, dims, &values, &fault), &fault);
    for (int i = 0; i < n_dims; i++)
        found *= dims[i];
    if (elements && found != elements)
        golden_die(golden, "%s: expected %lld elements, found %lld", path, (long long)elements, (long long)found);
    return values;
}

int64_t golden_elements(struct golden *golden, const char *path)
{
    struct fault fault = FAULT_NONE;
    int n_dims;
    int64_t dims[H5_MAX_DIMS], elements = 1;
    demand(golden, h5_shape(golden->file, path, &n_dims, dims, &fault), &fault);
    for (int i = 0; i < n_dims; i++)
        elements *= dims[i];
    return elements;
}

void golden_dims(struct golden *golden, const char *path, int n_dims, int64_t *dims)
{
    struct fault fault = FAULT_NONE;
    int found;
    int64_t all[H5_MAX_DIMS];
    demand(golden, h5_shape(golden->file, path, &found, all, &fault), &fault);
    if (found != n_dims)
        golden_die(golden, "%s: expected %d dimensions, found %d", path, n_dims, found);
    memcpy(dims, all, (size_t)n_dims * sizeof *dims);
}

int64_t golden_int(struct golden *golden, const char *object, const char *attribute)
{
    struct fault fault = FAULT_NONE;
    int64_t value = 0;
    demand(golden, h5_attribute_int(golden->file, object, attribute, &value, &fault), &fault);
    return value;
}

double golden_double(struct golden *golden, const char *object, const char *attribute)
{
    struct fault fault = FAULT_NONE;
    double value = 0;
    demand(golden, h5_attribute_double(golden->file, object, attribute, &value, &fault), &fault);
    return value;
}

const char **golden_list(struct golden *golden, const char *group, int *n)
{
    struct fault fault = FAULT_NONE;
    const char **names = NULL;
    demand(golden, h5_list(golden->file, group, golden->arena, &names, n, &fault), &fault);
    return names;
}

void golden_compare(struct golden *golden, enum golden_kind kind, const char *what, const double *computed,
                    const double *expected, int64_t n, double floor)
{
    double difference = 0, scale = fmax(floor, DBL_MIN);
    for (int64_t i = 0; i < n; i++) {
        double d = fabs(computed[i] - expected[i]);
        difference = d <= difference ? difference : isnan(d) ? INFINITY : d;
        scale = fmax(scale, fabs(expected[i]));
    }
    double error = difference / scale;
    golden->compared[kind]++;
    golden->worst[kind] = fmax(golden->worst[kind], error);
    if (error <= kinds[kind].tolerance)
        return;
    golden->failures++;
    printf("%s: FAILED %s: %s: error %.3g, tolerance %.0e\n", golden->name, kinds[kind].name, what, error,
           kinds[kind].tolerance);
}

void golden_close_check(struct golden *golden)
{
    if (golden->failures)
        golden->failed++;
    else
        golden->passed++;
    golden->failures = 0;
}

void golden_skip(struct golden *golden, const char *what, const char *why)
{
    golden->skipped++;
    golden->skips = arena_printf(golden->arena, "%s%s%s (%s)", golden->skips ? golden->skips : "", golden->skips ? ", " : "",
                                 what, why);
}

static void tell(const struct golden *golden)
{
    printf("%s: %s", golden->name, golden->failed ? "FAILED" : golden->passed ? "ok" : "skipped");
    for (int k = 0; k < N_GOLDEN_KINDS; k++)
        if (golden->compared[k])
            printf("; %s %.1e of %.0e (%d)", kinds[k].name, golden->worst[k], kinds[k].tolerance, golden->compared[k]);
    if (golden->skips)
        printf("; skipped: %s", golden->skips);
    printf("\n");
}

static void check_file(const char *path, const char *name, int counts[3])
{
    struct golden golden = {.name = name, .arena = arena_new()};
    struct fault fault = FAULT_NONE;
    demand(&golden, h5_open(path, &golden.file, &fault), &fault);
    if (golden_is_model(&golden))
        golden_check_model(&golden);
    else if (golden_is_ops(&golden))
        golden_check_ops(&golden);
    else
        golden_skip(&golden, "all of it", "a layout this program does not read yet");
    tell(&golden);
    h5_close(golden.file);
    counts[0] += golden.passed;
    counts[1] += golden.failed;
    counts[2] += golden.skipped;
    arena_free(golden.arena);
}
