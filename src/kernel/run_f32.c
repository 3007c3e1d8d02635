#include "kernel/run_f32.h"
#include "base/status.h"
#include "kernel/fastfood.h"
#include "kernel/int8.h"
#include "kernel/ops.h"
#include "kernel/tile.h"

size_t kernel_scratch_bytes(const struct op *op, enum number_format format)
{
    if (op->kind == OP_FASTFOOD || op->kind == OP_FASTFOOD_BWD)
        return fastfood_scratch_bytes((size_t)op->in, (size_t)op->out,
                                      format == FORMAT_FP64 ? sizeof(double) : sizeof(float));
    if (op->kind == OP_FACTOR)
        return factor_scratch_bytes(op);
    if (op->kind == OP_ROTATE || op->kind == OP_SAMPLE)
        return tokens_scratch_bytes(op);
    if (op->kind == OP_KV_ATTENTION || op->kind == OP_PROMPT_ATTENTION)
        return kv_scratch_bytes(op);
    if (format == FORMAT_FP64)
        return double_scratch_bytes(op);
    switch (op->kind) {
    case OP_LINEAR:
        if (op->weight_bits == 8)
            return linear_w8a8_scratch_bytes(op);
        return format == FORMAT_INT8 ? linear_int8_scratch_bytes(op) : linear_scratch_bytes(op, format);
    case OP_LINEAR_DX:
    case OP_LINEAR_DW:
        return format == FORMAT_INT8 ? linear_int8_scratch_bytes(op) : linear_scratch_bytes(op, format);
    case OP_ATTENTION:
    case OP_ATTENTION_BWD:
        return format == FORMAT_INT8 ? attention_int8_scratch_bytes(op) : attention_scratch_bytes(op);
    case OP_NORM:
    case OP_NORM_BWD:
        return norm_scratch_bytes(op);
    case OP_ADD_EMBED_BWD:
        return embed_scratch_bytes(op);
    case OP_DROPOUT:
        return dropout_scratch_bytes(op);
    default:
        return 0;
    }
}

void KERNEL_RUN_F32(const struct op *op, const struct kernel_context *context, const float *const in[OP_MAX_IN],
                    float *const out[OP_MAX_OUT])
{
    static KERNEL_F32((*const run[N_OP_KINDS])) = {
        [OP_LINEAR] = linear_f32,
        [OP_LINEAR_DX] = linear_dx_f32,
        [OP_LINEAR_DW] = linear_dw_f32,
        [OP_ACT_BWD] = act_bwd_f32,
        [OP_ATTENTION] = attention_f32,
        [OP_ATTENTION_BWD] = attention_bwd_f32,
        [OP_NORM] = norm_f32,
        [OP_NORM_BWD] = norm_bwd_f32,
        [OP_ADD] = add_f32,
        [OP_ADD_POS] = add_pos_f32,
        [OP_CONCAT] = concat_f32,
        [OP_SPLIT] = split_f32,
        [OP_ADD_LAST] = add_last_f32,
        [OP_LOSS] = loss_f32,
        [OP_FACTOR] = factor_f32,
        [OP_SQUARE_SUM] = square_sum_f32,
        [OP_UPDATE] = update_f32,
        [OP_FASTFOOD] = fastfood_op_f32,
        [OP_FASTFOOD_BWD] = fastfood_bwd_f32,
        [OP_ACTIVATION] = activation_f32,
        [OP_DROPOUT] = dropout_f32,
        [OP_ADD_PART] = add_part_f32,
        [OP_PART] = part_f32,
        [OP_SPLIT_HEADS] = split_heads_f32,
        [OP_JOIN_HEADS] = join_heads_f32,
        [OP_ADD_EMBED] = add_embed_f32,
        [OP_ADD_EMBED_BWD] = add_embed_bwd_f32,
        [OP_PERMUTE] = permute_f32,
        [OP_EMBED_TOKENS] = embed_tokens_f32,
        [OP_RMS_NORM] = rms_norm_f32,
        [OP_ROTATE] = rotate_f32,
        [OP_GATE] = gate_f32,
        [OP_KV_APPEND] = kv_append_f32,
        [OP_KV_FETCH] = kv_fetch_f32,
        [OP_KV_ATTENTION] = kv_attention_f32,
        [OP_KV_COMBINE] = kv_combine_f32,
        [OP_PROMPT_ATTENTION] = prompt_attention_f32,
        [OP_MERGE_ROWS] = merge_rows_f32,
        [OP_TAKE_ROWS] = take_rows_f32,
        [OP_SAMPLE] = sample_f32,
    };
    static KERNEL_F32((*const run_int8[N_OP_KINDS])) = {
        [OP_LINEAR] = linear_int8,       [OP_LINEAR_DX] = linear_dx_int8,         [OP_LINEAR_DW] = linear_dw_int8,
        [OP_ATTENTION] = attention_int8, [OP_ATTENTION_BWD] = attention_bwd_int8,
    };
    if ((unsigned)op->kind >= N_OP_KINDS || !run[op->kind])
        bug("op %d is not arithmetic", (int)op->kind);
    if (context->format == FORMAT_FP64 || (unsigned)context->format >= N_NUMBER_FORMATS)
        bug("the float kernels do not compute in number format %d", (int)context->format);
    if (op->kind == OP_LINEAR && op->weight_bits == 8)
        linear_w8a8(op, context, in, out);
    else if (context->format == FORMAT_INT8 && run_int8[op->kind])
        run_int8[op->kind](op, context, in, out);
    else
        run[op->kind](op, context, in, out);
}
