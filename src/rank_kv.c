/* rank_kv.c - blocks of the KV cache leave a device's memory and come back, here or into another executor. */
#include "rank_private.h"

/* A state of four dimensions is keys or values: [blocks, heads, tokens, width], once for each layer. */
static int is_cache(const struct slot *slot, int s)
{
    return slot->kind == SLOT_STATE && slot->n_dims == 4 && slot->root == s;
}

static int64_t copies_of(const struct slot *slot)
{
    return slot->copies > 1 ? slot->copies : 1;
}

static size_t block_bytes(const struct slot *slot)
{
    return (size_t)(slot->bytes / (uint64_t)copies_of(slot) / (uint64_t)slot->dims[0]);
}

static size_t device_bytes(const struct executor *executor, const struct local_device *device)
{
    const struct program *program = program_of(executor, device, PROGRAM_ITERATE);
    size_t bytes = 0;
    for (int s = 0; s < program->n_slots; s++)
        if (is_cache(&program->slots[s], s))
            bytes += block_bytes(&program->slots[s]) * (size_t)copies_of(&program->slots[s]);
    return bytes;
}

size_t executor_kv_bytes(const struct executor *executor, size_t n)
{
    size_t bytes = 0;
    for (int k = 0; k < executor->n_local; k++)
        bytes += n * device_bytes(executor, &executor->local[k]);
    return bytes;
}

/* One block of one slot, in all layers; returns the end of `kept`. */
static char *move_block(const struct local_device *device, const struct slot *slot, uint32_t block, char *kept,
                        int is_out)
{
    size_t bytes = block_bytes(slot);
    if ((int64_t)block >= slot->dims[0])
        bug("block %u of a KV cache of %lld", block, (long long)slot->dims[0]);
    for (int64_t copy = 0; copy < copies_of(slot); copy++, kept += bytes) {
        char *cache = device->memory + slot->offset_bytes + slot_copy_bytes(slot, copy) + block * bytes;
        memcpy(is_out ? kept : cache, is_out ? cache : kept, bytes);
    }
    return kept;
}

void executor_kv_move(struct executor *executor, const uint32_t *block, size_t n, char *kept, int is_out)
{
    for (int k = 0; k < executor->n_local; k++) {
        const struct local_device *device = &executor->local[k];
        const struct program *program = program_of(executor, device, PROGRAM_ITERATE);
        for (int s = 0; s < program->n_slots; s++)
            for (size_t i = 0; i < n && is_cache(&program->slots[s], s); i++)
                kept = move_block(device, &program->slots[s], block[i], kept, is_out);
    }
}

void executor_kv_archive(struct executor *executor, size_t n, char *kept, struct archive *archive)
{
    size_t bytes = (size_t)element_bytes(executor);
    for (int k = 0; k < executor->n_local; k++) {
        size_t own = n * device_bytes(executor, &executor->local[k]);
        archive_enter(archive, "devices/%04d", executor->local[k].number);
        if (own)
            archive_memory(archive, "kv", bytes == 8 ? ARCHIVE_F64 : ARCHIVE_F32, kept, own / bytes);
        archive_leave(archive);
        kept += own;
    }
}
