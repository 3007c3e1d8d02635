#include "rank_load.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "kernel/fastfood.h"
#include "kernel/run.h"
#include "model/adapter.h"

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

static double initial_value(const struct slot *slot, struct rng_key key, uint32_t generation, int64_t i)
{
    switch (slot->init) {
    case SLOT_INIT_ONE:
        return 1;
    case SLOT_INIT_UNIFORM:
        return slot->init_scale * (2 * rng_uniform(key, generation, (uint64_t)i) - 1);
    case SLOT_INIT_NORMAL:
        return slot->init_scale * rng_normal(key, generation, (uint64_t)i);
    case SLOT_INIT_VALUES:
        return slot->values[i];
    default:
        return 0;
    }
}

void load_initial_slot(const struct slot *slot, uint64_t seed, uint32_t generation, int element_bytes, char *memory)
{
    if (slot->init == SLOT_INIT_FASTFOOD) {
        fastfood_table(seed, slot->init_place, (size_t)slot->init_scale, (size_t)element_bytes,
                       memory + slot->offset_bytes);
        return;
    }
    struct rng_key key = rng_key(seed, RNG_INIT, slot->init_place);
    for (int64_t i = 0; i < slot->elements; i++)
        store(memory + slot->offset_bytes, element_bytes, i, initial_value(slot, key, generation, i));
}

static const struct slot *slot_named(const struct program *program, const char *name)
{
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].is_weight && strcmp(program->slots[s].name, name) == 0)
            return &program->slots[s];
    bug("there is no weight %s", name);
}

/* Adapters become factors of the weight beside which they stand, as it starts; that keeps the rest. */
static void load_factor(const struct program *program, const struct slot *a, uint64_t seed, int element_bytes,
                        char *memory)
{
    struct arena *arena = arena_new();
    struct adapter_place place;
    if (!adapter_place_of(a->name, arena, &place))
        bug("%s is no adapter", a->name);
    const struct slot *weight = slot_named(program, place.weight),
                      *b = slot_named(program, arena_printf(arena, "%s.lora_b", place.module));
    const struct op op = op_factor(b->dims[0], a->dims[1], a->dims[0], a->init_scale, a->init_place);
    struct kernel_context context = {.format = element_bytes == 8 ? FORMAT_FP64 : FORMAT_FP32, .seed = seed};
    context.scratch = arena_take(arena, kernel_scratch_bytes(&op, context.format));
    void *w = memory + weight->offset_bytes + place.part * op.out * op.in * element_bytes,
         *b_at = memory + b->offset_bytes, *a_at = memory + a->offset_bytes;
    if (element_bytes == 8)
        kernel_run_f64(&op, &context, (const double *const[OP_MAX_IN]){w}, (double *const[OP_MAX_OUT]){w, b_at, a_at});
    else
        kernel_run_f32(&op, &context, (const float *const[OP_MAX_IN]){w}, (float *const[OP_MAX_OUT]){w, b_at, a_at});
    arena_free(arena);
}

static void load_factors(const struct program *program, uint64_t seed, int element_bytes, char *memory)
{
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].init == SLOT_INIT_FACTOR)
            load_factor(program, &program->slots[s], seed, element_bytes, memory);
}

void load_initial_values(const struct program *program, uint64_t seed, int element_bytes, char *memory)
{
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].init != SLOT_INIT_NONE && program->slots[s].init != SLOT_INIT_WEIGHT)
            load_initial_slot(&program->slots[s], seed, 0, element_bytes, memory);
    load_factors(program, seed, element_bytes, memory);
}

static enum status load_weight(const struct slot *slot, int64_t copy, const struct decoder_config *config,
                               const struct decoder_source *source, int element_bytes, char *memory,
                               struct fault *fault)
{
    const struct decoder_piece piece = {.name = slot->name,
                                        .layer = copy,
                                        .part = slot->part,
                                        .parts = slot->parts,
                                        .chunk = slot->chunk,
                                        .chunks = slot->chunks,
                                        .first = slot->first,
                                        .some = slot->some,
                                        .elements = slot->elements};
    char *to = memory + slot->offset_bytes + slot_copy_bytes(slot, copy);
    if (element_bytes == 4)
        return decoder_load(config, source, &piece, (float *)(void *)to, fault);
    float *values = malloc((size_t)slot->elements * sizeof *values);
    if (!values)
        bug("out of memory");
    enum status status = decoder_load(config, source, &piece, values, fault);
    for (int64_t i = 0; i < slot->elements && status == STATUS_OK; i++)
        store(to, element_bytes, i, (double)values[i]);
    free(values);
    return status;
}

