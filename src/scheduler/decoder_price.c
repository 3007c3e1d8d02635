/* decoder_price.c - what iterations of a planned decoder take, and what requests in the mean do. */
#include "scheduler/decoder_plan.h"
#include "scheduler/lower.h"

static void price(const void *context, int device, struct instr *instr)
{
    const struct decoder_plan *plan = context;
    lower_price(plan->machine, device, plan->n_gpus, instr);
}

struct executor_prices decoder_plan_prices(const struct decoder_plan *plan)
{
    return (struct executor_prices){plan, price};
}

enum status decoder_plan_price(const struct decoder_plan *plan, const struct decoder_iteration *iteration,
                               uint64_t *time_ps, double *energy_j, struct fault *fault)
{
    struct arena *arena = arena_new();
    struct comm *alone = comm_alone();
    struct executor *executor = NULL;
    const struct executor_options options = {.timing_only = 1, .prices = decoder_plan_prices(plan)};
    int64_t n = iteration->decodes, each = iteration->prompt_tokens;
    int64_t prompts = each == 0 ? 0 : iteration->prompts > 1 ? iteration->prompts : 1;
    struct batch_part *parts = arena_array(arena, (size_t)(n + prompts) + 1, sizeof *parts);
    for (int64_t i = 0; i < n; i++)
        parts[i] =
            (struct batch_part){.context = iteration->context - 1, .tokens = 1, .is_answer = 1, .request = (uint32_t)i};
    for (int64_t i = n; i < n + prompts; i++)
        parts[i] = (struct batch_part){.tokens = (int32_t)each, .is_answer = 1, .request = (uint32_t)i};
    const struct batch batch = {(int)(n + prompts), (int)n, n + prompts * each, n, n + prompts, parts, NULL};
    struct step_result result = {0};
    struct iteration_cost cost = {.busy_ps = NULL};
    enum status status = executor_open(alone, &plan->plan, plan->machine->specs, NULL, &options, &executor, fault);
    if (status == STATUS_OK)
        status =
            executor_iterate(executor, &(struct iteration){.batch = &batch, .number = 1}, NULL, &cost, &result, fault);
    *time_ps = result.end_ps;
    *energy_j = 0;
    for (int p = 0; p < N_ENERGY_PARTS; p++)
        *energy_j += (double)cost.energy_fj[p] * 1e-15;
    executor_close(executor);
    comm_close(alone, 0);
    arena_free(arena);
    return status;
}

/* ---- requests in the mean ---- */

/* Sequences that run at a time, when there are enough: as many as the limits allow and the cache has room for. */
static int64_t typical_batch(const struct decoder_plan *plan, const struct decoder_limits *limits)
{
    int64_t room = (int64_t)(plan->kv_capacity_tokens / (uint64_t)limits->typical_context);
    return room < 1 ? 1 : room < limits->max_sequences ? room : limits->max_sequences;
}

/* b sequences of A tokens each take A iterations. Meanwhile b prompts come in: as evenly as they can, one or more to an
 * iteration, cut to pieces where the limits have no room for all of one. */
enum status decoder_plan_rate(const struct decoder_plan *plan, const struct decoder_limits *limits,
                              double *tokens_per_s, struct fault *fault)
{
    int64_t b = typical_batch(plan, limits), a = limits->typical_answer, room = limits->max_tokens - b;
    const struct decoder_iteration decode = {b, limits->typical_context, 0, 0};
    uint64_t decode_ps, mixed_ps;
    double energy_j, made = (double)b * (double)(a > 0 ? a : 1), total_ps;
    enum status status = decoder_plan_price(plan, &decode, &decode_ps, &energy_j, fault);
    total_ps = (double)decode_ps * (double)(a > 0 ? a : 1);
    if (status == STATUS_OK && a > 0 && limits->typical_prompt > 0 && room > 0) {
        struct decoder_iteration mixed = decode;
        mixed.prompts = (b + a - 1) / a < room ? (b + a - 1) / a : room;
        mixed.prompt_tokens =
            room / mixed.prompts < limits->typical_prompt ? room / mixed.prompts : limits->typical_prompt;
        double n = (double)b * (double)limits->typical_prompt / (double)(mixed.prompts * mixed.prompt_tokens);
        status = decoder_plan_price(plan, &mixed, &mixed_ps, &energy_j, fault);
        total_ps = n * (double)mixed_ps + ((double)a > n ? ((double)a - n) * (double)decode_ps : 0);
    }
    if (status == STATUS_OK)
        *tokens_per_s = made / total_ps * 1e12;
    return status;
}
