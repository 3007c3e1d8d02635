#include "serving/sequence.h"

#include <string.h>

static size_t answer_size(const struct request *asked)
{
    return ((size_t)asked->prompt_tokens + asked->output_tokens) * sizeof(uint32_t);
}

static size_t gaps_size(const struct request *asked)
{
    return (size_t)(asked->output_tokens - 1) * sizeof(uint64_t);
}

struct sequence *sequence_new(struct pool *pool, const struct requests *requests, uint32_t request,
                              const struct serving_config *config, int functional)
{
    const struct request *asked = &requests->request[request];
    struct sequence *s = pool_take(pool, sizeof *s);
    *s = (struct sequence){.asked = asked, .request = request, .known = asked->prompt_tokens};
    s->record =
        (struct served){.request = request, .prompt_tokens = asked->prompt_tokens, .arrival_ps = asked->arrival_ps};
    if (config->prefix_caching) {
        s->n_names = prefix_blocks(asked, requests->hash_tokens, config->block_tokens);
        s->name = pool_take(pool, s->n_names * sizeof *s->name);
        if (s->n_names)
            prefix_names(asked, requests->hash_tokens, config->block_tokens, s->name);
    }
    if (functional) {
        s->token = pool_take(pool, answer_size(asked));
        memcpy(s->token, asked->prompt, asked->prompt_tokens * sizeof *s->token);
    }
    return s;
}

void sequence_free(struct pool *pool, struct sequence *s)
{
    if (s->table.n || s->incoming.n)
        bug("a request leaves with KV blocks");
    pool_give(pool, s->name, s->n_names * sizeof *s->name);
    pool_give(pool, s->token, answer_size(s->asked));
    pool_give(pool, s->gap_ps, gaps_size(s->asked));
    pool_give(pool, s, sizeof *s);
}

void sequence_gaps(struct pool *pool, struct sequence *s)
{
    if (s->made)
        s->gap_ps = pool_take(pool, gaps_size(s->asked));
}

void sequence_token(struct pool *pool, struct sequence *s, uint64_t now_ps, uint32_t id)
{
    if (s->token)
        s->token[s->known] = id;
    if (s->made == 0) {
        s->record.first_token_ps = now_ps;
    } else {
        uint64_t gap_ps = now_ps - s->last_token_ps;
        s->gap_ps[s->made - 1] = gap_ps;
        s->record.itl_max_ps = gap_ps > s->record.itl_max_ps ? gap_ps : s->record.itl_max_ps;
    }
    s->last_token_ps = now_ps;
    s->made++;
    s->known++;
    if (s->made == 1)
        sequence_gaps(pool, s);
}

static struct sequence **place(const struct queue *queue, uint32_t i)
{
    return &queue->ring[(queue->first + i) & (queue->room - 1)];
}

static void grow(struct queue *queue, struct pool *pool)
{
    uint32_t room = queue->room ? 2 * queue->room : 64;
    struct sequence **ring = pool_take(pool, room * sizeof(struct sequence *));
    for (uint32_t i = 0; i < queue->n; i++)
        ring[i] = *place(queue, i);
    pool_give(pool, queue->ring, queue->room * sizeof(struct sequence *));
    queue->ring = ring;
    queue->room = room;
    queue->first = 0;
}

void queue_insert(struct queue *queue, struct pool *pool, struct sequence *sequence)
{
    if (queue->n == queue->room)
        grow(queue, pool);
    uint32_t ahead = queue->n; /* how many go before it */
    if (queue->n && (*place(queue, 0))->request > sequence->request)
        ahead = 0;
    else
        while (ahead && (*place(queue, ahead - 1))->request > sequence->request)
            ahead--;
    if (ahead == 0 && queue->n) {
        queue->first = (queue->first - 1) & (queue->room - 1);
    } else {
        for (uint32_t i = queue->n; i > ahead; i--)
            *place(queue, i) = *place(queue, i - 1);
    }
    *place(queue, ahead) = sequence;
    queue->n++;
}

struct sequence *queue_head(const struct queue *queue)
{
    return queue->n ? *place(queue, 0) : NULL;
}

struct sequence *queue_at(const struct queue *queue, uint32_t i)
{
    return *place(queue, i);
}

struct sequence *queue_pop(struct queue *queue)
{
    struct sequence *head = queue_head(queue);
    queue->first = (queue->first + 1) & (queue->room - 1);
    queue->n--;
    return head;
}
