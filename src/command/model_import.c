#include "model/model_import.h"

#include <stdio.h>

#include "command/command.h"
#include "command/data.h"
#include "command/model.h"
#include "command/subverb.h"

struct import_input {
    struct model_import_options options;
    const char *in, *out;
    int force;
};

enum { KEY_TOKENIZER = 256, KEY_CONFIG, KEY_NAME, KEY_FORCE };

static const struct argp_option options[] = {
    {"tokenizer", KEY_TOKENIZER, "FILE", 0, "tokenizer of llama2.c (tokenizer.bin) that goes into the model file", 0},
    {"config", KEY_CONFIG, "FILE", 0, "config.json of safetensors (default: in the folder of the weights)", 0},
    {"name", KEY_NAME, "NAME", 0, "name of the model (default: the file's, of model.* the folder's)", 0},
    {"force", KEY_FORCE, NULL, 0, "replace OUT if it exists", 1},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct import_input *input = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (input->out)
            return ARGP_ERR_UNKNOWN;
        *(input->in ? &input->out : &input->in) = arg;
        return 0;
    case KEY_TOKENIZER:
        input->options.tokenizer = arg;
        return 0;
    case KEY_CONFIG:
        input->options.config = arg;
        return 0;
    case KEY_NAME:
        input->options.name = arg;
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
    "IN OUT",
    "Turns the weights of a decoder into a model file. What IN is, it finds out: a file of llama2.c (version 0 or 1), "
    "a "
    "safetensors file, model.safetensors.index.json, or a folder with one of the two and config.json (LLaMA or GPT-2). "
    "Numbers are kept exactly. A tokenizer.json is not read.\v"
    "examples:\n"
    "  polyrank model import stories260K.bin stories.h5 --tokenizer tok512.bin\n"
    "  polyrank model import Llama-3-8B/ llama.h5",
    NULL,
    NULL,
    NULL};

enum status model_import_command(struct arena *arena, int argc, char **argv, struct fault *fault)
{
    struct import_input input = {0};
    struct model_import *import;
    struct model_content content;
    char hash[17];
    int done;
    char **words = subverb_copy_words(arena, argc, argv);
    enum status status = options_parse(&argp, argc, argv, &input, &done, fault);
    if (status != STATUS_OK || done)
        return status;
    if (!input.out)
        return fault_set(fault, STATUS_USAGE, "model import: expected a file to read and a file to write");
    status = data_may_write(input.out, input.force, fault);
    if (status == STATUS_OK)
        status = model_import_open(input.in, &input.options, &import, &content, fault);
    if (status != STATUS_OK)
        return status;
    content.history = data_history(arena, argc, words, input.out);
    status = model_file_write(input.out, &content, hash, fault);
    if (status == STATUS_OK)
        printf("%s: %s, %s\n  %lld parameters, %s, hash %s\n", input.out, content.config.name,
               model_line(arena, &content.config), (long long)decoder_parameters(&content.config),
               content.tokenizer ? "with tokenizer" : "without tokenizer", hash);
    else
        fault_prefix(fault, "%s", input.in);
    model_import_close(import);
    return status;
}
