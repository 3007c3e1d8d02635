/* Ledgers add up exactly; programs that break their own rules are found, and only those; hashes see every field. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/status.h"
#include "plan/ledger.h"
#include "plan/program.h"

Suite *suite_plan(void);

enum { MAX_SLOTS = 24, MAX_INSTRS = 24, SLOT_BYTES = 64 };

struct dice {
    struct rng_key key;
    uint64_t n;
};

static struct dice dice(uint32_t place)
{
    return (struct dice){rng_key(2025, RNG_TEST, place), 0};
}

static uint64_t below(struct dice *d, uint64_t n)
{
    return rng_below(d->key, 0, d->n++, n);
}

/* Runs check(subject) in a child; 0 when it returns, otherwise the text that it aborted with is in `text`. */
static int run_aborts(void (*check)(const void *), const void *subject, char *text, size_t size)
{
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        check(subject);
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; n + 1 < size && (got = read(ends[0], text + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    text[n] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "neither passed nor aborted: %s", text);
    return 1;
}

static void validate_program(const void *program)
{
    program_validate(program);
}

static void validate_ledger(const void *ledger)
{
    ledger_validate(ledger);
}

static struct cost random_cost(struct dice *d)
{
    struct cost cost = {.time_ps = 1 + below(d, 1000000), .flops = below(d, 1u << 30), .bytes = below(d, 1u << 30)};
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        cost.energy_fj[p] = below(d, UINT64_MAX);
    cost.cell_writes = below(d, 100);
    return cost;
}

START_TEST(test_ledger_adds_exactly)
{
    struct dice d = dice(1 + (uint32_t)_i);
    struct ledger once = {0}, times = {0}, halves[2] = {{.end_ps = 0}};
    wide_uint energy_fj = 0;
    for (int i = 0; i < 100; i++) {
        struct cost cost = random_cost(&d);
        enum kernel_class class = below(&d, N_KERNEL_CLASSES);
        uint64_t count = below(&d, 5);
        for (uint64_t k = 0; k < count; k++)
            ledger_add(&once, class, &cost, 1);
        ledger_add(&times, class, &cost, count);
        ledger_add(&halves[i % 2], class, &cost, count);
        for (int p = 0; p < N_ENERGY_PARTS; p++)
            energy_fj += (wide_uint)cost.energy_fj[p] * count;
    }
    ledger_merge(&halves[1], &halves[0]);
    ck_assert_int_eq(memcmp(&once, &times, sizeof once), 0);
    ck_assert_int_eq(memcmp(&once, &halves[1], sizeof once), 0);
    ck_assert(ledger_energy_fj(&once) == energy_fj);
    once.wait_energy_fj = 7;
    once.idle_energy_fj = 5;
    ck_assert(ledger_energy_fj(&once) == energy_fj + 12);
    wide_uint by_class_fj = 0;
    for (int c = 0; c < N_KERNEL_CLASSES; c++)
        by_class_fj += ledger_class_energy_fj(&once, c);
    ck_assert(by_class_fj == energy_fj);
}
END_TEST

START_TEST(test_ledger_validates)
{
    struct ledger ledger = {.idle_ps = 10, .end_ps = 60};
    char text[512];
    ledger.entry[CLASS_GEMM].busy_ps = 30;
    ledger.compute_ps[CLASS_GEMM] = 30;
    ledger.wait_ps[CLASS_COLLECTIVE] = 20;
    ck_assert(!run_aborts(validate_ledger, &ledger, text, sizeof text));
    ledger.end_ps = 61;
    ck_assert(run_aborts(validate_ledger, &ledger, text, sizeof text));
    ck_assert_ptr_nonnull(strstr(text, "sum to 60 ps, the run took 61 ps"));
    ledger.end_ps = 60;
    ledger.entry[CLASS_GEMM].busy_ps = 29;
    ck_assert(run_aborts(validate_ledger, &ledger, text, sizeof text));
    ck_assert_ptr_nonnull(strstr(text, "class gemm"));
}
END_TEST

/* A program in the caller's storage. */
struct bench {
    struct program program;
    struct instr instr[MAX_INSTRS];
    struct slot slot[MAX_SLOTS];
    struct wait wait[4];
    struct op add, load;
    char name[MAX_SLOTS + MAX_INSTRS][8];
};

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->add = (struct op){.kind = OP_ADD, .rows = 16};
    b->load = (struct op){.kind = OP_LOAD, .transfer_bytes = 64};
    b->program.instrs = b->instr;
    b->program.slots = b->slot;
    b->program.waits = b->wait;
    b->program.sums = b->program.output = NO_SLOT;
}

