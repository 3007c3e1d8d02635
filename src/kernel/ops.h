/* ops.h - the kernels behind run.h, one per op and set: private to this room.
 *
 * All have the signature of kernel_run_f32 and kernel_run_f64 and the operands of op.h. `*_scratch_bytes` are bytes of
 * context->scratch that the float kernels of a file use; the double kernels use double_scratch_bytes.
 */
#ifndef KERNEL_OPS_H
#define KERNEL_OPS_H

#include "kernel/run.h"

#define KERNEL_F32(name)                                                                                               \
    void name(const struct op *op, const struct kernel_context *context, const float *const in[OP_MAX_IN],             \
              float *const out[OP_MAX_OUT])
#define KERNEL_F64(name)                                                                                               \
    void name(const struct op *op, const struct kernel_context *context, const double *const in[OP_MAX_IN],            \
              double *const out[OP_MAX_OUT])

KERNEL_F32(linear_f32);
KERNEL_F32(linear_dx_f32);
KERNEL_F32(linear_dw_f32);
size_t linear_scratch_bytes(const struct op *op, enum number_format format);

KERNEL_F32(act_bwd_f32);
KERNEL_F32(activation_f32);

KERNEL_F32(attention_f32);
KERNEL_F32(attention_bwd_f32);
size_t attention_scratch_bytes(const struct op *op);

KERNEL_F32(norm_f32);
KERNEL_F32(norm_bwd_f32);
size_t norm_scratch_bytes(const struct op *op);

KERNEL_F32(add_f32);
KERNEL_F32(add_pos_f32);
KERNEL_F32(add_embed_f32);
KERNEL_F32(add_embed_bwd_f32);
size_t embed_scratch_bytes(const struct op *op);
KERNEL_F32(permute_f32);
KERNEL_F32(concat_f32);
KERNEL_F32(split_f32);
KERNEL_F32(add_last_f32);
KERNEL_F32(add_part_f32);
KERNEL_F32(part_f32);
KERNEL_F32(split_heads_f32);
KERNEL_F32(join_heads_f32);

KERNEL_F32(factor_f32);
size_t factor_scratch_bytes(const struct op *op); /* of the double kernel too */

KERNEL_F32(dropout_f32);
size_t dropout_scratch_bytes(const struct op *op);

KERNEL_F32(fastfood_op_f32);
KERNEL_F32(fastfood_bwd_f32);

KERNEL_F32(loss_f32);

KERNEL_F32(embed_tokens_f32);
KERNEL_F32(rms_norm_f32);
KERNEL_F32(rotate_f32);
KERNEL_F32(gate_f32);
KERNEL_F32(kv_append_f32);
KERNEL_F32(kv_fetch_f32);
KERNEL_F32(kv_attention_f32);
KERNEL_F32(kv_combine_f32);
KERNEL_F32(prompt_attention_f32);
KERNEL_F32(merge_rows_f32);
KERNEL_F32(take_rows_f32);
KERNEL_F32(sample_f32);
/* Of the double kernels too. */
size_t tokens_scratch_bytes(const struct op *op);
size_t kv_scratch_bytes(const struct op *op);

KERNEL_F32(square_sum_f32);
KERNEL_F32(update_f32);

KERNEL_F64(linear_f64);
KERNEL_F64(linear_dx_f64);
KERNEL_F64(linear_dw_f64);
KERNEL_F64(act_bwd_f64);
KERNEL_F64(attention_f64);
KERNEL_F64(attention_bwd_f64);
KERNEL_F64(norm_f64);
KERNEL_F64(norm_bwd_f64);
KERNEL_F64(add_f64);
KERNEL_F64(add_pos_f64);
KERNEL_F64(add_embed_f64);
KERNEL_F64(add_embed_bwd_f64);
KERNEL_F64(permute_f64);
KERNEL_F64(concat_f64);
KERNEL_F64(split_f64);
KERNEL_F64(add_last_f64);
KERNEL_F64(activation_f64);
KERNEL_F64(dropout_f64);
KERNEL_F64(add_part_f64);
KERNEL_F64(part_f64);
KERNEL_F64(split_heads_f64);
KERNEL_F64(join_heads_f64);
KERNEL_F64(factor_f64);
KERNEL_F64(fastfood_op_f64);
KERNEL_F64(fastfood_bwd_f64);
KERNEL_F64(loss_f64);
KERNEL_F64(embed_tokens_f64);
KERNEL_F64(rms_norm_f64);
KERNEL_F64(rotate_f64);
KERNEL_F64(gate_f64);
KERNEL_F64(kv_append_f64);
KERNEL_F64(kv_fetch_f64);
KERNEL_F64(kv_attention_f64);
KERNEL_F64(kv_combine_f64);
KERNEL_F64(prompt_attention_f64);
KERNEL_F64(merge_rows_f64);
KERNEL_F64(take_rows_f64);
KERNEL_F64(sample_f64);
KERNEL_F64(square_sum_f64);
KERNEL_F64(update_f64);
size_t double_scratch_bytes(const struct op *op);

#endif
