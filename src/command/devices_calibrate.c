#include "command/devices_calibrate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/unit.h"
#include "command/replay_tables.h"
#include "device/catalogue.h"
#include "scheduler/calibrate.h"

enum { MOST_REPLAYS = 300 };

static void print_constant(const char *name, enum unit unit, double start, double found)
{
    char from[32], to[32];
    printf("  %-20s  %14s  %14s  %7.1f\n", name, unit_show(from, sizeof from, unit, start),
           unit_show(to, sizeof to, unit, found), 100 * found / start);
}

static void print_constants(const struct calibrate_request *request, const struct calibration *c)
{
    char overhead[32];
    printf("  %-20s  %14s  %14s  %7s\n", "constant", request->profile, "calibrated", "%");
    print_constant("memory_bytes_per_s", UNIT_BYTES_PER_S, c->start.memory_bytes_per_s, c->found.memory_bytes_per_s);
    print_constant("peak_flop_per_s", UNIT_FLOP_PER_S, c->start.peak_flop_per_s, c->found.peak_flop_per_s);
    printf("  %-20s  %14s  %14s\n", "iteration_overhead_s", "0 s",
           unit_show(overhead, sizeof overhead, UNIT_SECONDS, c->found.overhead_s));
    printf("\n  mean |ln(emulated / measured)| of TTFT and of TPOT, added: %.4f before, %.4f after %d replays\n\n",
           c->start_deviation, c->deviation, c->n_replays);
}

/* What else a cluster file needs stays the profile's, and is written down because the fit is worth nothing without. */
static void write_cluster(const struct calibrate_request *request, const struct calibrated *found, FILE *out)
{
    const struct gpu_profile *gpu = catalogue_gpu(request->profile);
    char text[64];
    fprintf(out,
            "# %s as a measured run of an inference engine shows it. Made by\n"
            "#   polyrank devices --calibrate %s --profile %s --model %s --max-batch %lld --token-budget %lld "
            "--train-share %g%s\n"
            "# memory_bytes_per_s, peak_flop_per_s (bf16) and iteration_overhead_s are fitted, the rest is the "
            "profile's.\n",
            request->profile, request->run, request->profile, request->model, (long long)request->max_batch,
            (long long)request->token_budget, request->train_share, request->synchronous ? " --synchronous" : "");
    fprintf(out, "name: %s-calibrated\n", request->profile);
    fprintf(out, "iteration_overhead_s: %s\n", unit_print(text, sizeof text, UNIT_SECONDS, found->overhead_s));
    fprintf(out, "devices:\n  - kind: gpu\n    profile: %s\n", request->profile);
    fprintf(out, "    memory_bytes: %s\n", unit_print(text, sizeof text, UNIT_BYTES, (double)gpu->memory_bytes));
    fprintf(out, "    memory_bytes_per_s: %s\n",
            unit_print(text, sizeof text, UNIT_BYTES_PER_S, found->memory_bytes_per_s));
    fprintf(out, "    peak_flop_per_s: %s\n", unit_print(text, sizeof text, UNIT_FLOP_PER_S, found->peak_flop_per_s));
    fprintf(out, "    launch_s: %s\n", unit_print(text, sizeof text, UNIT_SECONDS, (double)gpu->launch_ps * 1e-12));
    fprintf(out, "links:\n  host: pcie5\n");
}

static enum status write_out(const struct calibrate_request *request, const struct calibrated *found,
                             struct fault *fault)
{
    if (!request->out) {
        write_cluster(request, found, stdout);
        return STATUS_OK;
    }
    FILE *file = fopen(request->out, request->force ? "w" : "wx");
    if (!file)
        return fault_set(fault, errno == EEXIST ? STATUS_USAGE : STATUS_IO, "%s: %s%s", request->out, strerror(errno),
                         errno == EEXIST ? ": --force replaces it" : "");
    write_cluster(request, found, file);
    int bad = ferror(file);
    if (fclose(file) != 0 || bad)
        return fault_set(fault, STATUS_IO, "%s: cannot write", request->out);
    printf("cluster file: %s\n", request->out);
    return STATUS_OK;
}

static enum status calibrate_here(const struct calibrate_request *request, struct arena *arena, struct fault *fault)
{
    const struct replay_setting setting = {.model = request->model,
                                           .profile = request->profile,
                                           .max_batch = request->max_batch,
                                           .token_budget = request->token_budget,
                                           .schedule_ahead = !request->synchronous};
    struct measured_run run;
    struct calibration calibration;
    struct job job;
    enum status status = measured_run_read(request->run, arena, &run, fault);
    if (status == STATUS_OK)
        status = replay_job(&setting, arena, &job, fault);
    if (status != STATUS_OK)
        return status;
    const struct gpu_profile *gpu = catalogue_gpu(request->profile);
    const struct calibrated start = {gpu->dram_bytes_per_s, gpu->bf16_flops_per_s, 0};
    size_t n_train = (size_t)((double)run.requests.n * request->train_share + 0.5);
    status = calibrate(&job, &run, n_train, &start, MOST_REPLAYS, arena, &calibration, fault);
    if (status != STATUS_OK)
        return status;
    const struct replay_pair all = {run.record, calibration.record, run.requests.n};
    const struct replay_pair train = replay_part(&all, 0, n_train), rest = replay_part(&all, n_train, all.n);
    print_constants(request, &calibration);
    replay_table_print("fitted", &train, arena, stdout);
    replay_table_print("not fitted", &rest, arena, stdout);
    return write_out(request, &calibration.found, fault);
}

enum status devices_calibrate(const struct calibrate_request *request, struct fault *fault)
{
    struct arena *arena = arena_new();
    enum status status = calibrate_here(request, arena, fault);
    arena_free(arena);
    return status;
}
