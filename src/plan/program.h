/* program.h - a device's program: a flat array of instructions over the device's slots.
 *
 * Programs are made once (scheduler/lower) and executed every step (rank.c). They hold everything that does not change
 * from step to step: operands, offsets in device memory, and the cost that the device's model gives each instruction.
 * What does change is the step record.
 */
#ifndef PLAN_PROGRAM_H
#define PLAN_PROGRAM_H

#include <stdint.h>

#include "base/arena.h"
#include "base/cost.h"
#include "base/wide.h"
#include "kernel/op.h"

/* Engines of a device: each does one instruction at a time, different engines overlap. X(enum, name) */
#define ENGINES(X)                                                                                                     \
    X(ENGINE_COMPUTE, "compute")                                                                                       \
    X(ENGINE_COPY, "host copy")                                                                                        \
    X(ENGINE_SEND, "send")                                                                                             \
    X(ENGINE_RECEIVE, "receive")                                                                                       \
    X(ENGINE_PROGRAM, "cell programming")

enum engine {
#define X(id, name) id,
    ENGINES(X)
#undef X
        N_ENGINES
};

const char *engine_name(enum engine engine);

enum slot_kind { SLOT_LOADED, SLOT_CONST, SLOT_PARAM, SLOT_ACTIVATION, SLOT_GRAD, SLOT_STATE, N_SLOT_KINDS };
enum slot_init {
    SLOT_INIT_NONE,
    SLOT_INIT_ZERO,
    SLOT_INIT_ONE,
    SLOT_INIT_UNIFORM,
    SLOT_INIT_NORMAL,
    SLOT_INIT_VALUES,
    SLOT_INIT_FASTFOOD,
    SLOT_INIT_WEIGHT, /* model/decoder_load.h */
    SLOT_INIT_FACTOR  /* model/adapter.h; init_scale: that of the op FACTOR */
};

/* A tensor in device memory. */
struct slot {
    const char *name;
    enum slot_kind kind;
    int is_weight;  /* a parameter of the model by itself: neither the block of the trained ones nor a piece of one */
    int is_trained; /* a weight that gets a gradient and updates */
    int root;       /* the slot whose memory this one is part of (itself when it owns memory) */
    int64_t elements;
    uint64_t offset_bytes; /* in the device's memory */
    uint64_t bytes;
    enum slot_init init; /* initial values, for slots that live over steps */
    double init_scale;
    uint32_t init_place;
    const double *values;
    int n_dims;
    int64_t dims[4];
    int64_t copies;      /* one for each repetition of the loop, `bytes` all of them together; elements: of one */
    int part, parts;     /* SLOT_INIT_WEIGHT: of a weight dealt to several devices */
    int chunk, chunks;   /* ... and which piece of that part */
    int64_t first, some; /* ... or which places of a feed-forward's inner width within it; some 0: all */
    int apart;           /* an activation whose memory is no other one's */
};

enum { NO_SLOT = -1 };

/* An instruction waits for the end of another one: of this run of the program (in a loop: of this repetition or the one
 * before), or of the run before. Within one engine
 * order is implied, so only waits across engines are listed (plan/depend.c finds them). */
struct wait {
    int instr;
    int previous_run;
};

struct instr {
    const struct op *op;
    int in[OP_MAX_IN], out[OP_MAX_OUT];
    enum engine engine;
    int phase; /* index into phase_name */
    int block;
    const char *name;
    int group;             /* ALLREDUCE: index of the group of devices, else -1 */
    int channel;           /* SEND, RECV: number of the message within the plan's program, the same at both ends;
                              ALLREDUCE: number of the collective */
    int peer;              /* SEND, RECV: device at the other end */
    const char *algorithm; /* ALLREDUCE: what the cost model chose */
    struct cost cost;
    int first_wait, n_waits; /* into the program's waits */
};

/* The phases of a step, in the order of reports: load forward backward update. */
const char *phase_name(int phase);
enum { PROGRAM_PHASES = 4 };

