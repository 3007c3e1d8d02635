#include "store/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status raw_open(const char *path, struct raw *raw, struct fault *fault)
{
    struct stat info;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return fault_set(fault, STATUS_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(descriptor);
        return fault_set(fault, STATUS_IO, "%s: expected a file, found %s", path,
                         S_ISDIR(info.st_mode) ? "a folder" : "something else");
    }
    *raw = (struct raw){path, descriptor, (int64_t)info.st_size};
    return STATUS_OK;
}

void raw_close(struct raw *raw)
{
    if (raw->descriptor >= 0)
        close(raw->descriptor);
    raw->descriptor = -1;
}

enum status raw_read(const struct raw *raw, int64_t offset, int64_t n, void *bytes, const char *what,
                     struct fault *fault)
{
    if (offset < 0 || n < 0 || offset > raw->size || n > raw->size - offset)
        return fault_set(fault, STATUS_IO, "%s: truncated: %s: expected %lld bytes from byte %lld on, found %lld",
                         raw->path, what, (long long)n, (long long)offset,
                         (long long)(offset < raw->size ? raw->size - offset : 0));
    for (int64_t done = 0; done < n;) {
        ssize_t got = pread(raw->descriptor, (char *)bytes + done, (size_t)(n - done), (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fault_set(fault, STATUS_IO, "%s: %s: cannot be read: %s", raw->path, what,
                             got < 0 ? strerror(errno) : "the file became shorter");
        done += got;
    }
    return STATUS_OK;
}

uint16_t raw_u16(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t raw_u32(const unsigned char *bytes)
{
    return raw_u16(bytes) | (uint32_t)raw_u16(bytes + 2) << 16;
}

uint64_t raw_u64(const unsigned char *bytes)
{
    return raw_u32(bytes) | (uint64_t)raw_u32(bytes + 4) << 32;
}

float raw_f32(const unsigned char *bytes)
{
    uint32_t bits = raw_u32(bytes);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
