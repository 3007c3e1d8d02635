/* rank_run.c - one run of a program on the devices of this rank: instructions, messages, collectives. */
#include "rank_private.h"

static void mark_instr(struct executor *executor, const struct step_record *record, const struct local_device *device,
                       int i, uint64_t start_ps)
{
    if (executor->runs_marked[record->program] >= executor->options.trace_steps)
        return;
    struct mark mark = {start_ps,
                        record->step,
                        (uint32_t)device->number,
                        (uint32_t)i,
                        (uint16_t)record->program,
                        (uint16_t)executor->n_replans};
    mark_list_add(&executor->marks, &mark);
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

/* The number within the run of the all-reduce `j` that instruction `i` of the running repetition waits for; -1: none
 * yet. */
static int64_t collective_number(const struct program *program, int64_t repetition, int i, int j)
{
    int64_t channel = program->instrs[j].channel, each = program->n_loop_collectives;
    if (program->loop_count <= 1 || j < program->loop_first)
        return channel;
    if (j >= program->loop_end)
        return channel + (program->loop_count - 1) * each;
    repetition -= j > i;
    return repetition < 0 ? -1 : channel + repetition * each;
}

static int waits_for_collective(const struct executor *executor, const struct local_device *device,
                                const struct program *program, int i)
{
    const struct instr *instr = &program->instrs[i];
    const struct wait *wait = &program->waits[instr->first_wait];
    for (int w = 0; w < instr->n_waits; w++) {
        int j = wait[w].instr;
        if (!wait[w].previous_run && program->instrs[j].op->kind == OP_ALLREDUCE &&
            collective_number(program, device->repetition, i, j) >= executor->collectives_done)
            return 1;
    }
    return 0;
}

/* Goes on behind the instruction, to the start of the loop at its end. 0: the next repetition has to wait. */
static int move_on(const struct executor *executor, struct local_device *device, const struct program *program)
{
    if (program->loop_count > 1 && device->next + 1 == program->loop_end &&
        device->repetition + 1 < program->loop_count) {
        if (device->repetition + 1 >= executor->repetitions_allowed)
            return 0;
        device->repetition++;
        device->next = program->loop_first;
        return 1;
    }
    device->next++;
    return 1;
}

/* One instruction. 0 when it cannot run yet. */
static int run_next(struct executor *executor, const struct step_record *record, struct local_device *device,
                    const struct program *program)
{
    const struct instr *instr = &program->instrs[device->next];
    enum op_kind kind = instr->op->kind;
    int id = (int)record->program;
    if (instr->n_waits && waits_for_collective(executor, device, program, device->next))
        return 0;
    if (kind == OP_SEND && !may_send(executor, device, id, device->next))
        return 0;
    uint64_t start_ps = clock_start_ps(&device->clock, program, id, device->next);
    if (kind == OP_RECV && !take_message(executor, record, device, program, instr, &start_ps))
        return 0;
    clock_run(&device->clock, program, id, device->next, start_ps);
    mark_instr(executor, record, device, device->next, start_ps);
    if (kind == OP_SEND)
        post_message(executor, record, device, program, instr, start_ps);
    else if (kind != OP_RECV && is_functional(executor))
        run_instr(executor, record, device, program, instr, start_ps);
    executor->wall.instructions++;
    return 1;
}

/* An op without work: 0 when it cannot be passed yet. */
static int pass_by(struct executor *executor, const struct step_record *record, struct local_device *device,
                   const struct program *program)
{
    const struct instr *instr = &program->instrs[device->next];
    int id = (int)record->program;
    if (!is_passed(instr->op))
        return 1;
    if (instr->n_waits && waits_for_collective(executor, device, program, device->next))
        return 0;
    uint64_t start_ps = clock_start_ps(&device->clock, program, id, device->next);
    clock_run(&device->clock, program, id, device->next, start_ps);
    if (is_functional(executor))
        run_instr(executor, record, device, program, instr, start_ps);
    return 1;
}

/* The next instruction, unless the device has done it and waits at the end of its loop. 0 when it cannot run yet. An
 * all-reduce is left to run_collective: what does not need its result goes on. */
static int do_next(struct executor *executor, const struct step_record *record, struct local_device *device,
                   const struct program *program)
{
    if (device->is_held)
        return 1;
    if (!has_work(device, (int)record->program, device->next))
        return pass_by(executor, record, device, program);
    return program->instrs[device->next].op->kind == OP_ALLREDUCE || run_next(executor, record, device, program);
}

/* Advances one device as far as it can go; returns how many instructions that were. */
static int advance(struct executor *executor, const struct step_record *record, struct local_device *device)
{
    const struct program *program = program_of(executor, device, (int)record->program);
    int n = 0;
    while (device->next < program->n_instrs) {
        if (!do_next(executor, record, device, program))
            break;
        device->is_held = !move_on(executor, device, program);
        if (device->is_held)
            break;
        n++;
    }
    return n;
}

static int advance_all(struct executor *executor, const struct step_record *record)
{
    int n = 0;
    for (int k = 0; k < executor->n_stepped; k++)
        n += advance(executor, record, executor->stepped[k]);
    return n;
}

/* The instruction that is all-reduce `number` of the run. */
static int find_collective(const struct program *program, int64_t number)
{
    for (int i = 0; i < program->n_instrs; i++) {
        int64_t channel = program->instrs[i].channel, each = program->n_loop_collectives, first = number - channel;
        if (program->instrs[i].op->kind != OP_ALLREDUCE)
            continue;
        if (program->loop_count > 1 && i >= program->loop_first && i < program->loop_end) {
            if (first >= 0 && first % each == 0 && first / each < program->loop_count)
                return i;
        } else if (collective_number(program, 0, i, i) == number) {
            return i;
        }
    }
    bug("no collective %lld", (long long)number);
}

/* Runs collectives_done with the devices of the group; *start_ps when the last of all is ready. */
static enum status sum_over_group(struct executor *executor, int id, uint64_t *start_ps, struct fault *fault)
{
    int64_t number = executor->collectives_done;
    int failed = executor->fault.status != STATUS_OK, n_vectors = 0;
    size_t n = 0;
    *start_ps = 0;
    for (int k = 0; k < executor->n_stepped; k++) {
        struct local_device *device = executor->stepped[k];
        const struct program *program = program_of(executor, device, id);
        if (!program->n_collectives)
            continue;
        int i = find_collective(program, number);
        uint64_t ready_ps = clock_start_ps(&device->clock, program, id, i);
        *start_ps = ready_ps > *start_ps ? ready_ps : *start_ps;
        n = program->varies ? (size_t)(program->instrs[i].op->rows * program->instrs[i].op->in)
                            : (size_t)program->slots[program->instrs[i].out[0]].elements;
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
    int id = (int)record->program;
    int64_t number = executor->collectives_done;
    uint64_t start_ps;
    enum status status = sum_over_group(executor, id, &start_ps, fault);
    executor->collectives_done++;
    for (int k = 0; k < executor->n_stepped; k++) {
        struct local_device *device = executor->stepped[k];
        const struct program *program = program_of(executor, device, id);
        if (!program->n_collectives)
            continue;
        int i = find_collective(program, number);
        clock_run(&device->clock, program, id, i, start_ps);
        mark_instr(executor, record, device, i, start_ps);
        executor->wall.instructions++;
    }
    return status;
}

/* Have all devices of this rank that take part in the next all-reduce come to it? */
static int have_come(const struct executor *executor, int id)
{
    int64_t number = executor->collectives_done;
    for (int k = 0; k < executor->n_stepped; k++) {
        const struct local_device *device = executor->stepped[k];
        const struct program *program = program_of(executor, device, id);
        if (!program->n_collectives)
            continue;
        int i = find_collective(program, number);
        int in_loop = program->loop_count > 1 && i >= program->loop_first && i < program->loop_end;
        if (in_loop ? collective_number(program, device->repetition, device->next, i) < number : device->next < i)
            return 0;
    }
    return 1;
}

/* Ranks enter an all-reduce together: who waits in it cannot pass on messages that another one needs to come to it. 0
 * when not all are there; then a message is on its way. */
static int meet_partners(struct executor *executor)
{
    int all = 1;
    for (int p = 0; p < executor->n_partners && !executor->is_announced; p++)
        mail_announce(executor->mail, executor->partner[p]);
    executor->is_announced = 1;
    for (int p = 0; p < executor->n_partners; p++) {
        if (!executor->has_announced[p])
            executor->has_announced[p] = (char)mail_is_announced(executor->mail, executor->partner[p]);
        all &= executor->has_announced[p];
    }
    return all;
}

static int all_done(const struct executor *executor, int program_id)
{
    for (int k = 0; k < executor->n_stepped; k++)
        if (executor->stepped[k]->next < program_of(executor, executor->stepped[k], program_id)->n_instrs)
            return 0;
    return 1;
}

static int64_t count_collectives(const struct executor *executor, int program_id)
{
    int64_t n = 0;
    for (int k = 0; k < executor->n_stepped; k++) {
        const struct program *program = program_of(executor, executor->stepped[k], program_id);
        int64_t mine = program->n_collectives;
        if (program->loop_count > 1)
            mine += (program->loop_count - 1) * program->n_loop_collectives;
        n = mine > n ? mine : n;
    }
    return n;
}

static void begin(struct executor *executor, const struct step_record *record)
{
    int program_id = (int)record->program;
    executor->collectives_done = 0;
    for (int k = 0; k < executor->n_stepped; k++) {
        struct local_device *device = executor->stepped[k];
        if (program_id == PROGRAM_TRAIN || program_id == PROGRAM_LOW)
            device->predictions.n = 0; /* those of the evaluation before are out of date */
        device->next = 0;
        device->repetition = 0;
        device->is_held = 0;
        if (!program_of(executor, device, program_id)->n_instrs)
            continue;
        clock_idle_until(&device->clock, record->not_before_ps);
        clock_begin(&device->clock, program_id);
    }
}

/* When no device of this rank can go on: a collective that all have come to, else a message from another rank. */
static enum status unblock(struct executor *executor, const struct step_record *record, int64_t n_collectives,
                           struct fault *fault)
{
    int has_messages = executor->plan->n_channels[record->program] > 0;
    if (executor->collectives_done < n_collectives &&
        (!has_messages || (have_come(executor, (int)record->program) && meet_partners(executor)))) {
        executor->is_announced = 0;
        memset(executor->has_announced, 0, (size_t)executor->n_partners);
        return run_collective(executor, record, fault);
    }
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
    for (int k = 0; k < executor->n_stepped; k++) {
        struct local_device *device = executor->stepped[k];
        const struct program *program = program_of(executor, device, program_id);
        if (program->n_instrs && program->sums != NO_SLOT)
            load_losses(slot_memory(device, program, program->sums), element_bytes(executor), &device->metrics);
    }
}

/* Devices whose loop has work, each at the end of the same repetition: do they all repeat themselves? Sets the shift.
 */
static int loops_repeat(const struct executor *executor, int id, uint64_t *shift_ps)
{
    *shift_ps = 0;
    for (int k = 0; k < executor->n_stepped; k++) {
        const struct local_device *device = executor->stepped[k];
        uint64_t shift;
        if (!device->is_held)
            continue;
        if (!clock_loop_repeats(&device->before, &device->clock, program_of(executor, device, id), id, &shift))
            return 0;
        if (shift && *shift_ps && shift != *shift_ps)
            return 0;
        *shift_ps = shift ? shift : *shift_ps;
    }
    return *shift_ps > 0;
}

static void jump_loops(struct executor *executor, int id, uint64_t shift_ps)
{
    int64_t each = 0, n = 0;
    for (int k = 0; k < executor->n_stepped; k++) {
        struct local_device *device = executor->stepped[k];
        const struct program *program = program_of(executor, device, id);
        if (!device->is_held)
            continue;
        n = program->loop_count - 1 - device->repetition;
        clock_loop_jump(&device->clock, &device->before, program, id, (uint64_t)n, shift_ps);
        device->repetition += n;
        each = program->n_loop_collectives > each ? program->n_loop_collectives : each;
    }
    executor->collectives_done += n * each;
}

/* All devices stand at the end of a repetition of their loops: the others are like it, or one more is run. */
static void open_repetition(struct executor *executor, int id)
{
    uint64_t shift_ps;
    if (executor->repetitions_allowed > 1 && loops_repeat(executor, id, &shift_ps))
        jump_loops(executor, id, shift_ps);
    else
        remember_clocks(executor);
    executor->repetitions_allowed++;
}

/* Timing-only in one process, with no instruction to be recorded: repetitions of a loop need not all be run. */
static int may_skip_repetitions(const struct executor *executor, int id)
{
    return executor->options.timing_only && comm_size(executor->comm) == 1 &&
           executor->runs_marked[id] >= executor->options.trace_steps;
}

static int all_held_or_done(const struct executor *executor, int id)
{
    int held = 0;
    for (int k = 0; k < executor->n_stepped; k++) {
        const struct local_device *device = executor->stepped[k];
        if (!device->is_held && device->next < program_of(executor, device, id)->n_instrs)
            return 0;
        held |= device->is_held;
    }
    return held;
}

enum status run_program(struct executor *executor, const struct step_record *record, struct fault *fault)
{
    int id = (int)record->program;
    int64_t n_collectives = count_collectives(executor, id);
    double before_s = wall_s(), apart_s = executor->wall.exchange_s + executor->wall.data_s;
    enum status status = STATUS_OK;
    begin(executor, record);
    executor->repetitions_allowed = may_skip_repetitions(executor, id) ? 1 : INT64_MAX;
    for (;;) {
        while (advance_all(executor, record) > 0)
            continue;
        if (status != STATUS_OK || (executor->collectives_done == n_collectives && all_done(executor, id)))
            break;
        if (all_held_or_done(executor, id))
            open_repetition(executor, id);
        else
            status = unblock(executor, record, n_collectives, fault);
    }
    note_losses(executor, id);
    executor->runs_marked[id]++;
    executor->wall.arithmetic_s += wall_s() - before_s - (executor->wall.exchange_s + executor->wall.data_s - apart_s);
    return status;
}
