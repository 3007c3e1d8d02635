#include "command/plan_serve.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/unit.h"
#include "report/table.h"

void plan_serve_head(const struct serve *serve)
{
    const struct decoder_config *config = &serve->config;
    const struct decoder_plan *plan = &serve->plan;
    printf("model     %s: %" PRId64 " layers, d %" PRId64 ", %" PRId64 " heads, %" PRId64
           " KV heads, %.4g parameters\n",
           config->name, config->layers, config->d_model, config->heads, config->kv_heads,
           (double)decoder_parameters(config));
    printf("machine   %s: %d GPU%s", serve->job->cluster.name, plan->n_gpus,
           plan->n_gpus > 1 ? "s, tensor parallel" : "");
    if (plan->layout.pims_per_gpu)
        printf(", %d device%s with KV cache at each: KV heads in %" PRId64 " group%s, tokens in %" PRId64 " shard%s",
               plan->layout.pims_per_gpu, plan->layout.pims_per_gpu > 1 ? "s" : "", plan->partition.groups,
               plan->partition.groups > 1 ? "s" : "", plan->partition.shards, plan->partition.shards > 1 ? "s" : "");
    if (plan->layout.ff_columns)
        printf(
            "\nshared    %.1f %% of the feed-forward, in iterations without prompts, by copies of its weights beside "
            "the KV cache",
            100 * plan->ff_share);
    printf("\nKV cache  %" PRIu64 " tokens (%s holds least), blocks of %" PRId64 "\n", plan->kv_capacity_tokens,
           plan->machine->specs[plan->kv_limit].name, plan->layout.block_tokens);
}

static void bytes_cell(struct text_table *table, uint64_t bytes)
{
    char text[32];
    text_table_cell(table, "%s", bytes ? unit_show(text, sizeof text, UNIT_BYTES, (double)bytes) : "-");
}

static void print_memory(const struct serve *serve)
{
    static const char *const columns[] = {"weights", "activations", "KV a token", "left for KV", "capacity"};
    const struct decoder_plan *plan = &serve->plan;
    struct text_table *table = text_table_new(serve->arena);
    text_table_column(table, ALIGN_LEFT, "device", "");
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        text_table_column(table, ALIGN_RIGHT, columns[c], "");
    for (int d = 0; d < plan->machine->n_devices; d++) {
        const struct decoder_need *need = &plan->need[d];
        text_table_row(table);
        text_table_cell(table, "%s", plan->device_name[d]);
        bytes_cell(table, need->weight_bytes);
        bytes_cell(table, need->activation_bytes);
        bytes_cell(table, need->kv_bytes_per_token);
        bytes_cell(table,
                   need->kv_bytes_per_token ? need->capacity_bytes - need->weight_bytes - need->activation_bytes : 0);
        bytes_cell(table, need->capacity_bytes);
    }
    printf("\nmemory (a shard keeps its share of the tokens)\n");
    text_table_print(table, stdout, TABLE_WIDTH);
}

static enum status add_row(const struct serve *serve, const struct decoder_iteration *iteration,
                           struct text_table *table, struct fault *fault)
{
    uint64_t time_ps;
    double energy_j, tokens = (double)(iteration->decodes + (iteration->prompt_tokens > 0));
    enum status status = decoder_plan_price(&serve->plan, iteration, &time_ps, &energy_j, fault);
    text_table_row(table);
    text_table_cell(table, "%" PRId64, iteration->decodes);
    text_table_cell(table, "%" PRId64, iteration->decodes ? iteration->context : 0);
    text_table_cell(table, "%" PRId64, iteration->prompt_tokens);
    text_table_cell(table, "%.3f", (double)time_ps * 1e-9);
    text_table_cell(table, "%.1f", tokens / ((double)time_ps * 1e-12));
    text_table_cell(table, "%.4g", energy_j / tokens);
    return status;
}

static enum status print_iterations(const struct serve *serve, struct fault *fault)
{
    const struct decoder_limits *limits = &serve->limits;
    struct text_table *table = text_table_new(serve->arena);
    text_table_column(table, ALIGN_RIGHT, "decoding", "sequences");
    text_table_column(table, ALIGN_RIGHT, "context", "tokens");
    text_table_column(table, ALIGN_RIGHT, "fresh prompt", "tokens");
    text_table_column(table, ALIGN_RIGHT, "time", "ms");
    text_table_column(table, ALIGN_RIGHT, "tokens made", "1/s");
    text_table_column(table, ALIGN_RIGHT, "energy", "J/token");
    enum status status = STATUS_OK;
    for (int64_t n = 1; n <= limits->max_sequences && status == STATUS_OK;
         n = n < limits->max_sequences && 4 * n > limits->max_sequences ? limits->max_sequences : 4 * n)
        status = add_row(serve, &(struct decoder_iteration){n, limits->typical_context, 0, 0}, table, fault);
    int64_t budget = serve->job->serve.token_budget, longest = limits->max_tokens - limits->max_sequences;
    if (status == STATUS_OK)
        status =
            add_row(serve, &(struct decoder_iteration){0, 0, budget < longest ? budget : longest, 0}, table, fault);
    if (status != STATUS_OK)
        return status;
    printf("\niterations (energy without stand-by power)\n");
    text_table_print(table, stdout, TABLE_WIDTH);
    return STATUS_OK;
}

enum status plan_serve_print(const struct serve *serve, struct fault *fault)
{
    printf("%s\n", serve->job->name);
    plan_serve_head(serve);
    printf("requests  %zu", serve->requests.n);
    if (serve->requests.n_left_out)
        printf(" (%zu longer than the model's context are left out)", serve->requests.n_left_out);
    printf("; %" PRIu64 " tokens of prompts, %" PRIu64 " of answers\n", requests_prompt_tokens(&serve->requests),
           requests_output_tokens(&serve->requests));
    print_memory(serve);
    return print_iterations(serve, fault);
}
