#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "device/systolic.h"
#include "device/systolic_energy.h"
#include "device/systolic_replay.h"

/* Words moved between memory and the buffers, for all products of a batch, and the cycles from the first word that
 * comes to the last that leaves. */
struct movement {
    double a_words, b_words, written_words, read_back_words;
    double cycles;
};

struct systolic_memo {
    struct arena *arena;
    struct memo_entry {
        struct systolic_product product;
        struct systolic_buffers buffers;
        struct systolic_replay replay;
        struct memo_entry *next;
    } * bucket[256];
};

struct systolic_memo *systolic_memo_new(struct arena *arena)
{
    struct systolic_memo *memo = arena_take(arena, sizeof *memo);
    memo->arena = arena;
    return memo;
}

static unsigned bucket_of(const struct systolic_product *product)
{
    uint64_t hash = product->m * 0x9E3779B97F4A7C15u;
    hash = (hash ^ product->n) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ product->k) * 0x9E3779B97F4A7C15u;
    return (unsigned)(hash >> 56);
}

static int same_shape(const struct memo_entry *entry, const struct systolic_product *product,
                      const struct systolic_buffers *buffers)
{
    const struct systolic_product *p = &entry->product;
    const struct systolic_buffers *b = &entry->buffers;
    return p->m == product->m && p->n == product->n && p->k == product->k && p->rows == product->rows &&
           p->cols == product->cols && p->dataflow == product->dataflow && b->ifmap_words == buffers->ifmap_words &&
           b->filter_words == buffers->filter_words && b->ofmap_words == buffers->ofmap_words &&
           b->ifmap_rate == buffers->ifmap_rate && b->filter_rate == buffers->filter_rate &&
           b->ofmap_rate == buffers->ofmap_rate && b->unlimited_reads == buffers->unlimited_reads;
}

static void remembered_replay(struct systolic_memo *memo, const struct systolic_product *product,
                              const struct systolic_buffers *buffers, struct systolic_replay *replay)
{
    if (!memo) {
        systolic_replay(product, buffers, replay);
        return;
    }
    struct memo_entry **bucket = &memo->bucket[bucket_of(product)], *entry = *bucket;
    while (entry && !same_shape(entry, product, buffers))
        entry = entry->next;
    if (!entry) {
        entry = arena_take(memo->arena, sizeof *entry);
        entry->product = *product;
        entry->buffers = *buffers;
        systolic_replay(product, buffers, &entry->replay);
        entry->next = *bucket;
        *bucket = entry;
    }
    *replay = entry->replay;
}

uint64_t systolic_buffer_rate(const struct systolic_profile *profile, unsigned word_bytes)
{
    return (uint64_t)(profile->dram_bytes_per_s / profile->clock_hz / 3 / word_bytes);
}

static void replay_movement(const struct systolic *array, const struct systolic_gemm *gemm,
                            const struct systolic_product *product, struct movement *movement)
{
    const struct systolic_profile *profile = &array->profile;
    uint64_t rate = systolic_buffer_rate(profile, gemm->operand_bytes),
             result_rate = systolic_buffer_rate(profile, gemm->result_bytes);
    if (profile->arrays != 1 || gemm->a_on_chip || gemm->b_on_chip || gemm->result_on_chip || !rate || !result_rate)
        bug("a replay of %" PRIu64 " arrays, on-chip operands or no bandwidth", profile->arrays);
    struct systolic_buffers buffers = {.ifmap_words = profile->ifmap_kib * 1024 / gemm->operand_bytes,
                                       .filter_words = profile->filter_kib * 1024 / gemm->operand_bytes,
                                       .ofmap_words = profile->ofmap_kib * 1024 / gemm->result_bytes,
                                       .ifmap_rate = rate,
                                       .filter_rate = rate,
                                       .ofmap_rate = result_rate};
    struct systolic_replay replay;
    double batch = (double)gemm->batch;
    remembered_replay(array->memo, product, &buffers, &replay);
    movement->a_words = batch * (double)replay.ifmap_dram_words;
    movement->b_words = batch * (double)replay.filter_dram_words;
    movement->written_words = batch * (double)replay.ofmap_dram_words;
    movement->read_back_words = 0;
    movement->cycles = batch * (double)(replay.overall_cycles + 1);
}

