/* decoder_ffn.c - the feed-forward part of a decoder's layer: on the GPU, or shared with the PIM devices at it.
 *
 * Shared: the last ff_columns places of a GPU's inner width (rows of gate and up, columns of down) stand in its PIM
 * devices once more, dealt evenly. In iterations without prompts these compute them, beside the GPU's own places, and
 * send back what they add; in the others the GPU computes both.
 */
#include "model/decoder_private.h"

/* down(act(gate(x)) * up(x)) or down(act(up(x))) on `width` places. */
static int piece(struct building *b, int x, int64_t width, enum token_rows tokens, int has_down_bias)
{
    const struct decoder_config *config = b->config;
    int64_t rows = b->layout->max_tokens, layers = config->layers, c = config->d_model;
    const struct op gate = {.kind = OP_GATE, .rows = rows, .out = width, .act = config->act, .tokens = tokens};
    int gated = NO_TENSOR;
    if (config->gated)
        gated = building_linear(b, "layers.ffn.gate", x, rows, c, width, tokens, ACT_NONE, config->biases, layers);
    int up = building_linear(b, "layers.ffn.up", x, rows, c, width, tokens, config->gated ? ACT_NONE : config->act,
                             config->biases, layers);
    if (config->gated) {
        int y = building_value(b, "layers.ffn.gated", rows, width);
        building_on_gpu(b, &gate, (int[]){gated, up}, 2, y, "layers.ffn.act");
        up = y;
    }
    return building_linear(b, "layers.ffn.down", up, rows, width, c, tokens, ACT_NONE, has_down_bias, layers);
}

/* The places first .. first + some - 1, under a name of their own. */
static int shared_piece(struct building *b, int x, int device, const char *place, int64_t first, int64_t some)
{
    b->device = device;
    b->place = place;
    b->first = first;
    b->some = some;
    int y = piece(b, x, some, device < 0 ? TOKENS_WITH_PROMPT : TOKENS_NO_PROMPT, 0);
    b->device = -1;
    b->place = NULL;
    b->first = b->some = 0;
    return y;
}

/* What both have made is added up in the order of the devices. */
static void add_shared(struct building *b, int x, int y, int64_t kept)
{
    const struct decoder_layout *layout = b->layout;
    struct arena *arena = b->graph->arena;
    int64_t first;
    int own = shared_piece(b, x, -1, "shared", kept, layout->ff_columns);
    building_add(b, y, own, TOKENS_WITH_PROMPT, "layers.ffn.add_shared");
    for (int64_t p = 0; p < layout->pims_per_gpu; p++) {
        int64_t some = op_group_heads(layout->ff_columns, layout->pims_per_gpu, p, &first);
        int device = layout->pim[b->gpu * layout->pims_per_gpu + p];
        const char *place = arena_printf(arena, "shared.%lld", (long long)p);
        int part = shared_piece(b, x, device, place, kept + first, some);
        building_add(b, y, part, TOKENS_NO_PROMPT, arena_printf(arena, "layers.ffn.add_shared.%lld", (long long)p));
    }
}

int building_feed_forward(struct building *b, int x)
{
    const struct decoder_config *config = b->config;
    int64_t first, width = op_group_heads(config->ffn, b->layout->n_gpus, b->gpu, &first),
                   kept = width - b->layout->ff_columns;
    if (kept < 1 || (b->layout->ff_columns && b->layout->ff_columns < b->layout->pims_per_gpu))
        bug("%lld of %lld places of a feed-forward on %d PIM devices", (long long)b->layout->ff_columns,
            (long long)width, b->layout->pims_per_gpu);
    b->some = kept < width ? kept : 0;
    int y = piece(b, x, kept, TOKENS_ALL, config->biases && b->gpu == 0);
    b->some = 0;
    if (b->layout->ff_columns)
        add_shared(b, x, y, kept);
    building_allreduce(b, y, "layers.ffn");
    return y;
}
