/* rank.c - the executor: opens the devices of this rank and advances their programs. */
#include "rank.h"

#include <stdlib.h>
#include <string.h>

#include "rank_private.h"

const struct device *device_find(const char *kind)
{
    static const struct device *const devices[] = {&gpu_device, &systolic_device};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (strcmp(devices[i]->kind, kind) == 0)
            return devices[i];
    return NULL;
}

int executor_home(int device, int n_devices, int n_ranks)
{
    return n_ranks > n_devices ? device + 1 : device % n_ranks;
}

static enum status get_memory(struct executor *executor, struct local_device *device, struct fault *fault)
{
    uint64_t bytes = 0;
    for (int p = 0; p < N_PROGRAMS; p++)
        if (program_of(executor, device, p)->memory_bytes > bytes)
            bytes = program_of(executor, device, p)->memory_bytes;
    void *memory = NULL;
    enum status status = block_new(&memory, bytes, fault);
    device->memory = memory;
    for (int p = 0; p < N_PROGRAMS && status == STATUS_OK; p++)
        load_initial_values(program_of(executor, device, p), executor->options.seed, element_bytes(executor), memory);
    return status;
}

static enum status get_scratch(struct executor *executor, struct fault *fault)
{
    uint64_t bytes = 0;
    for (int k = 0; k < executor->n_local; k++)
        for (int p = 0; p < N_PROGRAMS; p++)
            if (program_of(executor, &executor->local[k], p)->scratch_bytes > bytes)
                bytes = program_of(executor, &executor->local[k], p)->scratch_bytes;
    return block_new(&executor->scratch, bytes, fault);
}

static void init_clocks(struct executor *executor, struct local_device *device)
{
    const struct program *programs[N_PROGRAMS];
    for (int p = 0; p < N_PROGRAMS; p++)
        programs[p] = program_of(executor, device, p);
    clock_init(&device->clock, programs, executor->arena);
    clock_init(&device->before, programs, executor->arena);
}

static enum status open_devices(struct executor *executor, const struct device_spec *specs, struct fault *fault)
{
    int rank = comm_rank(executor->comm), n_devices = executor->plan->n_devices;
    executor->local = arena_array(executor->arena, (size_t)n_devices, sizeof *executor->local);
    executor->vectors = arena_array(executor->arena, (size_t)n_devices, sizeof *executor->vectors);
    for (int d = 0; d < n_devices; d++) {
        if (executor->home[d] != rank)
            continue;
        struct local_device *device = &executor->local[executor->n_local];
        device->number = d;
        device->backend = device_find(specs[d].kind);
        init_clocks(executor, device);
        enum status status = device->backend->open(&specs[d], executor->arena, &device->state, fault);
        if (status != STATUS_OK)
            return status;
        executor->n_local++;
        if (!executor->options.timing_only && (status = get_memory(executor, device, fault)) != STATUS_OK)
            return status;
    }
    return executor->options.timing_only ? STATUS_OK : get_scratch(executor, fault);
}

/* Samples of the largest minibatch of any program. */
static size_t most_samples(const struct plan *plan)
{
    int64_t most = 0;
    for (int p = 0; p < N_PROGRAMS; p++)
        for (int d = 0; d < plan->n_devices; d++) {
            int64_t end = plan->programs[p][d].first_sample + plan->programs[p][d].samples;
            most = end > most ? end : most;
        }
    return (size_t)most;
}

enum status executor_open(struct comm *comm, const struct plan *plan, const struct device_spec *specs,
                          struct windows *windows, const struct executor_options *options, struct executor **out,
                          struct fault *fault)
{
    struct arena *arena = arena_new();
    struct executor *executor = arena_take(arena, sizeof *executor);
    executor->comm = comm;
    executor->arena = arena;
    executor->plan = plan;
    executor->windows = windows;
    executor->options = *options;
    executor->home = arena_array(arena, (size_t)plan->n_devices, sizeof *executor->home);
    for (int d = 0; d < plan->n_devices; d++)
        executor->home[d] = executor_home(d, plan->n_devices, comm_size(comm));
    executor->sum = sum_new(comm, executor->home, plan->n_devices);
    executor->samples = arena_array(arena, most_samples(plan) + 1, sizeof *executor->samples);
    executor->replies = arena_array(arena, (size_t)comm_size(comm), sizeof *executor->replies);
    open_devices(executor, specs, fault);
    enum status status = agree(comm, 1, fault);
    if (status == STATUS_OK)
        *out = executor;
    else
        executor_close(executor);
    return status;
}

