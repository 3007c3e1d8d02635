/* sequence.h - a request while it is in the system, and queues of them.
 *
 * `known` tokens are the prompt and the answer so far; the KV of `computed` of them is in the cache. A sequence with
 * one token left to compute that has made one before decodes; any other prefills. After a preemption by recompute the
 * prompt and the answer so far are prefilled together, and the prefill makes the next token: nothing else is special
 * about it.
 */
#ifndef SERVING_SEQUENCE_H
#define SERVING_SEQUENCE_H

#include "serving/kv_cache.h"
#include "serving/serving.h"

enum sequence_state {
    SEQUENCE_WAITING,  /* in a queue */
    SEQUENCE_RUNNING,  /* among an instance's running */
    SEQUENCE_HANDOVER, /* prefilled; waits for its KV to come over, or it is on the way */
    SEQUENCE_FINISHED
};

struct sequence {
    const struct request *asked;
    uint32_t request; /* number: order of arrival, and priority */
    enum sequence_state state;
    uint32_t known, computed, made;
    uint32_t chunk; /* tokens to compute in the iteration that is formed or under way; 0: not in it */
    int is_swapped; /* the KV of `computed` tokens is on the host */
    struct kv_table table;
    uint64_t *name; /* [n_names] of the prompt's blocks */
    uint32_t n_names, n_named;
    uint32_t *token;          /* [prompt + output] in functional runs, else NULL */
    uint64_t *gap_ps;         /* [output - 1] between tokens, made - 1 so far; NULL before the first */
    uint32_t lost;            /* KV dropped by the last preemption by recompute or loss of a device, tokens */
    uint32_t recover_to;      /* places before this one were in KV that was lost with a device; 0: none */
    struct kv_table incoming; /* handover: blocks at the destination */
    uint32_t from;            /* handover: instance that has the KV */
    uint64_t last_token_ps;
    int was_seen, was_scheduled;
    struct served record;
};

/* Local. A sequence of request number i, from the pool; sequence_free gives everything back but KV blocks. */
struct sequence *sequence_new(struct pool *pool, const struct requests *requests, uint32_t request,
                              const struct serving_config *config, int functional);
void sequence_free(struct pool *pool, struct sequence *sequence);

static inline uint32_t sequence_left(const struct sequence *s)
{
    return s->known - s->computed;
}

static inline int sequence_decodes(const struct sequence *s)
{
    return s->made > 0 && s->known - s->computed == 1;
}

/* Local. Room for its gaps, once it has made a token. */
void sequence_gaps(struct pool *pool, struct sequence *sequence);

/* Local. A token has come at now_ps: its times and gaps. `id` counts in functional runs only. */
void sequence_token(struct pool *pool, struct sequence *sequence, uint64_t now_ps, uint32_t id);

/* Those in the system by number of the request: how saved lists find them again. */
struct roll {
    struct sequence **sequence; /* [n] ascending */
    size_t n;
};

/* Local. NULL when it is not there. */
struct sequence *roll_find(const struct roll *roll, uint32_t request);

/* Local. Saves or restores all sequences of a roll; restored ones are fresh from sequence_new. */
void roll_archive(const struct roll *roll, struct pool *pool, struct archive *archive);

/* Local. Saves or restores a list[n] of some of them. */
void roll_archive_list(const struct roll *roll, struct sequence **list, size_t n, const char *name,
                       struct archive *archive);

/* Local. Saves or restores records, record[n]. */
void served_archive(struct served *record, size_t n, struct archive *archive);

/* Sequences by priority (number of the request); from the pool. All zero: empty. */
struct queue {
    struct sequence **ring;
    uint32_t first, n, room; /* room: a power of two */
};

/* Local. queue_insert keeps the order; it is fast at both ends. queue_head is NULL when empty. */
void queue_insert(struct queue *queue, struct pool *pool, struct sequence *sequence);
struct sequence *queue_head(const struct queue *queue);
struct sequence *queue_at(const struct queue *queue, uint32_t i);
struct sequence *queue_pop(struct queue *queue);

/* Local. Saves or restores; of the sequences of the roll. */
void queue_archive(struct queue *queue, const struct roll *roll, struct pool *pool, const char *name,
                   struct archive *archive);

#endif
