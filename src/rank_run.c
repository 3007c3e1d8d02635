/* rank_run.c - one run of a program on the devices of this rank: instructions, messages, collectives. */
#include "rank_private.h"

static void mark_instr(struct executor *executor, const struct step_record *record, const struct local_device *device,
                       int i, uint64_t start_ps)
{
    if (executor->runs_marked[record->program] >= executor->options.trace_steps)
        return;
    struct mark mark = {start_ps, record->step, (uint32_t)device->number, (uint32_t)i, record->program};
    mark_list_add(&executor->marks, &mark);
}

static int is_functional(const struct executor *executor)
{
    return !executor->options.timing_only && !executor->failed && executor->fault.status == STATUS_OK;
}

static void run_arithmetic(struct executor *executor, const struct step_record *record, struct local_device *device,
                           const struct program *program, const struct instr *instr, uint64_t start_ps,
                           const void *const *in, void *const *out)
{
    const struct op *op = instr->op;
    int64_t rows_per_sample = op->samples ? op->rows / op->samples : 0;
    struct kernel_context context = {
        .format = device->format,
        .seed = executor->options.seed,
        .step = record->step,
        .state_since = record->state_since,
        .first_row = (uint64_t)((program->first_sample + op->first_sample) * rows_per_sample),
        .learning_rate = record->learning_rate,
        .scratch = executor->scratch,
        .virtual_ps = start_ps,
    };
    device->backend->run(device->state, op, &context, in, out);
}

/* The ops that move data between the windows of the data set and a device. */
static void run_data(struct executor *executor, const struct step_record *record, struct local_device *device,
                     const struct program *program, const struct instr *instr, const void *const *in, void *const *out)
{
    double before_s = wall_s();
    int training = record->program == PROGRAM_TRAIN || record->program == PROGRAM_LOW;
    struct load load = {
        .windows = executor->windows,
        .set = training             ? WINDOWS_TRAIN
               : record->validation ? WINDOWS_VALIDATION
                                    : WINDOWS_TEST,
        .samples = executor->samples,
        .n_samples = record->n_samples,
        .first = program->first_sample + instr->op->first_sample,
        .count = instr->op->samples,
        .element_bytes = element_bytes(executor),
    };
    if (instr->op->kind == OP_LOAD)
        load_minibatch(&load, out, &executor->fault);
    else
        load_errors(&load, in, &device->metrics,
                    executor->options.keep_predictions && !record->validation ? &device->predictions : NULL);
    executor->wall.data_s += wall_s() - before_s;
}

/* The functional half of an instruction; a timing-only run leaves it out and is otherwise the same. */
static void run_instr(struct executor *executor, const struct step_record *record, struct local_device *device,
                      const struct program *program, const struct instr *instr, uint64_t start_ps)
{
    const void *in[OP_MAX_IN];
    void *out[OP_MAX_OUT];
    for (int i = 0; i < OP_MAX_IN; i++)
        in[i] = slot_memory(device, program, instr->in[i]);
    for (int i = 0; i < OP_MAX_OUT; i++)
        out[i] = slot_memory(device, program, instr->out[i]);
    if (instr->op->kind == OP_LOAD || instr->op->kind == OP_METRIC)
        run_data(executor, record, device, program, instr, in, out);
    else if (instr->op->kind == OP_FILL)
        load_initial_slot(&program->slots[instr->out[0]], executor->options.seed, record->generation,
                          element_bytes(executor), device->memory);
    else
        run_arithmetic(executor, record, device, program, instr, start_ps, in, out);
}

static int waits_for_collective(const struct executor *executor, const struct program *program,
                                const struct instr *instr)
{
    const struct wait *wait = &program->waits[instr->first_wait];
    for (int w = 0; w < instr->n_waits; w++) {
        const struct instr *other = &program->instrs[wait[w].instr];
        if (!wait[w].previous_run && other->op->kind == OP_ALLREDUCE && other->channel >= executor->collectives_done)
            return 1;
    }
    return 0;
}

/* The message leaves when the sender's port is free; the sender does not wait for the receiver. */
static void post_message(struct executor *executor, const struct step_record *record, struct local_device *device,
                         const struct program *program, const struct instr *instr, uint64_t start_ps)
{
    int functional = is_functional(executor);
    struct wire_header header = {start_ps, !functional && !executor->options.timing_only};
    const void *data = functional ? slot_memory(device, program, instr->in[0]) : NULL;
    mail_post(executor->mail, (int)record->program, instr->channel, &header, data,
              functional ? program->slots[instr->in[0]].bytes : 0);
}

/* 1 when the message was there: its data are in the slot, *start_ps is not before it was sent. */
static int take_message(struct executor *executor, const struct step_record *record, struct local_device *device,
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
        memcpy(slot_memory(device, program, instr->out[0]), data, program->slots[instr->out[0]].bytes);
    mail_taken(executor->mail, (int)record->program, instr->channel);
    return 1;
}

/* Advances one device as far as it can go; returns how many instructions that were. */
static int advance(struct executor *executor, const struct step_record *record, struct local_device *device)
{
    const struct program *program = program_of(executor, device, (int)record->program);
    int first = device->next;
    for (; device->next < program->n_instrs; device->next++) {
        const struct instr *instr = &program->instrs[device->next];
        enum op_kind kind = instr->op->kind;
        if (kind == OP_ALLREDUCE)
            continue; /* run_collective comes back to it: what does not need its result goes on */
        if (instr->n_waits && waits_for_collective(executor, program, instr))
            break;
        uint64_t start_ps = clock_start_ps(&device->clock, program, (int)record->program, device->next);
        if (kind == OP_RECV && !take_message(executor, record, device, program, instr, &start_ps))
            break;
        clock_run(&device->clock, program, (int)record->program, device->next, start_ps);
        mark_instr(executor, record, device, device->next, start_ps);
        if (kind == OP_SEND)
            post_message(executor, record, device, program, instr, start_ps);
        else if (kind != OP_RECV && is_functional(executor))
            run_instr(executor, record, device, program, instr, start_ps);
        executor->wall.instructions++;
    }
    return device->next - first;
}

