/* rank_pim.c - the ReRAM device: matrices programmed into crossbars, and what is read from them. The physics is
 * device/reram, the arithmetic kernel/crossbar. */
#include <stdlib.h>
#include <string.h>

#include "device/catalogue.h"
#include "device/reram.h"
#include "kernel/crossbar.h"
#include "rank.h"

struct held { /* a programmed matrix */
    struct crossbar_matrix *matrix;
    uint64_t since_ps;
};

struct pim {
    struct reram_profile profile;
    struct crossbar_spec spec;
    int verify;
    double speed;      /* share that faults have left */
    struct held *held; /* [n_held], by number; grows as matrices are programmed */
    int64_t n_held;
    struct crossbar_work work;
};

static void take_int(int *field, int given)
{
    if (given > 0)
        *field = given;
}

static void take_share(double *field, double given)
{
    if (given >= 0)
        *field = given;
}

static void override_profile(struct reram_profile *profile, const struct cell_options *cells)
{
    take_int(&profile->tiles, cells->tiles);
    take_int(&profile->weight_bits, cells->weight_bits);
    take_int(&profile->input_bits, cells->input_bits);
    take_int(&profile->error_bits, cells->error_bits);
    take_int(&profile->cell_bits, cells->cell_bits);
    if (cells->adc_bits > 0)
        reram_set_adc_bits(profile, cells->adc_bits);
    if (cells->mapping)
        profile->offset_mapping = strcmp(cells->mapping, "offset") == 0;
    take_share(&profile->program_noise, cells->program_noise);
    take_share(&profile->read_noise, cells->read_noise);
    take_share(&profile->stuck_low, cells->stuck_low);
    take_share(&profile->stuck_high, cells->stuck_high);
    take_share(&profile->drift, cells->drift);
    take_share(&profile->adc_range, cells->adc_range);
    if (cells->endurance > 0)
        profile->endurance = cells->endurance;
}

static enum crossbar_fidelity fidelity_of(const char *name)
{
    static const char *const names[] = {
#define X(id, text) [id] = text,
        CROSSBAR_FIDELITIES(X)
#undef X
    };
    for (int f = 0; name && f < N_CROSSBAR_FIDELITIES; f++)
        if (strcmp(name, names[f]) == 0)
            return (enum crossbar_fidelity)f;
    return CROSSBAR_QUANTIZED;
}

static struct crossbar_spec spec_of(const struct reram_profile *profile, const char *fidelity, double stuck_columns)
{
    return (struct crossbar_spec){.fidelity = fidelity_of(fidelity),
                                  .mapping = profile->offset_mapping ? CROSSBAR_OFFSET : CROSSBAR_DIFFERENTIAL,
                                  .rows = profile->rows,
                                  .columns = profile->columns,
                                  .weight_bits = profile->weight_bits,
                                  .input_bits = profile->input_bits,
                                  .error_bits = profile->error_bits,
                                  .cell_bits = profile->cell_bits,
                                  .dac_bits = profile->dac_bits,
                                  .adc_bits = profile->adc_bits,
                                  .adc_range = profile->adc_range,
                                  .on_off = profile->on_off,
                                  .program_noise = profile->program_noise,
                                  .read_noise = profile->read_noise,
                                  .stuck_low = profile->stuck_low,
                                  .stuck_high = profile->stuck_high,
                                  .drift = profile->drift,
                                  .stuck_columns = stuck_columns};
}

static enum status refuse_options(const struct device_spec *spec, struct fault *fault)
{
    const char *key = spec->memory_bytes             ? "memory_bytes"
                      : spec->memory_bytes_per_s > 0 ? "memory_bytes_per_s"
                      : spec->peak_flop_per_s > 0    ? "peak_flop_per_s"
                      : spec->tdp_w > 0              ? "tdp_w"
                                                     : NULL;
    if (key)
        return fault_set(fault, STATUS_USAGE, "%s: %s: expected with other kinds than reram, found with reram",
                         spec->name, key);
    if (spec->format == FORMAT_FP64 || spec->format == FORMAT_INT8)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: a reram device takes and gives single precision and has bits of its own: %s is not for it", spec->name,
            number_format_name(spec->format));
    return STATUS_OK;
}

static enum status pim_open(const struct device_spec *spec, struct arena *arena, void **state, struct fault *fault)
{
    const struct reram_profile *profile = catalogue_reram(spec->profile);
    char text[160];
    if (!profile)
        return fault_set(fault, STATUS_USAGE, "%s: unknown ReRAM profile '%s': polyrank devices lists them", spec->name,
                         spec->profile);
    enum status status = refuse_options(spec, fault);
    if (status != STATUS_OK)
        return status;
    struct pim *pim = arena_take(arena, sizeof *pim);
    memset(pim, 0, sizeof *pim);
    pim->profile = *profile;
    override_profile(&pim->profile, &spec->cells);
    pim->spec = spec_of(&pim->profile, spec->cells.fidelity, spec->cells.stuck_columns);
    pim->speed = spec->speed > 0 ? spec->speed : 1;
    pim->verify = spec->cells.write_verify;
    const char *problem = crossbar_problem(&pim->spec, text, sizeof text);
    if (!problem)
        problem = reram_problem(&pim->profile, text, sizeof text);
    if (problem)
        return fault_set(fault, STATUS_USAGE, "%s: %s", spec->name, problem);
    *state = pim;
    return STATUS_OK;
}

