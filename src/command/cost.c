/* cost.c - polyrank cost: the price of one op on a device, or of a table of them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "base/unit.h"
#include "base/wide.h"
#include "command/command.h"
#include "command/cost_csv.h"
#include "command/cost_print.h"
#include "command/cost_reram.h"
#include "command/cost_systolic.h"
#include "device/catalogue.h"

enum {
    KEY_CSV = 256,
    KEY_SUMMARY,
    KEY_MATH,
    KEY_KV_HEADS,
    KEY_CAUSAL,
    KEY_BACKWARD,
    KEY_UNFUSED,
    KEY_DEVICES,
    KEY_BETWEEN,
    KEY_PER_NODE,
    KEY_BURST,
    KEY_DATAFLOW,
    KEY_MEMORY,
    KEY_OVERLAP
};

struct cost_input {
    struct fault *fault;
    const char *words[3];
    int n_words;
    const char *csv, *output;
    int summary;
    enum gpu_math math;
    int causal, backward, unfused, burst;
    uint64_t kv_heads, devices, per_node;
    const char *between;
    const char *math_name, *dataflow, *memory; /* as given, or NULL */
    int overlap_weights;
};

static const struct argp_option options_table[] = {
    {"csv", KEY_CSV, "FILE", 0, "price every row of a table of measurements", 1},
    {"output", 'o', "FILE", 0, "with --csv: write the table with predictions there", 1},
    {"summary", KEY_SUMMARY, NULL, 0, "with --csv: print the errors per device and kernel class", 1},
    {"math", KEY_MATH, "FORMAT", 0, "fp64, fp32, tf32, bf16, fp16 (default), fp8, int8", 2},
    {"kv-heads", KEY_KV_HEADS, "N", 0, "attention: KV heads (default: all)", 2},
    {"causal", KEY_CAUSAL, NULL, 0, "attention: with a causal mask", 2},
    {"backward", KEY_BACKWARD, NULL, 0, "attention: the gradient", 2},
    {"unfused", KEY_UNFUSED, NULL, 0, "attention: GEMM, softmax, GEMM", 2},
    {"burst", KEY_BURST, NULL, 0, "a short burst: full clock, no power limit", 2},
    {"dataflow", KEY_DATAFLOW, "FLOW", 0, "systolic arrays: os, ws, is (default: the profile's)", 2},
    {"memory", KEY_MEMORY, "MODE", 0, "systolic arrays: ideal (default) or scalesim", 2},
    {"overlap", KEY_OVERLAP, NULL, 0, "systolic arrays: weights are loaded while the last ones work", 2},
    {"devices", KEY_DEVICES, "N", 0, "collectives: devices that take part (default 8)", 3},
    {"per-node", KEY_PER_NODE, "N", 0, "collectives: devices of a node (default: all in one)", 3},
    {"between", KEY_BETWEEN, "LINK", 0, "collectives: the link between nodes (default ib-ndr)", 3},
    {0},
};

static error_t wrong(struct cost_input *input, const char *option, const char *expected, const char *found)
{
    fault_set(input->fault, STATUS_USAGE, "--%s: expected %s, found '%s'", option, expected, found);
    return EINVAL;
}

static int whole_number(const char *text, uint64_t *value)
{
    char *end;
    double number = strtod(text, &end);
    if (*end || !(number >= 1.0 && number <= 1e15) || number != floor(number))
        return 0;
    *value = (uint64_t)number;
    return 1;
}

