#include "store/synth.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/rng.h"
#include "store/dataset.h"

enum { N_WAVES = 12, BLOCK_VALUES = 1 << 20 };

/* Streams of random numbers of one variable. */
enum { STREAM_PLACE, STREAM_STATION, STREAM_WAVE, STREAM_NOISE, STREAM_GAP, N_STREAMS };

static const double TAU = 6.283185307179586476925;
static const double DAY_S = 86400;
static const double MEMORY_S = 6 * 3600; /* of the stations' own random part */

struct wave {
    double kx, ky; /* radians per unit of the region */
    double radians_per_s;
    double amplitude, phase;
};

struct synth {
    const struct synth_options *options;
    struct arena *arena;
    double *x, *y;            /* [stations] in 0..1 */
    double *mean, *amplitude; /* [stations] of one variable: mean, daily cycle */
    double *slow;             /* [stations] the random part at the current row */
    struct wave wave[N_WAVES];
    struct rng_key noise, gap;
    float *block;
};

static struct rng_key stream(const struct synth *synth, int variable, int which)
{
    return rng_key(synth->options->seed, RNG_SYNTH, (uint32_t)(variable * N_STREAMS + which));
}

static void place_stations(struct synth *synth)
{
    struct rng_key key = stream(synth, 0, STREAM_PLACE);
    for (int64_t s = 0; s < synth->options->n_stations; s++) {
        synth->x[s] = rng_uniform(key, 0, (uint64_t)s);
        synth->y[s] = rng_uniform(key, 1, (uint64_t)s);
    }
}

/* Waves of 1/4 to 2 regions, the long ones stronger, carried by one mean flow of about a region in two days. */
static void make_waves(struct synth *synth, int variable)
{
    struct rng_key key = stream(synth, variable, STREAM_WAVE);
    double heading = TAU * rng_uniform(key, 0, 0), speed = (0.5 + 0.3 * rng_uniform(key, 0, 1)) / DAY_S;
    for (int w = 0; w < N_WAVES; w++) {
        struct wave *wave = &synth->wave[w];
        uint32_t step = (uint32_t)w + 1;
        double k = TAU * (0.5 + 3.5 * rng_uniform(key, step, 0)), angle = TAU * rng_uniform(key, step, 1);
        wave->kx = k * cos(angle);
        wave->ky = k * sin(angle);
        wave->radians_per_s = speed * (wave->kx * cos(heading) + wave->ky * sin(heading));
        wave->amplitude = 4.0 / sqrt((double)N_WAVES) * sqrt(TAU / k);
        wave->phase = TAU * rng_uniform(key, step, 2);
    }
}

static void start_variable(struct synth *synth, int variable)
{
    struct rng_key key = stream(synth, variable, STREAM_STATION);
    synth->noise = stream(synth, variable, STREAM_NOISE);
    synth->gap = stream(synth, variable, STREAM_GAP);
    make_waves(synth, variable);
    for (int64_t s = 0; s < synth->options->n_stations; s++) {
        synth->mean[s] = 6 + 1.5 * rng_normal(key, 0, (uint64_t)s);
        synth->amplitude[s] = 0.5 + rng_uniform(key, 1, (uint64_t)s);
        synth->slow[s] = rng_normal(key, 2, (uint64_t)s);
    }
}

static double value_at(const struct synth *synth, int64_t station, double time_s)
{
    double x = synth->x[station], y = synth->y[station], value = synth->mean[station] + synth->slow[station];
    for (int w = 0; w < N_WAVES; w++) {
        const struct wave *wave = &synth->wave[w];
        value += wave->amplitude * cos(wave->kx * x + wave->ky * y - wave->radians_per_s * time_s + wave->phase);
    }
    value += synth->amplitude[station] * cos(TAU * (time_s / DAY_S - 0.625 + x / 36));
    return 0.5 * (value + sqrt(value * value + 1));
}

static void make_row(struct synth *synth, int64_t row, float *values)
{
    const struct synth_options *options = synth->options;
    double keep = exp(-(double)options->step_s / MEMORY_S), kick = sqrt(1 - keep * keep);
    double time_s = (double)(options->start_s % 86400 + row * options->step_s);
    for (int64_t s = 0; s < options->n_stations; s++) {
        synth->slow[s] = keep * synth->slow[s] + kick * rng_normal(synth->noise, (uint32_t)row, (uint64_t)s);
        int gap = options->missing_fraction > 0 &&
                  rng_uniform(synth->gap, (uint32_t)row, (uint64_t)s) < options->missing_fraction;
        values[s] = gap ? NAN : (float)value_at(synth, s, time_s);
    }
}

