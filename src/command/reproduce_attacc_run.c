/* reproduce_attacc_run.c - own configurations of AttAcc's published model, and the paper's claims beside it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/reproduce_attacc.h"
#include "device/catalogue.h"
#include "device/hbm_pim_load.h"

static const double gib = 1073741824.0;

int attacc_request_is_run(const struct attacc_request *request)
{
    return request->model || request->machine || request->gpu || request->pim || request->gpus || request->word ||
           request->lin || request->lout || request->batch || request->power_limit || request->pipeline ||
           request->ff_split;
}

static enum status number(const char *option, const char *text, int otherwise, int *value, struct fault *fault)
{
    *value = otherwise;
    if (!text)
        return STATUS_OK;
    char *end;
    errno = 0;
    long whole = strtol(text, &end, 10);
    if (end == text || *end || errno || whole < 1 || whole > 1 << 20)
        return fault_set(fault, STATUS_USAGE, "--%s: expected a whole number from 1 to 1048576, found '%s'", option,
                         text);
    *value = (int)whole;
    return STATUS_OK;
}

static enum status read_machine(const struct attacc_request *request, struct attacc_config *config,
                                struct hbm_pim_profile *pim, struct fault *fault)
{
    const char *name = request->machine ? request->machine : "dgx-attacc";
    int twice = strcmp(name, "2xdgx") == 0, machine = 0;
    while (machine < N_ATTACC_MACHINES && strcmp(name, attacc_machine_name((enum attacc_machine)machine)) != 0)
        machine++;
    if (machine == N_ATTACC_MACHINES && !twice)
        return fault_set(fault, STATUS_USAGE, "--system: expected dgx, 2xdgx, dgx-cpu or dgx-attacc, found '%s'", name);
    config->machine = twice ? ATTACC_DGX : (enum attacc_machine)machine;
    if (config->machine == ATTACC_DGX_PIM) {
        const struct hbm_pim_profile *profile = attacc_placement(request->pim ? request->pim : "bank");
        if (!profile)
            return fault_set(fault, STATUS_USAGE, "--pim: expected bank, bank-group or buffer, found '%s'",
                             request->pim);
        *pim = *profile;
        pim->power_limited = request->power_limit;
        config->pim = pim;
    } else if (request->pim || request->power_limit) {
        return fault_set(fault, STATUS_USAGE, "--pim and --power-limit go with --system dgx-attacc");
    }
    return number("ngpu", request->gpus, twice ? 16 : 8, &config->gpus, fault);
}

static enum status read_config(const struct attacc_request *request, struct attacc_config *config,
                               struct hbm_pim_profile *pim, struct fault *fault)
{
    const char *model = request->model ? request->model : "GPT-175B", *gpu = request->gpu ? request->gpu : "A100a",
               *word = request->word ? request->word : "W16A16";
    *config = (struct attacc_config){.model = attacc_model(model),
                                     .gpu = attacc_gpu(gpu),
                                     .pipeline = request->pipeline,
                                     .ff_split = request->ff_split,
                                     .batch = 1};
    if (!config->model)
        return fault_set(fault, STATUS_USAGE, "--model: expected a model such as GPT-175B or LLAMA-65B, found '%s'",
                         model);
    if (!config->gpu)
        return fault_set(fault, STATUS_USAGE, "--gpu: expected A100a or H100, found '%s'", gpu);
    if (strcmp(word, "W16A16") != 0 && strcmp(word, "W8A8") != 0)
        return fault_set(fault, STATUS_USAGE, "--word: expected W16A16 or W8A8, found '%s'", word);
    config->word_bytes = strcmp(word, "W8A8") == 0 ? 1 : 2;
    enum status status = read_machine(request, config, pim, fault);
    if (status == STATUS_OK)
        status = number("lin", request->lin, 2048, &config->lin, fault);
    if (status == STATUS_OK)
        status = number("lout", request->lout, 128, &config->lout, fault);
    char text[256];
    if (status == STATUS_OK && attacc_problem(config, text, sizeof text))
        return fault_set(fault, STATUS_USAGE, "%s", text);
    return status;
}

static void print_row(const struct attacc_config *config, FILE *out)
{
    struct attacc_output o;
    attacc_run(config, &o);
    double time = 100 / o.g_time, energy = 100 / o.g_energy;
    fprintf(out, "%6d  %9.3f  %9.1f  %10.1f  %10.3f  %7.1f  %6.1f %6.1f %6.1f %6.1f %6.1f %6.1f", config->batch,
            o.g_time, 1e3 * config->batch / o.g_time, attacc_end_to_end_ms(config, &o),
            1e-9 * o.g_energy / config->batch, o.required_cap / gib, time * o.g_matmul, time * (o.g_qkv + o.g_prj),
            time * o.g_ff, time * o.g_comm, time * o.g_etc, time * o.g_softmax);
    fprintf(out, "  %6.1f %6.1f %6.1f %6.1f%s\n", energy * (o.g_fc_mem + o.g_fc_comp),
            energy * (o.g_attn_mem + o.g_attn_comp), energy * (o.g_etc_mem + o.g_etc_comp), energy * o.g_comm_energy,
            o.required_cap > gib * o.cap ? "  does not fit" : "");
}

enum status attacc_own(const struct attacc_request *request, FILE *out, struct fault *fault)
{
    struct attacc_config config;
    struct hbm_pim_profile pim;
    enum status status = read_config(request, &config, &pim, fault);
    if (status != STATUS_OK)
        return status;
    const char *batches = request->batch ? request->batch : "1,8,64";
    char item[16];
    for (int print = 0; print < 2; print++) { /* all are checked before the first line */
        if (print) {
            fprintf(out, "%s, %s with %d x %s, %d bytes a word, %d tokens in, %d out\n\n", config.model->name,
                    attacc_machine_name(config.machine), config.gpus, config.gpu->name, config.word_bytes, config.lin,
                    config.lout);
            fprintf(out, "%6s  %9s  %9s  %10s  %10s  %7s  %-41s  %s\n", "batch", "ms/token", "tokens/s", "all [ms]",
                    "J/token", "GiB", "% of time: attn qkv+pr   ff   link other softm",
                    "% of energy: fc attn other link");
        }
        for (const char *at = batches; *at;) {
            size_t length = strcspn(at, ",");
            snprintf(item, sizeof item, "%.*s", (int)length, at);
            status = length < sizeof item ? number("batch", item, 1, &config.batch, fault)
                                          : fault_set(fault, STATUS_USAGE, "--batch: expected numbers and commas");
            if (status != STATUS_OK)
                return status;
            if (print)
                print_row(&config, out);
            at += length + (at[length] == ',');
        }
    }
    return STATUS_OK;
}

