/* The handover brings everything that the low-parameter mode reads, once, from where it is; matrices fit or are refused
 * with numbers. Plans of random small jobs, the messages carried by hand. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "scheduler/build.h"

Suite *suite_handover(void);

enum { RANDOM_JOBS = 24 };

struct planned {
    struct arena *arena;
    struct job job;
    struct model_config config;
    struct machine machine;
    struct plan plan;
    struct matrices *matrices;
};

static enum status make_plan(struct planned *planned, const char *text, struct fault *fault)
{
    *planned = (struct planned){.arena = arena_new()};
    *fault = FAULT_NONE;
    enum status status = job_parse(planned->arena, "j.yaml", text, NULL, 0, &planned->job, fault);
    if (status == STATUS_OK)
        status = machine_open(&planned->job, planned->arena, &planned->machine, fault);
    if (status == STATUS_OK)
        status = build_model_config(&planned->job, NULL, &planned->config, fault);
    if (status == STATUS_OK)
        status = build_plan(&planned->job, &planned->config, &planned->machine, NULL, planned->arena, &planned->plan,
                            &planned->matrices, fault);
    return status;
}

static uint64_t pick(uint32_t seed, uint64_t draw, uint64_t n)
{
    return rng_below(rng_key(72, RNG_TEST, seed), 0, draw, n);
}

/* Every third a traffic model. */
static const char *random_model(struct arena *arena, uint32_t seed)
{
    int tokens = (int)(2 + pick(seed, 0, 4)), d = 8 << pick(seed, 1, 5), layers = (int)(1 + pick(seed, 2, 3)),
        ffn = 8 << pick(seed, 3, 4);
    const char *yes = pick(seed, 4, 2) ? "true" : "false";
    if (seed % 3 == 2)
        return arena_printf(arena,
                            "model: {preset: traffic, tokens: %d, features: 2, d_model: %d, heads: 4, layers: %d, "
                            "ffn: %d, residual: %s}\ndata: {window: 3, horizon: 2, slots: 5}\n",
                            tokens, d, layers, ffn, yes);
    return arena_printf(arena,
                        "model: {preset: wind, tokens: %d, features: 3, outputs: %d, d_model: %d, heads: 4, layers: "
                        "%d, ffn: %d, embed_hidden: 5, linear_skip: %s}\n",
                        tokens, tokens, d, layers, ffn, yes);
}

static void random_plan(struct planned *planned, uint32_t seed)
{
    static const char *const targets[] = {"[q, v]", "[k, o, ffn0]", "[q, k, v, o, ffn0, ffn1]", "[ffn1]"};
    static const char *const kinds[] = {"sgd", "adam", "adamw"};
    struct arena *arena = arena_new();
    struct fault fault;
    const char *text = arena_printf(
        arena,
        "%s"
        "cluster:\n  devices:\n"
        "    - {kind: systolic, profile: systolic-32-7nm, count: %d}\n"
        "    - {kind: gpu, profile: a100-80g, count: %d}\n"
        "    - {kind: reram, profile: isaac, count: %d, tiles: %d}\n"
        "  links: {inside: nvlink3, host: pcie4, stack: stack-3d}\n"
        "train: {steps: 1, minibatch: 8, clip_norm: %d, optimiser: {kind: %s}, adapter: {width: 2, targets: %s, "
        "train_norms: %s}}\n"
        "placement: {policy: hpt, micro_batches: %d}\n",
        random_model(arena, seed), (int)(1 + pick(seed, 5, 3)), (int)(1 + pick(seed, 6, 2)),
        (int)(1 + pick(seed, 7, 3)), (int)(4 + pick(seed, 8, 8)), (int)pick(seed, 9, 2), kinds[pick(seed, 10, 3)],
        targets[pick(seed, 11, 4)], pick(seed, 12, 2) ? "true" : "false", 1 << pick(seed, 13, 3));
    enum status status = make_plan(planned, text, &fault);
    ck_assert_msg(status == STATUS_OK, "job %u: %s", seed, fault.text);
    arena_free(arena);
}