static int find_math(const char *text, enum gpu_math *math)
{
    for (int i = 0; i < N_GPU_MATHS; i++)
        if (strcmp(text, gpu_math_name((enum gpu_math)i)) == 0) {
            *math = (enum gpu_math)i;
            return 1;
        }
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct cost_input *input = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (input->n_words == 3)
            return ARGP_ERR_UNKNOWN;
        input->words[input->n_words++] = arg;
        return 0;
    case KEY_CSV:
        input->csv = arg;
        return 0;
    case 'o':
        input->output = arg;
        return 0;
    case KEY_SUMMARY:
        return input->summary = 1, 0;
    case KEY_CAUSAL:
        return input->causal = 1, 0;
    case KEY_BACKWARD:
        return input->backward = 1, 0;
    case KEY_UNFUSED:
        return input->unfused = 1, 0;
    case KEY_BURST:
        return input->burst = 1, 0;
    case KEY_BETWEEN:
        input->between = arg;
        return 0;
    case KEY_DATAFLOW:
        return input->dataflow = arg, 0;
    case KEY_MEMORY:
        return input->memory = arg, 0;
    case KEY_OVERLAP:
        return input->overlap_weights = 1, 0;
    case KEY_MATH:
        input->math_name = arg;
        return find_math(arg, &input->math) ? 0
                                            : wrong(input, "math", "fp64, fp32, tf32, bf16, fp16, fp8 or int8", arg);
    case KEY_KV_HEADS:
        return whole_number(arg, &input->kv_heads) ? 0 : wrong(input, "kv-heads", "a whole number from 1", arg);
    case KEY_DEVICES:
        return whole_number(arg, &input->devices) ? 0 : wrong(input, "devices", "a whole number from 2", arg);
    case KEY_PER_NODE:
        return whole_number(arg, &input->per_node) ? 0 : wrong(input, "per-node", "a whole number from 1", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options_table,
    parse,
    "DEVICE OP DIMS\n--csv FILE [--summary] [--output FILE]",
    "Prices one op on a device or link of the catalogue: time, energy by part, rates, and what bounds it. Or prices "
    "every row of "
    "a table of measurements and tells how far off the model is.\v"
    "ops and their sizes:\n"
    "  gemm        MxNxK or BxMxNxK (B products)\n"
    "  attention   BxHxQxKxD: requests, heads, queries, keys, head width\n"
    "  add activation gated layernorm rmsnorm softmax loss reduce optimiser copy   ROWSxCOLS\n"
    "  send        BYTES (on a link), e.g. 64MiB\n"
    "  gemm-backward  MxNxK (on ReRAM: the matrix read the other way)\n"
    "  program program-verify   OxC (on ReRAM: outputs, inputs)\n"
    "  allreduce allgather reduce-scatter broadcast alltoall   BYTES (on a link)\n\n"
    "examples:\n"
    "  polyrank cost a100-80g gemm 4096x4096x4096 --math bf16\n"
    "  polyrank cost h200-sxm attention 64x32x1x8192x128 --kv-heads 8\n"
    "  polyrank cost systolic-128-7nm gemm 4096x4096x4096 --dataflow ws --memory ideal\n"
    "  polyrank cost isaac gemm 570x512x512\n"
    "  polyrank cost isaac program 512x512\n"
    "  polyrank cost nvlink4 allreduce 64MiB --devices 16 --per-node 8 --between ib-ndr\n"
    "  polyrank cost --csv measured.csv --summary",
    NULL,
    NULL,
    NULL};

static enum status wrong_dims(const char *op, const char *expected, const char *found, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "%s: expected %s, found '%s'", op, expected, found);
}

static unsigned bytes_of(enum gpu_math math)
{
    static const unsigned bytes[N_GPU_MATHS] = {8, 4, 4, 2, 2, 1, 1};
    return bytes[math];
}

/* Rates and what bounds the kernel: the launch, the power limit, arithmetic or memory, by which share is the largest.
 */
static void print_gpu(const struct gpu_profile *gpu, const struct cost *cost, enum gpu_math math)
{
    char text[64], line[128];
    double time_s = (double)cost->time_ps * 1e-12, flops_per_s = (double)cost->flops / time_s,
           bytes_per_s = (double)cost->bytes / time_s, peak = gpu_peak_flops_per_s(gpu, math);
    double compute = flops_per_s / peak, memory = bytes_per_s / gpu->dram_bytes_per_s,
           launch = (double)gpu->launch_ps / (double)cost->time_ps;
    wide_uint energy = 0;
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        energy += cost->energy_fj[i];
    cost_print(cost);
    unit_show(text, sizeof text, UNIT_FLOP_PER_S, flops_per_s);
    snprintf(line, sizeof line, "%s, %.1f %% of the %s peak", text, 100.0 * compute, gpu_math_name(math));
    cost_print_line("arithmetic", line);
    unit_show(text, sizeof text, UNIT_BYTES_PER_S, bytes_per_s);
    snprintf(line, sizeof line, "%s, %.1f %% of device memory", text, 100.0 * memory);
    cost_print_line("traffic", line);
    const char *bound = compute > memory ? "arithmetic" : "memory";
    if ((double)energy >= 0.999 * (double)gpu->tdp_mw * (double)cost->time_ps)
        bound = "power limit";
    else if (launch > 0.5)
        bound = "launch";
    cost_print_line("bound by", bound);
}