enum status load_weights(const struct program *program, const struct decoder_config *config,
                         const struct decoder_source *source, int element_bytes, char *memory, struct fault *fault)
{
    enum status status = STATUS_OK;
    for (int s = 0; s < program->n_slots; s++) {
        const struct slot *slot = &program->slots[s];
        int64_t copies = slot->init == SLOT_INIT_WEIGHT ? slot->copies > 1 ? slot->copies : 1 : 0;
        for (int64_t c = 0; c < copies && status == STATUS_OK; c++)
            status = load_weight(slot, c, config, source, element_bytes, memory, fault);
    }
    return status;
}

static int64_t own_samples(const struct load *load)
{
    int64_t left = load->n_samples - load->first;
    return left < 0 ? 0 : left < load->count ? left : load->count;
}

static void *row(const struct load *load, void *memory, int64_t sample, int64_t row_elements)
{
    return memory ? (char *)memory + sample * row_elements * load->element_bytes : NULL;
}

static void clear_rows(const struct load *load, void *memory, int64_t first, int64_t row_elements)
{
    if (memory)
        memset(row(load, memory, first, row_elements), 0,
               (size_t)((load->count - first) * row_elements * load->element_bytes));
}

enum status load_minibatch(const struct load *load, void *const out[OP_MAX_OUT], struct fault *fault)
{
    const struct windows_shape *shape = windows_shape(load->windows);
    int64_t x_elements = shape->tokens * shape->features, n = own_samples(load);
    for (int64_t s = 0; s < n; s++) {
        enum status status =
            windows_sample(load->windows, load->set, load->samples[load->first + s], load->element_bytes,
                           row(load, out[0], s, x_elements), row(load, out[1], s, shape->outputs),
                           row(load, out[2], s, shape->outputs), fault);
        if (status != STATUS_OK)
            return status;
        if (out[3])
            windows_slots(load->windows, load->set, load->samples[load->first + s], load->element_bytes,
                          row(load, out[3], s, windows_steps(load->windows)));
    }
    clear_rows(load, out[0], n, x_elements);
    clear_rows(load, out[1], n, shape->outputs);
    clear_rows(load, out[2], n, shape->outputs);
    clear_rows(load, out[3], n, windows_steps(load->windows));
    return STATUS_OK;
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

static void add_errors(const struct load *load, const void *const in[OP_MAX_IN], int64_t sample,
                       struct metric_sums *metrics, float *keep)
{
    const struct windows_shape *shape = windows_shape(load->windows);
    int bytes = load->element_bytes;
    for (int64_t o = 0; o < shape->outputs; o++) {
        int64_t i = sample * shape->outputs + o, station = o % shape->stations;
        double prediction = windows_to_units(load->windows, station, fetch(in[0], bytes, i));
        if (keep)
            keep[o] = (float)prediction;
        if (!in[2] || fetch(in[2], bytes, i) != 0)
            metric_add(&metrics->row[o / shape->stations], prediction,
                       windows_to_units(load->windows, station, fetch(in[1], bytes, i)));
    }
}

void load_errors(const struct load *load, const void *const in[OP_MAX_IN], struct metric_sums *metrics,
                 struct prediction_list *keep)
{
    const struct windows_shape *shape = windows_shape(load->windows);
    metrics->n_horizons = (int)shape->horizon;
    for (int64_t s = 0; s < own_samples(load); s++) {
        uint32_t number = load->samples[load->first + s];
        add_errors(load, in, s, metrics, keep ? prediction_row(keep, number, shape->outputs) : NULL);
    }
}

void load_losses(const void *sums, int element_bytes, struct metric_sums *metrics)
{
    metrics->loss_sum += fetch(sums, element_bytes, 0);
    metrics->loss_count += fetch(sums, element_bytes, 1);
}
