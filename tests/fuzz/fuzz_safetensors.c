/* libFuzzer target: any bytes as a safetensors file; those after the first choose the data's length, the rest is the
 * header as it is or behind a length that fits it. Every tensor that is accepted can be read. */
#include <stdlib.h>
#include <string.h>

#include "memory_file.h"
#include "store/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct tensor_set *set)
{
    for (int64_t i = 0; i < set->n; i++) {
        struct fault fault = FAULT_NONE;
        const struct safetensor *tensor = &set->tensor[i];
        char shape[32];
        safetensor_shape(tensor, shape, sizeof shape);
        if (tensor_set_find(set, tensor->name) != tensor)
            bug("%s is not found", tensor->name);
        if (tensor->n_values > 1 << 20)
            bug("%s has more values than the file has bytes", tensor->name);
        float *values = malloc((size_t)tensor->n_values * sizeof *values + 1);
        enum status status = safetensor_read(tensor, 0, tensor->n_values, values, &fault);
        if ((status == STATUS_OK) != (tensor->type != SAFETENSOR_OTHER))
            bug("%s: %s", tensor->name, fault.text);
        free(values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = FAULT_NONE;
    struct arena *arena = arena_new();
    struct tensor_set set;
    if (size < 2) {
        arena_free(arena);
        return 0;
    }
    size_t n_data = (data[0] & 1) ? data[1] : 0, n = size - 2;
    uint8_t *bytes = calloc(8 + n + n_data, 1);
    uint64_t length = n;
    size_t at = (data[0] & 2) ? 0 : 8;
    if (at)
        memcpy(bytes, &length, 8);
    memcpy(bytes + at, data + 2, n);
    struct memory_file file = memory_file(bytes, at + n + n_data);
    if (tensor_set_open(file.path, arena, &set, &fault) == STATUS_OK) {
        read_all(&set);
        tensor_set_close(&set);
    } else if (!*fault.text) {
        bug("refused without a word");
    }
    fault = FAULT_NONE;
    if (tensor_set_open_index(file.path, arena, &set, &fault) == STATUS_OK)
        tensor_set_close(&set);
    else if (!*fault.text)
        bug("refused without a word");
    close(file.descriptor);
    free(bytes);
    arena_free(arena);
    return 0;
}
