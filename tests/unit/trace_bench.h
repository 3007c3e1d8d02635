/* trace_bench.h - a run that leaves marks, for tests of traces. */
#ifndef TESTS_UNIT_TRACE_BENCH_H
#define TESTS_UNIT_TRACE_BENCH_H

#include "report/trace.h"

enum { N_BENCH_INSTRS = 12, N_BENCH_DEVICES = 3, N_BENCH_STEPS = 4 };

/* A plan of some instructions, and marks as an executor makes them. */
struct bench {
    struct plan plan;
    struct program program[N_PROGRAMS][N_BENCH_DEVICES];
    struct op op[N_BENCH_DEVICES][N_BENCH_INSTRS];
    struct run run;
    struct mark_list marks;
};

#endif
