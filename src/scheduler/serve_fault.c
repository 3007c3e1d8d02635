/* serve_fault.c - devices fail, or get slower, while requests are served.
 *
 * A fault shows at the first instant at or after its time at which the instance is between iterations: an iteration
 * under way still ends. A lost device leaves a smaller machine, which is planned for anew (decoder_plan.h): heads and
 * tokens of the KV cache are dealt to the devices that are left. The instance stops for serve.recovery_s, in which the
 * loss is noticed, and until over the links to the host, all at the same time, every device has its new program (64
 * bytes an instruction, what a descriptor of a command queue takes) and those weights that it did not have before: all
 * of its part when the GPUs share them otherwise, the copies of the feed-forward when PIM devices do.
 */
#include <stdlib.h>
#include <string.h>

#include "device/catalogue.h"
#include "scheduler/serve_private.h"

enum { DESCRIPTOR_BYTES = 64 };

/* ---- reading ---- */

static int by_time(const void *left, const void *right)
{
    const struct serve_due *a = left, *b = right;
    if (a->fault->at_s != b->fault->at_s)
        return a->fault->at_s < b->fault->at_s ? -1 : 1;
    return (a->fault > b->fault) - (a->fault < b->fault);
}

static int fails(const struct serve_due *due)
{
    return strcmp(due->fault->kind, "fails") == 0;
}

static enum status find_device(const struct serve *serve, struct serve_due *due, struct fault *fault)
{
    const struct job *job = serve->job;
    int number = (int)(due->fault - job->fault);
    if (due->fault->instance >= job->serve.instances)
        return fault_set(fault, STATUS_USAGE, "%s: faults[%d].instance: expected 0 to %lld, found %lld", job->source,
                         number, (long long)job->serve.instances - 1, (long long)due->fault->instance);
    for (due->device = 0; due->device < serve->machine.n_devices; due->device++)
        if (strcmp(serve->machine.specs[due->device].name, due->fault->device) == 0)
            return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "%s: faults[%d].device: expected %s to %s, found '%s'", job->source, number,
                     serve->machine.specs[0].name, serve->machine.specs[serve->machine.n_devices - 1].name,
                     due->fault->device);
}

static enum status check_order(const struct serve_course *course, int i, struct fault *fault)
{
    const struct serve_due *later = &course->due[i];
    for (int j = 0; j < i; j++) {
        const struct serve_due *earlier = &course->due[j];
        if (fails(earlier) && earlier->device == later->device && earlier->fault->instance == later->fault->instance)
            return fault_set(fault, STATUS_USAGE,
                             "%s: faults[%d].device: expected a device that is left, found %s, "
                             "which has failed before",
                             course->serve->job->source, (int)(later->fault - course->serve->job->fault),
                             later->fault->device);
    }
    return STATUS_OK;
}

enum status serve_course_read_faults(struct serve_course *course, struct fault *fault)
{
    struct serve *serve = course->serve;
    const struct job *job = serve->job;
    uint64_t first_ps = serve->requests.n ? serve->requests.request[0].arrival_ps : 0;
    course->n_due = job->n_faults;
    course->due = arena_array(serve->arena, (size_t)job->n_faults + 1, sizeof *course->due);
    if (job->n_faults && job->serve.prefill_instances)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: serve.prefill_instances: expected 0 with faults, found %lld: KV that is handed over while "
            "a device fails is not emulated",
            job->source, (long long)job->serve.prefill_instances);
    if (job->n_faults && !serve->timing_only && serve->serving.preemption == PREEMPTION_SWAP &&
        strcmp(job->serve.recovery, "reload") == 0)
        return fault_set(fault, STATUS_USAGE,
                         "%s: serve.recovery: expected recompute with faults and serve.preemption swap in a run with "
                         "tensors, found reload: KV on the host is not dealt anew to the devices that are left",
                         job->source);
    for (int i = 0; i < job->n_faults; i++) {
        struct serve_due *due = &course->due[i];
        uint64_t at_ps = (uint64_t)(job->fault[i].at_s * 1e12 + 0.5);
        *due = (struct serve_due){.fault = &job->fault[i], .at_ps = at_ps > first_ps ? at_ps : first_ps};
        if (find_device(serve, due, fault) != STATUS_OK)
            return fault->status;
    }
    if (job->n_faults > 1)
        qsort(course->due, (size_t)job->n_faults, sizeof *course->due, by_time);
    for (int i = 0; i < job->n_faults; i++)
        if (check_order(course, i, fault) != STATUS_OK)
            return fault->status;
    return STATUS_OK;
}

