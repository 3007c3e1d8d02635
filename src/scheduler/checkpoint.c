#include "scheduler/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/differences.h"

enum { TAG = 5, PIECE_BYTES = 8 << 20 };

/* ---- writing ---- */

/* An entry of some rank, as rank 0 knows it. */
struct owned {
    struct archive_entry entry; /* values: rank 0's own, else NULL */
    int rank;
};

/* What a rank tells of its entries: for each type, length, and the name with its NUL. */
struct label {
    uint64_t type, n, name_bytes;
};

static char *pack_labels(const struct archive_entry *entry, size_t n, struct arena *arena, size_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < n; i++)
        *bytes += sizeof(struct label) + strlen(entry[i].name) + 1;
    char *packed = arena_take(arena, *bytes + 1), *at = packed;
    for (size_t i = 0; i < n; i++) {
        const struct label label = {entry[i].type, entry[i].n, strlen(entry[i].name) + 1};
        memcpy(at, &label, sizeof label);
        memcpy(at + sizeof label, entry[i].name, label.name_bytes);
        at += sizeof label + label.name_bytes;
    }
    return packed;
}

static size_t unpack_labels(const char *packed, size_t bytes, int rank, struct owned *to)
{
    size_t n = 0;
    for (const char *at = packed; at < packed + bytes; n++) {
        struct label label;
        memcpy(&label, at, sizeof label);
        if (to)
            to[n] = (struct owned){{at + sizeof label, (enum archive_type)label.type, label.n, NULL}, rank};
        at += sizeof label + label.name_bytes;
    }
    return n;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct owned *)left)->entry.name, ((const struct owned *)right)->entry.name);
}

/* Collective. Rank 0 learns of all entries, sorted by name. */
static enum status gather_labels(struct comm *comm, const struct archive_entry *mine, size_t n_mine,
                                 struct arena *arena, struct owned **all, size_t *n_all, struct fault *fault)
{
    size_t *sizes = arena_array(arena, (size_t)comm_size(comm), sizeof *sizes), bytes, n = 0;
    const char *packed = pack_labels(mine, n_mine, arena, &bytes);
    char *labels = NULL;
    enum status status = comm_gather_varying(comm, arena, packed, bytes, &labels, sizes, fault);
    if (status != STATUS_OK || comm_rank(comm) != 0)
        return status;
    const char *at = labels;
    for (int r = 0; r < comm_size(comm); at += sizes[r++])
        n += unpack_labels(at, sizes[r], r, NULL);
    struct owned *list = *all = arena_array(arena, n + 1, sizeof *list);
    *n_all = n;
    at = labels;
    n = 0;
    for (int r = 0; r < comm_size(comm); at += sizes[r++])
        n += unpack_labels(at, sizes[r], r, list + n);
    for (size_t i = 0; i < n_mine; i++) /* rank 0's own are the first */
        list[i].entry.values = mine[i].values;
    qsort(list, n, sizeof *list, by_name);
    return STATUS_OK;
}

/* One piece of at most PIECE_BYTES from its owner to rank 0. */
static enum status pass_piece(struct comm *comm, int from, void *buffer, size_t bytes, struct fault *fault)
{
    struct transfers *transfers = transfers_new(comm);
    if (comm_rank(comm) == 0)
        transfers_receive(transfers, from, TAG, buffer, bytes);
    else
        transfers_send(transfers, 0, TAG, buffer, bytes);
    enum status status = transfers_wait(transfers, fault);
    transfers_free(transfers);
    return status;
}

static uint64_t piece_of(const struct archive_entry *entry, uint64_t first)
{
    uint64_t most = PIECE_BYTES / archive_type_bytes(entry->type), left = entry->n - first;
    return left < most ? left : most;
}

/* Rank 0. After a fault of the disk the others' pieces are still taken, so that nobody waits for ever. */
static enum status write_all(struct comm *comm, struct state_writer *writer, const struct owned *all, size_t n,
                             struct fault *fault)
{
    struct fault lost = FAULT_NONE;
    char *buffer = malloc(PIECE_BYTES);
    if (!buffer)
        bug("out of memory");
    for (size_t i = 0; i < n && lost.status == STATUS_OK; i++) {
        const struct archive_entry *entry = &all[i].entry;
        size_t bytes = archive_type_bytes(entry->type);
        for (uint64_t first = 0, some; first < entry->n && lost.status == STATUS_OK; first += some) {
            some = piece_of(entry, first);
            const void *values = buffer;
            if (all[i].rank == 0)
                values = (const char *)entry->values + first * bytes;
            else
                pass_piece(comm, all[i].rank, buffer, some * bytes, &lost);
            if (fault->status == STATUS_OK && lost.status == STATUS_OK)
                state_write(writer, entry, first, some, values, fault);
        }
    }
    free(buffer);
    if (lost.status != STATUS_OK)
        *fault = lost;
    return fault->status;
}

static enum status send_all(struct comm *comm, const struct archive_entry *entry, size_t n, struct fault *fault)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < n; i++)
        for (uint64_t first = 0, some; first < entry[i].n && status == STATUS_OK; first += some) {
            size_t bytes = archive_type_bytes(entry[i].type);
            some = piece_of(&entry[i], first);
            status = pass_piece(comm, 0, (char *)entry[i].values + first * bytes, some * bytes, fault);
        }
    return status;
}

static enum status write_file(struct comm *comm, const char *path, const struct state_head *head,
                              const struct owned *all, size_t n, struct arena *arena, struct fault *fault)
{
    struct state_writer *writer = NULL;
    struct archive_entry *entries = arena_array(arena, n + 1, sizeof *entries);
    for (size_t i = 0; i < n; i++)
        entries[i] = all[i].entry;
    state_create(path, head, entries, n, &writer, fault);
    write_all(comm, writer, all, n, fault);
    if (fault->status == STATUS_OK)
        return state_finish(writer, fault);
    state_abandon(writer);
    return fault->status;
}

