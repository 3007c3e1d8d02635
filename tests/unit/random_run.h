/* random_run.h - runs with random but consistent content. */
#ifndef TESTS_RANDOM_RUN_H
#define TESTS_RANDOM_RUN_H

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "folder.h"
#include "report/run.h"

static inline struct run_metrics random_metrics(struct dice *d)
{
    return (struct run_metrics){fabs(normal(d)), fabs(normal(d)), 100 * fabs(normal(d)), normal(d),
                                (int64_t)below(d, 100000)};
}

static inline struct run_metrics *random_horizons(struct dice *d, struct arena *arena, int n)
{
    struct run_metrics *metrics = arena_array(arena, (size_t)n, sizeof *metrics);
    for (int h = 0; h < n; h++)
        metrics[h] = random_metrics(d);
    return metrics;
}

/* Some devices never wait, some classes never run. */
static inline void random_ledger(struct dice *d, struct ledger *ledger, uint64_t end_ps)
{
    uint64_t left_ps = end_ps;
    memset(ledger, 0, sizeof *ledger);
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        struct cost cost = {
            .time_ps = below(d, left_ps / 4 + 1), .flops = below(d, UINT64_MAX), .bytes = below(d, 1u << 30)};
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            cost.energy_fj[p] = below(d, 3) ? below(d, UINT64_MAX) : 0;
        if (below(d, 3) == 0)
            continue;
        ledger_add(ledger, c, &cost, 1);
        ledger->compute_ps[c] = below(d, 2) ? cost.time_ps : 0;
        ledger->wait_ps[c] = below(d, 2) ? below(d, left_ps / 8 + 1) : 0;
        left_ps -= ledger->compute_ps[c] + ledger->wait_ps[c];
    }
    ledger->off_ps = below(d, 2) ? below(d, left_ps + 1) : 0;
    ledger->idle_ps = left_ps - ledger->off_ps;
    ledger->end_ps = end_ps;
    ledger->wait_energy_fj = (wide_uint)below(d, UINT64_MAX) * below(d, 1000);
    ledger->idle_energy_fj = (wide_uint)below(d, UINT64_MAX) * below(d, 3);
}

static inline void random_devices(struct dice *d, struct arena *arena, struct run *run, int n)
{
    run->n_devices = n;
    run->device = arena_array(arena, (size_t)n, sizeof *run->device);
    for (int i = 0; i < n; i++) {
        struct run_device *device = &run->device[i];
        *device = (struct run_device){.name = arena_printf(arena, "gpu%d", i),
                                      .kind = "gpu",
                                      .profile = i % 2 ? "a100-80g" : "h200",
                                      .node = i / 8,
                                      .memory_bytes = below(d, UINT64_C(80) << 30),
                                      .capacity_bytes = UINT64_C(80) << 30};
        random_ledger(d, &device->ledger, run->end_ps);
    }
}

static inline void random_parameters(struct dice *d, struct arena *arena, struct run *run)
{
    run->n_parameters_stored = 12;
    run->parameter = arena_array(arena, 12, sizeof *run->parameter);
    for (int i = 0; i < 12; i++) {
        struct run_parameter *parameter = &run->parameter[i];
        float *values = arena_array(arena, 6, sizeof *values);
        double *values64 = arena_array(arena, 6, sizeof *values64);
        for (int k = 0; k < 6; k++)
            values[k] = (float)(values64[k] = normal(d));
        *parameter =
            (struct run_parameter){arena_printf(arena, "encoder.%d.attention.q.weight", i), 2, {2, 3}, values, NULL};
        if (i % 2)
            parameter->values = NULL, parameter->values64 = values64, parameter->n_dims = 1, parameter->dims[0] = 6;
    }
    run->n_merged = (int)below(d, 3);
    run->merged = run->parameter + 3;
}