/* Cycles of the arrays, each with its share of all folds. */
static double array_cycles(const struct systolic *array, const struct systolic_product *product,
                           const struct systolic_counts *counts, uint64_t batch)
{
    uint64_t arrays = array->profile.arrays, folds = batch * counts->row_folds * counts->col_folds;
    uint64_t rows = product->rows, mine = (folds + arrays - 1) / arrays, skew = rows + product->cols - 2;
    if (!array->overlap_weights)
        return (double)mine * (double)counts->fold_cycles;
    if (product->dataflow == SYSTOLIC_OS)
        return (double)mine * (double)product->k + (double)skew;
    uint64_t steps = product->dataflow == SYSTOLIC_WS ? product->m : product->n;
    return (double)(rows + steps) + (double)(mine - 1) * (double)(steps > rows ? steps : rows) + (double)skew;
}

/* An operand that half a buffer holds is fetched once; a larger one as often as it is used, unless the part that a fold
 * of the other operand needs again stays. */
static void fetch_once_or_more(const struct systolic *array, const struct systolic_gemm *gemm,
                               const struct systolic_product *product, const struct systolic_counts *counts,
                               struct movement *movement)
{
    const struct systolic_profile *profile = &array->profile;
    double a = (double)gemm->m * (double)gemm->k, b = (double)gemm->k * (double)gemm->n,
           results = (double)gemm->m * (double)gemm->n, width = gemm->operand_bytes;
    double half_a = (double)profile->ifmap_kib * 512 / width, half_b = (double)profile->filter_kib * 512 / width;
    double a_times = a <= half_a ? 1 : (double)counts->col_folds, b_times = 1;
    if (product->dataflow == SYSTOLIC_IS)
        a_times = 1, b_times = b <= half_b ? 1 : (double)counts->col_folds;
    else if (product->dataflow == SYSTOLIC_OS && b > half_b && (double)(gemm->k * product->cols) > half_b)
        b_times = (double)counts->row_folds;
    /* Partial sums of a column fold stay when the buffer of results holds them. */
    double steps = (double)(product->dataflow == SYSTOLIC_WS ? gemm->m : gemm->n);
    double sums_bytes = steps * (double)product->cols * gemm->result_bytes;
    int leave = product->dataflow != SYSTOLIC_OS && sums_bytes > (double)profile->ofmap_kib * 1024;
    double batch = (double)gemm->batch, row_folds = (double)counts->row_folds;
    movement->a_words = gemm->a_on_chip ? 0 : batch * a * a_times;
    movement->b_words = gemm->b_on_chip ? 0 : batch * b * b_times;
    movement->written_words = gemm->result_on_chip ? 0 : batch * results * (leave ? row_folds : 1);
    movement->read_back_words = gemm->result_on_chip || !leave ? 0 : batch * results * (row_folds - 1);
}

/* Cycles to move what goes through each buffer: together, or through the slowest port. */
static double port_cycles(const struct systolic *array, double a_bytes, double b_bytes, double result_bytes)
{
    double bytes = array->own_ports ? 3 * fmax(fmax(a_bytes, b_bytes), result_bytes) : a_bytes + b_bytes + result_bytes;
    return ceil(systolic_memory_cycles(&array->profile, bytes));
}

/* Half a buffer is filled before the first cycle and half a buffer is emptied after the last; the rest hides behind the
 * arithmetic as far as it can. */
static void ideal_movement(const struct systolic *array, const struct systolic_gemm *gemm,
                           const struct systolic_product *product, const struct systolic_counts *counts,
                           struct movement *movement)
{
    const struct systolic_profile *profile = &array->profile;
    fetch_once_or_more(array, gemm, product, counts, movement);
    double width = gemm->operand_bytes, result_width = gemm->result_bytes;
    double a = movement->a_words * width, b = movement->b_words * width,
           results = (movement->written_words + movement->read_back_words) * result_width;
    double one_a = (double)(gemm->m * gemm->k) * width, one_b = (double)(gemm->k * gemm->n) * width,
           one_result = (double)(gemm->m * gemm->n) * result_width;
    double fill_a = gemm->a_on_chip ? 0 : fmin((double)profile->ifmap_kib * 512, one_a);
    double fill_b = gemm->b_on_chip ? 0 : fmin((double)profile->filter_kib * 512, one_b);
    double rest = gemm->result_on_chip ? 0 : fmin((double)profile->ofmap_kib * 512, one_result);
    double hidden_cycles = port_cycles(array, a - fill_a, b - fill_b, results - rest);
    movement->cycles = port_cycles(array, fill_a, fill_b, 0) +
                       fmax(array_cycles(array, product, counts, gemm->batch), hidden_cycles) +
                       port_cycles(array, 0, 0, rest);
}

