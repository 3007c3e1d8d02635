/* train_weights.c - the weights that a run leaves behind: each from the device that trained it last. */
#include <string.h>

#include "kernel/run.h"
#include "model/adapter.h"
#include "scheduler/train_private.h"

static int find_trained(const struct program *program, const char *name)
{
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].is_trained && strcmp(program->slots[s].name, name) == 0)
            return s;
    return NO_SLOT;
}

static enum status keep(struct course *course, int device, int program_id, int s, struct fault *fault)
{
    struct training *training = course->training;
    struct run *run = &course->result->run;
    const struct slot *slot = &training->plan.programs[program_id][device].slots[s];
    void *values = NULL;
    enum status status = executor_fetch(course->executor, training->arena, device, program_id, s, &values, fault);
    if (status != STATUS_OK)
        return status;
    struct run_parameter *parameter = &run->parameter[run->n_parameters_stored++];
    *parameter = (struct run_parameter){.name = slot->name, .n_dims = slot->n_dims};
    memcpy(parameter->dims, slot->dims, sizeof parameter->dims);
    if (training->plan.format == FORMAT_FP64)
        parameter->values64 = values;
    else
        parameter->values = values;
    return STATUS_OK;
}

/* In low-parameter mode a weight that its devices train is theirs; the others have not changed since the handover. */
static enum status keep_latest(struct course *course, int s, struct fault *fault)
{
    const struct plan *plan = &course->training->plan;
    int gpu = course->training->first_gpu;
    const char *name = plan->programs[PROGRAM_TRAIN][gpu].slots[s].name;
    for (int d = 0; d < plan->n_devices && course_mode(course) == SWITCH_LOW; d++) {
        int theirs = find_trained(&plan->programs[PROGRAM_LOW][d], name);
        if (theirs != NO_SLOT)
            return keep(course, d, PROGRAM_LOW, theirs, fault);
    }
    return keep(course, gpu, PROGRAM_TRAIN, s, fault);
}

static int is_weight_of(const struct program *program, const char *name)
{
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].is_weight && strcmp(program->slots[s].name, name) == 0)
            return 1;
    return 0;
}

/* Adapters are trained by the devices of the low-parameter mode and known to no other. */
static enum status keep_adapters(struct course *course, struct fault *fault)
{
    const struct plan *plan = &course->training->plan;
    const struct program *full = &plan->programs[PROGRAM_TRAIN][course->training->first_gpu];
    enum status status = STATUS_OK;
    for (int d = 0; d < plan->n_devices; d++) {
        const struct program *low = &plan->programs[PROGRAM_LOW][d];
        for (int s = 0; s < low->n_slots && status == STATUS_OK; s++)
            if (low->slots[s].is_trained && !is_weight_of(full, low->slots[s].name))
                status = keep(course, d, PROGRAM_LOW, s, fault);
    }
    return status;
}

static const struct run_parameter *stored(const struct run *run, const char *name)
{
    for (int i = 0; i < run->n_parameters_stored; i++)
        if (strcmp(run->parameter[i].name, name) == 0)
            return &run->parameter[i];
    bug("no weight %s is stored", name);
}

/* A weight as the GPUs have kept it becomes what is frozen beside the adapters of slot `a`: the handover's FACTOR
 * again, from the same values. Rank 0's; the memory is its own. */
static void take_out(const struct training *training, const struct run *run, const struct slot *a,
                     const struct adapter_place *place)
{
    const struct job_adapter *adapter = &training->job->train.adapter;
    const struct run_parameter *weight = stored(run, place->weight);
    struct arena *arena = arena_new();
    const struct op op = op_factor(weight->dims[0] / place->parts, weight->dims[1], a->dims[0],
                                   adapter->alpha / (double)training->adapter_width, a->init_place);
    const size_t first = (size_t)(place->part * op.out * op.in), n_b = (size_t)(op.out * op.width),
                 n_a = (size_t)(op.width * op.in);
    struct kernel_context context = {.format = weight->values64 ? FORMAT_FP64 : FORMAT_FP32,
                                     .seed = training->job->train.seed};
    context.scratch = arena_take(arena, kernel_scratch_bytes(&op, context.format));
    void *b = arena_array(arena, n_b, sizeof(double)), *half_a = arena_array(arena, n_a, sizeof(double));
    if (weight->values64) {
        double *w = (double *)weight->values64 + first;
        kernel_run_f64(&op, &context, (const double *const[OP_MAX_IN]){w}, (double *const[OP_MAX_OUT]){w, b, half_a});
    } else {
        float *w = (float *)weight->values + first;
        kernel_run_f32(&op, &context, (const float *const[OP_MAX_IN]){w}, (float *const[OP_MAX_OUT]){w, b, half_a});
    }
    arena_free(arena);
}

static void take_out_all(const struct training *training, const struct run *run)
{
    const struct plan *plan = &training->plan;
    struct adapter_place place;
    for (int d = 0; d < plan->n_devices; d++)
        for (int s = 0; s < plan->programs[PROGRAM_LOW][d].n_slots; s++) {
            const struct slot *slot = &plan->programs[PROGRAM_LOW][d].slots[s];
            if (slot->is_trained && adapter_place_of(slot->name, training->arena, &place))
                take_out(training, run, slot, &place);
        }
}

/* Float and double weights of a run, as the model's room sees them. */
static void merge_adapters(const struct training *training, struct run *run)
{
    const struct job_adapter *adapter = &training->job->train.adapter;
    struct weight_array *weights = arena_array(training->arena, (size_t)run->n_parameters_stored, sizeof *weights),
                        *merged = NULL;
    for (int i = 0; i < run->n_parameters_stored; i++) {
        const struct run_parameter *p = &run->parameter[i];
        weights[i] = (struct weight_array){p->name, p->n_dims, {0}, p->values, p->values64};
        memcpy(weights[i].dims, p->dims, sizeof weights[i].dims);
    }
    run->n_merged = adapter_merge(weights, run->n_parameters_stored, adapter->alpha / (double)training->adapter_width,
                                  training->arena, &merged);
    run->merged = arena_array(training->arena, (size_t)run->n_merged, sizeof *run->merged);
    for (int i = 0; i < run->n_merged; i++) {
        run->merged[i] =
            (struct run_parameter){merged[i].name, merged[i].n_dims, {0}, merged[i].values, merged[i].values64};
        memcpy(run->merged[i].dims, merged[i].dims, sizeof run->merged[i].dims);
    }
}

enum status course_gather_weights(struct course *course, struct fault *fault)
{
    struct training *training = course->training;
    struct run *run = &course->result->run;
    const struct program *full = &training->plan.programs[PROGRAM_TRAIN][training->first_gpu];
    int low = course_mode(course) == SWITCH_LOW, room = full->n_slots;
    for (int d = 0; d < training->plan.n_devices; d++)
        room += training->plan.programs[PROGRAM_LOW][d].n_slots;
    run->parameter = arena_array(training->arena, (size_t)room, sizeof *run->parameter);
    enum status status = STATUS_OK;
    for (int s = 0; s < full->n_slots && status == STATUS_OK; s++)
        if (full->slots[s].is_weight)
            status = keep_latest(course, s, fault);
    if (status == STATUS_OK && low)
        status = keep_adapters(course, fault);
    if (status == STATUS_OK && comm_rank(training->comm) == 0 && low &&
        strcmp(training->job->train.adapter.init, "svd") == 0)
        take_out_all(training, run);
    if (status == STATUS_OK && comm_rank(training->comm) == 0 &&
        (low || family_adapter(&training->config)->kind != ADAPTER_NONE))
        merge_adapters(training, run);
    return status;
}