/* Products with matrices that stand in cells, and moving their operands; everything else is other devices' work. */
static int pim_supports(const void *state, const struct op *op)
{
    (void)state;
    switch (op->kind) {
    case OP_LINEAR:
        return op->act == ACT_NONE && op->matrix >= 0 && op->replicas >= 1;
    case OP_PROGRAM:
    case OP_LINEAR_DX:
        return op->matrix >= 0 && op->replicas >= 1;
    case OP_ADD:
    case OP_SPLIT_HEADS:
    case OP_JOIN_HEADS:
        return 1;
    default:
        return 0;
    }
}

static void add_stream(const struct pim *pim, int64_t elements, double reads, double writes, int64_t additions,
                       struct cost *total)
{
    double bytes = (double)elements * sizeof(float);
    struct cost cost;
    reram_stream_cost(&pim->profile, (uint64_t)(reads * bytes), (uint64_t)(writes * bytes), (uint64_t)additions, &cost);
    cost_add(total, &cost);
}

static void pim_cost(const void *state, const struct op *op, struct cost *cost)
{
    const struct pim *pim = state;
    struct reram_read read = {.out = (uint64_t)op->out,
                              .in = (uint64_t)op->in,
                              .rows = (uint64_t)op->rows,
                              .replicas = (uint64_t)op->replicas,
                              .backward = op->kind == OP_LINEAR_DX};
    memset(cost, 0, sizeof *cost);
    switch (op->kind) {
    case OP_LINEAR: /* a bias is added on the results' way out */
        reram_read_cost(&pim->profile, &read, cost);
        cost->flops = op_flops(op);
        break;
    case OP_LINEAR_DX:
        reram_read_cost(&pim->profile, &read, cost);
        if (op->accumulate)
            add_stream(pim, op->rows * op->in, 2, 1, op->rows * op->in, cost);
        break;
    case OP_PROGRAM:
        reram_program_cost(&pim->profile, read.out, read.in, read.replicas, pim->verify, cost);
        cost->energy_fj[ENERGY_STATIC] = 0; /* an engine of its own: the device waits or idles, and draws it so */
        break;
    case OP_ADD:
        add_stream(pim, op->rows * (op->in ? op->in : 1), 2, 1, op->rows * (op->in ? op->in : 1), cost);
        break;
    case OP_SPLIT_HEADS:
    case OP_JOIN_HEADS:
        add_stream(pim, op->rows * op->parts * op->heads * op->head_width, 1, 1, 0, cost);
        break;
    default:
        bug("a ReRAM device has no cost of its own for %s", op_name(op->kind));
    }
}

static struct held *slot_of(struct pim *pim, int64_t number)
{
    if (number >= pim->n_held) {
        pim->held = realloc(pim->held, (size_t)(number + 1) * sizeof *pim->held);
        if (!pim->held)
            bug("out of memory");
        memset(pim->held + pim->n_held, 0, (size_t)(number + 1 - pim->n_held) * sizeof *pim->held);
        pim->n_held = number + 1;
    }
    return &pim->held[number];
}

static void program(struct pim *pim, const struct op *op, const struct kernel_context *context, const float *w,
                    float *cells)
{
    struct held *held = slot_of(pim, op->matrix);
    struct cost cost;
    if (cells != w)
        memcpy(cells, w, (size_t)(op->out * op->in) * sizeof *w);
    crossbar_free(held->matrix);
    held->matrix = NULL;
    pim_cost(pim, op, &cost);
    held->since_ps = context->virtual_ps + (uint64_t)((double)cost.time_ps / pim->speed + 0.5);
    if (pim->spec.fidelity != CROSSBAR_IDEAL)
        held->matrix = crossbar_program(&pim->spec, op->out, op->in, w, context->seed, op->site, context->step);
}

