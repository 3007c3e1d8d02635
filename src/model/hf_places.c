/* hf_places.c - the names and shapes of LLaMA's and GPT-2's tensors in safetensors files. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/model_import_private.h"

/* X(end of our name, name there): what stands after "layers.L." and after "model.layers.L." or "h.L.". */
struct pair {
    const char *ours, *theirs;
    int part; /* of q, k, v side by side: 0, 1, 2; -1: all of it */
};

static const struct pair llama_layer[] = {
    {"attn_norm.gamma", "input_layernorm.weight", -1}, {"attn.q.weight", "self_attn.q_proj.weight", -1},
    {"attn.k.weight", "self_attn.k_proj.weight", -1},  {"attn.v.weight", "self_attn.v_proj.weight", -1},
    {"attn.o.weight", "self_attn.o_proj.weight", -1},  {"ffn_norm.gamma", "post_attention_layernorm.weight", -1},
    {"ffn.gate.weight", "mlp.gate_proj.weight", -1},   {"ffn.up.weight", "mlp.up_proj.weight", -1},
    {"ffn.down.weight", "mlp.down_proj.weight", -1},   {0}};
static const struct pair llama_other[] = {{"embed.weight", "model.embed_tokens.weight", -1},
                                          {"norm.gamma", "model.norm.weight", -1},
                                          {"head.weight", "lm_head.weight", -1},
                                          {0}};
static const struct pair gpt2_layer[] = {{"attn_norm.gamma", "ln_1.weight", -1},
                                         {"attn_norm.beta", "ln_1.bias", -1},
                                         {"attn.q.weight", "attn.c_attn.weight", 0},
                                         {"attn.k.weight", "attn.c_attn.weight", 1},
                                         {"attn.v.weight", "attn.c_attn.weight", 2},
                                         {"attn.o.weight", "attn.c_proj.weight", -1},
                                         {"attn.q.bias", "attn.c_attn.bias", 0},
                                         {"attn.k.bias", "attn.c_attn.bias", 1},
                                         {"attn.v.bias", "attn.c_attn.bias", 2},
                                         {"attn.o.bias", "attn.c_proj.bias", -1},
                                         {"ffn_norm.gamma", "ln_2.weight", -1},
                                         {"ffn_norm.beta", "ln_2.bias", -1},
                                         {"ffn.up.weight", "mlp.c_fc.weight", -1},
                                         {"ffn.down.weight", "mlp.c_proj.weight", -1},
                                         {"ffn.up.bias", "mlp.c_fc.bias", -1},
                                         {"ffn.down.bias", "mlp.c_proj.bias", -1},
                                         {0}};
static const struct pair gpt2_other[] = {{"embed.weight", "wte.weight", -1},
                                         {"positions.weight", "wpe.weight", -1},
                                         {"norm.gamma", "ln_f.weight", -1},
                                         {"norm.beta", "ln_f.bias", -1},
                                         {0}};

/* A search for places. */
struct search {
    const struct tensor_set *set;
    const struct hf_config *config;
    const char *prefix;  /* of GPT-2's names: "transformer." or "" */
    unsigned char *used; /* [set->n] */
    struct fault *fault;
};

/* The name there of one of our weights, and which part of the tensor it is. */
static void name_there(const struct search *s, const char *ours, char *theirs, size_t size, int *part)
{
    int is_gpt2 = s->config->is_gpt2;
    const char *rest = ours;
    char start[64] = "";
    if (strncmp(ours, "layers.", 7) == 0) {
        size_t digits = strspn(ours + 7, "0123456789");
        rest = ours + 7 + digits + 1;
        snprintf(start, sizeof start, "%s%.*s.", is_gpt2 ? "h." : "model.layers.", (int)digits, ours + 7);
    }
    const struct pair *pairs = rest == ours ? is_gpt2 ? gpt2_other : llama_other : is_gpt2 ? gpt2_layer : llama_layer;
    *part = -1;
    if (is_gpt2 && strcmp(ours, "head.weight") == 0) {
        snprintf(theirs, size, "lm_head.weight");
        return;
    }
    while (pairs->ours && strcmp(pairs->ours, rest) != 0)
        pairs++;
    if (!pairs->ours)
        bug("%s has no name in safetensors", ours);
    snprintf(theirs, size, "%s%s%s", is_gpt2 ? s->prefix : "", start, pairs->theirs);
    *part = pairs->part;
}