void executor_close(struct executor *executor)
{
    if (!executor)
        return;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        if (device->backend->close)
            device->backend->close(device->state);
        block_free(device->memory);
        free(device->predictions.sample);
        free(device->predictions.values);
    }
    block_free(executor->scratch);
    sum_free(executor->sum);
    mark_list_release(&executor->marks);
    arena_free(executor->arena);
}

static void mark_instr(struct executor *executor, const struct step_record *record, const struct local_device *device,
                       int i, uint64_t start_ps)
{
    if (executor->runs_marked[record->program] >= executor->options.trace_steps)
        return;
    struct mark mark = {start_ps, record->step, (uint32_t)device->number, (uint32_t)i, record->program};
    mark_list_add(&executor->marks, &mark);
}

static void run_arithmetic(struct executor *executor, const struct step_record *record, struct local_device *device,
                           const struct program *program, const struct instr *instr, const void *const *in,
                           void *const *out)
{
    int64_t rows_per_sample = program->samples ? instr->op->rows / program->samples : 0;
    struct kernel_context context = {
        .format = executor->plan->format,
        .seed = executor->options.seed,
        .step = record->step,
        .first_row = (uint64_t)(program->first_sample * rows_per_sample),
        .learning_rate = record->learning_rate,
        .scratch = executor->scratch,
    };
    device->backend->run(device->state, instr->op, &context, in, out);
}

