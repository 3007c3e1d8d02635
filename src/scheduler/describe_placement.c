/* describe_placement.c - the placement of a run in one line. */
#include <string.h>

#include "scheduler/describe.h"

/* Reports tell the arithmetic of a device: its fidelity when it computes in cells, else its number format. */
static const char *arithmetic_of(const struct device_spec *spec)
{
    if (strcmp(spec->kind, "reram") != 0)
        return number_format_name(spec->format);
    return spec->cells.fidelity ? spec->cells.fidelity : "quantized";
}

static int is_alike(const struct device_spec *a, const struct device_spec *b)
{
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->profile, b->profile) == 0 &&
           strcmp(arithmetic_of(a), arithmetic_of(b)) == 0;
}

static int takes_part(const struct training *training, int program_id, int device)
{
    return training->plan.programs[program_id][device].n_instrs > 0;
}

/* "2 x a100-80g (fp32) and 1 x ...": the devices that run a program, alike ones together. */
static const char *devices_text(const struct training *training, int program_id)
{
    const struct machine *machine = &training->machine;
    const char *text = "";
    for (int d = 0; d < machine->n_devices; d++) {
        int n = 0, told = 0;
        for (int e = 0; e < machine->n_devices; e++) {
            int counts = takes_part(training, program_id, e) && is_alike(&machine->specs[d], &machine->specs[e]);
            n += counts;
            told |= counts && e < d;
        }
        if (takes_part(training, program_id, d) && !told)
            text = arena_printf(training->arena, "%s%s%d x %s (%s)", text, *text ? " and " : "", n,
                                machine->specs[d].profile, arithmetic_of(&machine->specs[d]));
    }
    return text;
}

static int count_devices(const struct training *training, int program_id)
{
    int n = 0;
    for (int d = 0; d < training->machine.n_devices; d++)
        n += takes_part(training, program_id, d);
    return n;
}

static const char *low_text(const struct training *training)
{
    int64_t n = training->job->placement.micro_batches, minibatch = training->job->train.minibatch;
    const char *pieces =
        n == 1 ? arena_printf(training->arena, "%lld samples at once", (long long)minibatch)
               : arena_printf(training->arena, "%lld micro-batches of %lld", (long long)n, (long long)(minibatch / n));
    return arena_printf(training->arena, "; low-parameter steps on %s, %s", devices_text(training, PROGRAM_LOW),
                        pieces);
}

const char *describe_placement(const struct training *training)
{
    int64_t minibatch = training->job->train.minibatch, n = count_devices(training, PROGRAM_TRAIN);
    if (n == 0)
        bug("no device trains");
    const char *devices = devices_text(training, PROGRAM_TRAIN), *more = minibatch % n ? " or one more" : "";
    if (!training->matrices)
        return arena_printf(training->arena, "gpu-only: %s, minibatch %lld split into %lld%s samples a device", devices,
                            (long long)minibatch, (long long)(minibatch / n), more);
    return arena_printf(training->arena, "hpt: full steps on %s, %lld%s samples%s%s", devices,
                        (long long)(minibatch / n), more, n > 1 ? " each" : "", low_text(training));
}
