/* sequence_archive.c - requests in the system, saved and restored; lists of them as numbers of the requests. */
#include <string.h>

#include "serving/sequence.h"

struct sequence *roll_find(const struct roll *roll, uint32_t request)
{
    size_t low = 0, high = roll->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (roll->sequence[middle]->request < request)
            low = middle + 1;
        else
            high = middle;
    }
    return low < roll->n && roll->sequence[low]->request == request ? roll->sequence[low] : NULL;
}

void served_archive(struct served *record, size_t n, struct archive *archive)
{
    const size_t stride = sizeof *record;
    struct served none = {.request = 0}, *first = n ? record : &none;
    archive_column(archive, "request", &first->request, n, stride);
    archive_column(archive, "instance", &first->instance, n, stride);
    archive_column(archive, "decode_instance", &first->decode_instance, n, stride);
    archive_column(archive, "prompt_tokens", &first->prompt_tokens, n, stride);
    archive_column(archive, "output_tokens", &first->output_tokens, n, stride);
    archive_column(archive, "prefix_tokens", &first->prefix_tokens, n, stride);
    archive_column(archive, "preemptions", &first->preemptions, n, stride);
    archive_column(archive, "swaps", &first->swaps, n, stride);
    archive_column(archive, "recomputed_tokens", &first->recomputed_tokens, n, stride);
    archive_column(archive, "arrival_ps", &first->arrival_ps, n, stride);
    archive_column(archive, "scheduled_ps", &first->scheduled_ps, n, stride);
    archive_column(archive, "first_token_ps", &first->first_token_ps, n, stride);
    archive_column(archive, "finish_ps", &first->finish_ps, n, stride);
    archive_column(archive, "seen_ps", &first->seen_ps, n, stride);
    archive_column(archive, "itl_max_ps", &first->itl_max_ps, n, stride);
    archive_column(archive, "itl_p99_ps", &first->itl_p99_ps, n, stride);
    archive_column(archive, "meets_slo", &first->meets_slo, n, stride);
}

/* What is the same for all sequences; `all` are copies of them, one after the other. */
static void archive_columns(struct sequence *all, size_t n, struct archive *archive)
{
    const size_t stride = sizeof *all;
    struct arena *arena = arena_new();
    uint8_t *state = arena_array(arena, n + 1, sizeof *state);
    struct served *record = arena_array(arena, n + 1, sizeof *record);
    for (size_t i = 0; i < n; i++) {
        state[i] = (uint8_t)all[i].state;
        record[i] = all[i].record;
    }
    archive_array(archive, "state", state, n);
    archive_column(archive, "known", &all->known, n, stride);
    archive_column(archive, "computed", &all->computed, n, stride);
    archive_column(archive, "made", &all->made, n, stride);
    archive_column(archive, "chunk", &all->chunk, n, stride);
    archive_column(archive, "is_swapped", &all->is_swapped, n, stride);
    archive_column(archive, "n_named", &all->n_named, n, stride);
    archive_column(archive, "lost", &all->lost, n, stride);
    archive_column(archive, "recover_to", &all->recover_to, n, stride);
    archive_column(archive, "from", &all->from, n, stride);
    archive_column(archive, "last_token_ps", &all->last_token_ps, n, stride);
    archive_column(archive, "was_seen", &all->was_seen, n, stride);
    archive_column(archive, "was_scheduled", &all->was_scheduled, n, stride);
    archive_enter(archive, "record");
    served_archive(record, n, archive);
    archive_leave(archive);
    for (size_t i = 0; i < n; i++) {
        all[i].state = (enum sequence_state)state[i];
        all[i].record = record[i];
    }
    arena_free(arena);
}

/* Between the sequences that have tokens and one list, in their order. */
static void move_answers(const struct roll *roll, uint32_t *list, int from_list)
{
    for (size_t i = 0; i < roll->n; i++) {
        const struct sequence *sequence = roll->sequence[i];
        if (!sequence->token)
            continue;
        uint32_t *answer = sequence->token + sequence->asked->prompt_tokens;
        memcpy(from_list ? answer : list, from_list ? list : answer, sequence->made * sizeof *list);
        list += sequence->made;
    }
}

/* Answers so far: the prompts are those of the requests. */
static void archive_answers(const struct roll *roll, struct archive *archive)
{
    struct arena *arena = arena_new();
    size_t total = 0;
    for (size_t i = 0; i < roll->n; i++)
        total += roll->sequence[i]->token ? roll->sequence[i]->made : 0;
    uint32_t *token = arena_array(arena, total + 1, sizeof *token);
    if (!archive_restores(archive))
        move_answers(roll, token, 0);
    archive_array(archive, "answer", token, total);
    if (archive_restores(archive))
        move_answers(roll, token, 1);
    arena_free(arena);
}