/* One comparison of the study, with the figures that the public simulator gives on the cycles it was published with:
 * ms per token of DGX and DGX + AttAcc (banks, power limit, pipelining, shared feed-forward) at the same batch. */
static const struct claim {
    const char *model;
    int word, lin, lout, batch;
    double dgx_ms, attacc_ms, energy;
    double base_gain; /* over a DGX with 640 GiB at its own largest batch; 0 not told */
} claims[] = {
    {"GPT-175B", 2, 2048, 2048, 54, 66.65, 30.22, 1.95, 3.97},
    {"GPT-175B", 2, 128, 2048, 101, 61.10, 33.84, 1.51, 3.29},
    {"GPT-175B", 2, 512, 512, 213, 97.19, 59.94, 1.44, 2.12},
    {"GPT-175B", 2, 128, 128, 854, 247.1, 203.1, 1.14, 1.33},
    {"GPT-175B", 1, 2048, 2048, 125, 66.22, 25.08, 2.01, 0},
    {"LLAMA-65B", 2, 2048, 2048, 117, 64.52, 22.45, 2.67, 0},
    {"MT-530B", 1, 2048, 2048, 49, 70.60, 36.62, 1.41, 0},
    {"GPT-175B", 2, 2048, 128, 54, 0, 0, 0, 0},
};

/* Attention of one stage on one device with the physical model: heads dealt over its channels. Milliseconds and
 * millijoules of all blocks and devices. */
static void physical_attention(const struct attacc_config *config, double *ms, double *mj)
{
    struct arena *arena = arena_new();
    int64_t tokens = config->lin + config->lout / 2;
    struct hbm_pim_table *table = hbm_pim_table_new(config->pim, (int64_t)attacc_head_width(config->model),
                                                    config->word_bytes, 1, tokens + 16, arena);
    struct hbm_pim_load *load = hbm_pim_load_new(table, arena);
    int heads = (int)(config->model->heads / ATTACC_DEVICES) * config->batch;
    for (int i = 0; i < heads; i++)
        hbm_pim_load_add(load, i % hbm_pim_channels(config->pim), tokens);
    struct cost cost;
    hbm_pim_attention_cost(load, &cost);
    double fj = 0;
    for (int i = 0; i < N_ENERGY_PARTS; i++)
        fj += (double)cost.energy_fj[i];
    *ms = 1e-9 * (double)cost.time_ps * config->model->decoders;
    *mj = 1e-12 * fj * config->model->decoders * ATTACC_DEVICES;
    arena_free(arena);
}

static struct attacc_config config_of(const struct claim *claim)
{
    return (struct attacc_config){.machine = ATTACC_DGX,
                                  .gpu = attacc_gpu("A100a"),
                                  .model = attacc_model(claim->model),
                                  .gpus = 8,
                                  .word_bytes = claim->word,
                                  .lin = claim->lin,
                                  .lout = claim->lout,
                                  .batch = claim->batch};
}

static struct attacc_config with_pim(struct attacc_config config, const struct hbm_pim_profile *pim, int pipeline,
                                     int ff_split)
{
    config.machine = ATTACC_DGX_PIM;
    config.pim = pim;
    config.pipeline = pipeline;
    config.ff_split = ff_split;
    return config;
}

