#include "model/adapter.h"

#include <string.h>

#include "base/status.h"

void adapter_add_f32(int64_t out, int64_t in, int64_t width, double scale, const float *a, const float *b, float *w)
{
    for (int64_t o = 0; o < out; o++)
        for (int64_t c = 0; c < in; c++) {
            double sum = 0;
            for (int64_t r = 0; r < width; r++)
                sum += (double)b[o * width + r] * (double)a[r * in + c];
            w[o * in + c] = (float)((double)w[o * in + c] + scale * sum);
        }
}

void adapter_add_f64(int64_t out, int64_t in, int64_t width, double scale, const double *a, const double *b, double *w)
{
    for (int64_t o = 0; o < out; o++)
        for (int64_t c = 0; c < in; c++) {
            double sum = 0;
            for (int64_t r = 0; r < width; r++)
                sum += b[o * width + r] * a[r * in + c];
            w[o * in + c] += scale * sum;
        }
}

struct weights {
    const struct weight_array *array;
    int n;
};

static const struct weight_array *find(const struct weights *weights, const char *name)
{
    for (int i = 0; i < weights->n; i++)
        if (strcmp(weights->array[i].name, name) == 0)
            return &weights->array[i];
    return NULL;
}

static int ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), n = strlen(end);
    return length > n && strcmp(name + length - n, end) == 0;
}

int adapter_place_of(const char *name, struct arena *arena, struct adapter_place *place)
{
    if (!ends_with(name, ".lora_a"))
        return 0;
    char *module = arena_string(arena, name);
    size_t length = strlen(module) - strlen(".lora_a");
    module[length] = 0;
    static const char thirds[] = "qkv";
    const char before = length > 1 ? module[length - 2] : 0; /* attn.q of the encoder, t.wq of traffic */
    const char *third = length > 1 && (before == '.' || before == 'w') ? strchr(thirds, module[length - 1]) : NULL;
    const char *end = strncmp(module, "layers.", 7) == 0 ? ".weight" : "";
    *place = (struct adapter_place){module, arena_printf(arena, "%s%s", module, end), 0, 1};
    if (third)
        *place = (struct adapter_place){module, arena_printf(arena, "%.*sqkv%s", (int)length - 1, module, end),
                                        (int)(third - thirds), 3};
    return 1;
}

/* A copy of the values; float or double as the original. */
static struct weight_array copy_of(const struct weight_array *weight, struct arena *arena)
{
    struct weight_array copy = *weight;
    size_t elements = (size_t)(weight->dims[0] * weight->dims[1]);
    size_t bytes = weight->values ? sizeof *weight->values : sizeof *weight->values64;
    void *values = arena_array(arena, elements, bytes);
    memcpy(values, weight->values ? (const void *)weight->values : weight->values64, elements * bytes);
    copy.values = weight->values ? values : NULL;
    copy.values64 = weight->values ? NULL : values;
    return copy;
}

/* Adds the adapter `module` to rows first .. first + out - 1 of a merged weight, whose memory is ours. */
static void add_adapter(const struct weights *weights, const char *module, int64_t first, int64_t out, double scale,
                        struct arena *arena, const struct weight_array *merged)
{
    const struct weight_array *a = find(weights, arena_printf(arena, "%s.lora_a", module)),
                              *b = find(weights, arena_printf(arena, "%s.lora_b", module));
    const int64_t in = merged->dims[1];
    if (!a || !b || a->dims[1] != in || b->dims[0] != out || a->dims[0] != b->dims[1] ||
        !a->values != !merged->values || !b->values != !merged->values)
        bug("the adapter %s does not fit %s", module, merged->name);
    if (merged->values)
        adapter_add_f32(out, in, a->dims[0], scale, a->values, b->values, (float *)merged->values + first * in);
    else
        adapter_add_f64(out, in, a->dims[0], scale, a->values64, b->values64, (double *)merged->values64 + first * in);
}

/* The modules whose adapters may stand beside a weight, in the order of its rows; returns their number, which is that
 * of equal parts of the weight: 3 of a packed one, else 1. */
static int modules_of(const char *weight, struct arena *arena, const char *modules[3])
{
    char *module = arena_string(arena, weight);
    if (ends_with(module, ".weight"))
        module[strlen(module) - strlen(".weight")] = 0;
    modules[0] = module;
    if (!ends_with(module, "qkv"))
        return 1;
    module[strlen(module) - strlen("qkv")] = 0;
    for (int p = 0; p < 3; p++)
        modules[p] = arena_printf(arena, "%s%c", module, "qkv"[p]);
    return 3;
}

int adapter_merge(const struct weight_array *weights, int n, double scale, struct arena *arena,
                  struct weight_array **merged)
{
    const struct weights all = {weights, n};
    int n_merged = 0, n_adapters = 0, n_used = 0;
    *merged = arena_array(arena, (size_t)n, sizeof **merged);
    for (int i = 0; i < n; i++) {
        const char *modules[3];
        int begun = 0;
        n_adapters += ends_with(weights[i].name, ".lora_a");
        int parts = modules_of(weights[i].name, arena, modules);
        for (int p = 0; p < parts; p++) {
            if (!find(&all, arena_printf(arena, "%s.lora_a", modules[p])))
                continue;
            if (!begun)
                (*merged)[n_merged++] = copy_of(&weights[i], arena);
            begun = 1;
            int64_t rows = weights[i].dims[0] / parts;
            add_adapter(&all, modules[p], p * rows, rows, scale, arena, &(*merged)[n_merged - 1]);
            n_used++;
        }
    }
    if (n_used != n_adapters)
        bug("%d adapters, but weights for %d", n_adapters, n_used);
    return n_merged;
}