enum status checkpoint_write(struct comm *comm, const char *path, const struct state_head *head,
                             struct archive *archive, struct fault *fault)
{
    struct arena *arena = arena_new();
    size_t n_mine, n_all = 0;
    const struct archive_entry *mine = archive_entries(archive, &n_mine);
    struct owned *all = NULL;
    enum status status = gather_labels(comm, mine, n_mine, arena, &all, &n_all, fault);
    if (status == STATUS_OK && comm_rank(comm) == 0)
        write_file(comm, path, head, all, n_all, arena, fault);
    else if (status == STATUS_OK)
        send_all(comm, mine, n_mine, fault);
    arena_free(arena);
    return comm_is_lost(comm) ? fault->status : agree(comm, 0, fault);
}

/* ---- finding ---- */

/* Does a checkpoint belong to the run that wants to go on from it? */
static enum status compare(const char *path, const struct state_head *found, const struct state_head *expected,
                           struct fault *fault)
{
    char text[512];
    if (strcmp(found->kind, expected->kind) != 0)
        return fault_set(fault, STATUS_USAGE, "%s: expected a checkpoint of %s, found one of %s", path, expected->kind,
                         found->kind);
    if (differences_of_jobs(found->job, expected->job, text, sizeof text) > 0)
        return fault_set(fault, STATUS_USAGE, "%s: it belongs to another job: %s", path, text);
    if (found->input_hash != expected->input_hash)
        return fault_set(fault, STATUS_USAGE,
                         "%s: the data set or model has changed since: expected a file with CRC-32 %08" PRIx32
                         ", found %08" PRIx32,
                         path, found->input_hash, expected->input_hash);
    if (found->plan_hash != expected->plan_hash)
        return fault_set(fault, STATUS_USAGE,
                         "%s: it was written by another version of polyrank, which plans "
                         "otherwise",
                         path);
    if (found->arithmetic_hash != expected->arithmetic_hash)
        return fault_set(fault, STATUS_USAGE,
                         "%s: it was written with other CPU kernels (BLAS or instruction set): results would not be "
                         "those of a run without a stop",
                         path);
    return STATUS_OK;
}

/* Rank 0's choice of a file. */
struct choice {
    const char *path;               /* "" when there is no file at all */
    struct state_identity identity; /* it has been read as a whole, and is sound */
};

/* The fault says why it cannot be this one. */
static void choose_file(const char *path, const struct state_head *expected, struct choice *choice,
                        struct fault *damage, struct fault *fault)
{
    struct state_file *file = NULL;
    if (state_open(path, &file, damage) == STATUS_OK) {
        compare(path, state_head(file), expected, fault);
        *choice = (struct choice){path, *state_identity(file)};
    }
    state_close(file);
}

/* Rank 0. The newest of two that are valid. What belongs to another run is refused, not passed over. */
static void choose_newest(const char *path, const struct state_head *expected, struct arena *arena,
                          struct choice *choice, struct fault *fault)
{
    const char *const candidate[] = {path, state_previous(arena, path)};
    int n_there = 0;
    for (int i = 0; i < 2; i++) {
        struct fault damage = FAULT_NONE;
        if (access(candidate[i], F_OK) != 0)
            continue;
        n_there++;
        choose_file(candidate[i], expected, choice, &damage, fault);
        if (damage.status == STATUS_OK)
            return;
        fprintf(stderr, "polyrank: passed over: %s\n", damage.text);
    }
    if (n_there > 0)
        fault_set(
            fault, STATUS_IO,
            "%s: no checkpoint is valid: remove %s to start from the beginning, or name another one with --resume",
            path, n_there > 1 ? "them" : "it");
}

/* All ranks open what rank 0 has chosen. A rank for which the name means another file, a copy on a disk of its own,
 * reads and compares all of that. */
static enum status open_choice(struct comm *comm, struct choice *choice, struct arena *arena,
                               struct checkpoint *checkpoint, struct fault *fault)
{
    char *path = arena_string(arena, choice->path);
    enum status status = comm_broadcast_text(comm, arena, &path, fault);
    if (status != STATUS_OK || !path[0])
        return status;
    status = comm_broadcast(comm, &choice->identity, sizeof choice->identity, fault);
    if (status != STATUS_OK)
        return status;
    if (state_open_verified(path, &choice->identity, &checkpoint->file, fault) == STATUS_OK)
        checkpoint->path = path;
    status = agree(comm, 1, fault);
    if (status == STATUS_OK) /* a name that means another file elsewhere */
        status = comm_same(comm, (uint64_t)state_head(checkpoint->file)->progress, "checkpoint", fault);
    if (status != STATUS_OK)
        checkpoint_close(checkpoint);
    return status;
}

enum status checkpoint_open(struct comm *comm, const char *resume, const char *path, const struct state_head *expected,
                            struct arena *arena, struct checkpoint *checkpoint, struct fault *fault)
{
    struct choice choice = {.path = ""};
    *checkpoint = (struct checkpoint){.path = NULL};
    if (comm_rank(comm) == 0 && strcmp(resume, "auto") == 0)
        choose_newest(path, expected, arena, &choice, fault);
    else if (comm_rank(comm) == 0)
        choose_file(resume, expected, &choice, fault, fault);
    enum status status = agree(comm, 0, fault);
    return status == STATUS_OK ? open_choice(comm, &choice, arena, checkpoint, fault) : status;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    state_close(checkpoint->file);
    *checkpoint = (struct checkpoint){.path = NULL};
}
