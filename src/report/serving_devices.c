#include "report/serving_devices.h"

#include <string.h>

struct run_devices serving_devices_view(const struct serving_devices *devices, struct arena *arena)
{
    struct run_device *named = arena_array(arena, (size_t)devices->n + 1, sizeof *named);
    struct run_devices view = {.n = devices->n, .device = named};
    for (int d = 0; d < devices->n; d++) {
        named[d] = devices->device[d];
        if (devices->n_instances > 1)
            named[d].name = arena_printf(arena, "%u: %s", devices->instance[d], named[d].name);
        view.end_ps = named[d].ledger.end_ps;
    }
    struct ledger sum = {.end_ps = 0}, part = {.end_ps = 0};
    for (uint32_t i = 0; i < devices->n_instances; i++) {
        part.entry[CLASS_HOST_COPY] = devices->host[i];
        ledger_merge(&sum, &part);
    }
    view.host = sum.entry[CLASS_HOST_COPY];
    return view;
}

void serving_devices_energy(const struct serving_devices *devices, uint32_t instance,
                            wide_uint energy_fj[N_ENERGY_PARTS], wide_uint *idle_fj)
{
    *idle_fj = 0;
    memcpy(energy_fj, devices->host[instance].energy_fj, sizeof devices->host[instance].energy_fj);
    for (int d = 0; d < devices->n; d++) {
        const struct ledger *ledger = &devices->device[d].ledger;
        if (devices->instance[d] != instance)
            continue;
        for (int c = 0; c < N_KERNEL_CLASSES; c++)
            for (int p = 0; p < N_ENERGY_PARTS; p++)
                energy_fj[p] += ledger->entry[c].energy_fj[p];
        energy_fj[ENERGY_STATIC] += ledger->wait_energy_fj;
        *idle_fj += ledger->idle_energy_fj;
    }
}

uint64_t serving_devices_busy_ps(const struct run_device *device)
{
    uint64_t busy_ps = 0;
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        busy_ps += device->ledger.compute_ps[c];
    return busy_ps;
}
