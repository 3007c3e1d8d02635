/* libFuzzer target: any bytes as config.json. What is accepted is a sound shape whose weights can be listed. */
#include <stdlib.h>
#include <string.h>

#include "memory_file.h"
#include "model/hf_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shape(const struct decoder_config *config)
{
    struct fault fault = FAULT_NONE;
    struct decoder_weight weight;
    int n = decoder_weights(config);
    if (decoder_check(config, &fault) != STATUS_OK)
        bug("accepted a shape that is not sound: %s", fault.text);
    decoder_weight(config, 0, &weight);
    decoder_weight(config, n / 2, &weight);
    decoder_weight(config, n - 1, &weight);
    if (decoder_parameters(config) < config->vocabulary || decoder_kv_elements(config) < 2)
        bug("impossible counts");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fault fault = FAULT_NONE;
    struct hf_config config;
    struct memory_file file = memory_file(data, size);
    if (hf_config_read(file.path, &config, &fault) == STATUS_OK)
        check_shape(&config.decoder);
    else if (!*fault.text)
        bug("refused without a word");
    close(file.descriptor);
    return 0;
}
