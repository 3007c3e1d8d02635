/* raw.h - a file of bytes, read in pieces; every piece is checked against the size of the file first.
 *
 * Readers of foreign binary formats stand on this. Numbers in such files are little-endian.
 */
#ifndef STORE_RAW_H
#define STORE_RAW_H

#include <stdint.h>

#include "base/status.h"

struct raw {
    const char *path; /* borrowed: must live as long as the file is open */
    int descriptor;
    int64_t size; /* bytes */
};

/* Local. Opens an ordinary file for reading. Faults STATUS_IO: no such file, a folder, not readable. */
enum status raw_open(const char *path, struct raw *raw, struct fault *fault);
void raw_close(struct raw *raw);

/* Local. Reads n bytes at `offset`. Fault STATUS_IO "path: truncated: WHAT: expected ... bytes, found ..." when the
 * file ends before them. */
enum status raw_read(const struct raw *raw, int64_t offset, int64_t n, void *bytes, const char *what,
                     struct fault *fault);

/* Local. Little-endian numbers in memory. */
uint16_t raw_u16(const unsigned char *bytes);
uint32_t raw_u32(const unsigned char *bytes);
uint64_t raw_u64(const unsigned char *bytes);
float raw_f32(const unsigned char *bytes);

#endif