static int add_slot(struct bench *b, enum slot_kind kind, uint64_t offset_bytes, uint64_t bytes)
{
    int i = b->program.n_slots++;
    snprintf(b->name[i], sizeof b->name[i], "s%d", i);
    b->slot[i] = (struct slot){.name = b->name[i],
                               .kind = kind,
                               .root = i,
                               .offset_bytes = offset_bytes,
                               .bytes = bytes,
                               .elements = (int64_t)bytes / 4,
                               .n_dims = 1,
                               .dims = {(int64_t)bytes / 4}};
    if (offset_bytes + bytes > b->program.memory_bytes)
        b->program.memory_bytes = offset_bytes + bytes;
    return i;
}

static struct instr *add_instr(struct bench *b, const struct op *op, int in0, int in1, int out0)
{
    int i = b->program.n_instrs++;
    struct instr *instr = &b->instr[i];
    char *name = b->name[MAX_SLOTS + i];
    snprintf(name, sizeof b->name[0], "i%d", i);
    *instr = (struct instr){.op = op, .name = name, .phase = 1, .group = -1, .channel = -1, .cost = {.time_ps = 1}};
    for (int k = 0; k < OP_MAX_IN; k++)
        instr->in[k] = NO_SLOT;
    for (int k = 0; k < OP_MAX_OUT; k++)
        instr->out[k] = NO_SLOT;
    instr->in[0] = in0;
    instr->in[1] = in1;
    instr->out[0] = out0;
    return instr;
}

/* load x; y = x + p; z = y + view of x; memory of y and z differ, w reuses that of x once x is dead. */
static void bench_small(struct bench *b)
{
    bench_init(b);
    int p = add_slot(b, SLOT_PARAM, 0, 64), x = add_slot(b, SLOT_LOADED, 64, 64);
    int y = add_slot(b, SLOT_ACTIVATION, 128, 64), z = add_slot(b, SLOT_ACTIVATION, 192, 64);
    int v = add_slot(b, SLOT_LOADED, 96, 32), w = add_slot(b, SLOT_ACTIVATION, 64, 64);
    b->slot[v].root = x;
    add_instr(b, &b->load, NO_SLOT, NO_SLOT, x);
    add_instr(b, &b->add, x, p, y);
    add_instr(b, &b->add, y, v, z);
    add_instr(b, &b->add, z, y, w);
    b->wait[0] = (struct wait){0, 0};
    b->program.n_waits = 1;
    b->instr[1].n_waits = 1;
}

static void expect_breach(const struct bench *b, const char *message)
{
    char text[512];
    ck_assert_msg(run_aborts(validate_program, &b->program, text, sizeof text), "accepted; expected: %s", message);
    ck_assert_msg(strstr(text, message) != NULL, "expected '%s', found '%s'", message, text);
}

