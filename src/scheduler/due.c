#include "scheduler/due.h"

#include <stdlib.h>

static int find_device(const struct machine *machine, const char *name)
{
    for (int d = 0; d < machine->n_devices; d++)
        if (strcmp(machine->specs[d].name, name) == 0)
            return d;
    return -1;
}

static uint64_t picoseconds(double s)
{
    return (uint64_t)(s * 1e12 + 0.5);
}

static int by_time(const void *left, const void *right)
{
    const struct due *a = left, *b = right;
    if (a->at_ps != b->at_ps)
        return a->at_ps < b->at_ps ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

struct due *due_list(const struct training *training)
{
    const struct job *job = training->job;
    struct due *due = arena_array(training->arena, (size_t)job->n_faults + 1, sizeof *due);
    for (int i = 0; i < job->n_faults; i++)
        due[i] = (struct due){.at_ps = picoseconds(job->fault[i].at_s),
                              .number = i,
                              .device = find_device(&training->machine, job->fault[i].device)};
    if (job->n_faults > 1)
        qsort(due, (size_t)job->n_faults, sizeof *due, by_time);
    return due;
}

static enum status check_device(const struct training *training, int i, struct fault *fault)
{
    const struct job *job = training->job;
    const struct machine *machine = &training->machine;
    const struct job_fault *told = &job->fault[i];
    int d = find_device(machine, told->device);
    if (d < 0)
        return fault_set(fault, STATUS_USAGE,
                         "%s: faults[%d].device: expected a device of the machine, such as %s or %s, found '%s'",
                         job->source, i, machine->specs[0].name, machine->specs[machine->n_devices - 1].name,
                         told->device);
    if (!due_is(told, "columns-stick"))
        return STATUS_OK;
    const struct device_spec *spec = &machine->specs[d];
    if (!machine->backends[d]->units_needed)
        return fault_set(fault, STATUS_USAGE,
                         "%s: faults[%d].kind: expected fails, degrades or link-slows, since %s has no crossbars, "
                         "found columns-stick",
                         job->source, i, told->device);
    if (spec->cells.fidelity && strcmp(spec->cells.fidelity, "ideal") == 0)
        return fault_set(
            fault, STATUS_USAGE,
            "%s: faults[%d].kind: expected %s with fidelity quantized or analog, since ideal cells have no "
            "columns, found columns-stick",
            job->source, i, told->device);
    return STATUS_OK;
}

enum status due_check(const struct training *training, struct fault *fault)
{
    const struct job *job = training->job;
    enum status status = STATUS_OK;
    for (int i = 0; i < job->n_faults && status == STATUS_OK; i++)
        status = check_device(training, i, fault);
    const struct due *due = status == STATUS_OK ? due_list(training) : NULL;
    for (int i = 0; i < job->n_faults && status == STATUS_OK; i++)
        for (int k = 0; k < i && status == STATUS_OK; k++)
            if (due[k].device == due[i].device && due_is(&job->fault[due[k].number], "fails"))
                status =
                    fault_set(fault, STATUS_USAGE,
                              "%s: faults[%d].device: expected a device that is left, found %s, which fails before",
                              job->source, due[i].number, job->fault[due[i].number].device);
    return status;
}