static enum status cost_gemm(const struct gpu_profile *gpu, const struct cost_input *input, struct fault *fault)
{
    uint64_t d[5] = {0};
    int n = cost_read_dims(input->words[2], d), first = n == 4;
    if (n != 3 && n != 4)
        return wrong_dims("gemm", "MxNxK or BxMxNxK, as 4096x4096x4096", input->words[2], fault);
    unsigned bytes = bytes_of(input->math);
    struct gpu_gemm gemm = {first ? d[0] : 1, d[first], d[first + 1],         d[first + 2],
                            input->math,      bytes,    bytes < 2 ? 2 : bytes};
    struct cost cost;
    gpu_gemm_cost(gpu, &gemm, &cost);
    if (cost_check(input->words[1], &cost, fault) != STATUS_OK)
        return fault->status;
    print_gpu(gpu, &cost, input->math);
    return STATUS_OK;
}

static enum status cost_attention(const struct gpu_profile *gpu, const struct cost_input *input, struct fault *fault)
{
    uint64_t d[5] = {0};
    if (cost_read_dims(input->words[2], d) != 5)
        return wrong_dims("attention", "BxHxQxKxD, as 8x32x2048x2048x128", input->words[2], fault);
    struct gpu_attention attention = {.batch = d[0],
                                      .heads = d[1],
                                      .kv_heads = input->kv_heads ? input->kv_heads : d[1],
                                      .n_query = d[2],
                                      .n_key = d[3],
                                      .head_width = d[4],
                                      .math = input->math,
                                      .operand_bytes = bytes_of(input->math),
                                      .causal = input->causal,
                                      .backward = input->backward,
                                      .fused = !input->unfused};
    if (attention.kv_heads > attention.heads || attention.heads % attention.kv_heads)
        return fault_set(fault, STATUS_USAGE, "--kv-heads: expected a divisor of %" PRIu64 ", found %" PRIu64,
                         attention.heads, attention.kv_heads);
    if (attention.causal && attention.n_query > attention.n_key)
        return fault_set(fault, STATUS_USAGE, "attention: --causal needs as many keys as queries, or more");
    struct cost cost;
    gpu_attention_cost(gpu, &attention, &cost);
    if (cost_check(input->words[1], &cost, fault) != STATUS_OK)
        return fault->status;
    print_gpu(gpu, &cost, input->math);
    return STATUS_OK;
}

/* Bytes read and written and FLOP per element, in units of an element: the passes of docs/gpu.md section 3. */
static const struct passes {
    double reads, writes, flops;
} passes[N_GPU_KERNELS] = {
    [GPU_KERNEL_ADD] = {2, 1, 1},       [GPU_KERNEL_ACTIVATION] = {1, 1, 8}, [GPU_KERNEL_GATED] = {2, 1, 9},
    [GPU_KERNEL_LAYERNORM] = {1, 1, 8}, [GPU_KERNEL_RMSNORM] = {1, 1, 5},    [GPU_KERNEL_SOFTMAX] = {1, 1, 5},
    [GPU_KERNEL_LOSS] = {2, 1, 5},      [GPU_KERNEL_REDUCE] = {1, 0, 1},     [GPU_KERNEL_OPTIMISER] = {7, 7, 12},
    [GPU_KERNEL_COPY] = {1, 1, 0},
};

static enum status cost_stream(const struct gpu_profile *gpu, enum gpu_kernel kernel, const struct cost_input *input,
                               struct fault *fault)
{
    uint64_t d[5] = {0};
    if (cost_read_dims(input->words[2], d) != 2)
        return wrong_dims(input->words[1], "ROWSxCOLS, as 4096x8192", input->words[2], fault);
    const struct passes *pass = &passes[kernel];
    double elements = (double)d[0] * (double)d[1], width = bytes_of(input->math);
    struct gpu_stream stream = {.kernel = kernel,
                                .read_bytes = (uint64_t)(pass->reads * elements * width),
                                .write_bytes = (uint64_t)(pass->writes * elements * width),
                                .flops = (uint64_t)(pass->flops * elements),
                                .rows = d[0]};
    struct cost cost;
    gpu_stream_cost(gpu, &stream, &cost);
    if (cost_check(input->words[1], &cost, fault) != STATUS_OK)
        return fault->status;
    print_gpu(gpu, &cost, GPU_FP32);
    return STATUS_OK;
}

