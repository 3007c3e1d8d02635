/* model.h - the verbs under `polyrank model`, one file each. argv[0] is the verb ("model import"). */
#ifndef COMMAND_MODEL_H
#define COMMAND_MODEL_H

#include "base/arena.h"
#include "base/status.h"
#include "model/decoder.h"

enum status model_import_command(struct arena *arena, int argc, char **argv, struct fault *fault);
enum status model_synth_command(struct arena *arena, int argc, char **argv, struct fault *fault);
enum status model_info_command(struct arena *arena, int argc, char **argv, struct fault *fault);
enum status model_list_command(struct arena *arena, int argc, char **argv, struct fault *fault);

/* Local. One line about a shape: "llama: 5 layers, d 64, 8 heads (4 KV) of 8, ffn 172, vocabulary 512, context 512". */
const char *model_line(struct arena *arena, const struct decoder_config *config);

#endif