/* Memory of every device, and who has written each byte of it. */
struct emulation {
    const struct planned *planned;
    int first_gpu;
    unsigned char **memory;
    char **writer; /* 0, or 'R' receive, 'F' fill, 'P' received, then programmed; '!' otherwise twice */
    const struct slot **letter;
};

static const struct program *program_of(const struct planned *planned, int id, int device)
{
    return &planned->plan.programs[id][device];
}

static int lives(const struct program *program, int s)
{
    enum slot_kind kind = program->slots[program->slots[s].root].kind;
    return kind == SLOT_PARAM || kind == SLOT_STATE;
}

static void note_writer(struct emulation *emulation, int device, const struct slot *slot, char who)
{
    char *writer = emulation->writer[device] + slot->offset_bytes;
    for (uint64_t b = 0; b < slot->bytes; b++)
        writer[b] = (!writer[b] && who != 'P') || (writer[b] == 'R' && who == 'P') ? who : '!';
}

static void open_memory(struct emulation *emulation, const struct planned *planned)
{
    int n = planned->plan.n_devices;
    *emulation = (struct emulation){.planned = planned};
    emulation->memory = arena_array(planned->arena, (size_t)n, sizeof *emulation->memory);
    emulation->writer = arena_array(planned->arena, (size_t)n, sizeof *emulation->writer);
    emulation->letter =
        arena_array(planned->arena, (size_t)planned->plan.n_channels[PROGRAM_HANDOVER] + 1, sizeof *emulation->letter);
    while (!program_of(planned, PROGRAM_TRAIN, emulation->first_gpu)->n_instrs)
        emulation->first_gpu++;
    for (int d = 0; d < n; d++) {
        uint64_t bytes = 1;
        for (int id = 0; id < N_PROGRAMS; id++)
            if (program_of(planned, id, d)->memory_bytes > bytes)
                bytes = program_of(planned, id, d)->memory_bytes;
        emulation->memory[d] = arena_take(planned->arena, bytes);
        emulation->writer[d] = arena_take(planned->arena, bytes);
    }
    const struct program *full = program_of(planned, PROGRAM_TRAIN, emulation->first_gpu);
    uint32_t number = 1;
    for (int s = 0; s < full->n_slots; s++) /* every parameter of the full model another value */
        for (uint64_t b = 0; full->slots[s].root == s && lives(full, s) && b + 4 <= full->slots[s].bytes; b += 4) {
            memcpy(emulation->memory[emulation->first_gpu] + full->slots[s].offset_bytes + b, &number, 4);
            number++;
        }
}

static void run_instr(struct emulation *emulation, int device, const struct program *program, const struct instr *instr)
{
    const struct slot *in = instr->in[0] == NO_SLOT ? NULL : &program->slots[instr->in[0]];
    const struct slot *out = instr->out[0] == NO_SLOT ? NULL : &program->slots[instr->out[0]];
    unsigned char *memory = emulation->memory[device];
    int channel = instr->channel, last = instr->out[0] != NO_SLOT && lives(program, instr->out[0]);
    switch (instr->op->kind) {
    case OP_SEND:
        ck_assert_int_eq(device, emulation->first_gpu);
        ck_assert_ptr_null(emulation->letter[channel]);
        emulation->letter[channel] = in;
        break;
    case OP_RECV:
        ck_assert_ptr_nonnull(emulation->letter[channel]);
        ck_assert_int_eq(instr->peer, emulation->first_gpu);
        ck_assert_uint_eq(out->bytes, emulation->letter[channel]->bytes);
        memcpy(memory + out->offset_bytes,
               emulation->memory[emulation->first_gpu] + emulation->letter[channel]->offset_bytes, out->bytes);
        emulation->letter[channel] = NULL;
        if (last)
            note_writer(emulation, device, out, 'R');
        break;
    case OP_FILL:
        ck_assert_msg(out->init != SLOT_INIT_NONE, "%s is filled with nothing", out->name);
        note_writer(emulation, device, out, 'F');
        break;
    default:
        ck_assert_int_eq(instr->op->kind, OP_PROGRAM);
        memcpy(memory + out->offset_bytes, memory + in->offset_bytes, out->bytes);
        note_writer(emulation, device, out, 'P');
    }
}