/* ---- the machine after a fault ---- */

static void slow_down(struct serve_site *site, const struct serve_due *due)
{
    struct device_spec *spec = &site->machine.specs[due->device];
    double *speed = strcmp(due->fault->kind, "degrades") == 0 ? &spec->speed : &spec->link_speed;
    *speed = (*speed > 0 ? *speed : 1) * due->fault->factor;
}

/* A plan for what is left. */
static enum status plan_without(struct serve_course *course, struct serve_site *site, const struct serve_due *due,
                                struct fault *fault)
{
    const struct serve *serve = course->serve;
    struct arena *arena = serve->arena;
    size_t n = (size_t)serve->machine.n_devices;
    uint8_t *lost = arena_array(arena, n, sizeof *lost);
    struct decoder_plan *plan = arena_take(arena, sizeof *plan);
    struct decoder_limits limits = serve->limits;
    struct fault reason = FAULT_NONE;
    site->lost[due->device] = 1;
    memcpy(lost, site->lost, n);
    limits.lost = lost;
    if (decoder_plan_build(&serve->config, &site->machine, &limits, arena, plan, &reason) != STATUS_OK)
        return fault_set(fault, STATUS_DEVICE, "%s fails at %g s: what is left cannot serve: %s", due->fault->device,
                         due->fault->at_s, reason.text);
    site->plan = plan;
    return STATUS_OK;
}

static enum status change(struct serve_course *course, struct serve_site *site, const struct serve_due *due,
                          struct fault *fault)
{
    if (fails(due))
        return plan_without(course, site, due, fault);
    slow_down(site, due);
    return STATUS_OK;
}

static void open_site(struct serve_course *course, struct serve_site *site)
{
    struct serve *serve = course->serve;
    size_t n = (size_t)serve->machine.n_devices;
    site->plan = &serve->plan;
    if (!course->n_due)
        return;
    site->machine = serve->machine;
    site->machine.specs = arena_array(serve->arena, n, sizeof *site->machine.specs);
    memcpy(site->machine.specs, serve->machine.specs, n * sizeof *site->machine.specs);
    site->lost = arena_array(serve->arena, n, sizeof *site->lost);
    struct decoder_plan *plan = arena_take(serve->arena, sizeof *plan);
    *plan = serve->plan;
    plan->machine = &site->machine;
    site->plan = plan;
}

enum status serve_course_open_sites(struct serve_course *course, struct fault *fault)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < course->n_sites; i++)
        open_site(course, &course->site[i]);
    for (int f = 0; f < course->n_due && status == STATUS_OK; f++)
        if (course->due[f].has_happened)
            status = change(course, &course->site[course->due[f].fault->instance], &course->due[f], fault);
    return status;
}

/* ---- what it costs ---- */

/* Bytes that a device gets over its link to the host; 0: it takes no part. */
static uint64_t bytes_to(const struct decoder_plan *before, const struct decoder_plan *after, int d)
{
    const struct program *program = &after->plan.programs[PROGRAM_ITERATE][d];
    int is_gpu = strcmp(after->machine->specs[d].kind, "gpu") == 0;
    int is_dealt_anew = before->layout.n_gpus != after->layout.n_gpus ||
                        (!is_gpu && before->layout.pims_per_gpu != after->layout.pims_per_gpu);
    return (uint64_t)program->n_instrs * DESCRIPTOR_BYTES + (is_dealt_anew ? after->need[d].weight_bytes : 0);
}