/* Checks with up to four numbers each, some without any; the losses of two arms. */
static inline void random_switch(struct dice *d, struct arena *arena, struct run_switch *told, int n_steps)
{
    static const char *const names[] = {"full", "trial", "low"};
    *told = (struct run_switch){.policy = "safe", .window_steps = 8, .n_records = (int)below(d, 6), .n_steps = n_steps};
    told->record = arena_array(arena, 6, sizeof *told->record);
    told->step = arena_array(arena, (size_t)n_steps, sizeof *told->step);
    for (int i = 0; i < told->n_records; i++) {
        struct run_switch_record *record = &told->record[i];
        int is_decision = (int)below(d, 2);
        *record = (struct run_switch_record){8 * i + 8,
                                             i + 1,
                                             names[below(d, 3)],
                                             names[below(d, 3)],
                                             is_decision ? "start trial" : "continue",
                                             "loss and weights stand still",
                                             is_decision,
                                             is_decision ? 8 : 0,
                                             (int)below(d, 5),
                                             NULL};
        record->number = arena_array(arena, 5, sizeof *record->number);
        for (int k = 0; k < record->n_numbers; k++) {
            int is_told = (int)below(d, 2);
            record->number[k] = (struct run_switch_number){"loss_decrease", is_told ? "" : "<", normal(d),
                                                           is_told ? NAN : normal(d), (int)below(d, 2)};
        }
    }
    for (int i = 0; i < n_steps; i++)
        told->step[i] =
            (struct run_switch_step){i + 1, i % 3 ? normal(d) : NAN, i % 2 ? normal(d) : NAN, i / 8, names[i % 3]};
}

static inline void random_phases(struct dice *d, struct arena *arena, struct run *run)
{
    static const char *const names[] = {"full", "trial", "full", "low"};
    run->n_phases = 1 + (int)below(d, 4);
    run->phase = arena_array(arena, 4, sizeof *run->phase);
    for (int i = 0; i < run->n_phases; i++)
        run->phase[i] = (struct run_phase){names[i], 10 * i + 1, 10 * i + 10, below(d, run->end_ps / 4),
                                           (wide_uint)below(d, UINT64_MAX) * below(d, 1000)};
}

/* Two modes, a device or two with cells, and a choice of which one candidate may be impossible. */
static inline void random_modes(struct dice *d, struct arena *arena, struct run *run)
{
    static const char *const names[] = {"full", "low"};
    run->n_modes = 2;
    run->mode = arena_array(arena, 2, sizeof *run->mode);
    for (int m = 0; m < 2; m++) {
        struct run_mode *mode = &run->mode[m];
        *mode = (struct run_mode){names[m], 1 + (int64_t)below(d, 100000), below(d, 3) ? 1 + below(d, 1u << 30) : 0,
                                  (wide_uint)below(d, UINT64_MAX) * below(d, 1000), NULL};
        mode->busy_ps = arena_array(arena, (size_t)run->n_devices, sizeof *mode->busy_ps);
        for (int i = 0; i < run->n_devices; i++)
            mode->busy_ps[i] = below(d, 2) ? below(d, mode->step_ps + 1) : 0;
    }
    run->handover =
        (struct run_handover){(int64_t)below(d, 4), below(d, 1u << 30), (wide_uint)below(d, UINT64_MAX) * 7};
    run->way_back =
        (struct run_handover){(int64_t)below(d, 3), below(d, 1u << 30), (wide_uint)below(d, UINT64_MAX) * 5};
    run->n_cells = (int)below(d, run->n_devices < 2 ? 2 : 3);
    run->cells = arena_array(arena, 2, sizeof *run->cells);
    for (int c = 0; c < run->n_cells; c++)
        run->cells[c] = (struct run_cells){c,           1 + below(d, 9),    100 + below(d, 100), 300,
                                           below(d, 9), 1 + below(d, 1000), below(d, 3) * 1000,  1 + fabs(normal(d)),
                                           1e8};
}

/* Faults that struck, and more that did not; either may be none. */
static inline void random_faults(struct dice *d, struct arena *arena, struct run *run)
{
    static const char *const kinds[] = {"fails", "degrades", "link-slows", "columns-stick"};
    run->n_faults = (int)below(d, 4);
    run->faults_to_come = (int64_t)below(d, 3);
    run->fault = arena_array(arena, (size_t)run->n_faults + 1, sizeof *run->fault);
    for (int i = 0; i < run->n_faults; i++) {
        int kind = (int)below(d, 4);
        run->fault[i] = (struct run_fault){
            .device = run->device[below(d, (uint64_t)run->n_devices)].name,
            .kind = kinds[kind],
            .factor = kind ? 0.01 + 0.9 * (double)below(d, 1000) / 1000 : 0,
            .at_ps = below(d, UINT64_C(1) << 50),
            .time_ps = below(d, UINT64_C(1) << 50),
            .step = 1 + i,
            .action = "its matrices go to the others",
            .reason = below(d, 2) ? "reram0 needs 9 crossbars for its 2 matrices, found 4" : "",
            .recovery_ps = below(d, UINT64_C(1) << 40),
            .recovery_fj = (wide_uint)below(d, UINT64_MAX) * below(d, 100),
            .recovery_cells = below(d, UINT64_C(1) << 40),
            .steps_undone = (int64_t)below(d, 50),
            .steps_since = (int64_t)below(d, 50),
            .step_before_ps = below(d, 2) ? below(d, UINT64_C(1) << 40) : 0,
            .step_after_ps = below(d, 2) ? below(d, UINT64_C(1) << 40) : 0,
        };
    }
}

