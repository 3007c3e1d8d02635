/* cost_systolic.c - the price of one product on a systolic array. */
#include "command/cost_systolic.h"

#include <inttypes.h>
#include <string.h>

#include "base/unit.h"
#include "command/cost_print.h"

static enum status find_word(const char *option, const char *text, const char *const *words, int n, int *index,
                             struct fault *fault)
{
    char expected[128] = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(text, words[i]) == 0) {
            *index = i;
            return STATUS_OK;
        }
        size_t at = strlen(expected);
        snprintf(expected + at, sizeof expected - at, "%s%s", i ? (i == n - 1 ? " or " : ", ") : "", words[i]);
    }
    return fault_set(fault, STATUS_USAGE, "--%s: expected %s, found '%s'", option, expected, text);
}

/* What the array multiplies when nothing is asked for: bf16, else fp16, else int8. */
static int usual_math(const struct systolic_profile *profile)
{
    static const enum systolic_math order[] = {SYSTOLIC_BF16, SYSTOLIC_FP16, SYSTOLIC_INT8};
    for (int i = 0; i < 2; i++)
        if (systolic_fj_per_mac(profile, order[i]) > 0)
            return (int)order[i];
    return SYSTOLIC_INT8;
}

static enum status open_array(const struct systolic_profile *profile, const struct systolic_request *request,
                              struct systolic *array, int *math, struct fault *fault)
{
    static const char *const dataflows[] = {
#define X(dataflow, name) name,
        SYSTOLIC_DATAFLOWS(X)
#undef X
    };
    static const char *const memories[] = {
#define X(memory, name) name,
        SYSTOLIC_MEMORIES(X)
#undef X
    };
    static const char *const maths[] = {
#define X(math, name) name,
        SYSTOLIC_MATHS(X)
#undef X
    };
    enum status status = STATUS_OK;
    int dataflow = (int)profile->dataflow, memory = SYSTOLIC_IDEAL;
    *math = usual_math(profile);
    if (request->dataflow)
        status = find_word("dataflow", request->dataflow, dataflows, N_SYSTOLIC_DATAFLOWS, &dataflow, fault);
    if (request->memory && status == STATUS_OK)
        status = find_word("memory", request->memory, memories, N_SYSTOLIC_MEMORIES, &memory, fault);
    if (request->math && status == STATUS_OK)
        status = find_word("math", request->math, maths, N_SYSTOLIC_MATHS, math, fault);
    *array = (struct systolic){.profile = *profile,
                               .dataflow = (enum systolic_dataflow)dataflow,
                               .memory = (enum systolic_memory)memory,
                               .overlap_weights = request->overlap_weights};
    return status;
}

static enum status check_request(const struct systolic *array, enum systolic_math math,
                                 const struct systolic_request *request, const struct systolic_gemm *gemm,
                                 struct fault *fault)
{
    if (systolic_fj_per_mac(&array->profile, math) <= 0)
        return fault_set(fault, STATUS_USAGE, "--math: %s has no %s", request->name, systolic_math_name(math));
    if (array->memory != SYSTOLIC_SCALESIM)
        return STATUS_OK;
    if (array->profile.arrays != 1)
        return fault_set(fault, STATUS_USAGE, "--memory scalesim: one array only, %s has %" PRIu64, request->name,
                         array->profile.arrays);
    if (array->overlap_weights)
        return fault_set(fault, STATUS_USAGE, "--overlap: not with --memory scalesim");
    if (!systolic_buffer_rate(&array->profile, gemm->operand_bytes) ||
        !systolic_buffer_rate(&array->profile, gemm->result_bytes))
        return fault_set(fault, STATUS_USAGE, "--memory scalesim: %s moves less than a word of %u bytes per cycle",
                         request->name, gemm->result_bytes);
    return STATUS_OK;
}

static void print_array(const struct systolic *array, const struct systolic_gemm *gemm, const struct cost *cost)
{
    char text[64], line[160];
    const struct systolic_profile *profile = &array->profile;
    double time_s = (double)cost->time_ps * 1e-12, flops_per_s = (double)cost->flops / time_s,
           bytes_per_s = (double)cost->bytes / time_s;
    double peak = 2.0 * (double)(profile->rows * profile->cols * profile->arrays) * profile->clock_hz;
    struct systolic_product product = {gemm->m, gemm->n, gemm->k, profile->rows, profile->cols, array->dataflow};
    struct systolic_counts counts;
    systolic_count(&product, &counts);
    cost_print(cost);
    unit_show(text, sizeof text, UNIT_FLOP_PER_S, flops_per_s);
    snprintf(line, sizeof line, "%s, %.1f %% of the peak", text, 100 * flops_per_s / peak);
    cost_print_line("arithmetic", line);
    unit_show(text, sizeof text, UNIT_BYTES_PER_S, bytes_per_s);
    snprintf(line, sizeof line, "%s, %.1f %% of device memory", text, 100 * bytes_per_s / profile->dram_bytes_per_s);
    cost_print_line("traffic", line);
    snprintf(line, sizeof line,
             "%s, %s memory, %s; %" PRIu64 " x %" PRIu64 " folds of %" PRIu64 " cycles for each product",
             systolic_dataflow_name(array->dataflow), systolic_memory_name(array->memory),
             systolic_math_name(gemm->math), counts.row_folds, counts.col_folds, counts.fold_cycles);
    cost_print_line("array", line);
}

enum status cost_on_systolic(const struct systolic_profile *profile, const struct systolic_request *request,
                             struct fault *fault)
{
    static const unsigned operand_bytes[N_SYSTOLIC_MATHS] = {1, 2, 2, 4};
    struct systolic array;
    int math;
    uint64_t d[5] = {0};
    if (strcmp(request->op, "gemm") != 0)
        return fault_set(fault, STATUS_USAGE, "no op '%s' on this device: a systolic array prices gemm", request->op);
    int n = cost_read_dims(request->dims, d), first = n == 4;
    if (n != 3 && n != 4)
        return fault_set(fault, STATUS_USAGE, "gemm: expected MxNxK or BxMxNxK, as 4096x4096x4096, found '%s'",
                         request->dims);
    enum status status = open_array(profile, request, &array, &math, fault);
    if (status != STATUS_OK)
        return status;
    struct systolic_gemm gemm = {.batch = first ? d[0] : 1,
                                 .m = d[first],
                                 .n = d[first + 1],
                                 .k = d[first + 2],
                                 .math = (enum systolic_math)math,
                                 .operand_bytes = operand_bytes[math],
                                 .result_bytes = 4};
    status = check_request(&array, gemm.math, request, &gemm, fault);
    if (status != STATUS_OK)
        return status;
    struct cost cost;
    systolic_gemm_cost(&array, &gemm, &cost);
    if (cost_check(request->op, &cost, fault) != STATUS_OK)
        return fault->status;
    print_array(&array, &gemm, &cost);
    return STATUS_OK;
}
