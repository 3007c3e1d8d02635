/* calibrate.h - the constants of a machine that make a replay meet a measured run of an inference engine.
 *
 * Three constants are fitted, each with a meaning of its own: the bandwidth of device memory (decoding reads weights
 * and KV), the peak rate of matrix arithmetic (prompts), and the time of the host's engine for each iteration. All
 * others stay those of the profile. The requests of the run are replayed through serving on the emulated machine, all
 * of them, since they share it; only the first n_train, by arrival, count in the fit (deviation_to_fit), so that the
 * rest tells what the fit is worth.
 */
#ifndef SCHEDULER_CALIBRATE_H
#define SCHEDULER_CALIBRATE_H

#include "config/job.h"
#include "store/measured_run.h"

/* How requests are replayed. */
struct replay_setting {
    const char *model;   /* decoder of the catalogue */
    const char *cluster; /* file; or ... */
    const char *profile; /* ... a GPU of the catalogue, one of it, when cluster is NULL */
    int64_t max_batch, token_budget;
    int schedule_ahead; /* asynchronous scheduling: serve.schedule_ahead */
};

struct calibrated {
    double memory_bytes_per_s, peak_flop_per_s; /* at bf16 */
    double overhead_s;                          /* of an iteration */
};

struct calibration {
    struct calibrated start, found; /* found: rounded to four digits, as it is to be written down */
    double start_deviation, deviation;
    int n_replays;
    struct served *record; /* [n] the replay with `found` */
};

/* Local. A job in bf16 with fused attention and chunked prefill, timing only. Faults STATUS_USAGE, STATUS_IO. */
enum status replay_job(const struct replay_setting *setting, struct arena *arena, struct job *job, struct fault *fault);

/* Local. Serves the requests in this process alone; record[requests.n] by number of the request, in the arena. */
enum status replay(const struct job *job, const struct requests *requests, struct arena *arena, struct served **record,
                   struct fault *fault);

/* Local. The job's cluster with these constants; it must be one entry of GPUs. */
void calibrated_apply(const struct calibrated *constants, struct job *job);

/* Local. Fits the constants of the job's machine, starting at `start`; at most about most_replays replays. Fault
 * STATUS_USAGE when n_train is below CALIBRATE_LEAST or above the requests of the run. */
enum { CALIBRATE_LEAST = 8 };
enum status calibrate(const struct job *job, const struct measured_run *run, size_t n_train,
                      const struct calibrated *start, int most_replays, struct arena *arena,
                      struct calibration *calibration, struct fault *fault);

#endif
