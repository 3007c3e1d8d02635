/* test_clock_loop.c - programs with a loop: skipping repetitions, and devices that do the same as another one, gives the
 * picoseconds and joules of running them all. Random programs of one device by the clock alone; decoders on several
 * devices by the executor.
 */
#include "decoder_case.h"
#include "plan/clock.h"

Suite *suite_clock_loop(void);

enum { N_SLOTS = 10, N_INSTRS = 24 };

/* ---- one device ---- */

struct fixture {
    struct arena *arena;
    struct program program, none;
    const struct program *programs[N_PROGRAMS];
    struct clock clock, before;
};

static void random_instr(struct dice *d, struct arena *arena, struct instr *instr)
{
    static const enum op_kind kinds[] = {OP_ADD, OP_LINEAR, OP_NORM, OP_RECV, OP_SEND, OP_ALLREDUCE};
    static const enum engine engines[] = {ENGINE_COMPUTE, ENGINE_COMPUTE, ENGINE_COMPUTE,
                                          ENGINE_RECEIVE, ENGINE_SEND,    ENGINE_SEND};
    uint64_t which = below(d, 6);
    struct op *op = arena_take(arena, sizeof *op);
    op->kind = kinds[which];
    instr->op = op;
    instr->engine = engines[which];
    instr->cost.time_ps = below(d, 4) ? 1 + below(d, 1000) : 0; /* 0: no work in this iteration */
    for (int p = 0; p < N_ENERGY_PARTS && instr->cost.time_ps; p++)
        instr->cost.energy_fj[p] = below(d, 1u << 30);
    for (int k = 0; k < OP_MAX_IN; k++)
        instr->in[k] = below(d, 4) ? NO_SLOT : (int)below(d, N_SLOTS);
    for (int k = 0; k < OP_MAX_OUT; k++)
        instr->out[k] = below(d, 5) ? NO_SLOT : (int)below(d, N_SLOTS);
}

static void open_fixture(struct fixture *f, uint32_t place, int64_t loop_count)
{
    struct dice d = dice(place);
    memset(f, 0, sizeof *f);
    f->arena = arena_new();
    struct program *program = &f->program;
    program->varies = 1;
    program->slots = arena_array(f->arena, N_SLOTS, sizeof *program->slots);
    program->n_slots = N_SLOTS;
    for (int s = 0; s < N_SLOTS; s++)
        program->slots[s] = (struct slot){.name = "s", .root = s, .offset_bytes = 64u * (unsigned)s, .bytes = 64};
    program->instrs = arena_array(f->arena, N_INSTRS, sizeof *program->instrs);
    program->n_instrs = N_INSTRS;
    for (int i = 0; i < N_INSTRS; i++)
        random_instr(&d, f->arena, &program->instrs[i]);
    program->loop_first = (int)below(&d, 8);
    program->loop_end = program->loop_first + 1 + (int)below(&d, (uint64_t)(N_INSTRS - program->loop_first));
    program->loop_count = loop_count;
    char takes_part[N_INSTRS];
    for (int i = 0; i < N_INSTRS; i++)
        takes_part[i] = program->instrs[i].cost.time_ps > 0;
    program_link_waits(program, takes_part, f->arena);
    for (int p = 0; p < N_PROGRAMS; p++)
        f->programs[p] = p == PROGRAM_ITERATE ? program : &f->none;
    clock_init(&f->clock, f->programs, f->arena);
    clock_init(&f->before, f->programs, f->arena);
}

static void run_range(struct fixture *f, int first, int end)
{
    for (int i = first; i < end; i++)
        if (f->program.instrs[i].cost.time_ps)
            clock_run(&f->clock, &f->program, PROGRAM_ITERATE, i,
                      clock_start_ps(&f->clock, &f->program, PROGRAM_ITERATE, i));
}

/* One iteration; with `skip` as soon as a repetition is like the one before. Returns how many were left out. */
static int64_t iterate(struct fixture *f, int skip)
{
    const struct program *program = &f->program;
    uint64_t shift_ps;
    int64_t skipped = 0;
    clock_begin(&f->clock, PROGRAM_ITERATE);
    clock_account(&f->clock, program);
    run_range(f, 0, program->loop_first);
    for (int64_t r = 0; r < program->loop_count; r++) {
        run_range(f, program->loop_first, program->loop_end);
        int64_t left = program->loop_count - 1 - r;
        if (skip && r > 0 && left && clock_loop_repeats(&f->before, &f->clock, program, PROGRAM_ITERATE, &shift_ps)) {
            clock_loop_jump(&f->clock, &f->before, program, PROGRAM_ITERATE, (uint64_t)left, shift_ps);
            skipped = left;
            break;
        }
        clock_copy(&f->before, &f->clock, f->programs);
    }
    run_range(f, program->loop_end, program->n_instrs);
    return skipped;
}

