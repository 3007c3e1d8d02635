#include "store/library.h"

#include <stdio.h>

#include <hdf5.h>

char *library_version(char *text, size_t size)
{
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, size, "%u.%u.%u", major, minor, release);
    return text;
}
