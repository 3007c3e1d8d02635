/* memory_file.h - the bytes of a fuzz target as a file, for the readers open files by name. */
#ifndef TESTS_MEMORY_FILE_H
#define TESTS_MEMORY_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/status.h"

struct memory_file {
    char path[64];
    int descriptor;
};

static inline struct memory_file memory_file(const uint8_t *data, size_t size)
{
    struct memory_file file = {.descriptor = memfd_create("fuzz", 0)};
    if (file.descriptor < 0 || write(file.descriptor, data, size) != (ssize_t)size)
        bug("no file in memory");
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.descriptor);
    return file;
}

#endif
