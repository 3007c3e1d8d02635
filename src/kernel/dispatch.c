#include "base/hash.h"
#include "kernel/run.h"
#include "kernel/run_f32.h"
#include "kernel/tile.h"

/* KERNEL_ISAS: the Makefile has compiled the sets v3 and v4 too. */
static kernel_set *best_set(void)
{
#ifdef KERNEL_ISAS
    if (__builtin_cpu_supports("x86-64-v4"))
        return kernel_run_f32_v4;
    if (__builtin_cpu_supports("x86-64-v3"))
        return kernel_run_f32_v3;
#endif
    return kernel_run_f32_plain;
}

void kernel_run_f32(const struct op *op, const struct kernel_context *context, const float *const in[OP_MAX_IN],
                    float *const out[OP_MAX_OUT])
{
    best_set()(op, context, in, out);
}

const char *kernel_isa_name(void)
{
    return tile_isa_name();
}

uint64_t kernel_hash(void)
{
    return hash_text(hash_text(HASH_START, kernel_blas_name()), kernel_isa_name());
}