START_TEST(test_program_rules)
{
    struct bench b;
    char text[512];
    bench_small(&b);
    ck_assert(!run_aborts(validate_program, &b.program, text, sizeof text));
    b.instr[2].cost.time_ps = 0;
    expect_breach(&b, "instruction i2 (add) takes no time");
    bench_small(&b);
    b.instr[1].in[1] = 3;
    expect_breach(&b, "instruction i1 reads slot s3 before it was written");
    bench_small(&b);
    b.slot[4].offset_bytes = 100;
    expect_breach(&b, "slot s4: view [100, +32) leaves its root s1");
    bench_small(&b);
    b.slot[4].root = 5, b.slot[5].root = 1;
    expect_breach(&b, "slot s4: its root s5 is itself a view");
    bench_small(&b);
    b.instr[3].in[0] = 1; /* x lives as long as w, which has its memory */
    expect_breach(&b, "overlap while both are live");
    bench_small(&b);
    b.slot[2].offset_bytes = 32;
    expect_breach(&b, "slots s0 [0, +64) and s2 [32, +64) overlap");
    bench_small(&b);
    b.program.sums = 1; /* fetched after the run: x has to stay */
    expect_breach(&b, "overlap while both are live");
    bench_small(&b);
    b.wait[0].instr = 1;
    expect_breach(&b, "instruction i1 (1) waits for instruction 1 of this run");
    b.wait[0].previous_run = 1;
    ck_assert(!run_aborts(validate_program, &b.program, text, sizeof text));
    bench_small(&b);
    b.instr[1].in[2] = 0;
    expect_breach(&b, "instruction i1: input 2 is slot s0, but a add has only 2");
    bench_small(&b);
    b.program.memory_bytes = 255;
    expect_breach(&b, "ends at byte 256");
    bench_small(&b);
    b.instr[1].out[0] = 6;
    expect_breach(&b, "instruction i1: output 0 is slot 6, but the program has 6 slots");
    bench_small(&b);
    b.add.accumulate = 1; /* reads what it adds to */
    expect_breach(&b, "instruction i1 reads slot s2 before it was written");
}
END_TEST

/* A view of a gradient block is written: the block and the view may be read, another view of it may not. */
START_TEST(test_program_views)
{
    struct bench b;
    char text[512];
    bench_init(&b);
    int x = add_slot(&b, SLOT_LOADED, 0, 64), block = add_slot(&b, SLOT_GRAD, 64, 128);
    int left = add_slot(&b, SLOT_GRAD, 64, 64), right = add_slot(&b, SLOT_GRAD, 128, 64);
    b.slot[left].root = b.slot[right].root = block;
    add_instr(&b, &b.load, NO_SLOT, NO_SLOT, x);
    add_instr(&b, &b.add, x, x, left);
    struct instr *last = add_instr(&b, &b.add, block, left, x);
    ck_assert(!run_aborts(validate_program, &b.program, text, sizeof text));
    last->in[1] = right;
    expect_breach(&b, "instruction i2 reads slot s3 before it was written");
}
END_TEST

static void random_program(struct bench *b, struct dice *d)
{
    bench_init(b);
    int n_slots = 3 + (int)below(d, 12), n_instrs = 1 + (int)below(d, 12);
    for (int i = 0; i < n_slots; i++)
        add_slot(b, below(d, 4) ? SLOT_ACTIVATION : SLOT_PARAM, below(d, 40) * SLOT_BYTES / 2,
                 below(d, 6) ? SLOT_BYTES : below(d, 3) * SLOT_BYTES);
    for (int i = 0; i < n_instrs; i++) {
        int in = NO_SLOT;
        for (int k = 0; k < 4 && in == NO_SLOT && i > 0; k++) /* mostly read what an earlier one wrote */
            in = b->instr[below(d, (uint64_t)i)].out[0];
        add_instr(b, &b->add, in, NO_SLOT, (int)below(d, (uint64_t)n_slots));
    }
}

