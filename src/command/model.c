/* model.c - polyrank model: import, synth, info, list. */
#include "command/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "command/subverb.h"

static const struct subverb verbs[] = {
    {"import", "a file of llama2.c or safetensors into a model file", model_import_command},
    {"synth", "a model of random weights, of any shape", model_synth_command},
    {"info", "shape, size and arithmetic of a model file or a known model", model_info_command},
    {"list", "the models that are known by name", model_list_command},
};

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

enum status command_model(struct comm *comm, int argc, char **argv, struct fault *fault)
{
    (void)comm;
    const struct subverbs all = {
        .verb = "model",
        .purpose = "Makes and looks at decoder models: shape, weights and tokenizer in one HDF5 file.",
        .list = verbs,
        .n = sizeof verbs / sizeof *verbs,
    };
    return subverbs_run(&all, argc, argv, fault);
}
