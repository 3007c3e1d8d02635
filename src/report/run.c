#include "report/run.h"

double run_energy_j(const struct run *run)
{
    wide_uint sum_fj = 0;
    for (int d = 0; d < run->n_devices; d++)
        sum_fj += ledger_energy_fj(&run->device[d].ledger);
    return joules(sum_fj);
}
