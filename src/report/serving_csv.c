#include "report/serving_csv.h"

#include <inttypes.h>

#define PS_PER_S UINT64_C(1000000000000)
#define HEADER                                                                                                         \
    "request,instance,decode_instance,prompt_tokens,output_tokens,prefix_tokens,preemptions,swaps,recomputed_tokens,"  \
    "arrival_s,queue_s,ttft_s,tpot_s,itl_p99_s,itl_max_s,e2e_s,finish_s,meets_slo\n"

enum status serving_csv_open(struct serving_csv *csv, const char *path, struct fault *fault)
{
    *csv = (struct serving_csv){.n_rows = 0};
    if (rows_open(&csv->rows, path, fault) != STATUS_OK)
        return fault->status;
    fputs(HEADER, csv->rows.file);
    return rows_flush(&csv->rows, fault);
}

enum status serving_csv_archive(struct serving_csv *csv, const char *path, struct archive *archive, struct fault *fault)
{
    archive_enter(archive, "csv");
    archive_field(archive, "n_rows", &csv->n_rows);
    enum status status = rows_archive(&csv->rows, path, archive, fault);
    archive_leave(archive);
    return status;
}

static void put_time(FILE *file, uint64_t time_ps)
{
    fprintf(file, ",%" PRIu64 ".%012" PRIu64, time_ps / PS_PER_S, time_ps % PS_PER_S);
}

static void put_time_if(FILE *file, int is_there, uint64_t time_ps)
{
    if (is_there)
        put_time(file, time_ps);
    else
        fputc(',', file);
}

enum status serving_csv_row(void *state, const struct served *record, struct fault *fault)
{
    struct serving_csv *csv = state;
    FILE *file = csv->rows.file;
    int has_gaps = record->output_tokens > 1;
    fprintf(file, "%u,%u,%u,%u,%u,%u,%u,%u,%u", record->request, record->instance, record->decode_instance,
            record->prompt_tokens, record->output_tokens, record->prefix_tokens, record->preemptions, record->swaps,
            record->recomputed_tokens);
    put_time(file, record->arrival_ps);
    put_time(file, served_queue_ps(record));
    put_time(file, served_ttft_ps(record));
    put_time_if(file, has_gaps, served_tpot_ps(record));
    put_time_if(file, has_gaps, record->itl_p99_ps);
    put_time_if(file, has_gaps, record->itl_max_ps);
    put_time(file, served_e2e_ps(record));
    put_time(file, record->finish_ps);
    fprintf(file, ",%d\n", record->meets_slo);
    csv->n_rows++;
    return rows_flush(&csv->rows, fault);
}

enum status serving_csv_close(struct serving_csv *csv, struct fault *fault)
{
    return rows_close(&csv->rows, fault);
}