static enum status write_variable(struct synth *synth, struct dataset_writer *writer, int variable, int64_t block_rows,
                                  struct fault *fault)
{
    const struct synth_options *options = synth->options;
    start_variable(synth, variable);
    for (int64_t row = 0; row < options->n_rows; row += block_rows) {
        int64_t left = options->n_rows - row, n = left < block_rows ? left : block_rows;
        for (int64_t r = 0; r < n; r++)
            make_row(synth, row + r, synth->block + r * options->n_stations);
        enum status status = dataset_write_rows(writer, variable, row, n, synth->block, fault);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status check(const struct synth_options *options, struct fault *fault)
{
    if (options->n_stations < 1 || options->n_stations > 10000000 || options->n_rows < 1 || options->n_rows > INT32_MAX)
        return fault_set(fault, STATUS_USAGE,
                         "expected 1 to 10000000 stations and 1 to 2147483647 rows, found %lld stations and %lld rows",
                         (long long)options->n_stations, (long long)options->n_rows);
    if (options->step_s < 1)
        return fault_set(fault, STATUS_USAGE, "expected a step of at least one second");
    if (!(options->missing_fraction >= 0 && options->missing_fraction < 1))
        return fault_set(fault, STATUS_USAGE, "expected a fraction of missing values in [0, 1), found %g",
                         options->missing_fraction);
    return STATUS_OK;
}

static void describe(struct synth *synth, struct dataset_spec *spec, struct dataset_variable *variable)
{
    const struct synth_options *options = synth->options;
    size_t n = (size_t)options->n_stations;
    int64_t *time_s = arena_array(synth->arena, (size_t)options->n_rows, sizeof *time_s);
    double *latitude = arena_array(synth->arena, n, sizeof *latitude);
    double *longitude = arena_array(synth->arena, n, sizeof *longitude);
    const char **station = arena_array(synth->arena, n, sizeof *station);
    for (int64_t r = 0; r < options->n_rows; r++)
        time_s[r] = options->start_s + r * options->step_s;
    for (size_t s = 0; s < n; s++) {
        latitude[s] = 40 + 10 * synth->y[s];
        longitude[s] = 10 * synth->x[s];
        station[s] = arena_printf(synth->arena, "s%05zu", s);
    }
    for (int v = 0; v < options->n_variables; v++)
        variable[v] = (struct dataset_variable){
            .name = options->variable[v], .units = options->units[v], .has_missing = options->missing_fraction > 0};
    *spec = (struct dataset_spec){
        .title = "synthetic field: travelling waves, daily cycle, AR(1)",
        .source = arena_printf(synth->arena, "synthetic, seed %llu", (unsigned long long)options->seed),
        .history = options->history,
        .n_rows = options->n_rows,
        .n_stations = options->n_stations,
        .time_s = time_s,
        .station = station,
        .latitude = latitude,
        .longitude = longitude,
        .n_variables = options->n_variables,
        .variable = variable};
}

static enum status write_all(struct synth *synth, const char *path, struct fault *fault)
{
    const struct synth_options *options = synth->options;
    struct dataset_variable variable[SYNTH_MAX_VARIABLES];
    struct dataset_spec spec;
    struct dataset_writer *writer;
    int64_t block_rows = options->block_rows > 0 ? options->block_rows : BLOCK_VALUES / options->n_stations;
    block_rows = block_rows > 0 ? block_rows : 1;
    synth->block = malloc((size_t)(block_rows * options->n_stations) * sizeof *synth->block);
    if (!synth->block)
        return fault_set(fault, STATUS_FAILED, "%lld stations do not fit into memory", (long long)options->n_stations);
    describe(synth, &spec, variable);
    enum status status = dataset_create(path, &spec, &writer, fault);
    if (status != STATUS_OK)
        return status;
    for (int v = 0; v < options->n_variables && status == STATUS_OK; v++)
        status = write_variable(synth, writer, v, block_rows, fault);
    if (status == STATUS_OK)
        return dataset_finish(writer, fault);
    dataset_abandon(writer);
    return status;
}

enum status synth_write(const char *path, const struct synth_options *options, struct fault *fault)
{
    enum status status = check(options, fault);
    if (status != STATUS_OK)
        return status;
    size_t n = (size_t)options->n_stations;
    struct arena *arena = arena_new();
    struct synth synth = {.options = options, .arena = arena};
    double **const columns[] = {&synth.x, &synth.y, &synth.mean, &synth.amplitude, &synth.slow};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        *columns[i] = arena_array(arena, n, sizeof(double));
    place_stations(&synth);
    status = write_all(&synth, path, fault);
    free(synth.block);
    arena_free(arena);
    return status;
}
