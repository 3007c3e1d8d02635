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

/* Where a pair of adapters stands: they are `module`.lora_a and `module`.lora_b, beside part `part` of the `parts`
 * equal blocks of rows of `weight`. */
struct adapter_place {
    const char *module, *weight;
    int part, parts;
};

/* Local. 1 when `name` is that of a first half, M.lora_a; *place in the arena. */
int adapter_place_of(const char *name, struct arena *arena, struct adapter_place *place);

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
