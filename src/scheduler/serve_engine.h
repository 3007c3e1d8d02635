/* serve_engine.h - a decoder on an emulated machine, as serving sees it (serving/engine.h).
 *
 * An iteration goes to the executor as a batch; its time is from the start that serving gives to the end of the latest
 * device, and what the host's engine needs beside; its energy that of all instructions plus the stand-by power of every
 * device while it waits.
 */
#ifndef SCHEDULER_SERVE_ENGINE_H
#define SCHEDULER_SERVE_ENGINE_H

#include "scheduler/decoder_plan.h"
#include "serving/engine.h"

struct serve_engine_options {
    int timing_only;
    uint64_t seed;
    double temperature, top_p;
    int32_t eos, bos;      /* tokens that end an answer; -1: none */
    const char *host_link; /* link profile: swaps, hand-overs */
    uint64_t overhead_ps;  /* time of the host's engine for each iteration, in which every device waits */
    uint32_t trace_steps;
    const struct decoder_source *weights; /* functional */
    /* Several engines on the same ranks, with tensors: rank 0 calls it before each iteration, so that the others follow
     * this engine and no other. NULL: there is only this one. */
    enum status (*turn)(void *state, uint32_t number, struct fault *fault);
    uint32_t number; /* of this engine among them */
    /* With tensors, rank 0: moves the KV that swaps and hand-overs cost time for. NULL: none are asked for. */
    enum status (*move)(void *state, const struct serving_move *move, struct fault *fault);
    void *state; /* of the two */
};

struct serve_engine;

/* Collective over `comm`. Everything is borrowed. */
enum status serve_engine_open(struct comm *comm, const struct decoder_plan *plan,
                              const struct serve_engine_options *options, struct serve_engine **engine,
                              struct fault *fault);
void serve_engine_close(struct serve_engine *engine);

/* Rank 0: the engine for serving_run. */
struct serving_engine serve_engine_of(struct serve_engine *engine);

/* Local. What serving_check asks of such an engine, before there is one. */
struct serving_engine serve_engine_kind(const struct decoder_plan *plan, int timing_only);

/* Collective. The other ranks, while rank 0 is in serving_run: takes part in iterations until rank 0 has a wish or
 * ends; *wish is what it gave serve_engine_wish, 0: the end. */
enum status serve_engine_follow(struct serve_engine *engine, uint32_t *wish, struct fault *fault);

/* Collective with serve_engine_follow; rank 0, between iterations. 0 ends. */
enum status serve_engine_wish(struct serve_engine *engine, uint32_t wish, struct fault *fault);

/* Local, on all ranks alike. After a fault that all ranks know: nobody follows any more, wishes reach nobody. */
void serve_engine_abandon(struct serve_engine *engine);

/* Local. Signals to stop that have come to a rank up to the last iteration: the most of all. */
int serve_engine_interrupts(const struct serve_engine *engine);

/* Collective, between iterations. Goes over to another plan for the same model and limits: an empty cache, clocks at
 * zero, weights where the plan wants them. Borrows the plan. */
enum status serve_engine_replan(struct serve_engine *engine, const struct decoder_plan *plan, struct fault *fault);

/* Local, on all ranks alike, between iterations. Speeds of devices in the plan's machine have changed. */
void serve_engine_reprice(struct serve_engine *engine);

/* The executor, for ledgers and marks. */
struct executor *serve_engine_executor(struct serve_engine *engine);

#endif