/* A product, or the equal parts it is cut into, with what they need. */
struct schedule {
    struct systolic_gemm gemm;
    struct systolic_counts counts;
    struct movement movement;
};

static struct systolic_product product_of(const struct systolic *array, const struct systolic_gemm *gemm)
{
    return (struct systolic_product){gemm->m,        gemm->n, gemm->k, array->profile.rows, array->profile.cols,
                                     array->dataflow};
}

static struct schedule ideal_schedule(const struct systolic *array, const struct systolic_gemm *gemm)
{
    struct schedule schedule = {.gemm = *gemm};
    struct systolic_product product = product_of(array, gemm);
    systolic_count(&product, &schedule.counts);
    ideal_movement(array, gemm, &product, &schedule.counts, &schedule.movement);
    return schedule;
}

/* Into how many parts the dimension that streams (OS: the rows) must be cut for the streamed operand and the partial
 * sums of a part to stay in their buffers; 0: not even those of one step do. */
static uint64_t parts_that_stay(const struct systolic *array, const struct systolic_gemm *gemm)
{
    const struct systolic_profile *profile = &array->profile;
    int is_b = array->dataflow == SYSTOLIC_IS;
    uint64_t steps = is_b ? gemm->n : gemm->m, half = (is_b ? profile->filter_kib : profile->ifmap_kib) * 512,
             stay = half / (gemm->k * gemm->operand_bytes);
    if (array->dataflow != SYSTOLIC_OS) {
        uint64_t sums = profile->ofmap_kib * 1024 / (profile->cols * gemm->result_bytes);
        stay = sums < stay ? sums : stay;
    }
    return stay ? (steps + stay - 1) / stay : 0;
}

/* Whole or cut, whichever is faster. */
static struct schedule best_schedule(const struct systolic *array, const struct systolic_gemm *gemm)
{
    struct schedule whole = ideal_schedule(array, gemm);
    uint64_t parts = parts_that_stay(array, gemm), steps = array->dataflow == SYSTOLIC_IS ? gemm->n : gemm->m;
    if (parts < 2)
        return whole;
    struct systolic_gemm part = *gemm;
    *(array->dataflow == SYSTOLIC_IS ? &part.n : &part.m) = (steps + parts - 1) / parts;
    part.batch = gemm->batch * parts;
    struct schedule cut = ideal_schedule(array, &part);
    return cut.movement.cycles < whole.movement.cycles ? cut : whole;
}

static struct schedule replayed_schedule(const struct systolic *array, const struct systolic_gemm *gemm)
{
    struct schedule schedule = {.gemm = *gemm};
    struct systolic_product product = product_of(array, gemm);
    systolic_count(&product, &schedule.counts);
    replay_movement(array, gemm, &product, &schedule.movement);
    return schedule;
}

void systolic_gemm_cost(const struct systolic *array, const struct systolic_gemm *gemm, struct cost *cost)
{
    const struct systolic_profile *profile = &array->profile;
    double mac_fj = systolic_fj_per_mac(profile, gemm->math);
    if (!gemm->batch || !gemm->m || !gemm->n || !gemm->k || !gemm->operand_bytes || !gemm->result_bytes)
        bug("gemm of size 0");
    if (mac_fj <= 0)
        bug("gemm in %s on an array without it", systolic_math_name(gemm->math));
    struct schedule schedule =
        array->memory == SYSTOLIC_SCALESIM ? replayed_schedule(array, gemm) : best_schedule(array, gemm);
    const struct movement *move = &schedule.movement;
    double width = gemm->operand_bytes, result_width = gemm->result_bytes, batch = (double)schedule.gemm.batch;
    double macs = (double)gemm->batch * (double)gemm->m * (double)gemm->n * (double)gemm->k;
    struct systolic_actions actions = {
        .cycles = move->cycles,
        .macs = macs,
        .mac_fj = mac_fj,
        /* Per MAC an operand and, with WS and IS, a partial sum move on; with OS two operands. */
        .hop_bytes = macs * (array->dataflow == SYSTOLIC_OS ? 2 * width : width + result_width),
        .ifmap_bytes = width * (batch * (double)schedule.counts.ifmap_reads + move->a_words),
        .filter_bytes = width * (batch * (double)schedule.counts.filter_reads + move->b_words),
        /* Each sum that is written is read once: to be added to, or to leave. */
        .ofmap_bytes = result_width * 2 * batch * (double)schedule.counts.ofmap_writes,
        .dram_bytes =
            width * (move->a_words + move->b_words) + result_width * (move->written_words + move->read_back_words),
    };
    systolic_charge(profile, &actions, cost);
}
