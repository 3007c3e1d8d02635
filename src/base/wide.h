/* wide.h - 128-bit sums of femtojoules: exact whatever the order and the length of the run. */
#ifndef BASE_WIDE_H
#define BASE_WIDE_H

#include <stdint.h>

__extension__ typedef unsigned __int128 wide_uint;
__extension__ typedef __int128 wide_int;

/* Femtojoules of a joule: in files energies stand as whole joules and the rest. */
#define FJ_PER_J UINT64_C(1000000000000000)

/* Local. Femtojoules to joules, correctly rounded. */
static inline double joules(wide_uint energy_fj)
{
    return (double)energy_fj / 1e15;
}

#endif
