/* hf_model.c - rows of our weights out of safetensors: straight, transposed, or from half order. */
#include "model/model_import_private.h"

enum status hf_model_open(const char *path, int is_index, const char *config_path, struct arena *arena,
                          struct hf_model *model, struct fault *fault)
{
    struct hf_config config;
    enum status status = hf_config_read(config_path, &config, fault);
    if (status == STATUS_OK)
        status = is_index ? tensor_set_open_index(path, arena, &model->set, fault)
                          : tensor_set_open(path, arena, &model->set, fault);
    if (status != STATUS_OK)
        return status;
    model->config = config.decoder;
    status = hf_places(&model->set, &config, arena, &model->place, fault);
    if (status != STATUS_OK)
        tensor_set_close(&model->set);
    return status;
}

int hf_model_is_half(const void *state, int weight)
{
    const struct hf_model *model = state;
    return model->place[weight].tensor->type == SAFETENSOR_F16;
}

/* Row r of ours is column first + r there. */
static enum status read_transposed(const struct hf_place *place, int64_t first, int64_t n_rows, int64_t columns,
                                   float *values, struct fault *fault)
{
    enum { MOST = 1024 };
    float line[MOST];
    int64_t wide = place->tensor->dims[1];
    enum status status = STATUS_OK;
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < n_rows && status == STATUS_OK; r += MOST) {
            int64_t n = n_rows - r < MOST ? n_rows - r : MOST;
            status = safetensor_read(place->tensor, c * wide + place->first + first + r, n, line, fault);
            for (int64_t i = 0; i < n && status == STATUS_OK; i++)
                values[(r + i) * columns + c] = line[i];
        }
    return status;
}

/* Row 2j of a head is row j there, row 2j + 1 is row j + width / 2. */
static enum status read_halves(const struct hf_model *model, const struct hf_place *place, int64_t first,
                               int64_t n_rows, int64_t columns, float *values, struct fault *fault)
{
    int64_t width = model->config.head_width;
    enum status status = STATUS_OK;
    for (int64_t r = first; r < first + n_rows && status == STATUS_OK; r++) {
        int64_t head = r / width, j = r % width / 2, there = head * width + j + (r % 2 ? width / 2 : 0);
        status = safetensor_read(place->tensor, there * columns, columns, values + (r - first) * columns, fault);
    }
    return status;
}

enum status hf_model_rows(void *state, int weight, int64_t first, int64_t n_rows, float *values, struct fault *fault)
{
    const struct hf_model *model = state;
    const struct hf_place *place = &model->place[weight];
    struct decoder_weight shape;
    decoder_weight(&model->config, weight, &shape);
    int64_t columns = shape.n_dims == 2 ? shape.dims[1] : 1;
    if (place->transposed)
        return read_transposed(place, first, n_rows, columns, values, fault);
    if (place->halves)
        return read_halves(model, place, first, n_rows, columns, values, fault);
    return safetensor_read(place->tensor, place->first + first * columns, n_rows * columns, values, fault);
}