/* One or two matrices on each device with cells. */
static inline void random_matrices(struct dice *d, struct arena *arena, struct run *run)
{
    run->matrix = arena_array(arena, 4, sizeof *run->matrix);
    for (int c = 0; c < run->n_cells; c++)
        for (uint64_t m = 0; m <= below(d, 2); m++)
            run->matrix[run->n_matrices++] = (struct run_matrix){
                run->cells[c].device, "layers.0.attn.q.weight", 1 + (int64_t)below(d, 99), 1 + (int64_t)below(d, 99),
                1 + below(d, 50),     1 + below(d, 1000),       below(d, 1u << 30)};
}

static inline void random_choice(struct dice *d, struct arena *arena, struct run_choice *choice)
{
    static const char *const objectives[] = {"time", "energy", "product"};
    *choice = (struct run_choice){objectives[below(d, 3)], "gpu-only", (int64_t)below(d, 9) - 1,
                                  (int64_t)below(d, 3),    2,          NULL};
    choice->candidate = arena_array(arena, 2, sizeof *choice->candidate);
    choice->candidate[0] = (struct run_candidate){"gpu-only", NULL, 1 + below(d, 1u << 30), fabs(normal(d))};
    choice->candidate[1] = (struct run_candidate){"hpt", below(d, 2) ? "no device" : NULL, 0, 0};
}

static inline struct run random_run(struct dice *d, struct arena *arena, int n_devices)
{
    int n_horizons = 1 + (int)below(d, 4);
    struct run run = {.name = "wind \"quoted\"",
                      .config =
                          "name: wind\ndata:\n  window: 12\n  target: wind\ncluster:\n  devices:\n    - kind: gpu\n"
                          "      count: 2\n    - kind: pim\n      count: 1\ntrain:\n  seed: 1\n",
                      .model_text = "encoder wind: 57 tokens x 12 features",
                      .placement_text = "data parallel over 2 GPUs",
                      .units = "m s-1",
                      .target = "wind_speed",
                      .n_parameters = 12345,
                      .n_trainable = 12000,
                      .n_train = 4000,
                      .n_test = 730,
                      .n_steps = 1 + (int)below(d, 40),
                      .n_evaluations = 2,
                      .n_baselines = 2,
                      .flops = below(d, UINT64_MAX),
                      .end_ps = 1000000 + below(d, UINT64_C(1) << (20 + below(d, 43)))};
    run.steps = run.n_steps;
    run.step = arena_array(arena, (size_t)run.n_steps, sizeof *run.step);
    for (int i = 0; i < run.n_steps; i++)
        run.step[i] =
            (struct run_step){i + 1, exp(normal(d)), 1e-3, run.end_ps / (uint64_t)(run.n_steps - i), 1e-3 * i};
    run.evaluation = arena_array(arena, 2, sizeof *run.evaluation);
    run.baseline = arena_array(arena, 2, sizeof *run.baseline);
    for (int i = 0; i < 2; i++) {
        run.evaluation[i] = (struct run_evaluation){i + 1,
                                                    run.end_ps / 2,
                                                    fabs(normal(d)),
                                                    n_horizons,
                                                    random_horizons(d, arena, n_horizons),
                                                    random_metrics(d)};
        run.baseline[i] = (struct run_baseline){i ? "AR(12)" : "persistence", n_horizons - i,
                                                random_horizons(d, arena, n_horizons - i), random_metrics(d)};
    }
    random_devices(d, arena, &run, n_devices);
    random_parameters(d, arena, &run);
    run.n_predictions = 3, run.n_outputs = 2;
    float *values = arena_array(arena, 6, sizeof *values);
    for (int i = 0; i < 6; i++)
        values[i] = (float)normal(d);
    run.prediction = run.observation = values;
    if (below(d, 2))
        random_switch(d, arena, &run.mode_switch, run.n_steps);
    if (below(d, 2))
        random_phases(d, arena, &run);
    if (below(d, 2))
        random_modes(d, arena, &run);
    random_matrices(d, arena, &run);
    if (below(d, 2))
        random_choice(d, arena, &run.choice);
    if (below(d, 2))
        random_faults(d, arena, &run);
    return run;
}

#endif