/* The functional half of an instruction; a timing-only run leaves it out and is otherwise the same. */
static void run_instr(struct executor *executor, const struct step_record *record, struct local_device *device,
                      const struct program *program, const struct instr *instr)
{
    const void *in[OP_MAX_IN];
    void *out[OP_MAX_OUT];
    for (int i = 0; i < OP_MAX_IN; i++)
        in[i] = slot_memory(device, program, instr->in[i]);
    for (int i = 0; i < OP_MAX_OUT; i++)
        out[i] = slot_memory(device, program, instr->out[i]);
    if (instr->op->kind != OP_LOAD && instr->op->kind != OP_METRIC) {
        run_arithmetic(executor, record, device, program, instr, in, out);
        return;
    }
    double before_s = wall_s();
    struct load load = {executor->windows, record->program == PROGRAM_TRAIN ? WINDOWS_TRAIN : WINDOWS_TEST,
                        program,           executor->samples,
                        record->n_samples, element_bytes(executor)};
    if (instr->op->kind == OP_LOAD)
        load_minibatch(&load, out, &executor->fault);
    else
        load_errors(&load, in, slot_memory(device, program, program->sums), &device->metrics,
                    executor->options.keep_predictions ? &device->predictions : NULL);
    executor->wall.data_s += wall_s() - before_s;
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

/* Advances one device as far as it can go. */
static void advance(struct executor *executor, const struct step_record *record, struct local_device *device)
{
    const struct program *program = program_of(executor, device, (int)record->program);
    int functional = !executor->options.timing_only && !executor->failed && executor->fault.status == STATUS_OK;
    for (; device->next < program->n_instrs; device->next++) {
        const struct instr *instr = &program->instrs[device->next];
        if (instr->op->kind == OP_ALLREDUCE)
            continue; /* run_collective comes back to it: what does not need its result goes on */
        if (instr->n_waits && waits_for_collective(executor, program, instr))
            break;
        uint64_t start_ps = clock_start_ps(&device->clock, program, (int)record->program, device->next);
        clock_run(&device->clock, program, (int)record->program, device->next, start_ps);
        mark_instr(executor, record, device, device->next, start_ps);
        if (functional)
            run_instr(executor, record, device, program, instr);
        executor->wall.instructions++;
    }
}

static int find_collective(const struct program *program, int channel)
{
    for (int i = 0; i < program->n_instrs; i++)
        if (program->instrs[i].op->kind == OP_ALLREDUCE && program->instrs[i].channel == channel)
            return i;
    bug("no collective %d", channel);
}

/* The next collective: all devices of this rank have come to it. It starts when the last device of all is ready. */
static enum status run_collective(struct executor *executor, const struct step_record *record, struct fault *fault)
{
    int channel = executor->collectives_done++, id = (int)record->program, failed = executor->fault.status != STATUS_OK;
    int i = find_collective(program_of(executor, &executor->local[0], id), channel);
    uint64_t start_ps = 0;
    size_t n = 0;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        const struct program *program = program_of(executor, device, id);
        uint64_t ready_ps = clock_start_ps(&device->clock, program, id, i);
        start_ps = ready_ps > start_ps ? ready_ps : start_ps;
        n = (size_t)program->slots[program->instrs[i].out[0]].elements;
        executor->vectors[k] = slot_memory(device, program, program->instrs[i].out[0]);
    }
    double before_s = wall_s();
    enum status status = sum_run(executor->sum, executor->options.timing_only ? NULL : executor->vectors, n,
                                 element_bytes(executor), &start_ps, &failed, fault);
    executor->wall.exchange_s += wall_s() - before_s;
    executor->failed |= failed;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        clock_run(&device->clock, program_of(executor, device, id), id, i, start_ps);
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

/* One run of a program on all devices of this rank. */
static enum status run_program(struct executor *executor, const struct step_record *record, struct fault *fault)
{
    int id = (int)record->program;
    int n_collectives = executor->n_local ? program_of(executor, &executor->local[0], id)->n_collectives : 0;
    executor->collectives_done = 0;
    for (int k = 0; k < executor->n_local; k++) {
        if (id == PROGRAM_TRAIN)
            executor->local[k].predictions.n = 0; /* those of the evaluation before are out of date */
        executor->local[k].next = 0;
        clock_begin(&executor->local[k].clock, id);
    }
    double before_s = wall_s(), apart_s = executor->wall.exchange_s + executor->wall.data_s;
    enum status status = STATUS_OK;
    for (;;) {
        for (int k = 0; k < executor->n_local; k++)
            advance(executor, record, &executor->local[k]);
        if (status != STATUS_OK || executor->collectives_done == n_collectives)
            break;
        status = run_collective(executor, record, fault);
    }
    if (status == STATUS_OK && !all_done(executor, id))
        bug("program %d did not come to its end", id);
    executor->runs_marked[id]++;
    executor->wall.arithmetic_s += wall_s() - before_s - (executor->wall.exchange_s + executor->wall.data_s - apart_s);
    return status;
}

static double element(const void *memory, int bytes, int i)
{
    return bytes == 8 ? ((const double *)memory)[i] : (double)((const float *)memory)[i];
}

/* Does every device of this rank repeat its last run, all with the same shift? */
static int find_shift(struct executor *executor, int program_id, uint64_t *shift_ps)
{
    *shift_ps = 0;
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        uint64_t shift;
        if (!clock_repeats(&device->before, &device->clock, program_of(executor, device, program_id), program_id,
                           &shift))
            return 0;
        if (k > 0 && shift != *shift_ps)
            return 0;
        *shift_ps = shift;
    }
    return 1;
}

static struct reply make_reply(struct executor *executor, int program_id)
{
    struct reply reply = {.status = executor->fault.status};
    for (int k = 0; k < executor->n_local; k++)
        if (clock_end_ps(&executor->local[k].clock) > reply.end_ps)
            reply.end_ps = clock_end_ps(&executor->local[k].clock);
    if (executor->options.timing_only)
        reply.repeats = (uint64_t)find_shift(executor, program_id, &reply.shift_ps);
    if (executor->n_local && executor->local[0].number == 0 && !executor->options.timing_only) {
        const struct program *program = program_of(executor, &executor->local[0], program_id);
        const void *sums = slot_memory(&executor->local[0], program, program->sums);
        reply.loss_sum = element(sums, element_bytes(executor), 0);
        reply.loss_count = element(sums, element_bytes(executor), 1);
    }
    return reply;
}

