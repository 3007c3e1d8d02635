/* special.h - exponential and error function, of a register of floats.
 *
 * Polynomials fitted for this file (weighted least squares towards the smallest largest error, then rounded to float);
 * tests compare them with libm over their whole range.
 */
#ifndef KERNEL_SPECIAL_H
#define KERNEL_SPECIAL_H

#include "kernel/simd.h"

/* Local. e^x for x <= 88 with a relative error below 2e-7; 0 below -87.33 (no subnormal results), not a number stays
 * so. */
KERNEL_INLINE vn vn_exp(vn x)
{
    const vn to_integer = vn_set(12582912.0f); /* 1.5 * 2^23: adding it rounds to the nearest integer */
    vn shifted = x * vn_set(1.44269504f) + to_integer;
    vn n = shifted - to_integer;
    vn r = x - n * vn_set(0.693359375f);
    r = r + n * vn_set(2.12194440e-4f); /* ln 2 = 0.693359375 - 2.1219444e-4, the first part short enough to be exact */
    vn q = vn_set(1.3813145e-3f);
    q = q * r + vn_set(8.369419e-3f);
    q = q * r + vn_set(4.1668456e-2f);
    q = q * r + vn_set(1.6666515e-1f);
    q = q * r + vn_set(0.49999994f);
    q = q * r * r + r + vn_set(1.0f);
    vnu exponent = ((vnu)shifted - (vnu)to_integer + 127u) << 23;
    vn result = q * (vn)exponent;
    return vn_select(x < vn_set(-87.33f), vn_set(0.0f), result);
}

/* Local. erf(x) with an absolute error below 2e-7, and relative near zero. */
KERNEL_INLINE vn vn_erf(vn x)
{
    const vn far = vn_set(4.05f); /* 1 - erf is below half a unit in the last place from here on */
    vn a = vn_abs(x), near2 = x * x;
    vn p = vn_set(-5.631437e-4f);
    p = p * near2 + vn_set(4.9175555e-3f);
    p = p * near2 + vn_set(-2.6711315e-2f);
    p = p * near2 + vn_set(0.112801805f);
    p = p * near2 + vn_set(-0.37612325f);
    p = p * near2 + vn_set(1.1283791f);
    a = vn_select(a > far, far, a);
    vn q = vn_set(-2.141538e-4f);
    q = q * a + vn_set(3.216451e-3f);
    q = q * a + vn_set(-2.2895124e-2f);
    q = q * a + vn_set(0.105270505f);
    q = q * a + vn_set(0.63571125f);
    q = q * a + vn_set(1.1285166f);
    vn tail = vn_set(1.0f) - vn_exp(-(a * q));
    vn signed_tail = (vn)((vnu)tail | vn_sign(x));
    return vn_select(a < vn_set(1.0f), x * p, signed_tail);
}

#endif