START_TEST(a_jump_is_the_repetitions_it_leaves_out)
{
    int jumped = 0;
    for (uint32_t place = 0; place < 60; place++) {
        struct fixture fast, slow;
        struct ledger a, b;
        int64_t count = 2 + place % 37;
        open_fixture(&fast, 5000 + 100 * (uint32_t)_i + place, count);
        open_fixture(&slow, 5000 + 100 * (uint32_t)_i + place, count);
        for (int iteration = 0; iteration < 3; iteration++) { /* what went before does not matter */
            jumped += iterate(&fast, 1) > 0;
            iterate(&slow, 0);
            clock_idle_until(&fast.clock, (uint64_t)iteration * 9000);
            clock_idle_until(&slow.clock, (uint64_t)iteration * 9000);
            ck_assert_mem_eq(fast.clock.end_ps[PROGRAM_ITERATE], slow.clock.end_ps[PROGRAM_ITERATE],
                             N_INSTRS * sizeof(uint64_t));
            ck_assert_mem_eq(fast.clock.engine_free_ps, slow.clock.engine_free_ps, sizeof fast.clock.engine_free_ps);
        }
        clock_ledger(&fast.clock, fast.programs, clock_end_ps(&fast.clock) + 5, 70, 3, &a);
        clock_ledger(&slow.clock, slow.programs, clock_end_ps(&slow.clock) + 5, 70, 3, &b);
        ck_assert_mem_eq(&a, &b, sizeof a);
        arena_free(fast.arena);
        arena_free(slow.arena);
    }
    ck_assert_int_gt(jumped, 60);
}
END_TEST

/* A loop is what it says: the same as the instructions written out one repetition after the other, by comparing every
 * pair that shares memory. */
START_TEST(no_repetition_starts_before_its_operands)
{
    struct fixture f;
    enum { COUNT = 5 };
    uint64_t start[COUNT][N_INSTRS] = {{0}}, end[COUNT][N_INSTRS] = {{0}};
    open_fixture(&f, 9000 + (uint32_t)_i, COUNT);
    const struct program *p = &f.program;
    clock_begin(&f.clock, PROGRAM_ITERATE);
    run_range(&f, 0, p->loop_first);
    for (int r = 0; r < COUNT; r++)
        for (int i = p->loop_first; i < p->loop_end; i++) {
            if (!p->instrs[i].cost.time_ps)
                continue;
            run_range(&f, i, i + 1);
            end[r][i] = f.clock.end_ps[PROGRAM_ITERATE][i];
            start[r][i] = end[r][i] - p->instrs[i].cost.time_ps;
            for (int q = 0; q <= r; q++)
                for (int j = p->loop_first; j < (q == r ? i : p->loop_end); j++) {
                    const struct instr *later = &p->instrs[i], *earlier = &p->instrs[j];
                    int must = later->engine == earlier->engine;
                    for (int o = 0; o < OP_MAX_OUT && !must; o++)
                        for (int k = 0; k < OP_MAX_IN + OP_MAX_OUT && !must; k++) {
                            int mine = k < OP_MAX_IN ? later->in[k] : later->out[k - OP_MAX_IN];
                            int theirs = k < OP_MAX_IN ? earlier->in[k] : earlier->out[k - OP_MAX_IN];
                            must = (earlier->out[o] != NO_SLOT && earlier->out[o] == mine) ||
                                   (later->out[o] != NO_SLOT && later->out[o] == theirs);
                        }
                    if (must && p->instrs[j].cost.time_ps)
                        ck_assert_uint_ge(start[r][i], end[q][j]);
                }
        }
    arena_free(f.arena);
}
END_TEST

/* ---- several devices ---- */

static void check_same_ledgers(struct decoder_case *c, struct executor *fast, struct executor *slow)
{
    struct ledger *a, *b;
    struct fault fault = FAULT_NONE;
    ck_assert(!executor_ledgers(fast, c->arena, &a, &fault));
    ck_assert(!executor_ledgers(slow, c->arena, &b, &fault));
    for (int device = 0; device < c->machine.n_devices; device++) {
        ck_assert_mem_eq(&a[device], &b[device], sizeof *a);
        ck_assert_uint_gt(a[device].end_ps, 0);
    }
}