static enum status unknown_op(const char *op, const char *const *names, size_t n, struct fault *fault)
{
    const char *near = nearest_word(op, names, n);
    if (near)
        return fault_set(fault, STATUS_USAGE, "no op '%s' on this device: did you mean %s?", op, near);
    return fault_set(fault, STATUS_USAGE, "no op '%s' on this device: polyrank cost --help lists them", op);
}

static enum status cost_on_gpu(const struct gpu_profile *gpu, const struct cost_input *input, struct fault *fault)
{
    const char *op = input->words[1], *names[N_GPU_KERNELS + 2] = {"gemm", "attention"};
    struct gpu_profile profile = input->burst ? gpu_in_burst(gpu) : *gpu;
    int is_matrix = strcmp(op, "gemm") == 0 || strcmp(op, "attention") == 0;
    if (is_matrix && !gpu_supports_math(gpu, input->math))
        return fault_set(fault, STATUS_USAGE, "--math: %s has no %s", input->words[0], gpu_math_name(input->math));
    if (strcmp(op, "gemm") == 0)
        return cost_gemm(&profile, input, fault);
    if (strcmp(op, "attention") == 0)
        return cost_attention(&profile, input, fault);
    for (int i = 0; i < N_GPU_KERNELS; i++) {
        names[i + 2] = gpu_kernel_name((enum gpu_kernel)i);
        if (strcmp(op, names[i + 2]) == 0)
            return cost_stream(&profile, (enum gpu_kernel)i, input, fault);
    }
    return unknown_op(op, names, N_GPU_KERNELS + 2, fault);
}

static void print_link(const struct cost *cost, double vector_bytes, const char *algorithm)
{
    char text[64];
    cost_print(cost);
    cost_print_line("moved", unit_show(text, sizeof text, UNIT_BYTES, (double)cost->bytes));
    cost_print_line("rate",
                    unit_show(text, sizeof text, UNIT_BYTES_PER_S, vector_bytes / ((double)cost->time_ps * 1e-12)));
    if (algorithm)
        cost_print_line("algorithm", algorithm);
}

static enum status make_fabric(const struct link_profile *link, const struct cost_input *input, struct fabric *fabric,
                               struct fault *fault)
{
    const char *between = input->between ? input->between : "ib-ndr";
    const struct link_profile *outer = catalogue_link(between);
    if (!outer)
        return fault_set(fault, STATUS_USAGE, "--between: no link '%s' in the catalogue: polyrank devices lists them",
                         between);
    if (input->devices < 2 || input->devices > 1000000)
        return fault_set(fault, STATUS_USAGE, "--devices: expected 2 to 1000000, found %" PRIu64, input->devices);
    uint64_t per_node = input->per_node ? input->per_node : input->devices;
    if (per_node > 1000000)
        return fault_set(fault, STATUS_USAGE, "--per-node: expected 1 to 1000000, found %" PRIu64, per_node);
    *fabric = (struct fabric){*link, *outer, (unsigned)per_node};
    return STATUS_OK;
}

static enum status cost_on_link(const struct link_profile *link, const struct cost_input *input, struct fault *fault)
{
    const char *op = input->words[1], *names[N_COLLECTIVES + 1] = {"send"}, *algorithm = NULL;
    double bytes = 0.0;
    char *end;
    const char *problem = unit_parse(input->words[2], UNIT_BYTES, &bytes);
    if (problem) { /* a bare number is bytes too */
        bytes = strtod(input->words[2], &end);
        if (*end || end == input->words[2])
            return wrong_dims(op, "bytes, as 65536 or 64MiB", input->words[2], fault);
    }
    if (!(bytes >= 1.0 && bytes <= 1e15))
        return wrong_dims(op, "1 byte to 1 PB", input->words[2], fault);
    struct cost cost;
    if (strcmp(op, "send") == 0) {
        link_transfer_cost(link, (uint64_t)bytes, &cost);
        if (cost_check(op, &cost, fault) == STATUS_OK)
            print_link(&cost, bytes, NULL);
        return fault->status;
    }
    for (int i = 0; i < N_COLLECTIVES; i++) {
        struct fabric fabric;
        names[i + 1] = collective_name((enum collective)i);
        if (strcmp(op, names[i + 1]) != 0)
            continue;
        enum status status = make_fabric(link, input, &fabric, fault);
        if (status != STATUS_OK)
            return status;
        fabric_collective_cost(&fabric, (enum collective)i, (unsigned)input->devices, (uint64_t)bytes, &algorithm,
                               &cost);
        if (cost_check(op, &cost, fault) == STATUS_OK)
            print_link(&cost, bytes, algorithm);
        return fault->status;
    }
    return unknown_op(op, names, N_COLLECTIVES + 1, fault);
}