static enum status check_dims(const struct search *s, const struct safetensor *tensor, int n_dims, const int64_t *dims)
{
    char found[128], expected[64];
    int equal = tensor->n_dims == n_dims;
    for (int d = 0; d < n_dims && d < 2 && equal; d++)
        equal = tensor->dims[d] == dims[d];
    if (!equal) {
        snprintf(expected, sizeof expected, n_dims == 2 ? "[%" PRId64 ", %" PRId64 "]" : "[%" PRId64 "]", dims[0],
                 dims[1]);
        return fault_set(s->fault, STATUS_USAGE, "%s: %.200s: shape: expected %s, found %s", tensor->raw->path,
                         tensor->name, expected, safetensor_shape(tensor, found, sizeof found));
    }
    if (tensor->type == SAFETENSOR_OTHER)
        return fault_set(s->fault, STATUS_USAGE, "%s: %.200s: dtype: expected F32, F16 or BF16, found %s",
                         tensor->raw->path, tensor->name, tensor->dtype);
    return STATUS_OK;
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* GPT-2's matrices in layers are stored [in, out]; tables and heads are not. */
static int is_transposed(const struct search *s, const struct decoder_weight *weight)
{
    return s->config->is_gpt2 && weight->n_dims == 2 && strncmp(weight->name, "layers.", 7) == 0;
}

static enum status find_place(struct search *s, const struct decoder_weight *weight, struct hf_place *place)
{
    char theirs[160];
    int part;
    name_there(s, weight->name, theirs, sizeof theirs, &part);
    const struct safetensor *tensor = tensor_set_find(s->set, theirs);
    if (!tensor)
        return fault_set(s->fault, STATUS_USAGE, "%s: %s: missing (%s of the model)", s->set->path, theirs,
                         weight->name);
    s->used[tensor - s->set->tensor] = 1;
    *place = (struct hf_place){.tensor = tensor, .transposed = is_transposed(s, weight)};
    int64_t wide = weight->dims[0] * (part >= 0 ? 3 : 1);
    place->first = part > 0 ? part * weight->dims[0] : 0;
    place->halves = s->config->decoder.rotary &&
                    (ends_with(weight->name, ".attn.q.weight") || ends_with(weight->name, ".attn.k.weight"));
    const int64_t straight[2] = {wide, weight->dims[1]}, turned[2] = {weight->dims[1], wide};
    return check_dims(s, tensor, weight->n_dims, place->transposed ? turned : straight);
}

/* ---- tensors that are left over ---- */

/* The head of a tied model may be stored beside the embedding: then it must be the same. */
static enum status compare_head(const struct search *s, const struct safetensor *head)
{
    enum { BLOCK = 4096 };
    float a[BLOCK], b[BLOCK];
    char name[64];
    int part;
    const int64_t dims[2] = {s->config->decoder.vocabulary, s->config->decoder.d_model};
    name_there(s, "embed.weight", name, sizeof name, &part);
    const struct safetensor *embed = tensor_set_find(s->set, name);
    enum status status = check_dims(s, head, 2, dims);
    for (int64_t i = 0; i < head->n_values && status == STATUS_OK; i += BLOCK) {
        int64_t n = head->n_values - i < BLOCK ? head->n_values - i : BLOCK;
        status = safetensor_read(embed, i, n, a, s->fault);
        if (status == STATUS_OK)
            status = safetensor_read(head, i, n, b, s->fault);
        if (status == STATUS_OK && memcmp(a, b, (size_t)n * sizeof *a) != 0)
            status = fault_set(s->fault, STATUS_USAGE,
                               "%s: %s: expected the values of %s, as tie_word_embeddings is true, found others",
                               head->raw->path, head->name, embed->name);
    }
    return status;
}

static int is_buffer(const struct search *s, const char *name)
{
    if (s->config->is_gpt2)
        return ends_with(name, ".attn.bias") || ends_with(name, ".attn.masked_bias");
    return ends_with(name, ".rotary_emb.inv_freq");
}

static enum status check_rest(const struct search *s)
{
    for (int64_t i = 0; i < s->set->n; i++) {
        const struct safetensor *tensor = &s->set->tensor[i];
        enum status status = STATUS_OK;
        if (s->used[i] || is_buffer(s, tensor->name))
            continue;
        if (s->config->decoder.tied && strcmp(tensor->name, "lm_head.weight") == 0)
            status = compare_head(s, tensor);
        else
            status = fault_set(s->fault, STATUS_USAGE, "%s: %.200s: unexpected: the model has no such weight",
                               tensor->raw->path, tensor->name);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status hf_places(const struct tensor_set *set, const struct hf_config *config, struct arena *arena,
                      struct hf_place **out, struct fault *fault)
{
    struct search search = {set, config, "transformer.", arena_take(arena, (size_t)set->n + 1), fault};
    int n = decoder_weights(&config->decoder);
    struct hf_place *places = arena_array(arena, (size_t)n, sizeof *places);
    if (!tensor_set_find(set, "transformer.wte.weight"))
        search.prefix = "";
    enum status status = STATUS_OK;
    for (int i = 0; i < n && status == STATUS_OK; i++) {
        struct decoder_weight weight;
        decoder_weight(&config->decoder, i, &weight);
        status = find_place(&search, &weight, &places[i]);
    }
    if (status == STATUS_OK)
        status = check_rest(&search);
    if (status == STATUS_OK)
        *out = places;
    return status;
}
