#include "base/cost.h"

#include "base/status.h"

uint64_t cost_whole(double value)
{
    if (!(value >= 0))
        bug("a cost of %g", value);
    return value < 0x1p64 ? (uint64_t)(value + 0.5) : COST_TOO_LARGE;
}

uint64_t cost_of_power(uint64_t power_mw, uint64_t time_ps)
{
    uint64_t energy_fj;
    return __builtin_mul_overflow(power_mw, time_ps, &energy_fj) ? COST_TOO_LARGE : energy_fj;
}

int cost_is_countable(const struct cost *cost)
{
    int is_countable =
        cost->time_ps != COST_TOO_LARGE && cost->flops != COST_TOO_LARGE && cost->bytes != COST_TOO_LARGE;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        is_countable &= cost->energy_fj[p] != COST_TOO_LARGE;
    return is_countable;
}

static void add(uint64_t *total, uint64_t part)
{
    if (__builtin_add_overflow(*total, part, total))
        *total = COST_TOO_LARGE;
}

void cost_add(struct cost *total, const struct cost *part)
{
    add(&total->time_ps, part->time_ps);
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        add(&total->energy_fj[p], part->energy_fj[p]);
    add(&total->flops, part->flops);
    add(&total->bytes, part->bytes);
    total->cell_writes += part->cell_writes;
}
