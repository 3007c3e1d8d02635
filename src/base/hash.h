/* hash.h - content hashes: FNV-1a, 64 bits, byte by byte.
 *
 * For telling content apart and finding damage, not against an adversary. A changed byte always changes the hash.
 * Source: Fowler, Noll, Vo, "The FNV non-cryptographic hash algorithm", IETF draft.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Local. The hash after n more bytes. */
uint64_t hash_bytes(uint64_t hash, size_t n, const void *bytes);

/* Local. After a number (little-endian, 8 bytes), a double (its bits), a text (its length first). */
uint64_t hash_number(uint64_t hash, uint64_t value);
uint64_t hash_double(uint64_t hash, double value);
uint64_t hash_text(uint64_t hash, const char *text);

/* Local. After n floats: their bits, little-endian. */
uint64_t hash_floats(uint64_t hash, size_t n, const float *values);

#endif
