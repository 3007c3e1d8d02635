/* test_clock.c - virtual time: waits found from memory ranges, overlap, partition of the time line, repetition. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "plan/clock.h"

Suite *suite_clock(void);

enum { N_SLOTS = 12 };

static uint64_t draw(struct rng_key key, uint64_t *i, uint64_t n)
{
    return rng_below(key, 0, (*i)++, n);
}

/* A random program: engines, operands and times by chance; slots own disjoint memory. */
static void random_program(struct program *program, int n_instrs, uint64_t seed, struct arena *arena)
{
    struct rng_key key = rng_key(seed, RNG_TEST, 1);
    static const enum op_kind kinds[] = {OP_ADD, OP_LINEAR, OP_NORM, OP_LOAD, OP_ALLREDUCE};
    static const enum engine engines[] = {ENGINE_COMPUTE, ENGINE_COMPUTE, ENGINE_COMPUTE, ENGINE_COPY, ENGINE_SEND};
    uint64_t n = 0;
    memset(program, 0, sizeof *program);
    program->slots = arena_array(arena, N_SLOTS, sizeof *program->slots);
    program->n_slots = N_SLOTS;
    for (int s = 0; s < N_SLOTS; s++)
        program->slots[s] = (struct slot){.name = "s", .root = s, .offset_bytes = 64u * (unsigned)s, .bytes = 64};
    program->instrs = arena_array(arena, (size_t)n_instrs + 1, sizeof *program->instrs);
    program->n_instrs = n_instrs;
    for (int i = 0; i < n_instrs; i++) {
        struct instr *instr = &program->instrs[i];
        struct op *op = arena_take(arena, sizeof *op);
        uint64_t which = draw(key, &n, 5);
        op->kind = kinds[which];
        instr->op = op;
        instr->engine = engines[which];
        instr->cost.time_ps = 1 + draw(key, &n, 1000);
        for (int k = 0; k < OP_MAX_IN; k++)
            instr->in[k] = draw(key, &n, 3) ? NO_SLOT : (int)draw(key, &n, N_SLOTS);
        for (int k = 0; k < OP_MAX_OUT; k++)
            instr->out[k] = draw(key, &n, 4) ? NO_SLOT : (int)draw(key, &n, N_SLOTS);
    }
    program_link_waits(program, NULL, arena);
}

struct fixture {
    struct arena *arena;
    struct program train, none;
    const struct program *programs[N_PROGRAMS];
    struct clock clock, before;
};

static void open_fixture(struct fixture *f, int n_instrs, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    f->arena = arena_new();
    random_program(&f->train, n_instrs, seed, f->arena);
    for (int p = 0; p < N_PROGRAMS; p++)
        f->programs[p] = p == PROGRAM_TRAIN ? &f->train : &f->none;
    clock_init(&f->clock, f->programs, f->arena);
    clock_init(&f->before, f->programs, f->arena);
}

static void run_once(struct fixture *f)
{
    clock_begin(&f->clock, PROGRAM_TRAIN);
    for (int i = 0; i < f->train.n_instrs; i++)
        clock_run(&f->clock, &f->train, PROGRAM_TRAIN, i, clock_start_ps(&f->clock, &f->train, PROGRAM_TRAIN, i));
}

static int operands_meet(const int *a, int n_a, const int *b, int n_b)
{
    for (int i = 0; i < n_a; i++)
        for (int j = 0; j < n_b; j++)
            if (a[i] != NO_SLOT && a[i] == b[j])
                return 1;
    return 0;
}

static int must_follow(const struct instr *later, const struct instr *earlier)
{
    return operands_meet(later->in, OP_MAX_IN, earlier->out, OP_MAX_OUT) ||
           operands_meet(later->out, OP_MAX_OUT, earlier->in, OP_MAX_IN) ||
           operands_meet(later->out, OP_MAX_OUT, earlier->out, OP_MAX_OUT);
}

/* The ledger, and stand-by energy as clock_standby has it before the end is known. */
static void ledger_at(const struct clock *clock, const struct program *const programs[N_PROGRAMS], uint64_t end_ps,
                      uint64_t wait_mw, uint64_t idle_mw, struct ledger *ledger)
{
    struct standby standby = clock_standby(clock, wait_mw, idle_mw);
    clock_ledger(clock, programs, end_ps, wait_mw, idle_mw, ledger);
    ck_assert(standby_fj(&standby, end_ps) == ledger->wait_energy_fj + ledger->idle_energy_fj);
}

