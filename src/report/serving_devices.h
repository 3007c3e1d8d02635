/* serving_devices.h - what a serving run tells of its hardware beside the summary: ledgers of the devices, what went
 * over links to the host, faults that struck. Times of ledgers are from the first arrival to the last token.
 */
#ifndef REPORT_SERVING_DEVICES_H
#define REPORT_SERVING_DEVICES_H

#include "report/run.h"
#include "store/served.h"

struct serving_devices {
    int n;
    struct run_device *device; /* [n] instance by instance */
    uint32_t *instance;        /* [n] whose it is */
    struct ledger_entry *host; /* [n_instances] KV swapped or handed over; programs and weights after a loss */
    uint32_t n_instances;
};

struct serving_faults {
    int n;
    struct serving_fault *fault; /* [n] in the order in which they struck */
    int64_t n_to_come;           /* of the job, later than the run's end */
};

/* Local. All devices side by side; with several instances their names have the instance's number: "1: gpu0". */
struct run_devices serving_devices_view(const struct serving_devices *devices, struct arena *arena);

/* Local. Energy by part of one instance as its ledgers have it; *idle_fj: between iterations. Sums to the summary's. */
void serving_devices_energy(const struct serving_devices *devices, uint32_t instance,
                            wide_uint energy_fj[N_ENERGY_PARTS], wide_uint *idle_fj);

/* Local. Compute engine of a device at work. */
uint64_t serving_devices_busy_ps(const struct run_device *device);

#endif
