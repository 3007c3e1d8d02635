#include "scheduler/calibrate.h"

#include <math.h>
#include <string.h>

#include "base/simplex.h"
#include "device/catalogue.h"
#include "scheduler/serve.h"
#include "serving/deviation.h"

/* The three constants as the search sees them: logarithms. */
enum { BANDWIDTH, PEAK, OVERHEAD, N_CONSTANTS };

/* The search ends when points differ by less than this share; an overhead below LEAST_OVERHEAD_S is none. */
#define TOLERANCE 5e-4
#define LEAST_OVERHEAD_S 1e-6

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
        status = serve_run(&serve, &(struct serve_sink){0}, &result, fault);
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

static struct calibrated constants_of(const double *x)
{
    return (struct calibrated){exp(x[BANDWIDTH]), exp(x[PEAK]), exp(x[OVERHEAD])};
}

static double value(void *state, const double *x)
{
    const struct calibrated constants = constants_of(x);
    struct served *record;
    if (constants.overhead_s < LEAST_OVERHEAD_S || constants.overhead_s >= 1)
        return INFINITY;
    struct arena *arena = arena_new();
    double deviation = deviation_with(state, &constants, arena, &record);
    arena_free(arena);
    return deviation;
}

static double four_digits(double number)
{
    double place = pow(10, 3 - floor(log10(number)));
    return round(number * place) / place;
}

/* From the start with wide steps; then from what was found, since a simplex can lie down flat before it is there. */
static void search(struct fit *fit, int most_replays, struct calibration *calibration)
{
    static const double steps[N_CONSTANTS] = {-0.2, -0.3, 0.7};
    double x[N_CONSTANTS] = {log(calibration->start.memory_bytes_per_s), log(calibration->start.peak_flop_per_s),
                             log(fmax(calibration->start.overhead_s, 1e-3))};
    for (int round = 0; round < 3; round++) {
        struct simplex simplex = {.n = N_CONSTANTS,
                                  .tolerance = TOLERANCE,
                                  .most_values = (round + 1) * most_replays / 3 - calibration->n_replays};
        for (int i = 0; i < N_CONSTANTS; i++) {
            simplex.start[i] = x[i];
            simplex.step[i] = round % 2 ? -steps[i] / 4 : steps[i] / (round ? 8 : 1);
        }
        simplex_minimise(&simplex, value, fit, x, &calibration->n_replays);
    }
    const struct calibrated found = constants_of(x);
    calibration->found = (struct calibrated){four_digits(found.memory_bytes_per_s), four_digits(found.peak_flop_per_s),
                                             four_digits(found.overhead_s)};
}

enum status calibrate(const struct job *job, const struct measured_run *run, size_t n_train,
                      const struct calibrated *start, int most_replays, struct arena *arena,
                      struct calibration *calibration, struct fault *fault)
{
    struct fit fit = {job, run, n_train, fault};
    struct served *record;
    if (n_train < CALIBRATE_LEAST || n_train > run->requests.n)
        return fault_set(fault, STATUS_USAGE,
                         "%s: expected %d to %zu requests to calibrate with, one for each constant and more to tell "
                         "them apart, found %zu",
                         run->requests.path, CALIBRATE_LEAST, run->requests.n, n_train);
    *calibration = (struct calibration){.start = *start, .n_replays = 2};
    calibration->start_deviation = deviation_with(&fit, start, arena, &record);
    search(&fit, most_replays, calibration);
    calibration->deviation = deviation_with(&fit, &calibration->found, arena, &calibration->record);
    return fault->status;
}