START_TEST(no_instruction_starts_before_its_operands)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fixture f;
        open_fixture(&f, 40, seed);
        run_once(&f);
        const uint64_t *end_ps = f.clock.end_ps[PROGRAM_TRAIN];
        for (int i = 0; i < f.train.n_instrs; i++)
            for (int j = 0; j < i; j++)
                if (must_follow(&f.train.instrs[i], &f.train.instrs[j]) ||
                    f.train.instrs[i].engine == f.train.instrs[j].engine)
                    ck_assert_uint_ge(end_ps[i] - f.train.instrs[i].cost.time_ps, end_ps[j]);
        arena_free(f.arena);
    }
}
END_TEST

/* As early as the engines and the operands allow, by a plain recomputation over all pairs. */
START_TEST(every_instruction_starts_as_early_as_it_can)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fixture f;
        open_fixture(&f, 40, seed);
        run_once(&f);
        const uint64_t *end_ps = f.clock.end_ps[PROGRAM_TRAIN];
        for (int i = 0; i < f.train.n_instrs; i++) {
            const struct instr *instr = &f.train.instrs[i];
            uint64_t earliest_ps = 0;
            for (int j = 0; j < i; j++)
                if ((must_follow(instr, &f.train.instrs[j]) || instr->engine == f.train.instrs[j].engine) &&
                    end_ps[j] > earliest_ps)
                    earliest_ps = end_ps[j];
            ck_assert_uint_eq(end_ps[i] - instr->cost.time_ps, earliest_ps);
        }
        arena_free(f.arena);
    }
}
END_TEST

START_TEST(time_line_sums_to_the_end)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct fixture f;
        struct ledger ledger;
        open_fixture(&f, 30, seed);
        for (int run = 0; run < 5; run++)
            run_once(&f);
        ledger_at(&f.clock, f.programs, clock_end_ps(&f.clock) + 7, 1000, 10, &ledger);
        uint64_t sum_ps = ledger.idle_ps;
        for (int c = 0; c < N_KERNEL_CLASSES; c++)
            sum_ps += ledger.compute_ps[c] + ledger.wait_ps[c];
        ck_assert_uint_eq(sum_ps, clock_end_ps(&f.clock) + 7);
        arena_free(f.arena);
    }
}
END_TEST

/* A program without compute, as that which programs cells: until its first message comes the device is idle, then its
 * compute engine waits. */
START_TEST(idle_until_the_first_message)
{
    static const struct op ops[] = {{.kind = OP_RECV}, {.kind = OP_PROGRAM}, {.kind = OP_LINEAR}};
    struct arena *arena = arena_new();
    struct instr filling[2] = {{.op = &ops[0], .engine = ENGINE_RECEIVE, .cost.time_ps = 30},
                               {.op = &ops[1], .engine = ENGINE_PROGRAM, .cost.time_ps = 500, .n_waits = 1}};
    struct instr computing = {.op = &ops[2], .engine = ENGINE_COMPUTE, .cost.time_ps = 70};
    struct wait wait = {0, 0};
    struct program handover = {.instrs = filling, .n_instrs = 2, .waits = &wait, .n_waits = 1};
    struct program low = {.instrs = &computing, .n_instrs = 1, .waits = &wait}, none = {.n_instrs = 0};
    const struct program *programs[N_PROGRAMS];
    struct clock clock;
    struct ledger ledger;
    for (int p = 0; p < N_PROGRAMS; p++)
        programs[p] = p == PROGRAM_HANDOVER ? &handover : p == PROGRAM_LOW ? &low : &none;
    clock_init(&clock, programs, arena);
    for (int k = 0; k < 2; k++) { /* the messages come at 1000 and at 3000; low steps between them */
        clock_begin(&clock, PROGRAM_HANDOVER);
        clock_run(&clock, &handover, PROGRAM_HANDOVER, 0, k ? 3000 : 1000);
        clock_run(&clock, &handover, PROGRAM_HANDOVER, 1, clock_start_ps(&clock, &handover, PROGRAM_HANDOVER, 1));
        clock_begin(&clock, PROGRAM_LOW);
        clock_run(&clock, &low, PROGRAM_LOW, 0, clock_start_ps(&clock, &low, PROGRAM_LOW, 0));
    }
    ledger_at(&clock, programs, 4000, 2, 1, &ledger);
    ck_assert_uint_eq(ledger.wait_ps[CLASS_PROGRAM], 2 * 530);
    ck_assert_uint_eq(ledger.compute_ps[CLASS_GEMM], 2 * 70);
    ck_assert_uint_eq(ledger.idle_ps, 4000 - 2 * 600);
    ck_assert(ledger.idle_energy_fj == 2800 && ledger.wait_energy_fj == 2 * 1060);
    arena_free(arena);
}
END_TEST