/* All ranks learn how the run went; the fault of one is everybody's. *shift_ps > 0: all devices repeat themselves. */
static enum status exchange_replies(struct executor *executor, int program_id, struct step_result *result,
                                    uint64_t *shift_ps, struct fault *fault)
{
    struct reply mine = make_reply(executor, program_id), *all = executor->replies;
    double before_s = wall_s();
    enum status status = comm_gather_all(executor->comm, &mine, sizeof mine, all, fault);
    executor->wall.exchange_s += wall_s() - before_s;
    if (status != STATUS_OK)
        return status;
    int repeats = 1, failed = 0;
    *shift_ps = 0;
    for (int r = 0; r < comm_size(executor->comm); r++) {
        failed |= all[r].status != STATUS_OK;
        result->end_ps = all[r].end_ps > result->end_ps ? all[r].end_ps : result->end_ps;
        if (all[r].end_ps == 0)
            continue; /* holds no device */
        repeats &= (int)all[r].repeats && (*shift_ps == 0 || *shift_ps == all[r].shift_ps);
        *shift_ps = all[r].shift_ps;
    }
    if (!repeats)
        *shift_ps = 0;
    result->loss_sum = all[executor->home[0]].loss_sum;
    result->loss_count = all[executor->home[0]].loss_count;
    if (failed) {
        *fault = executor->fault;
        return agree(executor->comm, 1, fault);
    }
    return STATUS_OK;
}

static void remember_clocks(struct executor *executor)
{
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        const struct program *programs[N_PROGRAMS];
        for (int p = 0; p < N_PROGRAMS; p++)
            programs[p] = program_of(executor, device, p);
        clock_copy(&device->before, &device->clock, programs);
    }
}

static void jump(struct executor *executor, int program_id, uint64_t n, uint64_t shift_ps)
{
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        clock_jump(&device->clock, &device->before, program_of(executor, device, program_id), program_id, n, shift_ps);
    }
}

enum status executor_step(struct executor *executor, const struct step_record *record, const uint32_t *samples,
                          uint64_t *step_end_ps, struct step_result *result, struct fault *fault)
{
    struct step_record now = comm_rank(executor->comm) == 0 ? *record : (struct step_record){0};
    memset(result, 0, sizeof *result);
    enum status status = comm_broadcast(executor->comm, &now, sizeof now, fault);
    if (status != STATUS_OK)
        return status;
    result->stopped = now.stop != 0;
    if (now.stop)
        return STATUS_OK;
    if (comm_rank(executor->comm) == 0 && now.n_samples && !executor->options.timing_only)
        memcpy(executor->samples, samples, now.n_samples * sizeof *samples);
    if (now.n_samples && !executor->options.timing_only)
        status = comm_broadcast(executor->comm, executor->samples, now.n_samples * sizeof *samples, fault);
    for (uint64_t i = 0; i < now.repeat && status == STATUS_OK; i++) {
        uint64_t shift_ps;
        if (executor->options.timing_only)
            remember_clocks(executor);
        status = run_program(executor, &now, fault);
        if (status == STATUS_OK)
            status = exchange_replies(executor, (int)now.program, result, &shift_ps, fault);
        if (status != STATUS_OK)
            break;
        if (step_end_ps)
            step_end_ps[i] = result->end_ps;
        now.step++;
        uint64_t left = now.repeat - i - 1;
        if (shift_ps && left && executor->runs_marked[now.program] >= executor->options.trace_steps) {
            jump(executor, (int)now.program, left, shift_ps);
            for (uint64_t j = 0; step_end_ps && j < left; j++)
                step_end_ps[i + 1 + j] = result->end_ps + (j + 1) * shift_ps;
            result->end_ps += left * shift_ps;
            break;
        }
    }
    return status;
}
