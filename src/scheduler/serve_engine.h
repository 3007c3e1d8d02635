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
};

struct serve_engine;

/* Collective over `comm`. Everything is borrowed. */
enum status serve_engine_open(struct comm *comm, const struct decoder_plan *plan,
                              const struct serve_engine_options *options, struct serve_engine **engine,
                              struct fault *fault);
void serve_engine_close(struct serve_engine *engine);

/* Rank 0: the engine for serving_run. */
struct serving_engine serve_engine_of(struct serve_engine *engine);

/* Collective. The other ranks, while rank 0 is in serving_run: takes part in iterations until it calls
 * serve_engine_end.
 */
enum status serve_engine_follow(struct serve_engine *engine, struct fault *fault);
enum status serve_engine_end(struct serve_engine *engine, struct fault *fault);

/* The executor, for ledgers and marks. */
struct executor *serve_engine_executor(struct serve_engine *engine);

#endif