/* A device that waits for a decision idles; what it does after that is what it would have done at once. */
START_TEST(idle_until_a_decision)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct fixture f, at_once;
        open_fixture(&f, 30, seed);
        open_fixture(&at_once, 30, seed);
        run_once(&f);
        run_once(&at_once);
        uint64_t end_ps = clock_end_ps(&f.clock), gap_ps = 1 + seed * 1000, idle_ps = f.clock.idle_ps;
        clock_idle_until(&f.clock, end_ps);
        ck_assert_uint_eq(f.clock.idle_ps, idle_ps);
        clock_idle_until(&at_once.clock, end_ps + 1);
        clock_idle_until(&f.clock, end_ps + gap_ps);
        ck_assert_uint_eq(f.clock.idle_ps, idle_ps + gap_ps);
        run_once(&f);
        run_once(&at_once);
        for (int i = 0; i < f.train.n_instrs; i++) {
            uint64_t start_ps = f.clock.end_ps[PROGRAM_TRAIN][i] - f.train.instrs[i].cost.time_ps;
            ck_assert_uint_ge(start_ps, end_ps + gap_ps);
            ck_assert_uint_eq(f.clock.end_ps[PROGRAM_TRAIN][i] - at_once.clock.end_ps[PROGRAM_TRAIN][i], gap_ps - 1);
        }
        struct ledger ledger;
        ledger_at(&f.clock, f.programs, clock_end_ps(&f.clock), 2, 1, &ledger);
        ledger_validate(&ledger);
        arena_free(f.arena);
        arena_free(at_once.arena);
    }
}
END_TEST

/* A device that has failed draws stand-by power up to then and none from then on; its time line still sums. */
START_TEST(off_since_it_failed)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct fixture f, whole;
        struct ledger ledger, other;
        open_fixture(&f, 30, seed);
        open_fixture(&whole, 30, seed);
        for (uint64_t k = 0; k < seed % 3; k++) {
            run_once(&f);
            run_once(&whole);
        }
        uint64_t failed_ps = clock_end_ps(&f.clock) + seed % 5 * 100, end_ps = failed_ps + 777;
        clock_fail(&f.clock, failed_ps);
        ledger_at(&f.clock, f.programs, end_ps, 2, 2, &ledger);
        ledger_at(&whole.clock, whole.programs, failed_ps, 2, 2, &other);
        ck_assert_uint_eq(ledger.off_ps, 777);
        ck_assert(ledger_energy_fj(&ledger) == ledger_energy_fj(&other));
        ledger_at(&whole.clock, whole.programs, end_ps, 2, 2, &other);
        ck_assert_uint_eq(other.off_ps, 0);
        ck_assert(ledger_energy_fj(&other) == ledger_energy_fj(&ledger) + 2 * 777);
        arena_free(f.arena);
        arena_free(whole.arena);
    }
}
END_TEST

