#include "base/cost.h"

void cost_add(struct cost *total, const struct cost *part)
{
    total->time_ps += part->time_ps;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        total->energy_fj[p] += part->energy_fj[p];
    total->flops += part->flops;
    total->bytes += part->bytes;
    total->cell_writes += part->cell_writes;
}