/* Two roots, pair by pair: the plain meaning of the rule. */
static int overlaps_by_pairs(const struct program *program)
{
    int first[MAX_SLOTS], last[MAX_SLOTS];
    for (int s = 0; s < program->n_slots; s++) {
        int kept = program->slots[s].kind == SLOT_PARAM;
        first[s] = kept ? -1 : MAX_INSTRS + 1;
        last[s] = kept ? MAX_INSTRS : -2;
        for (int i = 0; i < program->n_instrs; i++)
            if (program->instrs[i].in[0] == s || program->instrs[i].out[0] == s) {
                first[s] = i < first[s] ? i : first[s];
                last[s] = i > last[s] ? i : last[s];
            }
    }
    for (int a = 0; a < program->n_slots; a++)
        for (int b = 0; b < a; b++) {
            const struct slot *s = &program->slots[a], *t = &program->slots[b];
            int in_time = first[a] <= last[b] && first[b] <= last[a];
            int in_memory =
                s->offset_bytes < t->offset_bytes + t->bytes && t->offset_bytes < s->offset_bytes + s->bytes;
            if (in_time && in_memory && s->bytes && t->bytes)
                return 1;
        }
    return 0;
}

START_TEST(test_program_overlap_as_by_pairs)
{
    int found = 0, clean = 0;
    for (uint32_t i = 0; i < 200; i++) {
        struct dice d = dice(100 + i);
        struct bench b;
        char text[512];
        random_program(&b, &d);
        int expected = overlaps_by_pairs(&b.program);
        int aborted = run_aborts(validate_program, &b.program, text, sizeof text);
        ck_assert_msg(aborted == expected, "case %u: expected %d, found %d: %s", i, expected, aborted, text);
        ck_assert(!aborted || strstr(text, "overlap while both are live"));
        found += expected;
        clean += !expected;
    }
    ck_assert_int_gt(found, 20);
    ck_assert_int_gt(clean, 20);
}
END_TEST

START_TEST(test_hash_sees_changes)
{
    struct bench a, b;
    bench_small(&a);
    bench_small(&b);
    uint64_t hash = program_hash(&a.program, 1);
    ck_assert_uint_eq(hash, program_hash(&b.program, 1));
    ck_assert_uint_ne(hash, program_hash(&b.program, 2));
#define CHANGES(change)                                                                                                \
    do {                                                                                                               \
        bench_small(&b);                                                                                               \
        change;                                                                                                        \
        ck_assert_msg(program_hash(&b.program, 1) != hash, "not seen: %s", #change);                                   \
    } while (0)
    double values[16] = {0};
    CHANGES(b.instr[1].cost.energy_fj[ENERGY_LINK]++);
    CHANGES(b.instr[3].cost.time_ps++);
    CHANGES(b.instr[2].in[0] = 0);
    CHANGES(b.instr[2].engine = ENGINE_COPY);
    CHANGES(b.instr[2].name = "other");
    CHANGES(b.instr[2].algorithm = "");
    CHANGES(b.add.dropout = 1e-300);
    CHANGES(b.add.transfer_bytes++);
    CHANGES(b.slot[0].init_scale = -0.0);
    CHANGES(b.slot[0].values = values);
    CHANGES(b.slot[5].offset_bytes++);
    CHANGES(b.slot[5].dims[0]++);
    CHANGES(b.wait[0].previous_run = 1);
    CHANGES(b.program.first_sample++);
    CHANGES(b.program.kind_bytes[SLOT_STATE]++);
#undef CHANGES
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(engine_name(ENGINE_COPY), "host copy");
    ck_assert_str_eq(engine_name(N_ENGINES - 1), "cell programming");
    ck_assert_str_eq(phase_name(0), "load");
    ck_assert_str_eq(phase_name(PROGRAM_PHASES - 1), "update");
}
END_TEST

Suite *suite_plan(void)
{
    Suite *suite = suite_create("plan");
    TCase *tcase = tcase_create("plan");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_ledger_adds_exactly, 0, 20);
    tcase_add_test(tcase, test_ledger_validates);
    tcase_add_test(tcase, test_program_rules);
    tcase_add_test(tcase, test_program_views);
    tcase_add_test(tcase, test_program_overlap_as_by_pairs);
    tcase_add_test(tcase, test_hash_sees_changes);
    tcase_add_test(tcase, test_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
