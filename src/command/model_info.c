/* model_info.c - polyrank model info, polyrank model list. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/model.h"
#include "model/model_file.h"
#include "report/table.h"

struct info_input {
    const char *what;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct info_input *input = state->input;
    if (key != ARGP_KEY_ARG || input->what)
        return ARGP_ERR_UNKNOWN;
    input->what = arg;
    return 0;
}

static error_t parse_none(int key, char *arg, struct argp_state *state)
{
    (void)key;
    (void)arg;
    (void)state;
    return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {NULL,
                                 parse,
                                 "FILE|NAME",
                                 "Says what a model is: shape, parameters, memory of weights and of a token's keys and "
                                 "values, arithmetic of a token, tokenizer. A NAME is one of polyrank model list.",
                                 NULL,
                                 NULL,
                                 NULL};

static const struct argp argp_list = {NULL, parse_none, "",  "Lists the models that are known by name.",
                                      NULL, NULL,       NULL};

static const char *act_text(const struct decoder_config *config)
{
    switch (config->act) {
    case ACT_RELU:
        return config->gated ? "gated ReLU" : "ReLU";
    case ACT_GELU:
        return config->gated ? "gated GELU" : "GELU";
    case ACT_GELU_TANH:
        return config->gated ? "gated GELU (tanh)" : "GELU (tanh)";
    case ACT_SILU:
        return config->gated ? "SwiGLU" : "SiLU";
    default:
        return "none";
    }
}

static void print_bytes(const char *label, double elements, const char *of)
{
    char four[32], two[32];
    unit_show(four, sizeof four, UNIT_BYTES, 4 * elements);
    unit_show(two, sizeof two, UNIT_BYTES, 2 * elements);
    printf("%-11s %s%s in fp32, %s in fp16\n", label, of, four, two);
}

static void print_positions(const struct decoder_config *config)
{
    if (!config->rotary)
        printf("%-11s learned\n", "positions");
    else if (config->rope_factor == 0)
        printf("%-11s rotary, base %g\n", "positions", config->rope_theta);
    else
        printf("%-11s rotary, base %g, stretched by %g beyond %" PRId64 " tokens (low %g, high %g)\n", "positions",
               config->rope_theta, config->rope_factor, config->rope_original, config->rope_low, config->rope_high);
}

static void print_shape(struct arena *arena, const struct decoder_config *config)
{
    printf("%-11s %s\n", "model", config->name);
    printf("%-11s %s\n", "shape", model_line(arena, config));
    print_positions(config);
    printf("%-11s %s, eps %g; %s%s; the head is %s\n", "layers", config->rms_norm ? "RMSNorm" : "LayerNorm",
           config->norm_eps, act_text(config), config->biases ? ", biases" : "",
           config->tied ? "the embedding" : "a matrix of its own");
    printf("%-11s %" PRId64 "\n", "parameters", decoder_parameters(config));
    print_bytes("weights", (double)decoder_parameters(config), "");
    print_bytes("KV", (double)decoder_kv_elements(config), "each token ");
    printf("%-11s %.4g in the linear layers for each token\n", "FLOPs", (double)decoder_linear_flops(config));
}

static enum status print_file(struct arena *arena, const char *path, struct fault *fault)
{
    struct model_file *file;
    enum status status = model_file_open(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    const struct decoder_config *config = model_file_config(file);
    const struct tokenizer *tokenizer = model_file_tokenizer(file);
    int n = decoder_weights(config), n_half = 0;
    for (int i = 0; i < n; i++)
        n_half += model_file_is_half(file, i);
    print_shape(arena, config);
    printf("%-11s %d arrays, %d of them float16, the others float32\n", "stored", n, n_half);
    if (tokenizer)
        printf("%-11s %lld pieces of at most %lld bytes, BOS %d, EOS %d\n", "tokenizer", (long long)tokenizer->pieces.n,
               (long long)tokenizer->pieces.max_length, tokenizer->bos, tokenizer->eos);
    else
        printf("%-11s none\n", "tokenizer");
    printf("%-11s %s\n", "source", model_file_source(file));
    if (model_file_history(file)[0])
        printf("%-11s %s\n", "history", model_file_history(file));
    printf("%-11s %s\n", "hash", model_file_hash(file));
    model_file_close(file);
    return STATUS_OK;
}

enum status model_info_command(struct arena *arena, int argc, char **argv, struct fault *fault)
{
    struct info_input input = {0};
    int done;
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.what)
        return fault_set(fault, STATUS_USAGE, "model info: expected a model file or a name of polyrank model list");
    const struct decoder_config *config = decoder_model(input.what);
    if (config) {
        print_shape(arena, config);
        printf("%-11s %s\n", "source", decoder_model_source(input.what));
        return STATUS_OK;
    }
    if (access(input.what, F_OK) != 0)
        return fault_set(fault, STATUS_IO, "%s: no such file, nor a name of polyrank model list", input.what);
    return print_file(arena, input.what, fault);
}

enum status model_list_command(struct arena *arena, int argc, char **argv, struct fault *fault)
{
    struct text_table *table = text_table_new(arena);
    static const char *const columns[] = {"layers", "d model", "heads",      "KV heads",
                                          "width",  "ffn",     "vocabulary", "context"};
    int done, none = 0;
    enum status status = options_parse(&argp_list, argc, argv, &none, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    text_table_column(table, ALIGN_LEFT, "model", "");
    text_table_column(table, ALIGN_LEFT, "family", "");
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        text_table_column(table, ALIGN_RIGHT, columns[i], "");
    text_table_column(table, ALIGN_RIGHT, "parameters", "");
    const struct decoder_config *config;
    for (size_t i = 0; (config = decoder_model_at(i)); i++) {
        const int64_t numbers[] = {config->layers,     config->d_model,    config->heads,
                                   config->kv_heads,   config->head_width, config->ffn,
                                   config->vocabulary, config->context,    decoder_parameters(config)};
        text_table_row(table);
        text_table_cell(table, "%s", config->name);
        text_table_cell(table, "%s", config->family);
        for (size_t c = 0; c < sizeof numbers / sizeof *numbers; c++)
            text_table_cell(table, "%" PRId64, numbers[c]);
    }
    text_table_print(table, stdout, TABLE_WIDTH);
    return STATUS_OK;
}
