/* What ran: the head of a report. */
#include <inttypes.h>

#include "base/unit.h"
#include "report/page_sections.h"

static void add_hashes(struct document *document, const struct subject *subject)
{
    document_fact(document, "Versions", "run by %s, page by polyrank " POLYRANK_VERSION, subject->source);
    document_fact(document, "File", "%s, fnv1a %016" PRIx64, subject->file, subject->file_hash);
    document_fact(document, "Hashes", "configuration fnv1a %016" PRIx64 ", model fnv1a %016" PRIx64,
                  subject->config_hash, subject->model_hash);
}

static void add_totals(struct document *document, const struct subject *subject)
{
    char energy[64], power[64], time[64];
    double time_s = subject_time_s(subject), energy_j = subject_energy_j(subject);
    unit_show(time, sizeof time, UNIT_SECONDS, time_s);
    unit_show(energy, sizeof energy, UNIT_JOULES, energy_j);
    unit_show(power, sizeof power, UNIT_WATTS, time_s > 0 ? energy_j / time_s : 0);
    document_fact(document, "Virtual time", "%s", time);
    document_fact(document, "Energy", "%s, mean power %s", energy, power);
}

static void add_training(struct document *document, const struct subject *subject)
{
    const struct run *run = &subject->run;
    char rate[64];
    document_fact(document, "Parameters", "%" PRId64 ", %" PRId64 " trained", run->n_parameters, run->n_trainable);
    if (run->target)
        document_fact(document, "Data", "%s%s%s%s, %" PRId64 " training samples, %" PRId64 " test samples", run->target,
                      run->units ? " [" : "", run->units ? run->units : "", run->units ? "]" : "", run->n_train,
                      run->n_test);
    document_fact(document, "Steps", "%" PRId64 "%s", run->steps, run->timing_only ? ", timing only" : "");
    add_totals(document, subject);
    if (run->end_ps)
        document_fact(document, "Arithmetic", "%.4g FLOP, %s", (double)run->flops,
                      unit_show(rate, sizeof rate, UNIT_FLOP_PER_S, (double)run->flops / subject_time_s(subject)));
}

static void add_serving(struct document *document, const struct subject *subject)
{
    const struct serving_summary *sum = &subject->serving.summary;
    document_fact(document, "Requests", "%zu: %" PRIu64 " prompt tokens, %" PRIu64 " generated tokens", sum->n_requests,
                  sum->prompt_tokens, sum->output_tokens);
    add_totals(document, subject);
    document_fact(document, "Throughput", "%.4g generated tokens/s, %.4g requests/s", sum->output_tokens_per_s,
                  sum->requests_per_s);
    document_fact(document, "Energy a token", "%.4g J for each generated token", sum->energy_per_output_token_j);
    if (sum->has_slo)
        document_fact(document, "Objective", "%.1f %% of the requests within it, goodput %.4g requests/s",
                      100 * sum->slo_share, sum->goodput_requests_per_s);
}

static void add_one(struct document *document, const struct subject *subject)
{
    document_fact(document, "Job", "%s", subject->name);
    document_fact(document, "Model", "%s", subject->model);
    if (subject->placement)
        document_fact(document, "Placement", "%s", subject->placement);
    else if (subject->has_job)
        document_fact(document, "Placement", "cluster %s, KV cache by %s, numerics %s",
                      subject->job.cluster.name ? subject->job.cluster.name : "-", subject->job.serve.partition,
                      subject->job.placement.numerics);
    if (subject->kind == SUBJECT_TRAINING)
        add_training(document, subject);
    else
        add_serving(document, subject);
    add_hashes(document, subject);
}

static void add_table(struct document *document, const struct subject *subject, int n)
{
    struct text_table *table = text_table_new(document->arena);
    char time[64], energy[64];
    text_table_column(table, ALIGN_RIGHT, "run", NULL);
    text_table_column(table, ALIGN_LEFT, "job", NULL);
    text_table_column(table, ALIGN_LEFT, "kind", NULL);
    text_table_column(table, ALIGN_LEFT, "file", NULL);
    text_table_column(table, ALIGN_RIGHT, "virtual time", NULL);
    text_table_column(table, ALIGN_RIGHT, "energy", NULL);
    for (int i = 0; i < n; i++) {
        text_table_row(table);
        text_table_cell(table, "%d", i + 1);
        text_table_cell(table, "%s", subject[i].name);
        text_table_cell(table, "%s", subject[i].kind == SUBJECT_TRAINING ? "training" : "serving");
        text_table_cell(table, "%s", subject[i].file);
        text_table_cell(table, "%s", unit_show(time, sizeof time, UNIT_SECONDS, subject_time_s(&subject[i])));
        text_table_cell(table, "%s", unit_show(energy, sizeof energy, UNIT_JOULES, subject_energy_j(&subject[i])));
    }
    document_table(document, "Runs", table);
}

void page_add_head(struct document *document, const struct subject *subject, int n)
{
    if (n == 1)
        add_one(document, subject);
    else
        add_table(document, subject, n);
}
