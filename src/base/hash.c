#include "base/hash.h"

#include <string.h>

static const uint64_t prime = UINT64_C(0x100000001b3);

uint64_t hash_bytes(uint64_t hash, size_t n, const void *bytes)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) * prime;
    return hash;
}

uint64_t hash_number(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        hash = (hash ^ (value >> 8 * i & 0xff)) * prime;
    return hash;
}

uint64_t hash_double(uint64_t hash, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return hash_number(hash, bits);
}

uint64_t hash_text(uint64_t hash, const char *text)
{
    size_t n = strlen(text);
    return hash_bytes(hash_number(hash, n), n, text);
}

uint64_t hash_floats(uint64_t hash, size_t n, const float *values)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int b = 0; b < 4; b++)
            hash = (hash ^ (bits >> 8 * b & 0xff)) * prime;
    }
    return hash;
}
