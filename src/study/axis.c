#include "study/axis.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"

/* Steps of a range may miss its end by rounding. */
static const double SLACK = 1e-9;

static double rounded(double value, int digits)
{
    char text[64];
    snprintf(text, sizeof text, "%.*g", digits, value);
    return strtod(text, NULL);
}

static const char *written(const struct study_axis *axis, double value, int digits, struct arena *arena)
{
    char text[96];
    if (axis->kind == VALUE_WHOLE)
        return arena_printf(arena, "%" PRId64, (int64_t)llround(value));
    return arena_string(arena, unit_print(text, sizeof text, axis->unit, rounded(value, digits)));
}

static int64_t range_count(const struct study_axis *axis)
{
    if (axis->points > 0)
        return axis->points;
    double steps =
        axis->factor > 0 ? log(axis->to / axis->from) / log(axis->factor) : (axis->to - axis->from) / axis->step;
    return steps < STUDY_MAX_VALUES ? (int64_t)floor(steps + SLACK) + 1 : STUDY_MAX_VALUES + 1;
}

static double range_value(const struct study_axis *axis, int64_t i, int64_t n)
{
    if (axis->factor > 0)
        return axis->from * pow(axis->factor, (double)i);
    if (axis->step > 0)
        return axis->from + (double)i * axis->step;
    double share = (double)i / (double)(n - 1);
    if (i == n - 1)
        return axis->to;
    return axis->is_log ? axis->from * pow(axis->to / axis->from, share) : axis->from + share * (axis->to - axis->from);
}

enum status axis_expand(const struct study *study, const struct study_axis *axis, struct arena *arena,
                        struct axis_values *values, struct fault *fault)
{
    int64_t n = axis->n_values > 0 ? axis->n_values : range_count(axis);
    if (n > STUDY_MAX_VALUES)
        return fault_set(fault, STATUS_USAGE, "%s:%d: %s: expected a range of at most %d values, found more",
                         study->source, axis->line, axis->key, STUDY_MAX_VALUES);
    *values = (struct axis_values){n, arena_array(arena, (size_t)n, sizeof *values->text)};
    for (int64_t i = 0; i < n; i++) {
        values->text[i] = axis->n_values > 0 ? axis->value[i] : written(axis, range_value(axis, i, n), 12, arena);
        if (axis->n_values == 0 && i > 0 && strcmp(values->text[i], values->text[i - 1]) == 0)
            return fault_set(fault, STATUS_USAGE,
                             "%s:%d: %s: expected a range of different whole numbers, found %s twice (fewer points)",
                             study->source, axis->line, axis->key, values->text[i]);
    }
    return STATUS_OK;
}

void axis_sample(const char *method, uint64_t seed, const char *key, int64_t n, double *u)
{
    struct rng_key stream = rng_key(seed, RNG_STUDY, (uint32_t)hash_text(HASH_START, key));
    for (int64_t i = 0; i < n; i++)
        u[i] = rng_uniform(stream, 0, (uint64_t)i);
    if (strcmp(method, "random") == 0)
        return;
    uint32_t *stratum = malloc((size_t)n * sizeof *stratum);
    if (!stratum)
        bug("out of memory for %" PRId64 " samples", n);
    rng_permutation(stream, 1, (uint32_t)n, stratum);
    for (int64_t i = 0; i < n; i++) {
        u[i] = ((double)stratum[i] + u[i]) / (double)n;
        if (u[i] >= ((double)stratum[i] + 1) / (double)n) /* by rounding */
            u[i] = nextafter(((double)stratum[i] + 1) / (double)n, 0);
    }
    free(stratum);
}

static double between(const struct study_axis *axis, double u, double to)
{
    return axis->is_log ? axis->from * pow(to / axis->from, u) : axis->from + u * (to - axis->from);
}

const char *axis_at(const struct study_axis *axis, double u, struct arena *arena)
{
    if (axis->n_values > 0)
        return axis->value[(int)(u * axis->n_values)];
    double value = between(axis, u, axis->kind == VALUE_WHOLE ? axis->to + 1 : axis->to);
    if (axis->kind == VALUE_WHOLE)
        value = fmin(floor(value * (1 + 1e-15)), axis->to);
    return written(axis, fmin(fmax(rounded(value, axis->kind == VALUE_WHOLE ? 17 : 6), axis->from), axis->to), 17,
                   arena);
}

double axis_number(const struct study_axis *axis, const char *text)
{
    double value;
    int is_number = axis->kind == VALUE_WHOLE || axis->kind == VALUE_REAL || axis->kind == VALUE_SEED;
    return is_number && !unit_parse(text, axis->unit, &value) ? value : NAN;
}

const char *axis_unit(const struct study_axis *axis, struct arena *arena)
{
    char text[96];
    if (axis->unit == UNIT_NONE)
        return "";
    const char *blank = strchr(unit_print(text, sizeof text, axis->unit, 1), ' ');
    return blank ? arena_string(arena, blank + 1) : "";
}
