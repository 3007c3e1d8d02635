#include "command/plan_tables.h"

#include <stdio.h>
#include <string.h>

#include "base/unit.h"
#include "report/mode_tables.h"
#include "report/table.h"
#include "scheduler/choose.h"
#include "scheduler/describe.h"
#include "scheduler/predict.h"

enum { FULL, LOW, N_MODES, MOST_CLASSES = 4 };

static const int step_program[N_MODES] = {PROGRAM_TRAIN, PROGRAM_LOW};
static const char *const mode_names[N_MODES] = {"full", "low"};

static const char *show(char text[32], enum unit unit, double value)
{
    return unit_show(text, 32, unit, value);
}

static void memory_row(const struct training *training, struct text_table *table, int mode, int d)
{
    static const enum slot_kind kinds[] = {SLOT_PARAM, SLOT_STATE, SLOT_GRAD, SLOT_LOADED, SLOT_ACTIVATION};
    const struct program *program = &training->plan.programs[step_program[mode]][d];
    char text[32];
    text_table_row(table);
    text_table_cell(table, "%s", training->machine.specs[d].name);
    if (training->matrices)
        text_table_cell(table, "%s", mode_names[mode]);
    for (int k = 0; k < 5; k++) {
        int in_cells = kinds[k] == SLOT_PARAM && training->machine.backends[d]->units_needed;
        text_table_cell(table, "%s",
                        in_cells ? "in cells" : show(text, UNIT_BYTES, (double)program->kind_bytes[kinds[k]]));
    }
    text_table_cell(table, "%s",
                    show(text, UNIT_BYTES, (double)describe_program_bytes(training, step_program[mode], d)));
    text_table_cell(table, "%s", show(text, UNIT_BYTES, (double)training->plan.capacity_bytes[d]));
}

void plan_print_memory(const struct training *training)
{
    static const char *const names[] = {"parameters", "state", "gradients", "minibatches", "activations"};
    struct text_table *table = text_table_new(training->arena);
    text_table_column(table, ALIGN_LEFT, "device", "");
    if (training->matrices)
        text_table_column(table, ALIGN_LEFT, "mode", "");
    for (int k = 0; k < 5; k++)
        text_table_column(table, ALIGN_RIGHT, names[k], "");
    text_table_column(table, ALIGN_RIGHT, "peak", "");
    text_table_column(table, ALIGN_RIGHT, "capacity", "");
    for (int m = 0; m < N_MODES; m++)
        for (int d = 0; d < training->plan.n_devices; d++)
            if (training->plan.programs[step_program[m]][d].n_instrs)
                memory_row(training, table, m, d);
    printf("\nmemory\n");
    text_table_print(table, stdout, TABLE_WIDTH);
}

/* ---- who does what ---- */

/* "0-2": blocks that the program has instructions of. */
static const char *blocks_of(const struct program *program, struct arena *arena)
{
    int first = -1, last = -1;
    for (int i = 0; i < program->n_instrs; i++) {
        int block = program->instrs[i].block;
        if (block < 0)
            continue;
        first = first < 0 || block < first ? block : first;
        last = block > last ? block : last;
    }
    return first < 0       ? "-"
           : first == last ? arena_printf(arena, "%d", first)
                           : arena_printf(arena, "%d-%d", first, last);
}

/* Most attention heads of a block that the program computes for a sample, in each of its attentions: it computes
 * `pieces` times as many. */
static int64_t heads_of(const struct training *training, const struct program *program, int64_t pieces)
{
    int64_t most = 0;
    for (int64_t block = 0; block < family_layers(&training->config); block++) {
        int64_t heads = 0;
        for (int i = 0; i < program->n_instrs; i++)
            if (program->instrs[i].op->kind == OP_ATTENTION && program->instrs[i].block == block)
                heads += program->instrs[i].op->heads;
        most = heads / pieces > most ? heads / pieces : most;
    }
    return most;
}

/* "gemm 71 %, norm 20 %": the classes that take most of the compute engine's time. */
static const char *work_of(const struct program *program, struct arena *arena)
{
    uint64_t time_ps[N_KERNEL_CLASSES] = {0}, all_ps = 0;
    const char *text = "";
    for (int i = 0; i < program->n_instrs; i++)
        if (program->instrs[i].engine == ENGINE_COMPUTE) {
            time_ps[op_class(program->instrs[i].op->kind)] += program->instrs[i].cost.time_ps;
            all_ps += program->instrs[i].cost.time_ps;
        }
    for (int told = 0; told < MOST_CLASSES; told++) {
        int most = 0;
        for (int c = 1; c < N_KERNEL_CLASSES; c++)
            most = time_ps[c] > time_ps[most] ? c : most;
        if (time_ps[most] == 0)
            break;
        text = arena_printf(arena, "%s%s%s %.0f %%", text, told ? ", " : "", kernel_class_name(most),
                            100 * (double)time_ps[most] / (double)all_ps);
        time_ps[most] = 0;
    }
    return text;
}

