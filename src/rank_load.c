/* rank_load.c - what enters and leaves an emulated device's memory: initial values, minibatches, predictions. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "rank_private.h"

static void store(void *memory, int element_bytes, int64_t i, double value)
{
    if (element_bytes == 8)
        ((double *)memory)[i] = value;
    else
        ((float *)memory)[i] = (float)value;
}

static double fetch(const void *memory, int element_bytes, int64_t i)
{
    return element_bytes == 8 ? ((const double *)memory)[i] : (double)((const float *)memory)[i];
}

static double initial_value(const struct slot *slot, struct rng_key key, int64_t i)
{
    switch (slot->init) {
    case SLOT_INIT_ONE:
        return 1;
    case SLOT_INIT_UNIFORM:
        return slot->init_scale * (2 * rng_uniform(key, 0, (uint64_t)i) - 1);
    case SLOT_INIT_NORMAL:
        return slot->init_scale * rng_normal(key, 0, (uint64_t)i);
    case SLOT_INIT_VALUES:
        return slot->values[i];
    default:
        return 0;
    }
}

void load_initial_values(const struct program *program, uint64_t seed, int element_bytes, char *memory)
{
    for (int s = 0; s < program->n_slots; s++) {
        const struct slot *slot = &program->slots[s];
        if (slot->init == SLOT_INIT_NONE)
            continue;
        struct rng_key key = rng_key(seed, RNG_INIT, slot->init_place);
        for (int64_t i = 0; i < slot->elements; i++)
            store(memory + slot->offset_bytes, element_bytes, i, initial_value(slot, key, i));
    }
}

/* Samples of this device in this minibatch: the last minibatch of an evaluation may hold fewer. */
static int64_t own_samples(const struct step_record *record, const struct program *program)
{
    int64_t left = (int64_t)record->n_samples - program->first_sample;
    return left < 0 ? 0 : left < program->samples ? left : program->samples;
}

static void *row(void *memory, int element_bytes, int64_t sample, int64_t row_elements)
{
    return memory ? (char *)memory + sample * row_elements * element_bytes : NULL;
}

void load_minibatch(struct executor *executor, const struct step_record *record, const struct program *program,
                    void *const out[OP_MAX_OUT])
{
    const struct windows_shape *shape = windows_shape(executor->windows);
    int64_t x_elements = shape->tokens * shape->features, n = own_samples(record, program), rest = program->samples - n;
    int bytes = element_bytes(executor);
    enum window_set set = record->program == PROGRAM_TRAIN ? WINDOWS_TRAIN : WINDOWS_TEST;
    for (int64_t s = 0; s < n; s++)
        if (windows_sample(executor->windows, set, executor->samples[program->first_sample + s], bytes,
                           row(out[0], bytes, s, x_elements), row(out[1], bytes, s, shape->outputs),
                           row(out[2], bytes, s, shape->outputs), &executor->fault) != STATUS_OK)
            return;
    memset(row(out[0], bytes, n, x_elements), 0, (size_t)(rest * x_elements * bytes));
    memset(row(out[1], bytes, n, shape->outputs), 0, (size_t)(rest * shape->outputs * bytes));
    if (out[2])
        memset(row(out[2], bytes, n, shape->outputs), 0, (size_t)(rest * shape->outputs * bytes));
}

static float *prediction_row(struct prediction_list *list, uint32_t sample, int64_t outputs)
{
    if (list->n == list->max) {
        list->max = list->max ? 2 * list->max : 256;
        list->sample = realloc(list->sample, list->max * sizeof *list->sample);
        list->values = realloc(list->values, list->max * (size_t)outputs * sizeof *list->values);
        if (!list->sample || !list->values)
            bug("out of memory");
    }
    list->sample[list->n] = sample;
    return list->values + list->n++ * (size_t)outputs;
}

static void add_errors(struct executor *executor, struct local_device *device, const void *const in[OP_MAX_IN],
                       int64_t sample, uint32_t number)
{
    const struct windows_shape *shape = windows_shape(executor->windows);
    int bytes = element_bytes(executor);
    float *keep =
        executor->options.keep_predictions ? prediction_row(&device->predictions, number, shape->outputs) : NULL;
    for (int64_t o = 0; o < shape->outputs; o++) {
        int64_t i = sample * shape->outputs + o, station = o % shape->stations;
        double prediction = windows_to_units(executor->windows, station, fetch(in[0], bytes, i));
        if (keep)
            keep[o] = (float)prediction;
        if (!in[2] || fetch(in[2], bytes, i) != 0)
            metric_add(&device->metrics.row[o / shape->stations], prediction,
                       windows_to_units(executor->windows, station, fetch(in[1], bytes, i)));
    }
}

void load_errors(struct executor *executor, const struct step_record *record, struct local_device *device,
                 const struct program *program, const void *const in[OP_MAX_IN])
{
    const void *sums = slot_memory(device, program, program->sums);
    int bytes = element_bytes(executor);
    device->metrics.n_horizons = (int)windows_shape(executor->windows)->horizon;
    device->metrics.loss_sum += fetch(sums, bytes, 0);
    device->metrics.loss_count += fetch(sums, bytes, 1);
    for (int64_t s = 0; s < own_samples(record, program); s++)
        add_errors(executor, device, in, s, executor->samples[program->first_sample + s]);
}