static enum status cost_on_array(const struct systolic_profile *array, const struct cost_input *input,
                                 struct fault *fault)
{
    struct systolic_request request = {.name = input->words[0],
                                       .op = input->words[1],
                                       .dims = input->words[2],
                                       .dataflow = input->dataflow,
                                       .memory = input->memory,
                                       .math = input->math_name,
                                       .overlap_weights = input->overlap_weights};
    return cost_on_systolic(array, &request, fault);
}

/* Options that say nothing to this device. */
static enum status check_options(const struct cost_input *input, int is_gpu, int is_array, int is_link,
                                 struct fault *fault)
{
    const struct {
        const char *name, *where;
        int given, fits;
    } options[] = {
        {"math", "GPUs and systolic arrays", input->math_name != NULL, is_gpu || is_array},
        {"backward", "GPUs (on ReRAM: gemm-backward)", input->backward, is_gpu},
        {"causal", "GPUs", input->causal, is_gpu},
        {"unfused", "GPUs", input->unfused, is_gpu},
        {"burst", "GPUs", input->burst, is_gpu},
        {"kv-heads", "GPUs", input->kv_heads > 0, is_gpu},
        {"dataflow", "systolic arrays", input->dataflow != NULL, is_array},
        {"memory", "systolic arrays", input->memory != NULL, is_array},
        {"overlap", "systolic arrays", input->overlap_weights, is_array},
        {"between", "links", input->between != NULL, is_link},
        {"per-node", "links", input->per_node > 0, is_link},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (options[i].given && !options[i].fits)
            return fault_set(fault, STATUS_USAGE, "--%s: only on %s, not on %s", options[i].name, options[i].where,
                             input->words[0]);
    return STATUS_OK;
}

static enum status cost_one(const struct cost_input *input, struct fault *fault)
{
    if (input->n_words < 3)
        return fault_set(fault, STATUS_USAGE,
                         "expected DEVICE OP DIMS, as 'a100-80g gemm 4096x4096x4096', or --csv FILE");
    if (input->summary || input->output)
        return fault_set(fault, STATUS_USAGE, "--%s: only with --csv", input->summary ? "summary" : "output");
    const struct gpu_profile *gpu = catalogue_gpu(input->words[0]);
    const struct link_profile *link = catalogue_link(input->words[0]);
    const struct systolic_profile *array = catalogue_systolic(input->words[0]);
    const struct reram_profile *reram = catalogue_reram(input->words[0]);
    if ((gpu || array || link || reram) &&
        check_options(input, gpu != NULL, array != NULL, link != NULL, fault) != STATUS_OK)
        return fault->status;
    if (array)
        return cost_on_array(array, input, fault);
    if (reram)
        return cost_on_reram(reram, &(struct reram_request){input->words[0], input->words[1], input->words[2]}, fault);
    if (gpu)
        return cost_on_gpu(gpu, input, fault);
    if (link)
        return cost_on_link(link, input, fault);
    return fault_set(fault, STATUS_USAGE, "no device or link '%s' in the catalogue: polyrank devices lists them",
                     input->words[0]);
}

enum status command_cost(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    (void)comm;
    struct cost_input input = {.fault = fault, .math = GPU_FP16, .devices = 8};
    int done;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (input.csv && input.n_words)
        return fault_set(fault, STATUS_USAGE, "--csv: expected no other argument, found '%s'", input.words[0]);
    return input.csv ? cost_csv(input.csv, input.output, input.summary, fault) : cost_one(&input, fault);
}
