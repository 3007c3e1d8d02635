/* describe_modes.c - full and low-parameter mode side by side: parameters, memory, work of a step, crossbars. */
#include <string.h>

#include "scheduler/describe.h"

enum { FULL, LOW, N_MODES };

static const int step_program[N_MODES] = {PROGRAM_TRAIN, PROGRAM_LOW};
static const char *const mode_names[N_MODES] = {"full", "low"};

uint64_t describe_program_bytes(const struct training *training, int program_id, int device)
{
    const struct program *program = &training->plan.programs[program_id][device];
    int in_cells = training->machine.backends[device]->units_needed != NULL;
    return program->memory_bytes - (in_cells ? program->kind_bytes[SLOT_PARAM] : 0);
}

uint64_t describe_memory_bytes(const struct training *training, int device)
{
    uint64_t most = 0;
    for (int id = 0; id < N_PROGRAMS; id++) {
        uint64_t bytes = describe_program_bytes(training, id, device);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static int64_t trained_elements(const struct program *program)
{
    int64_t elements = 0;
    for (int s = 0; s < program->n_slots; s++)
        if (program->slots[s].is_weight && program->slots[s].is_trained)
            elements += program->slots[s].elements;
    return elements;
}

/* GPUs train the same parameters, each a share of the samples; devices of the low mode have their own. */
static int64_t count_trained(const struct training *training, int mode)
{
    int64_t elements = 0;
    if (mode == FULL)
        return trained_elements(&training->plan.programs[PROGRAM_TRAIN][training->first_gpu]);
    for (int d = 0; d < training->plan.n_devices; d++)
        elements += trained_elements(&training->plan.programs[PROGRAM_LOW][d]);
    return elements;
}

static void describe_mode(const struct training *training, int m, struct run_mode *mode)
{
    int n_devices = training->plan.n_devices;
    *mode = (struct run_mode){
        .name = mode_names[m],
        .n_trained = count_trained(training, m),
        .busy_ps = arena_array(training->arena, (size_t)n_devices, sizeof *mode->busy_ps),
    };
    for (int d = 0; d < n_devices; d++) {
        const struct program *program = &training->plan.programs[step_program[m]][d];
        for (int i = 0; i < program->n_instrs; i++) {
            const struct instr *instr = &program->instrs[i];
            mode->busy_ps[d] += instr->engine == ENGINE_COMPUTE ? instr->cost.time_ps : 0;
        }
    }
}

void describe_low_mode(const struct training *training, struct run *run)
{
    if (run->n_modes)
        describe_mode(training, LOW, &run->mode[LOW]);
}

static uint64_t handover_cells(const struct program *program)
{
    uint64_t cells = 0;
    for (int i = 0; i < program->n_instrs; i++)
        cells += program->instrs[i].cost.cell_writes;
    return cells;
}

static uint64_t matrix_cells(const struct program *program, int matrix)
{
    uint64_t cells = 0;
    for (int i = 0; i < program->n_instrs; i++)
        if (program->instrs[i].op->kind == OP_PROGRAM && program->instrs[i].op->matrix == matrix)
            cells += program->instrs[i].cost.cell_writes;
    return cells;
}

static int is_alike(const struct matrix *a, const char *name, int64_t out, int64_t in)
{
    return a->out == out && a->in == in && strcmp(a->name, name) == 0;
}

/* The row of a device's matrix: parts of one weight come in their order. NULL: there is none yet. */
static struct run_matrix *row_of(const struct training *training, int d, int m, struct run *run)
{
    const struct matrix *matrix = &training->matrices[d].matrix[m];
    int before = 0;
    for (int k = 0; k < m; k++)
        before += is_alike(&training->matrices[d].matrix[k], matrix->name, matrix->out, matrix->in);
    for (int r = 0; r < run->n_matrices; r++)
        if (run->matrix[r].device == d &&
            is_alike(matrix, run->matrix[r].name, run->matrix[r].out, run->matrix[r].in) && before-- == 0)
            return &run->matrix[r];
    return NULL;
}

static void describe_matrices(const struct training *training, struct run *run)
{
    size_t n = (size_t)run->n_matrices;
    for (int d = 0; d < training->plan.n_devices; d++)
        n += (size_t)training->matrices[d].n;
    struct run_matrix *all = arena_array(training->arena, n + 1, sizeof *all);
    if (run->n_matrices)
        memcpy(all, run->matrix, (size_t)run->n_matrices * sizeof *all);
    run->matrix = all;
    for (int d = 0; d < training->plan.n_devices; d++) {
        const struct matrices *matrices = &training->matrices[d];
        for (int m = 0; m < matrices->n; m++)
            if (!row_of(training, d, m, run))
                run->matrix[run->n_matrices++] = (struct run_matrix){
                    .device = d,
                    .name = matrices->matrix[m].name,
                    .out = matrices->matrix[m].out,
                    .in = matrices->matrix[m].in,
                    .crossbars = matrices->matrix[m].units * (uint64_t)matrices->replicas,
                    .cells = matrix_cells(&training->plan.programs[PROGRAM_HANDOVER][d], m),
                };
    }
}

void describe_writes(const struct training *training, int program_id, struct run *run)
{
    for (int d = 0; d < training->plan.n_devices && training->matrices; d++) {
        const struct program *program = &training->plan.programs[program_id][d];
        for (int i = 0; i < program->n_instrs; i++)
            if (program->instrs[i].op->kind == OP_PROGRAM)
                row_of(training, d, (int)program->instrs[i].op->matrix, run)->cell_writes +=
                    program->instrs[i].cost.cell_writes;
    }
}

static int has_cells(const struct run *run, int device)
{
    for (int c = 0; c < run->n_cells; c++)
        if (run->cells[c].device == device)
            return 1;
    return 0;
}

static void describe_cells(const struct training *training, struct run *run)
{
    if (!run->cells)
        run->cells = arena_array(training->arena, (size_t)training->plan.n_devices, sizeof *run->cells);
    for (int d = 0; d < training->plan.n_devices; d++) {
        const struct matrices *matrices = &training->matrices[d];
        const struct device *backend = training->machine.backends[d];
        if (matrices->n == 0 || has_cells(run, d))
            continue;
        run->cells[run->n_cells++] = (struct run_cells){
            .device = d,
            .n_matrices = (uint64_t)matrices->n,
            .crossbars_used = matrices->units_needed * (uint64_t)matrices->replicas,
            .crossbars_total = matrices->units_total,
            .copies = (uint64_t)matrices->replicas,
            .cells = handover_cells(&training->plan.programs[PROGRAM_HANDOVER][d]),
            .pulses = backend->cell_pulses(training->machine.states[d]),
            .endurance = backend->cell_endurance(training->machine.states[d]),
        };
    }
}

void describe_more_cells(const struct training *training, struct run *run)
{
    if (!training->matrices)
        return;
    describe_cells(training, run);
    describe_matrices(training, run);
}

void describe_modes(const struct training *training, struct run *run)
{
    if (!training->matrices)
        return;
    run->n_modes = N_MODES;
    run->mode = arena_array(training->arena, N_MODES, sizeof *run->mode);
    for (int m = 0; m < N_MODES; m++)
        describe_mode(training, m, &run->mode[m]);
    describe_cells(training, run);
    describe_matrices(training, run);
}

/* The shortest time from step to step within a phase: an evaluation between two of them, or a pipeline that fills, only
 * makes it longer. Its later step in the run; 0: there are no two steps. */
static int shortest_step(const struct run *run, int64_t first, int64_t last)
{
    uint64_t least_ps = 0;
    int shortest = 0;
    for (int i = 1; i < run->n_steps; i++) {
        uint64_t step_ps = run->step[i].time_ps - run->step[i - 1].time_ps;
        if (run->step[i - 1].step >= first && run->step[i].step <= last && (!shortest || step_ps < least_ps)) {
            least_ps = step_ps;
            shortest = i;
        }
    }
    return shortest;
}

uint64_t describe_step_ps(const struct run *run, int64_t first, int64_t last)
{
    int i = shortest_step(run, first, last);
    return i ? run->step[i].time_ps - run->step[i - 1].time_ps : 0;
}

static void describe_phase_steps(struct run *run, const struct run_phase *phase)
{
    int i = shortest_step(run, phase->first_step, phase->last_step);
    if (!i)
        return;
    uint64_t step_ps = run->step[i].time_ps - run->step[i - 1].time_ps;
    wide_uint energy_fj = (wide_uint)((run->step[i].energy_j - run->step[i - 1].energy_j) * FJ_PER_J + 0.5);
    for (int m = 0; m < run->n_modes; m++) {
        struct run_mode *mode = &run->mode[m];
        if (strcmp(phase->name, mode->name) != 0 || (mode->step_ps && mode->step_ps <= step_ps))
            continue;
        mode->step_ps = step_ps;
        mode->energy_fj = energy_fj;
    }
}

void describe_steps(struct run *run)
{
    const struct run_phase whole = {.name = mode_names[FULL], .first_step = 1, .last_step = run->n_steps};
    for (int p = 0; p < run->n_phases; p++)
        describe_phase_steps(run, &run->phase[p]);
    if (run->n_phases == 0 && run->n_steps > 1) /* no switch: one mode all along */
        describe_phase_steps(run, &whole);
}