/* The first GPU sends all, then the others receive. */
static void run_handover(struct emulation *emulation, const struct planned *planned)
{
    open_memory(emulation, planned);
    for (int turn = 0; turn < 2; turn++)
        for (int d = 0; d < planned->plan.n_devices; d++) {
            const struct program *program = program_of(planned, PROGRAM_HANDOVER, d);
            for (int i = 0; (d == emulation->first_gpu) == !turn && i < program->n_instrs; i++)
                run_instr(emulation, d, program, &program->instrs[i]);
        }
    for (int c = 0; c < planned->plan.n_channels[PROGRAM_HANDOVER]; c++)
        ck_assert_ptr_null(emulation->letter[c]);
}

static int find_slot(const struct program *program, const char *name)
{
    for (int s = 0; s < program->n_slots; s++)
        if (strcmp(program->slots[s].name, name) == 0)
            return s;
    return NO_SLOT;
}

/* Where the first GPU has what a slot of the low-parameter mode stands for, or NULL: the full model has no such. */
static const unsigned char *original(const struct emulation *emulation, const struct program *low, int s)
{
    const struct program *full = program_of(emulation->planned, PROGRAM_TRAIN, emulation->first_gpu);
    const struct slot *slot = &low->slots[s], *root = &low->slots[slot->root];
    int same = find_slot(full, slot->name), whole = find_slot(full, root->name);
    if (same != NO_SLOT && full->slots[same].bytes == slot->bytes)
        return emulation->memory[emulation->first_gpu] + full->slots[same].offset_bytes;
    if (whole == NO_SLOT || !root->is_weight)
        return NULL;
    return emulation->memory[emulation->first_gpu] + full->slots[whole].offset_bytes +
           (slot->offset_bytes - root->offset_bytes);
}

static int is_block(const struct program *program, int s)
{
    return program->slots[s].root == s && !program->slots[s].is_weight;
}

static void check_operand(const struct emulation *emulation, const struct program *low, int s, int is_matrix)
{
    const struct slot *slot = &low->slots[s];
    const char *writer = emulation->writer[low->device] + slot->offset_bytes;
    int is_state = low->slots[slot->root].kind == SLOT_STATE, block = is_block(low, s);
    const unsigned char *from = is_state || block ? NULL : original(emulation, low, s);
    char expected = is_state || !from ? 'F' : is_matrix ? 'P' : 'R';
    for (uint64_t b = 0; b < slot->bytes; b++) /* an assertion for each byte takes long */
        if (!writer[b] || writer[b] == '!' || (!block && writer[b] != expected))
            ck_abort_msg("%s, byte %llu: expected '%c', found '%c'", slot->name, (unsigned long long)b,
                         block ? '*' : expected, writer[b] ? writer[b] : '-');
    if (from)
        ck_assert_msg(memcmp(emulation->memory[low->device] + slot->offset_bytes, from, slot->bytes) == 0,
                      "%s is not what the first GPU has", slot->name);
}

static int is_product(const struct instr *instr, const struct program *program)
{
    if (instr->op->kind != OP_LINEAR && instr->op->kind != OP_LINEAR_DX)
        return 0;
    const struct slot *weight = &program->slots[program->slots[instr->in[1]].root];
    return instr->block >= 0 && weight->kind == SLOT_PARAM && weight->is_weight && !weight->is_trained;
}

/* Of the step and of its evaluation. */
START_TEST(what_is_read_was_brought_once)
{
    struct planned planned;
    struct emulation emulation;
    int operands = 0;
    random_plan(&planned, (uint32_t)_i);
    run_handover(&emulation, &planned);
    for (int id = PROGRAM_LOW; id <= PROGRAM_LOW_EVALUATE; id++)
        for (int d = 0; d < planned.plan.n_devices; d++) {
            const struct program *low = program_of(&planned, id, d);
            for (int i = 0; i < low->n_instrs; i++) {
                const struct instr *instr = &low->instrs[i];
                int product = is_product(instr, low);
                for (int k = 0; k < OP_MAX_IN; k++)
                    if (instr->in[k] != NO_SLOT && lives(low, instr->in[k])) {
                        check_operand(&emulation, low, instr->in[k], product && k == 1);
                        operands++;
                    }
                for (int k = 0; k < OP_MAX_OUT; k++)
                    if (instr->out[k] != NO_SLOT && lives(low, instr->out[k]))
                        check_operand(&emulation, low, instr->out[k], 0);
            }
        }
    ck_assert_int_gt(operands, 20);
    arena_free(planned.arena);
}
END_TEST