static int advance_all(struct executor *executor, const struct step_record *record)
{
    int n = 0;
    for (int k = 0; k < executor->n_local; k++)
        n += advance(executor, record, &executor->local[k]);
    return n;
}

static int find_collective(const struct program *program, int channel)
{
    for (int i = 0; i < program->n_instrs; i++)
        if (program->instrs[i].op->kind == OP_ALLREDUCE && program->instrs[i].channel == channel)
            return i;
    bug("no collective %d", channel);
}

/* Runs collectives_done with the devices of the group; *start_ps when the last of all is ready. */
static enum status sum_over_group(struct executor *executor, int id, uint64_t *start_ps, struct fault *fault)
{
    int channel = executor->collectives_done, failed = executor->fault.status != STATUS_OK, n_vectors = 0;
    size_t n = 0;
    *start_ps = 0;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        const struct program *program = program_of(executor, device, id);
        if (!program->n_collectives)
            continue;
        int i = find_collective(program, channel);
        uint64_t ready_ps = clock_start_ps(&device->clock, program, id, i);
        *start_ps = ready_ps > *start_ps ? ready_ps : *start_ps;
        n = (size_t)program->slots[program->instrs[i].out[0]].elements;
        executor->vectors[n_vectors++] = slot_memory(device, program, program->instrs[i].out[0]);
    }
    double before_s = wall_s();
    enum status status = sum_run(executor->sum, executor->options.timing_only ? NULL : executor->vectors, n,
                                 element_bytes(executor), start_ps, &failed, fault);
    executor->wall.exchange_s += wall_s() - before_s;
    executor->failed |= failed;
    return status;
}

/* The next collective: all devices of this rank have come to it. It starts when the last device of all is ready. */
static enum status run_collective(struct executor *executor, const struct step_record *record, struct fault *fault)
{
    int id = (int)record->program, channel = executor->collectives_done;
    uint64_t start_ps;
    enum status status = sum_over_group(executor, id, &start_ps, fault);
    executor->collectives_done++;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        const struct program *program = program_of(executor, device, id);
        if (!program->n_collectives)
            continue;
        int i = find_collective(program, channel);
        clock_run(&device->clock, program, id, i, start_ps);
        mark_instr(executor, record, device, i, start_ps);
        executor->wall.instructions++;
    }
    return status;
}

static int all_done(const struct executor *executor, int program_id)
{
    for (int k = 0; k < executor->n_local; k++)
        if (executor->local[k].next < program_of(executor, &executor->local[k], program_id)->n_instrs)
            return 0;
    return 1;
}

static int count_collectives(const struct executor *executor, int program_id)
{
    int n = 0;
    for (int k = 0; k < executor->n_local; k++)
        if (program_of(executor, &executor->local[k], program_id)->n_collectives > n)
            n = program_of(executor, &executor->local[k], program_id)->n_collectives;
    return n;
}

static void begin(struct executor *executor, const struct step_record *record)
{
    int program_id = (int)record->program;
    executor->collectives_done = 0;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        if (program_id == PROGRAM_TRAIN || program_id == PROGRAM_LOW)
            device->predictions.n = 0; /* those of the evaluation before are out of date */
        device->next = 0;
        if (!program_of(executor, device, program_id)->n_instrs)
            continue;
        clock_idle_until(&device->clock, record->not_before_ps);
        clock_begin(&device->clock, program_id);
    }
}

/* When no device of this rank can go on: a collective that all have come to, else a message from another rank. */
static enum status unblock(struct executor *executor, const struct step_record *record, int n_collectives,
                           struct fault *fault)
{
    if (executor->collectives_done < n_collectives)
        return run_collective(executor, record, fault);
    double before_s = wall_s();
    enum status status = mail_wait(executor->mail, fault);
    executor->wall.exchange_s += wall_s() - before_s;
    return status;
}

/* The errors of an evaluation have been added sample by sample, its losses are one sum. */
static void note_losses(struct executor *executor, int program_id)
{
    if (!is_functional(executor) || (program_id != PROGRAM_EVALUATE && program_id != PROGRAM_LOW_EVALUATE))
        return;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        const struct program *program = program_of(executor, device, program_id);
        if (program->n_instrs && program->sums != NO_SLOT)
            load_losses(slot_memory(device, program, program->sums), element_bytes(executor), &device->metrics);
    }
}

enum status run_program(struct executor *executor, const struct step_record *record, struct fault *fault)
{
    int id = (int)record->program, n_collectives = count_collectives(executor, id);
    double before_s = wall_s(), apart_s = executor->wall.exchange_s + executor->wall.data_s;
    enum status status = STATUS_OK;
    begin(executor, record);
    for (;;) {
        while (advance_all(executor, record) > 0)
            continue;
        if (status != STATUS_OK || (executor->collectives_done == n_collectives && all_done(executor, id)))
            break;
        status = unblock(executor, record, n_collectives, fault);
    }
    note_losses(executor, id);
    executor->runs_marked[id]++;
    executor->wall.arithmetic_s += wall_s() - before_s - (executor->wall.exchange_s + executor->wall.data_s - apart_s);
    return status;
}
