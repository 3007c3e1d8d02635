#include "store/json_file.h"

#include <stdlib.h>

#include "store/raw.h"

enum { MAX_BYTES = 256 << 20 };

enum status json_file_read(const char *path, json_t **root, struct fault *fault)
{
    struct raw raw;
    json_error_t error;
    enum status status = raw_open(path, &raw, fault);
    if (status != STATUS_OK)
        return status;
    char *text = NULL;
    if (raw.size > MAX_BYTES)
        status = fault_set(fault, STATUS_USAGE, "%s: expected JSON of at most %d bytes, found %lld", path, MAX_BYTES,
                           (long long)raw.size);
    else if (!(text = malloc((size_t)raw.size + 1)))
        status = fault_set(fault, STATUS_FAILED, "%s: does not fit into memory", path);
    else
        status = raw_read(&raw, 0, raw.size, text, "text", fault);
    if (status == STATUS_OK) {
        json_t *found = json_loadb(text, (size_t)raw.size, JSON_REJECT_DUPLICATES, &error);
        if (found)
            *root = found;
        else
            status =
                fault_set(fault, STATUS_USAGE, "%s:%d:%d: not JSON: %s", path, error.line, error.column, error.text);
    }
    free(text);
    raw_close(&raw);
    return status;
}