/* "-" where nothing was told. */
static void print_told(double value, int width, FILE *out)
{
    if (value > 0)
        fprintf(out, " %*.2f", width, value);
    else
        fprintf(out, " %*s", width, "-");
}

static void print_claim(const struct claim *claim, const struct hbm_pim_profile *pim, FILE *out)
{
    struct attacc_config dgx = config_of(claim), base = dgx, attacc = with_pim(dgx, pim, 1, 1);
    base.batch = (int)attacc_largest_batch(base.model, base.word_bytes, base.lin, base.lout, 640 * gib);
    struct attacc_output a, b, c = {0};
    attacc_run(&dgx, &a);
    attacc_run(&attacc, &b);
    if (base.batch)
        attacc_run(&base, &c);
    char lengths[32];
    snprintf(lengths, sizeof lengths, "(%d,%d)", claim->lin, claim->lout);
    fprintf(out, "%-9s %s %-11s %4d ", claim->model, claim->word == 2 ? "fp16" : "int8", lengths, claim->batch);
    print_told(claim->dgx_ms, 7, out);
    print_told(claim->attacc_ms, 7, out);
    print_told(claim->attacc_ms > 0 ? claim->dgx_ms / claim->attacc_ms : 0, 6, out);
    print_told(claim->energy, 6, out);
    print_told(claim->base_gain, 6, out);
    fprintf(out, "  %7.2f %7.2f %6.2f %6.2f", a.g_time, b.g_time, a.g_time / b.g_time, a.g_energy / b.g_energy);
    print_told(base.batch ? claim->batch / b.g_time * c.g_time / base.batch : 0, 6, out);
    fprintf(out, " %6.2f", attacc_end_to_end_ms(&dgx, &a) / attacc_end_to_end_ms(&attacc, &b));
    double ms, mj;
    physical_attention(&attacc, &ms, &mj);
    fprintf(out, "  %6.2f %6.2f %7.1f %7.1f\n", b.g_matmul, ms, 1e-6 * (b.g_attn_mem + b.g_attn_comp), mj);
}

/* What each option adds, and both together end to end. */
static void print_options(const struct claim *claim, const struct hbm_pim_profile *pim, FILE *out)
{
    struct attacc_config dgx = config_of(claim);
    struct attacc_output plain, pipeline, both;
    struct attacc_config one = with_pim(dgx, pim, 0, 0), two = with_pim(dgx, pim, 1, 0), all = with_pim(dgx, pim, 1, 1);
    attacc_run(&one, &plain);
    attacc_run(&two, &pipeline);
    attacc_run(&all, &both);
    fprintf(out, "%s (%d,%d), batch %d: pipelining %.3fx, then sharing the feed-forward %.3fx\n", claim->model,
            claim->lin, claim->lout, claim->batch, plain.g_time / pipeline.g_time, pipeline.g_time / both.g_time);
}

void attacc_headline(FILE *out)
{
    const struct hbm_pim_profile *pim = catalogue_hbm_pim("attacc-bank");
    fprintf(
        out,
        "The paper (ASPLOS 2024), abstract: against the conventional system with the same memory up to 2.81x\n"
        "performance and 2.67x energy efficiency on a 175B model. From readers' notes: 4.84x and 2.48x over DGX with\n"
        "640 and 1280 GiB, int8 3.47x and 2.59x; pipelining up to 1.15x, shared feed-forward up to 1.10x.\n\n"
        "Below: DGX + AttAcc at banks, power limit, pipelining, shared feed-forward, against DGX at the same batch.\n"
        "public: the public simulator on the cycles that it came with (- not told); ours: its equations on our "
        "cycles.\n"
        "time, energy: gains of the generation; 640G: gain in tokens/s over a DGX with 640 GiB at its own largest "
        "batch;\n"
        "all: gain in time with the prefill. Attention of one stage: published equations and the device model.\n\n");
    fprintf(out, "%-32s %-38s %-47s %s\n", "", "public: ms per token, gains", "ours: ms per token, gains",
            "attention: ms, mJ");
    fprintf(out, "%-9s %-4s %-11s %4s  %7s %7s %6s %6s %6s  %7s %7s %6s %6s %6s %6s  %6s %6s %7s %7s\n", "model", "",
            "in, out", "B", "DGX", "AttAcc", "time", "energy", "640G", "DGX", "AttAcc", "time", "energy", "640G", "all",
            "publ.", "device", "publ.", "device");
    size_t n = sizeof claims / sizeof claims[0];
    for (size_t i = 0; i < n; i++)
        print_claim(&claims[i], pim, out);
    fprintf(out, "\n");
    for (size_t i = 0; i < n; i++)
        if (claims[i].lin == claims[i].lout && claims[i].lin == 2048)
            print_options(&claims[i], pim, out);
}
