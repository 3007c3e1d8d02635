/* model.c - polyrank model: import, synth, info, list. */
#include "command/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "command/command.h"
#include "command/data.h"

static const struct {
    const char *name, *summary;
    enum status (*run)(struct arena *, int, char **, struct fault *);
} verbs[] = {
    {"import", "a file of llama2.c or safetensors into a model file", model_import_command},
    {"synth", "a model of random weights, of any shape", model_synth_command},
    {"info", "shape, size and arithmetic of a model file or a known model", model_info_command},
    {"list", "the models that are known by name", model_list_command},
};

enum { N_VERBS = sizeof verbs / sizeof *verbs };

const char *model_line(struct arena *arena, const struct decoder_config *config)
{
    const char *kv =
        config->kv_heads == config->heads ? "" : arena_printf(arena, " (%" PRId64 " KV)", config->kv_heads);
    return arena_printf(arena,
                        "%s: %" PRId64 " layers, d %" PRId64 ", %" PRId64 " heads%s of %" PRId64 ", ffn %" PRId64
                        ", vocabulary %" PRId64 ", context %" PRId64,
                        config->family, config->layers, config->d_model, config->heads, kv, config->head_width,
                        config->ffn, config->vocabulary, config->context);
}

static void print_help(FILE *out)
{
    fprintf(out,
            "Usage: polyrank model VERB ...\nMakes and looks at decoder models: shape, weights and tokenizer in one "
            "HDF5 file.\n\n");
    for (int i = 0; i < N_VERBS; i++)
        fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(out, "\npolyrank model VERB --help lists the options.\n");
}

static enum status unknown(const char *word, struct fault *fault)
{
    const char *names[N_VERBS];
    for (int i = 0; i < N_VERBS; i++)
        names[i] = verbs[i].name;
    const char *near = nearest_word(word, names, N_VERBS);
    if (near)
        return fault_set(fault, STATUS_USAGE, "model: unknown verb '%s': did you mean %s?", word, near);
    return fault_set(fault, STATUS_USAGE, "model: unknown verb '%s': expected import, synth, info or list", word);
}

enum status command_model(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    (void)comm;
    if (argc < 2)
        return fault_set(fault, STATUS_USAGE, "model: expected a verb: import, synth, info or list");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help(stdout), STATUS_OK;
    for (int i = 0; i < N_VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0)
            continue;
        struct arena *arena = arena_new();
        char **words = data_copy_words(arena, argc - 1, argv + 1);
        words[0] = arena_printf(arena, "model %s", verbs[i].name);
        enum status status = verbs[i].run(arena, argc - 1, words, fault);
        arena_free(arena);
        return status;
    }
    return unknown(argv[1], fault);
}
