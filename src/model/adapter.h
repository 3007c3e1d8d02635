/* adapter.h - adapters of a trained model become part of its weights.
 *
 * Pure: arrays in, arrays out, no graph. Names are those of the families (encoder.h, traffic.h): the adapter of the
 * weight `M.weight` or `M` is M.lora_a and M.lora_b; of a packed weight ..qkv.weight or ..qkv each third has its own,
 * ..q, ..k and ..v.
 */
#ifndef MODEL_ADAPTER_H
#define MODEL_ADAPTER_H

#include <stdint.h>

#include "base/arena.h"

/* A weight of the model, row-major; `values` (float) or `values64` is set. */
struct weight_array {
    const char *name;
    int n_dims;
    int64_t dims[4];
    const float *values;
    const double *values64;
};

/* Local. The modules whose adapters may stand beside a weight, in the order of its rows, in the arena; returns their
 * number, which is that of equal parts of the weight: 3 of a packed one, else 1. */
int adapter_modules(const char *weight, struct arena *arena, const char *modules[3]);

/* Local. w[o,c] += scale * sum over r of b[o,r] a[r,c], for w [out, in], a [width, in], b [out, width]. The sum is made
 * in double, in the order of r, and rounded once when it is added. w must not overlap a or b. */
void adapter_add_f32(int64_t out, int64_t in, int64_t width, double scale, const float *a, const float *b, float *w);
void adapter_add_f64(int64_t out, int64_t in, int64_t width, double scale, const double *a, const double *b, double *w);

/* Local. Copies, in the order of `weights` [n], of those that have adapters, with W + scale * B A as values; scale =
 * alpha / width. Returns how many. Source: Hu et al. 2021, arXiv 2106.09685, section 4.1. Adapters that fit no weight
 * are a bug. */
int adapter_merge(const struct weight_array *weights, int n, double scale, struct arena *arena,
                  struct weight_array **merged);

#endif
