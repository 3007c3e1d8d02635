/* hpt_job.h - small random jobs for an HpT machine with synthetic data, opened for training in this process. */
#ifndef TESTS_HPT_JOB_H
#define TESTS_HPT_JOB_H

#include <check.h>

#include "folder.h"
#include "scheduler/train.h"
#include "store/synth.h"

struct hpt_job {
    struct folder folder;
    struct arena *arena;
    struct comm *comm;
    struct job job;
    struct training training;
};

static inline void hpt_data(const char *file, uint64_t seed)
{
    struct synth_options options = {.n_stations = 5, .n_rows = 200, .seed = seed, .step_s = 3600, .n_variables = 1};
    options.variable[0] = "wind_speed";
    options.units[0] = "m s-1";
    struct fault fault = FAULT_NONE;
    ck_assert_msg(synth_write(file, &options, &fault) == STATUS_OK, "%s", fault.text);
}

/* Every third a traffic model. */
static inline const char *hpt_model(struct dice *d, struct arena *arena)
{
    int width = 8 + 8 * (int)below(d, 2), layers = 1 + (int)below(d, 3);
    if (below(d, 3) == 0)
        return arena_printf(arena, "{preset: traffic, d_model: %d, heads: 2, layers: %d, ffn: 12}", width, layers);
    return arena_printf(
        arena, "{preset: wind, d_model: %d, heads: 2, layers: %d, ffn: 12, embed_hidden: 6, dropout: 0, head: token}",
        width, layers);
}

/* Ideal cells, fp32 everywhere: only rounding tells the devices apart. `more` goes into section train. */
static inline const char *hpt_text(struct dice *d, struct arena *arena, const char *file, const char *more)
{
    static const char *const targets[] = {"q, v", "q, k, v", "q, k, v, o, ffn0, ffn1", "ffn1", "k, o"};
    static const int widths[] = {1, 3, 6, 8};
    return arena_printf(arena,
                        "cluster:\n"
                        "  name: small\n"
                        "  devices:\n"
                        "    - {kind: gpu, profile: a100-80g, count: %d}\n"
                        "    - {kind: reram, profile: isaac, count: %d, fidelity: ideal}\n"
                        "    - {kind: systolic, profile: systolic-128-7nm, count: %d, numerics: fp32, idle_w: %d W}\n"
                        "  links: {inside: nvlink3, between: ib-hdr, host: pcie4, stack: stack-3d}\n"
                        "model: %s\n"
                        "data: {file: %s, window: 3, test_fraction: 0.2, validation_fraction: 0.1}\n"
                        "train:\n"
                        "  steps: 40\n"
                        "  minibatch: 8\n"
                        "  seed: %d\n"
                        "  adapter: {width: %d, dropout: 0, targets: [%s], train_norms: %s}\n"
                        "%s"
                        "placement: {policy: hpt, micro_batches: %d}\n",
                        1 + (int)below(d, 3), 1 + (int)below(d, 3), 1 + (int)below(d, 2), (int)below(d, 3),
                        hpt_model(d, arena), file, (int)below(d, 100), widths[below(d, 4)], targets[below(d, 5)],
                        below(d, 2) ? "true" : "false", more, 1 << below(d, 3));
}

/* `set`: n overrides, "train.seed=3". */
static inline void hpt_open_with(struct hpt_job *hpt, struct dice *d, const char *more, const char *const *set, int n)
{
    struct fault fault = FAULT_NONE;
    folder_open(&hpt->folder);
    const char *file = folder_file(&hpt->folder, "synth.h5");
    hpt_data(file, below(d, 1000));
    hpt->arena = arena_new();
    hpt->comm = comm_alone();
    const char *text = hpt_text(d, hpt->arena, file, more);
    ck_assert_msg(job_parse(hpt->arena, "j.yaml", text, set, n, &hpt->job, &fault) == STATUS_OK, "%s", fault.text);
    enum status status = training_open(hpt->comm, &hpt->job, 0, hpt->arena, &hpt->training, &fault);
    ck_assert_msg(status == STATUS_OK, "%s\n%s", fault.text, text);
}

static inline void hpt_open(struct hpt_job *hpt, struct dice *d, const char *more)
{
    hpt_open_with(hpt, d, more, NULL, 0);
}

static inline struct executor *hpt_executor(struct hpt_job *hpt)
{
    struct fault fault = FAULT_NONE;
    struct executor_options options = {.keep_predictions = 1, .seed = hpt->job.train.seed};
    struct executor *executor;
    enum status status = executor_open(hpt->comm, &hpt->training.plan, hpt->training.machine.specs,
                                       hpt->training.windows, &options, &executor, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
    return executor;
}

static inline void hpt_close(struct hpt_job *hpt)
{
    training_close(&hpt->training);
    comm_close(hpt->comm, 0);
    arena_free(hpt->arena);
    folder_close(&hpt->folder);
}

/* One run of a program on samples first .. first + minibatch - 1. */
static inline struct step_result hpt_run(struct hpt_job *hpt, struct executor *executor, int program, uint32_t step,
                                         uint32_t first)
{
    struct fault fault = FAULT_NONE;
    struct step_result result;
    uint32_t samples[64], n = (uint32_t)hpt->job.train.minibatch;
    for (uint32_t i = 0; i < n; i++)
        samples[i] = first + i;
    int has_samples = program != PROGRAM_HANDOVER && program != PROGRAM_RETURN;
    struct step_record record = {.program = (uint32_t)program,
                                 .step = step,
                                 .n_samples = has_samples ? n : 0,
                                 .generation = 1,
                                 .repeat = 1,
                                 .learning_rate = 0.02};
    ck_assert_msg(executor_step(executor, &record, samples, NULL, &result, &fault) == STATUS_OK, "%s", fault.text);
    return result;
}

#endif
