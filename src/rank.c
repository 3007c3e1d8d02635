/* rank.c - the executor: opens the devices of this rank and advances their programs. */
#include "rank.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/interrupt.h"
#include "rank_private.h"

const struct device *device_find(const char *kind)
{
    static const struct device *const devices[] = {&gpu_device, &reram_device, &systolic_device, &hbm_pim_device,
                                                   &cpu_device};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (strcmp(devices[i]->kind, kind) == 0)
            return devices[i];
    return NULL;
}

uint64_t device_idle_power_mw(const struct device *backend, const void *state, const struct device_spec *spec)
{
    return spec->idle_w >= 0 ? (uint64_t)(spec->idle_w * 1e3 + 0.5) : backend->idle_power_mw(state);
}

int executor_home(int device, int n_devices, int n_ranks)
{
    return n_ranks > n_devices ? device + 1 : device % n_ranks;
}

enum status get_memory(struct executor *executor, struct local_device *device, struct fault *fault)
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
    if (status == STATUS_OK && executor->options.weights)
        status = load_weights(program_of(executor, device, PROGRAM_ITERATE), executor->options.decoder,
                              executor->options.weights, element_bytes(executor), memory, fault);
    return status;
}

enum status get_scratch(struct executor *executor, struct fault *fault)
{
    uint64_t bytes = 0;
    for (int k = 0; k < executor->n_local; k++)
        for (int p = 0; p < N_PROGRAMS; p++)
            if (program_of(executor, &executor->local[k], p)->scratch_bytes > bytes)
                bytes = program_of(executor, &executor->local[k], p)->scratch_bytes;
    return block_new(&executor->scratch, bytes, fault);
}

void programs_of(const struct executor *executor, const struct local_device *device,
                 const struct program *programs[N_PROGRAMS])
{
    for (int p = 0; p < N_PROGRAMS; p++)
        programs[p] = program_of(executor, device, p);
}

static void init_clocks(struct executor *executor, struct local_device *device)
{
    const struct program *programs[N_PROGRAMS];
    programs_of(executor, device, programs);
    clock_init(&device->clock, programs, executor->arena);
    clock_init(&device->before, programs, executor->arena);
}

static int same_device(const struct device_spec *a, const struct device_spec *b)
{
    struct device_spec left = *a, right = *b;
    left.name = right.name = NULL;
    return memcmp(&left, &right, sizeof left) == 0;
}

/* Equal devices with equal programs are priced once. */
static void find_like(struct executor *executor, const struct device_spec *specs, int d)
{
    struct binding *binding = executor->bindings[d];
    binding->like = NULL;
    for (int e = 0; e < d && !binding->like; e++)
        if (executor->bindings[e] && same_device(&specs[d], &specs[e]) &&
            binding_is_like(binding, executor->bindings[e]))
            binding->like = executor->bindings[e]->like ? executor->bindings[e]->like : executor->bindings[e];
    if (!binding->like)
        binding_remember(binding, executor->arena);
}

void executor_reprice(struct executor *executor, const struct device_spec *specs)
{
    twins_forget(executor);
    for (int d = 0; d < executor->plan->n_devices; d++)
        if (executor->bindings[d])
            find_like(executor, specs, d);
}