struct program {
    int device; /* number of the device that runs it */
    int varies; /* rows and costs come with each iteration (kernel/batch.h); what stands here is for the largest one */
    int loop_first, loop_end; /* instructions that are run through loop_count times; 0: no loop */
    int64_t loop_count;
    struct instr *instrs;
    int n_instrs;
    struct slot *slots;
    int n_slots;
    struct wait *waits;
    int n_waits;
    int n_collectives, n_loop_collectives; /* instructions; those in the loop */
    int64_t samples;                       /* of this device's share of a minibatch */
    int64_t first_sample;                  /* number of its first sample within the minibatch */
    uint64_t memory_bytes;                 /* device memory needed: largest offset + bytes */
    uint64_t kind_bytes[N_SLOT_KINDS];     /* of which, by kind (activations: peak) */
    uint64_t scratch_bytes;                /* host scratch for kernels, not device memory */
    int sums;   /* slot of {sum of losses, counted elements}, or NO_SLOT on a device that does not hold them */
    int output; /* slot of the model's output (evaluation), or NO_SLOT */
};

/* The programs that a run uses, per device. A device that takes no part in one has n_instrs = 0.
 * X(enum, name in traces and reports) */
#define PROGRAMS(X)                                                                                                    \
    X(PROGRAM_TRAIN, "train")               /* a step with all parameters trained */                                   \
    X(PROGRAM_EVALUATE, "evaluate")         /* a minibatch of the test set */                                          \
    X(PROGRAM_HANDOVER, "handover")         /* the weights go to the devices of the low-parameter mode */              \
    X(PROGRAM_LOW, "low")                   /* a step of the low-parameter mode */                                     \
    X(PROGRAM_LOW_EVALUATE, "low evaluate") /* a minibatch of the test set on its devices */                           \
    X(PROGRAM_RETURN, "return")             /* merged weights go back */                                               \
    X(PROGRAM_REPAIR, "repair")             /* matrices that a lost device held go to those that are left */           \
    X(PROGRAM_ITERATE, "iterate")           /* tokens of sequences through a decoder */

enum program_id {
#define X(id, name) id,
    PROGRAMS(X)
#undef X
        N_PROGRAMS
};

/* Local. */
const char *program_name(int program_id);

struct plan {
    int n_devices;
    struct program *programs[N_PROGRAMS]; /* [n_devices] each */
    int n_channels[N_PROGRAMS];           /* messages between devices in one run */
    enum number_format format;
    uint64_t *capacity_bytes; /* [n_devices] */
    uint64_t hash;            /* of everything above: equal on all ranks */
};

/* Local. Energy of the instructions of one run of program `id`, all devices together. */
wide_uint plan_energy_fj(const struct plan *plan, int id);

/* Local. A program without instructions, for a device that takes no part. */
void program_clear(struct program *program, int device);

/* Local. Fault (as a bug) when a program breaks its own rules: an operand read before it was written, slots that
 * overlap while both live, a zero cost. Called once per plan in every run: O(instructions * log). */
void program_validate(const struct program *program);

/* Local. Instruction i's memory in repetition r: bytes from the start of the slot. */
static inline uint64_t slot_copy_bytes(const struct slot *slot, int64_t repetition)
{
    return slot->copies > 1 ? slot->bytes / (uint64_t)slot->copies * (uint64_t)repetition : 0;
}

/* Local. Fills in the waits of every instruction from the memory ranges that the instructions read and write (reads
 * after writes, writes after reads, writes after writes), within a run and against the run before. takes_part
 * [n_instrs] tells which of them are run, NULL: all; the others neither wait nor are waited for. */
void program_link_waits(struct program *program, const char *takes_part, struct arena *arena);

/* Local. Room that its waits need. */
static inline int program_most_waits(const struct program *program)
{
    return program->n_instrs * 2 * (N_ENGINES - 1) + 1;
}

/* Local. Content hash (FNV-1a 64) of a program. */
uint64_t program_hash(const struct program *program, uint64_t hash);

#endif
