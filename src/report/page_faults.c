/* Faults of the emulated hardware: what struck when, what it cost; and their marks in figures over time. */
#include "report/fault_tables.h"
#include "report/page_axes.h"
#include "report/page_sections.h"

static void add_reasons(struct document *document, const struct run *run)
{
    for (int i = 0; i < run->n_faults; i++)
        if (*run->fault[i].reason)
            document_sentence(document, "Fault %d: no low-parameter mode without it: %s", i + 1, run->fault[i].reason);
}

void page_add_faults(struct document *document, const struct subject *subject)
{
    struct arena *arena = document->arena;
    const struct run *run = &subject->run;
    const struct serving_run *serving = &subject->serving;
    int is_serving = subject->kind == SUBJECT_SERVING, n = is_serving ? serving->faults.n : run->n_faults;
    int64_t to_come = is_serving ? serving->faults.n_to_come : run->faults_to_come;
    if (n == 0 && to_come == 0)
        return;
    document_heading(document, "faults", "Faults");
    if (n && is_serving) {
        document_table(document, "Faults of the emulated hardware", fault_serving_table(&serving->faults, arena));
        document_table(document, "What they have cost",
                       fault_serving_recovery_table(&serving->summary.recovery, arena));
    } else if (n) {
        document_table(document, "Faults of the emulated hardware", fault_table(run, arena));
        add_reasons(document, run);
        document_table(document, "What recovery has cost", fault_recovery_table(run, arena));
    }
    if (to_come)
        document_sentence(document, "%s.", fault_to_come_text(to_come, arena));
}

static void mark(struct figure *figure, int number, double at)
{
    figure_add_line(figure, &(struct figure_line){0, at, arena_printf(figure->arena, "F%d", number), COLOUR_CRIMSON});
}

static void explain(struct figure *figure, int n)
{
    if (n)
        figure->note =
            arena_printf(figure->arena, "%s %s.", figure->note,
                         n > 1 ? "Dashed lines F1, F2 ... are the faults" : "The dashed line F1 is the fault");
}

void page_mark_faults(struct figure *figure, const struct run *run, const struct progress_curve *curve,
                      enum progress_axis axis)
{
    for (int i = 0; i < run->n_faults; i++)
        mark(figure, i + 1, progress_at(curve, axis, run->fault[i].step));
    explain(figure, run->n_faults);
}

void page_mark_faults_in_time(struct figure *figure, const struct run *run)
{
    for (int i = 0; i < run->n_faults; i++)
        mark(figure, i + 1, (double)run->fault[i].time_ps * 1e-12);
    explain(figure, run->n_faults);
}

void page_mark_serving_faults(struct figure *figure, const struct serving_run *run, uint64_t start_ps)
{
    for (int i = 0; i < run->faults.n; i++)
        mark(figure, i + 1, (double)(run->faults.fault[i].struck_ps - start_ps) * 1e-12);
    explain(figure, run->faults.n);
}
