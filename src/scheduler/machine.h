/* machine.h - the emulated machine: a cluster file's devices, one by one, and the fabric that joins them. */
#ifndef SCHEDULER_MACHINE_H
#define SCHEDULER_MACHINE_H

#include "base/arena.h"
#include "base/status.h"
#include "config/job.h"
#include "device/link.h"
#include "rank.h"

struct machine {
    int n_devices;
    struct device_spec *specs;      /* [n_devices] */
    const struct device **backends; /* [n_devices] */
    void **states;                  /* [n_devices] opened for pricing; no tensor memory */
    uint8_t *lost;                  /* [n_devices] 1: a fault has taken it; it keeps its number and gets no work */
    struct fabric fabric;           /* joins the devices of the leading kind */
    struct link_profile stack;      /* joins the others */
    struct link_profile bridge;     /* joins the two */
};

/* Local. The kind of the devices that share minibatches: gpu where there are any, else the first device's. */
const char *machine_leading_kind(const struct machine *machine);

/* Local. The link over which two devices talk. */
const struct link_profile *machine_link(const struct machine *machine, int from, int to);

/* Local. Opens the devices of the job's cluster for pricing. Faults STATUS_USAGE: unknown kind, profile or link. */
enum status machine_open(const struct job *job, struct arena *arena, struct machine *machine, struct fault *fault);

/* Local. The number format of a job. */
enum number_format machine_format(const struct job *job);

#endif
