#include "scheduler/calibrate.h"

#include <math.h>
#include <string.h>

#include "base/cloud.h"
#include "base/descent.h"
#include "base/simplex.h"
#include "device/catalogue.h"
#include "scheduler/serve.h"
#include "serving/deviation.h"

/* The three constants as the search sees them, so that what a run tells well stands apart from what it tells badly: the
 * logarithm of the time of a decode of one sequence (reading the weights, and the overhead), which every token shows;
 * that of the peak rate; and the share of the overhead in the first, which only shows where batches differ. */
enum { DECODE, PEAK, SHARE, N_VARIABLES };

/* Points of the search differ by less than this at its end. */
#define TOLERANCE 3e-4
#define START_SHARE 0.15
enum { CLOUD_POINTS = 24, TURNS = 2 };

enum status replay_job(const struct replay_setting *setting, struct arena *arena, struct job *job, struct fault *fault)
{
    const char *given = setting->cluster ? arena_printf(arena, "cluster=%s", setting->cluster) : NULL;
    if (!given && !catalogue_gpu(setting->profile))
        return fault_set(fault, STATUS_USAGE, "no GPU '%s' in the catalogue: polyrank devices lists them",
                         setting->profile);
    const char *cluster =
        given ? ""
              : arena_printf(arena, "cluster:\n  links: {host: pcie5}\n  devices:\n    - {kind: gpu, profile: %s}\n",
                             setting->profile);
    const char *text = arena_printf(
        arena,
        "name: replay\n%s"
        "placement: {numerics: bf16, attention_kernel: fused}\n"
        "serve: {requests: 1, batching: chunked, max_batch: %lld, token_budget: %lld, schedule_ahead: %s}\n",
        cluster, (long long)setting->max_batch, (long long)setting->token_budget,
        setting->schedule_ahead ? "true" : "false");
    const char *overrides[] = {arena_printf(arena, "decoder.model=%s", setting->model), given};
    return job_parse(arena, "replay", text, overrides, given ? 2 : 1, job, fault);
}

enum status replay(const struct job *job, const struct requests *requests, struct arena *arena, struct served **record,
                   struct fault *fault)
{
    struct job own = *job;
    struct serve serve;
    struct serve_result result;
    const struct serve_given given = {*requests, NULL};
    struct arena *scratch = arena_new();
    struct comm *alone = comm_alone();
    enum status status = serve_open(alone, &own, 1, &given, scratch, &serve, fault);
    if (status == STATUS_OK) {
        status =
            serve_run(&serve, &(struct serve_options){.quiet = 1}, &(struct serve_sink){.state = NULL}, &result, fault);
        serve_close(&serve);
    }
    if (status == STATUS_OK) {
        *record = arena_array(arena, requests->n, sizeof **record);
        memcpy(*record, result.serving.record, requests->n * sizeof **record);
    }
    comm_close(alone, 0);
    arena_free(scratch);
    return status;
}

void calibrated_apply(const struct calibrated *constants, struct job *job)
{
    if (job->cluster.n_devices != 1)
        bug("a calibration of %d kinds of devices", job->cluster.n_devices);
    job->cluster.device[0].memory_bytes_per_s = constants->memory_bytes_per_s;
    job->cluster.device[0].peak_flop_per_s = constants->peak_flop_per_s;
    job->cluster.iteration_overhead_s = constants->overhead_s;
}

/* ---- the fit ---- */

struct fit {
    const struct job *job;
    const struct measured_run *run;
    size_t n_train;
    double weight_bytes; /* bf16 */
    struct fault *fault;
};

/* INFINITY after a fault, of this replay or of one before. */
static double deviation_with(const struct fit *fit, const struct calibrated *constants, struct arena *arena,
                             struct served **record)
{
    struct job job = *fit->job;
    calibrated_apply(constants, &job);
    if (fit->fault->status != STATUS_OK || replay(&job, &fit->run->requests, arena, record, fit->fault) != STATUS_OK)
        return INFINITY;
    return deviation_to_fit(fit->run->record, *record, fit->n_train);
}

static struct calibrated constants_of(const struct fit *fit, const double *x)
{
    double decode_s = exp(x[DECODE]);
    return (struct calibrated){fit->weight_bytes / (decode_s * (1 - x[SHARE])), exp(x[PEAK]), decode_s * x[SHARE]};
}

