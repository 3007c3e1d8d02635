/* The switch from all weights to few: decisions, and the numbers that they rest on. */
#include <inttypes.h>
#include <math.h>

#include "report/page_sections.h"

static void number_cell(struct text_table *table, double value)
{
    if (isnan(value))
        text_table_cell(table, "-");
    else
        text_table_cell(table, "%.6g", value);
}

static void add_decisions(struct document *document, const struct run_switch *told)
{
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_RIGHT, "decision", NULL);
    text_table_column(table, ALIGN_RIGHT, "after step", NULL);
    text_table_column(table, ALIGN_LEFT, "from", NULL);
    text_table_column(table, ALIGN_LEFT, "to", NULL);
    text_table_column(table, ALIGN_LEFT, "action", NULL);
    text_table_column(table, ALIGN_LEFT, "because", NULL);
    int number = 0;
    for (int i = 0; i < told->n_records; i++) {
        const struct run_switch_record *record = &told->record[i];
        if (!record->is_decision)
            continue;
        text_table_row(table);
        text_table_cell(table, "%d", ++number);
        text_table_cell(table, "%" PRId64, record->step);
        text_table_cell(table, "%s", record->before);
        text_table_cell(table, "%s", record->after);
        text_table_cell(table, "%s", record->action);
        text_table_cell(table, "%s", record->reason);
    }
    document_table(document, "Decisions", table);
}

static void add_number(struct text_table *table, const struct run_switch_record *record, int number, int k)
{
    const struct run_switch_number *told = &record->number[k];
    int is_test = *told->relation != '\0';
    text_table_row(table);
    text_table_cell(table, "%" PRId64, record->step);
    if (record->is_decision)
        text_table_cell(table, "%d", number);
    else
        text_table_cell(table, "-");
    text_table_cell(table, "%s", told->name);
    number_cell(table, told->value);
    text_table_cell(table, "%s", is_test ? told->relation : "");
    if (is_test)
        number_cell(table, told->threshold);
    else
        text_table_cell(table, " ");
    text_table_cell(table, "%s", !is_test ? "told" : told->holds ? "holds" : "does not hold");
}

/* Of every decision; without any of the last check, which says why. */
static void add_numbers(struct document *document, const struct run_switch *told, int n_decisions)
{
    struct text_table *table = text_table_new(document->arena);
    text_table_column(table, ALIGN_RIGHT, "after step", NULL);
    text_table_column(table, ALIGN_RIGHT, "decision", NULL);
    text_table_column(table, ALIGN_LEFT, "number", NULL);
    text_table_column(table, ALIGN_RIGHT, "value", NULL);
    text_table_column(table, ALIGN_LEFT, "must be", NULL);
    text_table_column(table, ALIGN_RIGHT, "threshold", NULL);
    text_table_column(table, ALIGN_LEFT, "verdict", NULL);
    int number = 0, rows = 0;
    for (int i = 0; i < told->n_records; i++) {
        const struct run_switch_record *record = &told->record[i];
        number += record->is_decision;
        if (!record->is_decision && (n_decisions || i + 1 < told->n_records))
            continue;
        for (int k = 0; k < record->n_numbers; k++, rows++) {
            if (k == 0 && rows)
                text_table_rule(table);
            add_number(table, record, number, k);
        }
    }
    if (rows)
        document_table(document, n_decisions ? "Tests behind the decisions" : "Tests of the last check", table);
}

void page_add_switch(struct document *document, const struct subject *subject)
{
    const struct run_switch *told = &subject->run.mode_switch;
    int n_decisions = 0;
    if (!told->policy)
        return;
    for (int i = 0; i < told->n_records; i++)
        n_decisions += told->record[i].is_decision != 0;
    document_heading(document, "switch", "Switch of modes");
    const char *windows =
        told->window_steps ? arena_printf(document->arena, ", windows of %" PRId64 " steps", told->window_steps) : "";
    document_sentence(document, "Policy %s%s: %d checks, %d decisions.", told->policy, windows, told->n_records,
                      n_decisions);
    if (n_decisions)
        add_decisions(document, told);
    add_numbers(document, told, n_decisions);
}