/* Nothing is written that no program reads: every byte brought is one of the low programs' lasting operands. */
START_TEST(what_was_brought_is_read)
{
    struct planned planned;
    struct emulation emulation;
    random_plan(&planned, (uint32_t)_i);
    run_handover(&emulation, &planned);
    for (int d = 0; d < planned.plan.n_devices; d++) {
        const struct program *low = program_of(&planned, PROGRAM_LOW, d),
                             *handover = program_of(&planned, PROGRAM_HANDOVER, d);
        if (d == emulation.first_gpu)
            continue;
        if (!low->n_instrs) {
            ck_assert_int_eq(handover->n_instrs, 0);
            continue;
        }
        for (int i = 0; i < low->n_instrs; i++)
            for (int k = 0; k < OP_MAX_IN + OP_MAX_OUT; k++) {
                int s = k < OP_MAX_IN ? low->instrs[i].in[k] : low->instrs[i].out[k - OP_MAX_IN];
                if (s != NO_SLOT && lives(low, s))
                    memset(emulation.writer[d] + low->slots[s].offset_bytes, 0, low->slots[s].bytes);
            }
        for (uint64_t b = 0; b < handover->memory_bytes; b++)
            if (emulation.writer[d][b])
                ck_abort_msg("device %d, byte %llu: brought ('%c') and not read", d, (unsigned long long)b,
                             emulation.writer[d][b]);
    }
    arena_free(planned.arena);
}
END_TEST

/* The matrix of each number of a device: where its cells' image lies. Returns how many there are. */
static int programmed(const struct planned *planned, int device, uint64_t *offset, uint32_t *site)
{
    const struct program *handover = program_of(planned, PROGRAM_HANDOVER, device);
    const struct matrices *matrices = &planned->matrices[device];
    int n = 0;
    for (int i = 0; i < handover->n_instrs; i++) {
        const struct op *op = handover->instrs[i].op;
        if (op->kind != OP_PROGRAM)
            continue;
        ck_assert_msg(op->matrix >= 0 && op->matrix < matrices->n && !offset[op->matrix], "matrix %lld of %d",
                      (long long)op->matrix, matrices->n);
        ck_assert_int_eq(op->replicas, matrices->replicas);
        ck_assert_uint_eq(op->site, matrices->matrix[op->matrix].site);
        offset[op->matrix] = 1 + handover->slots[handover->instrs[i].out[0]].offset_bytes;
        site[op->matrix] = op->site;
        n++;
    }
    return n;
}

static void check_products(const struct planned *planned, int id, int device, const uint64_t *offset,
                           const uint32_t *site)
{
    const struct program *low = program_of(planned, id, device);
    const struct matrices *matrices = &planned->matrices[device];
    for (int i = 0; i < low->n_instrs; i++) {
        const struct instr *instr = &low->instrs[i];
        if (!is_product(instr, low))
            continue;
        ck_assert_str_eq(planned->machine.specs[device].kind, "reram");
        ck_assert(instr->op->matrix >= 0 && instr->op->matrix < matrices->n);
        ck_assert_uint_eq(offset[instr->op->matrix], 1 + low->slots[instr->in[1]].offset_bytes);
        ck_assert_uint_eq(site[instr->op->matrix], instr->op->site);
        ck_assert_int_eq(instr->op->replicas, matrices->replicas);
    }
}

