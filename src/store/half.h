/* half.h - 16-bit floats as files hold them, as bit patterns.
 *
 * float16 is IEEE binary16 (1 sign, 5 exponent, 10 mantissa bits); bfloat16 is the upper half of a float32. Widening is
 * exact for every pattern, subnormals and infinities included; a NaN keeps its payload.
 */
#ifndef STORE_HALF_H
#define STORE_HALF_H

#include <stdint.h>

/* Local. The value of a bit pattern. */
float half_widen(uint16_t bits);
float bfloat_widen(uint16_t bits);

/* Local. The nearest float16, ties to even; too large becomes infinity, a NaN stays one. */
uint16_t half_narrow(float value);

#endif
