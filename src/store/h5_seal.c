#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "store/h5_private.h"

/* HDF5 guards chunks of data, but not all of its own bookkeeping, and can crash on a damaged file. So a finished file
 * carries a checksum of everything behind its end, where HDF5 does not look: 8 bytes of mark, 8 of the size before it,
 * 4 of the CRC-32 of that, 4 of zero. A program that changes the file cuts it off. */
enum { SEAL_BYTES = 24, BLOCK_BYTES = 1 << 16 };

static const char mark[8] = {'P', 'R', 'S', 'E', 'A', 'L', '1', '\n'};

static int checksum(int descriptor, int64_t size, uint32_t *sum)
{
    unsigned char block[BLOCK_BYTES];
    uLong crc = crc32(0, NULL, 0);
    for (int64_t at = 0; at < size;) {
        size_t want = size - at < BLOCK_BYTES ? (size_t)(size - at) : BLOCK_BYTES;
        ssize_t got = pread(descriptor, block, want, (off_t)at);
        if (got <= 0)
            return 0;
        crc = crc32(crc, block, (uInt)got);
        at += got;
    }
    *sum = (uint32_t)crc;
    return 1;
}

static void put_little_endian(unsigned char *to, uint64_t value, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get_little_endian(const unsigned char *from, int n)
{
    uint64_t value = 0;
    for (int i = n - 1; i >= 0; i--)
        value = value << 8 | from[i];
    return value;
}

enum status h5_seal(const char *path, const char *told, struct fault *fault)
{
    unsigned char seal[SEAL_BYTES] = {0};
    struct stat info;
    uint32_t sum;
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    int done = descriptor >= 0 && fstat(descriptor, &info) == 0 && checksum(descriptor, (int64_t)info.st_size, &sum);
    if (done) {
        memcpy(seal, mark, sizeof mark);
        put_little_endian(seal + 8, (uint64_t)info.st_size, 8);
        put_little_endian(seal + 16, sum, 4);
        done = pwrite(descriptor, seal, SEAL_BYTES, info.st_size) == SEAL_BYTES;
    }
    enum status status = STATUS_OK;
    if (!done)
        status = fault_set(fault, STATUS_IO, "%s: cannot be written: %s", told, strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    return status;
}

/* Does the file end with a seal of its own length? */
static int read_seal(int descriptor, int64_t size, unsigned char seal[SEAL_BYTES])
{
    return size > 0 && pread(descriptor, seal, SEAL_BYTES, (off_t)size) == SEAL_BYTES &&
           memcmp(seal, mark, sizeof mark) == 0 && get_little_endian(seal + 8, 8) == (uint64_t)size;
}

enum status h5_check_seal(const char *path, int64_t most_bytes, int required, struct fault *fault)
{
    unsigned char seal[SEAL_BYTES];
    struct stat info;
    uint32_t sum;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    enum status status = STATUS_OK;
    int64_t size = fstat(descriptor, &info) == 0 ? (int64_t)info.st_size - SEAL_BYTES : 0;
    int is_sealed = read_seal(descriptor, size, seal);
    if (required && !is_sealed)
        status = fault_set(fault, STATUS_IO, "%s: damaged: it does not end with its checksum", path);
    else if (is_sealed && (most_bytes == 0 || size <= most_bytes) &&
             (!checksum(descriptor, size, &sum) || sum != get_little_endian(seal + 16, 4)))
        status = fault_set(fault, STATUS_IO, "%s: damaged: the file's checksum is not that of its content", path);
    close(descriptor);
    return status;
}

enum status h5_verify_sealed(const char *path, struct fault *fault)
{
    return h5_check_seal(path, 0, 1, fault);
}

enum status h5_checksum(const char *path, uint32_t *sum, struct fault *fault)
{
    struct stat info;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    int done = descriptor >= 0 && fstat(descriptor, &info) == 0 && checksum(descriptor, (int64_t)info.st_size, sum);
    enum status status = STATUS_OK;
    if (!done)
        status = fault_set(fault, STATUS_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    return status;
}