static void role_row(const struct training *training, struct text_table *table, int mode, int d)
{
    const struct program *program = &training->plan.programs[step_program[mode]][d];
    int64_t micro_batches = mode == LOW ? training->job->placement.micro_batches : 1;
    int64_t heads = heads_of(training, program, micro_batches * family_attentions(&training->config));
    const struct matrices *matrices = &training->matrices[d];
    text_table_row(table);
    text_table_cell(table, "%s", training->machine.specs[d].name);
    text_table_cell(table, "%s", mode_names[mode]);
    text_table_cell(table, "%lld", (long long)program->samples);
    text_table_cell(table, "%s", blocks_of(program, training->arena));
    if (mode == LOW && matrices->n)
        text_table_cell(table, "%d", matrices->n);
    else
        text_table_cell(table, "-");
    if (heads)
        text_table_cell(table, "%lld of %lld", (long long)heads, (long long)family_heads(&training->config));
    else
        text_table_cell(table, "-");
    text_table_cell(table, "%s", work_of(program, training->arena));
}

static void print_roles(const struct training *training)
{
    struct text_table *table = text_table_new(training->arena);
    text_table_column(table, ALIGN_LEFT, "device", "");
    text_table_column(table, ALIGN_LEFT, "mode", "");
    text_table_column(table, ALIGN_RIGHT, "samples", "");
    text_table_column(table, ALIGN_LEFT, "blocks", "");
    text_table_column(table, ALIGN_RIGHT, "matrices", "");
    text_table_column(table, ALIGN_RIGHT, "heads", "");
    text_table_column(table, ALIGN_LEFT, "compute time of a step", "");
    for (int m = 0; m < N_MODES; m++)
        for (int d = 0; d < training->plan.n_devices; d++)
            if (training->plan.programs[step_program[m]][d].n_instrs)
                role_row(training, table, m, d);
    printf("\nwho does what\n");
    text_table_print(table, stdout, TABLE_WIDTH);
    printf(
        "  GPUs: full steps, since every weight changes in each and cells would wear out. ReRAM: products with frozen\n"
        "  matrices, forward and transposed: they stay in the cells. Systolic: products of two moving operands\n"
        "  (attention) and all that is trained or is no product: adapters, embedding, head, norms, loss, optimiser.\n");
}

/* ---- modes ---- */

static const struct run_switch_number *find_number(const struct run_switch_record *record, const char *name)
{
    for (int i = 0; i < record->n_numbers; i++)
        if (strcmp(record->number[i].name, name) == 0)
            return &record->number[i];
    return NULL;
}

/* What the last check of the pay-off, policy safe's, has found. */
static void print_no_payoff(const struct run_switch *told)
{
    const struct run_switch_record *last = told->n_records ? &told->record[told->n_records - 1] : NULL;
    const struct run_switch_number *time = last ? find_number(last, "saved_ps") : NULL,
                                   *energy = last ? find_number(last, "saved_fj") : NULL,
                                   *steps = last ? find_number(last, "steps_in_low") : NULL;
    char text[4][32];
    if (!time || !energy || !steps)
        return;
    printf("  a switch would not pay off: after a trial, %.0f low-parameter steps save %s and %s;\n"
           "  the trial and the handovers take %s and %s\n",
           steps->value, show(text[0], UNIT_SECONDS, time->value * 1e-12),
           show(text[1], UNIT_JOULES, energy->value * 1e-15), show(text[2], UNIT_SECONDS, time->threshold * 1e-12),
           show(text[3], UNIT_JOULES, energy->threshold * 1e-15));
}

static void print_switch(const struct training *training, const struct run *run)
{
    const char *policy = training->job->train.mode_switch.policy;
    int64_t step = run_switch_step(run);
    int is_assumed = strcmp(policy, "hpt") == 0 || strcmp(policy, "safe") == 0;
    printf("\nswitch\n");
    if (step < 0) {
        printf("  policy %s: every step is a full one\n", policy);
        print_no_payoff(&run->mode_switch);
        return;
    }
    printf("  policy %s: low-parameter steps after step %lld of %lld", policy, (long long)step,
           (long long)training_steps(training));
    if (is_assumed)
        printf(", the earliest with windows of %lld steps: assumed, since its tests need losses",
               (long long)run->mode_switch.window_steps);
    printf("\n");
}

/* Copies of a matrix share the rows of a product: more copies than rows write cells that nothing reads. */
static void print_spare_copies(const struct training *training)
{
    long long most_rows = 0, copies = 0;
    for (int d = 0; d < training->plan.n_devices; d++) {
        const struct program *program = &training->plan.programs[PROGRAM_LOW][d];
        for (int i = 0; i < program->n_instrs; i++) {
            const struct op *op = program->instrs[i].op;
            if ((op->kind != OP_LINEAR && op->kind != OP_LINEAR_DX) || op->replicas < 1)
                continue;
            most_rows = op->rows > most_rows ? op->rows : most_rows;
            copies = op->replicas > copies ? op->replicas : copies;
        }
    }
    if (copies > most_rows)
        printf("\n  %lld copies share %lld rows at a time: more than %lld (placement.replicas) are programmed for "
               "nothing\n",
               copies, most_rows, most_rows);
}

