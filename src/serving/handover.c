#include "serving/handover.h"

void handover_offer(struct instance *to, struct sequence *s)
{
    s->from = s->record.instance;
    to->load += instance_load_of(to, s);
    queue_insert(&to->inbox, to->pool, s);
}

static int can_take(const struct instance *to, const struct sequence *s, uint32_t *blocks)
{
    uint64_t tokens = s->known;
    if (to->config->batching == BATCHING_STATIC && to->n_running)
        return 0;
    if (to->config->reserve_output)
        tokens = (uint64_t)s->asked->prompt_tokens + s->asked->output_tokens - 1;
    *blocks = kv_blocks(&to->cache, tokens);
    uint64_t needed = *blocks + (to->n_running || to->n_coming ? (uint64_t)to->watermark : 0);
    return to->waiting.n == 0 && to->n_running + to->n_coming < to->config->max_batch &&
           needed <= kv_available(&to->cache);
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static enum status start_one(struct instance *from, struct instance *to, struct sequence *s, uint64_t now_ps,
                             uint64_t *end_ps, struct fault *fault)
{
    const struct serving_move move = {.request = s->request,
                                      .n_tokens = s->computed,
                                      .from = s->table.block,
                                      .to = s->incoming.block,
                                      .from_instance = (int)from->number,
                                      .to_instance = (int)to->number};
    if (to->engine->transfer(to->engine->state, &move, &to->cost, fault) != STATUS_OK)
        return fault->status;
    if (to->cost.time_ps == 0)
        return fault_set(fault, STATUS_FAILED, "the engine takes no time to hand %u tokens of KV over", s->computed);
    uint64_t start_ps = latest(now_ps, latest(from->port_ps, to->port_ps));
    *end_ps = from->port_ps = to->port_ps = start_ps + to->cost.time_ps;
    instance_count_cost(to);
    return STATUS_OK;
}

enum status handover_start(struct instance *instance, struct instance *to, uint64_t now_ps, struct events *events,
                           struct fault *fault)
{
    uint32_t blocks;
    for (struct sequence *s; (s = queue_head(&to->inbox)) && can_take(to, s, &blocks);) {
        uint64_t end_ps = 0;
        queue_pop(&to->inbox);
        if (!kv_extend(&to->cache, &s->incoming, blocks))
            bug("no KV for a handover that fitted");
        to->n_coming++;
        if (start_one(&instance[s->from], to, s, now_ps, &end_ps, fault) != STATUS_OK)
            return fault->status;
        events_add(events, to->pool,
                   (struct event){.time_ps = end_ps,
                                  .kind = EVENT_TRANSFER_END,
                                  .number = s->request,
                                  .instance = to->number,
                                  .subject = s});
    }
    return STATUS_OK;
}

void handover_end(struct instance *instance, struct instance *to, struct sequence *s)
{
    struct instance *from = &instance[s->from];
    kv_release(&from->cache, &s->table);
    if (from->engine->forget)
        from->engine->forget(from->engine->state, s->request);
    s->table = s->incoming;
    s->incoming = (struct kv_table){.block = NULL};
    s->n_named = 0;
    to->n_coming--;
    instance_insert(to, s);
}
