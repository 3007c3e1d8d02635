/* hbm_pim_private.h - what heads (hbm_pim_cost.c) and weights (hbm_pim_gemv.c) in a stack have in common; not for other
 * rooms. */
#ifndef DEVICE_HBM_PIM_PRIVATE_H
#define DEVICE_HBM_PIM_PRIVATE_H

#include "device/hbm_pim.h"

/* Local. Cycles without refresh as ps with it. */
uint64_t hbm_pim_refreshed_ps(const struct hbm_pim_profile *pim, int64_t cycles);

/* Local. MACs of score, of context or of a weight, from its first to the first of what follows: each column is
 * multiplied with `queries` vectors while its row is open. */
int64_t hbm_pim_phase_cycles(const struct hbm_pim_profile *pim, int64_t macs, int queries);

/* Local. fJ per bit between processing units and buffer die: nothing when they are on it. */
double hbm_pim_wire_fj_per_bit(const struct hbm_pim_profile *pim);

/* Local. fJ per bit from an open row to the processing unit. */
double hbm_pim_column_fj_per_bit(const struct hbm_pim_profile *pim);

#endif