START_TEST(matrices_have_dense_numbers)
{
    enum { MOST = 256 };
    struct planned planned;
    uint32_t sites[MOST];
    int n_sites = 0;
    random_plan(&planned, (uint32_t)_i);
    for (int d = 0; d < planned.plan.n_devices; d++) {
        const struct matrices *matrices = &planned.matrices[d];
        uint64_t offset[MOST] = {0}, units = 0;
        ck_assert_int_le(n_sites + matrices->n, MOST);
        ck_assert_int_eq(programmed(&planned, d, offset, sites + n_sites), matrices->n);
        check_products(&planned, PROGRAM_LOW, d, offset, sites + n_sites);
        check_products(&planned, PROGRAM_LOW_EVALUATE, d, offset, sites + n_sites);
        for (int m = 0; m < matrices->n; m++)
            units += matrices->matrix[m].units;
        ck_assert_uint_eq(units, matrices->units_needed);
        if (matrices->n)
            ck_assert_uint_le(matrices->units_needed * (uint64_t)matrices->replicas, matrices->units_total);
        n_sites += matrices->n;
    }
    ck_assert_int_ge(n_sites, 4 * (int)planned.job.model.layers);
    for (int a = 0; a < n_sites; a++)
        for (int b = 0; b < a; b++)
            ck_assert_uint_ne(sites[a], sites[b]);
    arena_free(planned.arena);
}
END_TEST

static enum status plan_cells(struct planned *planned, int devices, int tiles, int replicas, struct fault *fault)
{
    struct arena *arena = arena_new();
    const char *text =
        arena_printf(arena,
                     "model: {preset: wind, tokens: 3, features: 3, outputs: 3, d_model: 256, heads: 4, layers: 1, "
                     "ffn: 512, embed_hidden: 5}\n"
                     "cluster:\n  devices:\n"
                     "    - {kind: gpu, profile: a100-80g}\n"
                     "    - {kind: systolic, profile: systolic-32-7nm}\n"
                     "    - {kind: reram, profile: isaac, count: %d, tiles: %d}\n"
                     "  links: {inside: nvlink3, host: pcie4, stack: stack-3d}\n"
                     "train: {steps: 1, minibatch: 1}\n"
                     "placement: {policy: hpt, replicas: %d}\n",
                     devices, tiles, replicas);
    enum status status = make_plan(planned, text, fault);
    arena_free(arena);
    return status;
}

enum { FIRST_RERAM = 2 }; /* device of plan_cells */

/* More and more tiles: refused with what is needed and what there is, until it is enough. */
START_TEST(too_few_crossbars_are_refused_with_numbers)
{
    unsigned long long needed_before = 0, per_tile = 0;
    for (int tiles = 1;; tiles++) {
        struct planned planned;
        struct fault fault;
        unsigned long long needed = 0, found = 0;
        int matrices = 0, end = 0;
        ck_assert_int_lt(tiles, 50);
        enum status status = plan_cells(&planned, 1, tiles, 0, &fault);
        const struct matrices *held = status == STATUS_OK ? &planned.matrices[FIRST_RERAM] : NULL;
        if (held) {
            ck_assert_int_gt(tiles, 1);
            ck_assert_uint_eq(held->units_needed, needed_before);
            ck_assert_uint_eq(held->units_total, (uint64_t)tiles * per_tile);
            ck_assert_uint_le(held->units_needed, held->units_total);
            ck_assert_int_eq(held->replicas, (int64_t)(held->units_total / held->units_needed));
            arena_free(planned.arena);
            break;
        }
        ck_assert_int_eq(status, STATUS_USAGE);
        int read =
            sscanf(fault.text, "reram0 needs %llu crossbars for its %d matrices, found %llu: give it more tiles%n",
                   &needed, &matrices, &found, &end);
        ck_assert_msg(read == 3 && end > 0, "%s", fault.text);
        ck_assert_int_eq(matrices, 4); /* qkv, o, ffn.0, ffn.1 */
        ck_assert_uint_gt(needed, found);
        per_tile = tiles == 1 ? found : per_tile;
        ck_assert_uint_eq(found, (unsigned long long)tiles * per_tile);
        ck_assert(tiles == 1 || needed == needed_before);
        needed_before = needed;
        arena_free(planned.arena);
    }
}
END_TEST

