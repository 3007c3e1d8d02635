/* libFuzzer target: any bytes as a request trace, CSV or JSON lines; what is read must be in order and in range. */
#include <stdint.h>
#include <string.h>

#include "store/requests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_requests(const struct requests *requests)
{
    if (requests->n < 1)
        bug("a trace without requests");
    for (size_t i = 0; i < requests->n; i++) {
        const struct request *request = &requests->request[i];
        if (request->prompt_tokens < 1 || request->output_tokens < 1 || request->prompt_tokens > REQUESTS_MOST_TOKENS ||
            request->output_tokens > REQUESTS_MOST_TOKENS)
            bug("lengths out of range");
        if (i && request->arrival_ps < request[-1].arrival_ps)
            bug("out of order");
        if ((double)request->arrival_ps > REQUESTS_LATEST_S * 1e12 + 1e12)
            bug("too late");
        uint64_t sum = 0;
        for (uint32_t h = 0; h < request->n_hashes; h++)
            sum += request->hash[h];
        if (request->n_hashes && (requests->hash_tokens == 0 || sum == UINT64_MAX))
            bug("hashes of nothing");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct fault fault = FAULT_NONE;
    struct requests requests;
    struct requests_options options = {.limit = data[0] % 4, .longest_total = data[0] & 16 ? 100 : 0};
    options.rate_scale = data[0] & 32 ? 3.7 : 0;
    struct arena *arena = arena_new();
    char *text = arena_take(arena, size);
    memcpy(text, data + 1, size - 1);
    if (requests_parse("fuzz", text, size - 1, &options, arena, &requests, &fault) == STATUS_OK)
        check_requests(&requests);
    else if (!*fault.text)
        bug("refused without a word");
    arena_free(arena);
    return 0;
}