/* Reads matrix op->matrix; 0 when it is to be multiplied as it stands in memory. */
static int read_cells(struct pim *pim, const struct op *op, const struct kernel_context *context,
                      const float *const *in, float *const *out)
{
    if (op->matrix < 0 || op->matrix >= pim->n_held)
        bug("matrix %lld of %s was never programmed", (long long)op->matrix, op_name(op->kind));
    const struct held *held = &pim->held[op->matrix];
    if (pim->spec.fidelity == CROSSBAR_IDEAL)
        return 0;
    if (!held->matrix)
        bug("matrix %lld of %s was never programmed", (long long)op->matrix, op_name(op->kind));
    struct crossbar_read read = {
        .step = context->step,
        .first_row = context->first_row,
        .age_ps = context->virtual_ps > held->since_ps ? context->virtual_ps - held->since_ps : 0,
    };
    if (op->kind == OP_LINEAR)
        crossbar_forward(held->matrix, &read, op->rows, in[0], in[2], out[0], &pim->work);
    else
        crossbar_backward(held->matrix, &read, op->rows, in[0], op->accumulate, out[0], &pim->work);
    return 1;
}

static void pim_run(void *state, const struct op *op, const struct kernel_context *context,
                    const void *const in[OP_MAX_IN], void *const out[OP_MAX_OUT])
{
    struct pim *pim = state;
    const float *const *from = (const float *const *)in;
    float *const *to = (float *const *)out;
    if (op->kind == OP_PROGRAM) {
        program(pim, op, context, from[0], to[0]);
        return;
    }
    if ((op->kind == OP_LINEAR || op->kind == OP_LINEAR_DX) && read_cells(pim, op, context, from, to))
        return;
    struct kernel_context single = *context;
    single.format = FORMAT_FP32;
    kernel_run_f32(op, &single, from, to);
}

static uint64_t pim_memory_bytes(const void *state)
{
    const struct pim *pim = state;
    return pim->profile.tile_buffer_bytes * (uint64_t)pim->profile.tiles;
}

static uint64_t pim_static_power_mw(const void *state)
{
    return reram_static_mw(&((const struct pim *)state)->profile);
}

static uint64_t pim_units_needed(const void *state, int64_t out, int64_t in)
{
    return reram_crossbars(&((const struct pim *)state)->profile, (uint64_t)out, (uint64_t)in);
}

static uint64_t pim_units_total(const void *state)
{
    return reram_capacity(&((const struct pim *)state)->profile);
}

static double pim_cell_endurance(const void *state)
{
    return ((const struct pim *)state)->profile.endurance;
}

static double pim_cell_pulses(const void *state)
{
    const struct pim *pim = state;
    return pim->verify ? pim->profile.verify_pulses : 1;
}

static void pim_close(void *state)
{
    struct pim *pim = state;
    for (int64_t m = 0; m < pim->n_held; m++)
        crossbar_free(pim->held[m].matrix);
    free(pim->held);
    pim->held = NULL;
    pim->n_held = 0;
    crossbar_work_release(&pim->work);
}

static void pim_respec(void *state, const struct device_spec *spec)
{
    struct pim *pim = state;
    pim->speed = spec->speed > 0 ? spec->speed : 1;
    if (spec->cells.stuck_columns == pim->spec.stuck_columns)
        return;
    pim->spec.stuck_columns = spec->cells.stuck_columns;
    for (int64_t m = 0; m < pim->n_held; m++)
        if (pim->held[m].matrix)
            crossbar_stick(pim->held[m].matrix, pim->spec.stuck_columns);
}

static void pim_renumber(void *state, const int64_t *before, int64_t n)
{
    struct pim *pim = state;
    struct held *held = calloc((size_t)n + 1, sizeof *held);
    if (!held)
        bug("out of memory");
    for (int64_t m = 0; m < n; m++)
        if (before[m] >= 0 && before[m] < pim->n_held) {
            held[m] = pim->held[before[m]];
            pim->held[before[m]].matrix = NULL;
        }
    for (int64_t m = 0; m < pim->n_held; m++)
        crossbar_free(pim->held[m].matrix);
    free(pim->held);
    pim->held = held;
    pim->n_held = n;
}

/* What stands in the cells, and since when. */
static void pim_archive(void *state, struct archive *archive)
{
    struct pim *pim = state;
    int64_t n = (int64_t)archive_count(archive, "matrices", (size_t)pim->n_held);
    for (int64_t m = 0; m < n; m++) {
        struct held *held = slot_of(pim, m);
        archive_enter(archive, "matrix/%04lld", (long long)m);
        archive_field(archive, "since_ps", &held->since_ps);
        crossbar_archive(&held->matrix, &pim->spec, archive);
        archive_leave(archive);
    }
}

const struct device reram_device = {
    .kind = "reram",
    .open = pim_open,
    .supports = pim_supports,
    .cost = pim_cost,
    .run = pim_run,
    .memory_bytes = pim_memory_bytes,
    .idle_power_mw = pim_static_power_mw,
    .wait_power_mw = pim_static_power_mw,
    .units_needed = pim_units_needed,
    .units_total = pim_units_total,
    .cell_endurance = pim_cell_endurance,
    .cell_pulses = pim_cell_pulses,
    .archive = pim_archive,
    .respec = pim_respec,
    .renumber = pim_renumber,
    .close = pim_close,
};
