/* lower.h - a graph becomes a device's program: slots in its memory, instructions with costs, collectives put in. */
#ifndef SCHEDULER_LOWER_H
#define SCHEDULER_LOWER_H

#include "graph/graph.h"
#include "plan/program.h"
#include "scheduler/machine.h"

struct lowering {
    const struct machine *machine;
    int device;
    int64_t first_sample, samples; /* the device's share of the minibatch */
    int n_group;                   /* devices that share the minibatch and sum their gradients */
    int varies;                    /* a program whose rows come with each iteration */
    double bucket_bytes;           /* all-reduce of gradients in pieces of about this size */
    const struct program *shared;  /* program of the same device whose parameters this one uses, or NULL */
    struct arena *arena;
};

/* Local. Fault STATUS_USAGE: the device cannot run an op, or has not the memory. The program borrows names from the
 * graph. */
enum status lower(const struct lowering *lowering, const struct graph *graph, struct program *program,
                  struct fault *fault);

/* Local. The cost of an instruction; n_group devices take part in an all-reduce. */
void lower_price(const struct machine *machine, int device, int n_group, struct instr *instr);

#endif
