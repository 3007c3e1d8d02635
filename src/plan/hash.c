#include "plan/program.h"

#include <string.h>

/* Field by field, never a struct's bytes: padding has no value and pointers differ from process to process. */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        hash ^= value >> 8 * i & 0xff;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t mix_int(uint64_t hash, int64_t value)
{
    return mix(hash, (uint64_t)value);
}

static uint64_t mix_double(uint64_t hash, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return mix(hash, bits);
}

/* The length first: ("ab", "c") and ("a", "bc") differ, so do NULL and "". */
static uint64_t mix_text(uint64_t hash, const char *text)
{
    if (!text)
        return mix_int(hash, -1);
    hash = mix(hash, strlen(text));
    for (; *text; text++) {
        hash ^= (unsigned char)*text;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t mix_op(uint64_t hash, const struct op *op)
{
    const int64_t integers[] = {
        op->kind,      op->samples,      op->rows,        op->in,         op->out,         op->n_query,
        op->n_key,     op->heads,        op->head_width,  op->packed,     op->interleave,  op->causal_block,
        op->width,     op->accumulate,   op->skip_sums,   op->act,        op->site,        op->loss,
        op->optimiser, op->last_offset,  op->last_stride, op->last_count, op->part,        op->parts,
        op->groups,    op->first_sample, op->matrix,      op->replicas,   op->tokens,      op->kv_heads,
        op->shard,     op->shards,       op->shard_block, op->kv_bits,    op->weight_bits, (int64_t)op->transfer_bytes};
    const double reals[] = {op->dropout,       op->eps,          op->huber_delta, op->beta1, op->beta2,
                            op->optimiser_eps, op->weight_decay, op->clip_norm,   op->scale};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        hash = mix_int(hash, integers[i]);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        hash = mix_double(hash, reals[i]);
    return mix_int(hash, op->near ? (int64_t)op->near->hash : 0);
}

static uint64_t mix_cost(uint64_t hash, const struct cost *cost)
{
    hash = mix(hash, cost->time_ps);
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        hash = mix(hash, cost->energy_fj[p]);
    hash = mix(hash, cost->flops);
    hash = mix(hash, cost->bytes);
    return mix(hash, cost->cell_writes);
}

static uint64_t mix_instr(uint64_t hash, const struct instr *instr)
{
    hash = mix_op(hash, instr->op);
    for (int i = 0; i < OP_MAX_IN; i++)
        hash = mix_int(hash, instr->in[i]);
    for (int i = 0; i < OP_MAX_OUT; i++)
        hash = mix_int(hash, instr->out[i]);
    const int64_t integers[] = {instr->engine,  instr->phase, instr->block,      instr->group,
                                instr->channel, instr->peer,  instr->first_wait, instr->n_waits};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        hash = mix_int(hash, integers[i]);
    hash = mix_text(hash, instr->name);
    hash = mix_text(hash, instr->algorithm);
    return mix_cost(hash, &instr->cost);
}

static uint64_t mix_slot(uint64_t hash, const struct slot *slot)
{
    hash = mix_text(hash, slot->name);
    const int64_t integers[] = {slot->kind,
                                slot->root,
                                slot->elements,
                                (int64_t)slot->offset_bytes,
                                (int64_t)slot->bytes,
                                slot->init,
                                slot->init_place,
                                slot->n_dims,
                                slot->is_weight,
                                slot->is_trained,
                                slot->copies,
                                slot->part,
                                slot->parts,
                                slot->chunk,
                                slot->chunks,
                                slot->first,
                                slot->some};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        hash = mix_int(hash, integers[i]);
    hash = mix_double(hash, slot->init_scale);
    for (int d = 0; d < slot->n_dims; d++)
        hash = mix_int(hash, slot->dims[d]);
    hash = mix_int(hash, slot->values != NULL);
    for (int64_t i = 0; slot->values && i < slot->elements; i++)
        hash = mix_double(hash, slot->values[i]);
    return hash;
}

uint64_t program_hash(const struct program *program, uint64_t hash)
{
    const int64_t integers[] = {program->device,
                                program->n_instrs,
                                program->n_slots,
                                program->n_waits,
                                program->n_collectives,
                                program->samples,
                                program->first_sample,
                                (int64_t)program->memory_bytes,
                                (int64_t)program->scratch_bytes,
                                program->sums,
                                program->output,
                                program->varies,
                                program->loop_first,
                                program->loop_end,
                                program->loop_count};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        hash = mix_int(hash, integers[i]);
    for (int k = 0; k < N_SLOT_KINDS; k++)
        hash = mix(hash, program->kind_bytes[k]);
    for (int i = 0; i < program->n_instrs; i++)
        hash = mix_instr(hash, &program->instrs[i]);
    for (int i = 0; i < program->n_slots; i++)
        hash = mix_slot(hash, &program->slots[i]);
    for (int i = 0; i < program->n_waits; i++)
        hash = mix_int(mix_int(hash, program->waits[i].instr), program->waits[i].previous_run);
    return hash;
}