/* A jump over n runs must land where n runs would, to the picosecond and in every part of the ledger. */
START_TEST(jump_equals_running)
{
    int jumped = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fixture fast, slow;
        struct ledger a, b;
        uint64_t shift_ps = 0;
        int runs = 0;
        open_fixture(&fast, 25, seed);
        open_fixture(&slow, 25, seed);
        do {
            clock_copy(&fast.before, &fast.clock, fast.programs);
            run_once(&fast);
            runs++;
        } while (runs < 50 && !clock_repeats(&fast.before, &fast.clock, &fast.train, PROGRAM_TRAIN, &shift_ps));
        if (runs < 50) {
            clock_jump(&fast.clock, &fast.before, &fast.train, PROGRAM_TRAIN, 1000, shift_ps);
            runs += 1000;
            jumped++;
        }
        for (int run = 0; run < runs; run++)
            run_once(&slow);
        ledger_at(&fast.clock, fast.programs, clock_end_ps(&fast.clock), 70, 3, &a);
        ledger_at(&slow.clock, slow.programs, clock_end_ps(&slow.clock), 70, 3, &b);
        ck_assert_uint_eq(clock_end_ps(&fast.clock), clock_end_ps(&slow.clock));
        ck_assert_mem_eq(&a, &b, sizeof a);
        arena_free(fast.arena);
        arena_free(slow.arena);
    }
    ck_assert_int_gt(jumped, 100);
}
END_TEST

static void run_program(struct clock *clock, const struct program *program, int id)
{
    clock_begin(clock, id);
    for (int i = 0; i < program->n_instrs; i++)
        clock_run(clock, program, id, i, clock_start_ps(clock, program, id, i));
}

/* Work of two plans in one ledger: the sum of what each costs, on one time line without a gap, and the new plan's first
 * run not before the end of the old one's last. */
START_TEST(another_plan_loses_nothing)
{
    struct fixture f;
    struct program after;
    const struct program *programs[N_PROGRAMS];
    struct rng_key key = rng_key((uint64_t)_i, RNG_TEST, 9);
    uint64_t n = 0, runs_before = draw(key, &n, 4), runs_after = draw(key, &n, 4);
    open_fixture(&f, 1 + (int)draw(key, &n, 30), (uint64_t)_i + 500);
    random_program(&after, 1 + (int)draw(key, &n, 30), (uint64_t)_i + 900, f.arena);
    for (int p = 0; p < N_PROGRAMS; p++)
        programs[p] = p == PROGRAM_TRAIN ? &after : &f.none;
    for (uint64_t r = 0; r < runs_before; r++)
        run_once(&f);
    uint64_t changed_ps = clock_end_ps(&f.clock);
    clock_replan(&f.clock, f.programs, programs, f.arena);
    ck_assert_uint_eq(clock_end_ps(&f.clock), changed_ps);
    for (uint64_t r = 0; r < runs_after; r++) {
        run_program(&f.clock, &after, PROGRAM_TRAIN);
        for (int i = 0; i < after.n_instrs && r == 0; i++)
            ck_assert_uint_ge(f.clock.end_ps[PROGRAM_TRAIN][i], changed_ps + after.instrs[i].cost.time_ps);
    }
    struct ledger ledger, expected;
    memset(&expected, 0, sizeof expected);
    for (int i = 0; i < f.train.n_instrs && runs_before; i++)
        ledger_add(&expected, op_class(f.train.instrs[i].op->kind), &f.train.instrs[i].cost, runs_before);
    for (int i = 0; i < after.n_instrs && runs_after; i++)
        ledger_add(&expected, op_class(after.instrs[i].op->kind), &after.instrs[i].cost, runs_after);
    ledger_at(&f.clock, programs, clock_end_ps(&f.clock), 3, 2, &ledger); /* validates that the parts sum */
    for (int c = 0; c < N_KERNEL_CLASSES; c++) {
        ck_assert_uint_eq(ledger.entry[c].busy_ps, expected.entry[c].busy_ps);
        ck_assert_uint_eq(ledger.entry[c].count, expected.entry[c].count);
    }
    arena_free(f.arena);
}
END_TEST

Suite *suite_clock(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("virtual time");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, no_instruction_starts_before_its_operands);
    tcase_add_test(tcase, every_instruction_starts_as_early_as_it_can);
    tcase_add_test(tcase, time_line_sums_to_the_end);
    tcase_add_test(tcase, idle_until_the_first_message);
    tcase_add_test(tcase, idle_until_a_decision);
    tcase_add_test(tcase, off_since_it_failed);
    tcase_add_test(tcase, jump_equals_running);
    tcase_add_loop_test(tcase, another_plan_loses_nothing, 0, 40);
    suite_add_tcase(suite, tcase);
    return suite;
}