static enum status print_step_of_width(const struct training *training, int64_t width, struct fault *fault)
{
    struct switch_costs costs;
    char time[32], energy[32];
    enum status status = predict_costs_of_width(training, width, 1, &costs, fault);
    if (status == STATUS_OK)
        printf("  low step    %s and %s (whole machine, with stand-by power) with adapters of width %lld\n",
               unit_show_ps(time, sizeof time, costs.low_ps), show(energy, UNIT_JOULES, (double)costs.low_fj * 1e-15),
               (long long)width);
    return status;
}

/* A width that test T3 chooses is not known before: both ends of what it may be. */
static enum status print_widths(const struct training *training, struct fault *fault)
{
    if (training->job->train.adapter.width != JOB_UNSET)
        return STATUS_OK;
    struct build_widths widths = build_adapter_widths(training->job, &training->config);
    printf("  adapters    their width is decided at the switch, from %lld to %lld; predicted here with the widest\n",
           (long long)widths.narrowest, (long long)widths.widest);
    enum status status = print_step_of_width(training, widths.narrowest, fault);
    return status == STATUS_OK ? print_step_of_width(training, widths.widest, fault) : status;
}

enum status plan_print_modes(const struct training *training, const struct run *run, struct fault *fault)
{
    print_roles(training);
    print_switch(training, run);
    enum status status = print_widths(training, fault);
    mode_tables_print(stdout, run, training->arena);
    print_spare_copies(training);
    return status;
}

void plan_print_gpus_alone(const struct training *training, const struct run *run)
{
    struct run_candidate alone;
    struct run_choice none;
    char time[32], energy[32];
    if (run_switch_step(run) < 0) {
        printf("  GPUs alone  the same, since every step is a full one\n");
        return;
    }
    choose_price(training->job, "gpu-only", training->arena, &alone, &none);
    if (alone.problem) {
        printf("  GPUs alone  cannot be: %s\n", alone.problem);
        return;
    }
    printf("  GPUs alone  %s and %s on this machine: the run is %.3g times as fast, for %.3g times the energy\n",
           unit_show_ps(time, sizeof time, alone.time_ps), show(energy, UNIT_JOULES, alone.energy_j),
           (double)alone.time_ps / (double)run->end_ps, run_energy_j(run) / alone.energy_j);
}

/* ---- instructions ---- */

static void print_program(const struct training *training, int mode, int d)
{
    const struct program *program = &training->plan.programs[step_program[mode]][d];
    struct text_table *table = text_table_new(training->arena);
    char text[32];
    text_table_column(table, ALIGN_LEFT, "instruction", "");
    text_table_column(table, ALIGN_LEFT, "op", "");
    text_table_column(table, ALIGN_LEFT, "phase", "");
    text_table_column(table, ALIGN_LEFT, "engine", "");
    text_table_column(table, ALIGN_RIGHT, "time", "");
    text_table_column(table, ALIGN_RIGHT, "work", "FLOP");
    text_table_column(table, ALIGN_RIGHT, "traffic", "");
    for (int i = 0; i < program->n_instrs; i++) {
        const struct instr *instr = &program->instrs[i];
        text_table_row(table);
        text_table_cell(table, "%s", instr->name);
        text_table_cell(table, "%s", op_name(instr->op->kind));
        text_table_cell(table, "%s", phase_name(instr->phase));
        text_table_cell(table, "%s", engine_name(instr->engine));
        text_table_cell(table, "%s", unit_show_ps(text, sizeof text, instr->cost.time_ps));
        text_table_cell(table, "%.3g", (double)instr->cost.flops);
        text_table_cell(table, "%s", show(text, UNIT_BYTES, (double)instr->cost.bytes));
    }
    printf("\nprogram of %s: one %s step\n", training->machine.specs[d].name,
           mode == FULL ? "training" : "low-parameter");
    text_table_print(table, stdout, TABLE_WIDTH);
}

void plan_print_instructions(const struct training *training, const char *device)
{
    for (int m = 0; m < N_MODES; m++)
        for (int d = 0; d < training->plan.n_devices; d++) {
            int has_name = device && strcmp(device, training->machine.specs[d].name) == 0;
            int is_default = !device && (m == LOW || d == training->first_gpu);
            if ((has_name || is_default) && training->plan.programs[step_program[m]][d].n_instrs)
                print_program(training, m, d);
        }
}

enum status plan_find_device(const struct training *training, const char *name, struct fault *fault)
{
    for (int d = 0; name && d < training->machine.n_devices; d++)
        if (strcmp(name, training->machine.specs[d].name) == 0)
            return STATUS_OK;
    if (!name)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "--device: expected a device of the cluster such as %s, found '%s'",
                     training->machine.specs[0].name, name);
}
