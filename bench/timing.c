/* timing.c - how many instructions a second the virtual clock steps through, without tensors, on one core.
 *
 * The published wind model on 4 emulated GPUs: each step one by one (what a run costs whose steps differ), and the same
 * run as the executor does it, where repetitions are one multiplication.
 */
#include <stdio.h>

#include "scheduler/train.h"

static const char job_text[] = "name: timing\n"
                               "cluster: {name: four, devices: [{kind: gpu, profile: a100-80g, count: 4}], "
                               "links: {inside: nvlink3, host: pcie4}}\n"
                               "model: {preset: wind, tokens: 57, features: 12, outputs: 57}\n"
                               "train: {steps: 161616, minibatch: 32}\n";

int main(void)
{
    enum { STEPS = 20000 };
    struct arena *arena = arena_new();
    struct fault fault = FAULT_NONE;
    struct comm *comm = comm_alone();
    struct job job;
    struct training training;
    struct executor *executor = NULL;
    struct executor_options options = {.timing_only = 1};
    if (job_parse(arena, "timing.yaml", job_text, NULL, 0, &job, &fault) != STATUS_OK ||
        training_open(comm, &job, 1, arena, &training, &fault) != STATUS_OK ||
        executor_open(comm, &training.plan, training.machine.specs, NULL, &options, &executor, &fault) != STATUS_OK) {
        fprintf(stderr, "%s\n", fault.text);
        return 1;
    }
    struct step_result result;
    double start_s = wall_s();
    for (int i = 0; i < STEPS; i++) {
        struct step_record record = {.program = PROGRAM_TRAIN, .step = (uint32_t)i + 1, .repeat = 1};
        executor_step(executor, &record, NULL, NULL, &result, &fault);
    }
    double stepped_s = wall_s() - start_s;
    double instructions = (double)executor_wall(executor).instructions;
    start_s = wall_s();
    struct step_record record = {.program = PROGRAM_TRAIN, .step = STEPS + 1, .repeat = 161616 - STEPS};
    executor_step(executor, &record, NULL, NULL, &result, &fault);
    printf("  stepped one by one   %.1f million a second (%d steps of %.0f instructions)\n",
           instructions / stepped_s * 1e-6, STEPS, instructions / STEPS);
    printf("  the other %d steps, as repetitions: %.3f ms\n", 161616 - STEPS, 1e3 * (wall_s() - start_s));
    executor_close(executor);
    training_close(&training);
    arena_free(arena);
    comm_close(comm, 0);
    return 0;
}
