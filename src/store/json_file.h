/* json_file.h - a whole JSON file in memory. */
#ifndef STORE_JSON_FILE_H
#define STORE_JSON_FILE_H

#include <jansson.h>

#include "base/status.h"

/* Local. Reads a file of at most 256 MiB; names that appear twice in an object are refused. The caller releases *root
 * with json_decref. Faults: STATUS_IO (cannot be read), STATUS_USAGE "path:line:column: not JSON: ...". */
enum status json_file_read(const char *path, json_t **root, struct fault *fault);

#endif