static size_t gaps_of(const struct sequence *s)
{
    return s->made > 1 ? s->made - 1 : 0;
}

static void archive_gaps(const struct roll *roll, struct pool *pool, struct archive *archive)
{
    struct arena *arena = arena_new();
    size_t total = 0;
    for (size_t i = 0; i < roll->n; i++)
        total += gaps_of(roll->sequence[i]);
    uint64_t *gap_ps = arena_array(arena, total + 1, sizeof *gap_ps), *at = gap_ps;
    for (size_t i = 0; i < roll->n && !archive_restores(archive); at += gaps_of(roll->sequence[i++]))
        if (gaps_of(roll->sequence[i]))
            memcpy(at, roll->sequence[i]->gap_ps, gaps_of(roll->sequence[i]) * sizeof *at);
    archive_array(archive, "gap_ps", gap_ps, total);
    at = gap_ps;
    for (size_t i = 0; i < roll->n && archive_restores(archive); at += gaps_of(roll->sequence[i++])) {
        sequence_gaps(pool, roll->sequence[i]);
        if (gaps_of(roll->sequence[i]))
            memcpy(roll->sequence[i]->gap_ps, at, gaps_of(roll->sequence[i]) * sizeof *at);
    }
    arena_free(arena);
}

static void archive_tables(const struct roll *roll, struct pool *pool, struct archive *archive)
{
    struct arena *arena = arena_new();
    struct kv_table **table = arena_array(arena, roll->n + 1, sizeof(struct kv_table *));
    for (size_t i = 0; i < roll->n; i++)
        table[i] = &roll->sequence[i]->table;
    archive_enter(archive, "table");
    kv_tables_archive(table, roll->n, pool, archive);
    archive_leave(archive);
    for (size_t i = 0; i < roll->n; i++)
        table[i] = &roll->sequence[i]->incoming;
    archive_enter(archive, "incoming");
    kv_tables_archive(table, roll->n, pool, archive);
    archive_leave(archive);
    arena_free(arena);
}

/* A restored answer has room for what was asked for, so that nothing is written behind it. */
static void check(const struct roll *roll, struct archive *archive)
{
    for (size_t i = 0; i < roll->n; i++) {
        struct sequence *s = roll->sequence[i];
        if (s->made <= s->asked->output_tokens && s->known == s->asked->prompt_tokens + s->made)
            continue;
        archive_refuse(archive, "request %u has made %u tokens", s->request, s->made);
        s->made = 0;
    }
}

void roll_archive(const struct roll *roll, struct pool *pool, struct archive *archive)
{
    struct arena *arena = arena_new();
    struct sequence *copy = arena_array(arena, roll->n + 1, sizeof *copy);
    for (size_t i = 0; i < roll->n; i++)
        copy[i] = *roll->sequence[i];
    archive_columns(copy, roll->n, archive);
    for (size_t i = 0; i < roll->n; i++)
        *roll->sequence[i] = copy[i];
    arena_free(arena);
    check(roll, archive);
    archive_answers(roll, archive);
    archive_gaps(roll, pool, archive);
    archive_tables(roll, pool, archive);
}

void roll_archive_list(const struct roll *roll, struct sequence **list, size_t n, const char *name,
                       struct archive *archive)
{
    struct arena *arena = arena_new();
    uint32_t *request = arena_array(arena, n + 1, sizeof *request);
    for (size_t i = 0; i < n && !archive_restores(archive); i++)
        request[i] = list[i]->request;
    archive_array(archive, name, request, n);
    for (size_t i = 0; i < n && archive_restores(archive) && !archive_has_failed(archive); i++) {
        list[i] = roll_find(roll, request[i]);
        if (!list[i])
            archive_refuse(archive, "%s: request %u is not in the system", name, request[i]);
    }
    arena_free(arena);
}

void queue_archive(struct queue *queue, const struct roll *roll, struct pool *pool, const char *name,
                   struct archive *archive)
{
    struct arena *arena = arena_new();
    archive_enter(archive, "%s", name);
    size_t n = archive_count(archive, "n", queue->n);
    struct sequence **list = arena_array(arena, n + 1, sizeof(struct sequence *));
    for (uint32_t i = 0; i < n && !archive_restores(archive); i++)
        list[i] = queue_at(queue, i);
    roll_archive_list(roll, list, n, "request", archive);
    for (size_t i = 0; i < n && archive_restores(archive) && !archive_has_failed(archive); i++)
        queue_insert(queue, pool, list[i]);
    archive_leave(archive);
    arena_free(arena);
}
