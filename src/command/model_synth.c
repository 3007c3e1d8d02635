#include "model/model_synth.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/unit.h"
#include "command/command.h"
#include "command/data.h"
#include "command/model.h"
#include "command/subverb.h"

enum { LAYERS, D_MODEL, HEADS, KV_HEADS, HEAD_WIDTH, FFN, VOCABULARY, CONTEXT, MAX_CHANGES }; /* sizes to be given */

struct synth_input {
    struct arena *arena;
    struct fault *fault;
    const char *word[2]; /* [NAME] OUT */
    int n_words;
    const char *family, *name, *tokenizer;
    int64_t size[MAX_CHANGES]; /* 0: not given; in the order of size_names */
    int64_t seed;
    int tied; /* -1: as the family has it */
    int is_half, force;
};

enum { KEY_FAMILY = 256, KEY_NAME, KEY_TOKENIZER, KEY_SEED, KEY_TIED, KEY_UNTIED, KEY_FLOAT16, KEY_FORCE, KEY_SIZE };

static const char *const size_names[MAX_CHANGES] = {"layers",     "d-model", "heads",      "kv-heads",
                                                    "head-width", "ffn",     "vocabulary", "context"};

static const struct argp_option options[] = {
    {"family", KEY_FAMILY, "FAMILY", 0, "gpt, opt, mt-nlg or llama (default llama): norms, positions, activation", 0},
    {"layers", KEY_SIZE, "N", 0, "layers (default 2)", 0},
    {"d-model", KEY_SIZE + 1, "N", 0, "width (default 64)", 0},
    {"heads", KEY_SIZE + 2, "N", 0, "query heads (default 4)", 0},
    {"kv-heads", KEY_SIZE + 3, "N", 0, "heads of keys and values (default: as many)", 0},
    {"head-width", KEY_SIZE + 4, "N", 0, "width of a head (default: d-model / heads)", 0},
    {"ffn", KEY_SIZE + 5, "N", 0, "width of the feed-forward (default: 4 x d-model)", 0},
    {"vocabulary", KEY_SIZE + 6, "N", 0, "tokens (default 512)", 0},
    {"context", KEY_SIZE + 7, "N", 0, "longest prompt and answer together (default 256)", 0},
    {"tied", KEY_TIED, NULL, 0, "the head is the embedding", 1},
    {"untied", KEY_UNTIED, NULL, 0, "the head is a matrix of its own", 1},
    {"tokenizer", KEY_TOKENIZER, "FILE", 0, "tokenizer of llama2.c that goes into the model file", 1},
    {"name", KEY_NAME, "NAME", 0, "name of the model (default synth)", 1},
    {"float16", KEY_FLOAT16, NULL, 0, "weights rounded to float16", 1},
    {"seed", KEY_SEED, "N", 0, "another seed, other weights (default 1)", 1},
    {"force", KEY_FORCE, NULL, 0, "replace OUT if it exists", 2},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct synth_input *input = state->input;
    if (key >= KEY_SIZE && key < KEY_SIZE + MAX_CHANGES)
        return data_whole(size_names[key - KEY_SIZE], arg, 1, &input->size[key - KEY_SIZE], input->fault) ? EINVAL : 0;
    switch (key) {
    case ARGP_KEY_ARG:
        if (input->n_words == 2)
            return ARGP_ERR_UNKNOWN;
        input->word[input->n_words++] = arg;
        return 0;
    case KEY_FAMILY:
        input->family = arg;
        return 0;
    case KEY_NAME:
        input->name = arg;
        return 0;
    case KEY_TOKENIZER:
        input->tokenizer = arg;
        return 0;
    case KEY_SEED:
        return data_whole("seed", arg, 0, &input->seed, input->fault) ? EINVAL : 0;
    case KEY_TIED:
    case KEY_UNTIED:
        input->tied = key == KEY_TIED;
        return 0;
    case KEY_FLOAT16:
        input->is_half = 1;
        return 0;
    case KEY_FORCE:
        input->force = 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    "[NAME] OUT",
    "Makes a model of random weights: of the shape of a known model (polyrank model list), or of the shape that the "
    "options give. Equal options give equal models.\v"
    "examples:\n"
    "  polyrank model synth tiny.h5 --layers 2 --d-model 64 --heads 8 --kv-heads 2\n"
    "  polyrank model synth gpt-2-small gpt.h5",
    NULL,
    NULL,
    NULL};

/* A small model of the family: the catalogue tells what its members have in common. */
static enum status start_of_family(const struct synth_input *input, struct decoder_config *config, struct fault *fault)
{
    const char *family = input->family ? input->family : "llama";
    const struct decoder_config *member;
    size_t i = 0;
    while ((member = decoder_model_at(i)) && strcmp(member->family, family) != 0)
        i++;
    if (!member)
        return fault_set(fault, STATUS_USAGE, "--family: expected gpt, opt, mt-nlg or llama, found \"%s\"", family);
    *config = *member;
    config->name = "synth";
    config->norm_eps = 1e-5;
    config->layers = 2;
    config->d_model = 64;
    config->heads = 4;
    config->vocabulary = 512;
    config->context = 256;
    config->kv_heads = config->head_width = config->ffn = 0; /* they follow from the others */
    return STATUS_OK;
}

/* Sizes that were a consequence of others follow when those change: 0 until then. */
static void forget_what_follows(const struct synth_input *input, struct decoder_config *config)
{
    const int64_t *given = input->size;
    if (given[HEADS] && config->kv_heads == config->heads)
        config->kv_heads = 0;
    if (given[D_MODEL] && config->ffn == 4 * config->d_model)
        config->ffn = 0;
    if ((given[D_MODEL] || given[HEADS]) && config->heads * config->head_width == config->d_model)
        config->head_width = 0;
}

static enum status set_shape(const struct synth_input *input, struct decoder_config *config, struct fault *fault)
{
    int64_t *const fields[MAX_CHANGES] = {&config->layers,     &config->d_model, &config->heads,      &config->kv_heads,
                                          &config->head_width, &config->ffn,     &config->vocabulary, &config->context};
    const char *known = input->n_words == 2 ? input->word[0] : NULL;
    enum status status = STATUS_OK;
    if (known && input->family)
        return fault_set(fault, STATUS_USAGE, "--family: expected none with the known model %s", known);
    if (known && !decoder_model(known))
        return fault_set(fault, STATUS_USAGE, "unknown model '%s': polyrank model list names those that are known",
                         known);
    if (known)
        *config = *decoder_model(known);
    else
        status = start_of_family(input, config, fault);
    if (status != STATUS_OK)
        return status;
    forget_what_follows(input, config);
    for (int i = 0; i < MAX_CHANGES; i++)
        if (input->size[i])
            *fields[i] = input->size[i];
    config->kv_heads = config->kv_heads ? config->kv_heads : config->heads;
    config->ffn = config->ffn ? config->ffn : 4 * (config->d_model < INT32_MAX ? config->d_model : INT32_MAX);
    if (!config->head_width && config->d_model % config->heads)
        return fault_set(fault, STATUS_USAGE,
                         "--heads: expected a divisor of d-model %lld, found %lld (or --head-width)",
                         (long long)config->d_model, (long long)config->heads);
    config->head_width = config->head_width ? config->head_width : config->d_model / config->heads;
    config->tied = input->tied >= 0 ? input->tied : config->tied;
    config->name = input->name ? input->name : config->name;
    return decoder_check(config, fault);
}

/* Random numbers hardly shrink: a model that cannot fit is refused before hours of writing. */
static enum status check_room(const char *out, const struct decoder_config *config, int is_half, struct arena *arena,
                              struct fault *fault)
{
    struct statvfs info;
    char needs[32], has[32];
    const char *slash = strrchr(out, '/');
    const char *folder = slash ? arena_printf(arena, "%.*s", (int)(slash + 1 - out), out) : ".";
    double bytes = (double)decoder_parameters(config) * (is_half ? 2 : 4);
    if (statvfs(folder, &info) != 0)
        return STATUS_OK; /* the folder's own fault comes when the file is made */
    double room = (double)info.f_bavail * (double)info.f_frsize;
    if (bytes <= room)
        return STATUS_OK;
    unit_show(needs, sizeof needs, UNIT_BYTES, bytes);
    unit_show(has, sizeof has, UNIT_BYTES, room);
    return fault_set(fault, STATUS_USAGE, "%s: %s needs %s, the disk has %s: fewer --layers or --float16", out,
                     config->name, needs, has);
}

enum status model_synth_command(struct arena *arena, int argc, char **argv, struct fault *fault)
{
    struct synth_input input = {.arena = arena, .fault = fault, .seed = 1, .tied = -1};
    struct model_synth synth = {.config = {0}};
    struct model_content content;
    struct tokenizer tokenizer;
    char hash[17];
    int done;
    char **words = subverb_copy_words(arena, argc, argv);
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (input.n_words == 0)
        return fault_set(fault, STATUS_USAGE, "model synth: expected a file to write");
    const char *out = input.word[input.n_words - 1];
    status = set_shape(&input, &synth.config, fault);
    if (status == STATUS_OK)
        status = data_may_write(out, input.force, fault);
    if (status == STATUS_OK)
        status = check_room(out, &synth.config, input.is_half, arena, fault);
    if (status == STATUS_OK && input.tokenizer)
        status = tokenizer_read(input.tokenizer, arena, &tokenizer, fault);
    if (status != STATUS_OK)
        return status;
    synth.seed = (uint64_t)input.seed;
    synth.is_half = input.is_half;
    model_synth_content(&synth, &content);
    content.history = data_history(arena, argc, words, out);
    content.tokenizer = input.tokenizer ? &tokenizer : NULL;
    status = model_file_write(out, &content, hash, fault);
    if (status == STATUS_OK)
        printf("%s: %s, %s\n  %lld parameters, hash %s\n", out, synth.config.name, model_line(arena, &synth.config),
               (long long)decoder_parameters(&synth.config), hash);
    return status;
}