/* INFINITY where no machine is. residual and weight NULL: not asked for. */
static double value_and_residuals(void *state, const double *x, double *residual, double *weight)
{
    const struct fit *fit = state;
    struct served *record;
    if (x[SHARE] <= 0 || x[SHARE] >= 1)
        return INFINITY;
    const struct calibrated constants = constants_of(fit, x);
    struct arena *arena = arena_new();
    double deviation = deviation_with(fit, &constants, arena, &record);
    if (residual && isfinite(deviation))
        deviation_residuals(fit->run->record, record, fit->n_train, residual, weight);
    arena_free(arena);
    return deviation;
}

static double value(void *state, const double *x)
{
    return value_and_residuals(state, x, NULL, NULL);
}

static double four_digits(double number)
{
    double digits = floor(log10(number)) - 3,
           place = pow(10, fabs(digits)); /* whole, so that nothing else is rounded */
    return digits > 0 ? round(number / place) * place : round(number * place) / place;
}

/* Down from x, in turn through narrow valleys and over small steps. */
static void go_down(struct fit *fit, int each, double *x, int *n_replays)
{
    struct descent descent = {.n = N_VARIABLES,
                              .m = 2 * fit->n_train,
                              .difference = {0.02, 0.04, 0.04},
                              .quarterings = 2,
                              .most_values = each};
    struct simplex simplex = {
        .n = N_VARIABLES, .step = {0.01, 0.02, 0.02}, .tolerance = TOLERANCE, .most_values = each};
    for (int turn = 0; turn < TURNS; turn++) {
        memcpy(descent.start, x, N_VARIABLES * sizeof *x);
        descent_run(&descent, value_and_residuals, fit, x, n_replays);
        memcpy(simplex.start, x, N_VARIABLES * sizeof *x);
        simplex_minimise(&simplex, value, fit, x, n_replays);
    }
}

/* TTFT jumps where a request makes it into an iteration or does not, so the way down is rugged: clouds first. */
static void search(struct fit *fit, int most_replays, struct calibration *calibration)
{
    const struct calibrated *start = &calibration->start;
    const struct cloud cloud = {.n = N_VARIABLES,
                                .centre = {log(fit->weight_bytes / start->memory_bytes_per_s + start->overhead_s),
                                           log(start->peak_flop_per_s), START_SHARE},
                                .spread = {0.25, 0.5, 0.15},
                                .points = CLOUD_POINTS,
                                .clouds = most_replays / 2 / CLOUD_POINTS,
                                .key = rng_key(0, RNG_SEARCH, 0)};
    double x[N_VARIABLES];
    cloud_minimise(&cloud, value, fit, x);
    calibration->n_replays += 1 + cloud.clouds * cloud.points;
    go_down(fit, (most_replays - calibration->n_replays) / (2 * TURNS), x, &calibration->n_replays);
    const struct calibrated found = constants_of(fit, x);
    calibration->found = (struct calibrated){four_digits(found.memory_bytes_per_s), four_digits(found.peak_flop_per_s),
                                             four_digits(found.overhead_s)};
}

enum status calibrate(const struct job *job, const struct measured_run *run, size_t n_train,
                      const struct calibrated *start, int most_replays, struct arena *arena,
                      struct calibration *calibration, struct fault *fault)
{
    const struct decoder_config *config = decoder_model(job->decoder.model);
    struct served *record;
    if (!config)
        return fault_set(fault, STATUS_USAGE, "no decoder '%s' in the catalogue: polyrank model list shows them",
                         job->decoder.model);
    if (n_train < CALIBRATE_LEAST || n_train > run->requests.n)
        return fault_set(fault, STATUS_USAGE,
                         "%s: expected %d to %zu requests to calibrate with, one for each constant and more to tell "
                         "them apart, found %zu",
                         run->requests.path, CALIBRATE_LEAST, run->requests.n, n_train);
    struct fit fit = {job, run, n_train, 2 * (double)decoder_parameters(config), fault};
    *calibration = (struct calibration){.start = *start, .n_replays = 2};
    calibration->start_deviation = deviation_with(&fit, start, arena, &record);
    search(&fit, most_replays, calibration);
    calibration->deviation = deviation_with(&fit, &calibration->found, arena, &calibration->record);
    return fault->status;
}
