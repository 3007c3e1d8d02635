/* libFuzzer target: any bytes as a model file of llama2.c. What is opened can be read to its last value. */
#include <stdlib.h>
#include <string.h>

#include "memory_file.h"
#include "model/decoder.h"
#include "store/llama2_bin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Inputs at random are hardly ever as long as their header says: half of them are made so, as far as that is short. */
static size_t fitting_size(const uint8_t *data, size_t size)
{
    int64_t v[7], sum = 28;
    int32_t number;
    if (size < 29 || data[size - 1] % 2)
        return size;
    for (int i = 0; i < 7; i++) {
        memcpy(&number, data + 4 * i, 4);
        v[i] = number;
        if (number < 1 || number > 64)
            return size;
    }
    if (v[0] % v[3] || v[3] % v[4])
        return size;
    int64_t kv = v[0] / v[3] * v[4];
    sum += 4 * (v[5] * v[0] + v[2] * (2 * v[0] + 2 * v[0] * v[0] + 2 * kv * v[0] + 3 * v[1] * v[0]) + v[0] +
                2 * v[6] * (v[0] / v[3] / 2));
    return (size_t)sum;
}

static void read_all(const struct llama2_bin *bin)
{
    for (int part = 0; part < N_LLAMA2_PARTS; part++) {
        struct fault fault = FAULT_NONE;
        int by_layer = part != LLAMA2_EMBEDDING && part != LLAMA2_NORM && part != LLAMA2_CLASSIFIER;
        if (part == LLAMA2_CLASSIFIER && bin->shared)
            continue;
        float *values = malloc((size_t)bin->layer_values[part] * sizeof *values);
        for (int64_t layer = 0; layer < (by_layer ? bin->layers : 1); layer++)
            if (llama2_bin_read(bin, (enum llama2_part)part, layer, 0, bin->layer_values[part], values, &fault))
                bug("an opened file cannot be read: %s", fault.text);
        free(values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = FAULT_NONE;
    struct llama2_bin bin;
    size_t fitting = fitting_size(data, size);
    struct memory_file file = memory_file(data, size < fitting ? size : fitting);
    if (ftruncate(file.descriptor, (off_t)fitting) != 0)
        bug("no file in memory");
    if (llama2_bin_open(file.path, &bin, &fault) == STATUS_OK) {
        read_all(&bin);
        llama2_bin_close(&bin);
    } else if (!*fault.text) {
        bug("refused without a word");
    }
    close(file.descriptor);
    return 0;
}
