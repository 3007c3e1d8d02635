#include "store/rows.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

static enum status cannot(const struct rows *rows, struct fault *fault)
{
    return fault_set(fault, STATUS_IO, "%s: cannot be written: %s", rows->path, strerror(errno));
}

enum status rows_open(struct rows *rows, const char *path, struct fault *fault)
{
    *rows = (struct rows){.file = fopen(path, "w"), .path = path, .saved_hash = HASH_START};
    return rows->file ? STATUS_OK : cannot(rows, fault);
}

enum status rows_flush(struct rows *rows, struct fault *fault)
{
    return fflush(rows->file) != 0 || ferror(rows->file) ? cannot(rows, fault) : STATUS_OK;
}

/* The hash after bytes first .. end - 1 of the file. */
static enum status hash_part(const char *path, uint64_t first, uint64_t end, uint64_t *hash, struct fault *fault)
{
    char buffer[16384];
    FILE *file = fopen(path, "r");
    if (!file)
        return fault_set(fault, STATUS_IO, "%s: cannot be read: %s", path, strerror(errno));
    int reads = fseeko(file, (off_t)first, SEEK_SET) == 0;
    while (reads && first < end) {
        size_t most = end - first < sizeof buffer ? (size_t)(end - first) : sizeof buffer;
        size_t n = fread(buffer, 1, most, file);
        *hash = hash_bytes(*hash, n, buffer);
        first += n;
        reads = n > 0;
    }
    fclose(file);
    if (first < end)
        return fault_set(fault, STATUS_IO,
                         "%s: expected at least %" PRIu64 " bytes, as the checkpoint knows it, found %" PRIu64, path,
                         end, first);
    return STATUS_OK;
}

static enum status save(struct rows *rows, struct fault *fault)
{
    if (rows_flush(rows, fault) != STATUS_OK)
        return fault->status;
    off_t end = ftello(rows->file);
    if (end < 0 || (fsync(fileno(rows->file)) != 0 && errno != EINVAL && errno != ENOTSUP))
        return cannot(rows, fault);
    enum status status = hash_part(rows->path, rows->saved_bytes, (uint64_t)end, &rows->saved_hash, fault);
    rows->saved_bytes = (uint64_t)end;
    return status;
}

static enum status cut(struct rows *rows, struct fault *fault)
{
    uint64_t hash = HASH_START;
    if (hash_part(rows->path, 0, rows->saved_bytes, &hash, fault) != STATUS_OK)
        return fault->status;
    if (hash != rows->saved_hash)
        return fault_set(fault, STATUS_IO, "%s: its first %" PRIu64 " bytes are not those that the checkpoint knows",
                         rows->path, rows->saved_bytes);
    rows->file = fopen(rows->path, "r+");
    if (!rows->file || ftruncate(fileno(rows->file), (off_t)rows->saved_bytes) != 0 ||
        fseeko(rows->file, 0, SEEK_END) != 0)
        return cannot(rows, fault);
    return STATUS_OK;
}

enum status rows_archive(struct rows *rows, const char *path, struct archive *archive, struct fault *fault)
{
    if (archive_restores(archive))
        *rows = (struct rows){.path = path};
    else if (save(rows, fault) != STATUS_OK)
        return fault->status;
    archive_field(archive, "bytes", &rows->saved_bytes);
    archive_field(archive, "hash", &rows->saved_hash);
    return archive_restores(archive) && !archive_has_failed(archive) ? cut(rows, fault) : STATUS_OK;
}

enum status rows_close(struct rows *rows, struct fault *fault)
{
    if (!rows->file)
        return fault->status;
    int failed = fflush(rows->file) != 0 || ferror(rows->file);
    failed |= fclose(rows->file) != 0;
    rows->file = NULL;
    return failed ? cannot(rows, fault) : STATUS_OK;
}
