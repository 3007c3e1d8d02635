/* state.h - checkpoint files: the saved state of a run (base/archive.h), with what it is the state of.
 *
 * An HDF5 file with a group `state` of named arrays, one for each entry, and as attributes of the root what has to
 * agree before anything is restored. It is written as all files are (h5.h): under a temporary name, flushed, sealed
 * with a checksum over every byte, renamed. The file that had the name before becomes `NAME.prev.h5`: the last complete
 * checkpoint is at one of the two names at every moment. Files without a valid seal are refused.
 *
 * Local, all of it: one process writes. scheduler/checkpoint.h brings it what the others hold.
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "base/archive.h"

enum { STATE_SCHEMA_VERSION = 1 };

/* What a checkpoint belongs to. */
struct state_head {
    const char *kind; /* "training", "serving" */
    const char *job;  /* the resolved job, YAML with its cluster */
    uint64_t plan_hash, arithmetic_hash;
    uint32_t input_hash;     /* CRC-32 of the data set or model; 0: none */
    int64_t progress, total; /* training steps done; requests served */
    uint64_t virtual_ps;
};

struct state_writer;

/* Local. Makes the file with room for all entries (sorted by name; their `values` are not looked at). */
enum status state_create(const char *path, const struct state_head *head, const struct archive_entry *entries,
                         size_t n_entries, struct state_writer **writer, struct fault *fault);

/* Local. Values first .. first + n - 1 of an entry. */
enum status state_write(struct state_writer *writer, const struct archive_entry *entry, uint64_t first, uint64_t n,
                        const void *values, struct fault *fault);

/* Local. Completes the file and puts it in place; the handle is gone in any case. */
enum status state_finish(struct state_writer *writer, struct fault *fault);
void state_abandon(struct state_writer *writer);

/* Local. "out/checkpoint.prev.h5" of "out/checkpoint.h5". */
char *state_previous(struct arena *arena, const char *path);

struct state_file;

/* Which file a name means, and its last change: equal on all hosts that share the file, another one for a copy. */
struct state_identity {
    uint64_t number, bytes, changed_s, changed_ns;
};

/* Local. Opens a checkpoint after it has compared its checksum (every byte is read). Faults: STATUS_IO when it is
 * damaged or cannot be read, STATUS_USAGE when it is another kind of file or of another schema. */
enum status state_open(const char *path, struct state_file **file, struct fault *fault);
void state_close(struct state_file *file);

/* Local. The same when somebody else has compared the checksum of the file `verified`: if that is what the name means
 * here, nothing is read but what is asked for. */
enum status state_open_verified(const char *path, const struct state_identity *verified, struct state_file **file,
                                struct fault *fault);

/* Local. Of the file as it was before its checksum was compared. */
const struct state_identity *state_identity(const struct state_file *file);
const struct state_head *state_head(const struct state_file *file);

/* Local. To restore from; valid until state_close. */
struct archive_source state_source(struct state_file *file);

/* Local. Is this file a checkpoint at all? */
int state_is(const char *path);

#endif
