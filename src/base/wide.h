/* wide.h - 128-bit sums of femtojoules: exact whatever the order and the length of the run. */
#ifndef BASE_WIDE_H
#define BASE_WIDE_H

#include <stdint.h>

__extension__ typedef unsigned __int128 wide_uint;

/* Local. Femtojoules to joules, correctly rounded. */
static inline double joules(wide_uint energy_fj)
{
    return (double)energy_fj / 1e15;
}

#endif
