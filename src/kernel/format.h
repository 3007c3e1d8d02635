/* format.h - rounding floats to the number formats of the emulated devices.
 *
 * To nearest, ties to even, as the hardware converts: subnormals are kept (fp16 has its own, below 2^-14), too large
 * becomes infinity, not a number stays so (quiet, sign kept). tf32 keeps 10 bits of the mantissa and float's exponent,
 * bf16 7 bits, fp16 10 bits and 5 bits of exponent. Rounding an already rounded value changes nothing.
 */
#ifndef KERNEL_FORMAT_H
#define KERNEL_FORMAT_H

#include <stddef.h>

#include "kernel/op.h"

/* Local. to[i] = from[i] rounded; FORMAT_FP32 copies. `to` may be `from`. FORMAT_FP64 is a bug. */
void format_round(enum number_format format, size_t n, const float *from, float *to);

#endif
