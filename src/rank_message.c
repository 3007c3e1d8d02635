/* rank_message.c - SEND and RECV of a device: when, and for whom. */
#include "rank_private.h"

/* Bytes that a message has: all of its slot, or the rows of an iteration. */
static size_t message_bytes(const struct executor *executor, const struct program *program, const struct instr *instr,
                            int slot)
{
    return program->varies ? (size_t)instr->op->rows * (size_t)element_bytes(executor) : program->slots[slot].bytes;
}

/* Is the message waited for? That of a follower is, too, where its receiver is stepped. */
static int is_awaited(const struct executor *executor, const struct instr *instr)
{
    return !executor->is_follower[instr->peer];
}

/* SEND i as the follower has it. */
static const struct instr *of_follower(const struct executor *executor, const struct local_device *follower, int id,
                                       int i)
{
    return &program_of(executor, follower, id)->instrs[i];
}

int may_send(const struct executor *executor, const struct local_device *device, int id, int i)
{
    if (mail_is_full(executor->mail, id, program_of(executor, device, id)->instrs[i].channel))
        return 0;
    for (const struct local_device *f = device->first_follower; f; f = f->next_follower)
        if (mail_is_full(executor->mail, id, of_follower(executor, f, id, i)->channel))
            return 0;
    return 1;
}

/* The message leaves when the sender's port is free; the sender does not wait for the receiver. */
void post_message(struct executor *executor, const struct step_record *record, struct local_device *device,
                  const struct program *program, const struct instr *instr, uint64_t start_ps)
{
    int functional = is_functional(executor);
    struct wire_header header = {start_ps, !functional && !executor->options.timing_only};
    const void *data = functional ? slot_memory(device, program, instr->in[0]) : NULL;
    int id = (int)record->program, i = (int)(instr - program->instrs);
    if (is_awaited(executor, instr))
        mail_post(executor->mail, id, instr->channel, &header, data,
                  functional ? message_bytes(executor, program, instr, instr->in[0]) : 0);
    for (const struct local_device *f = device->first_follower; f; f = f->next_follower) {
        const struct instr *theirs = of_follower(executor, f, id, i);
        if (is_awaited(executor, theirs))
            mail_post(executor->mail, id, theirs->channel, &header, NULL, 0);
    }
}

/* 1 when the message was there: its data are in the slot, *start_ps is not before it was sent. */
int take_message(struct executor *executor, const struct step_record *record, struct local_device *device,
                 const struct program *program, const struct instr *instr, uint64_t *start_ps)
{
    struct wire_header header;
    const void *data;
    if (!mail_arrived(executor->mail, (int)record->program, instr->channel, &header, &data))
        return 0;
    if (header.start_ps > *start_ps)
        *start_ps = header.start_ps;
    executor->failed |= header.failed != 0;
    if (is_functional(executor))
        memcpy(slot_memory(device, program, instr->out[0]), data,
               message_bytes(executor, program, instr, instr->out[0]));
    mail_taken(executor->mail, (int)record->program, instr->channel);
    return 1;
}
