#include "model/model_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

static const struct {
    const char *name;
    enum activation act;
} acts[] = {{"relu", ACT_RELU}, {"gelu", ACT_GELU}, {"gelu_tanh", ACT_GELU_TANH}, {"silu", ACT_SILU}};

const char *model_act_name(enum activation act)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (acts[i].act == act)
            return acts[i].name;
    bug("activation %d has no name in model files", (int)act);
}

int model_act_find(const char *name)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].name, name) == 0)
            return (int)acts[i].act;
    return -1;
}

uint64_t model_config_hash(const struct decoder_config *config)
{
    uint64_t hash = hash_text(HASH_START, config->family);
#define NUMBER(field) hash = hash_number(hash, (uint64_t)config->field);
#define REAL(field) hash = hash_double(hash, config->field);
    MODEL_WHOLE(NUMBER)
    MODEL_FLAGS(NUMBER)
    MODEL_REAL(REAL)
#undef NUMBER
#undef REAL
    return hash_text(hash, model_act_name(config->act));
}

void model_hash_print(char *text, uint64_t hash)
{
    snprintf(text, 17, "%016" PRIx64, hash);
}

int64_t model_block_rows(const struct decoder_weight *weight)
{
    enum { BLOCK_VALUES = 1 << 20 };
    int64_t columns = weight->n_dims == 2 ? weight->dims[1] : 1, rows = BLOCK_VALUES / columns;
    rows = rows > 0 ? rows : 1;
    return rows < weight->dims[0] ? rows : weight->dims[0];
}