static void price_loss(const struct serve *serve, const struct decoder_plan *before, const struct decoder_plan *after,
                       struct serving_loss *loss)
{
    const struct machine *machine = after->machine;
    uint64_t load_ps = 0;
    for (int d = 0; d < machine->n_devices; d++) {
        uint64_t bytes = bytes_to(before, after, d);
        struct cost cost;
        if (!bytes)
            continue;
        link_transfer_cost(catalogue_link(machine->specs[d].host_link), bytes, &cost);
        load_ps = cost.time_ps > load_ps ? cost.time_ps : load_ps;
        for (int part = 0; part < N_ENERGY_PARTS; part++)
            loss->energy_fj[part] += cost.energy_fj[part];
    }
    loss->time_ps = load_ps + (uint64_t)(serve->job->serve.recovery_s * 1e12 + 0.5);
    for (int d = 0; d < machine->n_devices; d++)
        if (!after->lost[d])
            loss->energy_fj[ENERGY_STATIC] +=
                (wide_uint)machine->backends[d]->wait_power_mw(machine->states[d]) * loss->time_ps;
}

/* ---- a fault happens ---- */

/* All ranks of the engine. */
static enum status happen(struct serve_course *course, struct serve_due *due, struct fault *fault)
{
    struct serve_site *site = &course->site[due->fault->instance];
    due->has_happened = 1;
    change(course, site, due, fault);
    enum status status = agree(site->comm, 0, fault);
    if (fails(due))
        serve_course_forget_kept(course, (int32_t)due->fault->instance);
    if (status == STATUS_OK && fails(due))
        status = serve_engine_replan(site->engine, site->plan, fault);
    else if (status == STATUS_OK)
        serve_engine_reprice(site->engine);
    if (status != STATUS_OK)
        serve_course_abandon(course);
    return status;
}

enum status serve_course_follow_fault(struct serve_course *course, uint32_t number, struct fault *fault)
{
    return happen(course, &course->due[number], fault);
}

static enum status lead(struct serve_course *course, int f, struct fault *fault)
{
    struct serve *serve = course->serve;
    struct serve_due *due = &course->due[f];
    uint32_t instance = (uint32_t)due->fault->instance;
    struct serve_site *site = &course->site[instance];
    const struct decoder_plan *before = site->plan;
    enum status status = STATUS_OK;
    if (!serve->timing_only)
        status = serve_course_wish(course, SERVE_WISH_FAULT + (uint32_t)f, fault);
    if (status == STATUS_OK)
        status = happen(course, due, fault);
    if (status != STATUS_OK)
        return status;
    service_note_fault(course->service, instance);
    if (!fails(due))
        return STATUS_OK;
    struct serving_loss loss = {.engine = &site->serving,
                                .keeps_host = strcmp(serve->job->serve.recovery, "reload") == 0};
    price_loss(serve, before, site->plan, &loss);
    site->serving = serve_engine_of(site->engine);
    status = service_lose(course->service, instance, &loss, fault);
    if (status != STATUS_OK)
        fault_prefix(fault, "%s fails at %g s", due->fault->device, due->fault->at_s);
    return status;
}

void serve_course_set_wake(struct serve_course *course)
{
    uint64_t now_ps = service_progress(course->service).now_ps, wake_ps = UINT64_MAX;
    for (int f = 0; f < course->n_due; f++)
        if (course->due[f].at_ps > now_ps && course->due[f].at_ps < wake_ps)
            wake_ps = course->due[f].at_ps;
    service_wake(course->service, wake_ps);
}

enum status serve_course_faults(struct serve_course *course, struct fault *fault)
{
    const struct serving_progress progress = service_progress(course->service);
    enum status status = STATUS_OK;
    if (course->n_due == 0 || progress.n_finished == course->serve->requests.n)
        return STATUS_OK;
    for (int f = 0; f < course->n_due && status == STATUS_OK; f++) {
        const struct serve_due *due = &course->due[f];
        if (!due->has_happened && due->at_ps <= progress.now_ps &&
            service_can_change(course->service, (uint32_t)due->fault->instance))
            status = lead(course, f, fault);
    }
    if (status == STATUS_OK)
        serve_course_set_wake(course);
    return status;
}