/* What fits nowhere as a whole goes in pieces to all. */
START_TEST(large_matrices_are_spread)
{
    struct planned one, two;
    struct fault fault;
    ck_assert_int_eq(plan_cells(&one, 1, 1, 0, &fault), STATUS_USAGE);
    ck_assert_msg(plan_cells(&two, 2, 1, 0, &fault) == STATUS_OK, "%s", fault.text);
    int64_t elements = 0;
    for (int d = FIRST_RERAM; d < FIRST_RERAM + 2; d++) {
        ck_assert_int_eq(two.matrices[d].n, 4);
        for (int m = 0; m < two.matrices[d].n; m++)
            elements += two.matrices[d].matrix[m].out * two.matrices[d].matrix[m].in;
    }
    ck_assert_int_eq(elements, (3 + 1 + 2 + 2) * 256 * 256);
    arena_free(one.arena);
    arena_free(two.arena);
}
END_TEST

START_TEST(too_many_copies_are_refused_with_numbers)
{
    struct planned most, given, more;
    struct fault fault;
    ck_assert_msg(plan_cells(&most, 1, 16, 0, &fault) == STATUS_OK, "%s", fault.text);
    int copies = (int)most.matrices[FIRST_RERAM].replicas;
    ck_assert_int_gt(copies, 1);
    ck_assert_int_eq(plan_cells(&given, 1, 16, copies - 1, &fault), STATUS_OK);
    ck_assert_int_eq(given.matrices[FIRST_RERAM].replicas, copies - 1);
    ck_assert_int_eq(plan_cells(&more, 1, 16, copies + 1, &fault), STATUS_USAGE);
    char expected[256];
    snprintf(expected, sizeof expected,
             "reram0: placement.replicas: expected at most %d copies of its matrices, which take %llu of %llu "
             "crossbars, found %d",
             copies, (unsigned long long)most.matrices[FIRST_RERAM].units_needed,
             (unsigned long long)most.matrices[FIRST_RERAM].units_total, copies + 1);
    ck_assert_str_eq(fault.text, expected);
    arena_free(most.arena);
    arena_free(given.arena);
    arena_free(more.arena);
}
END_TEST

/* Small matrices in pieces take more crossbars (18 of them here) than whole ones: the limit told is the larger one. */
START_TEST(the_most_copies_are_those_of_the_better_cut)
{
    struct planned planned;
    struct fault fault;
    ck_assert_int_eq(make_plan(&planned,
                               "model: {preset: wind, tokens: 3, features: 3, outputs: 3, d_model: 64, heads: 4, "
                               "layers: 3, ffn: 128, embed_hidden: 5}\n"
                               "cluster:\n  devices:\n"
                               "    - {kind: gpu, profile: a100-80g}\n"
                               "    - {kind: systolic, profile: systolic-32-7nm}\n"
                               "    - {kind: reram, profile: isaac, count: 3}\n"
                               "  links: {inside: nvlink3, host: pcie4, stack: stack-3d}\n"
                               "train: {steps: 1, minibatch: 1}\n"
                               "placement: {policy: hpt, replicas: 1153}\n",
                               &fault),
                     STATUS_USAGE);
    ck_assert_str_eq(fault.text, "reram0: placement.replicas: expected at most 1152 copies of its matrices, which take "
                                 "14 of 16128 crossbars, found 1153");
    arena_free(planned.arena);
}
END_TEST

Suite *suite_handover(void)
{
    Suite *suite = suite_create("handover");
    TCase *tcase = tcase_create("all"), *cells = tcase_create("cells");
    tcase_set_timeout(tcase, 60);
    tcase_set_timeout(cells, 60);
    tcase_add_loop_test(tcase, what_is_read_was_brought_once, 0, RANDOM_JOBS);
    tcase_add_loop_test(tcase, what_was_brought_is_read, 0, RANDOM_JOBS);
    tcase_add_loop_test(tcase, matrices_have_dense_numbers, 0, RANDOM_JOBS);
    tcase_add_test(cells, too_few_crossbars_are_refused_with_numbers);
    tcase_add_test(cells, large_matrices_are_spread);
    tcase_add_test(cells, too_many_copies_are_refused_with_numbers);
    tcase_add_test(cells, the_most_copies_are_those_of_the_better_cut);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, cells);
    return suite;
}