/* Rank 0 prices iterations for all. */
static void open_bindings(struct executor *executor, const struct device_spec *specs)
{
    int rank = comm_rank(executor->comm), n_devices = executor->plan->n_devices;
    executor->bindings = arena_array(executor->arena, (size_t)n_devices + 1, sizeof *executor->bindings);
    for (int d = 0; d < n_devices; d++) {
        const struct program *program = &executor->plan->programs[PROGRAM_ITERATE][d];
        if (!program->varies || (rank != 0 && executor->home[d] != rank))
            continue;
        executor->bindings[d] = binding_new(program, executor->arena);
        find_like(executor, specs, d);
    }
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
        device->format = specs[d].format;
        init_clocks(executor, device);
        enum status status = device->backend->open(&specs[d], executor->arena, &device->state, fault);
        if (status != STATUS_OK)
            return status;
        device->idle_power_mw = device_idle_power_mw(device->backend, device->state, &specs[d]);
        device->bound = executor->bindings[d];
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

/* The other ranks that hold some of the n devices of the group. */
static void find_partners(struct executor *executor, int n)
{
    executor->partner = arena_array(executor->arena, (size_t)n + 1, sizeof *executor->partner);
    executor->has_announced = arena_array(executor->arena, (size_t)n + 1, sizeof *executor->has_announced);
    for (int k = 0; k < n; k++) {
        int known = executor->group_home[k] == comm_rank(executor->comm);
        for (int p = 0; p < executor->n_partners; p++)
            known |= executor->partner[p] == executor->group_home[k];
        if (!known)
            executor->partner[executor->n_partners++] = executor->group_home[k];
    }
}

/* Who takes part in all-reduces, and who holds the loss. */
void find_group(struct executor *executor)
{
    const struct plan *plan = executor->plan;
    int n = 0;
    executor->n_partners = 0;
    executor->group_home = arena_array(executor->arena, (size_t)plan->n_devices, sizeof *executor->group_home);
    for (int d = 0; d < plan->n_devices; d++)
        if (plan->programs[PROGRAM_TRAIN][d].n_collectives || plan->programs[PROGRAM_ITERATE][d].n_collectives)
            executor->group_home[n++] = executor->home[d];
    executor->sum = sum_new(executor->comm, executor->group_home, n);
    find_partners(executor, n);
    for (int p = 0; p < N_PROGRAMS; p++) {
        executor->loss_device[p] = -1;
        for (int d = plan->n_devices - 1; d >= 0; d--)
            if (plan->programs[p][d].n_instrs && plan->programs[p][d].sums != NO_SLOT)
                executor->loss_device[p] = d;
    }
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
    find_group(executor);
    executor->mail = mail_new(comm, plan, executor->home, !options->timing_only);
    executor->samples = arena_array(arena, most_samples(plan) + 1, sizeof *executor->samples);
    executor->replies = arena_array(arena, (size_t)comm_size(comm), sizeof *executor->replies);
    open_bindings(executor, specs);
    open_devices(executor, specs, fault);
    twins_open(executor);
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
    mail_free(executor->mail);
    mark_list_release(&executor->marks);
    arena_free(executor->arena);
}

static double element(const void *memory, int bytes, int i)
{
    return bytes == 8 ? ((const double *)memory)[i] : (double)((const float *)memory)[i];
}

static int is_active(const struct executor *executor, const struct local_device *device, int program_id)
{
    return program_of(executor, device, program_id)->n_instrs > 0;
}

/* Does every active device of this rank repeat its last run, all with the same shift? */
static int find_shift(struct executor *executor, int program_id, uint64_t *shift_ps)
{
    *shift_ps = 0;
    for (int k = 0; k < executor->n_stepped; k++) {
        struct local_device *device = executor->stepped[k];
        uint64_t shift;
        if (!is_active(executor, device, program_id))
            continue;
        if (!clock_repeats(&device->before, &device->clock, program_of(executor, device, program_id), program_id,
                           &shift))
            return 0;
        if (*shift_ps && shift != *shift_ps)
            return 0;
        *shift_ps = shift;
    }
    return 1;
}

static void add_standby(struct standby *sum, const struct standby *more)
{
    sum->fixed_fj += more->fixed_fj;
    sum->idle_mw += more->idle_mw;
}

static struct standby local_standby(const struct executor *executor)
{
    struct standby sum = {0, 0};
    for (int k = 0; k < executor->n_local; k++) {
        const struct local_device *device = &executor->local[k];
        struct standby more =
            clock_standby(&device->clock, device->backend->wait_power_mw(device->state), device->idle_power_mw);
        add_standby(&sum, &more);
    }
    return sum;
}

enum status executor_standby(struct executor *executor, struct standby *standby, struct fault *fault)
{
    struct reply mine = {.standby = local_standby(executor)};
    enum status status = comm_gather_all(executor->comm, &mine, sizeof mine, executor->replies, fault);
    *standby = (struct standby){0, 0};
    for (int r = 0; r < comm_size(executor->comm) && status == STATUS_OK; r++)
        add_standby(standby, &executor->replies[r].standby);
    return status;
}

static struct reply make_reply(struct executor *executor, int program_id)
{
    struct reply reply = {.status = executor->fault.status, .interrupts = (uint64_t)interrupts_caught()};
    for (int k = 0; k < executor->n_stepped; k++) {
        const struct local_device *device = executor->stepped[k];
        if (!is_active(executor, device, program_id))
            continue;
        reply.n_active++;
        if (clock_end_ps(&device->clock) > reply.end_ps)
            reply.end_ps = clock_end_ps(&device->clock);
        if (device->number == executor->loss_device[program_id] && !executor->options.timing_only) {
            const struct program *program = program_of(executor, device, program_id);
            const void *sums = slot_memory(device, program, program->sums);
            reply.loss_sum = element(sums, element_bytes(executor), 0);
            reply.loss_count = element(sums, element_bytes(executor), 1);
        }
    }
    if (program_id != PROGRAM_ITERATE)
        reply.standby = local_standby(executor);
    if (executor->options.timing_only)
        reply.repeats = (uint64_t)find_shift(executor, program_id, &reply.shift_ps);
    return reply;
}

enum status exchange_replies(struct executor *executor, int program_id, struct step_result *result, uint64_t *shift_ps,
                             struct fault *fault)
{
    struct reply mine = make_reply(executor, program_id), *all = executor->replies;
    double before_s = wall_s();
    enum status status = comm_gather_all(executor->comm, &mine, sizeof mine, all, fault);
    executor->wall.exchange_s += wall_s() - before_s;
    if (status != STATUS_OK)
        return status;
    int repeats = 1, failed = 0;
    *shift_ps = 0;
    result->standby = (struct standby){0, 0};
    for (int r = 0; r < comm_size(executor->comm); r++) {
        add_standby(&result->standby, &all[r].standby);
        failed |= all[r].status != STATUS_OK;
        result->end_ps = all[r].end_ps > result->end_ps ? all[r].end_ps : result->end_ps;
        if ((int)all[r].interrupts > result->interrupts)
            result->interrupts = (int)all[r].interrupts;
        if (all[r].n_active == 0)
            continue;
        repeats &= (int)all[r].repeats && (*shift_ps == 0 || *shift_ps == all[r].shift_ps);
        *shift_ps = all[r].shift_ps;
    }
    if (!repeats)
        *shift_ps = 0;
    if (executor->loss_device[program_id] >= 0) {
        result->loss_sum = all[executor->home[executor->loss_device[program_id]]].loss_sum;
        result->loss_count = all[executor->home[executor->loss_device[program_id]]].loss_count;
    }
    if (failed) {
        *fault = executor->fault;
        return agree(executor->comm, 1, fault);
    }
    return STATUS_OK;
}

void remember_clocks(struct executor *executor)
{
    for (int k = 0; k < executor->n_stepped; k++) {
        struct local_device *device = executor->stepped[k];
        const struct program *programs[N_PROGRAMS];
        programs_of(executor, device, programs);
        clock_copy(&device->before, &device->clock, programs);
    }
}

static void jump(struct executor *executor, int program_id, uint64_t n, uint64_t shift_ps)
{
    for (int k = 0; k < executor->n_local; k++) {
        struct local_device *device = &executor->local[k];
        if (!is_active(executor, device, program_id))
            continue;
        clock_jump(&device->clock, &device->before, program_of(executor, device, program_id), program_id, n, shift_ps);
    }
}

/* `left` more steps like the one that has ended: stand-by energy, too, grows by the same with each. */
static enum status repeat_step(struct executor *executor, int program_id, uint64_t left, uint64_t shift_ps,
                               struct step_end *ends, struct step_result *result, struct fault *fault)
{
    struct step_end end = {result->end_ps, result->standby.fixed_fj};
    jump(executor, program_id, left, shift_ps);
    enum status status = executor_standby(executor, &result->standby, fault);
    wide_int each_fj = (result->standby.fixed_fj - end.standby_fixed_fj) / (wide_int)left;
    for (uint64_t i = 1; ends && i <= left; i++)
        ends[i - 1] = (struct step_end){end.end_ps + i * shift_ps, end.standby_fixed_fj + (wide_int)i * each_fj};
    result->end_ps += left * shift_ps;
    return status;
}

enum status executor_step(struct executor *executor, const struct step_record *record, const uint32_t *samples,
                          struct step_end *ends, struct step_result *result, struct fault *fault)
{
    struct step_record now = comm_rank(executor->comm) == 0 ? *record : (struct step_record){0};
    memset(result, 0, sizeof *result);
    enum status status = comm_broadcast(executor->comm, &now, sizeof now, fault);
    if (status != STATUS_OK)
        return status;
    result->wish = now.wish;
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
        if (ends)
            ends[i] = (struct step_end){result->end_ps, result->standby.fixed_fj};
        now.step++;
        uint64_t left = now.repeat - i - 1;
        if (shift_ps && left && executor->runs_marked[now.program] >= executor->options.trace_steps)
            return repeat_step(executor, (int)now.program, left, shift_ps, ends ? ends + i + 1 : NULL, result, fault);
    }
    return status;
}