static struct executor *open_timing(struct decoder_case *c, struct comm *comm, uint32_t trace_steps)
{
    struct fault fault = FAULT_NONE;
    struct executor *executor = NULL;
    const struct executor_options options = {
        .timing_only = 1, .prices = decoder_plan_prices(&c->plan), .trace_steps = trace_steps};
    ck_assert_msg(!executor_open(comm, &c->plan.plan, c->machine.specs, NULL, &options, &executor, &fault), "%s",
                  fault.text);
    return executor;
}

/* Recording every instruction makes an executor run them all, on all devices. Looking at the ledgers in the middle
 * changes nothing. */
START_TEST(what_is_left_out_costs_as_much)
{
    static const char *const partitions[] = {"heads", "sequence", "hybrid", "auto"};
    struct dice d = dice(9500 + (uint32_t)_i);
    struct decoder_config config = small_decoder(_i % N_FAMILIES, &d);
    struct decoder_case c;
    struct comm *comm = comm_alone();
    struct fault fault = FAULT_NONE;
    config.layers = 3 + (int64_t)below(&d, 60);
    config.context = 4096;
    const struct decoder_limits limits = {.max_tokens = 3000,
                                          .max_sequences = 8,
                                          .block_tokens = 16,
                                          .head_chunks = 1 + (int64_t)below(&d, 3),
                                          .partition = partitions[_i % 4],
                                          .typical_context = 500};
    decoder_case_open(&c, &config, 1 + (int)below(&d, (uint64_t)config.kv_heads), (int)below(&d, 6), "fp16", &limits);
    if (_i % 4 == 3) /* one is not like the others */
        c.machine.specs[below(&d, (uint64_t)c.machine.n_devices)].speed = 0.5;
    uint64_t busy_a[64] = {0}, busy_b[64] = {0};
    ck_assert_int_le(c.machine.n_devices, 64);
    struct executor *fast = open_timing(&c, comm, 0), *slow = open_timing(&c, comm, 1000);
    uint64_t now_ps = 0;
    for (uint32_t number = 1; number <= 12; number++) {
        struct batch_part parts[8];
        struct batch batch = {.n_parts = 1 + (int)below(&d, 8), .parts = parts};
        struct step_result a, b;
        struct iteration_cost cost_a = {.busy_ps = busy_a}, cost_b = {.busy_ps = busy_b};
        batch.n_cached = (int)below(&d, (uint64_t)batch.n_parts + 1);
        for (int i = 0; i < batch.n_parts; i++) {
            int32_t tokens = i < batch.n_cached ? 1 : 1 + (int32_t)below(&d, 300);
            parts[i] = (struct batch_part){.context = (int64_t)below(&d, 3000),
                                           .tokens = tokens,
                                           .is_answer = below(&d, 4) > 0,
                                           .request = (uint32_t)i};
            batch.n_tokens += tokens;
            batch.n_cached_tokens += i < batch.n_cached ? tokens : 0;
            batch.n_answers += parts[i].is_answer;
        }
        now_ps += below(&d, 2) * below(&d, 1u << 30);
        const struct iteration now = {.batch = &batch, .number = number, .not_before_ps = now_ps};
        ck_assert_msg(!executor_iterate(fast, &now, NULL, &cost_a, &a, &fault), "%s", fault.text);
        ck_assert_msg(!executor_iterate(slow, &now, NULL, &cost_b, &b, &fault), "%s", fault.text);
        ck_assert_uint_eq(a.end_ps, b.end_ps);
        ck_assert_mem_eq(cost_a.energy_fj, cost_b.energy_fj, sizeof cost_a.energy_fj);
        ck_assert_mem_eq(busy_a, busy_b, sizeof busy_a);
        if (number == 5)
            check_same_ledgers(&c, fast, slow);
        now_ps = a.end_ps;
    }
    ck_assert_uint_le(executor_wall(fast).instructions, executor_wall(slow).instructions);
    if (config.layers > 30)
        ck_assert_uint_lt(2 * executor_wall(fast).instructions, executor_wall(slow).instructions);
    check_same_ledgers(&c, fast, slow);
    executor_close(fast);
    executor_close(slow);
    comm_close(comm, 0);
    decoder_case_close(&c);
}
END_TEST

Suite *suite_clock_loop(void)
{
    Suite *suite = suite_create("clock_loop");
    TCase *tcase = tcase_create("loop");
    tcase_add_loop_test(tcase, a_jump_is_the_repetitions_it_leaves_out, 0, 10);
    tcase_add_loop_test(tcase, no_repetition_starts_before_its_operands, 0, 60);
    tcase_add_loop_test(tcase, what_is_left_out_costs_as_much, 0, 40);
    suite_add_tcase(suite, tcase);
    return suite;
}
