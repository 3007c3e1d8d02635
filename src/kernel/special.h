/* special.h - exponential and error function, sixteen lanes at a time.
 *
 * Polynomials fitted for this file (weighted least squares towards the smallest largest error, then rounded to float);
 * tests compare them with libm over their whole range.
 */
#ifndef KERNEL_SPECIAL_H
#define KERNEL_SPECIAL_H

#include "kernel/simd.h"

/* Local. e^x for x <= 88 with a relative error below 2e-7; 0 below -87.33 (no subnormal results), not a number stays
 * so. */
KERNEL_INLINE v16 v16_exp(v16 x)
{
    const v16 to_integer = v16_set(12582912.0f); /* 1.5 * 2^23: adding it rounds to the nearest integer */
    v16 shifted = x * v16_set(1.44269504f) + to_integer;
    v16 n = shifted - to_integer;
    v16 r = x - n * v16_set(0.693359375f);
    r = r +
        n * v16_set(2.12194440e-4f); /* ln 2 = 0.693359375 - 2.1219444e-4, the first part short enough to be exact */
    v16 q = v16_set(1.3813145e-3f);
    q = q * r + v16_set(8.369419e-3f);
    q = q * r + v16_set(4.1668456e-2f);
    q = q * r + v16_set(1.6666515e-1f);
    q = q * r + v16_set(0.49999994f);
    q = q * r * r + r + v16_set(1.0f);
    v16u exponent = ((v16u)shifted - (v16u)to_integer + 127u) << 23;
    v16 result = q * (v16)exponent;
    return v16_select(x < v16_set(-87.33f), v16_set(0.0f), result);
}

/* Local. erf(x) with an absolute error below 2e-7, and relative near zero. */
KERNEL_INLINE v16 v16_erf(v16 x)
{
    const v16 far = v16_set(4.05f); /* 1 - erf is below half a unit in the last place from here on */
    v16 a = v16_abs(x), near2 = x * x;
    v16 p = v16_set(-5.631437e-4f);
    p = p * near2 + v16_set(4.9175555e-3f);
    p = p * near2 + v16_set(-2.6711315e-2f);
    p = p * near2 + v16_set(0.112801805f);
    p = p * near2 + v16_set(-0.37612325f);
    p = p * near2 + v16_set(1.1283791f);
    a = v16_select(a > far, far, a);
    v16 q = v16_set(-2.141538e-4f);
    q = q * a + v16_set(3.216451e-3f);
    q = q * a + v16_set(-2.2895124e-2f);
    q = q * a + v16_set(0.105270505f);
    q = q * a + v16_set(0.63571125f);
    q = q * a + v16_set(1.1285166f);
    v16 tail = v16_set(1.0f) - v16_exp(-(a * q));
    v16 signed_tail = (v16)((v16u)tail | v16_sign(x));
    return v16_select(a < v16_set(1.0f), x * p, signed_tail);
}

#endif
