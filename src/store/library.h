/* library.h - which HDF5 is in use. */
#ifndef STORE_LIBRARY_H
#define STORE_LIBRARY_H

#include <stddef.h>

/* Local. "1.10.8", of the library that is loaded. Returns text. */
char *library_version(char *text, size_t size);

#endif
